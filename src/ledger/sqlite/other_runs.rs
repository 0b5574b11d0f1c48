//! What the other runs at the endpoint know of an order, and what a run records for them.

use std::collections::HashMap;

use rusqlite::{CachedStatement, Connection, params};

use super::active_run::ActiveRun;
use crate::ledger::codes;
use crate::ledger::elsewhere::Elsewhere;
use crate::model::{Order, Status};

/// Whether a living process has locked the runs with this key.
pub(super) type IsLocked<'a> = &'a dyn Fn(&str) -> bool;

/// Looks up what other runs know of one order after another.
pub(super) struct OtherRuns<'l> {
    ledger: &'l Connection,
    find: CachedStatement<'l>,
    run: i64,
    is_locked: IsLocked<'l>,
    /// Whether each run looked up so far is in progress.
    alive: HashMap<i64, bool>,
}

/// A row of another run with the order.
struct OtherRow {
    run: i64,
    id: String,
    row: u32,
    is_cancelled: bool,
    is_in_doubt: bool,
    is_in_flight: bool,
}

impl<'l> OtherRuns<'l> {
    /// `None` if there is no other run at the endpoint. Once there is one, there always will be.
    pub fn new(
        ledger: &'l Connection,
        run: &mut ActiveRun,
        is_locked: IsLocked<'l>,
    ) -> rusqlite::Result<Option<Self>> {
        if !run.has_others {
            run.has_others = ledger
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM run WHERE endpoint = ?1 AND number <> ?2)",
                )?
                .query_row(params![run.endpoint, run.number], |row| row.get(0))?;
        }
        if !run.has_others {
            return Ok(None);
        }
        // The recorded verdict does not matter, because what a code means depends on the
        // configuration of that run. Outcomes with `Status` true have numbers below 0. Evidence
        // counts as such an answer. The attempt in flight, if there is one, follows those that
        // ended.
        let find = ledger.prepare_cached(
            "SELECT run.number, run.id, same.row,
                 run.forgotten_at IS NOT NULL OR EXISTS (
                     SELECT 1 FROM attempt
                     WHERE attempt.run = same.run AND attempt.row = same.row AND outcome < 0)
                     OR coalesce(row.status = 1 AND row.error_code = 'RESOLVED'
                                 AND run.rows IS NOT NULL, 0),
                 EXISTS (
                     SELECT 1 FROM doubt
                     WHERE doubt.admin_number = ?1 AND doubt.sequence_number = ?2
                       AND doubt.run = same.run),
                 run.forgotten_at IS NULL AND row.status IS NULL AND coalesce((
                     SELECT claimed_at IS NOT NULL AND end_row > same.row FROM claim
                     WHERE claim.run = same.run AND first_row <= same.row
                       AND claim.attempt = 1 + (
                           SELECT count(*) FROM attempt
                           WHERE attempt.run = same.run AND attempt.row = same.row)
                     ORDER BY first_row DESC LIMIT 1), 0)
             FROM row_by_order AS same
             CROSS JOIN run ON run.number = same.run
             LEFT JOIN row ON row.run = same.run AND row.row = same.row
             WHERE same.admin_number = ?1 AND same.sequence_number = ?2
               AND same.run <> ?3 AND run.endpoint = ?4",
        )?;
        Ok(Some(OtherRuns { ledger, find, run: run.number, is_locked, alive: HashMap::new() }))
    }

    /// What other runs know of the order. With `again`, a cancelled order is ignored.
    pub fn of_order(
        &mut self,
        order: Order,
        endpoint: &str,
        again: bool,
    ) -> rusqlite::Result<Elsewhere> {
        let Order { admin_number, sequence_number } = order;
        let found = self.find.query_map(
            params![admin_number, sequence_number, self.run, endpoint],
            |row| {
                Ok(OtherRow {
                    run: row.get(0)?,
                    id: row.get(1)?,
                    row: row.get(2)?,
                    is_cancelled: row.get(3)?,
                    is_in_doubt: row.get(4)?,
                    is_in_flight: row.get(5)?,
                })
            },
        )?;
        let found = found.collect::<rusqlite::Result<Vec<OtherRow>>>()?;
        let cancelled = found.iter().find(|found| found.is_cancelled);
        if let Some(OtherRow { id, row, .. }) = cancelled.filter(|_| !again) {
            return Ok(Elsewhere::Cancelled { run: id.clone(), row: *row });
        }
        for OtherRow { run, .. } in found.iter().filter(|found| found.is_in_flight) {
            if self.is_alive(*run)? {
                return Ok(Elsewhere::InFlight);
            }
        }
        // A call that a dead process had in flight may have been carried out.
        let lost = found.iter().any(|found| found.is_in_doubt || found.is_in_flight);
        Ok(if lost && cancelled.is_none() { Elsewhere::InDoubt } else { Elsewhere::Nothing })
    }

    /// Whether a process works on the run.
    fn is_alive(&mut self, run: i64) -> rusqlite::Result<bool> {
        if let Some(alive) = self.alive.get(&run) {
            return Ok(*alive);
        }
        let alive = is_alive(self.ledger, run, Some(self.run), self.is_locked)?;
        self.alive.insert(run, alive);
        Ok(alive)
    }
}

