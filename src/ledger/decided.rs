//! How a row stands before anything is sent, as the ledger records it.

use crate::input::Disposition;
use crate::model::{Counts, ReasonCode, Status};

/// The status that a row has without a call, if it is decided.
pub(super) fn status_of(disposition: &Disposition) -> Option<Status> {
    match disposition {
        Disposition::ToSend { .. } => None,
        Disposition::Kept { status, .. } => Some(*status),
        Disposition::Invalid(_) => Some(Status::Invalid),
        Disposition::Duplicate { .. } => Some(Status::Duplicate),
    }
}

/// Counts a row if it is decided.
pub(super) fn count(disposition: &Disposition, counts: &mut Counts) {
    let doubt = matches!(disposition, Disposition::Kept { doubt: true, .. });
    status_of(disposition).iter().for_each(|status| counts.add_row(*status, doubt));
}

/// What else the ledger records of a row's disposition.
#[derive(Default)]
pub(super) struct Decided {
    pub kept: bool,
    pub doubt: bool,
    pub error_code: Option<String>,
    pub message: Option<String>,
}

/// What is recorded of it beside its status.
pub(super) fn decide(disposition: Disposition) -> Decided {
    match disposition {
        Disposition::ToSend { doubt } => Decided { doubt, ..Decided::default() },
        Disposition::Kept { doubt, .. } => Decided { kept: true, doubt, ..Decided::default() },
        Disposition::Invalid(error) => Decided {
            error_code: Some(error.code.to_string()),
            message: Some(error.message),
            ..Decided::default()
        },
        Disposition::Duplicate { first } => Decided {
            error_code: Some(ReasonCode::Duplicate.to_string()),
            message: Some(format!("the same order as row {first}, which decides")),
            ..Decided::default()
        },
    }
}
