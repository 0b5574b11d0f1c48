//! Opens the ledger for commands that only read it.

use std::time::Duration;

use anyhow::Context as _;

use crate::ledger::{Ledger, LedgerLocation, SharedLedgerTimeouts};

/// For commands that only read: they hold no rows, and do not wait for long.
pub const READ_ONLY_TIMEOUTS: SharedLedgerTimeouts =
    SharedLedgerTimeouts { lease: Duration::from_secs(30), max_outage: Duration::from_secs(10) };

/// Opens the ledger at this location for reading.
///
/// # Errors
/// If there is none, or it cannot be read.
pub fn open_ledger(location: &LedgerLocation) -> anyhow::Result<Box<dyn Ledger>> {
    location
        .open_existing(READ_ONLY_TIMEOUTS)?
        .with_context(|| format!("there is no ledger at {location}: name another with --ledger"))
}
