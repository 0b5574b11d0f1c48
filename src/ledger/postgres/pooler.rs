//! Detects a connection pooler that serves each statement or transaction of a connection by
//! another database session. It loses what belongs to a session (settings, prepared statements),
//! at the latest when other clients use it too, so it is refused before anything is sent.

use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, SimpleQueryMessage};

use super::config::PostgresConfig;
use super::error::DbError;
use crate::ledger::LedgerError;

/// How often the two connections are compared, because other clients of the pooler can hide it
/// once.
const LOOKS: u32 = 5;

/// The time-out of the second connection. A pooler without a free session makes it wait; a server
/// that allows no more connections refuses it.
const SECOND: Duration = Duration::from_secs(2);

const SESSION: &str = "SELECT pg_backend_pid()";
const BEGIN_SESSION: &str = "BEGIN; SELECT pg_backend_pid()";

/// Refuses a pooler that does not keep a database session for each connection. With such a
/// pooler, a transaction of a second connection is served by the session that the first one had,
/// or keeps it from the first one. Poolers assign either the session used last, which then goes
/// to the second connection, or the one that was idle longest, so that the first connection has a
/// different one each time. If all are in use, connections queue.
pub(super) async fn refuse(client: &Client, database: &PostgresConfig) -> Result<(), DbError> {
    if shares_sessions(client, database).await? {
        Err(LedgerError::Pooled { path: database.shown.clone() }.into())
    } else {
        Ok(())
    }
}

async fn shares_sessions(client: &Client, database: &PostgresConfig) -> Result<bool, DbError> {
    let own = session(client, SESSION).await?;
    if session(client, SESSION).await? != own {
        return Ok(true);
    }
    // A server that cannot spare a second connection is accepted.
    let Ok(Ok(second)) = timeout(SECOND, database.connect()).await else {
        return Ok(false);
    };
    for _ in 0..LOOKS {
        let begun = timeout(SECOND, session(&second, BEGIN_SESSION)).await;
        // Queried while the second connection has its session or waits for one.
        let is_moved = session(client, SESSION).await? != own;
        match begun {
            _ if is_moved => return Ok(true),
            Ok(Ok(theirs)) if theirs == own => return Ok(true),
            Ok(Ok(_)) => {}
            Ok(Err(refused)) => return Ok(refused.code() == Some(&SqlState::PROTOCOL_VIOLATION)),
            // The second one waits while the first one is served: the first one's session is its
            // own.
            Err(_) => return Ok(false),
        }
        if second.batch_execute("ROLLBACK").await.is_err() {
            break;
        }
    }
    Ok(false)
}

/// The process id of the session that answered. The query is not prepared, because prepared
/// statements belong to a session too.
async fn session(client: &Client, sql: &str) -> Result<Option<String>, tokio_postgres::Error> {
    let answer = client.simple_query(sql).await?;
    let number = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    Ok(number.map(str::to_owned))
}
