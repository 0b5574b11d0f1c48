//! Creates a run with all of its rows, or none. The rows are recorded in many short transactions.
//! Until the last one sets its number of rows, the run is not visible. A process that starts with
//! the same file meanwhile, or after another one died, records the missing rows.

use tokio_postgres::types::ToSql;

use super::connection::DatabaseConnection;
use super::error::DbError;
use super::read;
use super::session::Session;
use super::text::storable;
use crate::input::{InputError, OrderKey, PlannedRow, Role};
use crate::ledger::decision::{self, RowDecision};
use crate::ledger::send_order::SendOrder;
use crate::ledger::{CreateRunError, NewRun, Run, codes};
use crate::model::{Counts, Order, Status};

/// The number of rows recorded by one transaction, which takes some tenths of a second.
pub(super) const AT_ONCE: usize = 20_000;

/// Creates the run, unless one with its key and a higher number than `seen` exists by now.
pub(super) fn create_run(
    connection: &mut DatabaseConnection,
    new: &NewRun,
    seen: i64,
    rows: &mut dyn Iterator<Item = Result<PlannedRow, InputError>>,
    by_order: &[OrderKey],
) -> Result<Run, CreateRunError> {
    let number = match connection.with_retry(async |session| begin(session, new, seen).await)? {
        Created::Already(run) => return Ok(*run),
        Created::Half(number) => number,
    };
    let (mut count, mut decided) = (0_i64, Counts::default());
    let mut send_order = SendOrder::default();
    loop {
        let part = rows.take(AT_ONCE).collect::<Result<Vec<_>, _>>();
        let part = part.map_err(CreateRunError::Input)?;
        part.iter().for_each(|row| send_order.note(row.row, row.place, &row.disposition));
        let part = RowColumns::new(part, &mut decided);
        if part.row.is_empty() {
            break;
        }
        count += part.row.len() as i64;
        let is_done =
            connection.with_retry(async |session| record(session, number, &part).await)?;
        if is_done {
            // Another process was faster, and has recorded all of them.
            send_order = SendOrder::default();
            break;
        }
    }
    let (places, rows): (Vec<i64>, Vec<i64>) =
        send_order.iter().map(|(place, row)| (i64::from(place), i64::from(row))).unzip();
    for (places, rows) in places.chunks(AT_ONCE).zip(rows.chunks(AT_ONCE)) {
        connection.with_retry(async |session| place(session, number, places, rows).await)?;
    }
    let by_place = !places.is_empty();
    let is_in_doubt =
        |keyed: &&OrderKey| matches!(keyed.role(), Role::SentInDoubt | Role::KeptInDoubt);
    let doubts: Vec<Order> =
        by_order.iter().filter(is_in_doubt).map(|keyed| keyed.order()).collect();
    for orders in doubts.chunks(AT_ONCE) {
        connection.with_retry(async |session| doubt(session, number, orders).await)?;
    }
    Ok(connection
        .with_retry(async |session| complete(session, number, count, by_place, &decided).await)?)
}

/// A run that was found or inserted.
enum Created {
    /// It has all of its rows.
    Already(Box<Run>),
    /// Its creation is not complete.
    Half(i64),
}

/// Finds the run or one whose creation was interrupted, or inserts one. A run of another version
/// of the program is not resumed, because it may have decided rows differently. One query looks
/// for both: the process that records a run's last rows waits for no lock, so between two queries
/// the run would be found by neither.
async fn begin(session: &mut Session, new: &NewRun, seen: i64) -> Result<Created, DbError> {
    session.client.batch_execute("BEGIN").await?;
    let lock = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
    session.client.execute(lock, &[&new.key]).await?;
    let find = "SELECT number, rows IS NOT NULL FROM run
                WHERE key = $1 AND CASE WHEN rows IS NULL THEN program = $2 ELSE number > $3 END
                ORDER BY rows IS NULL, number DESC LIMIT 1";
    let opened = match session.client.query_opt(find, &[&new.key, &new.program, &seen]).await? {
        None => Created::Half(insert(session, new).await?),
        Some(found) if found.try_get(1)? => {
            let run = read::run_by_number(session, found.try_get(0)?).await?;
            Created::Already(Box::new(run.ok_or(DbError::Silent)?))
        }
        Some(half) => Created::Half(half.try_get(0)?),
    };
    session.client.batch_execute("COMMIT").await?;
    Ok(opened)
}

/// Inserts a run without rows. Returns its number.
pub(super) async fn insert(session: &mut Session, new: &NewRun) -> Result<i64, DbError> {
    let insert = "INSERT INTO run (id, key, command, input_name, input_digest, endpoint, program,
                                   opened_at)
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                  ON CONFLICT (id) DO NOTHING RETURNING number";
    for id in new.ids() {
        let values: [&(dyn ToSql + Sync); 8] = [
            &id,
            &new.key,
            &new.command,
            &new.input_name,
            &new.input_digest,
            &new.endpoint,
            &new.program,
            &new.opened_at,
        ];
        if let Some(inserted) = session.client.query_opt(insert, &values).await? {
            return Ok(inserted.try_get(0)?);
        }
    }
    Err(DbError::Silent)
}

