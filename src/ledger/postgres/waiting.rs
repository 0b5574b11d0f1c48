//! Whom this process waits for: another session of the database, which has locked what it
//! needs, or a standby. That is told, and a session of ours that is frozen is ended.

use std::convert::Infallible;
use std::fmt::Write;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};
use tokio_postgres::{Client, Row};

use super::config::PostgresConfig;
use super::error::DbError;
use crate::process;

/// After how long it is looked for: before the database gives up a lock (`lock_timeout`).
const PATIENCE: Duration = Duration::from_secs(8);
/// How often it is told at most.
const TOLD_EVERY: Duration = Duration::from_secs(60);
/// How long the look may take.
const LOOK: Duration = Duration::from_secs(5);

/// Tells every now and then, as long as it is asked, for whom this session of the database waits.
pub(super) async fn watch(
    database: &PostgresConfig,
    session: i32,
    told: &mut Option<Instant>,
) -> Infallible {
    loop {
        sleep(PATIENCE).await;
        // What cannot be found out now is found out the next time, or told as it fails.
        let looked = timeout(LOOK, look(database, session)).await;
        let Ok(Ok(Some(Waits { why, frozen, client }))) = looked else { continue };
        if frozen.is_some() || told.is_none_or(|at| at.elapsed() >= TOLD_EVERY) {
            tracing::warn!("the ledger {} {why}", database.shown);
            *told = Some(Instant::now());
        }
        // Said before: once it is ended, what waited for it goes on, and this look is over.
        if let Some(other) = frozen {
            let _ = timeout(LOOK, async {
                client.execute(include_str!("sql/end_frozen.sql"), &[&other]).await
            })
            .await;
        }
    }
}

/// For whom a session waits.
struct Waits {
    why: String,
    /// The session in the way, if it is one of our own that is frozen.
    frozen: Option<i32>,
    /// What it was found out with.
    client: Client,
}

/// For whom this session waits, if it waits for anyone.
async fn look(database: &PostgresConfig, session: i32) -> Result<Option<Waits>, DbError> {
    let client = database.connect().await?;
    let in_the_way = include_str!("sql/in_the_way.sql");
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

/// What is known of a session that is in the way, and what is to be done about it.
async fn locked_by(client: &Client, other: &Row) -> Result<String, DbError> {
    let session: i32 = other.try_get(0)?;
    let text = |column| other.try_get::<_, Option<String>>(column);
    let program = text(1)?.filter(|name| !name.is_empty());
    let mut who = program.clone().unwrap_or_else(|| "another program".to_owned());
    if let Some((process, host)) = program.as_deref().and_then(process::parse_session_name) {
        // Whoever may not read that, or finds no ledger yet, tells no run.
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
    let done = match other.try_get(6)? {
        true => "it is idle, and is ended now".to_owned(),
        false => format!(
            "nothing more is sent until it is done. If it hangs, end it in the database: SELECT pg_terminate_backend({session})"
        ),
    };
    Ok(format!("is locked by {who}): {done}"))
}
