//! Creates a run in which evidence ends doubts, in one transaction.

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::create_run::{self, AT_ONCE};
use super::other_runs::{self, IsLocked};
use super::{commit, read, standings, start};
use crate::input::InputError;
use crate::ledger::resolution::ORDERS_AT_ONCE;
use crate::ledger::{Resolution, Run, decision};
use crate::model::{Counts, Order};

/// Why it could not be created.
pub(super) enum CreateError {
    Input(InputError),
    Database(rusqlite::Error),
    Changed(Order),
}

impl From<rusqlite::Error> for CreateError {
    fn from(cause: rusqlite::Error) -> Self {
        CreateError::Database(cause)
    }
}

/// Creates the run with its finished start, and ends the doubts of the decided orders.
pub(super) fn create(
    connection: &mut Connection,
    resolution: Resolution<'_>,
    is_locked: IsLocked<'_>,
) -> Result<Run, CreateError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let Resolution { new, rows, on_record, decided, can_be_decided, doubts, start, events } =
        resolution;
    for orders in decided.chunks(ORDERS_AT_ONCE) {
        let standings = standings::of_orders(&transaction, &new.endpoint, orders, is_locked)?;
        let mut known = orders.iter().zip(&standings);
        if let Some((order, _)) = known.find(|(order, its)| !can_be_decided(**order, its)) {
            return Err(CreateError::Changed(*order));
        }
    }
    let run = create_run::insert_run(&transaction, &new)?;
    let counts = insert_rows(&transaction, run, rows)?;
    for part in on_record.chunks(AT_ONCE) {
        create_run::index_orders(&transaction, run, part)?;
        create_run::pack_orders(&transaction, run, part)?;
    }
    doubts.iter().try_for_each(|order| other_runs::note_doubt(&transaction, run, *order))?;
    decided
        .iter()
        .try_for_each(|order| other_runs::end_doubt(&transaction, &new.endpoint, *order))?;
    create_run::set_counts(&transaction, run, counts.total(), &counts)?;
    // None of its rows is left to be claimed.
    transaction.execute(
        "UPDATE progress SET first_fresh = ?2 + 1 WHERE run = ?1",
        params![run, counts.total()],
    )?;
    let number = start::insert_start(&transaction, run, &start)?;
    transaction
        .execute("UPDATE start SET finished_at = started_at WHERE number = ?1", params![number])?;
    commit::insert_events(&transaction, run, number, &events)?;
    let run = read::run_by_number(&transaction, run)?;
    transaction.commit()?;
    Ok(run)
}

/// Records every row. Returns their counts: all of them are decided.
fn insert_rows(
    transaction: &Transaction<'_>,
    run: i64,
    rows: &mut dyn Iterator<Item = Result<crate::input::PlannedRow, InputError>>,
) -> Result<Counts, CreateError> {
    let mut counts = Counts::default();
    loop {
        let part = rows.take(AT_ONCE).collect::<Result<Vec<_>, _>>().map_err(CreateError::Input)?;
        if part.is_empty() {
            return Ok(counts);
        }
        part.iter().for_each(|planned| decision::count(&planned.disposition, &mut counts));
        create_run::insert_rows(transaction, run, part)?;
    }
}
