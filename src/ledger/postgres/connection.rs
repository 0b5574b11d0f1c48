//! The connection to the database, which is opened on demand and reopened when it breaks.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::config::PostgresConfig;
use super::error::DbError;
use super::session::Session;
use super::{pooler, schema, waiting};
use crate::ledger::LedgerError;
use crate::policy::backoff::Backoff;

/// The time-out of one operation; longer than the server's own.
const ANSWERED_WITHIN: Duration = Duration::from_secs(90);
/// The delays between tries. They are random, so that processes that lost their connections
/// together do not return together.
const RETRIES: Backoff = Backoff::new(Duration::from_millis(30), Duration::from_secs(3), 2.0 / 3.0);
/// The number of failed tries after which the outage is logged.
const REPORTED_AFTER: u32 = 3;

/// The connection to one database.
pub(super) struct DatabaseConnection {
    database: PostgresConfig,
    max_outage: Duration,
    /// The runtime whose thread performs the I/O. The owner may be on a thread of another
    /// runtime, where this one can be neither blocked on nor dropped.
    runtime: Option<Runtime>,
    session: Option<Session>,
    /// Whether it was verified that each connection has a database session of its own.
    has_own_sessions: bool,
    /// When a wait for another session was last logged.
    wait_logged_at: Option<Instant>,
}

impl DatabaseConnection {
    /// Connects for the first time, and creates the schema if it is missing.
    pub fn open(
        database: PostgresConfig,
        max_outage: Duration,
    ) -> Result<DatabaseConnection, LedgerError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("database")
            .enable_all()
            .build()
            .map_err(|cause| LedgerError::Open { path: database.shown.clone(), cause })?;
        let mut connection = DatabaseConnection {
            database,
            max_outage,
            runtime: Some(runtime),
            session: None,
            has_own_sessions: false,
            wait_logged_at: None,
        };
        let hosts = connection.database.config.get_hosts().len();
        let allow_async = connection.database.allow_async;
        let set_up = &mut async |session: &mut Session| {
            if !allow_async {
                session.copies.refuse_lagging(hosts, &session.path)?;
            }
            schema::set_up(session).await
        };
        match connection.once(set_up) {
            Ok(()) => Ok(connection),
            Err(failed) if failed.is_transient() => Err(connection.away(&failed)),
            Err(failed) => {
                Err(schema::explain(failed, connection.path()).into_ledger_error(connection.path()))
            }
        }
    }

    /// The database in the form that may be displayed.
    pub fn path(&self) -> &str {
        &self.database.shown
    }

    /// Runs `what`, and retries on transient errors until the outage has lasted `max_outage`.
    /// `what` must be idempotent: atomic, or able to detect that an earlier try was committed.
    pub fn with_retry<T>(
        &mut self,
        mut what: impl AsyncFnMut(&mut Session) -> Result<T, DbError>,
    ) -> Result<T, LedgerError> {
        let began = Instant::now();
        let mut tries = 0;
        let mut is_reported = false;
        loop {
            let failed = match self.once(&mut what) {
                Ok(done) if is_reported => {
                    tracing::info!("the ledger {} can be reached again", self.path());
                    return Ok(done);
                }
                Ok(done) => return Ok(done),
                Err(failed) => failed,
            };
            // The session may be unusable, or in the middle of a transaction.
            self.session = None;
            if !failed.is_transient() {
                return Err(failed.into_ledger_error(self.path()));
            }
            if began.elapsed() >= self.max_outage {
                return Err(self.away(&failed));
            }
            // A wait for a lock is logged while it lasts.
            if !is_reported && !failed.is_lock() && tries >= REPORTED_AFTER {
                tracing::warn!(
                    "the ledger {} cannot be reached ({}): nothing more is sent until it can",
                    self.path(),
                    failed.message()
                );
                is_reported = true;
            }
            std::thread::sleep(RETRIES.delay(tries, random()));
            tries = tries.saturating_add(1);
        }
    }

    fn away(&self, failed: &DbError) -> LedgerError {
        LedgerError::Unreachable { path: self.path().to_owned(), cause: failed.message() }
    }

    fn once<T>(
        &mut self,
        what: &mut impl AsyncFnMut(&mut Session) -> Result<T, DbError>,
    ) -> Result<T, DbError> {
        let DatabaseConnection { database, session, has_own_sessions, wait_logged_at, .. } = self;
        let Some(runtime) = &self.runtime else { return Err(DbError::Silent) };
        let work = async {
            let session = match session {
                Some(session) if !session.client.is_closed() => session,
                _ => {
                    let client = database.connect().await?;
                    if !*has_own_sessions {
                        pooler::refuse(&client, database).await?;
                        *has_own_sessions = true;
                    }
                    let mut new = Session::new(client, &database.shown);
                    schema::begin(&mut new).await?;
                    session.insert(new)
                }
            };
            let number = session.number;
            tokio::select! {
                biased;
                done = what(session) => done,
                never = waiting::watch(database, number, wait_logged_at) => match never {},
            }
        };
        let work = async {
            tokio::time::timeout(ANSWERED_WITHIN, work).await.unwrap_or(Err(DbError::Silent))
        };
        let _in_its_runtime = runtime.enter();
        // Tokio's cooperative budget of a surrounding task must not interrupt this.
        futures_executor::block_on(tokio::task::unconstrained(work))
    }
}

impl Drop for DatabaseConnection {
    fn drop(&mut self) {
        self.session = None;
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A different number at each call.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
