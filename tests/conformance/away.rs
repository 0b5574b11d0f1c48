//! A database that goes away: nothing is lost, and nothing is done twice.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cardcancel::ledger::{At, LedgerError, Postgres};
use cardcancel::outcome::Status;

use crate::common::postgres::{Database, Server};
use crate::common::records;
use crate::common::until;
use crate::process::{Home, Process, at, cancelled, enrol, fresh_rows, rows};

/// What breaks off around a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// The commit never gets there.
    Before,
    /// It is done, and its answer is lost.
    After,
    /// Nothing breaks, and nothing goes on: as if the process was frozen there.
    Freeze,
}

/// The way to a database, which breaks at certain commits.
struct Way {
    /// Commits still to pass before the next cut; none are cut at 0.
    to_pass: Arc<AtomicU32>,
}

impl Way {
    fn to(database: &Database, cut: Cut) -> (Way, Database) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let to_pass = Arc::new(AtomicU32::new(0));
        let (server, count) = (database.port, Arc::clone(&to_pass));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).unwrap();
                let count = Arc::clone(&count);
                std::thread::spawn(move || carry(client.unwrap(), server, cut, &count));
            }
        });
        (Way { to_pass }, Database { port, ..database.clone() })
    }

    /// Breaks at the commit after the next so many.
    fn break_after(&self, commits: u32) {
        self.to_pass.store(commits + 1, Ordering::SeqCst);
    }

    fn has_broken(&self) -> bool {
        self.to_pass.load(Ordering::SeqCst) == 0
    }
}

fn carry(mut client: TcpStream, mut server: TcpStream, cut: Cut, to_pass: &AtomicU32) {
    let (mut back, mut from) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let returning = std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut back);
        let _ = back.shutdown(Shutdown::Both);
    });
    let mut bytes = [0; 64 * 1024];
    while let Ok(read @ 1..) = client.read(&mut bytes) {
        let asked = &bytes[..read];
        let commits = asked.windows(7).any(|part| part == b"COMMIT\0");
        let left = to_pass.load(Ordering::SeqCst);
        if commits && left > 0 {
            to_pass.store(left - 1, Ordering::SeqCst);
            if left == 1 {
                break_off(cut, asked, &client, &mut server);
                returning.join().unwrap();
                return;
            }
        }
        if server.write_all(asked).is_err() {
            return;
        }
    }
    let _ = server.shutdown(Shutdown::Both);
}

fn break_off(cut: Cut, asked: &[u8], client: &TcpStream, server: &mut TcpStream) {
    match cut {
        Cut::Freeze => {}
        Cut::Before => {
            let _ = client.shutdown(Shutdown::Both);
            let _ = server.shutdown(Shutdown::Both);
        }
        Cut::After => {
            let _ = client.shutdown(Shutdown::Both);
            server.write_all(asked).unwrap();
            // It sees that nobody is there once it has carried it out.
            let _ = server.shutdown(Shutdown::Write);
        }
    }
}

