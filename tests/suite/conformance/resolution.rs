//! Evidence that ends doubts: what a ledger makes of it.

use cardcancel::input::{Disposition, OrderKey, PlannedRow, Role};
use cardcancel::ledger::{
    ClaimedRow, EventKind, KnownOrders, Ledger, NewEvent, NewRun, OrderStanding, Resolution,
    ResolutionError, Run, StartOptions,
};
use cardcancel::model::{Order, RowNumber, RowTransition, Status, Verdict};
use jiff::Timestamp;

use crate::common::{records, until};
use crate::conformance::process::{
    Home, Process, create_run, create_run_as, ended, new_run, order, start, to_send,
};

const ENDPOINT: &str = "https://example.com";

/// Orders 1 to 3 are in doubt.
fn lose_answers(home: &Home) {
    let mut first = home.process(3);
    let lost = |row: ClaimedRow| ended(row, Verdict::Doubt, RowTransition::End(Status::InDoubt)).0;
    let claimed = first.claim(3);
    first.complete(claimed.into_iter().map(lost).collect());
    first.rest(None);
}

fn resolved(row: u32, status: Status) -> PlannedRow {
    let message = format!("list.csv, row {row}");
    PlannedRow { disposition: Disposition::Resolved { status, message }, ..to_send(row) }
}

fn kept(row: u32) -> PlannedRow {
    let disposition = Disposition::Kept { status: Status::InDoubt, doubt: true };
    PlannedRow { disposition, ..to_send(row) }
}

/// Records that order 1 is cancelled and order 2 still stands, and that order 3 stays.
fn resolve(ledger: &mut dyn Ledger, new: NewRun) -> Result<Run, ResolutionError> {
    resolve_if(ledger, new, &|_, standing| standing.is_in_doubt && standing.in_flight.is_none())
}

fn resolve_if(
    ledger: &mut dyn Ledger,
    new: NewRun,
    can_be_decided: &dyn Fn(Order, &OrderStanding) -> bool,
) -> Result<Run, ResolutionError> {
    ledger.find_by_key(&new.key).unwrap();
    let rows = [resolved(1, Status::AlreadyCancelled), resolved(2, Status::Failed), kept(3)];
    let roles = [(1, Role::SentInDoubt), (2, Role::SentInDoubt), (3, Role::SentInDoubt)];
    let on_record = roles.map(|(row, role)| OrderKey::new(order(row), RowNumber(row), role));
    let (at, kind) = (Timestamp::now(), EventKind::Resolved);
    ledger.create_resolution(Resolution {
        new: NewRun { command: "resolve".to_owned(), ..new },
        rows: &mut rows.into_iter().map(Ok),
        on_record: &on_record,
        decided: &[order(1), order(2)],
        can_be_decided,
        doubts: &[],
        start: StartOptions { at, rates: String::new(), ..start() },
        events: vec![NewEvent { at, kind, detail: "list.csv".to_owned() }],
    })
}

fn standings(ledger: &mut dyn Ledger, orders: &[u32]) -> Vec<OrderStanding> {
    let orders: Vec<Order> = orders.iter().map(|row| order(*row)).collect();
    ledger.standings(ENDPOINT, &orders).unwrap()
}

pub fn evidence_is_recorded_as_a_run_that_has_finished(home: &Home) {
    lose_answers(home);
    let mut ledger = home.open();
    let run = resolve(ledger.as_mut(), new_run("run-2", "resolve")).unwrap();
    assert!(run.has_ended() && run.finished_at.is_some() && run.attempts == 0);
    let counts = [Status::AlreadyCancelled, Status::Failed, Status::InDoubt];
    assert_eq!(run.counts, counts.map(|status| (status, 1)).into_iter().collect());
    let found = ledger.find_by_key("resolve").unwrap();
    assert_eq!(found.as_ref(), Some(&run));
    assert!(!ledger.is_locked("resolve").unwrap() && ledger.joinable(ENDPOINT).unwrap().is_empty());
    let described: Vec<String> = records(ledger.as_mut(), &run)
        .iter()
        .map(|row| format!("{} {} {} {}", row.status, row.doubt, row.carried_over, row.error_code))
        .collect();
    assert_eq!(
        described,
        [
            "already_cancelled false false RESOLVED",
            "failed false false RESOLVED",
            "in_doubt true true "
        ]
    );
    assert_eq!(ledger.starts(&run).unwrap().len(), 1);
    let events = ledger.events(&run).unwrap();
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["opened", "started", "resolved", "finished"]);
    assert_eq!(events[2].start, Some(ledger.starts(&run).unwrap()[0].number));
    // It is sealed like any other run, and has no call in flight.
    assert!(ledger.unsealed().unwrap().iter().any(|unsealed| unsealed.id() == "run-2"));
    assert!(ledger.bring_to_rest(&run).unwrap());
    let history = ledger.history(order(1)).unwrap();
    let runs: Vec<&str> = history.iter().map(|history| history.run.id()).collect();
    assert_eq!(runs, ["run-1", "run-2"]);
}

