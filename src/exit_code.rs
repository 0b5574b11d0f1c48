//! The program's exit codes, for cron, systemd and scripts.

use std::fmt;
use std::str::FromStr;

use crate::model::{Counts, ReasonCode, Status};

/// The program's exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum ExitCode {
    /// Every row is cancelled, or was already; duplicates follow their first row.
    Done = 0,
    /// Ended; some rows were rejected, failed or are invalid.
    Failures = 1,
    /// Nothing was sent: usage, configuration or the file as a whole was refused.
    Refused = 2,
    /// Ended; some rows are in doubt: `in_doubt`, or rejected with doubt.
    InDoubt = 3,
    /// Stopped early; some rows were not sent.
    Stopped = 4,
    /// The ledger or the disk failed.
    LedgerFailed = 5,
}

impl ExitCode {
    /// Every exit code with its meaning, as in the manual and in docs/results.md.
    pub const LIST: [(ExitCode, &'static str); 6] = [
        (
            ExitCode::Done,
            "every row is cancelled, or was already; duplicates follow their first row",
        ),
        (ExitCode::Failures, "ended; some rows were rejected, failed or are invalid"),
        (
            ExitCode::Refused,
            "nothing was sent: the command line, the configuration or the file as a whole was refused",
        ),
        (ExitCode::InDoubt, "ended; some rows are in doubt: in_doubt, or rejected with doubt"),
        (
            ExitCode::Stopped,
            "some rows were not sent: the run stopped early, or the input changed while it went on",
        ),
        (ExitCode::LedgerFailed, "the ledger or the disk failed"),
    ];

    /// The exit code of a run with these counts in its results. `have_ended` is whether all of
    /// its rows have ended. If several codes apply, the most urgent wins: 4, 3, 1.
    pub fn for_run(counts: &Counts, have_ended: bool) -> ExitCode {
        let any = |status| counts.get(status) > 0;
        if !have_ended || any(Status::NotSent) {
            ExitCode::Stopped
        } else if counts.in_doubt() > 0 {
            ExitCode::InDoubt
        } else if [Status::Rejected, Status::Failed, Status::Invalid].into_iter().any(any) {
            ExitCode::Failures
        } else {
            ExitCode::Done
        }
    }
}

/// What can be left of a run that counts as a success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToleratedEnd {
    /// Rows that CoreCARD rejected, without doubt.
    Rejected,
    /// Rows that were surely not cancelled.
    Failed,
    /// Rows that could not be sent.
    Invalid,
    /// Rows that may or may not be cancelled: `in_doubt`, or rejected with doubt.
    InDoubt,
    /// Rows that were not sent before the cut-off.
    CutOff,
}

impl ToleratedEnd {
    const ALL: [(ToleratedEnd, &str); 5] = [
        (ToleratedEnd::Rejected, "rejected"),
        (ToleratedEnd::Failed, "failed"),
        (ToleratedEnd::Invalid, "invalid"),
        (ToleratedEnd::InDoubt, "in_doubt"),
        (ToleratedEnd::CutOff, "cut_off"),
    ];
}

/// Which ends of a run exit with 0 (`--ok-if`). A run that stopped early for another reason than
/// the cut-off is never one of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OkIf(Vec<ToleratedEnd>);

impl OkIf {
    /// All that any of these name.
    pub fn all(named: Vec<OkIf>) -> OkIf {
        OkIf(named.into_iter().flat_map(|named| named.0).collect())
    }

    /// Whether a run with these counts in its results is a success. `have_ended` is whether all of
    /// its rows have ended, `stop` why it stopped before.
    pub fn accepts(&self, counts: &Counts, have_ended: bool, stop: Option<&str>) -> bool {
        let clearly_rejected =
            counts.get(Status::Rejected).saturating_sub(counts.rejected_with_doubt());
        let is_left = !have_ended || counts.get(Status::NotSent) > 0;
        // Rows that a rerun carried over may have been left by anything.
        let at_cut_off = stop.is_some_and(|stop| stop == ReasonCode::CutOff.to_string());
        let ends = [
            (ToleratedEnd::Rejected, clearly_rejected > 0),
            (ToleratedEnd::Failed, counts.get(Status::Failed) > 0),
            (ToleratedEnd::Invalid, counts.get(Status::Invalid) > 0),
            (ToleratedEnd::InDoubt, counts.in_doubt() > 0),
            (ToleratedEnd::CutOff, is_left),
        ];
        let is_tolerated = |(end, is_so): (ToleratedEnd, bool)| !is_so || self.0.contains(&end);
        ends.into_iter().all(is_tolerated) && (!is_left || at_cut_off)
    }
}

