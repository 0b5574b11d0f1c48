//! Several processes that work on one run.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use cardcancel::ledger::{ClaimedRow, CommitOutcome, Ledger, Run, StartOptions};
use cardcancel::model::{Order, ReasonCode, RowTransition, Status, Verdict};
use jiff::{SignedDuration, Timestamp};

use crate::common::postgres::Database;
use crate::common::records;
use crate::common::until;
use crate::conformance::process::{
    Home, Process, cancelled, create_run, ended, new_run, rows, start, to_send,
};

/// Waits until the lease of a process that does not commit has surely expired.
fn outlast_the_lease(database: &Database) {
    until("the lease has run out", || {
        database.asked("SELECT bool_and(leased_until < clock_timestamp()) FROM cardcancel.worker")
    });
}

fn lease(outcome: &CommitOutcome) -> i64 {
    outcome.lease.unwrap().fencing_number
}

/// A new ledger, and a process that works there on this many rows.
fn first(rows: u32) -> (Home, Database, Process) {
    let home = Home::server();
    let database = home.database().clone();
    let process = home.process(rows);
    (home, database, process)
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn workers_that_commit_at_once_claim_every_row_once() {
    const ROWS: u32 = 2_000;
    let (home, _, process) = first(ROWS);
    let run = process.run.clone();
    let (tell, claimed) = mpsc::channel();
    std::thread::scope(|scope| {
        for mut worker in [process, home.join(&run), home.join(&run), home.join(&run)] {
            let tell = tell.clone();
            scope.spawn(move || {
                let mut completed = Vec::new();
                loop {
                    let outcome = worker.commit(std::mem::take(&mut completed), Vec::new(), 30);
                    outcome.claimed.iter().for_each(|claimed| tell.send(claimed.row().0).unwrap());
                    completed.extend(outcome.claimed.into_iter().map(cancelled));
                    if outcome.exhausted && completed.is_empty() {
                        worker.rest(None);
                        break;
                    }
                }
            });
        }
    });
    drop(tell);
    let mut times = BTreeMap::<u32, u32>::new();
    claimed.iter().for_each(|row| *times.entry(row).or_default() += 1);
    assert_eq!(times.len(), ROWS as usize);
    assert!(times.values().all(|times| *times == 1));
    let mut ledger = home.open();
    let run = ledger.run(run.id()).unwrap().unwrap();
    assert_eq!((run.attempts, run.counts.get(Status::Cancelled)), (ROWS.into(), ROWS.into()));
    assert!(run.has_ended() && run.stop.is_none() && run.finished_at.is_some());
    assert!(records(ledger.as_mut(), &run).iter().all(|record| record.attempts == 1));
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn who_comes_back_after_others_took_up_its_rows_has_lost_them() {
    let (home, database, mut process) = first(3);
    let mut before = process.commit(Vec::new(), Vec::new(), 3);
    let waits = before.claimed.pop().unwrap();
    let (completed, waiting) = ended(waits, Verdict::NotDone, RowTransition::Retry);
    process.complete(vec![completed]);
    let lost = before.claimed.pop().unwrap();
    let also_lost = before.claimed.pop().unwrap();
    outlast_the_lease(&database);

    let mut other = home.join(&process.run);
    let taken = other.claim_when_there_is(3);
    assert_eq!(rows(&taken), [1, 2, 3]);
    assert_eq!(
        taken.iter().map(|claimed| claimed.doubt()).collect::<Vec<_>>(),
        [true, true, false]
    );

    let completed =
        vec![cancelled(lost), ended(also_lost, Verdict::NotDone, RowTransition::Retry).0];
    let after = process.commit(completed, vec![waiting.unwrap()], 3);
    assert_ne!(lease(&after), lease(&before));
    assert_eq!((after.claimed.len(), after.deferred.len()), (0, 0));
    assert_eq!(after.counts.total(), 0);

    let outcome = other.complete(taken.into_iter().map(cancelled).collect());
    assert_eq!(outcome.counts.get(Status::Cancelled), 3);
    assert!(process.complete(Vec::new()).exhausted);
    let attempts: Vec<u32> = process.records().iter().map(|record| record.attempts).collect();
    assert_eq!(attempts, [2, 2, 2]);
    assert_eq!(process.rest(None).attempts, 6);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn who_comes_back_before_others_took_up_its_rows_still_has_them() {
    let (_home, database, mut process) = first(1);
    let before = process.commit(Vec::new(), Vec::new(), 1);
    let number = lease(&before);
    outlast_the_lease(&database);
    let after = process.complete(before.claimed.into_iter().map(cancelled).collect());
    assert_eq!((lease(&after), after.counts.get(Status::Cancelled)), (number, 1));
    assert!(!process.records()[0].doubt);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn who_was_away_as_long_gives_the_others_time_to_come_back() {
    let (home, database, mut process) = first(2);
    let mut other = home.join(&process.run);
    let claimed = process.claim(1);
    other.complete(Vec::new());
    // As after an outage of the database.
    outlast_the_lease(&database);
    let number = lease(&other.commit(Vec::new(), Vec::new(), 0));
    let after = process.complete(claimed.into_iter().map(cancelled).collect());
    assert_eq!(after.counts.get(Status::Cancelled), 1);
    assert_eq!(lease(&other.complete(Vec::new())), number);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn who_begins_as_the_clock_is_set_takes_nothing_from_those_who_are_at_work() {
    let home = Home::server();
    home.open();
    let clock = "CREATE FUNCTION cardcancel.clock_timestamp() RETURNS timestamptz LANGUAGE sql
                 AS $$SELECT pg_catalog.clock_timestamp() + interval '1 hour'$$";
    let mut process = home.process(2);
    let number = lease(&process.commit(Vec::new(), Vec::new(), 0));
    let claimed = process.claim(1);
    home.database().client().batch_execute(clock).unwrap();
    let mut new = home.join(&process.run);
    let outcome = new.commit(Vec::new(), Vec::new(), 1);
    assert_eq!((rows(&outcome.claimed), outcome.claimed[0].doubt()), (vec![2], false));
    let after = process.complete(claimed.into_iter().map(cancelled).collect());
    assert_eq!((lease(&after), after.counts.get(Status::Cancelled)), (number, 1));
    assert!(!process.records()[0].doubt);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn an_order_that_runs_share_is_in_flight_once_however_many_commit_at_once() {
    const ROWS: u32 = 600;
    let home = Home::server();
    let one = home.process(ROWS);
    let other = home.another(ROWS);
    let run = |process: &Process| process.run.clone();
    let (joins, joins_other) = (home.join(&run(&one)), home.join(&run(&other)));
    let in_flight = Mutex::new(HashSet::new());
    std::thread::scope(|scope| {
        for mut process in [one, other, joins, joins_other] {
            let in_flight = &in_flight;
            scope.spawn(move || {
                let (mut completed, mut later) = (Vec::new(), Vec::new());
                loop {
                    let mut outcome = process.commit(
                        std::mem::take(&mut completed),
                        std::mem::take(&mut later),
                        20,
                    );
                    later.append(&mut outcome.in_flight_elsewhere);
                    later.append(&mut outcome.deferred);
                    let orders: Vec<Order> =
                        outcome.claimed.iter().map(ClaimedRow::order).collect();
                    for order in &orders {
                        let is_alone = in_flight.lock().unwrap().insert(*order);
                        assert!(is_alone, "{order:?} is in flight twice");
                    }
                    orders.iter().for_each(|order| {
                        in_flight.lock().unwrap().remove(order);
                    });
                    // Every third is rejected, and sent again by the other run.
                    completed.extend(outcome.claimed.into_iter().map(|claimed| {
                        match claimed.row().0 % 3 {
                            0 => {
                                ended(
                                    claimed,
                                    Verdict::Rejected,
                                    RowTransition::End(Status::Rejected),
                                )
                                .0
                            }
                            _ => cancelled(claimed),
                        }
                    }));
                    if outcome.exhausted && completed.is_empty() && later.is_empty() {
                        process.rest(None);
                        break;
                    }
                }
            });
        }
    });
    let runs = home.open().runs().unwrap();
    let of = |status| runs.iter().map(|run| run.counts.get(status)).sum::<u64>();
    let third = u64::from(ROWS / 3);
    assert_eq!((of(Status::Rejected), of(Status::Cancelled)), (2 * third, 2 * third));
    assert_eq!(of(Status::AlreadyCancelled), 2 * third);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn who_comes_back_after_another_run_took_it_for_gone_has_lost_its_rows_and_its_run_has_not() {
    let (home, _, mut process) = first(1);
    let before = process.commit(Vec::new(), Vec::new(), 1);
    let mut second = home.another(1);
    let mut later = Vec::new();
    let mut sent = Vec::new();
    until("another run sends the order", || {
        let mut outcome = second.commit(Vec::new(), std::mem::take(&mut later), 1);
        later.append(&mut outcome.in_flight_elsewhere);
        sent.append(&mut outcome.claimed);
        !sent.is_empty()
    });
    assert!(sent[0].doubt());
    let after = process.complete(Vec::new());
    assert_ne!(lease(&after), lease(&before), "what it held is not its own any more");
    // Its run has the order in doubt, and waits while the other run has it in flight.
    let mut waits = Vec::new();
    until("the row is taken up", || {
        let mut outcome = process.commit(Vec::new(), Vec::new(), 1);
        assert!(outcome.claimed.is_empty());
        waits.append(&mut outcome.in_flight_elsewhere);
        !waits.is_empty()
    });
    let record = process.records().remove(0);
    assert_eq!((record.status, record.attempts, record.doubt), (Status::InDoubt, 1, true));
    second.complete(sent.into_iter().map(cancelled).collect());
    let outcome = process.commit(Vec::new(), waits, 0);
    assert_eq!(outcome.counts.get(Status::AlreadyCancelled), 1);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn of_an_answer_that_comes_after_another_run_sent_the_order_only_a_success_is_sure() {
    let (home, _, mut process) = first(2);
    let mut held = process.claim(2);
    let mut second = home.another(2);
    let (mut later, mut sent) = (Vec::new(), Vec::new());
    until("another run sends both orders", || {
        let mut outcome = second.commit(Vec::new(), std::mem::take(&mut later), 2);
        later.append(&mut outcome.in_flight_elsewhere);
        sent.append(&mut outcome.claimed);
        sent.len() == 2
    });
    second.complete(sent.into_iter().map(cancelled).collect());
    let rejected =
        ended(held.pop().unwrap(), Verdict::Rejected, RowTransition::End(Status::Rejected)).0;
    let outcome = process.complete(vec![cancelled(held.pop().unwrap()), rejected]);
    assert_eq!((outcome.counts.get(Status::Cancelled), outcome.counts.total()), (1, 1));
    let mut counts = outcome.counts;
    until("the other is looked up", || {
        counts = process.commit(Vec::new(), Vec::new(), 1).counts;
        counts.total() == 2
    });
    assert_eq!(counts.get(Status::AlreadyCancelled), 1);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn what_a_worker_leaves_behind_as_it_rests_is_anybodys_at_once() {
    let (home, _, mut process) = first(2);
    let claimed = process.claim(1).pop().unwrap();
    let (completed, _waiting) = ended(claimed, Verdict::NotDone, RowTransition::Retry);
    process.complete(vec![completed]);
    let mut other = home.join(&process.run);
    other.complete(Vec::new());
    process.rest(Some(ReasonCode::Signal));
    let claimed = other.claim(2);
    assert_eq!(rows(&claimed), [1, 2]);
    assert_eq!(
        (claimed[0].attempt(), claimed[0].counted_attempts(), claimed[0].doubt()),
        (2, 2, false)
    );
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_worker_with_nothing_to_do_waits_as_long_as_others_have_rows() {
    let (home, _, mut process) = first(1);
    let claimed = process.claim(1);
    let mut other = home.join(&process.run);
    let outcome = other.commit(Vec::new(), Vec::new(), 5);
    assert!(!outcome.exhausted && outcome.claimed.is_empty());
    assert!(outcome.next_slot_at.unwrap() > Timestamp::now());
    process.complete(claimed.into_iter().map(cancelled).collect());
    assert!(other.commit(Vec::new(), Vec::new(), 5).exhausted);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_worker_with_nothing_to_do_holds_none_of_the_rate() {
    let (home, _, process) = first(1);
    let mut process = process.at_pace("10/h");
    let mut idle = home.join(&process.run).at_pace("10/h");
    let claimed = process.claim(1);
    assert_eq!(claimed.len(), 1);
    assert!(idle.claim(5).is_empty());
    let (completed, waiting) = claimed.into_iter().next().unwrap().release();
    let outcome = process.commit(vec![completed], vec![waiting], 0);
    assert_eq!(outcome.claimed.len(), 1, "its slot is gone until {:?}", outcome.next_slot_at);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn workers_know_that_they_share_the_rate_and_when_they_do_not() {
    let (home, _, process) = first(9);
    let mut process = process.at_pace("100/s");
    assert!(!process.commit(Vec::new(), Vec::new(), 1).budget_shared);
    let other = home.join(&process.run);
    assert!(process.commit(Vec::new(), Vec::new(), 1).budget_shared);
    other.rest(Some(ReasonCode::Signal));
    assert!(!process.commit(Vec::new(), Vec::new(), 1).budget_shared);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_run_opened_by_two_at_once_is_one_run() {
    const ROWS: u32 = 50_000;
    let home = Home::server();
    home.open();
    let open = |id: &str| {
        let mut ledger = home.open();
        let mut rows = (1..=ROWS).map(|row| Ok(to_send(row)));
        ledger.find_by_key("key").unwrap();
        ledger.create_run(new_run(id, "key"), &mut rows, &[]).unwrap()
    };
    let (one, other) = std::thread::scope(|scope| {
        let one = scope.spawn(|| open("one"));
        let other = scope.spawn(|| open("other"));
        (one.join().unwrap(), other.join().unwrap())
    });
    assert_eq!(one.id(), other.id());
    let mut ledger = home.open();
    assert_eq!(ledger.runs().unwrap().len(), 1);
    assert_eq!((one.rows, other.rows), (ROWS.into(), ROWS.into()));
    assert_eq!(records(ledger.as_mut(), &one).len(), ROWS as usize);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_process_that_comes_at_any_time_while_a_run_is_created_finds_that_run() {
    const RUNS: u32 = 300;
    const STEP: Duration = Duration::from_micros(50);
    let home = Home::server();
    let mut ledgers = [home.open(), home.open()];
    for run in 0..RUNS {
        let key = &format!("key {run}");
        let [one, other] = &mut ledgers;
        let open = |ledger: &mut dyn Ledger, id: &str| {
            let mut rows = std::iter::once(Ok(to_send(1)));
            ledger
                .create_run(new_run(&format!("{id} {run}"), key), &mut rows, &[])
                .unwrap()
                .id()
                .to_owned()
        };
        assert!(
            one.find_by_key(key).unwrap().is_none() && other.find_by_key(key).unwrap().is_none()
        );
        std::thread::scope(|scope| {
            let opened = scope.spawn(|| open(one.as_mut(), "one"));
            std::thread::sleep(STEP * (run % 100));
            assert_eq!(open(other.as_mut(), "other"), opened.join().unwrap(), "{key}");
        });
    }
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn only_a_run_opened_since_they_looked_is_taken_for_that_of_two_who_go_again() {
    let home = Home::server();
    home.process(1).finish();
    let (mut one, mut other) = (home.open(), home.open());
    for ledger in [&mut one, &mut other] {
        assert!(ledger.find_by_key("key").unwrap().unwrap().has_ended());
    }
    let create = |ledger: &mut dyn Ledger, id: &str| {
        ledger
            .create_run(new_run(id, "key"), &mut (1..=1).map(|row| Ok(to_send(row))), &[])
            .unwrap()
    };
    let first = create(one.as_mut(), "again-1");
    let second = create(other.as_mut(), "again-2");
    assert_eq!((first.id(), second.id()), ("again-1", "again-1"));
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_stop_rule_stops_the_run_for_all_and_a_signal_for_one() {
    let (home, _, mut process) = first(9);
    let mut other = home.join(&process.run);
    process.commit_with_stop(Vec::new(), Vec::new(), 0, Some(ReasonCode::Signal));
    assert_eq!(other.complete(Vec::new()).stop, None);
    process.commit_with_stop(Vec::new(), Vec::new(), 0, Some(ReasonCode::MaxFailures));
    assert_eq!(other.complete(Vec::new()).stop, Some(ReasonCode::MaxFailures));
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_stop_that_is_reported_only_when_a_worker_finishes_applies_to_all() {
    let (home, _, process) = first(9);
    let mut other = home.join(&process.run);
    process.rest(Some(ReasonCode::CutOff));
    assert_eq!(other.complete(Vec::new()).stop, Some(ReasonCode::CutOff));
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn who_joins_a_stopped_run_stops_and_who_starts_it_again_goes_on() {
    let (home, _, process) = first(9);
    let run = process.rest(Some(ReasonCode::SameCode));
    let joins = StartOptions { joins: true, ..start() };
    let mut joined = Process::start_with(home.open(), run.clone(), joins);
    assert_eq!(joined.complete(Vec::new()).stop, Some(ReasonCode::SameCode));
    assert_eq!(home.join(&run).complete(Vec::new()).stop, None);
    assert_eq!(joined.complete(Vec::new()).stop, None);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_run_carries_all_that_a_joining_worker_needs() {
    let home = Home::server();
    let mut ledger = home.open();
    let run = create_run(ledger.as_mut(), "run-1", "key", 1);
    let cut_off: Timestamp = "2026-01-01T03:30:00Z".parse().unwrap();
    let begins =
        StartOptions { cut_off: Some(cut_off), rates: "50/s,1000/m".to_owned(), ..start() };
    Process::start_with(ledger, run, begins);
    let found: Run = home.open().run("run-1").unwrap().unwrap();
    assert_eq!(found.opened.endpoint, "https://example.com");
    assert_eq!((found.rates.as_deref(), found.cut_off), (Some("50/s,1000/m"), Some(cut_off)));
    assert!(found.started_at.is_some());
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_clock_that_is_a_minute_off_changes_nothing() {
    let home = Home::server();
    home.open();
    // The database's clock is set, as this machine's cannot be.
    let sql = "CREATE FUNCTION cardcancel.clock_timestamp() RETURNS timestamptz LANGUAGE sql
               AS $$SELECT pg_catalog.clock_timestamp() + interval '1 minute'$$";
    home.database().client().batch_execute(sql).unwrap();
    let mut ledger = home.open();
    let run = create_run(ledger.as_mut(), "run-1", "key", 40);
    let begun = ledger.start(&run, start()).unwrap();
    let off = begun.clock_ahead - SignedDuration::from_mins(1);
    assert!(off.abs() < SignedDuration::from_secs(1), "it is ahead by {:?}", begun.clock_ahead);

    let mut process = Process::start(ledger, run).at_pace("20/h");
    let asked = Timestamp::now();
    let outcome = process.commit(Vec::new(), Vec::new(), 2);
    let slot = outcome.claimed[0].slot().unwrap();
    assert!(slot > asked && slot < Timestamp::now() + Duration::from_secs(2), "{slot}");
    let claimed = outcome.claimed.into_iter().next().unwrap();
    let (completed, waiting) = claimed.release();
    let again = process.commit(vec![completed], vec![waiting], 0);
    assert_eq!(again.claimed.len(), 1, "the slot was not given back");
    process.complete(again.claimed.into_iter().map(cancelled).collect());
    let record = process.records().remove(0);
    let ahead = record.ended_at.unwrap().duration_since(Timestamp::now());
    assert!(ahead > SignedDuration::from_secs(30), "it ended {ahead:?} from now");
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_clock_that_is_set_by_an_hour_gives_no_minute_twice() {
    const RATES: &str = "50/s,20/m";
    for set in ["1 hour", "-1 hour"] {
        let home = Home::server();
        let mut process = home.process(60).at_pace(RATES);
        assert_eq!(process.commit(Vec::new(), Vec::new(), 30).claimed.len(), 20);
        let sql = format!(
            "CREATE FUNCTION cardcancel.clock_timestamp() RETURNS timestamptz LANGUAGE sql
             AS $$SELECT pg_catalog.clock_timestamp() + interval '{set}'$$"
        );
        home.database().client().batch_execute(&sql).unwrap();
        let outcome = home.join(&process.run).at_pace(RATES).commit(Vec::new(), Vec::new(), 30);
        assert_eq!(outcome.claimed.len(), 0, "set by {set}");
        let more_in = outcome.next_slot_at.unwrap().duration_since(Timestamp::now());
        assert!((40..70).contains(&more_in.as_secs()), "more in {more_in:?}, set by {set}");
    }
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn slots_are_given_by_this_machines_clock_though_the_databases_was_set_or_this_one_stood_still() {
    for set in ["1 hour", "9 seconds", "-1 hour"] {
        let home = Home::server();
        home.open();
        let mut admin = home.database().client();
        admin
            .batch_execute(
                "CREATE TABLE cardcancel.clock AS SELECT interval '0' AS ahead;
                 GRANT SELECT ON cardcancel.clock TO PUBLIC;
                 CREATE FUNCTION cardcancel.clock_timestamp() RETURNS timestamptz LANGUAGE sql
                 AS $$SELECT pg_catalog.clock_timestamp() + ahead FROM cardcancel.clock$$",
            )
            .unwrap();
        let mut process = home.process(60).at_pace("1000/s");
        assert_eq!(process.commit(Vec::new(), Vec::new(), 1).claimed.len(), 1);
        // While a machine is suspended, the database's clock goes on, too.
        let sql = format!("UPDATE cardcancel.clock SET ahead = '{set}'");
        admin.batch_execute(&sql).unwrap();
        let claimed = process.commit(Vec::new(), Vec::new(), 5).claimed;
        assert!(!claimed.is_empty(), "set by {set}");
        for slot in claimed.iter().filter_map(|claimed| claimed.slot()) {
            let ahead = slot.duration_since(Timestamp::now());
            assert!(ahead.abs() < SignedDuration::from_secs(2), "{ahead:?} ahead, set by {set}");
        }
    }
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_commit_costs_the_same_however_large_the_ledger_is() {
    let home = Home::server();
    let database = home.database();
    let sql =
        "SELECT coalesce(sum(seq_tup_read + idx_tup_fetch)::bigint, 0) FROM pg_stat_user_tables
               WHERE schemaname = 'cardcancel'";
    // Of 200 rows of a run, including rows that other workers hold or left, beside another run.
    let reads = |id: &str, rows: u32| -> i64 {
        let mut ledger = home.open();
        let run = create_run(ledger.as_mut(), id, id, rows);
        drop(ledger);
        let settled_down = || -> i64 {
            let mut before = -1;
            until("the statistics are in", || {
                std::thread::sleep(Duration::from_millis(50));
                let now = database.asked(sql);
                std::mem::replace(&mut before, now) == now
            });
            before
        };
        let before = settled_down();
        let mut process = home.join(&run);
        for _ in 0..20 {
            let claimed = process.claim(10);
            assert_eq!(claimed.len(), 10);
            process.complete(claimed.into_iter().map(cancelled).collect());
        }
        drop(process);
        settled_down() - before
    };
    let small = reads("small", 300);
    database.client().batch_execute("UPDATE cardcancel.run SET endpoint = id").unwrap();
    let large = reads("large", 30_000);
    assert!(
        large < small + small / 2,
        "{large} rows are read in a large ledger, {small} in a small"
    );
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn the_ledger_can_be_asked_from_within_a_runtime_however_often() {
    let home = Home::server();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut ledger = home.open();
        for _ in 0..3 {
            (0..200).for_each(|_| assert_eq!(ledger.find_by_key("key").unwrap(), None));
            // The tests' own connection cannot create one here.
            std::thread::scope(|scope| {
                scope.spawn(|| home.database().cut_connections());
            });
        }
    });
}
