//! Detects what this process's session waits for: another session that holds a lock, or a
//! standby. It logs that, and ends a frozen session of this program.

use std::convert::Infallible;
use std::fmt::Write;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};
use tokio_postgres::{Client, Row};

use super::config::PostgresConfig;
use super::error::DbError;
use crate::process;

/// After how long a wait is investigated; shorter than the database's `lock_timeout`.
const PATIENCE: Duration = Duration::from_secs(8);
/// The shortest time between two log entries.
const LOGGED_EVERY: Duration = Duration::from_secs(60);
/// The time-out of an investigation.
const LOOK: Duration = Duration::from_secs(5);

/// Investigates and logs again and again, until it is dropped, what this session waits for.
pub(super) async fn watch(
    database: &PostgresConfig,
    session: i32,
    logged_at: &mut Option<Instant>,
) -> Infallible {
    loop {
        sleep(PATIENCE).await;
        // What cannot be determined now is found the next time, or reported when the wait fails.
        let looked = timeout(LOOK, look(database, session)).await;
        let Ok(Ok(Some(Waits { why, frozen, client }))) = looked else { continue };
        if frozen.is_some() || logged_at.is_none_or(|at| at.elapsed() >= LOGGED_EVERY) {
            tracing::warn!("the ledger {} {why}", database.shown);
            *logged_at = Some(Instant::now());
        }
        // Logged first: once the other session is ended, the wait is over, and this future is
        // dropped.
        if let Some(other) = frozen {
            let _ = timeout(LOOK, async {
                client.execute(include_str!("sql/end_frozen.sql"), &[&other]).await
            })
            .await;
        }
    }
}

/// What a session waits for.
struct Waits {
    why: String,
    /// The blocking session, if it is a frozen one of this program.
    frozen: Option<i32>,
    /// The connection used for the investigation.
    client: Client,
}

/// What this session waits for; `None` if it does not wait.
async fn look(database: &PostgresConfig, session: i32) -> Result<Option<Waits>, DbError> {
    let client = database.connect().await?;
    let in_the_way = include_str!("sql/blocking_session.sql");
    if let Some(other) = client.query_opt(in_the_way, &[&session]).await? {
        let why = locked_by(&client, &other).await?;
        let frozen = other.try_get::<_, bool>(6)?.then(|| other.try_get(0)).transpose()?;
        return Ok(Some(Waits { why, frozen, client }));
    }
    let standby = "SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'SyncRep'";
    let waits = client.query_opt(standby, &[&session]).await?;
    Ok(waits.map(|_| Waits {
        why: "waits for a standby to confirm a commit (synchronous_standby_names): nothing more is sent until one does".to_owned(),
        frozen: None,
        client,
    }))
}

/// Describes the blocking session, and what to do about it.
async fn locked_by(client: &Client, other: &Row) -> Result<String, DbError> {
    let session: i32 = other.try_get(0)?;
    let text = |column| other.try_get::<_, Option<String>>(column);
    let program = text(1)?.filter(|name| !name.is_empty());
    let mut who = program.clone().unwrap_or_else(|| "another program".to_owned());
    if let Some((process, host)) = program.as_deref().and_then(process::parse_session_name) {
        // Without the right to read it, or without a ledger yet, no run is named.
        let run = client.query_opt(include_str!("sql/works_on.sql"), &[&process, &host]).await;
        if let Ok(Some(run)) = run {
            let _ = write!(who, ", which works on run {}", run.try_get::<_, &str>(0)?);
        }
    }
    let _ = write!(who, " (session {session}");
    for (before, known) in [(" of user ", text(2)?), (" at ", text(3)?), (", ", text(4)?)] {
        if let Some(known) = known {
            let _ = write!(who, "{before}{known}");
        }
    }
    if other.try_get(5)? {
        who.push_str(", waits for a standby");
    }
    let done = if other.try_get(6)? {
        "it is idle, and is ended now".to_owned()
    } else {
        format!(
            "nothing more is sent until it is done. If it hangs, end it in the database: SELECT pg_terminate_backend({session})"
        )
    };
    Ok(format!("is locked by {who}): {done}"))
}
