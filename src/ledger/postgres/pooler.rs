//! A pooler may stand before the database. One that serves each statement or transaction of a
//! connection by another session of the database loses what belongs to a session (settings,
//! prepared statements), at the latest when others use it too: it is refused before anything is
//! sent.

use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, SimpleQueryMessage};

use super::super::LedgerError;
use super::config::PostgresConfig;
use super::error::DbError;

/// How often the two connections are compared: others that use the pooler at the same moment
/// can hide it once.
const LOOKS: u32 = 5;

/// How long the second connection is waited for. A pooler that has no session left keeps it
/// waiting; a server that allows no more connections refuses it.
const SECOND: Duration = Duration::from_secs(2);

const SESSION: &str = "SELECT pg_backend_pid()";
const BEGIN_SESSION: &str = "BEGIN; SELECT pg_backend_pid()";

/// Refuses a pooler that does not keep a session of the database for each connection. Where one
/// does not, a transaction of a second connection is served by the session that the first one
/// had, or keeps it from the first one. Poolers hand out the session that was used last (then it
/// is the second one's) or that was not used for longest (then the first one has another each
/// time); where all are in use, connections wait in line.
pub(super) async fn refuse(client: &Client, database: &PostgresConfig) -> Result<(), DbError> {
    match shares_sessions(client, database).await? {
        true => Err(LedgerError::Pooled { path: database.shown.clone() }.into()),
        false => Ok(()),
    }
}

async fn shares_sessions(client: &Client, database: &PostgresConfig) -> Result<bool, DbError> {
    let own = session(client, SESSION).await?;
    if session(client, SESSION).await? != own {
        return Ok(true);
    }
    // Whoever has no second connection to spare need not have one.
    let Ok(Ok(second)) = timeout(SECOND, database.connect()).await else {
        return Ok(false);
    };
    for _ in 0..LOOKS {
        let begun = timeout(SECOND, session(&second, BEGIN_SESSION)).await;
        // Asked while the second one has its session, or waits for one.
        let is_moved = session(client, SESSION).await? != own;
        match begun {
            _ if is_moved => return Ok(true),
            Ok(Ok(theirs)) if theirs == own => return Ok(true),
            Ok(Ok(_)) => {}
            Ok(Err(refused)) => return Ok(refused.code() == Some(&SqlState::PROTOCOL_VIOLATION)),
            // It waits, and the first one is served: that has its session to itself.
            Err(_) => return Ok(false),
        }
        if second.batch_execute("ROLLBACK").await.is_err() {
            break;
        }
    }
    Ok(false)
}

/// The session of the database that answered. What is asked is not prepared: that belongs to a
/// session too.
async fn session(client: &Client, sql: &str) -> Result<Option<String>, tokio_postgres::Error> {
    let told = client.simple_query(sql).await?;
    let number = told.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    Ok(number.map(str::to_owned))
}
