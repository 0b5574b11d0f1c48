//! How a call is recorded that was in flight when its process died: it may have been sent, and
//! its answer is lost.

use crate::model::{OnDoubt, ReasonCode, RowTransition, Status, Verdict, transition};

/// The error code of such an attempt.
pub(super) const CODE: ReasonCode = ReasonCode::Interrupted;

/// The same as text.
pub(super) const CODE_TEXT: &str = "INTERRUPTED";

/// The message of such an attempt.
pub(super) const MESSAGE: &str = "the program died before the answer was recorded";

/// The status with which its row ends; `None` if the row is sent again.
pub(super) fn status(on_doubt: OnDoubt) -> Option<Status> {
    match transition(Verdict::Doubt, true, true, on_doubt) {
        RowTransition::End(status) => Some(status),
        RowTransition::Retry | RowTransition::Unsent => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_and_its_text_are_the_same() {
        assert_eq!(CODE.to_string(), CODE_TEXT);
    }
}
