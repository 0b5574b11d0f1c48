//! Creates and upgrades the schema, and refuses one of another version. Also refuses a server
//! that may lose what it has confirmed.

use tokio_postgres::error::SqlState;

use super::copies::Copies;
use super::error::DbError;
use super::session::Session;
use crate::ledger::LedgerError;
use crate::process;

/// The statements that upgrade the schema from each version to the next; the first one creates it.
const VERSIONS: [&str; 2] = [include_str!("sql/version_4.sql"), include_str!("sql/version_5.sql")];

/// The number of versions before those, which were never released and are refused.
const BEFORE: usize = 3;
/// The version of the schema.
pub(super) const NEWEST: usize = BEFORE + VERSIONS.len();

/// The oldest supported major version of PostgreSQL.
const OLDEST: i64 = 14;

/// The key of the advisory lock held while the schema is changed: any number that no other
/// program uses.
const LOCK: i64 = 0x6341_4e43;

/// Sets up a new session.
pub(super) async fn begin(session: &mut Session) -> Result<(), DbError> {
    let its = &*session;
    // In one round trip, so that a process that reconnects after an outage does not wait for long.
    let asked = async { tokio::try_join!(refuse_unfit(its), timeline(its), version(its)) };
    let ((copies, number), timeline, version) = asked.await?;
    // The schema may have been upgraded since the last session.
    refuse_other(version, &session.path)?;
    (session.number, session.copies, session.timeline) = (number, copies, timeline);
    session.client.batch_execute(include_str!("sql/session.sql")).await?;
    Ok(())
}

/// The encodings that can represent every character.
const ENCODINGS: [&str; 2] = ["UTF8", "SQL_ASCII"];

/// The settings with which a commit waits at least for the disk, and for a standby if there is
/// one to wait for.
const COMMITS: [&str; 2] = ["on", "remote_apply"];

/// Refuses an unsuitable server. Returns what would be left after a failover, and the session's
/// process id.
async fn refuse_unfit(session: &Session) -> Result<(Copies, i32), DbError> {
    let path = session.path.clone();
    let server = session.client.query_one(include_str!("sql/check_server.sql"), &[]).await?;
    let number: i64 = server.try_get(0)?;
    if number / 10_000 < OLDEST {
        let found = server.try_get(1)?;
        return Err(LedgerError::OldServer { path, found, needed: OLDEST as u32 }.into());
    }
    let settings: [(_, _, &[&str]); 3] = [
        (2, "fsync", &["on"]),
        (3, "full_page_writes", &["on"]),
        (4, "synchronous_commit", &COMMITS),
    ];
    for (column, setting, will_do) in settings {
        let value: String = server.try_get(column)?;
        if !will_do.contains(&value.as_str()) {
            let setting = setting.to_owned();
            return Err(LedgerError::Forgetful { path, setting, value }.into());
        }
    }
    let encoding: &str = server.try_get(5)?;
    if !ENCODINGS.contains(&encoding) {
        return Err(LedgerError::Encoding { path, encoding: encoding.to_owned() }.into());
    }
    let copies = Copies { are_awaited: server.try_get(6)?, are_there: server.try_get(7)? };
    Ok((copies, server.try_get(8)?))
}

/// The timeline of the server's history. Some services do not permit the query.
async fn timeline(session: &Session) -> Result<Option<String>, DbError> {
    let timeline = "SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8)";
    match session.client.query_one(timeline, &[]).await {
        Ok(row) => Ok(row.try_get(0)?),
        Err(cause) if cause.as_db_error().is_some() && !cause.is_closed() => Ok(None),
        Err(cause) => Err(cause.into()),
    }
}

/// Creates or upgrades the schema if necessary, and refuses one of another version.
pub(super) async fn set_up(session: &mut Session) -> Result<(), DbError> {
    if version(session).await? < NEWEST {
        migrate(session).await?;
        refuse_other(version(session).await?, &session.path)?;
    }
    Ok(())
}

/// Refuses a schema of a newer version of the program, or from before the first release.
fn refuse_other(version: usize, path: &str) -> Result<(), LedgerError> {
    let (path, found, known) = (path.to_owned(), version as i64, NEWEST as i64);
    match version {
        1..=BEFORE => Err(LedgerError::Older { path, found, known }),
        _ if version > NEWEST => Err(LedgerError::Newer { path, found, known }),
        _ => Ok(()),
    }
}

/// Explains an error of a user who may not read or create the schema.
pub(super) fn explain(failed: DbError, path: &str) -> DbError {
    match failed {
        DbError::Database(cause) if is_denied(&cause) => not_set_up(path, &cause),
        failed => failed,
    }
}

fn is_denied(cause: &tokio_postgres::Error) -> bool {
    cause.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE)
}

fn not_set_up(path: &str, cause: &tokio_postgres::Error) -> DbError {
    let cause = super::error::message(cause);
    LedgerError::NotSetUp { path: path.to_owned(), cause }.into()
}

/// The version of the schema; 0 if there is none.
async fn version(session: &Session) -> Result<usize, DbError> {
    let there = "SELECT EXISTS (SELECT FROM pg_tables
                 WHERE schemaname = 'cardcancel' AND tablename = 'schema_version')";
    if !session.client.query_one(there, &[]).await?.try_get::<_, bool>(0)? {
        return Ok(0);
    }
    let newest = "SELECT coalesce(max(version), 0) FROM cardcancel.schema_version";
    let version: i32 = session.client.query_one(newest, &[]).await?.try_get(0)?;
    Ok(usize::try_from(version).unwrap_or_default())
}

/// Applies all missing versions in one transaction, under an advisory lock.
async fn migrate(session: &mut Session) -> Result<(), DbError> {
    session
        .client
        .batch_execute(&format!(
            "BEGIN; SET LOCAL lock_timeout = 0; SELECT pg_advisory_xact_lock({LOCK})"
        ))
        .await?;
    let done = async {
        let from = version(session).await?;
        if from == 0 {
            let there = "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'cardcancel')";
            if !session.client.query_one(there, &[]).await?.try_get::<_, bool>(0)? {
                session.client.batch_execute("CREATE SCHEMA cardcancel").await?;
            }
            session
                .client
                .batch_execute(
                    "CREATE TABLE cardcancel.schema_version (
                         version    integer     PRIMARY KEY,
                         program    text        NOT NULL,
                         applied_at timestamptz NOT NULL DEFAULT now())",
                )
                .await?;
        }
        let done = from.saturating_sub(BEFORE);
        for (statements, version) in VERSIONS.iter().zip(BEFORE + 1..).skip(done) {
            session.client.batch_execute(statements).await?;
            let version = i32::try_from(version).unwrap_or(i32::MAX);
            let note = "INSERT INTO cardcancel.schema_version (version, program) VALUES ($1, $2)";
            session.client.execute(note, &[&version, &process::PROGRAM]).await?;
        }
        Ok(())
    };
    match done.await {
        Ok(()) => Ok(session.client.batch_execute("COMMIT").await?),
        Err(failed) => {
            // The first failure is the one to report.
            let _ = session.client.batch_execute("ROLLBACK").await;
            Err(failed)
        }
    }
}
