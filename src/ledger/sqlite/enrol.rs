//! Opening a run: all its rows, or none.

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::super::{Counts, NewRun, Run};
use super::read;
use crate::intake::{Enrolment, IntakeError, Keyed, Part, Standing};
use crate::order::OwnCode;
use crate::outcome::Status;

pub(super) enum Failed {
    Intake(IntakeError),
    Database(rusqlite::Error),
}

impl From<rusqlite::Error> for Failed {
    fn from(cause: rusqlite::Error) -> Self {
        Failed::Database(cause)
    }
}

pub(super) fn enrol(
    connection: &mut Connection,
    new: &NewRun,
    rows: &mut dyn Iterator<Item = Result<Enrolment, IntakeError>>,
    by_order: &[Keyed],
) -> Result<Run, Failed> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let number = insert_run(&transaction, new)?;
    insert_rows(&transaction, number, rows)?;
    index_orders(&transaction, number, by_order)?;
    let run = read::run_by_number(&transaction, number)?;
    transaction.commit()?;
    Ok(run)
}

fn insert_run(transaction: &Transaction<'_>, new: &NewRun) -> rusqlite::Result<i64> {
    transaction.execute(
        "INSERT INTO run (id, key, command, input_name, input_digest, endpoint, program, opened_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            new.id,
            new.key,
            new.command,
            new.input_name,
            new.input_digest,
            new.endpoint,
            new.program,
            new.opened_at.as_microsecond(),
        ],
    )?;
    Ok(transaction.last_insert_rowid())
}

fn insert_rows(
    transaction: &Transaction<'_>,
    run: i64,
    rows: &mut dyn Iterator<Item = Result<Enrolment, IntakeError>>,
) -> Result<(), Failed> {
    let mut insert = transaction.prepare(
        "INSERT INTO row (run, row, admin_number, sequence_number, status, kept, doubt, error_code, message)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    let mut count = 0_u64;
    let mut decided = Counts::default();
    for enrolment in rows {
        let Enrolment { row, order, standing, .. } = enrolment.map_err(Failed::Intake)?;
        let Decided { status, kept, doubt, error_code, message } = decide(standing);
        if let Some(status) = status {
            decided.add(status, 1);
        }
        insert.execute(params![
            run,
            row.0,
            order.map(|order| order.admin_number),
            order.map(|order| order.sequence_number),
            status.map(Status::as_str),
            kept,
            doubt,
            error_code,
            message,
        ])?;
        count += 1;
    }
    transaction.execute("UPDATE run SET rows = ?2 WHERE number = ?1", params![run, count])?;
    add_counts(transaction, run, &decided)?;
    Ok(())
}

/// What the ledger records of a row's standing.
struct Decided {
    status: Option<Status>,
    kept: bool,
    doubt: bool,
    error_code: Option<String>,
    message: Option<String>,
}

fn decide(standing: Standing) -> Decided {
    let decided =
        Decided { status: None, kept: false, doubt: false, error_code: None, message: None };
    match standing {
        Standing::ToSend { doubt } => Decided { doubt, ..decided },
        Standing::Kept(status) => Decided { status: Some(status), kept: true, ..decided },
        Standing::Invalid(flaw) => Decided {
            status: Some(Status::Invalid),
            error_code: Some(flaw.code.to_string()),
            message: Some(flaw.message),
            ..decided
        },
        Standing::Duplicate { first } => Decided {
            status: Some(Status::Duplicate),
            error_code: Some(OwnCode::Duplicate.to_string()),
            message: Some(format!("the same order as row {first}, which decides")),
            ..decided
        },
    }
}

/// Adds to the run's counters.
pub(super) fn add_counts(
    connection: &Connection,
    run: i64,
    counts: &Counts,
) -> rusqlite::Result<()> {
    let mut add = connection.prepare_cached(
        "UPDATE run SET cancelled = cancelled + ?2, already_cancelled = already_cancelled + ?3,
             rejected = rejected + ?4, failed = failed + ?5, in_doubt = in_doubt + ?6,
             invalid = invalid + ?7, duplicate = duplicate + ?8, not_sent = not_sent + ?9
         WHERE number = ?1",
    )?;
    let [a, b, c, d, e, f, g, h] = Status::ALL.map(|status| counts.get(status));
    add.execute(params![run, a, b, c, d, e, f, g, h])?;
    Ok(())
}

/// Sorted inserts, so that the tree grows at few places however the file is ordered.
fn index_orders(
    transaction: &Transaction<'_>,
    run: i64,
    by_order: &[Keyed],
) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare(
        "INSERT OR IGNORE INTO row_by_order (admin_number, sequence_number, run, row)
         VALUES (?1, ?2, ?3, ?4)",
    )?;
    let sent = |keyed: &&Keyed| matches!(keyed.part(), Part::Sent | Part::SentInDoubt);
    for keyed in by_order.iter().filter(sent) {
        let order = keyed.order();
        insert.execute(params![order.admin_number, order.sequence_number, run, keyed.row().0])?;
    }
    Ok(())
}
