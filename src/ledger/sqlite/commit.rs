//! The commits of a run, one transaction each.

use std::sync::LazyLock;

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::active_run::ActiveRun;
use super::bulk_insert::BulkInsert;
use super::claimer::{Claimer, Slots};
use super::other_runs::{self, IsLocked};
use super::outcome_table::OutcomeRow;
use super::read;
use crate::ledger::claim::Completion;
use crate::ledger::commit::UnreadableBudget;
use crate::ledger::{CommitOutcome, CommitRequest, CompletedClaim, FinishOptions, NewEvent, Run};
use crate::model::{AllocateSlots, Budget, Counts, SlotGrant, SlotRequest, Status, Verdict};

/// Completes and claims in one transaction.
pub(super) fn commit(
    connection: &mut Connection,
    run: &mut ActiveRun,
    commit: CommitRequest,
    allocate: &mut AllocateSlots<'_>,
    is_locked: IsLocked<'_>,
) -> rusqlite::Result<CommitOutcome> {
    let now = commit.at;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let CompletedTotals { mut counts, released, unused } =
        complete(&transaction, run, commit.completed)?;
    insert_events(&transaction, run.number, run.start, &commit.events)?;
    let mut outcome = CommitOutcome::default();
    let wanted = commit.max_new.saturating_add(commit.retries.len().try_into().unwrap_or(u32::MAX));
    let request = SlotRequest {
        unused,
        now,
        uptime: commit.uptime,
        expected_latency: commit.expected_latency,
        horizon: commit.horizon,
        min_spacing: commit.min_spacing,
        is_shared: false,
        wanted,
    };
    let mut already_cancelled = 0;
    let retry_after_until = commit.retry_after_until;
    if wanted > 0 || !request.unused.is_empty() || retry_after_until.is_some() {
        let claiming = Claimer::new(&transaction, run, now, is_locked)?;
        let asked = (request, retry_after_until);
        allocate_slots(&transaction, asked, allocate, run, &mut outcome, |run, slots, outcome| {
            already_cancelled =
                claiming.claim_all(run, commit.retries, commit.max_new, slots, outcome)?;
            Ok(())
        })?;
    }
    outcome.exhausted = run.is_exhausted();
    counts.add(Status::AlreadyCancelled, already_cancelled);
    run.counts = run.counts.plus(counts);
    run.attempts = (run.attempts + outcome.claimed.len() as u64).saturating_sub(released);
    outcome.counts = run.counts;
    run.note_progress(&transaction)?;
    transaction.commit()?;
    Ok(outcome)
}

/// The totals of the completed claims.
#[derive(Default)]
struct CompletedTotals {
    /// The counts of the rows that ended.
    counts: Counts,
    /// The number of released claims.
    released: u64,
    /// The slots at which nothing was sent.
    unused: Vec<Timestamp>,
}

static ATTEMPTS: LazyLock<BulkInsert<8>> = LazyLock::new(|| {
    BulkInsert::into("attempt (run, row, attempt, claimed_at, sent_at, ended_at, outcome, start)")
});

