//! How a row stands before anything is sent, as the ledger records it.

use super::Counts;
use crate::intake::Standing;
use crate::order::OwnCode;
use crate::outcome::Status;

/// The status that a row has without a call, if it is decided.
pub(super) fn status_of(standing: &Standing) -> Option<Status> {
    match standing {
        Standing::ToSend { .. } => None,
        Standing::Kept { status, .. } => Some(*status),
        Standing::Invalid(_) => Some(Status::Invalid),
        Standing::Duplicate { .. } => Some(Status::Duplicate),
    }
}

/// Counts a row if it is decided.
pub(super) fn count(standing: &Standing, counts: &mut Counts) {
    let doubt = matches!(standing, Standing::Kept { doubt: true, .. });
    status_of(standing).iter().for_each(|status| counts.add_row(*status, doubt));
}

/// What else the ledger records of a row's standing.
#[derive(Default)]
pub(super) struct Decided {
    pub kept: bool,
    pub doubt: bool,
    pub error_code: Option<String>,
    pub message: Option<String>,
}

/// What is recorded of it beside its status.
pub(super) fn decide(standing: Standing) -> Decided {
    match standing {
        Standing::ToSend { doubt } => Decided { doubt, ..Decided::default() },
        Standing::Kept { doubt, .. } => Decided { kept: true, doubt, ..Decided::default() },
        Standing::Invalid(flaw) => Decided {
            error_code: Some(flaw.code.to_string()),
            message: Some(flaw.message),
            ..Decided::default()
        },
        Standing::Duplicate { first } => Decided {
            error_code: Some(OwnCode::Duplicate.to_string()),
            message: Some(format!("the same order as row {first}, which decides")),
            ..Decided::default()
        },
    }
}