/// Whether a process works on another run. The holder of a key's lock works on the newest run
/// with that key; older ones are abandoned.
pub(super) fn is_alive(
    ledger: &Connection,
    run: i64,
    ours: Option<i64>,
    is_locked: IsLocked<'_>,
) -> rusqlite::Result<bool> {
    let newest: Option<String> = ledger
        .prepare_cached(
            "SELECT key FROM run AS asked WHERE number = ?1
               AND key IS NOT (SELECT key FROM run WHERE number = ?2)
               AND NOT EXISTS (
                   SELECT 1 FROM run WHERE run.key = asked.key AND run.number > asked.number)",
        )?
        .query_map(params![run, ours], |row| row.get(0))?
        .next()
        .transpose()?;
    Ok(newest.is_some_and(|key| is_locked(&key)))
}

/// Records that an answer for the order was lost in this run.
pub(super) fn note_doubt(ledger: &Connection, run: i64, order: Order) -> rusqlite::Result<()> {
    ledger
        .prepare_cached(
            "INSERT OR IGNORE INTO doubt (admin_number, sequence_number, run) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![order.admin_number, order.sequence_number, run])
        .map(drop)
}

/// Records that the order is cancelled: earlier calls leave no doubt, whatever their result.
pub(super) fn end_doubt(ledger: &Connection, endpoint: &str, order: Order) -> rusqlite::Result<()> {
    ledger
        .prepare_cached(
            "DELETE FROM doubt WHERE admin_number = ?1 AND sequence_number = ?2
               AND run IN (SELECT number FROM run WHERE endpoint = ?3)",
        )?
        .execute(params![order.admin_number, order.sequence_number, endpoint])
        .map(drop)
}

/// Records the calls that this run had in flight when its process died as lost.
pub(super) fn note_interrupted(ledger: &Connection, run: i64) -> rusqlite::Result<()> {
    ledger
        .execute(
            "INSERT OR IGNORE INTO doubt (admin_number, sequence_number, run)
             SELECT admin_number, sequence_number, row.run
             FROM in_flight JOIN row ON row.run = in_flight.run AND row.row = in_flight.row
             WHERE in_flight.run = ?1",
            [run],
        )
        .map(drop)
}

/// Takes doubts of other runs from the rows of this run that were never sent, if evidence has ended
/// them since.
pub(super) fn drop_ended_doubts(ledger: &Connection, run: i64) -> rusqlite::Result<()> {
    ledger
        .execute(
            "UPDATE row SET doubt = 0
             WHERE run = ?1 AND doubt = 1 AND status IS NULL
               AND NOT EXISTS (
                 SELECT 1 FROM attempt WHERE attempt.run = row.run AND attempt.row = row.row)
               AND EXISTS (
                 SELECT 1 FROM row_by_order AS same
                 CROSS JOIN row AS decided ON decided.run = same.run AND decided.row = same.row
                 CROSS JOIN run ON run.number = same.run
                 WHERE same.admin_number = row.admin_number
                   AND same.sequence_number = row.sequence_number AND same.run > ?1
                   AND decided.error_code = 'RESOLVED' AND run.rows IS NOT NULL
                   AND run.endpoint = (SELECT endpoint FROM run WHERE number = ?1))
               AND NOT EXISTS (
                 SELECT 1 FROM doubt CROSS JOIN run ON run.number = doubt.run
                 WHERE doubt.admin_number = row.admin_number
                   AND doubt.sequence_number = row.sequence_number
                   AND run.endpoint = (SELECT endpoint FROM run WHERE number = ?1))",
            [run],
        )
        .map(drop)
}

/// Copies the doubts of other runs to the rows of this run that were never sent, and to rows that
/// were carried over. Rows that were sent inherit them when they are claimed.
pub(super) fn inherit_doubts(
    ledger: &Connection,
    run: i64,
    is_locked: IsLocked<'_>,
) -> rusqlite::Result<()> {
    let mut find = ledger.prepare(
        "SELECT DISTINCT claim.run FROM claim
         JOIN run ON run.number = claim.run
         JOIN run AS ours ON ours.number = ?1 AND ours.endpoint = run.endpoint
         WHERE claim.run <> ?1 AND claimed_at IS NOT NULL",
    )?;
    let others: Vec<i64> =
        find.query_map([run], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for other in others {
        if !is_alive(ledger, other, Some(run), is_locked)? {
            note_interrupted(ledger, other)?;
        }
    }
    ledger.execute(
        "UPDATE row SET doubt = 1 WHERE run = ?1 AND row IN (
                 SELECT mine.row FROM doubt
                 CROSS JOIN run ON run.number = doubt.run
                 CROSS JOIN run AS ours ON ours.number = ?1 AND ours.endpoint = run.endpoint
                 CROSS JOIN row_by_order AS mine ON mine.admin_number = doubt.admin_number
                     AND mine.sequence_number = doubt.sequence_number AND mine.run = ?1
                 WHERE doubt.run <> ?1)
               AND doubt = 0 AND status IS NULL AND NOT EXISTS (
                 SELECT 1 FROM attempt JOIN outcome ON outcome.number = attempt.outcome
                 WHERE attempt.run = row.run AND attempt.row = row.row
                   AND outcome.status IS NOT NULL)",
        [run],
    )?;
    inherit_carried_over(ledger, run)
}

/// Passes the doubts of other runs on to rows carried over from a results file, which may be
/// older than the lost answer. An order that was surely not cancelled is in doubt then.
fn inherit_carried_over(ledger: &Connection, run: i64) -> rusqlite::Result<()> {
    let mut inherit = ledger.prepare(
        "UPDATE row SET doubt = 1, status = ?3
         WHERE run = ?1 AND status = ?2 AND kept = 1 AND doubt = 0
           AND (SELECT command FROM run WHERE number = ?1) = 'rerun'
           AND EXISTS (
             SELECT 1 FROM doubt JOIN run ON run.number = doubt.run
             WHERE doubt.admin_number = row.admin_number
               AND doubt.sequence_number = row.sequence_number AND doubt.run <> ?1
               AND run.endpoint = (SELECT endpoint FROM run WHERE number = ?1))",
    )?;
    let (rejected, in_doubt) = (Status::Rejected, codes::of_status(Status::InDoubt));
    let doubtful =
        inherit.execute(params![run, codes::of_status(rejected), codes::of_status(rejected)])?;
    let failed = inherit.execute(params![run, codes::of_status(Status::Failed), in_doubt])?;
    let not_sent = inherit.execute(params![run, codes::of_status(Status::NotSent), in_doubt])?;
    ledger
        .execute(
            "UPDATE progress SET rejected_with_doubt = rejected_with_doubt + ?2,
                 failed = failed - ?3, not_sent = not_sent - ?4, in_doubt = in_doubt + ?3 + ?4
             WHERE run = ?1",
            params![run, doubtful, failed, not_sent],
        )
        .map(drop)
}