/// Records the ends of attempts. An attempt ends once; a second end is an error.
fn complete(
    transaction: &Transaction<'_>,
    run: &mut ActiveRun,
    mut completed: Vec<CompletedClaim>,
) -> rusqlite::Result<CompletedTotals> {
    let mut completions = CompletedTotals::default();
    let mut attempts = ATTEMPTS.inserter(transaction);
    // Sorted, so that neighbouring rows are written together.
    completed.sort_unstable_by_key(|completed| completed.row);
    for CompletedClaim { row, order, attempt, doubt, claimed_at, completion, .. } in completed {
        let ended = match completion {
            Completion::Released(slot) => {
                completions.released += 1;
                completions.unused.extend(slot);
                run.claims.release(transaction, row.0, attempt)?;
                continue;
            }
            Completion::Attempted(ended) => ended,
        };
        run.claims.complete(transaction, row.0, attempt)?;
        match ended.outcome.verdict {
            verdict if verdict.leaves_doubt() => {
                other_runs::note_doubt(transaction, run.number, order)?;
            }
            Verdict::Cancelled if doubt => {
                other_runs::end_doubt(transaction, &run.endpoint, order)?;
            }
            _ => {}
        }
        if let Some(status) = ended.status {
            completions.counts.add_row(status, doubt);
            run.claims.end(transaction, row.0)?;
        }
        let sent_at = ended.outcome.sent.then_some(ended.sent_at.as_microsecond());
        let ended_at = ended.ended_at.as_microsecond();
        let outcome = run.outcomes.number(transaction, OutcomeRow::from_attempt(ended))?;
        attempts.insert([
            Some(run.number),
            Some(row.0.into()),
            Some(attempt.into()),
            Some(claimed_at.as_microsecond()),
            sent_at,
            Some(ended_at),
            Some(outcome),
            Some(run.start),
        ])?;
    }
    attempts.finish()?;
    Ok(completions)
}

/// Allocates slots from the endpoint's budget, claims rows for them, and returns the slots
/// without a row to the budget.
fn allocate_slots(
    transaction: &Transaction<'_>,
    (request, retry_after_until): (SlotRequest, Option<Timestamp>),
    allocate: &mut AllocateSlots<'_>,
    run: &mut ActiveRun,
    outcome: &mut CommitOutcome,
    claim: impl FnOnce(&mut ActiveRun, &mut Slots, &mut CommitOutcome) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let (now, spacing) = (request.now, request.min_spacing);
    let before = budget(transaction, &run.endpoint)?;
    let mut after = before.clone();
    if let Some(until) = retry_after_until {
        after.hold_until(until, now);
    }
    outcome.retry_after_until = after.held_until(now);
    let SlotGrant { slots, next_slot_at, shared, .. } = after.allocate(request, allocate);
    (outcome.next_slot_at, outcome.budget_shared) = (next_slot_at, shared);
    let mut slots = slots.into_iter();
    claim(run, &mut slots, outcome)?;
    let unused: Vec<Timestamp> = slots.flatten().collect();
    if !unused.is_empty() {
        allocate(&mut after, SlotRequest::returning(unused, now, spacing));
    }
    if after != before {
        put_budget(transaction, &run.endpoint, &after)?;
    }
    Ok(())
}

/// The stored budget of the endpoint.
fn budget(transaction: &Transaction<'_>, endpoint: &str) -> rusqlite::Result<Budget> {
    let stored: Option<String> = transaction
        .prepare_cached("SELECT state FROM budget WHERE endpoint = ?1")?
        .query_row([endpoint], |row| row.get(0))
        .optional()?;
    // A budget that cannot be read does not count as empty, because that would exceed the rate.
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

/// Records events of a run.
pub(super) fn insert_events(
    transaction: &Transaction<'_>,
    run: i64,
    start: i64,
    events: &[NewEvent],
) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO event (run, start, at, kind, detail) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for NewEvent { at, kind, detail } in events {
        insert.execute(params![run, start, at.as_microsecond(), kind.as_str(), detail])?;
    }
    Ok(())
}

/// Records that this start of the run is finished.
pub(super) fn finish(
    connection: &mut Connection,
    (run, start): (i64, i64),
    finish: &FinishOptions,
    is_locked: IsLocked<'_>,
) -> rusqlite::Result<Run> {
    let FinishOptions { at, stop, events } = finish;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let ended = read::run_by_number(&transaction, run)?.has_ended();
    let stop = stop.filter(|_| !ended);
    insert_events(&transaction, run, start, events)?;
    transaction.execute(
        "UPDATE start SET finished_at = ?2, stop = ?3 WHERE number = ?1",
        params![start, at.as_microsecond(), stop.map(|stop| stop.to_string())],
    )?;
    if !ended {
        other_runs::inherit_doubts(&transaction, run, is_locked)?;
    }
    let run = read::run_by_number(&transaction, run)?;
    transaction.commit()?;
    Ok(run)
}
