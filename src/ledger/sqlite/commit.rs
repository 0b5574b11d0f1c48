//! The commits of a run: one transaction each.

use std::sync::LazyLock;

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::super::claim::Completion;
use super::super::{
    CommitOutcome, CommitRequest, CompletedClaim, PendingRow, Run, UnreadableBudget,
};
use super::claimer::Claimer;
use super::many::Insert;
use super::other_runs::{self, IsLocked};
use super::outcomes::Told;
use super::{Fresh, Started, read};
use crate::model::{
    AllocateSlots, Budget, Counts, Order, ReasonCode, RowNumber, SlotGrant, SlotRequest, Status,
    Verdict,
};

/// The slots at which calls may start, of which those that are used are taken.
pub(super) type Slots = std::vec::IntoIter<Option<Timestamp>>;

/// Completes and claims in one commit.
pub(super) fn commit(
    connection: &mut Connection,
    started: &mut Started,
    commit: CommitRequest,
    allocate: &mut AllocateSlots<'_>,
    is_locked: IsLocked<'_>,
) -> rusqlite::Result<CommitOutcome> {
    let now = commit.at;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let Ends { mut counts, released, unused } = complete(&transaction, started, commit.completed)?;
    let mut outcome = CommitOutcome::default();
    let wanted = commit.fresh.saturating_add(commit.again.len().try_into().unwrap_or(u32::MAX));
    let request = SlotRequest {
        unused,
        now,
        uptime: commit.uptime,
        lead: commit.lead,
        horizon: commit.horizon,
        spacing: commit.spacing,
        others: false,
        wanted,
    };
    let mut already_cancelled = 0;
    let quiet_until = commit.quiet_until;
    if wanted > 0 || !request.unused.is_empty() || quiet_until.is_some() {
        let claiming = Claimer::new(&transaction, started, now, is_locked)?;
        let asked = (request, quiet_until);
        spend(&transaction, asked, allocate, started, &mut outcome, |started, slots, outcome| {
            already_cancelled =
                claiming.claim_all(started, commit.again, commit.fresh, slots, outcome)?;
            Ok(())
        })?;
    }
    outcome.exhausted = started.is_exhausted();
    counts.add(Status::AlreadyCancelled, already_cancelled);
    started.counts = started.counts.plus(counts);
    started.attempts = (started.attempts + outcome.claimed.len() as u64).saturating_sub(released);
    outcome.counts = started.counts;
    note_progress(&transaction, started)?;
    transaction.commit()?;
    Ok(outcome)
}

/// Records how far the run is.
pub(super) fn note_progress(ledger: &Connection, started: &Started) -> rusqlite::Result<()> {
    let mut note = ledger.prepare_cached(
        "UPDATE progress SET first_fresh = ?2, attempts = ?3, cancelled = ?4,
             already_cancelled = ?5, rejected = ?6, failed = ?7, in_doubt = ?8, invalid = ?9,
             duplicate = ?10, not_sent = ?11, rejected_with_doubt = ?12
         WHERE run = ?1",
    )?;
    let [a, b, c, d, e, f, g, h] = Status::ALL.map(|status| started.counts.get(status));
    let Started { run, attempts, .. } = started;
    let with_doubt = started.counts.rejected_with_doubt();
    let first_fresh = started.first_fresh();
    note.execute(params![run, first_fresh, attempts, a, b, c, d, e, f, g, h, with_doubt]).map(drop)
}

/// What the completed attempts come to together.
#[derive(Default)]
struct Ends {
    /// How many rows ended how.
    counts: Counts,
    /// How many claims were taken back.
    released: u64,
    /// The slots at which nothing was sent.
    unused: Vec<Timestamp>,
}

static ATTEMPTS: LazyLock<Insert<7>> = LazyLock::new(|| {
    Insert::into("attempt (run, row, attempt, claimed_at, sent_at, ended_at, outcome)")
});

/// Makes the ends of attempts durable. An attempt ends once: another end is refused.
fn complete(
    transaction: &Transaction<'_>,
    started: &mut Started,
    mut completed: Vec<CompletedClaim>,
) -> rusqlite::Result<Ends> {
    let mut ends = Ends::default();
    let mut attempts = ATTEMPTS.many(transaction);
    // Rows that lie together are recorded together.
    completed.sort_unstable_by_key(|completed| completed.row);
    for CompletedClaim { row, order, attempt, doubt, claimed_at, completion, .. } in completed {
        let ended = match completion {
            Completion::Released(slot) => {
                ends.released += 1;
                ends.unused.extend(slot);
                started.claims.release(transaction, row.0, attempt)?;
                continue;
            }
            Completion::Attempted(ended) => ended,
        };
        started.claims.complete(transaction, row.0, attempt)?;
        match ended.outcome.verdict {
            verdict if verdict.leaves_doubt() => {
                other_runs::note_doubt(transaction, started.run, order)?;
            }
            Verdict::Cancelled if doubt => {
                other_runs::end_doubt(transaction, &started.endpoint, order)?;
            }
            _ => {}
        }
        if let Some(status) = ended.status {
            ends.counts.add_row(status, doubt);
            started.claims.end(transaction, row.0)?;
        }
        let sent_at = ended.outcome.sent.then_some(ended.sent_at.as_microsecond());
        let ended_at = ended.ended_at.as_microsecond();
        let outcome = started.outcomes.number(transaction, Told::of(ended))?;
        attempts.insert([
            Some(started.run),
            Some(row.0.into()),
            Some(attempt.into()),
            Some(claimed_at.as_microsecond()),
            sent_at,
            Some(ended_at),
            Some(outcome),
        ])?;
    }
    attempts.finish()?;
    Ok(ends)
}

