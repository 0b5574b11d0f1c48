//! Stores claimed rows as ranges: a commit claims new rows consecutively, so one range represents
//! all of them. A row that is claimed and has no completed attempt was in flight when the process
//! died.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, params};

/// A row that is not claimed can be neither completed nor released: the ledger would contradict
/// itself.
const NOT_CLAIMED: rusqlite::Error = rusqlite::Error::StatementChangedRows(0);

/// The attempt whose ranges are kept until their rows have ended.
const FIRST: u32 = 1;

/// The rows of a run that were claimed and have not ended, mirroring the table `claim`.
#[derive(Debug)]
pub(super) struct ClaimRanges {
    run: i64,
    /// Whether rows are sent in another order than that of their numbers.
    has_places: bool,
    open: BTreeSet<u32>,
    /// The ranges of the first attempt, keyed by their first rows. Each contains an open row.
    ranges: BTreeMap<u32, ClaimRange>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ClaimRange {
    /// One past its last row.
    end: u32,
    /// The position of its first row.
    place: u32,
    /// When its rows were claimed, in microseconds since 1970 UTC; `None` once the claim was
    /// completed or released.
    claimed_at: Option<i64>,
}

impl ClaimRange {
    /// The position of one of its rows.
    fn place_of(&self, first: u32, row: u32) -> u32 {
        self.place + (row - first)
    }
}

impl ClaimRanges {
    /// The ranges of a run that is started. `waiting` are the rows to be claimed again with their
    /// positions, ordered by position.
    pub fn load(
        ledger: &Connection,
        run: i64,
        has_places: bool,
        waiting: Vec<(u32, u32)>,
    ) -> rusqlite::Result<ClaimRanges> {
        ledger.execute("DELETE FROM claim WHERE run = ?1", [run])?;
        let (open, ranges) = (BTreeSet::new(), BTreeMap::new());
        let mut claims = ClaimRanges { run, has_places, open, ranges };
        claims.open_all(ledger, &waiting, None)?;
        Ok(claims)
    }

    /// Claims new rows, each with its position, consecutively in the send order. The rows between
    /// them were decided without a call.
    pub fn begin(
        &mut self,
        ledger: &Connection,
        rows: &[(u32, u32)],
        claimed_at: i64,
    ) -> rusqlite::Result<()> {
        self.open_all(ledger, rows, Some(claimed_at))
    }

    /// Skips a new row for now: it waits, and nothing is sent for it.
    pub fn pass_over(&mut self, ledger: &Connection, row: u32, place: u32) -> rusqlite::Result<()> {
        self.open_all(ledger, &[(row, place)], None)
    }

    fn open_all(
        &mut self,
        ledger: &Connection,
        rows: &[(u32, u32)],
        claimed_at: Option<i64>,
    ) -> rusqlite::Result<()> {
        self.open.extend(rows.iter().map(|(row, _)| row));
        // By position, the rows between two may be any rows.
        let has_places = self.has_places;
        let follow = |(row, place): &(u32, u32), (next, next_place): &(u32, u32)| {
            row < next && (!has_places || (row + 1, place + 1) == (*next, *next_place))
        };
        for range in rows.chunk_by(follow) {
            if let [(first, place), ..] = *range
                && let [.., (last, _)] = *range
            {
                self.put(ledger, first, ClaimRange { end: last + 1, place, claimed_at })?;
            }
        }
        Ok(())
    }

    /// Claims a row again.
    pub fn again(
        &mut self,
        ledger: &Connection,
        row: u32,
        attempt: u32,
        claimed_at: i64,
    ) -> rusqlite::Result<()> {
        if attempt == FIRST {
            return self.set_apart(ledger, row, Some(claimed_at));
        }
        let (first, around) = self.around(row).ok_or(NOT_CLAIMED)?;
        let place = around.place_of(first, row);
        ledger
            .prepare_cached(
                "INSERT INTO claim (run, attempt, first_row, end_row, first_place, claimed_at)
                 VALUES (?1, ?2, ?3, ?3 + 1, ?4, ?5)",
            )?
            .execute(params![self.run, attempt, row, place, claimed_at])
            .map(drop)
    }

    /// Releases a row's claim: nothing was sent.
    pub fn release(&mut self, ledger: &Connection, row: u32, attempt: u32) -> rusqlite::Result<()> {
        match self.around(row) {
            _ if attempt > FIRST => self.remove(ledger, attempt, row),
            Some((_, ClaimRange { claimed_at: Some(_), .. })) => self.set_apart(ledger, row, None),
            _ => Err(NOT_CLAIMED),
        }
    }

    /// Records that a row's attempt has ended.
    pub fn complete(
        &mut self,
        ledger: &Connection,
        row: u32,
        attempt: u32,
    ) -> rusqlite::Result<()> {
        match attempt {
            FIRST if self.open.contains(&row) => Ok(()),
            FIRST => Err(NOT_CLAIMED),
            _ => self.remove(ledger, attempt, row),
        }
    }

    /// Records that a row has ended. It may be one that was never claimed.
    pub fn end(&mut self, ledger: &Connection, row: u32) -> rusqlite::Result<()> {
        if !self.open.remove(&row) {
            return Ok(());
        }
        match self.around(row) {
            Some((first, range)) if !self.has_open(first, range.end) => {
                self.ranges.remove(&first);
                self.remove(ledger, FIRST, first)
            }
            _ => Ok(()),
        }
    }

