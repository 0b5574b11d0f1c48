//! A recorded seal. The ledger stores the text and chains it; what the text states is the
//! business of `audit`.

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
    /// The SHA-256 of the text, as recorded.
    pub digest: String,
    /// The text.
    pub text: String,
}

/// A seal that is about to be appended to the chain.
pub struct NewSeal<'s> {
    /// The number of the run's last start that it covers.
    pub start: i64,
    /// Makes the text from its number and the digest of the seal before.
    pub text: &'s dyn Fn(u64, Digest) -> String,
}
