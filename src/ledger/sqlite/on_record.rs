//! Looks up the recorded rows of orders in all runs.

use rusqlite::{Connection, params};

use super::read;
use crate::ledger::OnRecord;
use crate::model::{Order, RowNumber};

/// For each of these orders, in the same sequence, the rows at the endpoint that carry it.
pub(super) fn find(
    ledger: &Connection,
    endpoint: &str,
    orders: &[Order],
) -> rusqlite::Result<Vec<Vec<OnRecord>>> {
    let mut find = ledger.prepare_cached(
        "SELECT same.row, CASE WHEN run.forgotten_at IS NOT NULL THEN 0 ELSE coalesce(row.status, (
             SELECT outcome.status FROM attempt JOIN outcome ON outcome.number = attempt.outcome
             WHERE attempt.run = same.run AND attempt.row = same.row
               AND outcome.status IS NOT NULL)) END,
             same.run, run.forgotten_at IS NULL AND coalesce(row.kept, 0),
             EXISTS (SELECT 1 FROM doubt
                     WHERE doubt.admin_number = ?1 AND doubt.sequence_number = ?2
                       AND doubt.run = same.run)
                 OR coalesce(row.doubt, 0) AND EXISTS (
                     SELECT 1 FROM doubt JOIN run AS other ON other.number = doubt.run
                     WHERE doubt.admin_number = ?1 AND doubt.sequence_number = ?2
                       AND other.endpoint = ?3)
                 OR EXISTS (SELECT 1 FROM in_flight
                     WHERE in_flight.run = same.run AND in_flight.row = same.row),
             coalesce((SELECT max(start) FROM attempt
                       WHERE attempt.run = same.run AND attempt.row = same.row),
                      (SELECT min(number) FROM start WHERE start.run = same.run), 0)
         FROM row_by_order AS same
         CROSS JOIN run ON run.number = same.run
         LEFT JOIN row ON row.run = same.run AND row.row = same.row
         WHERE same.admin_number = ?1 AND same.sequence_number = ?2
           AND run.endpoint = ?3 AND run.rows IS NOT NULL",
    )?;
    let mut of_order = |order: &Order| {
        find.query_map(params![order.admin_number, order.sequence_number, endpoint], |row| {
            Ok(OnRecord {
                run: row.get(2)?,
                row: RowNumber(row.get(0)?),
                carried_over: row.get(3)?,
                status: read::status(row, 1)?,
                leaves_doubt: row.get(4)?,
                start: row.get(5)?,
            })
        })?
        .collect()
    };
    orders.iter().map(&mut of_order).collect()
}
