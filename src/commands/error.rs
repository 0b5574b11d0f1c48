//! The exit code of an error.

use crate::exit_code::ExitCode;
use crate::ledger::LedgerError;

/// The ledger or the disk failed after the run was opened: what was done is
/// recorded, and the same command resumes it.
#[derive(Debug, thiserror::Error)]
#[error("the ledger or the disk failed")]
pub struct LedgerFailed;

/// The exit code of an error.
pub fn exit_code_of(error: &anyhow::Error) -> ExitCode {
    let failed = error.downcast_ref::<LedgerFailed>().is_some();
    match error.downcast_ref::<LedgerError>() {
        Some(
            LedgerError::DiskFull { .. }
            | LedgerError::Database { .. }
            | LedgerError::Unreachable { .. }
            | LedgerError::Copy { .. }
            | LedgerError::Gone { .. },
        ) => ExitCode::LedgerFailed,
        _ if failed => ExitCode::LedgerFailed,
        _ => ExitCode::Refused,
    }
}
