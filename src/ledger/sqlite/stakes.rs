//! Which rows are staked, in ranges: a turn stakes fresh rows one after another, so
//! that one range tells of all of them. What was staked, and has no attempt that
//! ended, was in flight when the process died.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, params};

/// What is not staked can neither end nor be taken back: that would be a second truth.
const NOT_STAKED: rusqlite::Error = rusqlite::Error::StatementChangedRows(0);

/// The attempt whose ranges stand until their rows have ended.
const FIRST: u32 = 1;

/// The rows of a run that were staked and have not ended, as the ledger has them.
#[derive(Debug)]
pub(super) struct Stakes {
    run: i64,
    open: BTreeSet<u32>,
    /// The ranges of the first attempt, by their first rows. Each has an open row.
    ranges: BTreeMap<u32, Range>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    /// One past its last row.
    end: u32,
    /// When its rows were staked, in microseconds since 1970 UTC; none once that has
    /// ended or was taken back.
    staked_at: Option<i64>,
}

impl Stakes {
    /// Those of a run that is started: these rows, in order, wait to be staked again.
    pub fn of(
        ledger: &Connection,
        run: i64,
        waiting: impl Iterator<Item = u32>,
    ) -> rusqlite::Result<Stakes> {
        ledger.execute("DELETE FROM stake WHERE run = ?1", [run])?;
        let mut stakes = Stakes { run, open: waiting.collect(), ranges: BTreeMap::new() };
        let mut rows = stakes.open.clone().into_iter().peekable();
        while let Some(first) = rows.next() {
            let mut end = first + 1;
            while rows.next_if_eq(&end).is_some() {
                end += 1;
            }
            stakes.put(ledger, first, Range { end, staked_at: None })?;
        }
        Ok(stakes)
    }

    /// Fresh rows are staked. Those between them were decided without a call.
    pub fn begin(
        &mut self,
        ledger: &Connection,
        rows: impl Iterator<Item = u32>,
        staked_at: i64,
    ) -> rusqlite::Result<()> {
        let mut ends = None;
        for row in rows {
            self.open.insert(row);
            let (first, _) = ends.unwrap_or((row, row));
            ends = Some((first, row));
        }
        match ends {
            None => Ok(()),
            Some((first, last)) => {
                let staked_at = Some(staked_at);
                self.put(ledger, first, Range { end: last + 1, staked_at })
            }
        }
    }

    /// A row that waited is staked again.
    pub fn again(
        &mut self,
        ledger: &Connection,
        row: u32,
        attempt: u32,
        staked_at: i64,
    ) -> rusqlite::Result<()> {
        if attempt == FIRST {
            return self.set_apart(ledger, row, Some(staked_at));
        }
        ledger
            .prepare_cached(
                "INSERT INTO stake (run, attempt, first_row, end_row, staked_at)
                 VALUES (?1, ?2, ?3, ?3 + 1, ?4)",
            )?
            .execute(params![self.run, attempt, row, staked_at])
            .map(drop)
    }

    /// A row's stake is taken back: nothing was sent.
    pub fn withdraw(
        &mut self,
        ledger: &Connection,
        row: u32,
        attempt: u32,
    ) -> rusqlite::Result<()> {
        match self.around(row) {
            _ if attempt > FIRST => self.remove(ledger, attempt, row),
            Some((_, Range { staked_at: Some(_), .. })) => self.set_apart(ledger, row, None),
            _ => Err(NOT_STAKED),
        }
    }

    /// A row's attempt has ended.
    pub fn settle(&mut self, ledger: &Connection, row: u32, attempt: u32) -> rusqlite::Result<()> {
        match attempt {
            FIRST if self.open.contains(&row) => Ok(()),
            FIRST => Err(NOT_STAKED),
            _ => self.remove(ledger, attempt, row),
        }
    }

    /// A row has ended. One that was never staked may, too.
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

    /// Gives a row a range of its own.
    fn set_apart(
        &mut self,
        ledger: &Connection,
        row: u32,
        staked_at: Option<i64>,
    ) -> rusqlite::Result<()> {
        let Some((first, around)) = self.around(row).filter(|_| self.open.contains(&row)) else {
            return Err(NOT_STAKED);
        };
        if self.has_open(first, row) {
            self.put(ledger, first, Range { end: row, ..around })?;
        } else if first < row {
            self.ranges.remove(&first);
            self.remove(ledger, FIRST, first)?;
        }
        self.put(ledger, row, Range { end: row + 1, staked_at })?;
        match self.has_open(row + 1, around.end) {
            true => self.put(ledger, row + 1, around),
            false => Ok(()),
        }
    }

    /// The range of the first attempt with this row.
    fn around(&self, row: u32) -> Option<(u32, Range)> {
        let (first, range) = self.ranges.range(..=row).next_back()?;
        (row < range.end).then_some((*first, *range))
    }

    fn has_open(&self, first: u32, end: u32) -> bool {
        self.open.range(first..end).next().is_some()
    }

    fn put(&mut self, ledger: &Connection, first: u32, range: Range) -> rusqlite::Result<()> {
        self.ranges.insert(first, range);
        ledger
            .prepare_cached(
                "INSERT OR REPLACE INTO stake (run, attempt, first_row, end_row, staked_at)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![self.run, FIRST, first, range.end, range.staked_at])
            .map(drop)
    }

    fn remove(&self, ledger: &Connection, attempt: u32, first: u32) -> rusqlite::Result<()> {
        let removed = ledger
            .prepare_cached("DELETE FROM stake WHERE run = ?1 AND attempt = ?2 AND first_row = ?3")?
            .execute(params![self.run, attempt, first])?;
        if removed == 1 { Ok(()) } else { Err(NOT_STAKED) }
    }
}
