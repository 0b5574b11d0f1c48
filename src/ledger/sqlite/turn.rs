//! The turns of a run: one transaction each.

use std::sync::LazyLock;

use jiff::Timestamp;
use rusqlite::{
    CachedStatement, Connection, OptionalExtension, Transaction, TransactionBehavior, params,
};

use super::super::stake::How;
use super::super::{
    Allot, Allotment, Allowance, Budget, Counts, Run, Settled, Staked, Turn, Turned, Waiting, codes,
};
use super::many::Insert;
use super::outcomes::Told;
use super::{Fresh, Started, read};
use crate::order::{Order, OwnCode, RowNumber};
use crate::outcome::Status;

/// Settles and stakes in one commit.
pub(super) fn turn(
    connection: &mut Connection,
    started: &mut Started,
    turn: Turn,
    allot: &mut Allot<'_>,
) -> rusqlite::Result<Turned> {
    let now = turn.at;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let Ends { mut counts, withdrawn, unused } = settle(&transaction, started, turn.settled)?;
    let wanted = turn.fresh.saturating_add(turn.again.len().try_into().unwrap_or(u32::MAX));
    let Turn { lead, horizon, spacing, .. } = turn;
    let others = false;
    let allowance = Allowance { unused, now, lead, horizon, spacing, others, wanted };
    let Allotment { moments, more_at, shared } =
        spend(&transaction, &started.endpoint, allowance, allot)?;
    let mut turned = Turned { more_at, shared, ..Turned::default() };
    let already_cancelled =
        stake(&transaction, started, now, turn.again, turn.fresh, moments, &mut turned)?;
    counts.add(Status::AlreadyCancelled, already_cancelled);
    started.counts = started.counts.plus(counts);
    started.attempts = (started.attempts + turned.staked.len() as u64).saturating_sub(withdrawn);
    turned.counts = started.counts;
    note_progress(&transaction, started)?;
    transaction.commit()?;
    Ok(turned)
}

/// Records how far the run is.
pub(super) fn note_progress(ledger: &Connection, started: &Started) -> rusqlite::Result<()> {
    let mut note = ledger.prepare_cached(
        "UPDATE progress SET first_fresh = ?2, attempts = ?3, cancelled = ?4,
             already_cancelled = ?5, rejected = ?6, failed = ?7, in_doubt = ?8, invalid = ?9,
             duplicate = ?10, not_sent = ?11
         WHERE run = ?1",
    )?;
    let [a, b, c, d, e, f, g, h] = Status::ALL.map(|status| started.counts.get(status));
    let Started { run, attempts, .. } = started;
    note.execute(params![run, started.first_fresh(), attempts, a, b, c, d, e, f, g, h]).map(drop)
}

/// What the settled attempts come to together.
#[derive(Default)]
struct Ends {
    /// How many rows ended how.
    counts: Counts,
    /// How many stakes were taken back.
    withdrawn: u64,
    /// The moments at which nothing was sent.
    unused: Vec<Timestamp>,
}

static ATTEMPTS: LazyLock<Insert<7>> = LazyLock::new(|| {
    Insert::into("attempt (run, row, attempt, staked_at, sent_at, ended_at, outcome)")
});

/// Makes the ends of attempts durable. An attempt ends once: another end is refused.
fn settle(
    transaction: &Transaction<'_>,
    started: &mut Started,
    mut settled: Vec<Settled>,
) -> rusqlite::Result<Ends> {
    let mut ends = Ends::default();
    let mut attempts = ATTEMPTS.many(transaction);
    // Rows that lie together are recorded together.
    settled.sort_unstable_by_key(|settled| settled.row);
    for Settled { row, attempt, staked_at, how, .. } in settled {
        let ended = match how {
            How::Withdrawn(moment) => {
                ends.withdrawn += 1;
                ends.unused.extend(moment);
                started.stakes.withdraw(transaction, row.0, attempt)?;
                continue;
            }
            How::Ended(ended) => ended,
        };
        started.stakes.settle(transaction, row.0, attempt)?;
        if let Some(status) = ended.status {
            ends.counts.add(status, 1);
            started.stakes.end(transaction, row.0)?;
        }
        let sent_at = ended.outcome.sent.then_some(ended.sent_at.as_microsecond());
        let ended_at = ended.ended_at.as_microsecond();
        let outcome = started.outcomes.number(transaction, Told::of(ended))?;
        attempts.insert([
            Some(started.run),
            Some(row.0.into()),
            Some(attempt.into()),
            Some(staked_at.as_microsecond()),
            sent_at,
            Some(ended_at),
            Some(outcome),
        ])?;
    }
    attempts.finish()?;
    Ok(ends)
}

