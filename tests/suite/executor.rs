//! The executor's threads, with the real driver and ledger and a server in memory.
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cardcancel::engine::{Caller, Event, RunOutcome, RunPolicy, Scheduler, Snapshot};
use cardcancel::identity::Identity;
use cardcancel::ledger::{ClaimedRow, Ledger, Purpose, Sqlite, StartOptions};
use cardcancel::model::{
    AnswerRules, CallResult, HttpResponse, OnDoubt, Outcome, ReasonCode, ResponseBody, Status,
    classify,
};
use cardcancel::policy::pacer::Pacer;
use cardcancel::policy::stop_rules::StopRuleSettings;
use jiff::Timestamp;
use tokio::sync::{Semaphore, mpsc, watch};

const ROWS: u32 = 500;
const CONCURRENCY: u32 = 256;
/// The threads together have no more in flight at first; further calls wait.
const MOST_AT_ONCE: u32 = 4 * 32;

/// Cancels every order it is sent, except for the row at which it panics, and answers up to its
/// limit.
#[derive(Clone)]
struct TestCaller {
    breaks_at: Option<u32>,
    may_answer: Arc<Semaphore>,
    called: Arc<Mutex<Vec<u32>>>,
}

impl Default for TestCaller {
    fn default() -> TestCaller {
        let may_answer = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        TestCaller { breaks_at: None, may_answer, called: Arc::default() }
    }
}

impl TestCaller {
    fn called(&self) -> Vec<u32> {
        let mut called = self.called.lock().unwrap().clone();
        called.sort_unstable();
        called
    }
}

impl Caller for TestCaller {
    fn clone_for_thread(&self) -> TestCaller {
        self.clone()
    }

    async fn call(&self, claimed: &ClaimedRow, may_start: &dyn Fn() -> bool) -> Option<Outcome> {
        if !may_start() {
            return None;
        }
        let row = claimed.row().0;
        assert_ne!(Some(row), self.breaks_at, "the server breaks here, as it was told to");
        self.called.lock().unwrap().push(row);
        self.may_answer.acquire().await.unwrap().forget();
        let body = ResponseBody::Api { status: Some(true), error_code: None, message: None };
        let reply = HttpResponse { http_status: 200, retry_after: None, body };
        Some(classify(CallResult::Response(reply), &AnswerRules::default()))
    }
}

fn run(ledger: Sqlite, server: TestCaller) -> anyhow::Result<RunOutcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (_stop, stops) = mpsc::unbounded_channel();
    let (show, _shown) = watch::channel(Snapshot::default());
    runtime.block_on(work(ledger, server, stops, show))
}

async fn work(
    mut ledger: Sqlite,
    server: TestCaller,
    requests: mpsc::UnboundedReceiver<Event>,
    show: watch::Sender<Snapshot>,
) -> anyhow::Result<RunOutcome> {
    let run = crate::common::create_run(&mut ledger, ROWS, Timestamp::now());
    let start = StartOptions {
        at: Timestamp::now(),
        cut_off: None,
        rates: String::new(),
        joins: false,
        again: false,
        on_doubt: OnDoubt::Retry,
        by: Identity::of_this_process(),
        purpose: Purpose::default(),
        configuration: String::new(),
    };
    let begun = ledger.start(&run, start).unwrap();
    let plan = RunPolicy {
        concurrency: CONCURRENCY,
        attempts: 3,
        on_doubt: OnDoubt::Retry,
        last_start: None,
        stop_rules: StopRuleSettings::default(),
        max_outage: Duration::from_secs(60),
        max_per_second: None,
    };
    let scheduler = Scheduler::new(plan, run.counts, begun);
    let pace = Pacer::new(&"unlimited".parse().unwrap());
    cardcancel::engine::run(scheduler, Box::new(ledger), pace, server, 0, requests, show).await
}

#[test]
fn every_row_is_called_once_by_one_of_the_threads() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestCaller::default();
    let ledger = Sqlite::open(&folder.path().join("ledger.db")).unwrap();
    let RunOutcome { mut ledger, run, .. } = run(ledger, server.clone()).unwrap();
    assert_eq!(server.called(), (1..=ROWS).collect::<Vec<_>>());
    let records = crate::common::records(ledger.as_mut(), &run);
    assert!(records.iter().all(|record| record.status == Status::Cancelled && !record.doubt));
}

#[test]
fn a_thread_that_dies_ends_the_run_and_leaves_what_it_called_in_doubt() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let server = TestCaller { breaks_at: Some(200), ..TestCaller::default() };
    let Err(failed) = run(Sqlite::open(&path).unwrap(), server.clone()) else {
        panic!("the run went on to its end")
    };
    assert!(failed.to_string().starts_with("a thread that makes calls died"), "{failed}");
    let mut ledger = Sqlite::open(&path).unwrap();
    let run = ledger.find_by_key("key").unwrap().unwrap();
    let called = server.called();
    for record in crate::common::records(&mut ledger, &run) {
        let row = record.row.0;
        match record.status {
            Status::Cancelled => assert!(called.contains(&row), "row {row}"),
            Status::InDoubt => assert!(record.doubt),
            Status::NotSent => assert!(!called.contains(&row) && row != 200, "row {row}"),
            _ => panic!("row {row} is {}", record.status),
        }
    }
}

#[test]
fn a_call_that_waits_for_others_is_not_made_after_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Sqlite::open(&folder.path().join("ledger.db")).unwrap();
    let server = TestCaller { may_answer: Arc::new(Semaphore::new(200)), ..TestCaller::default() };
    let (stop, stops) = mpsc::unbounded_channel();
    let (show, shown) = watch::channel(Snapshot::default());
    let stop_it = async {
        while shown.borrow().in_flight <= MOST_AT_ONCE {
            server.may_answer.add_permits(1);
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
        while shown.borrow().stop.is_none() {
            stop.send(Event::Stop(ReasonCode::Signal)).unwrap();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let called = server.called();
        server.may_answer.add_permits(ROWS as usize);
        called
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let both = async { tokio::join!(work(ledger, server.clone(), stops, show), stop_it) };
    let (finished, called) = runtime.block_on(both);
    assert_eq!(server.called(), called);
    let RunOutcome { mut ledger, run, .. } = finished.unwrap();
    for record in crate::common::records(ledger.as_mut(), &run) {
        let was_called = called.contains(&record.row.0);
        let status = if was_called { Status::Cancelled } else { Status::NotSent };
        assert_eq!((record.status, record.doubt), (status, false), "row {}", record.row);
    }
}
