//! The started run: what its commits need, kept in memory between them.

use std::collections::VecDeque;

use rusqlite::{Connection, params};

use super::claim_ranges::ClaimRanges;
use super::outcome_table::OutcomeTable;
use crate::ledger::PendingRow;
use crate::model::{Counts, Order, RowNumber, Status};

/// How many new rows are read at once: enough for many commits.
const READ_AHEAD: u32 = 512;

/// The run to which commits belong.
pub(super) struct ActiveRun {
    /// Its number in the ledger.
    pub number: i64,
    /// The number of this start.
    pub start: i64,
    pub endpoint: String,
    pub again: bool,
    /// Whether there are other runs at the endpoint.
    pub has_others: bool,
    /// Whether rows are sent in another order than that of their numbers.
    pub has_places: bool,
    /// The next rows that were never claimed; empty only if there are no more.
    pub ahead: VecDeque<UnsentRow>,
    /// The first position that was not read ahead.
    pub read_to: u32,
    /// One past the last row, and the last position.
    pub end: u32,
    /// Rows that were claimed and have not ended.
    pub claims: ClaimRanges,
    /// The outcomes of attempts.
    pub outcomes: OutcomeTable,
    /// The number of attempts that were claimed.
    pub attempts: u64,
    /// The counts of the rows that ended.
    pub counts: Counts,
}

/// A row that was never claimed.
pub(super) struct UnsentRow {
    pub place: u32,
    pub row: PendingRow,
}

impl ActiveRun {
    /// Whether every row was claimed at least once, or decided without a call.
    pub fn is_exhausted(&self) -> bool {
        self.ahead.is_empty()
    }

    /// The first position whose row was never claimed.
    pub fn first_fresh(&self) -> u32 {
        self.ahead.front().map_or(self.end, |next| next.place)
    }

    /// Reads the next rows that were never claimed, unless there are some in memory.
    pub fn read_ahead(&mut self, ledger: &Connection) -> rusqlite::Result<()> {
        if !self.ahead.is_empty() || self.read_to >= self.end {
            return Ok(());
        }
        let mut find = ledger.prepare_cached(if self.has_places {
            "SELECT row.row, admin_number, sequence_number, doubt, place
             FROM place CROSS JOIN row ON row.run = place.run AND row.row = place.row
             WHERE place.run = ?1 AND place >= ?2 AND status IS NULL ORDER BY place LIMIT ?3"
        } else {
            "SELECT row, admin_number, sequence_number, doubt FROM row
             WHERE run = ?1 AND row >= ?2 AND status IS NULL ORDER BY row LIMIT ?3"
        })?;
        let rows = find.query_map(params![self.number, self.read_to, READ_AHEAD], |row| {
            let number = row.get(0)?;
            let waiting = PendingRow {
                row: RowNumber(number),
                order: Order { admin_number: row.get(1)?, sequence_number: row.get(2)? },
                attempts: 0,
                counted_attempts: 0,
                doubt: row.get(3)?,
            };
            let place = if self.has_places { row.get(4)? } else { number };
            Ok(UnsentRow { place, row: waiting })
        })?;
        self.ahead = rows.collect::<rusqlite::Result<_>>()?;
        self.read_to = self.ahead.back().map_or(self.end, |last| last.place + 1);
        Ok(())
    }

    /// Records the run's progress.
    pub fn note_progress(&self, ledger: &Connection) -> rusqlite::Result<()> {
        let mut note = ledger.prepare_cached(
            "UPDATE progress SET first_fresh = ?2, attempts = ?3, cancelled = ?4,
                 already_cancelled = ?5, rejected = ?6, failed = ?7, in_doubt = ?8, invalid = ?9,
                 duplicate = ?10, not_sent = ?11, rejected_with_doubt = ?12
             WHERE run = ?1",
        )?;
        let [a, b, c, d, e, f, g, h] = Status::ALL.map(|status| self.counts.get(status));
        let ActiveRun { number, attempts, .. } = self;
        let with_doubt = self.counts.rejected_with_doubt();
        let first_fresh = self.first_fresh();
        note.execute(params![number, first_fresh, attempts, a, b, c, d, e, f, g, h, with_doubt])
            .map(drop)
    }
}
