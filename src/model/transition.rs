//! What an attempt does to its row: the row ends, waits for another attempt, or returns to the
//! unsent rows.

use super::{Status, Verdict};

/// What to do after an answer was lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDoubt {
    /// Repeat the call within the run. This is safe because the pair of numbers identifies one
    /// order.
    #[default]
    Retry,
    /// Leave the row in doubt without another attempt.
    Leave,
}

/// What an attempt does to its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowTransition {
    /// The row ends with this status.
    End(Status),
    /// The row waits for another attempt.
    Retry,
    /// The row returns to the unsent rows, because the run stops.
    Unsent,
}

/// What an attempt with this verdict does to its row. `attempts_left` is whether another attempt
/// is allowed; `doubt` is whether the answer to this or an earlier attempt of the row was lost.
pub fn transition(
    verdict: Verdict,
    attempts_left: bool,
    doubt: bool,
    on_doubt: OnDoubt,
) -> RowTransition {
    match verdict {
        Verdict::Cancelled => RowTransition::End(Status::Cancelled),
        Verdict::AlreadyCancelled => RowTransition::End(Status::AlreadyCancelled),
        Verdict::Rejected => RowTransition::End(Status::Rejected),
        Verdict::Doubt if attempts_left && on_doubt == OnDoubt::Retry => RowTransition::Retry,
        Verdict::NotDone if attempts_left => RowTransition::Retry,
        Verdict::StopInDoubt(_) if on_doubt == OnDoubt::Leave => {
            RowTransition::End(Status::InDoubt)
        }
        Verdict::Stop(_) | Verdict::StopInDoubt(_) => RowTransition::Unsent,
        // After a lost answer, a later "not done" is true of the later attempt only.
        Verdict::Doubt | Verdict::NotDone | Verdict::Refused if doubt => {
            RowTransition::End(Status::InDoubt)
        }
        Verdict::Doubt => RowTransition::End(Status::InDoubt),
        Verdict::NotDone | Verdict::Refused => RowTransition::End(Status::Failed),
    }
}

/// The status of a row that has not ended when its run stops. If one of its answers was lost, it
/// cannot be reported as not sent.
pub fn status_when_stopped(doubt: bool) -> Status {
    if doubt { Status::InDoubt } else { Status::NotSent }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_whose_answer_was_lost_never_ends_as_surely_not_done() {
        for verdict in [Verdict::Doubt, Verdict::NotDone, Verdict::Refused] {
            let transition = transition(verdict, false, true, OnDoubt::Retry);
            assert_eq!(transition, RowTransition::End(Status::InDoubt), "{verdict:?}");
        }
        assert_eq!(status_when_stopped(true), Status::InDoubt);
    }

    #[test]
    fn a_lost_answer_is_asked_for_again_only_if_that_is_wanted_and_allowed() {
        let after = |left, on_doubt| transition(Verdict::Doubt, left, true, on_doubt);
        assert_eq!(after(true, OnDoubt::Retry), RowTransition::Retry);
        assert_eq!(after(true, OnDoubt::Leave), RowTransition::End(Status::InDoubt));
        assert_eq!(after(false, OnDoubt::Retry), RowTransition::End(Status::InDoubt));
    }
}
