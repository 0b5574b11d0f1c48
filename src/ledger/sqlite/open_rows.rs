//! Reads the rows of a run that are open.

use rusqlite::{Connection, params};

use super::read::{self, RowReader, RowsQuery};
use crate::ledger::Run;
use crate::ledger::row_record::RecordBuilder;

/// Calls `each` with every row that may be open, in order, once all of it was added.
pub(super) fn candidates(
    connection: &Connection,
    run: &Run,
    each: &mut dyn FnMut(&mut RecordBuilder) -> anyhow::Result<()>,
    fail: &dyn Fn(rusqlite::Error) -> anyhow::Error,
) -> anyhow::Result<()> {
    if !run.has_ended() {
        // No index has the rows that were never claimed.
        return read::rows(connection, run, &RowsQuery::all(run, false), each, fail);
    }
    let ledger = connection.unchecked_transaction().map_err(fail)?;
    let rows = may_be_open(&ledger, run.number).map_err(fail)?;
    let mut reader = RowReader::new(&ledger, run.number).map_err(fail)?;
    let mut builder = RecordBuilder::new();
    let mut each_range = |first, last| reader.read(run, first, last, &mut builder, each, fail);
    rows.chunk_by(|row, next| *next == row + 1).try_for_each(|range| match range {
        [first, .., last] => each_range(*first, *last),
        [only] => each_range(*only, *only),
        [] => Ok(()),
    })
}

/// The rows of a run that has ended which may be open: those with an attempt that failed or lost
/// its answer, and those that were decided without a call or whose orders are in doubt.
fn may_be_open(ledger: &Connection, run: i64) -> rusqlite::Result<Vec<u32>> {
    let mut find = ledger.prepare(
        "SELECT attempt.row FROM attempt INDEXED BY attempt_without_success
         JOIN outcome ON outcome.number = attempt.outcome
         WHERE run = ?1 AND outcome > 0 AND (status IS NULL OR status IN (3, 4))
         UNION
         SELECT row FROM row INDEXED BY row_with_more
         WHERE run = ?1 AND (status IS NOT NULL OR doubt = 1)
           AND (doubt = 1 OR status IN (3, 4, 7))
         ORDER BY 1",
    )?;
    find.query_map(params![run], |row| row.get(0))?.collect()
}
