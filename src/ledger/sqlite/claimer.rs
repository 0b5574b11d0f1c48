//! Decides which rows a commit claims: rows that wait come first, then new ones. Each order is
//! looked up in the other runs at the endpoint, which may have decided it.

use jiff::Timestamp;
use rusqlite::{CachedStatement, Transaction, params};

use super::active_run::{ActiveRun, UnsentRow};
use super::other_runs::{IsLocked, OtherRuns};
use crate::ledger::elsewhere::{Elsewhere, cancelled_by};
use crate::ledger::{ClaimedRow, CommitOutcome, PendingRow, codes};
use crate::model::{ReasonCode, Status};

/// A run in this ledger belongs to the one process that holds its lock, so there are no leases.
const NO_LEASE: i64 = 0;

/// The most rows that one commit may decide without a call, so that no commit takes long.
const MOST_DECIDED: u64 = 10_000;

/// The granted slots, from which those that are used are taken.
pub(super) type Slots = std::vec::IntoIter<Option<Timestamp>>;

/// Claims row after row.
pub(super) struct Claimer<'a> {
    transaction: &'a Transaction<'a>,
    others: Option<OtherRuns<'a>>,
    decide: CachedStatement<'a>,
    inherit: CachedStatement<'a>,
    now: Timestamp,
    already_cancelled: u64,
}

/// The result of the check of a row.
enum ClaimChoice {
    /// The row can be claimed.
    Claim(PendingRow),
    /// Not now: another run has the order in flight.
    Later(PendingRow),
    /// The row has ended: another run cancelled the order.
    AlreadyCancelled,
}

impl<'a> Claimer<'a> {
    pub fn new(
        transaction: &'a Transaction<'a>,
        run: &mut ActiveRun,
        now: Timestamp,
        is_locked: IsLocked<'a>,
    ) -> rusqlite::Result<Self> {
        Ok(Claimer {
            transaction,
            others: OtherRuns::new(transaction, run, is_locked)?,
            decide: transaction.prepare_cached(
                "UPDATE row SET status = ?3, error_code = ?4, message = ?5
                 WHERE run = ?1 AND row = ?2",
            )?,
            inherit: transaction
                .prepare_cached("UPDATE row SET doubt = 1 WHERE run = ?1 AND row = ?2")?,
            now,
            already_cancelled: 0,
        })
    }

    /// Claims rows for these slots, and removes the slots that it uses. Returns the number of
    /// rows that ended because another run had cancelled their orders.
    pub fn claim_all(
        mut self,
        run: &mut ActiveRun,
        mut again: Vec<PendingRow>,
        fresh: u32,
        slots: &mut Slots,
        outcome: &mut CommitOutcome,
    ) -> rusqlite::Result<u64> {
        outcome.deferred = again.split_off(again.len().min(slots.len()));
        for waiting in again {
            match self.choose(run, waiting)? {
                ClaimChoice::Claim(waiting) => self.claim_again(run, waiting, slots, outcome)?,
                ClaimChoice::Later(waiting) => outcome.in_flight_elsewhere.push(waiting),
                ClaimChoice::AlreadyCancelled => {}
            }
        }
        self.claim_fresh(run, fresh as usize, slots, outcome)?;
        Ok(self.already_cancelled)
    }

    fn claim_again(
        &self,
        run: &mut ActiveRun,
        waiting: PendingRow,
        slots: &mut Slots,
        outcome: &mut CommitOutcome,
    ) -> rusqlite::Result<()> {
        let Some(slot) = slots.next() else {
            outcome.deferred.push(waiting);
            return Ok(());
        };
        let claimed = ClaimedRow::new(waiting, self.now, slot, NO_LEASE);
        let (row, attempt) = (claimed.row().0, claimed.attempt());
        run.claims.again(self.transaction, row, attempt, self.now.as_microsecond())?;
        outcome.claimed.push(claimed);
        Ok(())
    }

    fn claim_fresh(
        &mut self,
        run: &mut ActiveRun,
        fresh: usize,
        slots: &mut Slots,
        outcome: &mut CommitOutcome,
    ) -> rusqlite::Result<()> {
        let at = self.now.as_microsecond();
        // Consecutive rows, which form one range.
        let mut begun = Vec::new();
        let mut room = slots.len().min(fresh);
        while room > 0 && self.already_cancelled < MOST_DECIDED {
            let Some(UnsentRow { place, row }) = run.ahead.pop_front() else { break };
            match self.choose(run, row)? {
                ClaimChoice::Claim(waiting) => {
                    let Some(slot) = slots.next() else { break };
                    begun.push((waiting.row.0, place));
                    outcome.claimed.push(ClaimedRow::new(waiting, self.now, slot, NO_LEASE));
                    room -= 1;
                }
                ClaimChoice::Later(waiting) => {
                    run.claims.begin(self.transaction, &std::mem::take(&mut begun), at)?;
                    run.claims.pass_over(self.transaction, waiting.row.0, place)?;
                    outcome.in_flight_elsewhere.push(waiting);
                    // It counts like a claim, so that a commit skips no more rows than it may
                    // claim.
                    room -= 1;
                }
                ClaimChoice::AlreadyCancelled => {}
            }
            run.read_ahead(self.transaction)?;
        }
        run.claims.begin(self.transaction, &begun, at)
    }

    fn choose(
        &mut self,
        run: &mut ActiveRun,
        mut waiting: PendingRow,
    ) -> rusqlite::Result<ClaimChoice> {
        let Some(others) = &mut self.others else { return Ok(ClaimChoice::Claim(waiting)) };
        match others.of_order(waiting.order, &run.endpoint, run.again)? {
            Elsewhere::Nothing => {}
            Elsewhere::InDoubt if waiting.doubt => {}
            Elsewhere::InDoubt => {
                self.inherit.execute(params![run.number, waiting.row.0])?;
                waiting.doubt = true;
            }
            Elsewhere::InFlight => return Ok(ClaimChoice::Later(waiting)),
            Elsewhere::Cancelled { run: other, row } => {
                self.decide.execute(params![
                    run.number,
                    waiting.row.0,
                    codes::of_status(Status::AlreadyCancelled),
                    ReasonCode::AlreadyCancelled.to_string(),
                    cancelled_by(&other, row),
                ])?;
                run.claims.end(self.transaction, waiting.row.0)?;
                self.already_cancelled += 1;
                return Ok(ClaimChoice::AlreadyCancelled);
            }
        }
        Ok(ClaimChoice::Claim(waiting))
    }
}
