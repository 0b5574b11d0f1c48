//! The tests that every ledger adapter must pass.

use std::time::Duration;

use cardcancel::input::{Disposition, Input, InputError, OrderKey, PlannedRow, Role};
use cardcancel::ledger::{
    AttemptEnd, ClaimedRow, CommitRequest, CreateRunError, KnownOrders, NewRun, OnRecord,
    RowRecord, Run, StartOptions,
};
use cardcancel::model::{
    Counts, OnDoubt, ReasonCode, RowError, RowNumber, RowTransition, Status, Verdict,
};
use jiff::Timestamp;

use crate::common::records;
use crate::common::until;
pub use crate::conformance::requests::{
    a_request_is_for_the_processes_that_started_before_it,
    the_last_pace_of_a_run_holds_for_every_later_start,
};
pub use crate::conformance::resolution::{
    a_call_in_flight_keeps_its_order_until_it_is_known_what_it_came_to,
    a_second_record_of_the_same_evidence_is_the_first_one,
    an_order_that_evidence_shows_to_be_cancelled_is_not_sent,
    an_order_that_evidence_shows_to_be_cancelled_is_sent_if_that_is_asked_for,
    evidence_at_another_endpoint_says_nothing_here,
    evidence_is_recorded_as_a_run_that_has_finished, how_orders_stand_is_known_over_all_runs,
    if_an_order_was_sent_meanwhile_no_evidence_is_recorded,
    many_orders_that_evidence_shows_to_be_cancelled_are_known,
};
pub use crate::conformance::seals::{
    a_call_that_a_dead_process_left_in_flight_belongs_to_no_seal,
    a_run_that_is_started_again_while_it_is_exported_is_refused,
    a_seal_that_does_not_cover_the_last_start_is_not_appended, the_first_receipt_of_a_seal_stays,
};

use crate::conformance::process::{
    Home, Process, cancelled, create_run, create_run_as, ended, fresh_rows, new_run, order,
    outcome, rows, start, to_send,
};

pub fn a_run_is_enrolled_with_every_row_and_reads_back(home: &Home) {
    let mut ledger = home.open();
    let error =
        RowError { code: ReasonCode::InvalidAdminNumber, message: "no \u{0}number".to_owned() };
    let standings = [
        Disposition::ToSend { doubt: false },
        Disposition::ToSend { doubt: true },
        Disposition::Invalid(error),
        Disposition::Duplicate { first: RowNumber(1) },
        Disposition::Kept { status: Status::Rejected, doubt: false },
        Disposition::Kept { status: Status::NotSent, doubt: false },
        Disposition::Kept { status: Status::Rejected, doubt: true },
    ];
    let mut rows = standings.into_iter().zip(1..).map(|(disposition, row)| {
        let order = Some(order(row)).filter(|_| row != 3);
        Ok(PlannedRow { row: RowNumber(row), line: row.into(), order, disposition, place: row })
    });
    let run = ledger.create_run(new_run("run-1", "key"), &mut rows, &[]).unwrap();
    assert_eq!((run.rows, run.attempts, run.stop.as_deref()), (7, 0, None));
    let counts = [Status::Rejected, Status::Invalid, Status::Duplicate, Status::NotSent];
    let mut counts: Counts = counts.map(|status| (status, 1)).into_iter().collect();
    counts.add_row(Status::Rejected, true);
    assert_eq!((run.counts, run.counts.rejected_with_doubt()), (counts, 1));
    assert_eq!(run.opened.input_digest, "0123456789abcdef".repeat(4));
    assert_eq!(ledger.run("run-1").unwrap().as_ref(), Some(&run));

    let records = records(ledger.as_mut(), &run);
    let reported = |record: &RowRecord| {
        let RowRecord { row, status, carried_over, doubt, error_code, .. } = record;
        format!("{row} {status} {carried_over} {doubt} {error_code}")
    };
    let reported: Vec<String> = records.iter().map(reported).collect();
    assert_eq!(
        reported,
        [
            "1 not_sent false false ",
            "2 in_doubt false true ",
            "3 invalid false false INVALID_ADMIN_NUMBER",
            "4 duplicate false false DUPLICATE",
            "5 rejected true false ",
            "6 not_sent true false ",
            "7 rejected true true ",
        ]
    );
    let orders = ledger.orders(&run).unwrap();
    assert_eq!(orders, [1, 2, 4, 5, 6, 7].map(|row| (RowNumber(row), order(row))).into());
    assert!(records[2].message.starts_with("no ") && records[2].message.ends_with("number"));
}

pub fn a_creation_that_is_cut_short_is_nobodys_and_goes_on(home: &Home) {
    pub const ROWS: u32 = 50_000;
    let broken = || -> InputError {
        Input::open("nowhere/orders.csv".as_ref(), "nowhere".as_ref()).unwrap_err()
    };
    let mut ledger = home.open();
    let mut rows = (1..=ROWS).map(|row| match row {
        45_000 => Err(broken()),
        _ => Ok(to_send(row)),
    });
    let refused = ledger.create_run(new_run("first", "key"), &mut rows, &[]);
    assert!(matches!(refused, Err(CreateRunError::Input(_))));
    assert_eq!((ledger.find_by_key("key").unwrap(), ledger.runs().unwrap()), (None, Vec::new()));

    let mut ledger = home.open();
    let mut rows = (1..=ROWS).map(|row| Ok(to_send(row)));
    let run = ledger.create_run(new_run("second", "key"), &mut rows, &[]).unwrap();
    assert_eq!(run.rows, u64::from(ROWS));
    assert_eq!(ledger.runs().unwrap(), std::slice::from_ref(&run));
    let orders = (1..=ROWS).map(|row| (RowNumber(row), order(row))).collect();
    assert_eq!(ledger.orders(&run).unwrap(), orders);
    let records = records(ledger.as_mut(), &run);
    assert_eq!(records.len(), ROWS as usize);
    let named = records.into_iter().map(|record| (record.row, record.order.unwrap()));
    assert!(named.eq(orders), "each row comes with its order");
}

