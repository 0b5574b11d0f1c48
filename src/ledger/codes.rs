//! The numbers that encode statuses and verdicts in the ledger. The tables `status` and `verdict`
//! spell them out.

use crate::model::{Status, Verdict};

/// The number of a status: its index in [`Status::ALL`].
pub(super) fn of_status(status: Status) -> i64 {
    status as i64
}

/// The status with this number; `None` if there is none.
pub(super) fn status(code: i64) -> Option<Status> {
    usize::try_from(code).ok().and_then(|code| Status::ALL.get(code)).copied()
}

/// The number of [`Verdict::Cancelled`].
pub(super) const CANCELLED: i64 = 0;

/// The number of [`Verdict::Doubt`].
pub(super) const DOUBT: i64 = 5;

/// The number of [`Verdict::Stop`], whatever its cause.
pub(super) const STOP: i64 = 6;

/// The number of a verdict.
pub(super) fn of_verdict(verdict: Verdict) -> i64 {
    match verdict {
        Verdict::Cancelled => CANCELLED,
        Verdict::AlreadyCancelled => 1,
        Verdict::Rejected => 2,
        Verdict::Refused => 3,
        Verdict::NotDone => 4,
        Verdict::Doubt | Verdict::StopInDoubt(_) => DOUBT,
        Verdict::Stop(_) => STOP,
    }
}

/// The word of the verdict with this number; `None` if there is none.
pub(super) fn verdict_word(code: i64) -> Option<&'static str> {
    usize::try_from(code).ok().and_then(|code| VERDICTS.get(code)).copied()
}

/// The words of the verdicts, by their numbers.
const VERDICTS: [&str; 7] =
    ["cancelled", "already_cancelled", "rejected", "refused", "not_done", "doubt", "stop"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::sqlite;
    use crate::model::FatalCause;

    fn word(table: &str, code: i64) -> String {
        let ledger = sqlite::in_memory();
        let sql = format!("SELECT word FROM {table} WHERE code = ?1");
        ledger.query_row(&sql, [code], |row| row.get(0)).unwrap()
    }

    #[test]
    fn every_status_is_spelt_out_in_the_ledger_and_reads_back() {
        for known in Status::ALL {
            assert_eq!(word("status", of_status(known)), known.as_str());
            assert_eq!(status(of_status(known)), Some(known));
        }
        assert_eq!((status(8), status(-1)), (None, None));
    }

    #[test]
    fn every_verdict_is_spelt_out_in_the_ledger() {
        for (verdict, spelt) in [
            (Verdict::Cancelled, "cancelled"),
            (Verdict::AlreadyCancelled, "already_cancelled"),
            (Verdict::Rejected, "rejected"),
            (Verdict::Refused, "refused"),
            (Verdict::NotDone, "not_done"),
            (Verdict::Doubt, "doubt"),
            (Verdict::StopInDoubt(FatalCause::Redirected), "doubt"),
            (Verdict::Stop(FatalCause::Code), "stop"),
        ] {
            assert_eq!(word("verdict", of_verdict(verdict)), spelt);
            assert_eq!(verdict_word(of_verdict(verdict)), Some(spelt));
        }
    }
}
