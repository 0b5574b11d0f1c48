//! What makes a file look as if it did not hold the orders that were meant.

use std::fmt;

use super::proof::Proof;

/// What a person should see before anything is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// The last line has no line end, and nothing shows that the file is whole.
    Unfinished {
        /// That line.
        line: u64,
    },
    /// The last line has no line end, and all that was shown is the number of rows.
    Unproven {
        /// That line.
        line: u64,
    },
}

impl Warning {
    /// The warning about a last line without a line end.
    pub(super) fn unfinished(line: u64, proof: Option<Proof>) -> Option<Warning> {
        match proof {
            None => Some(Warning::Unfinished { line }),
            Some(Proof::Rows) => Some(Warning::Unproven { line }),
            Some(Proof::Digest) => None,
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::Unfinished { line } => write!(
                f,
                "THE FILE MAY BE CUT SHORT: its last line, line {line}, has no line end. That row \
                 is not sent, and rows after it may be missing. If the file is whole, end that \
                 line, or show it with --expect-rows, --expect-sha256 or a file .sha256 beside it"
            ),
            Warning::Unproven { line } => write!(
                f,
                "the last line, line {line}, has no line end. It is sent because --expect-rows \
                 says that the file is whole; only a SHA-256 (--expect-sha256) shows that the \
                 line itself is"
            ),
        }
    }
}