pub fn the_newest_run_with_a_key_is_found(home: &Home) {
    let mut ledger = home.open();
    for (id, key) in [("run-1", "key"), ("run-2", "key"), ("run-3", "other")] {
        create_run(ledger.as_mut(), id, key, 1);
    }
    let ids = |runs: Vec<Run>| runs.iter().map(|run| run.id().to_owned()).collect::<Vec<_>>();
    assert_eq!(ids(ledger.runs().unwrap()), ["run-3", "run-2", "run-1"]);
    assert_eq!(ledger.find_by_key("key").unwrap().unwrap().id(), "run-2");
    assert_eq!(ledger.run("run-1").unwrap().unwrap().id(), "run-1");
    assert_eq!((ledger.find_by_key("none").unwrap(), ledger.run("none").unwrap()), (None, None));
}

pub fn a_run_whose_identifier_another_has_gets_the_next(home: &Home) {
    let mut ledger = home.open();
    let mut id = |key: &str, id: &str| create_run(ledger.as_mut(), id, key, 1).id().to_owned();
    assert_eq!(id("one", "20260101-010000-ffff"), "20260101-010000-ffff");
    assert_eq!(id("two", "20260101-010000-ffff"), "20260101-010000-0000");
    assert_eq!(id("three", "20260101-010000-ffff"), "20260101-010000-0001");
}

pub fn rows_are_claimed_in_order_each_once_and_completed(home: &Home) {
    let mut process = home.process(5);
    let first = process.commit(Vec::new(), Vec::new(), 3);
    assert_eq!((rows(&first.claimed), first.exhausted), (vec![1, 2, 3], false));
    assert!(
        first
            .claimed
            .iter()
            .all(|claimed| (claimed.attempt(), claimed.counted_attempts()) == (1, 1))
    );
    assert_eq!(first.claimed[2].order(), order(3));
    let second = process.commit(first.claimed.into_iter().map(cancelled).collect(), Vec::new(), 3);
    assert_eq!((rows(&second.claimed), second.exhausted), (vec![4, 5], true));
    assert_eq!(second.counts.get(Status::Cancelled), 3);
    let third = process.complete(second.claimed.into_iter().map(cancelled).collect());
    assert_eq!((third.counts.get(Status::Cancelled), third.exhausted), (5, true));
    for record in process.records() {
        assert_eq!((record.status, record.attempts), (Status::Cancelled, 1));
        assert_eq!((record.error_code.as_str(), record.http_status), ("ERR01160", Some(200)));
        assert_eq!((record.message.as_str(), record.doubt), ("it said ERR01160", false));
        assert!(record.first_sent_at.unwrap() <= record.ended_at.unwrap());
    }
    let run = process.rest(None);
    assert!(run.has_ended() && run.finished_at.is_some());
    assert_eq!((run.attempts, run.counts.get(Status::Cancelled)), (5, 5));
}

pub fn rows_go_in_the_order_of_their_places_if_they_have_one(home: &Home) {
    let mut ledger = home.open();
    // The last row is sent first; the order of the others is unchanged.
    let mut lines = (1..=6).map(|row| {
        let place = if row == 1 { 1 } else { 8 - row };
        Ok(PlannedRow { place, ..to_send(row) })
    });
    let run = ledger.create_run(new_run("run-1", "key"), &mut lines, &[]).unwrap();
    let mut process = Process::start(ledger, run.clone());
    assert_eq!(rows(&process.claim(2)), [1, 6]);
    let claimed = process.claim(2);
    assert_eq!(rows(&claimed), [5, 4]);
    drop(process);
    let mut other = home.join(&run);
    let mut left = Vec::new();
    until("what it left is taken up", || {
        left = rows(&other.claim(9));
        left.retain(|row| [1, 4, 5, 6].contains(row));
        !left.is_empty()
    });
    assert_eq!(left, [1, 6, 5, 4]);
}

pub fn what_is_in_flight_may_have_been_sent(home: &Home) {
    let mut process = home.process(2);
    let _in_flight = process.claim(1);
    let [first, second] = &process.records()[..] else { panic!("two rows") };
    assert_eq!((first.status, first.doubt, first.attempts), (Status::InDoubt, true, 1));
    assert!(first.first_sent_at.is_some());
    assert_eq!((second.status, second.doubt, second.attempts), (Status::NotSent, false, 0));
}

pub fn a_claim_that_is_taken_back_leaves_no_trace(home: &Home) {
    let mut process = home.process(1);
    let claimed = process.claim(1).pop().unwrap();
    let (completed, waiting) = claimed.release();
    let outcome = process.commit(vec![completed], vec![waiting], 0);
    assert_eq!((rows(&outcome.claimed), outcome.claimed[0].attempt()), (vec![1], 1));
    let (completed, _) = outcome.claimed.into_iter().next().unwrap().release();
    process.complete(vec![completed]);
    let record = process.records().remove(0);
    assert_eq!((record.attempts, record.status, record.doubt), (0, Status::NotSent, false));
    assert_eq!(process.rest(Some(ReasonCode::Signal)).attempts, 0);
}

pub fn a_row_that_did_not_end_is_tried_again(home: &Home) {
    let mut process = home.process(1);
    let claimed = process.claim(1).pop().unwrap();
    let (completed, waiting) = ended(claimed, Verdict::Doubt, RowTransition::Retry);
    let mut outcome = process.commit(vec![completed], vec![waiting.unwrap()], 0);
    let claimed = outcome.claimed.pop().unwrap();
    assert_eq!((claimed.attempt(), claimed.counted_attempts(), claimed.doubt()), (2, 2, true));
    process.complete(vec![cancelled(claimed)]);
    let record = process.records().remove(0);
    assert_eq!((record.attempts, record.status, record.doubt), (2, Status::Cancelled, true));
    assert_eq!(process.rest(None).attempts, 2);
}

