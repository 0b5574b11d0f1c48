//! Opens the ledger for commands that only read it.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

use crate::ledger::{Ledger, LedgerLocation, SharedLedgerTimeouts};

/// For commands that only read: they hold no rows, and do not wait for long.
pub const READ_ONLY_TIMEOUTS: SharedLedgerTimeouts =
    SharedLedgerTimeouts { lease: Duration::from_secs(30), max_outage: Duration::from_secs(10) };

/// Opens the ledger of the settings for reading.
///
/// # Errors
/// If there is none, or it cannot be read.
pub fn open_ledger(location: &LedgerLocation) -> anyhow::Result<Box<dyn Ledger>> {
    location.open_existing(READ_ONLY_TIMEOUTS)?.with_context(|| no_ledger(location))
}

/// The error where the settings name a ledger that does not exist.
pub fn no_ledger(location: &LedgerLocation) -> String {
    format!(
        "there is no ledger at {location}: the first run creates it; if runs were recorded in another one, name that with --ledger, or give the --profile or --config of those runs"
    )
}

/// Opens a ledger for reading whose file is an argument of its own.
///
/// # Errors
/// If there is none, or it cannot be read.
pub fn open_file(path: &Path) -> anyhow::Result<Box<dyn Ledger>> {
    let location = LedgerLocation::File(path.to_owned());
    location.open_existing(READ_ONLY_TIMEOUTS)?.with_context(|| {
        format!("there is no ledger at {location}: check the path, or leave it out for the ledger of --ledger")
    })
}
