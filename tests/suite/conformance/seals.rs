//! What may still be recorded of a run after it was sealed.

use cardcancel::audit::bag::{BagSource, LedgerSource};
use cardcancel::audit::seal::{SealedClock, SealedProgram};
use cardcancel::audit::{SealingContext, seal_run, verify_ledger};
use cardcancel::ledger::{
    BlockTexts, CommitRequest, EventKind, FinishOptions, Ledger, LedgerError, NewEvent, NewSeal,
    Run, SealHead, SealRecord,
};
use cardcancel::model::ReasonCode;
use jiff::Timestamp;

use crate::common::postgres::Database;
use crate::conformance::process::{Home, Process, cancelled, fresh_rows};

pub fn seal(ledger: &mut dyn Ledger, run: &Run) -> Option<SealRecord> {
    let clock = SealedClock::default();
    let program = SealedProgram { version: "0.0.0".parse().unwrap(), executable: None };
    seal_run(ledger, run, &SealingContext { results: None, clock, program }, None).unwrap()
}

/// What verifying finds, and how many seals there are.
fn verified(ledger: &mut dyn Ledger) -> (Vec<String>, usize) {
    let verdict = verify_ledger(ledger, &mut |_| {}).unwrap();
    (verdict.findings, verdict.seals.len())
}

fn continues(seal: &SealRecord) -> &str {
    seal.text.lines().find(|line| line.starts_with("continues")).unwrap_or_default()
}

/// The lease of a process that is silent has expired.
fn expire(database: &Database) {
    let sql = "UPDATE cardcancel.worker SET leased_until = clock_timestamp() - interval '1 hour'
               WHERE at_work";
    assert_eq!(database.client().execute(sql, &[]).unwrap(), 1);
}