pub fn a_row_for_which_there_is_no_budget_goes_on_waiting(home: &Home) {
    let mut process = home.process(1).at_pace("1/h");
    let claimed = process.claim(1).pop().unwrap();
    let (completed, waiting) = ended(claimed, Verdict::NotDone, RowTransition::Retry);
    let outcome = process.commit(vec![completed], vec![waiting.unwrap()], 0);
    assert_eq!((outcome.claimed.len(), outcome.deferred.len()), (0, 1));
    assert!(outcome.next_slot_at.unwrap() > Timestamp::now());
}

pub fn what_a_dead_process_had_in_flight_is_sent_again_in_doubt(home: &Home) {
    let mut process = home.process(1);
    let _in_flight = process.claim(1);
    let mut other = home.join(&process.run);
    drop(process);
    let claimed = other.claim_when_there_is(1).pop().unwrap();
    assert_eq!((claimed.attempt(), claimed.counted_attempts(), claimed.doubt()), (2, 1, true));
    other.complete(vec![cancelled(claimed)]);
    let record = other.records().remove(0);
    assert_eq!((record.attempts, record.status, record.doubt), (2, Status::Cancelled, true));
    assert!(other.finish().has_ended());
}

pub fn what_a_dead_process_had_in_flight_ends_in_doubt_where_nothing_is_sent_twice(home: &Home) {
    let mut process = home.process(1);
    let _in_flight = process.claim(1);
    let mut other = home.join_with(&process.run, OnDoubt::Leave);
    drop(process);
    until("the row has ended", || {
        let outcome = other.commit(Vec::new(), Vec::new(), 1);
        assert!(outcome.claimed.is_empty());
        outcome.exhausted
    });
    let record = other.records().remove(0);
    assert_eq!((record.attempts, record.status, record.doubt), (1, Status::InDoubt, true));
    assert_eq!(record.error_code, "INTERRUPTED");
    assert_eq!(other.rest(None).counts.get(Status::InDoubt), 1);
}

pub fn what_a_dead_process_left_waiting_is_taken_up_with_its_attempts(home: &Home) {
    let mut process = home.process(1);
    let claimed = process.claim(1).pop().unwrap();
    let (completed, _waiting) = ended(claimed, Verdict::NotDone, RowTransition::Retry);
    process.complete(vec![completed]);
    let mut other = home.join(&process.run);
    drop(process);
    let claimed = other.claim_when_there_is(1).pop().unwrap();
    assert_eq!((claimed.attempt(), claimed.counted_attempts(), claimed.doubt()), (2, 2, false));
}

pub fn a_row_in_doubt_is_described_by_the_attempt_that_left_the_doubt(home: &Home) {
    let mut process = home.process(2);
    let mut claimed = process.claim(2);
    let (inherits, lost) = (claimed.pop().unwrap(), claimed.pop().unwrap());
    let fails = |claimed, verdict, code, next| {
        let now = Timestamp::now();
        let outcome = outcome(verdict, code);
        ClaimedRow::complete(claimed, AttemptEnd { sent_at: now, ended_at: now, outcome }, next)
    };
    let (timed_out, waiting) = fails(lost, Verdict::Doubt, "TIMEOUT", RowTransition::Retry);
    let (not_done, _) =
        fails(inherits, Verdict::NotDone, "BUSY", RowTransition::End(Status::InDoubt));
    let mut outcome = process.commit(vec![timed_out, not_done], vec![waiting.unwrap()], 0);
    let claimed = outcome.claimed.pop().unwrap();
    let (refused, _) =
        fails(claimed, Verdict::NotDone, "CONNECT", RowTransition::End(Status::InDoubt));
    process.complete(vec![refused]);
    let reported = |record: &RowRecord| format!("{}: {}", record.error_code, record.message);
    let reported: Vec<String> = process.records().iter().map(reported).collect();
    assert_eq!(
        reported,
        [
            "TIMEOUT: it said TIMEOUT; then: CONNECT, it said CONNECT",
            "BUSY: an earlier answer was lost; then: it said BUSY",
        ]
    );
}

pub fn an_attempt_during_an_outage_that_stopped_the_run_does_not_count(home: &Home) {
    let mut process = home.process(1);
    let claimed = process.claim(1).pop().unwrap();
    let (completed, _waiting) = ended(claimed, Verdict::NotDone, RowTransition::Retry);
    process.complete(vec![completed]);
    let run = process.rest(Some(ReasonCode::Outage));
    let claimed = home.join(&run).claim_when_there_is(1).pop().unwrap();
    assert_eq!((claimed.attempt(), claimed.counted_attempts()), (2, 1));
}

pub fn an_order_that_another_run_cancelled_is_not_sent(home: &Home) {
    home.process(2).finish();
    let mut ledger = home.open();
    let run = create_run(ledger.as_mut(), "run-2", "other", 4);
    let mut process = Process::start(ledger, run);
    let outcome = process.commit(Vec::new(), Vec::new(), 2);
    assert_eq!(rows(&outcome.claimed), [3, 4]);
    assert_eq!(outcome.counts.get(Status::AlreadyCancelled), 2);
    let record = process.records().remove(0);
    assert_eq!((record.status, record.attempts), (Status::AlreadyCancelled, 0));
    assert_eq!(record.error_code, "ALREADY_CANCELLED");
    assert_eq!(record.message, "cancelled by run run-1, row 1");
}

pub fn an_order_that_another_run_cancelled_is_sent_if_that_is_asked_for(home: &Home) {
    home.process(1).finish();
    let mut ledger = home.open();
    let run = create_run(ledger.as_mut(), "run-2", "key", 1);
    let mut process = Process::start_with(ledger, run, StartOptions { again: true, ..start() });
    assert_eq!(rows(&process.claim(1)), [1]);
}

