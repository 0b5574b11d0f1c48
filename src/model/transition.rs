//! What a call makes of its row: the row ends, waits for another attempt, or goes back unsent.

use super::{Status, Verdict};

/// What is done about a lost answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDoubt {
    /// Ask again within the run: the pair names one order, so a repeat is safe.
    #[default]
    Retry,
    /// Leave the row in doubt at once.
    Leave,
}

/// What an attempt makes of its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowTransition {
    /// The row ends so.
    End(Status),
    /// The row waits for another attempt.
    Retry,
    /// The row goes back among those not sent; the run stops.
    Unsent,
}

/// What an attempt makes of its row. `attempts_left` says whether another is
/// allowed; `doubt` whether this or any earlier answer of the row was lost.
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
        // Once an answer was lost, a later "not done" speaks of the later attempt only.
        Verdict::Doubt | Verdict::NotDone | Verdict::Refused if doubt => {
            RowTransition::End(Status::InDoubt)
        }
        Verdict::Doubt => RowTransition::End(Status::InDoubt),
        Verdict::NotDone | Verdict::Refused => RowTransition::End(Status::Failed),
    }
}

/// How a row stands in the results when its run stopped before it ended: a row
/// with a lost answer behind it can no longer be called unsent.
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
