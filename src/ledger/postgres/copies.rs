//! Servers that may take over from this one, and whether they have what is committed.

use crate::ledger::LedgerError;

/// What would be left of what is committed after a failover.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Copies {
    /// Whether the server has standbys.
    pub are_there: bool,
    /// Whether a commit waits until one of them has it.
    pub are_awaited: bool,
}

impl Copies {
    /// Refuses a server if a standby that lags behind could take over from it.
    pub fn refuse_lagging(self, hosts: usize, path: &str) -> Result<(), LedgerError> {
        let why = match self {
            Copies { are_awaited: true, .. } => return Ok(()),
            Copies { are_there: true, .. } => "has standbys".to_owned(),
            _ if hosts > 1 => format!("names {hosts} hosts"),
            _ => return Ok(()),
        };
        Err(LedgerError::Asynchronous { path: path.to_owned(), why })
    }
}
