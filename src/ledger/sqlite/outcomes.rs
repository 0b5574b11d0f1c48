//! What attempts came to. Most come to the same: the ledger tells it once.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::super::claim::AttemptRecord;
use super::super::codes;
use crate::model::{ReasonCode, Status};

/// How many are remembered: servers that tell every call something else have more.
const MOST_KNOWN: usize = 1024;

/// Everything that is told of an attempt but for its times.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Told {
    verdict: i64,
    status: Option<i64>,
    http_status: Option<u16>,
    error_code: String,
    message: String,
}

impl Told {
    /// An attempt whose end is known.
    pub fn of(ended: AttemptRecord) -> Told {
        let AttemptRecord { outcome, status, .. } = ended;
        Told {
            verdict: codes::of_verdict(outcome.verdict),
            status: status.map(codes::of_status),
            http_status: outcome.http_status,
            error_code: outcome.error_code,
            message: outcome.message,
        }
    }

    /// One that the process died of, or with.
    pub fn interrupted(status: Option<Status>) -> Told {
        Told {
            verdict: codes::DOUBT,
            status: status.map(codes::of_status),
            http_status: None,
            error_code: ReasonCode::Interrupted.to_string(),
            message: "the program died before the answer was recorded".to_owned(),
        }
    }
}

/// What the ledger has told already, each with its number.
#[derive(Default)]
pub(super) struct Outcomes {
    known: HashMap<Told, i64>,
    /// What was asked for last: it need not be looked up.
    last: Option<(Told, i64)>,
}

impl Outcomes {
    /// What was told last.
    pub fn load(ledger: &Connection) -> rusqlite::Result<Outcomes> {
        let mut find = ledger.prepare(
            "SELECT number, verdict, status, http_status, error_code, message FROM outcome
             ORDER BY abs(number) DESC LIMIT ?1",
        )?;
        let known = find.query_map([MOST_KNOWN], |row| {
            let told = Told {
                verdict: row.get(1)?,
                status: row.get(2)?,
                http_status: row.get(3)?,
                error_code: row.get(4)?,
                message: row.get(5)?,
            };
            Ok((told, row.get(0)?))
        })?;
        Ok(Outcomes { known: known.collect::<rusqlite::Result<_>>()?, last: None })
    }

    /// The number under which the ledger tells it.
    pub fn number(&mut self, ledger: &Connection, told: Told) -> rusqlite::Result<i64> {
        if let Some((last, number)) = &self.last
            && *last == told
        {
            return Ok(*number);
        }
        let number = match self.known.get(&told) {
            Some(number) => *number,
            None => self.tell(ledger, &told)?,
        };
        self.last = Some((told, number));
        Ok(number)
    }

    /// Has the ledger tell it for the first time.
    fn tell(&mut self, ledger: &Connection, told: &Told) -> rusqlite::Result<i64> {
        // What is cancelled is told by the number alone.
        let number = match told.verdict == codes::CANCELLED {
            true => "(SELECT coalesce(min(number), 0) FROM outcome WHERE number < 0) - 1",
            false => "NULL",
        };
        ledger
            .prepare_cached(&format!(
                "INSERT INTO outcome (number, verdict, status, http_status, error_code, message)
                 VALUES ({number}, ?1, ?2, ?3, ?4, ?5)",
            ))?
            .execute(params![
                told.verdict,
                told.status,
                told.http_status,
                told.error_code,
                told.message
            ])?;
        let number = ledger.last_insert_rowid();
        if self.known.len() >= MOST_KNOWN {
            self.known.clear();
        }
        self.known.insert(told.clone(), number);
        Ok(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(message: &str) -> Told {
        Told {
            verdict: 0,
            status: Some(0),
            http_status: Some(200),
            error_code: "ERR01160".to_owned(),
            message: message.to_owned(),
        }
    }

    fn ledger() -> Connection {
        let ledger = Connection::open_in_memory().unwrap();
        ledger.execute_batch(include_str!("schema.sql")).unwrap();
        ledger
    }

    #[test]
    fn what_is_the_same_has_the_same_number_in_this_process_and_the_next() {
        let ledger = ledger();
        let mut outcomes = Outcomes::default();
        let one = outcomes.number(&ledger, told("done")).unwrap();
        assert_eq!(outcomes.number(&ledger, told("done")).unwrap(), one);
        let other = outcomes.number(&ledger, Told { http_status: None, ..told("done") }).unwrap();
        assert_ne!(other, one);
        let mut next = Outcomes::load(&ledger).unwrap();
        assert_eq!(next.number(&ledger, told("done")).unwrap(), one);
    }

    #[test]
    fn however_much_is_told_only_so_much_is_remembered() {
        let ledger = ledger();
        let mut outcomes = Outcomes::default();
        for call in 0..3 * MOST_KNOWN {
            outcomes.number(&ledger, told(&call.to_string())).unwrap();
            assert!(outcomes.known.len() <= MOST_KNOWN);
        }
        let told: usize =
            ledger.query_row("SELECT count(*) FROM outcome", [], |row| row.get(0)).unwrap();
        assert_eq!(told, 3 * MOST_KNOWN);
    }
}