pub fn many_orders_that_another_run_cancelled_cost_no_budget(home: &Home) {
    home.process(3000).finish();
    let mut ledger = home.open();
    let run = create_run(ledger.as_mut(), "run-2", "other", 3001);
    let mut process = Process::start(ledger, run).at_pace("1/h");
    let outcome = process.commit(Vec::new(), Vec::new(), 5);
    assert_eq!(rows(&outcome.claimed), [3001]);
    assert_eq!(outcome.counts.get(Status::AlreadyCancelled), 3000);
}

pub fn an_order_cancelled_at_another_endpoint_is_not_cancelled(home: &Home) {
    home.process(1).finish();
    let mut ledger = home.open();
    let elsewhere = "https://sandbox.example.com".to_owned();
    let new = NewRun { endpoint: elsewhere, ..new_run("run-2", "other") };
    let run = create_run_as(ledger.as_mut(), new, 1);
    assert_eq!(rows(&Process::start(ledger, run).claim(1)), [1]);
}

pub fn what_a_code_was_taken_to_mean_in_another_run_is_no_fact_about_the_order(home: &Home) {
    let mut first = home.process(1);
    let claimed = first.claim(1).pop().unwrap();
    let end = RowTransition::End(Status::AlreadyCancelled);
    first.complete(vec![ended(claimed, Verdict::AlreadyCancelled, end).0]);
    first.rest(None);
    let claimed = home.another(2).claim(2);
    assert_eq!(rows(&claimed), [1, 2]);
    assert!(claimed.iter().all(|claimed| !claimed.doubt()));
}

/// A run of one order, which ended with its answer lost.
fn lose_an_answer(home: &Home) {
    let mut first = home.process(1);
    let claimed = first.claim(1).pop().unwrap();
    first.complete(vec![ended(claimed, Verdict::Doubt, RowTransition::End(Status::InDoubt)).0]);
    first.rest(None);
}

pub fn an_order_in_doubt_from_another_run_is_sent_in_doubt(home: &Home) {
    lose_an_answer(home);
    let mut second = home.another(2);
    let mut claimed = second.claim(2);
    assert_eq!(claimed.iter().map(ClaimedRow::doubt).collect::<Vec<_>>(), [true, false]);
    let (refused, _) =
        ended(claimed.remove(0), Verdict::Rejected, RowTransition::End(Status::Rejected));
    second.complete(vec![refused]);
    let record = second.records().remove(0);
    assert_eq!((record.status, record.doubt), (Status::Rejected, true));
    second.rest(Some(ReasonCode::Signal));
    // It passes from run to run.
    let mut ledger = home.open();
    let run = create_run(ledger.as_mut(), "run-3", "third", 1);
    assert!(Process::start(ledger, run).claim(1)[0].doubt());
}

pub fn an_order_in_doubt_from_another_run_is_sent_in_doubt_though_it_is_sent_again_on_purpose(
    home: &Home,
) {
    lose_an_answer(home);
    let mut ledger = home.open();
    let run = create_run(ledger.as_mut(), "run-2", "key", 1);
    let mut process = Process::start_with(ledger, run, StartOptions { again: true, ..start() });
    assert!(process.claim(1)[0].doubt());
}

pub fn an_order_in_doubt_from_another_run_stays_so_though_it_is_not_sent(home: &Home) {
    lose_an_answer(home);
    let mut ledger = home.open();
    let run = create_run(ledger.as_mut(), "run-2", "other", 2);
    let process = Process::start(ledger, run.clone());
    process.rest(Some(ReasonCode::CutOff));
    let records = records(home.open().as_mut(), &run);
    let stand: Vec<_> = records.iter().map(|record| (record.status, record.doubt)).collect();
    assert_eq!(stand, [(Status::InDoubt, true), (Status::NotSent, false)]);
}

pub fn an_order_that_is_cancelled_leaves_no_doubt(home: &Home) {
    lose_an_answer(home);
    let mut second = home.another(1);
    let claimed = second.claim(1).pop().unwrap();
    second.complete(vec![cancelled(claimed)]);
    second.rest(None);
    let mut ledger = home.open();
    let run = create_run(ledger.as_mut(), "run-3", "third", 1);
    let mut third = Process::start_with(ledger, run, StartOptions { again: true, ..start() });
    assert!(!third.claim(1)[0].doubt());
}

pub fn a_doubt_of_a_results_file_is_one_of_the_order(home: &Home) {
    let mut ledger = home.open();
    let standings = [
        Disposition::ToSend { doubt: true },
        Disposition::Kept { status: Status::Rejected, doubt: true },
    ];
    let mut lines = standings
        .into_iter()
        .zip(1..)
        .map(|(disposition, row)| Ok(PlannedRow { disposition, ..to_send(row) }));
    let parts = [(1, Role::SentInDoubt), (2, Role::KeptInDoubt)];
    let by_order = parts.map(|(row, part)| OrderKey::new(order(row), RowNumber(row), part));
    ledger.create_run(new_run("run-1", "key"), &mut lines, &by_order).unwrap();
    let doubts: Vec<bool> = home.another(3).claim(3).iter().map(ClaimedRow::doubt).collect();
    assert_eq!(doubts, [true, true, false]);
}

pub fn an_answer_lost_in_another_run_leaves_doubt_in_rows_carried_over(home: &Home) {
    let mut first = home.process(3);
    let lost = first.claim(3).into_iter();
    first.complete(
        lost.map(|row| ended(row, Verdict::Doubt, RowTransition::End(Status::InDoubt)).0).collect(),
    );
    first.rest(None);
    let mut ledger = home.open();
    let prior = [Status::Rejected, Status::Failed, Status::NotSent, Status::Failed];
    let mut rows = prior.into_iter().zip(1..).map(|(status, row)| {
        let disposition = Disposition::Kept { status, doubt: false };
        Ok(PlannedRow { disposition, ..to_send(row) })
    });
    let new = NewRun { command: "rerun".to_owned(), ..new_run("run-2", "other") };
    let run = ledger.create_run(new, &mut rows, &[]).unwrap();
    let mut rerun = Process::start(ledger, run);
    let stand: Vec<_> = rerun.records().iter().map(|row| (row.status, row.doubt)).collect();
    let expected = [
        (Status::Rejected, true),
        (Status::InDoubt, true),
        (Status::InDoubt, true),
        (Status::Failed, false),
    ];
    assert_eq!(stand, expected);
    let mut counts: Counts = expected[1..].iter().map(|(status, _)| (*status, 1)).collect();
    counts.add_row(Status::Rejected, true);
    let run = rerun.rest(None);
    assert_eq!(run.counts, counts);
    assert!(run.has_ended());
}