/// Records the rows that are not recorded yet. Returns whether the run is complete.
pub(super) async fn record(
    session: &mut Session,
    run: i64,
    part: &RowColumns,
) -> Result<bool, DbError> {
    // Rows lost in a power failure are recorded again, since the last commit makes all durable.
    session.client.batch_execute("BEGIN; SET LOCAL synchronous_commit = off").await?;
    let locked = "SELECT rows IS NOT NULL FROM run WHERE number = $1 FOR UPDATE";
    let is_open: bool = session.client.query_one(locked, &[&run]).await?.try_get(0)?;
    let last = "SELECT coalesce(max(row), 0) FROM row WHERE run = $1";
    let last: i64 = session.client.query_one(last, &[&run]).await?.try_get(0)?;
    let from = part.row.partition_point(|row| *row <= last);
    if !is_open && from < part.row.len() {
        let insert = session.statement(include_str!("sql/insert_rows.sql")).await?;
        let values: [&(dyn ToSql + Sync); 9] = [
            &run,
            &&part.row[from..],
            &&part.admin_number[from..],
            &&part.sequence_number[from..],
            &&part.status[from..],
            &&part.carried_over[from..],
            &&part.doubt[from..],
            &&part.error_code[from..],
            &&part.message[from..],
        ];
        session.client.execute(&insert, &values).await?;
    }
    session.client.batch_execute("COMMIT").await?;
    Ok(is_open)
}

/// Records the orders for which an answer was lost before this run.
pub(super) async fn doubt(
    session: &mut Session,
    run: i64,
    orders: &[Order],
) -> Result<(), DbError> {
    let note = session.statement(include_str!("sql/note_doubt.sql")).await?;
    let (admin_number, sequence_number): (Vec<i64>, Vec<i32>) =
        orders.iter().map(|order| (order.admin_number, order.sequence_number)).unzip();
    session.client.execute(&note, &[&run, &admin_number, &sequence_number]).await?;
    Ok(())
}

/// Records the positions of rows in the send order.
async fn place(
    session: &mut Session,
    run: i64,
    places: &[i64],
    rows: &[i64],
) -> Result<(), DbError> {
    let insert = session.statement(include_str!("sql/insert_places.sql")).await?;
    session.client.execute(&insert, &[&run, &places, &rows]).await?;
    Ok(())
}

/// Completes the creation, unless another process did.
async fn complete(
    session: &mut Session,
    run: i64,
    rows: i64,
    by_place: bool,
    decided: &Counts,
) -> Result<Run, DbError> {
    set_counts(session, run, rows, by_place, decided).await?;
    let run = read::run_by_number(session, run).await?;
    run.ok_or(DbError::Silent)
}

/// Sets the number of rows, with which the run is complete, and the counts of those that are decided,
/// unless another process did.
pub(super) async fn set_counts(
    session: &mut Session,
    run: i64,
    rows: i64,
    by_place: bool,
    decided: &Counts,
) -> Result<(), DbError> {
    let sql = "UPDATE run SET rows = $2, cancelled = $3, already_cancelled = $4, rejected = $5,
                   failed = $6, in_doubt = $7, invalid = $8, duplicate = $9, not_sent = $10,
                   by_place = $11, rejected_with_doubt = $12
               WHERE number = $1 AND rows IS NULL";
    let counts = Status::ALL.map(|status| decided.get(status) as i64);
    let mut values: Vec<&(dyn ToSql + Sync)> = vec![&run, &rows];
    values.extend(counts.iter().map(|count| count as &(dyn ToSql + Sync)));
    let with_doubt = decided.rejected_with_doubt() as i64;
    values.extend([&by_place as &(dyn ToSql + Sync), &with_doubt]);
    session.client.execute(sql, &values).await?;
    Ok(())
}

/// Rows for the table `row`, column by column.
#[derive(Default)]
pub(super) struct RowColumns {
    row: Vec<i64>,
    admin_number: Vec<Option<i64>>,
    sequence_number: Vec<Option<i32>>,
    status: Vec<Option<i16>>,
    carried_over: Vec<bool>,
    doubt: Vec<bool>,
    error_code: Vec<Option<String>>,
    message: Vec<Option<String>>,
}

impl RowColumns {
    /// Also counts the rows that are decided.
    pub fn new(rows: Vec<PlannedRow>, counts: &mut Counts) -> RowColumns {
        let mut columns = RowColumns::default();
        for PlannedRow { row, order, disposition, .. } in rows {
            decision::count(&disposition, counts);
            let decision = RowDecision::from(disposition);
            let RowDecision { status, carried_over, doubt, error_code, message } = decision;
            columns.row.push(row.0.into());
            columns.admin_number.push(order.map(|order| order.admin_number));
            columns.sequence_number.push(order.map(|order| order.sequence_number));
            columns.status.push(status.map(|status| codes::of_status(status) as i16));
            columns.carried_over.push(carried_over);
            columns.doubt.push(doubt);
            columns.error_code.push(error_code);
            columns.message.push(message.as_deref().map(storable));
        }
        columns
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.row.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.row.is_empty()
    }
}