pub fn an_order_that_evidence_shows_to_be_cancelled_is_not_sent(home: &Home) {
    lose_answers(home);
    let mut ledger = home.open();
    resolve(ledger.as_mut(), new_run("run-2", "resolve")).unwrap();
    let by_order = |row| OrderKey::new(order(row), RowNumber(row), Role::Sent);
    let by_order: Vec<OrderKey> = (1..=4).map(by_order).collect();
    let known = ledger.known_orders(ENDPOINT, None, &by_order).unwrap();
    assert_eq!(known, KnownOrders { cancelled: 1, in_flight: 0, in_doubt: 1 });
    let run = create_run(ledger.as_mut(), "run-3", "third", 4);
    let mut third = Process::start(ledger, run);
    let claimed = third.claim(4);
    let sent: Vec<_> = claimed.iter().map(|row| (row.row().0, row.doubt())).collect();
    assert_eq!(sent, [(2, false), (3, true), (4, false)]);
    let first = third.records().remove(0);
    assert_eq!(
        (first.status, first.error_code.as_str()),
        (Status::AlreadyCancelled, "ALREADY_CANCELLED")
    );
    assert_eq!(first.message, "cancelled by run run-2, row 1");
}

pub fn an_order_that_evidence_shows_to_be_cancelled_is_sent_if_that_is_asked_for(home: &Home) {
    lose_answers(home);
    let mut ledger = home.open();
    resolve(ledger.as_mut(), new_run("run-2", "resolve")).unwrap();
    let run = create_run(ledger.as_mut(), "run-3", "third", 1);
    let mut third = Process::start_with(ledger, run, StartOptions { again: true, ..start() });
    assert!(!third.claim(1)[0].doubt());
}

pub fn evidence_at_another_endpoint_says_nothing_here(home: &Home) {
    lose_answers(home);
    let mut ledger = home.open();
    let endpoint = "https://sandbox.example.com".to_owned();
    let elsewhere = NewRun { endpoint, ..new_run("run-2", "resolve") };
    resolve_if(ledger.as_mut(), elsewhere, &|_, standing| !standing.is_on_record).unwrap();
    assert!(standings(ledger.as_mut(), &[1])[0].is_in_doubt);
    let run = create_run_as(ledger.as_mut(), new_run("run-3", "third"), 1);
    assert!(Process::start(ledger, run).claim(1)[0].doubt());
}

pub fn if_an_order_was_sent_meanwhile_no_evidence_is_recorded(home: &Home) {
    lose_answers(home);
    let mut ledger = home.open();
    let _lock = ledger.lock_run("other").unwrap();
    let mut second = home.another(1);
    let _in_flight = second.claim(1);
    let refused = resolve(ledger.as_mut(), new_run("run-3", "resolve")).unwrap_err();
    assert!(matches!(refused, ResolutionError::Changed(changed) if changed == order(1)));
    assert_eq!(ledger.find_by_key("resolve").unwrap(), None);
    assert_eq!(ledger.runs().unwrap().len(), 2);
    assert!(standings(ledger.as_mut(), &[1, 2]).iter().all(|standing| standing.is_in_doubt));
}