pub fn an_order_in_doubt_at_another_endpoint_is_not_in_doubt(home: &Home) {
    lose_an_answer(home);
    let mut ledger = home.open();
    let elsewhere = "https://sandbox.example.com".to_owned();
    let new = NewRun { endpoint: elsewhere, ..new_run("run-2", "other") };
    let run = create_run_as(ledger.as_mut(), new, 1);
    assert!(!Process::start(ledger, run).claim(1)[0].doubt());
}

pub fn an_order_that_a_living_process_has_in_flight_for_another_run_is_left_for_later(home: &Home) {
    let mut ledger = home.open();
    let _lock = ledger.lock_run("key").unwrap();
    let mut first = home.living_process(2);
    let in_flight = first.claim(2);
    let mut second = home.another(3);
    let mut outcome = second.commit(Vec::new(), Vec::new(), 3);
    assert_eq!(rows(&outcome.claimed), [3]);
    let later = std::mem::take(&mut outcome.in_flight_elsewhere);
    assert_eq!(later.iter().map(|waiting| waiting.row().0).collect::<Vec<_>>(), [1, 2]);
    let outcome = second.commit(Vec::new(), later, 0);
    assert_eq!((outcome.claimed.len(), outcome.in_flight_elsewhere.len()), (0, 2));

    // One is cancelled; the answer for the other one is lost.
    let mut in_flight = in_flight.into_iter();
    let one = cancelled(in_flight.next().unwrap());
    let (other, _) =
        ended(in_flight.next().unwrap(), Verdict::Doubt, RowTransition::End(Status::InDoubt));
    first.complete(vec![one, other]);
    let outcome = second.commit(Vec::new(), outcome.in_flight_elsewhere, 0);
    assert_eq!((rows(&outcome.claimed), outcome.claimed[0].doubt()), (vec![2], true));
    assert_eq!(outcome.counts.get(Status::AlreadyCancelled), 1);
}

pub fn an_order_left_for_later_was_never_sent(home: &Home) {
    let mut ledger = home.open();
    let _lock = ledger.lock_run("key").unwrap();
    let mut first = home.living_process(3);
    let in_flight = first.claim(2);
    let mut ledger = home.open();
    let lock = ledger.lock_run("other").unwrap();
    let run = create_run(ledger.as_mut(), "run-2", "other", 4);
    let mut second = Process::start(ledger, run.clone());
    assert_eq!(rows(&second.claim(4)), [3, 4]);
    let (completed, waiting): (Vec<_>, Vec<_>) =
        in_flight.into_iter().map(ClaimedRow::release).unzip();
    first.commit(completed, Vec::new(), 0);
    drop((second, lock));
    // Rows 1 and 2 were skipped, and it died with 3 and 4 in flight.
    let mut again = home.join(&run);
    let mut claimed = Vec::new();
    until("all that is left is taken up", || {
        claimed.extend(again.claim(4));
        claimed.len() == 4
    });
    claimed.sort_by_key(ClaimedRow::row);
    let sent: Vec<_> = claimed.iter().map(|claimed| (claimed.attempt(), claimed.doubt())).collect();
    assert_eq!(sent, [(1, false), (1, false), (2, true), (2, true)]);
    drop(waiting);
}

pub fn an_order_that_a_dead_process_had_in_flight_for_another_run_is_sent_in_doubt(home: &Home) {
    let mut ledger = home.open();
    let lock = ledger.lock_run("key").unwrap();
    let mut first = home.process(1);
    let _in_flight = first.claim(1);
    let mut second = home.another(1);
    let mut later = second.commit(Vec::new(), Vec::new(), 1).in_flight_elsewhere;
    assert_eq!(later.len(), 1);
    drop((first, lock));
    let mut claimed = Vec::new();
    until("it is known that the process died", || {
        let mut outcome = second.commit(Vec::new(), std::mem::take(&mut later), 0);
        later.append(&mut outcome.in_flight_elsewhere);
        claimed.append(&mut outcome.claimed);
        !claimed.is_empty()
    });
    assert!(claimed[0].doubt());
    second.complete(vec![cancelled(claimed.remove(0))]);
    let record = second.records().remove(0);
    assert_eq!((record.status, record.attempts, record.doubt), (Status::Cancelled, 1, true));
}

pub fn a_process_has_nothing_in_flight_for_a_run_that_it_left(home: &Home) {
    let mut ledger = home.open();
    let lock = ledger.lock_run("key").unwrap();
    let mut first = home.process(1);
    let _in_flight = first.claim(1);
    drop((first, lock));
    // The same file again, as another run with the same key.
    let _lock = ledger.lock_run("key").unwrap();
    let run = create_run(ledger.as_mut(), "run-2", "key", 1);
    let mut process = Process::start_with(ledger, run, StartOptions { again: true, ..start() });
    let (mut claimed, mut later) = (Vec::new(), Vec::new());
    until("it is sent", || {
        let mut outcome = process.commit(Vec::new(), std::mem::take(&mut later), 1);
        later.append(&mut outcome.in_flight_elsewhere);
        claimed.append(&mut outcome.claimed);
        !claimed.is_empty()
    });
    assert!(claimed[0].doubt());
}

