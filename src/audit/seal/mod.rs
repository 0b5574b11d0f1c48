//! A seal: the text that closes a run and names the seal before it.
//!
//! The text is the record: its bytes are stored, exported and hashed. Each text has the same
//! lines in the same order. Free text stands in JSON quotes, so no value can add a line.

mod parse;
mod word;
mod write;

use jiff::{SignedDuration, Timestamp};

use crate::hash::Digest;
use crate::identity::Identity;
use crate::ledger::{Purpose, StartRecord};
use crate::model::Counts;

pub use parse::ParseSealError;
pub use word::{ParseSealWordError, SealWord};

/// A tenth of a second, in microseconds.
const TENTH: i64 = 100_000;

/// What a seal states about a run when it came to rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    /// The ledger's own identifier, which it keeps for ever.
    pub ledger: SealWord,
    /// The seal's number in the ledger, from 1 without a gap.
    pub number: u64,
    /// The digest of the seal before; [`Digest::ZERO`] for the first.
    pub previous: Digest,
    /// The run's identifier.
    pub run: SealWord,
    /// How the run came to rest.
    pub state: SealedState,
    /// The seal of the same run that this one continues, after an early stop.
    pub continues: Option<Continued>,
    /// The input file.
    pub input: SealedInput,
    /// The lines in `rows.csv`.
    pub rows: SealedLines,
    /// The lines in `attempts.csv`.
    pub attempts: SealedLines,
    /// The lines in `events.csv`.
    pub events: SealedLines,
    /// The digest of the configuration in force; `None` if it was not recorded.
    pub configuration: Option<Digest>,
    /// The results file; `None` if none was written before the seal, or which of several was the last
    /// is not known.
    pub results: Option<SealedFile>,
    /// The rows by status, of those in `rows.csv`. Compare with [`Seal::has_counts`].
    pub counts: Counts,
    /// When the run was created, in microseconds.
    pub opened: Timestamp,
    /// When it came to rest, in microseconds; `None` if its process died.
    pub finished: Option<Timestamp>,
    /// Who started it.
    pub by: SealedBy,
    /// Why it was started.
    pub purpose: Purpose,
    /// The state of the clock.
    pub clock: SealedClock,
    /// The program that sealed.
    pub program: SealedProgram,
}

impl Seal {
    /// Whether these are the rows by status that it states. How many of the rejected rows are in
    /// doubt is not among them.
    pub fn has_counts(&self, counts: &Counts) -> bool {
        self.counts.iter().eq(counts.iter())
    }
}

/// How a run came to rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SealedState {
    /// Every row had ended.
    Ended,
    /// A process stopped before the last row, for this reason code.
    Stopped(String),
    /// Its process died before the last row.
    Interrupted,
    /// Its rows were removed from the ledger: the other lines are those of the seal before it.
    Forgotten(SealedForgetting),
}

/// What is stated of a run whose rows were removed from the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedForgetting {
    /// When, in microseconds.
    pub at: Timestamp,
    /// The orders that the ledger still knows the run to have cancelled.
    pub kept: SealedLines,
    /// The export that has the rows: the digest of its manifest-sha256.txt, and its name.
    pub export: SealedFile,
}

impl SealedState {
    /// The word in the seal and in `runs.csv`.
    pub fn word(&self) -> &'static str {
        match self {
            SealedState::Ended => "ended",
            SealedState::Stopped(_) => "stopped",
            SealedState::Interrupted => "interrupted",
            SealedState::Forgotten(_) => "forgotten",
        }
    }

    /// The reason code for which it stopped.
    pub fn stop(&self) -> Option<&str> {
        match self {
            SealedState::Stopped(code) => Some(code),
            _ => None,
        }
    }
}

/// The seal that was made when the run stopped before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Continued {
    /// Its number.
    pub number: u64,
    /// Whether the attempts that it covers still have the digest that it states.
    pub as_it_was: bool,
}

/// The input file of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedInput {
    /// The digest of its bytes.
    pub digest: Digest,
    /// The number of its rows.
    pub rows: u64,
    /// Its name.
    pub name: String,
}

/// A run's lines in one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedLines {
    /// How many there are.
    pub lines: u64,
    /// Their digest: that of the list of their blocks.
    pub digest: Digest,
}

/// A file that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedFile {
    /// The digest of its bytes.
    pub digest: Digest,
    /// Its name.
    pub name: String,
}

/// Who started the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SealedBy {
    /// As the kernel and the user database knew it.
    Process {
        /// The user.
        user: SealedUser,
        /// The user of the login behind the process.
        login: Option<SealedUser>,
        /// The host name.
        host: String,
        /// The systemd unit; empty outside of one.
        unit: String,
    },
    /// A text, where the identity was not recorded.
    Worker(String),
}

/// A user by number, with the name of that time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedUser {
    /// The user id.
    pub uid: u32,
    /// The name; empty if the user database had none.
    pub name: String,
}

impl From<&Identity> for SealedBy {
    fn from(identity: &Identity) -> SealedBy {
        let user = SealedUser { uid: identity.uid, name: identity.user.clone() };
        let login = identity.login_uid.map(|uid| SealedUser { uid, name: identity.login.clone() });
        let (host, unit) = (identity.host.clone(), identity.unit.clone());
        SealedBy::Process { user, login, host, unit }
    }
}

impl From<&StartRecord> for SealedBy {
    fn from(start: &StartRecord) -> SealedBy {
        match &start.by {
            Some(identity) => identity.into(),
            None => SealedBy::Worker(start.worker.clone()),
        }
    }
}

/// The program that sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedProgram {
    /// Its version.
    pub version: SealWord,
    /// The digest of its executable file; `None` if that could not be read.
    pub executable: Option<Digest>,
}

/// What is known of the clock by which the run's times were taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SealedClock {
    /// Whether the kernel says that the clock is synchronized; `None` if it does not say.
    pub is_synchronized: Option<bool>,
    /// How it compares with the `Date` of CoreCARD's answers; `None` without such an answer.
    pub offset: Option<SealedOffset>,
}

/// How far the clock was ahead of the `Date` of CoreCARD's answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedOffset {
    /// In tenths of a second.
    pub ahead_tenths: i64,
    /// How far that may be off to both sides, in tenths of a second, since a `Date` has whole
    /// seconds; `None` if it is not stated.
    pub within_tenths: Option<u64>,
}

impl SealedOffset {
    /// The offset that is at least and at most this. What it states includes both.
    pub fn between(at_least: SignedDuration, at_most: SignedDuration) -> SealedOffset {
        let micros = |duration: SignedDuration| i64::try_from(duration.as_micros()).unwrap_or(0);
        let (low, high) = (micros(at_least), micros(at_most));
        let ahead_tenths = low.midpoint(high).saturating_add(TENTH / 2).div_euclid(TENTH);
        let ahead = ahead_tenths.saturating_mul(TENTH);
        let off = high.saturating_sub(ahead).max(ahead.saturating_sub(low)).max(0);
        SealedOffset {
            ahead_tenths,
            within_tenths: Some(off.unsigned_abs().div_ceil(TENTH as u64)),
        }
    }
}

#[cfg(test)]
mod tests;
