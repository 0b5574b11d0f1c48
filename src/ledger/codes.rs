//! Statuses and meanings as the small numbers that stand for them in the ledger,
//! where the tables `status` and `meaning` spell them out.

use crate::outcome::{Meaning, Status};

/// The number of a status: its place among all.
pub(super) fn of_status(status: Status) -> i64 {
    status as i64
}

/// The status of a number, if it is one's.
pub(super) fn status(code: i64) -> Option<Status> {
    usize::try_from(code).ok().and_then(|code| Status::ALL.get(code)).copied()
}

/// The number of [`Meaning::Cancelled`].
pub(super) const CANCELLED: i64 = 0;

/// The number of [`Meaning::Doubt`].
pub(super) const DOUBT: i64 = 5;

/// The number of [`Meaning::Stop`], whatever it was that stopped the run.
pub(super) const STOP: i64 = 6;

/// The number of a meaning.
pub(super) fn of_meaning(meaning: Meaning) -> i64 {
    match meaning {
        Meaning::Cancelled => CANCELLED,
        Meaning::AlreadyCancelled => 1,
        Meaning::Rejected => 2,
        Meaning::Refused => 3,
        Meaning::NotDone => 4,
        Meaning::Doubt | Meaning::StopInDoubt(_) => DOUBT,
        Meaning::Stop(_) => STOP,
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::outcome::Halt;

    fn word(table: &str, code: i64) -> String {
        let ledger = Connection::open_in_memory().unwrap();
        ledger.execute_batch(include_str!("sqlite/schema.sql")).unwrap();
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
    fn every_meaning_is_spelt_out_in_the_ledger() {
        for (meaning, spelt) in [
            (Meaning::Cancelled, "cancelled"),
            (Meaning::AlreadyCancelled, "already_cancelled"),
            (Meaning::Rejected, "rejected"),
            (Meaning::Refused, "refused"),
            (Meaning::NotDone, "not_done"),
            (Meaning::Doubt, "doubt"),
            (Meaning::StopInDoubt(Halt::Redirected), "doubt"),
            (Meaning::Stop(Halt::Code), "stop"),
        ] {
            assert_eq!(word("meaning", of_meaning(meaning)), spelt);
        }
    }
}
