//! What tests put into a ledger, and read of it.

use cardcancel::input::{Disposition, PlannedRow};
use cardcancel::ledger::{Ledger, NewRun, RowRecord, Run};
use cardcancel::model::{Order, RowNumber};
use jiff::Timestamp;
use rusqlite::Connection;

use super::TestEnv;
use super::postgres::Database;

/// A run of a file, the first in its ledger.
pub fn new_run(opened_at: Timestamp) -> NewRun {
    NewRun {
        id: "night".to_owned(),
        key: "key".to_owned(),
        command: "run".to_owned(),
        input_name: "orders.csv".to_owned(),
        input_digest: "0123456789abcdef".repeat(4),
        endpoint: "https://example.com".to_owned(),
        program: "test".to_owned(),
        opened_at,
    }
}

/// Opens a run of so many rows, all to be sent.
pub fn create_run(ledger: &mut dyn Ledger, rows: u32, opened_at: Timestamp) -> Run {
    let new = new_run(opened_at);
    let mut lines = (1..=rows).map(|row| {
        let order = Order { admin_number: 1000 + i64::from(row), sequence_number: 1 };
        let disposition = Disposition::ToSend { doubt: false };
        let (line, place) = (u64::from(row) + 1, row);
        Ok(PlannedRow { row: RowNumber(row), line, order: Some(order), disposition, place })
    });
    ledger.create_run(new, &mut lines, &[]).unwrap()
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

/// Changes the program's ledger by this SQL, in the database if there is one, whatever ties its
/// tables together.
pub fn change_ledger(env: &TestEnv, database: Option<&Database>, sql: &str) {
    match database {
        Some(database) => {
            let mut client = database.client();
            client.batch_execute("SET search_path = cardcancel").unwrap();
            client.batch_execute("SET session_replication_role = replica").unwrap();
            client.batch_execute(sql).unwrap_or_else(|cause| panic!("{sql}: {cause:?}"));
        }
        None => {
            let ledger = Connection::open(env.ledger()).unwrap();
            ledger.pragma_update(None, "foreign_keys", false).unwrap();
            ledger.execute_batch(sql).unwrap_or_else(|cause| panic!("{sql}: {cause}"));
        }
    }
}