/// A run with a seal, and the process with an expired lease that still works on it.
fn sealed_without(rows: u32) -> (Home, Process) {
    let home = Home::server();
    let mut silent = home.living_process(rows);
    let run = silent.run.clone();
    let claimed = silent.claim(1);
    silent.complete(claimed.into_iter().map(cancelled).collect());
    let other = home.join(&run);
    let mut ledger = home.open();
    assert!(seal(ledger.as_mut(), &run).is_none(), "others work on it");
    if rows == 1 {
        other.finish();
    } else {
        other.rest(Some(ReasonCode::Signal));
    }
    assert!(seal(ledger.as_mut(), &run).is_none(), "another works on it");
    expire(home.database());
    assert_eq!(seal(ledger.as_mut(), &run).unwrap().number, 1);
    assert_eq!(verified(ledger.as_mut()), (Vec::new(), 1));
    (home, silent)
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_process_that_ends_after_its_run_was_sealed_without_it_ends_as_a_later_start() {
    let (home, mut silent) = sealed_without(1);
    let run = silent.run.clone();
    let at = Timestamp::now();
    let events = vec![NewEvent { at, kind: EventKind::Signal, detail: String::new() }];
    let ended = silent.ledger.finish(FinishOptions { at, stop: None, events }).unwrap();
    assert!(ended.has_ended() && ended.finished_at.is_some());
    let mut ledger = home.open();
    assert_eq!(verified(ledger.as_mut()), (Vec::new(), 1));
    assert_eq!(ledger.starts(&run).unwrap().len(), 3);
    let sealed = seal(ledger.as_mut(), &run).unwrap();
    assert_eq!((sealed.number, continues(&sealed)), (2, "continues 1 as it was"));
    assert_eq!(verified(ledger.as_mut()), (Vec::new(), 2));
    assert!(ledger.unsealed().unwrap().is_empty());
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_process_that_goes_on_after_its_run_was_sealed_without_it_goes_on_as_a_later_start() {
    let (home, mut silent) = sealed_without(3);
    let run = silent.run.clone();
    let kind = EventKind::OutageBegan;
    let events = vec![NewEvent { at: Timestamp::now(), kind, detail: String::new() }];
    let mut ledger = home.open();
    silent.try_commit(fresh_rows(0)).unwrap();
    let mut claimed = Vec::new();
    while claimed.is_empty() {
        let commit = CommitRequest { events: events.clone(), ..fresh_rows(2) };
        claimed = silent.try_commit(commit).unwrap().claimed;
        assert_eq!(verified(ledger.as_mut()), (Vec::new(), 1));
    }
    assert!(seal(ledger.as_mut(), &run).is_none(), "it works on the run");
    silent.complete(claimed.into_iter().map(cancelled).collect());
    assert_eq!(verified(ledger.as_mut()), (Vec::new(), 1));
    assert!(silent.finish().has_ended());
    let sealed = seal(ledger.as_mut(), &run).unwrap();
    assert_eq!((sealed.number, continues(&sealed)), (2, "continues 1 as it was"));
    assert_eq!(verified(ledger.as_mut()), (Vec::new(), 2));
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_run_with_a_call_in_flight_is_not_sealed_and_who_makes_it_keeps_it() {
    let home = Home::server();
    let mut silent = home.living_process(2);
    let run = silent.run.clone();
    let claimed = silent.claim(1);
    expire(home.database());
    let mut ledger = home.open();
    assert!(seal(ledger.as_mut(), &run).is_none());
    let outcome = silent.complete(claimed.into_iter().map(cancelled).collect());
    assert_eq!(outcome.counts.total(), 1);
    silent.finish();
    assert_eq!(ledger.starts(&run).unwrap().len(), 1);
    assert!(seal(ledger.as_mut(), &run).is_some());
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn who_finds_its_start_forgotten_after_the_seal_records_its_doubts_as_a_later_start() {
    let home = Home::server();
    let mut first = home.process(2);
    let run = first.run.clone();
    let claimed = first.claim(1);
    first.complete(claimed.into_iter().map(cancelled).collect());
    first.rest(Some(ReasonCode::Signal));
    let mut ledger = home.open();
    assert!(seal(ledger.as_mut(), &run).is_some());
    let mut second = home.join(&run);
    assert_eq!(second.claim(1).len(), 1);
    // As if an older copy were in place.
    home.database()
        .client()
        .batch_execute(
            "DELETE FROM cardcancel.open_row;
             DELETE FROM cardcancel.worker WHERE number = (SELECT max(number) FROM cardcancel.worker);
             UPDATE cardcancel.run SET first_fresh = 2",
        )
        .unwrap();
    home.database().cut_connections();
    let failed = second.try_commit(fresh_rows(0)).unwrap_err();
    assert!(matches!(failed, LedgerError::Rewound { .. }), "{failed}");
    assert!(second.records()[1].doubt);
    let mut ledger = home.open();
    assert_eq!(verified(ledger.as_mut()), (Vec::new(), 1));
    let sealed = seal(ledger.as_mut(), &run).unwrap();
    assert_eq!(continues(&sealed), "continues 1 as it was");
}

pub fn a_seal_that_does_not_cover_the_last_start_is_not_appended(home: &Home) {
    let first = home.process(1);
    let run = first.run.clone();
    first.rest(Some(ReasonCode::Signal));
    let mut ledger = home.open();
    let start = ledger.starts(&run).unwrap()[0].number;
    home.join(&run).rest(Some(ReasonCode::Signal));
    let text = |_, _| String::new();
    let new = NewSeal { start, blocks: BlockTexts::default(), event: None, text: &text };
    assert_eq!(ledger.append_seal(&run, &new).unwrap(), None);
    let sealed = seal(ledger.as_mut(), &run).unwrap();
    assert_eq!((sealed.number, sealed.start > start), (1, true));
}

pub fn a_call_that_a_dead_process_left_in_flight_belongs_to_no_seal(home: &Home) {
    let mut first = home.process(2);
    let run = first.run.clone();
    assert_eq!(first.claim(1).len(), 1);
    drop(first);
    let mut ledger = home.open();
    assert!(seal(ledger.as_mut(), &run).is_none());
    let mut second = home.join(&run);
    let claimed = second.claim_when_there_is(2);
    second.complete(claimed.into_iter().map(cancelled).collect());
    second.finish();
    assert!(seal(ledger.as_mut(), &run).is_some());
    assert_eq!(verified(ledger.as_mut()), (Vec::new(), 1));
}

pub fn the_first_receipt_of_a_seal_stays(home: &Home) {
    let process = home.process(1);
    let run = process.run.clone();
    process.rest(Some(ReasonCode::Signal));
    let mut ledger = home.open();
    assert!(ledger.seal_heads().unwrap().is_empty());
    let sealed = seal(ledger.as_mut(), &run).unwrap();
    let head = |receipt_at| SealHead {
        number: 1,
        run: run.id().to_owned(),
        digest: sealed.digest.clone(),
        receipt_at,
    };
    assert_eq!(ledger.seal_heads().unwrap(), [head(None)]);
    assert_eq!(ledger.seal_text(1).unwrap().as_ref(), Some(&sealed.text));
    assert_eq!((ledger.seal_text(2).unwrap(), ledger.receipt(1).unwrap()), (None, None));
    let at: Timestamp = "2026-11-22T09:10:26.118204Z".parse().unwrap();
    // Not text: what a time stamp authority signs is binary.
    ledger.add_receipt(1, at, b"\x30\x82\0").unwrap();
    ledger.add_receipt(1, Timestamp::UNIX_EPOCH, b"another").unwrap();
    assert_eq!(ledger.receipt(1).unwrap().as_deref(), Some(&b"\x30\x82\0"[..]));
    assert_eq!(ledger.seal_heads().unwrap(), [head(Some(at))]);
    assert_eq!(verified(ledger.as_mut()), (Vec::new(), 1));
}

pub fn a_run_that_is_started_again_while_it_is_exported_is_refused(home: &Home) {
    let first = home.process(1);
    let run = first.run.clone();
    let stopped = first.rest(Some(ReasonCode::Signal));
    let mut ledger = home.open();
    assert!(seal(ledger.as_mut(), &run).is_some());
    let mut progress = |_| ();
    let mut export = LedgerSource::new(ledger.as_mut(), vec![stopped], &mut progress);
    assert_eq!(export.runs().unwrap()[0].seal, Some(1));
    export.events(run.id()).unwrap();
    home.join(&run).finish();
    let refused = export.events(run.id()).unwrap_err().to_string();
    assert_eq!(
        refused,
        "run run-1 was started again while it was read: export it once it has finished"
    );
}