pub fn processes_share_one_budget(home: &Home) {
    let mut one = home.process(500).at_pace("50/s");
    let mut ledger = home.open();
    let other = create_run(ledger.as_mut(), "run-2", "other", 500);
    let mut other = Process::start(ledger, other).at_pace("50/s");
    let mut slots = Vec::new();
    let began = Timestamp::now();
    until("both have had their slots for three seconds", || {
        for process in [&mut one, &mut other] {
            slots.extend(process.claim(7).iter().map(|claimed| claimed.slot().unwrap()));
        }
        slots.last().is_some_and(|last| *last > began + Duration::from_secs(3))
    });
    slots.sort();
    for (first, slot) in slots.iter().enumerate() {
        let until = *slot + Duration::from_secs(1);
        let within = slots[first..].iter().take_while(|slot| **slot <= until).count();
        assert!(within <= 50, "{within} calls in one second");
    }
}

pub fn what_the_server_asked_one_process_holds_for_all(home: &Home) {
    let mut one = home.process(5);
    let mut other = home.another(9);
    let end = Timestamp::now() + Duration::from_secs(2);
    one.try_commit(CommitRequest { retry_after_until: Some(end), ..fresh_rows(0) }).unwrap();
    let outcome = other.commit(Vec::new(), Vec::new(), 9);
    assert!(outcome.claimed.is_empty());
    for reported in [outcome.next_slot_at, outcome.retry_after_until] {
        let off = reported.unwrap().duration_since(end).abs();
        assert!(off < jiff::SignedDuration::from_millis(200), "off by {off:?}");
    }
    // The same holds for a process started meanwhile.
    let mut new = home.join(&other.run);
    assert!(new.claim(9).is_empty());
    until("they may call again", || !new.claim(9).is_empty());
    assert!(Timestamp::now() > end - Duration::from_millis(200));
    assert_eq!(new.commit(Vec::new(), Vec::new(), 1).retry_after_until, None);
}

pub fn slots_that_were_not_used_are_given_back(home: &Home) {
    let mut process = home.process(10).at_pace("10/h");
    let claimed = process.claim(10);
    assert_eq!(claimed.len(), 1);
    let (completed, waiting): (Vec<_>, Vec<_>) =
        claimed.into_iter().map(ClaimedRow::release).unzip();
    let outcome = process.commit(completed, waiting, 0);
    assert_eq!(outcome.claimed.len(), 1, "its slot is gone until {:?}", outcome.next_slot_at);
}

fn by_order(rows: impl IntoIterator<Item = u32>) -> Vec<OrderKey> {
    rows.into_iter().map(|row| OrderKey::new(order(row), RowNumber(row), Role::Sent)).collect()
}

/// Orders 1 to 3 cancelled, 4 and 5 lost, 6 refused, 7 tried in vain, 8 and 9 in flight.
fn all_kinds(home: &Home) -> Process {
    let mut process = home.living_process(10);
    let mut claimed = process.claim(9);
    let in_flight = claimed.split_off(7);
    let seven = claimed.pop().unwrap();
    let (lost, refused) = (claimed.split_off(3), RowTransition::End(Status::Rejected));
    let mut completed: Vec<_> = claimed.into_iter().map(cancelled).collect();
    let mut lost = lost.into_iter();
    for _ in 0..2 {
        let claimed = lost.next().unwrap();
        completed.push(ended(claimed, Verdict::Doubt, RowTransition::End(Status::InDoubt)).0);
    }
    completed.push(ended(lost.next().unwrap(), Verdict::Rejected, refused).0);
    completed.push(ended(seven, Verdict::NotDone, RowTransition::Retry).0);
    process.complete(completed);
    drop(in_flight);
    process
}

pub fn what_other_runs_know_of_the_orders_of_a_file_is_counted(home: &Home) {
    let mut ledger = home.open();
    let endpoint = "https://example.com";
    let nothing = ledger.known_orders(endpoint, None, &by_order(1..=20)).unwrap();
    assert_eq!(nothing, KnownOrders::default());
    let lock = ledger.lock_run("key").unwrap();
    let process = all_kinds(home);
    let known = KnownOrders { cancelled: 3, in_flight: 2, in_doubt: 2 };
    assert_eq!(ledger.known_orders(endpoint, None, &by_order(1..=20)).unwrap(), known);
    assert_eq!(
        ledger.known_orders(endpoint, None, &by_order([2, 5, 9])).unwrap(),
        KnownOrders { cancelled: 1, in_flight: 1, in_doubt: 1 }
    );
    let elsewhere = ledger.known_orders("https://else.example", None, &by_order(1..=20)).unwrap();
    assert_eq!(elsewhere, KnownOrders::default());
    drop((process, lock));
    until("it is known that the process died", || {
        let known = ledger.known_orders(endpoint, None, &by_order(1..=20)).unwrap();
        known == KnownOrders { cancelled: 3, in_flight: 0, in_doubt: 4 }
    });
}

pub fn a_few_orders_are_found_among_many(home: &Home) {
    home.process(3000).finish();
    let few = by_order([7, 1500, 2999, 3001]);
    let known = home.open().known_orders("https://example.com", None, &few).unwrap();
    assert_eq!(known, KnownOrders { cancelled: 3, in_flight: 0, in_doubt: 0 });
}

pub fn what_is_known_of_a_few_orders_among_many_is_counted(home: &Home) {
    let _many = home.another(3000);
    let lock = home.open().lock_run("key").unwrap();
    let process = all_kinds(home);
    let few = by_order([2, 5, 6, 7, 9, 10, 3001]);
    let mut ledger = home.open();
    let mut known =
        |run: Option<&Run>| ledger.known_orders("https://example.com", run, &few).unwrap();
    assert_eq!(known(None), KnownOrders { cancelled: 1, in_flight: 1, in_doubt: 1 });
    assert_eq!(known(Some(&process.run)), KnownOrders::default());
    drop((process, lock));
    until("it is known that the process died", || {
        known(None) == KnownOrders { cancelled: 1, in_flight: 0, in_doubt: 2 }
    });
}