/// A run of five rows on a way that breaks as the turn commits which settles the first two
/// and stakes the next.
fn breaks_in_a_turn(cut: Cut) {
    let home = Home::server();
    let (way, through) = Way::to(home.database(), cut);
    let mut ledger = Box::new(Postgres::open(at(&through)).unwrap());
    let run = enrol(ledger.as_mut(), "run-1", "key", 5);
    let mut process = Process::start(ledger, run);
    let staked = process.stake(2);
    way.break_after(0);
    let turned = process.turn(staked.into_iter().map(cancelled).collect(), Vec::new(), 2);
    assert!(way.has_broken());
    assert_eq!(rows(&turned.staked), [3, 4]);
    assert!(turned.staked.iter().all(|staked| (staked.attempt(), staked.doubt()) == (1, false)));
    assert_eq!(turned.counts.get(Status::Cancelled), 2);
    process.settle(turned.staked.into_iter().map(cancelled).collect());
    let run = process.finish();
    assert_eq!((run.attempts, run.counts.get(Status::Cancelled)), (5, 5));
    let records = records(home.open().as_mut(), &run);
    assert!(records.iter().all(|record| record.attempts == 1 && !record.doubt));
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_turn_whose_commit_was_lost_is_done_once() {
    breaks_in_a_turn(Cut::Before);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_turn_whose_answer_was_lost_is_done_once() {
    breaks_in_a_turn(Cut::After);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn the_moments_of_a_turn_whose_answer_was_lost_are_not_lost() {
    let home = Home::server();
    let (way, through) = Way::to(home.database(), Cut::After);
    let mut ledger = Box::new(Postgres::open(at(&through)).unwrap());
    let run = enrol(ledger.as_mut(), "run-1", "key", 5);
    let mut process = Process::start(ledger, run).at_pace("1/h");
    way.break_after(0);
    assert_eq!(process.stake(1).len(), 1);
    assert!(way.has_broken());
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn an_enrolment_and_a_start_survive_lost_answers() {
    for cut in [Cut::Before, Cut::After] {
        for commits in 0..5 {
            let home = Home::server();
            home.open();
            let (way, through) = Way::to(home.database(), cut);
            let mut ledger = Box::new(Postgres::open(at(&through)).unwrap());
            way.break_after(commits);
            let run = enrol(ledger.as_mut(), "run-1", "key", 25_000);
            let mut process = Process::start(ledger, run);
            assert_eq!(rows(&process.stake(2)), [1, 2]);
            assert!(way.has_broken(), "{cut:?} {commits}");
            assert_eq!(process.records().len(), 25_000);
            assert_eq!(home.open().runs().unwrap().len(), 1);
        }
    }
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_run_goes_on_though_its_connections_break_again_and_again() {
    let home = Home::server();
    let process = home.process(3_000);
    let database = home.database().clone();
    let run = std::thread::scope(|scope| {
        let working = scope.spawn(|| process.finish());
        while !working.is_finished() {
            database.cut_connections();
            std::thread::sleep(Duration::from_millis(30));
        }
        working.join().unwrap()
    });
    assert_eq!((run.attempts, run.counts.get(Status::Cancelled)), (3_000, 3_000));
    let records = records(home.open().as_mut(), &run);
    assert!(records.iter().all(|record| record.attempts == 1 && !record.doubt));
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn what_was_in_flight_is_settled_once_the_database_is_back() {
    let server = Server::start(&[]);
    let home = Home::Server(server.database());
    let mut process = home.process(4);
    for end in [Server::stop, Server::kill] {
        let staked = process.stake(2);
        end(&server);
        let turned = std::thread::scope(|scope| {
            let settled = staked.into_iter().map(cancelled).collect();
            let working = scope.spawn(|| process.settle(settled));
            std::thread::sleep(Duration::from_millis(600));
            assert!(!working.is_finished());
            server.begin();
            working.join().unwrap()
        });
        assert!(turned.staked.is_empty());
    }
    assert!(process.records().iter().all(|record| record.attempts == 1 && !record.doubt));
    assert!(process.rest(None).has_ended());
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_database_that_stays_away_is_given_up_in_the_end() {
    let server = Server::start(&[]);
    let home = Home::Server(server.database());
    let at = At { max_outage: Duration::from_millis(300), ..at(home.database()) };
    let mut ledger = Box::new(Postgres::open(at).unwrap());
    let run = enrol(ledger.as_mut(), "run-1", "key", 1);
    let mut process = Process::start(ledger, run);
    server.kill();
    let failed = process.try_turn(fresh_rows(1)).unwrap_err();
    assert!(matches!(failed, LedgerError::Away { .. }), "{failed}");
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_worker_frozen_in_its_turn_does_not_keep_the_others_from_theirs() {
    let home = Home::server();
    let (way, through) = Way::to(home.database(), Cut::Freeze);
    let mut ledger = Box::new(Postgres::open(at(&through)).unwrap());
    let run = enrol(ledger.as_mut(), "run-1", "key", 2);
    let mut frozen = Process::start(ledger, run.clone());
    let mut other = home.join(&run);
    way.break_after(0);
    std::thread::scope(|scope| {
        let staked = scope.spawn(|| rows(&frozen.stake(1)));
        until("it is frozen", || way.has_broken());
        let first = rows(&other.stake(1));
        let mut both = [first, staked.join().unwrap()].concat();
        both.sort();
        assert_eq!(both, [1, 2]);
    });
}
