//! The chain of seals.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};

use super::read::{self, time};
use crate::hash::Digest;
use crate::ledger::{BlockTexts, NewEvent, NewSeal, Run, SealHead, SealRecord};

const SEAL: &str = "SELECT seal.number, run.id, seal.start, previous, digest, text,
        seal.rows, seal.attempts, seal.events
    FROM seal JOIN run ON run.number = seal.run";

pub(super) fn all(ledger: &Connection) -> rusqlite::Result<Vec<SealRecord>> {
    let mut find = ledger.prepare(&format!("{SEAL} ORDER BY seal.number"))?;
    find.query_map([], seal_from)?.collect()
}

pub(super) fn last_of_run(ledger: &Connection, run: i64) -> rusqlite::Result<Option<SealRecord>> {
    let sql = format!("{SEAL} WHERE seal.run = ?1 ORDER BY seal.number DESC LIMIT 1");
    ledger.query_row(&sql, [run], seal_from).optional()
}

/// The runs that were started since they were last sealed, oldest first.
pub(super) fn unsealed(ledger: &Connection) -> rusqlite::Result<Vec<Run>> {
    let mut find = ledger.prepare(
        "SELECT run, max(number) AS last FROM start GROUP BY run
         HAVING last > coalesce((SELECT max(seal.start) FROM seal WHERE seal.run = start.run), 0)
         ORDER BY run",
    )?;
    let runs = find.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
    runs.into_iter().map(|run| read::run_by_number(ledger, run)).collect()
}

/// Whether no call of the run is in flight.
pub(super) fn is_at_rest(ledger: &Connection, run: i64) -> rusqlite::Result<bool> {
    let find = "SELECT NOT EXISTS (SELECT 1 FROM in_flight WHERE run = ?1)";
    ledger.query_row(find, [run], |row| row.get(0))
}

/// Appends a seal, unless another one covers the same starts, or it does not cover the last one.
pub(super) fn append(
    ledger: &mut Connection,
    run: &Run,
    new: &NewSeal<'_>,
) -> rusqlite::Result<Option<SealRecord>> {
    let transaction = ledger.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if let Some(sealed) = last_of_run(&transaction, run.number)?
        && sealed.start >= new.start
    {
        return Ok(Some(sealed));
    }
    let last = "SELECT max(number) FROM start WHERE run = ?1";
    let last: Option<i64> = transaction.query_row(last, [run.number], |row| row.get(0))?;
    if last != Some(new.start) {
        return Ok(None);
    }
    if let Some(NewEvent { at, kind, detail }) = &new.event {
        transaction.execute(
            "INSERT INTO event (run, at, kind, detail) VALUES (?1, ?2, ?3, ?4)",
            params![run.number, at.as_microsecond(), kind.as_str(), detail],
        )?;
    }
    let sealed = insert(&transaction, run, new.start, &new.blocks, new.text)?;
    transaction.commit()?;
    Ok(Some(sealed))
}

/// Appends a seal of a run to the chain.
pub(super) fn insert(
    transaction: &Connection,
    run: &Run,
    start: i64,
    blocks: &BlockTexts,
    text: &dyn Fn(u64, Digest) -> String,
) -> rusqlite::Result<SealRecord> {
    let tail: Option<(u64, String)> = transaction
        .query_row("SELECT number, digest FROM seal ORDER BY number DESC LIMIT 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let (number, previous) = tail.unwrap_or((0, Digest::ZERO.to_string()));
    let number = number.saturating_add(1);
    let text = text(number, previous.parse().unwrap_or(Digest::ZERO));
    let digest = Digest::new(&text).to_string();
    let BlockTexts { rows, attempts, events } = blocks;
    transaction.execute(
        "INSERT INTO seal (number, run, start, previous, digest, text, rows, attempts, events)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![number, run.number, start, previous, digest, text, rows, attempts, events],
    )?;
    Ok(SealRecord {
        number,
        run: run.id().to_owned(),
        start,
        previous,
        digest,
        text,
        blocks: blocks.clone(),
    })
}

pub(super) fn heads(ledger: &Connection) -> rusqlite::Result<Vec<SealHead>> {
    let mut find = ledger.prepare(
        "SELECT seal.number, run.id, digest, receipt.at
         FROM seal JOIN run ON run.number = seal.run LEFT JOIN receipt ON receipt.seal = seal.number
         ORDER BY seal.number",
    )?;
    let head = |row: &Row<'_>| {
        Ok(SealHead {
            number: row.get(0)?,
            run: row.get(1)?,
            digest: row.get(2)?,
            receipt_at: row.get::<_, Option<i64>>(3)?.map(time),
        })
    };
    find.query_map([], head)?.collect()
}

pub(super) fn text(ledger: &Connection, number: u64) -> rusqlite::Result<Option<String>> {
    let find = "SELECT text FROM seal WHERE number = ?1";
    ledger.query_row(find, [number], |row| row.get(0)).optional()
}

pub(super) fn add_receipt(
    ledger: &Connection,
    seal: u64,
    at: Timestamp,
    answer: &[u8],
) -> rusqlite::Result<()> {
    let add = "INSERT INTO receipt (seal, at, answer) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    ledger.execute(add, params![seal, at.as_microsecond(), answer]).map(|_| ())
}

pub(super) fn receipt(ledger: &Connection, seal: u64) -> rusqlite::Result<Option<Vec<u8>>> {
    let find = "SELECT answer FROM receipt WHERE seal = ?1";
    ledger.query_row(find, [seal], |row| row.get(0)).optional()
}

fn seal_from(row: &Row<'_>) -> rusqlite::Result<SealRecord> {
    Ok(SealRecord {
        number: row.get(0)?,
        run: row.get(1)?,
        start: row.get(2)?,
        previous: row.get(3)?,
        digest: row.get(4)?,
        text: row.get(5)?,
        blocks: BlockTexts { rows: row.get(6)?, attempts: row.get(7)?, events: row.get(8)? },
    })
}