/// Takes calls out of the endpoint's budget.
fn spend(
    transaction: &Transaction<'_>,
    endpoint: &str,
    allowance: Allowance,
    allot: &mut Allot<'_>,
) -> rusqlite::Result<Allotment> {
    if allowance.wanted == 0 && allowance.unused.is_empty() {
        return Ok(Allotment::default());
    }
    let stored: Option<String> = transaction
        .prepare_cached("SELECT state FROM budget WHERE endpoint = ?1")?
        .query_row([endpoint], |row| row.get(0))
        .optional()?;
    let before: Budget =
        stored.and_then(|state| serde_json::from_str(&state).ok()).unwrap_or_default();
    let mut after = before.clone();
    let allotment = allot(&mut after, allowance);
    if after != before {
        let state = serde_json::to_string(&after)
            .map_err(|cause| rusqlite::Error::ToSqlConversionFailure(Box::new(cause)))?;
        transaction
            .prepare_cached("INSERT OR REPLACE INTO budget (endpoint, state) VALUES (?1, ?2)")?
            .execute(params![endpoint, state])?;
    }
    Ok(allotment)
}

/// Stakes rows for the allotted moments: those that wait first, then fresh ones.
/// Returns how many were found to be cancelled by another run, and ended so.
fn stake<'t>(
    transaction: &'t Transaction<'t>,
    started: &mut Started,
    now: Timestamp,
    mut again: Vec<Waiting>,
    fresh: u32,
    moments: Vec<Option<Timestamp>>,
    turned: &mut Turned,
) -> rusqlite::Result<u64> {
    turned.deferred = again.split_off(again.len().min(moments.len()));
    let mut moments = moments.into_iter();
    let mut staking = Staking::new(transaction, started, now)?;
    for waiting in again {
        if let Some(staked) = staking.stake(started, waiting, moments.as_slice().first())? {
            let (row, attempt) = (staked.row().0, staked.attempt());
            started.stakes.again(transaction, row, attempt, now.as_microsecond())?;
            moments.next();
            turned.staked.push(staked);
        }
    }
    let mut begun = Vec::new();
    let mut room = moments.len().min(fresh as usize);
    while room > 0 && staking.already_cancelled < MOST_DECIDED {
        let Some(Fresh { place, row }) = started.ahead.pop_front() else { break };
        if let Some(staked) = staking.stake(started, row, moments.as_slice().first())? {
            begun.push((staked.row().0, place));
            moments.next();
            room -= 1;
            turned.staked.push(staked);
        }
        read_ahead(transaction, started)?;
    }
    started.stakes.begin(transaction, &begun, now.as_microsecond())?;
    turned.exhausted = started.is_exhausted();
    Ok(staking.already_cancelled)
}

/// A run on this ledger is worked on by the one process that holds it.
const NO_LEASE: i64 = 0;

/// How many rows one turn may end without a call, so that no turn is long.
const MOST_DECIDED: u64 = 10_000;

/// How many fresh rows are read at once: enough for many turns.
const READ_AHEAD: u32 = 512;

/// Sees to it that the next row that was never staked is at hand, if there is one.
pub(super) fn read_ahead(ledger: &Connection, started: &mut Started) -> rusqlite::Result<()> {
    if !started.ahead.is_empty() || started.read_to >= started.end {
        return Ok(());
    }
    let mut find = ledger.prepare_cached(match started.has_places {
        false => {
            "SELECT row, admin_number, sequence_number, doubt FROM row
             WHERE run = ?1 AND row >= ?2 AND status IS NULL ORDER BY row LIMIT ?3"
        }
        true => {
            "SELECT row.row, admin_number, sequence_number, doubt, place
             FROM place CROSS JOIN row ON row.run = place.run AND row.row = place.row
             WHERE place.run = ?1 AND place >= ?2 AND status IS NULL ORDER BY place LIMIT ?3"
        }
    })?;
    let rows = find.query_map(params![started.run, started.read_to, READ_AHEAD], |row| {
        let number = row.get(0)?;
        let waiting = Waiting {
            row: RowNumber(number),
            order: Order { admin_number: row.get(1)?, sequence_number: row.get(2)? },
            attempts: 0,
            spent: 0,
            doubt: row.get(3)?,
        };
        let place = if started.has_places { row.get(4)? } else { number };
        Ok(Fresh { place, row: waiting })
    })?;
    started.ahead = rows.collect::<rusqlite::Result<_>>()?;
    started.read_to = started.ahead.back().map_or(started.end, |last| last.place + 1);
    Ok(())
}

