//! The chain of seals.

use jiff::Timestamp;
use tokio_postgres::Row;

use super::error::DbError;
use super::read;
use super::session::Session;
use crate::hash::Digest;
use crate::ledger::{BlockTexts, NewEvent, NewSeal, Run, SealHead, SealRecord};

/// The key of the advisory lock held while a seal is appended, so that there is one chain: any
/// number that no other program uses.
const LOCK: i64 = 0x6341_5345;

const SEAL: &str = "SELECT seal.number, run.id, seal.start, previous, digest, text,
        seal.rows, seal.attempts, seal.events
    FROM seal JOIN run ON run.number = seal.run";

pub(super) async fn all(session: &mut Session) -> Result<Vec<SealRecord>, DbError> {
    let found = session.client.query(&format!("{SEAL} ORDER BY seal.number"), &[]).await?;
    found.iter().map(seal_from).collect()
}

pub(super) async fn last_of_run(
    session: &mut Session,
    run: i64,
) -> Result<Option<SealRecord>, DbError> {
    let sql = format!("{SEAL} WHERE seal.run = $1 ORDER BY seal.number DESC LIMIT 1");
    session.client.query_opt(&sql, &[&run]).await?.as_ref().map(seal_from).transpose()
}

/// The runs that were started since they were last sealed, oldest first.
pub(super) async fn unsealed(session: &mut Session) -> Result<Vec<Run>, DbError> {
    let mut runs = Vec::new();
    for row in session.client.query(include_str!("sql/unsealed.sql"), &[]).await? {
        runs.extend(read::run_by_number(session, row.try_get(0)?).await?);
    }
    Ok(runs)
}

/// Whether no call of the run is in flight, and no worker is at work on it. Workers whose leases
/// have expired are not from then on.
pub(super) async fn bring_to_rest(session: &mut Session, run: i64) -> Result<bool, DbError> {
    session.client.execute(include_str!("sql/expire_before_seal.sql"), &[&run]).await?;
    let is_at_rest = "SELECT NOT EXISTS (SELECT FROM worker WHERE run = $1 AND at_work)
                         AND NOT EXISTS (SELECT FROM open_row WHERE run = $1 AND in_flight)";
    Ok(session.client.query_one(is_at_rest, &[&run]).await?.try_get(0)?)
}

/// Appends a seal, unless another one covers the same starts, or it does not cover the last one.
pub(super) async fn append(
    session: &mut Session,
    run: &Run,
    new: &NewSeal<'_>,
) -> Result<Option<SealRecord>, DbError> {
    begin(session).await?;
    if let Some(sealed) = last_of_run(session, run.number).await?
        && sealed.start >= new.start
    {
        session.client.batch_execute("ROLLBACK").await?;
        return Ok(Some(sealed));
    }
    let last = "SELECT max(number) FROM worker WHERE run = $1";
    let last: Option<i64> = session.client.query_one(last, &[&run.number]).await?.try_get(0)?;
    if last != Some(new.start) {
        session.client.batch_execute("ROLLBACK").await?;
        return Ok(None);
    }
    if let Some(NewEvent { at, kind, detail }) = &new.event {
        let insert = "INSERT INTO event (run, at, kind, detail) VALUES ($1, $2, $3, $4)";
        session.client.execute(insert, &[&run.number, at, &kind.as_str(), detail]).await?;
    }
    let sealed = insert(session, run, new.start, &new.blocks, new.text).await?;
    session.client.batch_execute("COMMIT").await?;
    Ok(Some(sealed))
}

/// Begins a transaction in which no other process appends a seal.
pub(super) async fn begin(session: &mut Session) -> Result<(), DbError> {
    let begin = format!("BEGIN; SELECT pg_advisory_xact_lock({LOCK})");
    Ok(session.client.batch_execute(&begin).await?)
}

/// Appends a seal of a run to the chain.
pub(super) async fn insert(
    session: &mut Session,
    run: &Run,
    start: i64,
    blocks: &BlockTexts,
    text: &dyn Fn(u64, Digest) -> String,
) -> Result<SealRecord, DbError> {
    let tail = "SELECT number, digest FROM seal ORDER BY number DESC LIMIT 1";
    let (number, previous) = match session.client.query_opt(tail, &[]).await? {
        Some(row) => (row.try_get::<_, i64>(0)?, row.try_get(1)?),
        None => (0, Digest::ZERO.to_string()),
    };
    let number = number.saturating_add(1);
    let shown = u64::try_from(number).unwrap_or_default();
    let text = text(shown, previous.parse().unwrap_or(Digest::ZERO));
    let digest = Digest::new(&text).to_string();
    let BlockTexts { rows, attempts, events } = blocks;
    let insert = "INSERT INTO seal (number, run, start, previous, digest, text, rows, attempts,
                                    events)
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    session
        .client
        .execute(
            insert,
            &[&number, &run.number, &start, &previous, &digest, &text, rows, attempts, events],
        )
        .await?;
    Ok(SealRecord {
        number: shown,
        run: run.id().to_owned(),
        start,
        previous,
        digest,
        text,
        blocks: blocks.clone(),
    })
}

pub(super) async fn heads(session: &mut Session) -> Result<Vec<SealHead>, DbError> {
    let find = "SELECT seal.number, run.id, digest, receipt.at
                FROM seal JOIN run ON run.number = seal.run
                LEFT JOIN receipt ON receipt.seal = seal.number
                ORDER BY seal.number";
    let head = |row: &Row| {
        Ok(SealHead {
            number: u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or_default(),
            run: row.try_get(1)?,
            digest: row.try_get(2)?,
            receipt_at: row.try_get(3)?,
        })
    };
    session.client.query(find, &[]).await?.iter().map(head).collect()
}

pub(super) async fn text(session: &mut Session, number: u64) -> Result<Option<String>, DbError> {
    let find = "SELECT text FROM seal WHERE number = $1";
    let found = session.client.query_opt(find, &[&stored(number)]).await?;
    found.map(|row| Ok(row.try_get(0)?)).transpose()
}

pub(super) async fn add_receipt(
    session: &mut Session,
    seal: u64,
    at: Timestamp,
    answer: &[u8],
) -> Result<(), DbError> {
    let add = "INSERT INTO receipt (seal, at, answer) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    session.client.execute(add, &[&stored(seal), &at, &answer]).await?;
    Ok(())
}

pub(super) async fn receipt(session: &mut Session, seal: u64) -> Result<Option<Vec<u8>>, DbError> {
    let find = "SELECT answer FROM receipt WHERE seal = $1";
    let found = session.client.query_opt(find, &[&stored(seal)]).await?;
    found.map(|row| Ok(row.try_get(0)?)).transpose()
}

/// The number of a seal as it is stored. One beyond the type's range is never found.
fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(-1)
}

fn seal_from(row: &Row) -> Result<SealRecord, DbError> {
    let number: i64 = row.try_get(0)?;
    Ok(SealRecord {
        number: u64::try_from(number).unwrap_or_default(),
        run: row.try_get(1)?,
        start: row.try_get(2)?,
        previous: row.try_get(3)?,
        digest: row.try_get(4)?,
        text: row.try_get(5)?,
        blocks: BlockTexts {
            rows: row.try_get(6)?,
            attempts: row.try_get(7)?,
            events: row.try_get(8)?,
        },
    })
}