impl FromStr for OkIf {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        if text.trim() == "none" {
            return Ok(OkIf::default());
        }
        let end = |name: &str| {
            let known = ToleratedEnd::ALL.into_iter().find(|(_, known)| *known == name.trim());
            known.map(|(end, _)| end)
        };
        let ends = text.split(',').map(end).collect::<Option<Vec<_>>>();
        ends.map(OkIf).ok_or(
            "write rejected, failed, invalid, in_doubt and cut_off, separated by commas, or none",
        )
    }
}

impl fmt::Display for OkIf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |(end, _): &(ToleratedEnd, &str)| self.0.contains(end);
        let names = ToleratedEnd::ALL.into_iter().filter(named).map(|(_, name)| name);
        f.write_str(&names.collect::<Vec<_>>().join(","))
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(exit: ExitCode) -> std::process::ExitCode {
        std::process::ExitCode::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(rows: &[(Status, u64)]) -> Counts {
        rows.iter().copied().collect()
    }

    #[test]
    fn a_run_is_a_success_if_all_that_is_left_was_named() {
        let ok: OkIf = "rejected, invalid".parse().unwrap();
        let accepts = |rows: &[(Status, u64)]| ok.accepts(&counts(rows), true, None);
        assert!(accepts(&[(Status::Cancelled, 9)]));
        assert!(accepts(&[(Status::Cancelled, 9), (Status::Rejected, 1), (Status::Invalid, 2)]));
        assert!(!accepts(&[(Status::Rejected, 1), (Status::Failed, 1)]));
        assert!(!accepts(&[(Status::InDoubt, 1)]));
        let nothing = OkIf::all(vec!["none".parse().unwrap()]);
        assert!(!nothing.accepts(&counts(&[(Status::Rejected, 1)]), true, None));
    }

    #[test]
    fn a_doubt_is_no_success_unless_it_was_named_itself() {
        let mut doubtful = counts(&[(Status::Rejected, 2)]);
        doubtful.add_rejected_with_doubt(1);
        let accepts = |ok: &str| ok.parse::<OkIf>().unwrap().accepts(&doubtful, true, None);
        assert!(!accepts("rejected,failed"));
        assert!(!accepts("in_doubt"));
        assert!(accepts("rejected,in_doubt"));
    }

    #[test]
    fn a_run_that_stopped_is_no_success_but_for_the_cut_off_if_that_was_named() {
        let left = counts(&[(Status::Cancelled, 5), (Status::NotSent, 5)]);
        let accepts = |ok: &str, stop| ok.parse::<OkIf>().unwrap().accepts(&left, false, stop);
        assert!(accepts("cut_off", Some("CUT_OFF")));
        assert!(!accepts("rejected,failed,invalid,in_doubt", Some("CUT_OFF")));
        for stop in [None, Some("SIGNAL"), Some("STOP_REQUESTED"), Some("MAX_FAILURES")] {
            assert!(!accepts("rejected,failed,invalid,in_doubt,cut_off", stop), "{stop:?}");
        }
        let carried_over = "cut_off".parse::<OkIf>().unwrap();
        assert!(!carried_over.accepts(&left, true, None));
    }

    #[test]
    fn other_words_are_refused() {
        for wrong in ["", "not_sent", "cancelled", "rejected,", "1"] {
            assert!(wrong.parse::<OkIf>().is_err(), "{wrong}");
        }
        assert_eq!("in_doubt,rejected".parse::<OkIf>().unwrap().to_string(), "rejected,in_doubt");
    }
}
