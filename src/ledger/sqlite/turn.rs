//! The turns of a run: one transaction each.

use jiff::Timestamp;
use rusqlite::{
    CachedStatement, Connection, OptionalExtension, Transaction, TransactionBehavior, params,
};

use super::super::stake::{Ended, How};
use super::super::{
    Allot, Allotment, Allowance, Begun, Budget, Counts, Run, Settled, Staked, Start, Turn, Turned,
    Waiting,
};
use super::enrol::add_counts;
use super::many::Many;
use super::{Started, codes, read};
use crate::order::{Order, OwnCode, RowNumber};
use crate::outcome::{self, Meaning, Next, Status};

/// Starts a held run, and settles as lost what a dead process left in flight.
pub(super) fn start(
    connection: &mut Connection,
    run: &Run,
    start: Start,
) -> rusqlite::Result<(Started, Begun)> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute(
        "INSERT INTO start (run, started_at, started_by, cut_off) VALUES (?1, ?2, ?3, ?4)",
        params![
            run.number,
            start.at.as_microsecond(),
            starter(),
            start.cut_off.map(Timestamp::as_microsecond),
        ],
    )?;
    let (first_open, first_fresh): (u32, u32) = transaction.query_row(
        "SELECT first_open, first_fresh FROM run WHERE number = ?1",
        [run.number],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let interrupted = settle_interrupted(&transaction, run.number, first_open, start)?;
    let mut counts = Counts::default();
    counts.add(Status::InDoubt, interrupted);
    add_counts(&transaction, run.number, &counts)?;
    let waiting = unended(&transaction, run.number, first_open, first_fresh)?;
    let mut started = Started {
        run: run.number,
        endpoint: run.opened.endpoint.clone(),
        again: start.again,
        first_fresh,
        end: u32::try_from(run.rows).unwrap_or(u32::MAX - 1) + 1,
        open: waiting.iter().map(|waiting| waiting.row.0).collect(),
        counts: run.counts.plus(counts),
    };
    // Finds the first row that can be sent at all.
    fresh_rows(&transaction, &mut started, 0)?;
    transaction.commit()?;
    let exhausted = started.is_exhausted();
    Ok((started, Begun { waiting, exhausted, ..Begun::default() }))
}

/// Who starts a run, for the auditor.
fn starter() -> String {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    let user = user.unwrap_or_else(|_| format!("uid {}", rustix::process::getuid().as_raw()));
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{user} on {host}, process {}", std::process::id())
}

/// Returns how many rows ended in doubt by it.
fn settle_interrupted(
    transaction: &Transaction<'_>,
    run: i64,
    first_open: u32,
    start: Start,
) -> rusqlite::Result<u64> {
    let status = match outcome::next(Meaning::Doubt, true, true, start.on_doubt) {
        Next::End(status) => Some(status),
        Next::Again | Next::Unsent => None,
    };
    let settled = transaction.execute(
        "UPDATE attempt SET ended_at = ?3, meaning = ?4, status = ?5, error_code = ?6, message = ?7
         WHERE run = ?1 AND row >= ?2 AND meaning IS NULL",
        params![
            run,
            first_open,
            start.at.as_microsecond(),
            codes::DOUBT,
            status.map(codes::of_status),
            OwnCode::Interrupted.to_string(),
            "the program died before the answer was recorded",
        ],
    )?;
    Ok(if status.is_some() { settled as u64 } else { 0 })
}

