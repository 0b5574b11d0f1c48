//! The threads that make the calls, with the real shell and ledger and a server in memory.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cardcancel::engine::{Caller, Finished, Plan, Snapshot, Wheel, drive};
use cardcancel::gate::brake::Limits;
use cardcancel::gate::pace::Pace;
use cardcancel::ledger::{Ledger, Sqlite, Staked, Start};
use cardcancel::outcome::{Body, Codes, OnDoubt, Outcome, Reply, Seen, Status, classify};
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

const ROWS: u32 = 500;

/// Cancels whatever it is asked for, but for the row at which it breaks.
#[derive(Clone, Default)]
struct Server {
    breaks_at: Option<u32>,
    called: Arc<Mutex<Vec<u32>>>,
}

impl Server {
    fn called(&self) -> Vec<u32> {
        let mut called = self.called.lock().unwrap().clone();
        called.sort_unstable();
        called
    }
}

impl Caller for Server {
    fn another(&self) -> Server {
        self.clone()
    }

    async fn call(&self, staked: &Staked) -> Outcome {
        let row = staked.row().0;
        assert_ne!(Some(row), self.breaks_at, "the server breaks here, as it was told to");
        self.called.lock().unwrap().push(row);
        let body = Body::Answer { status: Some(true), error_code: None, message: None };
        let reply = Reply { http_status: 200, retry_after: None, body };
        classify(Seen::Reply(reply), &Codes::default())
    }
}

fn run(mut ledger: Sqlite, server: Server) -> anyhow::Result<Finished> {
    let run = common::enrol(&mut ledger, ROWS, Timestamp::now());
    let start = Start {
        at: Timestamp::now(),
        cut_off: None,
        rates: String::new(),
        joins: false,
        again: false,
        on_doubt: OnDoubt::Retry,
    };
    let begun = ledger.start(&run, start).unwrap();
    let plan = Plan {
        concurrency: 16,
        attempts: 3,
        on_doubt: OnDoubt::Retry,
        last_start: None,
        limits: Limits::default(),
        max_outage: Duration::from_secs(60),
        most_a_second: None,
    };
    let wheel = Wheel::new(plan, run.counts, begun);
    let pace = Pace::new(&"unlimited".parse().unwrap());
    let (_stop, stops) = mpsc::unbounded_channel();
    let (show, _shown) = watch::channel(Snapshot::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(drive(wheel, Box::new(ledger), pace, server, stops, show))
}

#[test]
fn every_row_is_called_once_by_one_of_the_threads() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::default();
    let ledger = Sqlite::open(&folder.path().join("ledger.db")).unwrap();
    let Finished { mut ledger, run, .. } = run(ledger, server.clone()).unwrap();
    assert_eq!(server.called(), (1..=ROWS).collect::<Vec<_>>());
    let records = common::records(ledger.as_mut(), &run);
    assert!(records.iter().all(|record| record.status == Status::Cancelled && !record.doubt));
}

#[test]
fn a_thread_that_dies_ends_the_run_and_leaves_what_it_called_in_doubt() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let server = Server { breaks_at: Some(200), ..Server::default() };
    let Err(failed) = run(Sqlite::open(&path).unwrap(), server.clone()) else {
        panic!("the run went on to its end")
    };
    assert!(failed.to_string().starts_with("a thread that makes calls died"), "{failed}");
    let mut ledger = Sqlite::open(&path).unwrap();
    let run = ledger.find("key").unwrap().unwrap();
    let called = server.called();
    for record in common::records(&mut ledger, &run) {
        let row = record.row.0;
        match record.status {
            Status::Cancelled => assert!(called.contains(&row), "row {row}"),
            Status::InDoubt => assert!(record.doubt),
            Status::NotSent => assert!(!called.contains(&row) && row != 200, "row {row}"),
            _ => panic!("row {row} is {}", record.status),
        }
    }
}
