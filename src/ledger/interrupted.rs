//! A call in flight whose process died: it may have been sent, and no answer will come.

use crate::model::{OnDoubt, ReasonCode, RowTransition, Status, Verdict, transition};

/// The code of such an attempt.
pub(super) const CODE: ReasonCode = ReasonCode::Interrupted;

/// Its message.
pub(super) const MESSAGE: &str = "the program died before the answer was recorded";

/// How its row ends; `None` if it is sent again.
pub(super) fn status(on_doubt: OnDoubt) -> Option<Status> {
    match transition(Verdict::Doubt, true, true, on_doubt) {
        RowTransition::End(status) => Some(status),
        RowTransition::Retry | RowTransition::Unsent => None,
    }
}