/// The rows staked before that have not ended. What was tried in a start that an
/// outage ended counts no more than what was interrupted.
fn unended(
    transaction: &Transaction<'_>,
    run: i64,
    first_open: u32,
    first_fresh: u32,
) -> rusqlite::Result<Vec<Waiting>> {
    let mut find = transaction.prepare(
        "SELECT row.row, admin_number, sequence_number, count(attempt.attempt),
                count(attempt.attempt) FILTER (WHERE attempt.error_code <> ?4
                    AND attempt.meaning <> ?6 AND NOT EXISTS (
                    SELECT 1 FROM start
                    WHERE start.run = row.run AND start.stop = ?7
                      AND attempt.staked_at BETWEEN start.started_at AND start.rested_at)),
                max(row.doubt, coalesce(max(attempt.meaning = ?5), 0))
         FROM row LEFT JOIN attempt ON attempt.run = row.run AND attempt.row = row.row
         WHERE row.run = ?1 AND row.row >= ?2 AND row.row < ?3 AND row.status IS NULL
         GROUP BY row.row HAVING count(attempt.status) = 0",
    )?;
    let (interrupted, outage) = (OwnCode::Interrupted.to_string(), OwnCode::Outage.to_string());
    let (doubt, stop) = (codes::DOUBT, codes::STOP);
    find.query_map(
        params![run, first_open, first_fresh, interrupted, doubt, stop, outage],
        |row| {
            Ok(Waiting {
                row: RowNumber(row.get(0)?),
                order: Order { admin_number: row.get(1)?, sequence_number: row.get(2)? },
                attempts: row.get(3)?,
                spent: row.get(4)?,
                doubt: row.get(5)?,
            })
        },
    )?
    .collect()
}

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
    let allowance = Allowance { unused, now, lead, horizon, spacing, wanted };
    let Allotment { moments, more_at, shared } =
        spend(&transaction, &started.endpoint, allowance, allot)?;
    let mut turned = Turned { more_at, shared, ..Turned::default() };
    let already_cancelled =
        stake(&transaction, started, now, turn.again, turn.fresh, moments, &mut turned)?;
    counts.add(Status::AlreadyCancelled, already_cancelled);
    started.counts = started.counts.plus(counts);
    turned.counts = started.counts;
    add_counts(&transaction, started.run, &counts)?;
    transaction
        .prepare_cached(
            "UPDATE run SET first_open = ?2, first_fresh = ?3, attempts = attempts + ?4
             WHERE number = ?1",
        )?
        .execute(params![
            started.run,
            started.first_open(),
            started.first_fresh,
            turned.staked.len() as i64 - withdrawn,
        ])?;
    transaction.commit()?;
    Ok(turned)
}

/// What the settled attempts come to together.
#[derive(Default)]
struct Ends {
    /// How many rows ended how.
    counts: Counts,
    /// How many stakes were taken back.
    withdrawn: i64,
    /// The moments at which nothing was sent.
    unused: Vec<Timestamp>,
}

/// Makes the ends of attempts durable.
fn settle(
    transaction: &Transaction<'_>,
    started: &mut Started,
    settled: Vec<Settled>,
) -> rusqlite::Result<Ends> {
    let mut ends = Ends::default();
    let mut end = transaction.prepare_cached(
        "UPDATE attempt SET sent_at = ?4, ended_at = ?5, meaning = ?6, status = ?7,
                http_status = ?8, error_code = ?9, message = ?10
         WHERE run = ?1 AND row = ?2 AND attempt = ?3 AND meaning IS NULL",
    )?;
    let mut withdraw = transaction.prepare_cached(
        "DELETE FROM attempt WHERE run = ?1 AND row = ?2 AND attempt = ?3 AND meaning IS NULL",
    )?;
    for Settled { row, attempt, how, .. } in settled {
        let changed = match how {
            How::Withdrawn(moment) => {
                ends.withdrawn += 1;
                ends.unused.extend(moment);
                withdraw.execute(params![started.run, row.0, attempt])?
            }
            How::Ended(Ended { sent_at, ended_at, outcome, status }) => {
                if let Some(status) = status {
                    ends.counts.add(status, 1);
                    started.open.remove(&row.0);
                }
                end.execute(params![
                    started.run,
                    row.0,
                    attempt,
                    outcome.sent.then_some(sent_at.as_microsecond()),
                    ended_at.as_microsecond(),
                    codes::of_meaning(outcome.meaning),
                    status.map(codes::of_status),
                    outcome.http_status,
                    outcome.error_code,
                    outcome.message,
                ])?
            }
        };
        // An attempt ends once: anything else would be a second truth.
        if changed != 1 {
            return Err(rusqlite::Error::StatementChangedRows(changed));
        }
    }
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
fn stake(
    transaction: &Transaction<'_>,
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
            moments.next();
            turned.staked.push(staked);
        }
    }
    let mut room = moments.len().min(fresh as usize);
    while room > 0 && !started.is_exhausted() && staking.already_cancelled < MOST_DECIDED {
        let rows = fresh_rows(transaction, started, room)?;
        for waiting in rows {
            started.open.insert(waiting.row.0);
            if let Some(staked) = staking.stake(started, waiting, moments.as_slice().first())? {
                moments.next();
                room -= 1;
                turned.staked.push(staked);
            }
        }
    }
    let already_cancelled = staking.already_cancelled;
    staking.insert.finish()?;
    turned.exhausted = started.is_exhausted();
    Ok(already_cancelled)
}

