//! The table of outcomes. Most attempts have the same outcome, which is stored once (interning).

use std::collections::HashMap;

use rusqlite::{Connection, params};

use crate::ledger::claim::EndedAttempt;
use crate::ledger::{codes, interrupted};
use crate::model::Status;

/// The most outcomes cached in memory. A server may send a different message with each answer.
const MOST_KNOWN: usize = 1024;

/// An attempt's outcome without its row and times.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct OutcomeRow {
    verdict: i64,
    status: Option<i64>,
    http_status: Option<u16>,
    error_code: String,
    message: String,
}

impl OutcomeRow {
    /// The outcome of a completed attempt.
    pub fn from_attempt(ended: EndedAttempt) -> OutcomeRow {
        let EndedAttempt { outcome, status, .. } = ended;
        OutcomeRow {
            verdict: codes::of_verdict(outcome.verdict),
            status: status.map(codes::of_status),
            http_status: outcome.http_status,
            error_code: outcome.error_code,
            message: outcome.message,
        }
    }

    /// The outcome of an attempt that was in flight when the process died.
    pub fn interrupted(status: Option<Status>) -> OutcomeRow {
        OutcomeRow {
            verdict: codes::DOUBT,
            status: status.map(codes::of_status),
            http_status: None,
            error_code: interrupted::CODE.to_string(),
            message: interrupted::MESSAGE.to_owned(),
        }
    }
}

/// The stored outcomes with their numbers, as far as they are cached.
#[derive(Default)]
pub(super) struct OutcomeTable {
    known: HashMap<OutcomeRow, i64>,
    /// The outcome used last, which needs no look-up.
    last: Option<(OutcomeRow, i64)>,
}

impl OutcomeTable {
    /// A cache of the outcomes that were stored last.
    pub fn load(ledger: &Connection) -> rusqlite::Result<OutcomeTable> {
        let mut find = ledger.prepare(
            "SELECT number, verdict, status, http_status, error_code, message FROM outcome
             ORDER BY abs(number) DESC LIMIT ?1",
        )?;
        let known = find.query_map([MOST_KNOWN], |row| {
            let outcome = OutcomeRow {
                verdict: row.get(1)?,
                status: row.get(2)?,
                http_status: row.get(3)?,
                error_code: row.get(4)?,
                message: row.get(5)?,
            };
            Ok((outcome, row.get(0)?))
        })?;
        Ok(OutcomeTable { known: known.collect::<rusqlite::Result<_>>()?, last: None })
    }

    /// The number of an outcome, which is stored if it is new.
    pub fn number(&mut self, ledger: &Connection, row: OutcomeRow) -> rusqlite::Result<i64> {
        if let Some((last, number)) = &self.last
            && *last == row
        {
            return Ok(*number);
        }
        let number = match self.known.get(&row) {
            Some(number) => *number,
            None => self.insert(ledger, &row)?,
        };
        self.last = Some((row, number));
        Ok(number)
    }

    /// Stores a new outcome.
    fn insert(&mut self, ledger: &Connection, row: &OutcomeRow) -> rusqlite::Result<i64> {
        // Outcomes with `Status` true have negative numbers, so that they are recognized without
        // a join.
        let number = if row.verdict == codes::CANCELLED {
            "(SELECT coalesce(min(number), 0) FROM outcome WHERE number < 0) - 1"
        } else {
            "NULL"
        };
        ledger
            .prepare_cached(&format!(
                "INSERT INTO outcome (number, verdict, status, http_status, error_code, message)
                 VALUES ({number}, ?1, ?2, ?3, ?4, ?5)",
            ))?
            .execute(params![
                row.verdict,
                row.status,
                row.http_status,
                row.error_code,
                row.message
            ])?;
        let number = ledger.last_insert_rowid();
        if self.known.len() >= MOST_KNOWN {
            self.known.clear();
        }
        self.known.insert(row.clone(), number);
        Ok(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::sqlite::schema;

    fn row(message: &str) -> OutcomeRow {
        OutcomeRow {
            verdict: 0,
            status: Some(0),
            http_status: Some(200),
            error_code: "ERR01160".to_owned(),
            message: message.to_owned(),
        }
    }

    fn ledger() -> Connection {
        schema::in_memory()
    }

    #[test]
    fn what_is_the_same_has_the_same_number_in_this_process_and_the_next() {
        let ledger = ledger();
        let mut outcomes = OutcomeTable::default();
        let one = outcomes.number(&ledger, row("done")).unwrap();
        assert_eq!(outcomes.number(&ledger, row("done")).unwrap(), one);
        let other =
            outcomes.number(&ledger, OutcomeRow { http_status: None, ..row("done") }).unwrap();
        assert_ne!(other, one);
        let mut next = OutcomeTable::load(&ledger).unwrap();
        assert_eq!(next.number(&ledger, row("done")).unwrap(), one);
    }

    #[test]
    fn however_many_outcomes_there_are_only_so_many_are_remembered() {
        let ledger = ledger();
        let mut outcomes = OutcomeTable::default();
        for call in 0..3 * MOST_KNOWN {
            outcomes.number(&ledger, row(&call.to_string())).unwrap();
            assert!(outcomes.known.len() <= MOST_KNOWN);
        }
        let rows: usize =
            ledger.query_row("SELECT count(*) FROM outcome", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 3 * MOST_KNOWN);
    }
}