/// Stakes row after row, unless another run at the endpoint cancelled the order.
struct Staking<'a> {
    transaction: &'a Transaction<'a>,
    decide: CachedStatement<'a>,
    elsewhere: Option<CachedStatement<'a>>,
    now: Timestamp,
    already_cancelled: u64,
}

impl<'a> Staking<'a> {
    fn new(
        transaction: &'a Transaction<'a>,
        started: &mut Started,
        now: Timestamp,
    ) -> rusqlite::Result<Self> {
        // Others come while the run goes on, and stay.
        if !started.has_others {
            started.has_others = transaction
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM run WHERE endpoint = ?1 AND number <> ?2)",
                )?
                .query_row(params![started.endpoint, started.run], |row| row.get(0))?;
        }
        let elsewhere = match started.has_others && !started.again {
            false => None,
            // 0 and 1: cancelled, already_cancelled.
            true => Some(transaction.prepare_cached(
                "SELECT run.id, attempt.row
                 FROM row_by_order AS same
                 JOIN run ON run.number = same.run AND run.endpoint = ?3 AND run.number <> ?4
                 JOIN attempt ON attempt.run = same.run AND attempt.row = same.row
                 JOIN outcome ON outcome.number = attempt.outcome
                 WHERE same.admin_number = ?1 AND same.sequence_number = ?2
                   AND outcome.status IN (0, 1)
                 LIMIT 1",
            )?),
        };
        Ok(Staking {
            transaction,
            decide: transaction.prepare_cached(
                "UPDATE row SET status = ?3, error_code = ?4, message = ?5
                 WHERE run = ?1 AND row = ?2",
            )?,
            elsewhere,
            now,
            already_cancelled: 0,
        })
    }

    fn stake(
        &mut self,
        started: &mut Started,
        waiting: Waiting,
        moment: Option<&Option<Timestamp>>,
    ) -> rusqlite::Result<Option<Staked>> {
        if let Some((run, row)) = self.cancelled_elsewhere(started, waiting.order)? {
            self.decide.execute(params![
                started.run,
                waiting.row.0,
                codes::of_status(Status::AlreadyCancelled),
                OwnCode::AlreadyCancelled.to_string(),
                format!("cancelled by run {run}, row {row}"),
            ])?;
            started.stakes.end(self.transaction, waiting.row.0)?;
            self.already_cancelled += 1;
            return Ok(None);
        }
        let Some(moment) = moment else { return Ok(None) };
        Ok(Some(Staked::new(waiting, self.now, *moment, NO_LEASE)))
    }

    fn cancelled_elsewhere(
        &mut self,
        started: &Started,
        order: Order,
    ) -> rusqlite::Result<Option<(String, u32)>> {
        let Some(elsewhere) = &mut self.elsewhere else { return Ok(None) };
        elsewhere
            .query_row(
                params![order.admin_number, order.sequence_number, started.endpoint, started.run],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()
    }
}

/// Records that the run has come to rest.
pub(super) fn rest(
    connection: &Connection,
    run: i64,
    at: Timestamp,
    stop: Option<OwnCode>,
) -> rusqlite::Result<Run> {
    let ended = read::run_by_number(connection, run)?.has_ended();
    let stop = stop.filter(|_| !ended);
    connection.execute(
        "UPDATE start SET rested_at = ?2, stop = ?3
         WHERE rowid = (SELECT max(rowid) FROM start WHERE run = ?1)",
        params![run, at.as_microsecond(), stop.map(|stop| stop.to_string())],
    )?;
    read::run_by_number(connection, run)
}
