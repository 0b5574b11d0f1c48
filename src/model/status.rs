//! The statuses that a row can have in the results.

use std::fmt;
use std::str::FromStr;

/// How a row stands in the results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// CoreCARD answered `Status` true.
    Cancelled,
    /// A code that the configuration says means that, or an earlier run did it.
    AlreadyCancelled,
    /// CoreCARD answered `Status` false: final.
    Rejected,
    /// Surely not done: refused, unreachable, throttled, attempts used up.
    Failed,
    /// Sent, no trustworthy answer came, attempts used up.
    InDoubt,
    /// The row cannot be sent.
    Invalid,
    /// The same order stands in an earlier row, which decides.
    Duplicate,
    /// The run stopped before the row was done.
    NotSent,
}

impl Status {
    /// Every status, in the order summaries show them.
    pub const ALL: [Status; 8] = [
        Status::Cancelled,
        Status::AlreadyCancelled,
        Status::Rejected,
        Status::Failed,
        Status::InDoubt,
        Status::Invalid,
        Status::Duplicate,
        Status::NotSent,
    ];

    /// The word in the results' `status` column.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Cancelled => "cancelled",
            Status::AlreadyCancelled => "already_cancelled",
            Status::Rejected => "rejected",
            Status::Failed => "failed",
            Status::InDoubt => "in_doubt",
            Status::Invalid => "invalid",
            Status::Duplicate => "duplicate",
            Status::NotSent => "not_sent",
        }
    }

    /// Whether the order is surely off the embosser's list.
    pub fn is_cancelled(self) -> bool {
        matches!(self, Status::Cancelled | Status::AlreadyCancelled)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The word is none of the eight statuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a status")]
pub struct ParseStatusError;

impl FromStr for Status {
    type Err = ParseStatusError;

    fn from_str(word: &str) -> Result<Self, ParseStatusError> {
        Status::ALL.into_iter().find(|status| status.as_str() == word).ok_or(ParseStatusError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_reads_back_from_its_word() {
        for status in Status::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
    }
}
