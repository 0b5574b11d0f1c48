//! What tests put into a ledger, and read of it.

use cardcancel::ledger::{Ledger, NewRun, RowRecord, Run};
use jiff::Timestamp;

/// A run of a file, the first in its ledger.
pub fn new_run(opened_at: Timestamp) -> NewRun {
    NewRun {
        id: "night".to_owned(),
        key: "key".to_owned(),
        command: "run".to_owned(),
        input_name: "orders.csv".to_owned(),
        input_digest: "digest".to_owned(),
        endpoint: "https://example.com".to_owned(),
        program: "test".to_owned(),
        opened_at,
    }
}

/// Every row of the run, in order.
pub fn records(ledger: &mut dyn Ledger, run: &Run) -> Vec<RowRecord> {
    let mut records = Vec::new();
    let mut keep = |record: &mut RowRecord| {
        records.push(record.clone());
        Ok(())
    };
    ledger.rows(run, &mut keep).unwrap();
    records
}
