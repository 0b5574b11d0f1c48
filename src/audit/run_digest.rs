//! The digests of a whole run, for its seal.

use super::block_digest::{BlockDigest, BlockList};
use super::record_lines::RunLines;
use super::seal::SealedLines;
use crate::hash::Digest;
use crate::ledger::{AttemptRecord, EventRecord, RowRecord, StartRecord};
use crate::model::Counts;

/// Computes in one pass over a run's records what its seal states of them.
pub struct RunDigest {
    lines: RunLines,
    rows: BlockDigest,
    attempts: BlockDigest,
    events: BlockDigest,
    /// The attempts that the seal before covers, and the number of the last start among them.
    before: Option<(i64, BlockDigest)>,
    counts: Counts,
}

/// The digests of a run's tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunDigests {
    /// Those of `rows.csv`.
    pub rows: BlockedLines,
    /// Those of `attempts.csv`.
    pub attempts: BlockedLines,
    /// Those of `events.csv`.
    pub events: BlockedLines,
    /// The digest of the attempts that the seal before covers, if there is one.
    pub attempts_before: Option<Digest>,
    /// The rows by status.
    pub counts: Counts,
}

/// A run's lines in one table, with the digest of each block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlockedLines {
    /// How many lines there are.
    pub lines: u64,
    /// The digests of their blocks.
    pub blocks: BlockList,
}

impl BlockedLines {
    /// What a seal states of them.
    pub fn sealed(&self) -> SealedLines {
        SealedLines { lines: self.lines, digest: self.blocks.digest() }
    }
}

impl From<BlockDigest> for BlockedLines {
    fn from(digest: BlockDigest) -> BlockedLines {
        BlockedLines { lines: digest.lines(), blocks: digest.finish() }
    }
}

impl RunDigest {
    /// Begins a run with this identifier, which called this URL and was started so. If an earlier
    /// seal of the run exists, `last_start_before` is the number of the newest start at that time:
    /// that seal covers the attempts of starts up to it, whatever any clock says.
    pub fn new(
        run: &str,
        endpoint: &str,
        starts: &[StartRecord],
        last_start_before: Option<i64>,
    ) -> RunDigest {
        RunDigest {
            lines: RunLines::new(run, endpoint, starts),
            rows: BlockDigest::default(),
            attempts: BlockDigest::default(),
            events: BlockDigest::default(),
            before: last_start_before.map(|start| (start, BlockDigest::default())),
            counts: Counts::default(),
        }
    }

    /// The same, with the lines hashed on threads of their own: for who also reads the records.
    pub fn in_background(self) -> RunDigest {
        let [rows, attempts] = [(); 2].map(|()| BlockDigest::in_background());
        let before = self.before.map(|(start, _)| (start, BlockDigest::in_background()));
        RunDigest { rows, attempts, before, ..self }
    }

    /// Adds the next row of the run, by number, with its attempts.
    pub fn add_row(&mut self, row: &RowRecord, attempts: &[AttemptRecord]) {
        self.counts.add_row(row.status, row.doubt);
        self.rows.add_line(self.lines.row(row));
        for attempt in attempts {
            let line = self.lines.attempt(attempt);
            self.attempts.add_line(line);
            if let Some((start, before)) = &mut self.before {
                // What no start is known of was recorded before starts were.
                if attempt.start.is_none_or(|number| number <= *start) {
                    before.add_line(line);
                }
            }
        }
    }

    /// Adds the next event of the run.
    pub fn add_event(&mut self, event: &EventRecord) {
        self.events.add_line(self.lines.event(event));
    }

    /// The digests of all that was added.
    pub fn finish(self) -> RunDigests {
        RunDigests {
            rows: self.rows.into(),
            attempts: self.attempts.into(),
            events: self.events.into(),
            attempts_before: self.before.map(|(_, before)| before.finish().digest()),
            counts: self.counts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::testing::{attempt, row, start};

    #[test]
    fn the_attempts_of_a_run_that_goes_on_have_the_digest_of_the_seal_before() {
        let starts = [start(7), start(9)];
        let mut stopped = RunDigest::new("run", "https://a", &starts[..1], None);
        (1..=20_000).for_each(|number| stopped.add_row(&row(number), &[attempt(number, 7)]));
        let stopped = stopped.finish();
        let mut ended = RunDigest::new("run", "https://a", &starts, Some(7));
        for number in 1..=20_000 {
            ended.add_row(&row(number), &[attempt(number, 7), attempt(number, 9)]);
        }
        let ended = ended.finish();
        assert_eq!(ended.attempts_before, Some(stopped.attempts.sealed().digest));
        assert_ne!(ended.attempts, stopped.attempts);
        assert_eq!((ended.rows.lines, ended.attempts.lines), (20_000, 40_000));
        assert_eq!(ended.counts.total(), 20_000);
    }
}
