//! The exit code of an error.

use std::io::{self, ErrorKind};

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
        Some(LedgerError::Copy { cause, .. }) if is_wrong_path(cause) => ExitCode::Refused,
        Some(
            LedgerError::DiskFull { .. }
            | LedgerError::Database { .. }
            | LedgerError::Unreachable { .. }
            | LedgerError::Copy { .. }
            | LedgerError::Gone { .. },
        ) => ExitCode::LedgerFailed,
        _ if failed || error.chain().any(is_failing_disk) => ExitCode::LedgerFailed,
        _ => ExitCode::Refused,
    }
}

/// Whether another path on the command line would help.
fn is_wrong_path(cause: &io::Error) -> bool {
    matches!(
        cause.kind(),
        ErrorKind::AlreadyExists
            | ErrorKind::NotFound
            | ErrorKind::NotADirectory
            | ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
    )
}

/// Whether a disk is full or broken.
fn is_failing_disk(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause.downcast_ref::<io::Error>().is_some_and(|cause| {
        let is_full = matches!(
            cause.kind(),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
        );
        is_full || cause.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
    })
}
