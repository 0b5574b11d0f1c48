//! What an export is made of.

use jiff::Timestamp;

use crate::audit::block_digest::BlockList;
use crate::ledger::{AttemptRecord, EventRecord, NewRun, RowRecord, StartRecord};

/// The part of a ledger that is exported.
pub trait BagSource {
    /// The ledger's identifier.
    ///
    /// # Errors
    /// Those of the ledger, as for the other methods.
    fn ledger(&mut self) -> anyhow::Result<String>;

    /// The runs, oldest first. Only whole runs can be held against their seals.
    ///
    /// # Errors
    /// Those of the ledger.
    fn runs(&mut self) -> anyhow::Result<Vec<BaggedRun>>;

    /// Calls `each` with every row of a run, by number, and its attempts, by number.
    ///
    /// # Errors
    /// Those of the ledger and of `each`.
    fn rows_with_attempts(
        &mut self,
        run: &str,
        each: &mut dyn FnMut(&RowRecord, &[AttemptRecord]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()>;

    /// The events of a run, in the order in which they are sealed.
    ///
    /// # Errors
    /// Those of the ledger.
    fn events(&mut self, run: &str) -> anyhow::Result<Vec<EventRecord>>;

    /// The text of the configuration with this digest; `None` if it was not recorded.
    ///
    /// # Errors
    /// Those of the ledger.
    fn configuration(&mut self, digest: &str) -> anyhow::Result<Option<String>>;

    /// The page about a run that is put beside the data; `None` if none was asked for.
    ///
    /// # Errors
    /// Those of the ledger.
    fn report(&mut self, _run: &str) -> anyhow::Result<Option<String>> {
        Ok(None)
    }

    /// Calls `each` with every seal of the ledger, from number 1.
    ///
    /// # Errors
    /// Those of the ledger and of `each`.
    fn seals(
        &mut self,
        each: &mut dyn FnMut(BaggedSeal) -> anyhow::Result<()>,
    ) -> anyhow::Result<()>;
}

/// A run that is exported.
#[derive(Debug, Clone)]
pub struct BaggedRun {
    /// Its properties.
    pub opened: NewRun,
    /// Whether every row has ended.
    pub has_ended: bool,
    /// The reason code for which it stopped before its last row.
    pub stop: Option<String>,
    /// When its last row ended, or it stopped.
    pub finished_at: Option<Timestamp>,
    /// The number of the seal that covers it as it is; `None` if it is in progress, has gone on
    /// since its last seal, or was never sealed.
    pub seal: Option<u64>,
    /// Its starts, by number.
    pub starts: Vec<StartRecord>,
}

/// A seal as it is stored.
#[derive(Debug, Clone)]
pub struct BaggedSeal {
    /// Its number.
    pub number: u64,
    /// Its text.
    pub text: String,
    /// The answer of the command that witnessed it.
    pub receipt: Option<Vec<u8>>,
    /// The digests of the blocks that it covers, if they are kept. With them, a change is named
    /// by its block.
    pub blocks: Option<SealedBlocks>,
}

/// The digests of the blocks that a seal covers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SealedBlocks {
    /// Those of `rows.csv`.
    pub rows: BlockList,
    /// Those of `attempts.csv`.
    pub attempts: BlockList,
    /// Those of `events.csv`.
    pub events: BlockList,
}

/// Who exports what, and when.
#[derive(Debug, Clone)]
pub struct BagOptions {
    /// Which runs were asked for, as text for people.
    pub scope: String,
    /// The time of the export.
    pub at: Timestamp,
    /// Who exports: [`Identity::user_text`](crate::identity::Identity::user_text).
    pub by: String,
    /// The host on which the export runs.
    pub host: String,
    /// The version of this program.
    pub version: String,
}
