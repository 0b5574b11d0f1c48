//! Requests to the processes that work on a run.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::read::time;
use crate::ledger::request::{NewRequest, RequestKind, RequestRecord};

/// Records a request, and returns its number.
pub(super) fn add(connection: &Connection, run: i64, new: &NewRequest) -> rusqlite::Result<i64> {
    let NewRequest { at, by, kind, rates, reason } = new;
    connection.execute(
        "INSERT INTO request (run, at, made_by, kind, rates, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![run, Timestamp::as_microsecond(*at), by, kind.as_str(), rates, reason],
    )?;
    Ok(connection.last_insert_rowid())
}

/// The requests about a run above this number.
pub(super) fn after(
    connection: &Connection,
    run: i64,
    after: i64,
) -> rusqlite::Result<Vec<RequestRecord>> {
    let mut find = connection.prepare_cached(
        "SELECT number, at, made_by, kind, rates, reason FROM request
         WHERE run = ?1 AND number > ?2 ORDER BY number",
    )?;
    let found = find.query_map([run, after], |row| {
        let kind: String = row.get(3)?;
        let Some(kind) = RequestKind::from_name(&kind) else { return Ok(None) };
        let (at, by, rates, reason) = (time(row.get(1)?), row.get(2)?, row.get(4)?, row.get(5)?);
        let request = NewRequest { at, by, kind, rates, reason };
        Ok(Some(RequestRecord { number: row.get(0)?, request }))
    })?;
    found.filter_map(Result::transpose).collect()
}

/// The number of the newest request of the ledger; 0 if there is none.
pub(super) fn newest(connection: &Connection) -> rusqlite::Result<i64> {
    let find = "SELECT number FROM request ORDER BY number DESC LIMIT 1";
    let found = connection.prepare_cached(find)?.query_row([], |row| row.get(0)).optional()?;
    Ok(found.unwrap_or_default())
}
