//! What the ledger records of a row's disposition when a run is created.

use crate::input::Disposition;
use crate::model::{Counts, ReasonCode, Status};

/// What is recorded of a row's disposition.
#[derive(Default)]
pub(super) struct RowDecision {
    /// The row's status if it is decided without a call; `None` if it will be sent.
    pub status: Option<Status>,
    pub carried_over: bool,
    pub doubt: bool,
    pub error_code: Option<String>,
    pub message: Option<String>,
}

impl From<Disposition> for RowDecision {
    fn from(disposition: Disposition) -> RowDecision {
        let status = status_of(&disposition);
        let decision = RowDecision { status, ..RowDecision::default() };
        match disposition {
            Disposition::ToSend { doubt } => RowDecision { doubt, ..decision },
            Disposition::Kept { doubt, .. } => {
                RowDecision { carried_over: true, doubt, ..decision }
            }
            Disposition::EndedSince(ended) => RowDecision {
                carried_over: true,
                error_code: Some(ended.error_code),
                message: Some(ended.message),
                ..decision
            },
            Disposition::Resolved { message, .. } => RowDecision {
                error_code: Some(ReasonCode::Resolved.to_string()),
                message: Some(message),
                ..decision
            },
            Disposition::Invalid(error) => RowDecision {
                error_code: Some(error.code.to_string()),
                message: Some(error.message),
                ..decision
            },
            Disposition::Duplicate { first } => RowDecision {
                error_code: Some(ReasonCode::Duplicate.to_string()),
                message: Some(format!("the same order as row {first}, which decides")),
                ..decision
            },
        }
    }
}

/// Counts a row that is decided without a call.
pub(super) fn count(disposition: &Disposition, counts: &mut Counts) {
    if let Some(status) = status_of(disposition) {
        counts.add_row(status, matches!(disposition, Disposition::Kept { doubt: true, .. }));
    }
}

fn status_of(disposition: &Disposition) -> Option<Status> {
    match disposition {
        Disposition::ToSend { .. } => None,
        Disposition::Kept { status, .. } | Disposition::Resolved { status, .. } => Some(*status),
        Disposition::EndedSince(ended) => Some(ended.status),
        Disposition::Invalid(_) => Some(Status::Invalid),
        Disposition::Duplicate { .. } => Some(Status::Duplicate),
    }
}
