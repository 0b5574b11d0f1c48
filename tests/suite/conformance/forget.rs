//! What a ledger knows of a run after its rows were removed.

use cardcancel::audit::seal::{SealedFile, SealedProgram};
use cardcancel::audit::{forget_run, verify_ledger};
use cardcancel::hash::Digest;
use cardcancel::identity::Identity;
use cardcancel::input::{OrderKey, Role};
use cardcancel::ledger::{KnownOrders, Ledger, Run, SealRecord};
use cardcancel::model::{RowNumber, RowTransition, Status, Verdict};

use super::seals::seal;
use crate::common::postgres::database;
use crate::conformance::process::{Home, Process, cancelled, create_run, ended, order, rows};

fn forget(ledger: &mut dyn Ledger, run: &Run) -> Option<SealRecord> {
    let export = SealedFile { digest: Digest::new("manifest"), name: "audit".to_owned() };
    let program = SealedProgram { version: "0.0.0".parse().unwrap(), executable: None };
    let by = Identity::of_this_process();
    forget_run(ledger, run, &export, &by, &program).unwrap()
}

/// A sealed run of three orders: the first was cancelled, the second rejected, and the answer for the
/// third was lost.
fn sealed(home: &Home) -> Run {
    let mut process = home.process(3);
    let mut claimed = process.claim(3).into_iter();
    let mut next = || claimed.next().unwrap();
    let end = RowTransition::End;
    process.complete(vec![
        cancelled(next()),
        ended(next(), Verdict::Rejected, end(Status::Rejected)).0,
        ended(next(), Verdict::Doubt, end(Status::InDoubt)).0,
    ]);
    let run = process.rest(None);
    seal(home.open().as_mut(), &run).unwrap();
    run
}

fn a_forgotten_run_is_known_by_what_it_cancelled(home: &Home) {
    let run = sealed(home);
    let mut ledger = home.open();
    let seal = forget(ledger.as_mut(), &run).unwrap();
    assert_eq!(seal.number, 2);
    assert!(
        seal.text.contains("\nstate forgotten ") && seal.text.contains(" kept 1 "),
        "{}",
        seal.text
    );
    ledger.remove_forgotten().unwrap();
    assert_eq!(ledger.kept_orders(&run).unwrap().orders, 1);
    assert!(ledger.run(run.id()).unwrap().unwrap().forgotten_at.is_some());
    assert!(ledger.history(order(1)).unwrap().is_empty());
    let forgotten = ledger.forgotten_with(order(1)).unwrap();
    assert_eq!((forgotten.len(), forgotten[0].1), (1, RowNumber(1)));
    assert!(ledger.forgotten_with(order(2)).unwrap().is_empty());
    let verdict = verify_ledger(ledger.as_mut(), &mut |_| {}).unwrap();
    assert_eq!((verdict.findings, verdict.forgotten.len()), (Vec::new(), 1));

    // Looked up one by one, and merged with all others.
    let known = KnownOrders { cancelled: 1, in_flight: 0, in_doubt: 1 };
    let keyed = |row| OrderKey::new(order(row), RowNumber(row), Role::Sent);
    for last in [3, 1000] {
        let file: Vec<OrderKey> = (1..=last).map(keyed).collect();
        assert_eq!(ledger.known_orders(&run.opened.endpoint, None, &file).unwrap(), known);
    }
    let found = ledger.on_record(&run.opened.endpoint, &[order(1), order(2)]).unwrap();
    let statuses: Vec<Vec<_>> =
        found.iter().map(|found| found.iter().map(|row| row.status).collect()).collect();
    assert_eq!(statuses, [vec![Some(Status::Cancelled)], vec![]]);

    // Another run sends what was not cancelled, with the doubt that stands.
    let mut other = home.another(3);
    let claimed = other.claim_when_there_is(3);
    assert_eq!(rows(&claimed), [2, 3]);
    other.complete(claimed.into_iter().map(cancelled).collect());
    let records = other.records();
    assert_eq!(records[0].status, Status::AlreadyCancelled);
    assert!(records[0].message.contains("run-1"), "{}", records[0].message);
}

fn a_run_that_is_not_as_it_was_sealed_is_not_forgotten(home: &Home) {
    let run = sealed(home);
    let again = Process::start(home.open(), run.clone());
    let mut ledger = home.open();
    assert_eq!(forget(ledger.as_mut(), &run), None, "it was started again");
    again.rest(None);
    assert_eq!(forget(ledger.as_mut(), &run), None, "and is not sealed as it is");
    seal(ledger.as_mut(), &run).unwrap();
    let first = forget(ledger.as_mut(), &run).unwrap();
    assert_eq!(first.number, 3);
    let unsealed = create_run(ledger.as_mut(), "run-3", "third", 1);
    assert!(ledger.last_seal(&unsealed).unwrap().is_none());
    assert_eq!(ledger.seal_heads().unwrap().len(), 3);
}

#[test]
fn a_forgotten_run_is_known_by_what_it_cancelled_in_a_file() {
    a_forgotten_run_is_known_by_what_it_cancelled(&Home::file());
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_forgotten_run_is_known_by_what_it_cancelled_in_a_database() {
    a_forgotten_run_is_known_by_what_it_cancelled(&Home::Server(database()));
}

#[test]
fn a_run_in_a_file_that_is_not_as_it_was_sealed_is_not_forgotten() {
    a_run_that_is_not_as_it_was_sealed_is_not_forgotten(&Home::file());
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_run_in_a_database_that_is_not_as_it_was_sealed_is_not_forgotten() {
    a_run_that_is_not_as_it_was_sealed_is_not_forgotten(&Home::Server(database()));
}
