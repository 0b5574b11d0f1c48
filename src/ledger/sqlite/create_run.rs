//! Creates a run with all of its rows, or none. The rows are recorded in many short transactions,
//! so that other runs on the ledger can proceed. Until the last transaction sets its number of
//! rows, the run is not visible.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use rusqlite::{
    Connection, OptionalExtension, Statement, Transaction, TransactionBehavior, params,
};

use super::bulk_insert::BulkInsert;
use super::{other_runs, packed, read};
use crate::input::{Disposition, InputError, OrderKey, PlannedRow, Role, rows_on_record};
use crate::ledger::decision::{self, RowDecision};
use crate::ledger::send_order::SendOrder;
use crate::ledger::{NewRun, Run, codes};
use crate::model::{Counts, Status};

/// The number of rows recorded by one transaction, which takes some tens of milliseconds.
pub(super) const AT_ONCE: usize = 20_000;
/// How long the ledger is left unlocked between two transactions. It must be longer than the
/// interval at which another process retries.
const LEFT_TO_OTHERS: Duration = Duration::from_millis(2);

pub(super) enum InsertError {
    Input(InputError),
    Database(rusqlite::Error),
}

impl From<rusqlite::Error> for InsertError {
    fn from(cause: rusqlite::Error) -> Self {
        InsertError::Database(cause)
    }
}

/// Resumes the creation of a run with the same key if it was interrupted.
pub(super) fn create_run(
    connection: &mut Connection,
    new: &NewRun,
    rows: &mut dyn Iterator<Item = Result<PlannedRow, InputError>>,
    by_order: &[OrderKey],
) -> Result<Run, InsertError> {
    let (number, recorded) = begin(connection, new)?;
    // Rows lost in a power failure are recorded again, since the last commit makes all durable.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    let counted = record(connection, number, recorded, rows, by_order);
    connection.pragma_update(None, "synchronous", "FULL")?;
    let (count, decided) = counted?;
    Ok(complete(connection, number, count, &decided)?)
}

/// Records the rows after the last recorded one. Returns the number of rows, and the counts of
/// those that are decided.
fn record(
    connection: &mut Connection,
    number: i64,
    recorded: u32,
    rows: &mut dyn Iterator<Item = Result<PlannedRow, InputError>>,
    by_order: &[OrderKey],
) -> Result<(u64, Counts), InsertError> {
    let mut decided = Counts::default();
    let mut send_order = SendOrder::default();
    let mut count = 0;
    let rows = rows.filter(|planned| {
        let Ok(PlannedRow { row, disposition, place, .. }) = planned else { return true };
        count += 1;
        send_order.note(*row, *place, disposition);
        decision::count(disposition, &mut decided);
        row.0 > recorded
    });
    in_parts(connection, rows, |transaction, part| insert_rows(transaction, number, part))?;
    let by_place = send_order.iter().map(Ok);
    in_parts(connection, by_place, |transaction, part| insert_places(transaction, number, part))?;
    let orders = rows_on_record(by_order).map(Ok);
    in_parts(connection, orders, |transaction, part| {
        index_orders(transaction, number, &part)?;
        pack_orders(transaction, number, &part)
    })?;
    let doubt = |keyed: &&OrderKey| matches!(keyed.role(), Role::SentInDoubt | Role::KeptInDoubt);
    let doubts = by_order.iter().filter(doubt).map(Ok);
    in_parts(connection, doubts, |transaction, part| {
        part.iter().try_for_each(|keyed| other_runs::note_doubt(transaction, number, keyed.order()))
    })?;
    Ok((count, decided))
}

/// Inserts the run, or reuses one whose creation was interrupted. Returns its number and the last
/// recorded row. A run of another version of the program is not reused, because it may have
/// decided rows differently.
fn begin(connection: &mut Connection, new: &NewRun) -> rusqlite::Result<(i64, u32)> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let cut_short: Option<(i64, u32)> = transaction
        .query_row(
            "SELECT number, coalesce((SELECT max(row) FROM row WHERE run = number), 0) FROM run
             WHERE key = ?1 AND program = ?2 AND rows IS NULL",
            [&new.key, &new.program],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let (number, recorded) = match cut_short {
        None => (insert_run(&transaction, new)?, 0),
        Some((number, recorded)) => {
            let id = free_id(&transaction, new)?;
            transaction.execute(
                "UPDATE run SET id = ?2, input_name = ?3, opened_at = ?4 WHERE number = ?1",
                params![number, id, new.input_name, new.opened_at.as_microsecond()],
            )?;
            (number, recorded)
        }
    };
    transaction.commit()?;
    Ok((number, recorded))
}

/// The run's identifier, or the first alternative that is not in use.
fn free_id(transaction: &Transaction<'_>, new: &NewRun) -> rusqlite::Result<String> {
    let mut find = transaction.prepare("SELECT EXISTS (SELECT 1 FROM run WHERE id = ?1)")?;
    for id in new.ids() {
        if !find.query_row([&id], |row| row.get(0))? {
            return Ok(id);
        }
    }
    Ok(new.id.clone())
}

/// Inserts a run without rows. Returns its number.
pub(super) fn insert_run(transaction: &Transaction<'_>, new: &NewRun) -> rusqlite::Result<i64> {
    let id = free_id(transaction, new)?;
    transaction.execute(
        "INSERT INTO run (id, key, command, input_name, input_digest, endpoint, program, opened_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            id,
            new.key,
            new.command,
            new.input_name,
            new.input_digest,
            new.endpoint,
            new.program,
            new.opened_at.as_microsecond(),
        ],
    )?;
    let number = transaction.last_insert_rowid();
    transaction.execute("INSERT INTO progress (run) VALUES (?1)", [number])?;
    Ok(number)
}