/// A run on this ledger is worked on by the one process that holds it.
const NO_LEASE: i64 = 0;

/// How many rows one turn may end without a call, so that no turn is long.
const MOST_DECIDED: u64 = 10_000;

/// The next rows that were never staked, `room` at most.
fn fresh_rows(
    transaction: &Transaction<'_>,
    started: &mut Started,
    room: usize,
) -> rusqlite::Result<Vec<Waiting>> {
    let mut rows: Vec<Waiting> = transaction
        .prepare_cached(
            "SELECT row, admin_number, sequence_number, doubt FROM row
             WHERE run = ?1 AND row >= ?2 AND status IS NULL ORDER BY row LIMIT ?3",
        )?
        // One more than wanted: where the next turn begins, so that a long
        // stretch of decided rows is walked once.
        .query_map(params![started.run, started.first_fresh, room + 1], |row| {
            Ok(Waiting {
                row: RowNumber(row.get(0)?),
                order: Order { admin_number: row.get(1)?, sequence_number: row.get(2)? },
                attempts: 0,
                spent: 0,
                doubt: row.get(3)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    started.first_fresh = match rows.len() > room {
        true => rows.pop().map_or(started.end, |next| next.row.0),
        false => started.end,
    };
    Ok(rows)
}

/// Stakes row after row, unless another run at the endpoint cancelled the order.
struct Staking<'a> {
    insert: Many<'a, 4>,
    decide: CachedStatement<'a>,
    elsewhere: Option<CachedStatement<'a>>,
    now: Timestamp,
    already_cancelled: u64,
}

impl<'a> Staking<'a> {
    fn new(
        transaction: &'a Transaction<'_>,
        started: &Started,
        now: Timestamp,
    ) -> rusqlite::Result<Self> {
        let others: bool = transaction
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM run WHERE endpoint = ?1 AND number <> ?2)",
            )?
            .query_row(params![started.endpoint, started.run], |row| row.get(0))?;
        let elsewhere = match others && !started.again {
            false => None,
            // 0 and 1: cancelled, already_cancelled.
            true => Some(transaction.prepare_cached(
                "SELECT run.id, attempt.row
                 FROM row_by_order AS same
                 JOIN run ON run.number = same.run AND run.endpoint = ?3 AND run.number <> ?4
                 JOIN attempt ON attempt.run = same.run AND attempt.row = same.row
                 WHERE same.admin_number = ?1 AND same.sequence_number = ?2
                   AND attempt.status IN (0, 1)
                 LIMIT 1",
            )?),
        };
        Ok(Staking {
            insert: Many::new(transaction, "INSERT INTO attempt (run, row, attempt, staked_at)")?,
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
            started.open.remove(&waiting.row.0);
            self.already_cancelled += 1;
            return Ok(None);
        }
        let Some(moment) = moment else { return Ok(None) };
        let staked = Staked::new(waiting, *moment, NO_LEASE);
        let (row, attempt) = (staked.row().0.into(), staked.attempt().into());
        self.insert.insert([started.run, row, attempt, self.now.as_microsecond()])?;
        Ok(Some(staked))
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