pub fn of_a_file_of_more_orders_than_other_runs_have_each_known_one_is_counted_once(home: &Home) {
    let first = home.process(700).finish();
    let second = home.another(1000).finish();
    // Each order in two rows, and most of them in no run.
    let twice = (1..=20_000).flat_map(|row| {
        let keyed = |at| OrderKey::new(order(row), RowNumber(at), Role::Sent);
        [keyed(row), keyed(row + 20_000)]
    });
    let file: Vec<_> = twice.collect();
    let mut ledger = home.open();
    let mut known = |run| ledger.known_orders("https://example.com", run, &file).unwrap();
    let cancelled = |cancelled| KnownOrders { cancelled, in_flight: 0, in_doubt: 0 };
    assert_eq!(known(None), cancelled(1000));
    assert_eq!(known(Some(&first)), cancelled(300));
    assert_eq!(known(Some(&second)), cancelled(0));
}

pub fn of_a_run_that_goes_on_only_rows_that_have_not_ended_are_counted(home: &Home) {
    let first = all_kinds(home);
    let mut second = home.another(10);
    let claimed = second.claim(2);
    assert_eq!(rows(&claimed), [4, 5]);
    second.complete(claimed.into_iter().map(cancelled).collect());
    let mut ledger = home.open();
    let endpoint = "https://example.com";
    let known = ledger.known_orders(endpoint, Some(&first.run), &by_order(1..=10)).unwrap();
    assert_eq!(known, KnownOrders::default(), "rows 4 and 5 have ended");
    let known = ledger.known_orders(endpoint, Some(&second.run), &by_order(1..=10)).unwrap();
    // No process has locked the ledger, so what is in flight was abandoned.
    assert_eq!((known.cancelled, known.in_flight + known.in_doubt), (0, 2), "{known:?}");
}

pub fn slots_for_which_there_is_no_row_are_given_back(home: &Home) {
    let mut first = home.process(1).at_pace("100/s");
    assert_eq!(first.claim(100).len(), 1);
    let mut second = home.another(2).at_pace("100/s");
    let slot = second.claim(2).pop().unwrap().slot().unwrap();
    let wait = slot.duration_since(Timestamp::now());
    assert!(wait.as_millis() < 500, "slots that nobody uses are gone: {wait}");
}

pub fn a_budget_that_cannot_be_read_is_not_taken_for_empty(home: &Home) {
    let mut process = home.process(2).at_pace("100/s");
    assert_eq!(process.claim(1).len(), 1);
    home.damage_budget();
    let refused =
        process.try_commit(crate::conformance::process::fresh_rows(1)).unwrap_err().to_string();
    assert!(refused.contains("the rate budget of https://example.com"), "{refused}");
}

pub fn a_run_that_was_stopped_records_why_and_resumes(home: &Home) {
    let process = home.process(2);
    let run = process.rest(Some(ReasonCode::MaxFailures));
    assert_eq!(run.stop.as_deref(), Some("MAX_FAILURES"));
    let mut ledger = home.open();
    let found = ledger.find_by_key("key").unwrap().unwrap();
    assert_eq!((found.stop.as_deref(), found.finished_at), (Some("MAX_FAILURES"), run.finished_at));
    let mut process = home.join(&found);
    let running = ledger.find_by_key("key").unwrap().unwrap();
    assert_eq!((running.stop, running.finished_at), (None, None));
    let outcome = process.commit(Vec::new(), Vec::new(), 2);
    assert_eq!((outcome.claimed.len(), outcome.stop), (2, None));
}

pub fn a_run_that_ended_was_not_stopped(home: &Home) {
    let mut process = home.process(1);
    let claimed = process.claim(1);
    process.complete(claimed.into_iter().map(cancelled).collect());
    let run = process.rest(Some(ReasonCode::Signal));
    assert!(run.has_ended());
    assert_eq!(run.stop, None);
}

pub fn a_run_is_held_while_it_is_worked_on(home: &Home) {
    let mut watcher = home.open();
    assert!(!watcher.is_locked("key").unwrap());
    let mut ledger = home.open();
    let lock = ledger.lock_run("key").unwrap();
    let run = create_run(ledger.as_mut(), "run-1", "key", 1);
    let process = Process::start(ledger, run);
    assert!(watcher.is_locked("key").unwrap());
    assert!(!watcher.is_locked("other").unwrap());
    process.rest(None);
    drop(lock);
    assert!(!watcher.is_locked("key").unwrap());
}

pub fn a_results_file_is_known_by_its_mark(home: &Home) {
    let mut ledger = home.open();
    let run = create_run(ledger.as_mut(), "run-1", "key", 1);
    for _ in 0..2 {
        ledger.note_results(&run, "mark", "/results.csv").unwrap();
    }
    assert_eq!(ledger.results_of("mark").unwrap(), ["run-1"]);
    assert!(ledger.results_of("other").unwrap().is_empty());
}

pub fn a_row_that_was_rejected_after_a_lost_answer_is_counted_as_rejected_with_doubt(home: &Home) {
    let mut process = home.process(2);
    let mut claimed = process.claim(2).into_iter();
    let (lost, waiting) = ended(claimed.next().unwrap(), Verdict::Doubt, RowTransition::Retry);
    let no = RowTransition::End(Status::Rejected);
    let (rejected, _) = ended(claimed.next().unwrap(), Verdict::Rejected, no);
    let outcome = process.commit(vec![lost, rejected], waiting.into_iter().collect(), 0);
    assert_eq!((outcome.counts.get(Status::Rejected), outcome.counts.in_doubt()), (1, 0));
    let again = outcome.claimed.into_iter().next().unwrap();
    let outcome = process.complete(vec![ended(again, Verdict::Rejected, no).0]);
    assert_eq!((outcome.counts.get(Status::Rejected), outcome.counts.in_doubt()), (2, 1));
    assert_eq!(
        process.records().iter().map(|record| record.doubt).collect::<Vec<_>>(),
        [true, false]
    );
    let run = process.rest(None);
    assert_eq!((run.counts.get(Status::Rejected), run.counts.rejected_with_doubt()), (2, 1));
}