/// Records items in a series of short transactions. They are read, which may take long, between
/// the transactions.
fn in_parts<T>(
    connection: &mut Connection,
    mut items: impl Iterator<Item = Result<T, InputError>>,
    record: impl Fn(&Transaction<'_>, Vec<T>) -> rusqlite::Result<()>,
) -> Result<(), InsertError> {
    let mut free_since = Instant::now();
    loop {
        let part = items.by_ref().take(AT_ONCE).collect::<Result<Vec<T>, _>>();
        let part = part.map_err(InsertError::Input)?;
        if part.is_empty() {
            return Ok(());
        }
        std::thread::sleep(LEFT_TO_OTHERS.saturating_sub(free_since.elapsed()));
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        record(&transaction, part)?;
        transaction.commit()?;
        free_since = Instant::now();
    }
}

fn complete(
    connection: &mut Connection,
    number: i64,
    rows: u64,
    decided: &Counts,
) -> rusqlite::Result<Run> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    set_counts(&transaction, number, rows, decided)?;
    let run = read::run_by_number(&transaction, number)?;
    transaction.commit()?;
    Ok(run)
}

/// Sets the number of rows, with which the run is complete, and the counts of those that are decided.
pub(super) fn set_counts(
    transaction: &Transaction<'_>,
    number: i64,
    rows: u64,
    decided: &Counts,
) -> rusqlite::Result<()> {
    transaction.execute("UPDATE run SET rows = ?2 WHERE number = ?1", params![number, rows])?;
    let [a, b, c, d, e, f, g, h] = Status::ALL.map(|status| decided.get(status));
    transaction.execute(
        "UPDATE progress SET cancelled = ?2, already_cancelled = ?3, rejected = ?4, failed = ?5,
             in_doubt = ?6, invalid = ?7, duplicate = ?8, not_sent = ?9,
             rejected_with_doubt = ?10
         WHERE run = ?1",
        params![number, a, b, c, d, e, f, g, h, decided.rejected_with_doubt()],
    )?;
    Ok(())
}

static PLACES: LazyLock<BulkInsert<3>> =
    LazyLock::new(|| BulkInsert::statement("INSERT OR IGNORE INTO place (run, place, row)"));

fn insert_places(
    transaction: &Transaction<'_>,
    run: i64,
    places: Vec<(u32, u32)>,
) -> rusqlite::Result<()> {
    let mut insert = PLACES.inserter(transaction);
    for (place, row) in places {
        insert.insert([run, place.into(), row.into()])?;
    }
    insert.finish()
}

static PLAIN_ROWS: LazyLock<BulkInsert<4>> =
    LazyLock::new(|| BulkInsert::into("row (run, row, admin_number, sequence_number)"));

/// Records rows.
pub(super) fn insert_rows(
    transaction: &Transaction<'_>,
    run: i64,
    rows: Vec<PlannedRow>,
) -> rusqlite::Result<()> {
    let mut plain = PLAIN_ROWS.inserter(transaction);
    let mut other = transaction.prepare_cached(
        "INSERT INTO row (run, row, admin_number, sequence_number, status, kept, doubt, error_code, message)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    for planned in rows {
        match planned {
            PlannedRow {
                row,
                order: Some(order),
                disposition: Disposition::ToSend { doubt: false },
                ..
            } => {
                let (admin, sequence) = (order.admin_number, order.sequence_number.into());
                plain.insert([run, row.0.into(), admin, sequence])?;
            }
            planned => insert_other(&mut other, run, planned)?,
        }
    }
    plain.finish()
}

/// Inserts a row that is not simply to be sent.
fn insert_other(insert: &mut Statement<'_>, run: i64, planned: PlannedRow) -> rusqlite::Result<()> {
    let PlannedRow { row, order, disposition, .. } = planned;
    let decision = RowDecision::from(disposition);
    let RowDecision { status, carried_over, doubt, error_code, message } = decision;
    insert.execute(params![
        run,
        row.0,
        order.map(|order| order.admin_number),
        order.map(|order| order.sequence_number),
        status.map(codes::of_status),
        carried_over,
        doubt,
        error_code,
        message,
    ])?;
    Ok(())
}

static ORDERS: LazyLock<BulkInsert<4>> = LazyLock::new(|| {
    BulkInsert::statement(
        "INSERT OR IGNORE INTO row_by_order (admin_number, sequence_number, run, row)",
    )
});

/// Inserts in sorted order, so that the B-tree grows in few places whatever the order of the file.
pub(super) fn index_orders(
    transaction: &Transaction<'_>,
    run: i64,
    by_order: &[OrderKey],
) -> rusqlite::Result<()> {
    let mut insert = ORDERS.inserter(transaction);
    for keyed in by_order {
        let order = keyed.order();
        let (admin, sequence) = (order.admin_number, order.sequence_number.into());
        insert.insert([admin, sequence, run, keyed.row().0.into()])?;
    }
    insert.finish()
}

/// Packs the same orders. When an interrupted creation resumes, the parts have the same limits.
pub(super) fn pack_orders(
    transaction: &Transaction<'_>,
    run: i64,
    by_order: &[OrderKey],
) -> rusqlite::Result<()> {
    let (Some(first), Some(last)) = (by_order.first(), by_order.last()) else { return Ok(()) };
    transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO packed_orders
                 (run, first_admin, first_sequence, last_admin, orders)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            run,
            first.order().admin_number,
            first.order().sequence_number,
            last.order().admin_number,
            packed::pack(by_order),
        ])
        .map(drop)
}