pub fn how_orders_stand_is_known_over_all_runs(home: &Home) {
    lose_answers(home);
    let mut ledger = home.open();
    resolve(ledger.as_mut(), new_run("run-2", "resolve")).unwrap();
    let known = standings(ledger.as_mut(), &[4, 3, 2, 1]);
    let facts: Vec<[bool; 3]> =
        known.iter().map(|its| [its.is_on_record, its.is_cancelled, its.is_in_doubt]).collect();
    let [unknown, in_doubt] = [[false; 3], [true, false, true]];
    assert_eq!(facts, [unknown, in_doubt, [true, false, false], [true, true, false]]);
    let last = |its: &OrderStanding| its.last_sent.as_ref().map(|last| last.run.clone());
    let last: Vec<_> = known.iter().map(last).collect();
    let [first, second] = ["run-1", "run-2"].map(|id| Some(id.to_owned()));
    assert_eq!(last, [None, first, second.clone(), second]);
    let first = ledger.run("run-1").unwrap().unwrap();
    assert_eq!(known[2].sent_after(&first), Some("run-2"));
    assert_eq!(known[1].sent_after(&first), None);
}

pub fn a_call_in_flight_keeps_its_order_until_it_is_known_what_it_came_to(home: &Home) {
    let mut ledger = home.open();
    let lock = ledger.lock_run("key").unwrap();
    let mut first = home.living_process(1);
    let _in_flight = first.claim(1);
    let known = standings(ledger.as_mut(), &[1]).remove(0).in_flight.unwrap();
    assert_eq!((known.run.as_str(), known.is_worked_on), ("run-1", true));
    drop((first, lock));
    until("it is known that the process died", || {
        let known = standings(ledger.as_mut(), &[1]).remove(0).in_flight.unwrap();
        !known.is_worked_on
    });
}

pub fn a_second_record_of_the_same_evidence_is_the_first_one(home: &Home) {
    lose_answers(home);
    let (mut ledger, mut other) = (home.open(), home.open());
    if let Home::Server(_) = home {
        // Neither process has found it as it looked.
        other.find_by_key("resolve").unwrap();
        let first = resolve(ledger.as_mut(), new_run("run-2", "resolve")).unwrap();
        let rows = [kept(1)];
        let second = other.create_resolution(Resolution {
            new: new_run("run-3", "resolve"),
            rows: &mut rows.into_iter().map(Ok),
            on_record: &[],
            decided: &[],
            can_be_decided: &|_, _| true,
            doubts: &[],
            start: start(),
            events: Vec::new(),
        });
        assert_eq!(second.unwrap().id(), first.id());
        assert_eq!(ledger.runs().unwrap().len(), 2);
    } else {
        // The lock of the run keeps the other one out.
        let _lock = ledger.lock_run("resolve").unwrap();
        assert!(other.lock_run("resolve").is_err());
    }
}

pub fn many_orders_that_evidence_shows_to_be_cancelled_are_known(home: &Home) {
    const ORDERS: u32 = 3000;
    let mut ledger = home.open();
    let rows = (1..=ORDERS).map(|row| Ok(resolved(row, Status::AlreadyCancelled)));
    let keyed = |role| move |row| OrderKey::new(order(row), RowNumber(row), role);
    let on_record: Vec<OrderKey> = (1..=ORDERS).map(keyed(Role::SentInDoubt)).collect();
    let decided: Vec<Order> = (1..=ORDERS).map(order).collect();
    let new = NewRun { command: "resolve".to_owned(), ..new_run("run-1", "key") };
    ledger
        .create_resolution(Resolution {
            new,
            rows: &mut rows.into_iter(),
            on_record: &on_record,
            decided: &decided,
            can_be_decided: &|_, _| true,
            doubts: &[],
            start: start(),
            events: Vec::new(),
        })
        .unwrap();
    let by_order: Vec<OrderKey> = (1..=ORDERS + 1).map(keyed(Role::Sent)).collect();
    let known = |ledger: &mut dyn Ledger, by_order: &[OrderKey]| {
        ledger.known_orders(ENDPOINT, None, by_order).unwrap().cancelled
    };
    assert_eq!(known(ledger.as_mut(), &by_order), u64::from(ORDERS));
    assert_eq!(known(ledger.as_mut(), &by_order[ORDERS as usize - 2..]), 2);
    let claimed = home.another(ORDERS + 1).claim_when_there_is(1);
    assert_eq!(claimed[0].row(), RowNumber(ORDERS + 1));
}
