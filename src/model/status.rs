//! The status of a row in the results.

use std::fmt;
use std::str::FromStr;

/// The status of a row in the results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// CoreCARD answered `Status` true.
    Cancelled,
    /// A configured error code means this, or an earlier run on the ledger cancelled the order.
    AlreadyCancelled,
    /// CoreCARD answered `Status` false: final.
    Rejected,
    /// Surely not cancelled: refused, unreachable or throttled, and no attempt is left.
    Failed,
    /// A request was sent, no trustworthy answer came, and no attempt is left.
    InDoubt,
    /// The row cannot be sent.
    Invalid,
    /// An earlier row carries the same order, and decides.
    Duplicate,
    /// The run stopped before the row ended.
    NotSent,
}

impl Status {
    /// Every status, in the order of the summary.
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

    /// The value in the results' `status` column.
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

    /// Whether the order is surely removed from the embosser's list.
    pub fn is_cancelled(self) -> bool {
        matches!(self, Status::Cancelled | Status::AlreadyCancelled)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text is not one of the eight statuses.
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
