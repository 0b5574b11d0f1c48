//! Starts a run: completes the calls that a dead process left in flight, and determines the work
//! to do.

use std::collections::VecDeque;

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::active_run::ActiveRun;
use super::claim_ranges::ClaimRanges;
use super::other_runs::{self, IsLocked};
use super::outcome_table::{OutcomeRow, OutcomeTable};
use super::{read, requests};
use crate::hash::Digest;
use crate::ledger::{PendingRow, Run, StartOptions, StartedRun, codes, interrupted};
use crate::model::{Order, ReasonCode, RowNumber, Status};
use crate::process;

/// Starts a locked run, and completes the calls that a dead process left in flight as lost.
pub(super) fn start(
    connection: &mut Connection,
    run: &Run,
    start: StartOptions,
    is_locked: IsLocked<'_>,
) -> rusqlite::Result<(ActiveRun, StartedRun)> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let before = last_start(&transaction, run.number)?;
    let number = insert_start(&transaction, run.number, &start)?;
    let first_fresh = transaction.query_row(
        "SELECT first_fresh FROM progress WHERE run = ?1",
        [run.number],
        |row| row.get(0),
    )?;
    let mut outcomes = OutcomeTable::load(&transaction)?;
    let interrupted =
        complete_interrupted(&transaction, run.number, before, &mut outcomes, &start)?;
    other_runs::drop_ended_doubts(&transaction, run.number)?;
    other_runs::inherit_doubts(&transaction, run.number, is_locked)?;
    let run = read::run_by_number(&transaction, run.number)?;
    let mut counts = run.counts;
    counts.add(Status::InDoubt, interrupted);
    let has_places = transaction.query_row(
        "SELECT EXISTS (SELECT 1 FROM place WHERE run = ?1)",
        [run.number],
        |row| row.get(0),
    )?;
    let waiting = unended(&transaction, run.number)?;
    let rows = waiting.iter().map(|(waiting, place)| (waiting.row.0, *place)).collect();
    let mut active = ActiveRun {
        number: run.number,
        start: number,
        endpoint: run.opened.endpoint,
        again: start.again,
        has_others: false,
        has_places,
        ahead: VecDeque::new(),
        read_to: first_fresh,
        end: u32::try_from(run.rows).unwrap_or(u32::MAX - 1) + 1,
        claims: ClaimRanges::load(&transaction, run.number, has_places, rows)?,
        outcomes,
        attempts: run.attempts,
        counts,
    };
    active.read_ahead(&transaction)?;
    active.note_progress(&transaction)?;
    let last_request = requests::newest(&transaction)?;
    transaction.commit()?;
    let exhausted = active.is_exhausted();
    let waiting = waiting.into_iter().map(|(waiting, _)| waiting).collect();
    let pace = run.pace;
    Ok((active, StartedRun { waiting, exhausted, last_request, pace, ..StartedRun::default() }))
}

/// The number of the run's last start; `None` if it was never started.
fn last_start(transaction: &Transaction<'_>, run: i64) -> rusqlite::Result<Option<i64>> {
    transaction.query_row("SELECT max(number) FROM start WHERE run = ?1", [run], |row| row.get(0))
}

/// Records who starts the run, why, and with which settings. Returns the number of the start.
pub(super) fn insert_start(
    transaction: &Transaction<'_>,
    run: i64,
    start: &StartOptions,
) -> rusqlite::Result<i64> {
    let StartOptions { by, purpose, configuration, .. } = start;
    let digest = Digest::new(configuration).to_string();
    transaction.execute(
        "INSERT OR IGNORE INTO configuration (digest, text) VALUES (?1, ?2)",
        [&digest, configuration],
    )?;
    transaction.execute(
        "INSERT INTO start (run, started_at, started_by, program, rates, configuration, uid,
             user_name, login_uid, login_name, host, process, unit, ssh_connection, reason,
             requested_by, ticket, cut_off)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
        params![
            run,
            start.at.as_microsecond(),
            by.to_string(),
            process::PROGRAM,
            start.rates,
            digest,
            by.uid,
            by.user,
            by.login_uid,
            by.login,
            by.host,
            by.process,
            by.unit,
            by.ssh_connection,
            purpose.reason,
            purpose.requested_by,
            purpose.ticket,
            start.cut_off.map(Timestamp::as_microsecond),
        ],
    )?;
    Ok(transaction.last_insert_rowid())
}

/// Completes the calls that the start `before` left in flight when its process died. Returns the number of rows that ended
/// in doubt by that.
fn complete_interrupted(
    transaction: &Transaction<'_>,
    run: i64,
    before: Option<i64>,
    outcomes: &mut OutcomeTable,
    start: &StartOptions,
) -> rusqlite::Result<u64> {
    let status = interrupted::status(start.on_doubt);
    other_runs::note_interrupted(transaction, run)?;
    let outcome = outcomes.number(transaction, OutcomeRow::interrupted(status))?;
    let completed = transaction.execute(
        "INSERT INTO attempt (run, row, attempt, claimed_at, ended_at, outcome, start)
         SELECT run, row, attempt, claimed_at, ?2, ?3, ?4 FROM in_flight WHERE run = ?1",
        params![run, start.at.as_microsecond(), outcome, before],
    )?;
    Ok(if status.is_some() { completed as u64 } else { 0 })
}

/// The claimed rows that have not ended, each with its position, ordered by position. Attempts of
/// a start that an outage stopped do not count, nor do interrupted ones.
fn unended(transaction: &Transaction<'_>, run: i64) -> rusqlite::Result<Vec<(PendingRow, u32)>> {
    let mut find = transaction.prepare(
        "SELECT row.row, admin_number, sequence_number, count(attempt.attempt),
                count(attempt.attempt) FILTER (WHERE outcome.error_code <> ?2
                    AND outcome.verdict <> ?4 AND NOT EXISTS (
                    SELECT 1 FROM start
                    WHERE start.run = row.run AND start.stop = ?5
                      AND attempt.claimed_at BETWEEN start.started_at AND start.finished_at)),
                max(row.doubt, coalesce(max(outcome.verdict = ?3), 0)),
                first_place + row.row - first_row AS place
         FROM claim
         CROSS JOIN row ON row.run = claim.run AND row.row >= first_row AND row.row < end_row
         LEFT JOIN attempt ON attempt.run = row.run AND attempt.row = row.row
         LEFT JOIN outcome ON outcome.number = attempt.outcome
         WHERE claim.run = ?1 AND claim.attempt = 1 AND row.status IS NULL
         GROUP BY row.row HAVING count(outcome.status) = 0 ORDER BY place",
    )?;
    let (interrupted, outage) = (interrupted::CODE.to_string(), ReasonCode::Outage.to_string());
    let (doubt, stop) = (codes::DOUBT, codes::STOP);
    find.query_map(params![run, interrupted, doubt, stop, outage], |row| {
        let waiting = PendingRow {
            row: RowNumber(row.get(0)?),
            order: Order { admin_number: row.get(1)?, sequence_number: row.get(2)? },
            attempts: row.get(3)?,
            counted_attempts: row.get(4)?,
            doubt: row.get(5)?,
        };
        Ok((waiting, row.get(6)?))
    })?
    .collect()
}
