//! A database that becomes unreachable: nothing is lost, and nothing is done twice.

use std::time::Duration;

use cardcancel::ledger::{
    CommitOutcome, CommitRequest, LedgerError, Postgres, PostgresOptions, RowRecord,
};
use cardcancel::model::{RowTransition, Status, Verdict};

use crate::common::postgres::PostgresServer;
use crate::common::{Cut, FaultyProxy, records, until};
use crate::conformance::process::{
    Home, Process, at, cancelled, create_run, ended, fresh_rows, rows,
};

/// A run of five rows over a connection that breaks during the commit that completes the first
/// two and claims the next.
fn breaks_in_a_commit(cut: Cut, then: fn(&FaultyProxy)) {
    let home = Home::server();
    let (proxy, through) = FaultyProxy::new(home.database(), cut);
    let mut ledger = Box::new(Postgres::open(at(&through)).unwrap());
    let run = create_run(ledger.as_mut(), "run-1", "key", 5);
    let mut process = Process::start(ledger, run);
    let claimed = process.claim(2);
    proxy.break_after(0);
    then(&proxy);
    let outcome = process.commit(claimed.into_iter().map(cancelled).collect(), Vec::new(), 2);
    assert!(proxy.has_broken());
    assert_eq!(rows(&outcome.claimed), [3, 4]);
    assert!(
        outcome.claimed.iter().all(|claimed| (claimed.attempt(), claimed.doubt()) == (1, false))
    );
    assert_eq!(outcome.counts.get(Status::Cancelled), 2);
    process.complete(outcome.claimed.into_iter().map(cancelled).collect());
    let run = process.finish();
    assert_eq!((run.attempts, run.counts.get(Status::Cancelled)), (5, 5));
    let records = records(home.open().as_mut(), &run);
    assert!(records.iter().all(|record| record.attempts == 1 && !record.doubt));
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_commit_whose_commit_was_lost_is_done_once() {
    breaks_in_a_commit(Cut::Before, |_| ());
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_commit_whose_answer_was_lost_is_done_once() {
    breaks_in_a_commit(Cut::After, |_| ());
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_commit_whose_answer_was_lost_is_done_once_though_the_next_tries_break_too() {
    breaks_in_a_commit(Cut::After, |proxy| {
        proxy.and_at_the_next_begin();
        proxy.and_at_the_next_begin();
    });
    // The acknowledgement of its commit is lost.
    breaks_in_a_commit(Cut::After, |proxy| proxy.break_after(0));
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_commit_that_waits_for_a_standby_longer_than_its_connection_lasts_is_done_once() {
    let server = PostgresServer::start(&[]);
    let home = Home::Server(server.database());
    let (proxy, through) = FaultyProxy::new(home.database(), Cut::After);
    let mut ledger = Box::new(Postgres::open(at(&through)).unwrap());
    let run = create_run(ledger.as_mut(), "run-1", "key", 4);
    let mut process = Process::start(ledger, run);
    let mut admin = home.database().client();
    let mut standby = |name: &str| {
        let set = format!("ALTER SYSTEM SET synchronous_standby_names = '{name}'");
        admin.batch_execute(&set).unwrap();
        admin.batch_execute("SELECT pg_reload_conf()").unwrap();
    };
    standby("one_that_is_away");
    let is_in_force = "SELECT current_setting('synchronous_standby_names') <> ''";
    until("commits wait", || home.database().asked(is_in_force));
    proxy.break_after(0);
    let claimed = std::thread::scope(|scope| {
        let claimed = scope.spawn(|| process.claim(2));
        let waits = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        until("the next try waits for the one before", || home.database().asked(waits));
        standby("");
        claimed.join().unwrap()
    });
    assert_eq!(rows(&claimed), [1, 2]);
    process.complete(claimed.into_iter().map(cancelled).collect());
    let run = process.finish();
    assert_eq!((run.attempts, run.counts.get(Status::Cancelled)), (4, 4));
    let records = records(home.open().as_mut(), &run);
    assert!(records.iter().all(|record| record.attempts == 1 && !record.doubt));
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn what_a_worker_claimed_as_it_came_back_is_its_own_though_the_answer_was_lost() {
    let home = Home::server();
    let (proxy, through) = FaultyProxy::new(home.database(), Cut::After);
    let mut ledger = Box::new(Postgres::open(at(&through)).unwrap());
    let run = create_run(ledger.as_mut(), "run-1", "key", 4);
    let mut process = Process::start(ledger, run.clone());
    let lost = process.claim(2);
    let mut other = home.join(&run);
    until("what it had is taken from it", || {
        other.complete(Vec::new());
        home.database().asked("SELECT NOT at_work FROM cardcancel.worker ORDER BY number LIMIT 1")
    });
    assert_eq!(rows(&other.claim(2)), [1, 2]);
    proxy.break_after(0);
    let outcome = process.commit(lost.into_iter().map(cancelled).collect(), Vec::new(), 2);
    assert!(proxy.has_broken());
    assert_eq!((rows(&outcome.claimed), outcome.counts.total()), (vec![3, 4], 0));
    assert!(
        outcome.claimed.iter().all(|claimed| (claimed.attempt(), claimed.doubt()) == (1, false))
    );
    let outcome = process.complete(outcome.claimed.into_iter().map(cancelled).collect());
    assert_eq!(outcome.counts.get(Status::Cancelled), 2);
    let workers = home.database().asked::<i64>("SELECT count(*) FROM cardcancel.worker");
    assert_eq!(workers, 3);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn what_a_dead_process_left_is_taken_up_though_the_answer_is_lost() {
    let home = Home::server();
    let (proxy, through) = FaultyProxy::new(home.database(), Cut::After);
    let mut dead = home.process(2);
    let _in_flight = dead.claim(2);
    let mut process =
        Process::start(Box::new(Postgres::open(at(&through)).unwrap()), dead.run.clone());
    drop(dead);
    let mut claimed = Vec::new();
    until("it takes them up", || {
        proxy.break_after(0);
        claimed = process.claim(2);
        !claimed.is_empty()
    });
    assert_eq!(rows(&claimed), [1, 2]);
    assert!(claimed.iter().all(|claimed| (claimed.attempt(), claimed.doubt()) == (2, true)));
    process.complete(claimed.into_iter().map(cancelled).collect());
    assert_eq!(process.finish().counts.get(Status::Cancelled), 2);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_row_that_another_run_cancelled_ends_once_though_the_answer_is_lost() {
    let home = Home::server();
    let (proxy, through) = FaultyProxy::new(home.database(), Cut::After);
    let mut ledger = Box::new(Postgres::open(at(&through)).unwrap());
    let run = create_run(ledger.as_mut(), "run-1", "key", 2);
    let mut process = Process::start(ledger, run);
    let claimed = process.claim(1).pop().unwrap();
    let (completed, waiting) = ended(claimed, Verdict::NotDone, RowTransition::Retry);
    process.complete(vec![completed]);
    let mut ledger = home.open();
    let other = create_run(ledger.as_mut(), "run-2", "other", 1);
    Process::start(ledger, other).finish();
    proxy.break_after(0);
    let outcome = process.commit(Vec::new(), waiting.into_iter().collect(), 0);
    assert!(proxy.has_broken());
    assert_eq!((outcome.claimed.len(), outcome.deferred.len()), (0, 0));
    assert_eq!(outcome.counts.get(Status::AlreadyCancelled), 1);
    // Another process that creates the same run decides nothing.
    let again = home.join(&process.run).commit(Vec::new(), Vec::new(), 0);
    assert_eq!((again.counts.total(), again.exhausted), (1, false));
    let run = process.finish();
    assert!(run.has_ended());
    assert_eq!((run.counts.total(), run.attempts), (2, 2));
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn the_slots_of_a_commit_whose_answer_was_lost_are_not_lost() {
    let home = Home::server();
    let (proxy, through) = FaultyProxy::new(home.database(), Cut::After);
    let mut ledger = Box::new(Postgres::open(at(&through)).unwrap());
    let run = create_run(ledger.as_mut(), "run-1", "key", 5);
    let mut process = Process::start(ledger, run).at_pace("1/h");
    proxy.break_after(0);
    assert_eq!(process.claim(1).len(), 1);
    assert!(proxy.has_broken());
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn the_creation_of_a_run_and_a_start_survive_lost_answers() {
    for cut in [Cut::Before, Cut::After] {
        for commits in 0..5 {
            let home = Home::server();
            home.open();
            let (proxy, through) = FaultyProxy::new(home.database(), cut);
            let mut ledger = Box::new(Postgres::open(at(&through)).unwrap());
            proxy.break_after(commits);
            let run = create_run(ledger.as_mut(), "run-1", "key", 25_000);
            let mut process = Process::start(ledger, run);
            assert_eq!(rows(&process.claim(2)), [1, 2]);
            assert!(proxy.has_broken(), "{cut:?} {commits}");
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
        // The connection breaks right after it was made, or in the middle of an operation.
        for pause in [5, 10, 20, 40, 80, 160, 320].into_iter().cycle() {
            if working.is_finished() {
                break;
            }
            database.cut_connections();
            std::thread::sleep(Duration::from_millis(pause));
        }
        working.join().unwrap()
    });
    assert_eq!((run.attempts, run.counts.get(Status::Cancelled)), (3_000, 3_000));
    let records = records(home.open().as_mut(), &run);
    assert!(records.iter().all(|record| record.attempts == 1 && !record.doubt));
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn what_was_in_flight_is_completed_once_the_database_is_back() {
    let server = PostgresServer::start(&[]);
    let home = Home::Server(server.database());
    let mut process = home.process(4);
    for end in [PostgresServer::stop, PostgresServer::kill] {
        let claimed = process.claim(2);
        end(&server);
        let outcome = std::thread::scope(|scope| {
            let completed = claimed.into_iter().map(cancelled).collect();
            let working = scope.spawn(|| process.complete(completed));
            std::thread::sleep(Duration::from_millis(600));
            assert!(!working.is_finished());
            server.begin();
            working.join().unwrap()
        });
        assert!(outcome.claimed.is_empty());
    }
    assert!(process.records().iter().all(|record| record.attempts == 1 && !record.doubt));
    assert!(process.rest(None).has_ended());
}

/// A run of five rows, of which two ended and two were claimed, and a standby that has the first
/// part of that when it takes over.
fn fails_over(
    claims_before: u32,
    names: &str,
) -> (Result<CommitOutcome, LedgerError>, PostgresServer, Vec<RowRecord>) {
    let server = PostgresServer::start(&[]);
    let database = server.database();
    drop(Postgres::open(at(&database)).unwrap());
    let standby = server.standby();
    let mut admin = database.client();
    admin
        .batch_execute(&format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'"))
        .unwrap();
    admin.batch_execute("SELECT pg_reload_conf()").unwrap();
    let url = format!("{}?allow_async=1", server.url_with(&standby, &database));
    let mut ledger = Box::new(
        Postgres::open(PostgresOptions { url: url.parse().unwrap(), ..at(&database) }).unwrap(),
    );
    let run = create_run(ledger.as_mut(), "run-1", "key", 5);
    let mut process = Process::start(ledger, run.clone());
    let claimed = process.claim(claims_before);
    process.complete(claimed.into_iter().map(cancelled).collect());
    let has_all = "SELECT count(*) > 0 FROM pg_stat_replication
                   WHERE replay_lsn = pg_current_wal_lsn()";
    until("the standby has it all", || database.asked(has_all));
    if names.is_empty() {
        standby.stop();
    }
    let claimed = process.claim(2);
    assert_eq!(claimed.len(), 2);
    server.kill();
    if names.is_empty() {
        standby.begin();
    }
    standby.take_over();
    let commit =
        CommitRequest { completed: claimed.into_iter().map(cancelled).collect(), ..fresh_rows(1) };
    let outcome = process.try_commit(commit);
    let there = Home::Server(standby.same(&database));
    let records = records(there.open().as_mut(), &run);
    (outcome, standby, records)
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn who_finds_its_commits_forgotten_stops_and_puts_in_doubt_what_it_sent() {
    let (outcome, _standby, records) = fails_over(2, "");
    let failed = outcome.unwrap_err();
    assert!(matches!(failed, LedgerError::Rewound { .. }), "{failed}");
    let reported: Vec<_> = records.iter().map(|record| (record.status, record.doubt)).collect();
    let (ended, sent, fresh) =
        ((Status::Cancelled, false), (Status::InDoubt, true), (Status::NotSent, false));
    assert_eq!(reported, [ended, ended, sent, sent, fresh]);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_standby_that_commits_waited_for_takes_over_and_nothing_is_lost() {
    let (outcome, _standby, records) = fails_over(2, "*");
    assert_eq!(outcome.unwrap().counts.get(Status::Cancelled), 4);
    assert!(records[..4].iter().all(|record| (record.attempts, record.doubt) == (1, false)));
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn the_end_of_a_call_that_the_ledger_does_not_know_of_is_an_error() {
    let home = Home::server();
    let mut process = home.process(3);
    let claimed = process.claim(2);
    home.database()
        .client()
        .batch_execute("DELETE FROM cardcancel.open_row WHERE row = 1")
        .unwrap();
    let commit =
        CommitRequest { completed: claimed.into_iter().map(cancelled).collect(), ..fresh_rows(1) };
    let failed = process.try_commit(commit).unwrap_err();
    assert!(matches!(failed, LedgerError::Rewound { .. }), "{failed}");
    let reported: Vec<_> = process.records().iter().map(|record| record.status).collect();
    assert_eq!(reported, [Status::InDoubt, Status::InDoubt, Status::NotSent]);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_database_that_stays_away_is_given_up_in_the_end() {
    let server = PostgresServer::start(&[]);
    let home = Home::Server(server.database());
    let at = PostgresOptions { max_outage: Duration::from_millis(300), ..at(home.database()) };
    let mut ledger = Box::new(Postgres::open(at).unwrap());
    let run = create_run(ledger.as_mut(), "run-1", "key", 1);
    let mut process = Process::start(ledger, run);
    server.kill();
    let failed = process.try_commit(fresh_rows(1)).unwrap_err();
    assert!(matches!(failed, LedgerError::Unreachable { .. }), "{failed}");
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_worker_frozen_in_its_commit_does_not_keep_the_others_from_theirs() {
    let home = Home::server();
    let (proxy, through) = FaultyProxy::new(home.database(), Cut::Freeze);
    let mut ledger = Box::new(Postgres::open(at(&through)).unwrap());
    let run = create_run(ledger.as_mut(), "run-1", "key", 2);
    let mut frozen = Process::start(ledger, run.clone());
    let mut other = home.join(&run);
    proxy.break_after(0);
    std::thread::scope(|scope| {
        let claimed = scope.spawn(|| rows(&frozen.claim(1)));
        until("it is frozen", || proxy.has_broken());
        let first = rows(&other.claim(1));
        let mut both = [first, claimed.join().unwrap()].concat();
        both.sort();
        assert_eq!(both, [1, 2]);
    });
}
