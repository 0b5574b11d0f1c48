//! Audit exports of a ledger that the program wrote.

use cardcancel::audit::AuditTable;
use cardcancel::audit::bag::{BagOptions, LedgerSource, write_bag};
use cardcancel::audit::verify_bag::verify_bag;
use cardcancel::ledger::{Ledger, Sqlite};

use crate::common::{TestEnv, TestSimulator};

#[test]
fn what_the_program_recorded_is_exported_and_verified() {
    let env = TestEnv::new();
    let server = TestSimulator::perfect();
    env.orders(20).cancel(&server.url(), &[]).exits(0);

    let mut ledger = Sqlite::open_existing(&env.ledger()).unwrap().unwrap();
    let runs = ledger.runs().unwrap();
    let options = BagOptions {
        scope: "all runs".to_owned(),
        at: "2026-11-26T17:00:00Z".parse().unwrap(),
        by: "auditor (uid 1200)".to_owned(),
        host: "batch1".to_owned(),
        version: "0.2.0".to_owned(),
        reports: Vec::new(),
    };
    let mut progress = |_| ();
    let mut source = LedgerSource::new(&mut ledger, runs, &mut progress);
    let bag = env.path("audit");
    let (_, written) = write_bag(&mut source, &bag, &options).unwrap().publish().unwrap();
    assert_eq!(written.differences, [""; 0]);

    let verdict = verify_bag(&bag, &mut |_, _| ()).unwrap();
    assert_eq!(verdict.findings, []);
    assert_eq!(verdict.totals, written.totals);
    let lines = [AuditTable::Runs, AuditTable::Rows, AuditTable::Attempts, AuditTable::Exceptions];
    assert_eq!(lines.map(|table| verdict.totals.lines(table)), [1, 20, 20, 0]);
    assert!(verdict.totals.lines(AuditTable::Events) >= 2, "it was opened and started");
}