/// Takes calls out of the endpoint's budget, has rows claimed for them, and gives back
/// those for which there was no row.
fn spend(
    transaction: &Transaction<'_>,
    (request, quiet_until): (SlotRequest, Option<Timestamp>),
    allocate: &mut AllocateSlots<'_>,
    started: &mut Started,
    outcome: &mut CommitOutcome,
    claim: impl FnOnce(&mut Started, &mut Slots, &mut CommitOutcome) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let (now, spacing) = (request.now, request.spacing);
    let before = budget(transaction, &started.endpoint)?;
    let mut after = before.clone();
    if let Some(until) = quiet_until {
        after.keep_quiet(until, now);
    }
    outcome.quiet_until = after.quiet_until(now);
    let SlotGrant { slots, next_slot_at, shared, .. } = after.allocate(request, allocate);
    (outcome.next_slot_at, outcome.shared) = (next_slot_at, shared);
    let mut slots = slots.into_iter();
    claim(started, &mut slots, outcome)?;
    let unused: Vec<Timestamp> = slots.flatten().collect();
    if !unused.is_empty() {
        allocate(&mut after, SlotRequest::returning(unused, now, spacing));
    }
    if after != before {
        put_budget(transaction, &started.endpoint, &after)?;
    }
    Ok(())
}

/// The endpoint's budget as it is stored.
fn budget(transaction: &Transaction<'_>, endpoint: &str) -> rusqlite::Result<Budget> {
    let stored: Option<String> = transaction
        .prepare_cached("SELECT state FROM budget WHERE endpoint = ?1")?
        .query_row([endpoint], |row| row.get(0))
        .optional()?;
    // One that cannot be read is not taken for empty: the rate would be passed.
    stored.map_or(Ok(Budget::default()), |state| {
        serde_json::from_str(&state).map_err(|cause| {
            let cause = UnreadableBudget { endpoint: endpoint.to_owned(), cause };
            rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(cause))
        })
    })
}

fn put_budget(
    transaction: &Transaction<'_>,
    endpoint: &str,
    budget: &Budget,
) -> rusqlite::Result<()> {
    let state = serde_json::to_string(budget)
        .map_err(|cause| rusqlite::Error::ToSqlConversionFailure(Box::new(cause)))?;
    transaction
        .prepare_cached("INSERT OR REPLACE INTO budget (endpoint, state) VALUES (?1, ?2)")?
        .execute(params![endpoint, state])
        .map(drop)
}

/// How many fresh rows are read at once: enough for many commits.
const READ_AHEAD: u32 = 512;

/// Sees to it that the next row that was never claimed is at hand, if there is one.
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
        let waiting = PendingRow {
            row: RowNumber(number),
            order: Order { admin_number: row.get(1)?, sequence_number: row.get(2)? },
            attempts: 0,
            counted_attempts: 0,
            doubt: row.get(3)?,
        };
        let place = if started.has_places { row.get(4)? } else { number };
        Ok(Fresh { place, row: waiting })
    })?;
    started.ahead = rows.collect::<rusqlite::Result<_>>()?;
    started.read_to = started.ahead.back().map_or(started.end, |last| last.place + 1);
    Ok(())
}

/// Records that the run has come to rest.
pub(super) fn rest(
    connection: &mut Connection,
    run: i64,
    at: Timestamp,
    stop: Option<ReasonCode>,
    is_locked: IsLocked<'_>,
) -> rusqlite::Result<Run> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let ended = read::run_by_number(&transaction, run)?.has_ended();
    let stop = stop.filter(|_| !ended);
    transaction.execute(
        "UPDATE start SET finished_at = ?2, stop = ?3
         WHERE rowid = (SELECT max(rowid) FROM start WHERE run = ?1)",
        params![run, at.as_microsecond(), stop.map(|stop| stop.to_string())],
    )?;
    if !ended {
        other_runs::inherit_doubts(&transaction, run, is_locked)?;
    }
    let run = read::run_by_number(&transaction, run)?;
    transaction.commit()?;
    Ok(run)
}