pub fn the_recorded_rows_of_orders_are_returned_for_each_in_turn(home: &Home) {
    let mut first = home.process(3);
    let mut claimed = first.claim(2).into_iter();
    let no = RowTransition::End(Status::Rejected);
    let (rejected, _) = ended(claimed.next().unwrap(), Verdict::Rejected, no);
    first.complete(vec![rejected]);
    let mut ledger = home.open();
    let elsewhere = "https://sandbox.example.com".to_owned();
    let other = NewRun { endpoint: elsewhere.clone(), ..new_run("run-2", "other") };
    create_run_as(ledger.as_mut(), other, 1);
    let orders = [order(4), order(3), order(1)];
    let mut on_record = |endpoint: &str| -> Vec<Vec<_>> {
        let found = ledger.on_record(endpoint, &orders).unwrap();
        let of = |its: OnRecord| (its.row, its.status, !its.is_of(&first.run));
        found.into_iter().map(|found| found.into_iter().map(of).collect()).collect()
    };
    let of = |row, status, is_other| (RowNumber(row), status, is_other);
    let here = &first.run.opened.endpoint;
    let rejected = of(1, Some(Status::Rejected), false);
    assert_eq!(on_record(here), [vec![], vec![of(3, None, false)], vec![rejected]]);
    assert_eq!(on_record(&elsewhere), [vec![], vec![], vec![of(1, None, true)]]);
}

pub fn the_open_rows_of_a_run_are_read_without_the_others(home: &Home) {
    let mut process = home.process(7);
    let mut claimed = process.claim(6).into_iter();
    let mut next = || claimed.next().unwrap();
    let end = RowTransition::End;
    let (lost, retry) = ended(next(), Verdict::Doubt, RowTransition::Retry);
    let completed = vec![
        lost,
        cancelled(next()),
        ended(next(), Verdict::Rejected, end(Status::Rejected)).0,
        ended(next(), Verdict::Refused, end(Status::Failed)).0,
        ended(next(), Verdict::Doubt, end(Status::InDoubt)).0,
        cancelled(next()),
    ];
    let outcome = process.commit(completed, retry.into_iter().collect(), 0);
    let again = outcome.claimed.into_iter().next().unwrap();
    process.complete(vec![ended(again, Verdict::Rejected, end(Status::Rejected)).0]);
    let stopped = process.rest(Some(ReasonCode::Signal));
    let mut ledger = home.open();
    let mut open = |run: &Run| {
        let mut found = Vec::new();
        let mut each = |row: &mut RowRecord| {
            found.push((row.row.0, row.status));
            Ok(())
        };
        ledger.open_rows(run, &mut each).unwrap();
        found
    };
    let ended_open = [(1, Status::Rejected), (4, Status::Failed), (5, Status::InDoubt)];
    assert_eq!(open(&stopped), [&ended_open[..], &[(7, Status::NotSent)]].concat());
    let mut process = home.join(&stopped);
    let last = process.claim(1).pop().unwrap();
    process.complete(vec![cancelled(last)]);
    let run = process.rest(None);
    assert!(run.has_ended());
    assert_eq!(open(&run), ended_open);

    // A rerun carries rows over, and they are open as before.
    let mut rows = [Status::Failed, Status::Rejected, Status::Cancelled].into_iter().zip(1..).map(
        |(status, row)| {
            let disposition = Disposition::Kept { status, doubt: status == Status::Rejected };
            Ok(PlannedRow { disposition, ..to_send(row) })
        },
    );
    let new = NewRun { command: "rerun".to_owned(), ..new_run("run-2", "other") };
    let rerun = home.open().create_run(new, &mut rows, &[]).unwrap();
    assert_eq!(open(&rerun), [(1, Status::Failed), (2, Status::Rejected)]);
}

pub fn the_history_of_an_order_has_each_of_its_rows_in_every_run_with_their_attempts(home: &Home) {
    let mut first = home.process(2);
    let retried = first.claim(1).pop().unwrap();
    let (completed, waiting) = ended(retried, Verdict::NotDone, RowTransition::Retry);
    first.complete(vec![completed]);
    let again = first.commit(Vec::new(), waiting.into_iter().collect(), 0).claimed;
    let rejected = again
        .into_iter()
        .map(|claimed| ended(claimed, Verdict::Rejected, RowTransition::End(Status::Rejected)).0);
    let rejected = rejected.collect();
    first.complete(rejected);
    first.rest(Some(ReasonCode::Signal));
    home.another(2).finish();
    let mut ledger = home.open();
    // A duplicate was decided without a call.
    let duplicate = PlannedRow { order: Some(order(1)), ..to_send(2) };
    let duplicate =
        PlannedRow { disposition: Disposition::Duplicate { first: RowNumber(1) }, ..duplicate };
    let by_order = [OrderKey::new(order(1), RowNumber(1), Role::Sent)];
    ledger.find_by_key("third").unwrap();
    let rows = [Ok(to_send(1)), Ok(duplicate)];
    ledger.create_run(new_run("run-3", "third"), &mut rows.into_iter(), &by_order).unwrap();
    let history = ledger.history(order(1)).unwrap();
    let found: Vec<_> = history
        .iter()
        .map(|its| (its.run.id(), its.row.row.0, its.row.status, its.attempts.len()))
        .collect();
    assert_eq!(
        found,
        [
            ("run-1", 1, Status::Rejected, 2),
            ("run-2", 1, Status::Cancelled, 1),
            ("run-3", 1, Status::NotSent, 0),
            ("run-3", 2, Status::Duplicate, 0),
        ]
    );
    assert!(ledger.history(order(9)).unwrap().is_empty());
}