    /// Splits a row off into its own range.
    fn set_apart(
        &mut self,
        ledger: &Connection,
        row: u32,
        claimed_at: Option<i64>,
    ) -> rusqlite::Result<()> {
        let Some((first, around)) = self.around(row).filter(|_| self.open.contains(&row)) else {
            return Err(NOT_CLAIMED);
        };
        if self.has_open(first, row) {
            self.put(ledger, first, ClaimRange { end: row, ..around })?;
        } else if first < row {
            self.ranges.remove(&first);
            self.remove(ledger, FIRST, first)?;
        }
        let place = around.place_of(first, row);
        self.put(ledger, row, ClaimRange { end: row + 1, place, claimed_at })?;
        if self.has_open(row + 1, around.end) {
            self.put(ledger, row + 1, ClaimRange { place: place + 1, ..around })
        } else {
            Ok(())
        }
    }

    /// The range of the first attempt that contains this row.
    fn around(&self, row: u32) -> Option<(u32, ClaimRange)> {
        let (first, range) = self.ranges.range(..=row).next_back()?;
        (row < range.end).then_some((*first, *range))
    }

    fn has_open(&self, first: u32, end: u32) -> bool {
        self.open.range(first..end).next().is_some()
    }

    fn put(&mut self, ledger: &Connection, first: u32, range: ClaimRange) -> rusqlite::Result<()> {
        self.ranges.insert(first, range);
        ledger
            .prepare_cached(
                "INSERT OR REPLACE INTO claim
                     (run, attempt, first_row, end_row, first_place, claimed_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![self.run, FIRST, first, range.end, range.place, range.claimed_at])
            .map(drop)
    }

    fn remove(&self, ledger: &Connection, attempt: u32, first: u32) -> rusqlite::Result<()> {
        let removed = ledger
            .prepare_cached("DELETE FROM claim WHERE run = ?1 AND attempt = ?2 AND first_row = ?3")?
            .execute(params![self.run, attempt, first])?;
        if removed == 1 { Ok(()) } else { Err(NOT_CLAIMED) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::sqlite::schema;

    fn ledger() -> Connection {
        schema::in_memory()
    }

    /// The ranges in the ledger: first row, end and first position.
    fn ranges(ledger: &Connection) -> Vec<(u32, u32, u32)> {
        let mut find = ledger
            .prepare(
                "SELECT first_row, end_row, first_place FROM claim ORDER BY attempt, first_row",
            )
            .unwrap();
        let ranges = find.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        ranges.unwrap().collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn rows_in_the_places_of_their_numbers_are_one_range() {
        let ledger = ledger();
        let mut claims = ClaimRanges::load(&ledger, 1, false, Vec::new()).unwrap();
        claims.begin(&ledger, &[(1, 1), (2, 2), (7, 7)], 0).unwrap();
        assert_eq!(ranges(&ledger), [(1, 8, 1)]);
    }

    #[test]
    fn by_places_only_rows_side_by_side_in_both_are_one_range() {
        let ledger = ledger();
        let mut claims = ClaimRanges::load(&ledger, 1, true, Vec::new()).unwrap();
        claims.begin(&ledger, &[(5, 1), (6, 2), (8, 4), (9, 6), (3, 7), (4, 8)], 0).unwrap();
        assert_eq!(ranges(&ledger), [(3, 5, 7), (5, 7, 1), (8, 9, 4), (9, 10, 6)]);
    }

    #[test]
    fn a_claim_that_is_taken_back_leaves_its_range_and_finds_its_place_again() {
        let ledger = ledger();
        let mut claims = ClaimRanges::load(&ledger, 1, true, Vec::new()).unwrap();
        claims.begin(&ledger, &[(5, 1), (6, 2), (7, 3)], 0).unwrap();
        claims.release(&ledger, 6, 1).unwrap();
        assert_eq!(ranges(&ledger), [(5, 6, 1), (6, 7, 2), (7, 8, 3)]);
        assert!(claims.release(&ledger, 6, 1).is_err(), "it was taken back already");
        claims.again(&ledger, 6, 1, 0).unwrap();
        for row in [5, 6, 7] {
            claims.complete(&ledger, row, 1).unwrap();
            claims.end(&ledger, row).unwrap();
        }
        assert_eq!(ranges(&ledger), []);
        assert!(claims.complete(&ledger, 5, 1).is_err(), "it has ended");
    }

    #[test]
    fn a_later_attempt_is_a_range_of_its_own_until_it_ends() {
        let ledger = ledger();
        let mut claims = ClaimRanges::load(&ledger, 1, false, vec![(4, 4), (5, 5)]).unwrap();
        claims.again(&ledger, 5, 2, 0).unwrap();
        assert_eq!(ranges(&ledger), [(4, 6, 4), (5, 6, 5)]);
        claims.complete(&ledger, 5, 2).unwrap();
        assert_eq!(ranges(&ledger), [(4, 6, 4)]);
        assert!(claims.complete(&ledger, 5, 2).is_err(), "it has ended");
    }
}
