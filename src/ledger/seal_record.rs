//! A recorded seal. The ledger stores the text and chains it; what the text states is the
//! business of `audit`.

use jiff::Timestamp;

use super::event::NewEvent;
use crate::hash::Digest;

/// A seal as recorded in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealRecord {
    /// Its number, from 1 without a gap.
    pub number: u64,
    /// The identifier of its run.
    pub run: String,
    /// The number of the run's last start that it covers.
    pub start: i64,
    /// The SHA-256 of the text before, as recorded.
    pub previous: String,
    /// The SHA-256 of the text, as recorded.
    pub digest: String,
    /// The text.
    pub text: String,
    /// The digests of the blocks that it covers.
    pub blocks: BlockTexts,
}

/// A recorded seal without its text, and whether a receipt for it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealHead {
    /// Its number.
    pub number: u64,
    /// The identifier of its run.
    pub run: String,
    /// The SHA-256 of its text, as recorded.
    pub digest: String,
    /// When the command of `[seal]` answered with a receipt for it; `None` if it did not.
    pub receipt_at: Option<Timestamp>,
}

/// The SHA-256 of each block of a run's lines, one a line, by table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlockTexts {
    /// Those of `rows.csv`.
    pub rows: String,
    /// Those of `attempts.csv`.
    pub attempts: String,
    /// Those of `events.csv`.
    pub events: String,
}

/// A seal that is about to be appended to the chain.
pub struct NewSeal<'s> {
    /// The number of the run's last start that it covers.
    pub start: i64,
    /// The digests of the blocks that it covers.
    pub blocks: BlockTexts,
    /// An event of the run that is recorded with it. The seal covers it.
    pub event: Option<NewEvent>,
    /// Makes the text from its number and the digest of the seal before.
    pub text: &'s dyn Fn(u64, Digest) -> String,
}
