//! The way to the database: made when it is needed, made again when it breaks.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use tokio::runtime::Runtime;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, NoTls, Socket, Statement};

use super::super::LedgerError;
use super::config::PostgresConfig;
use super::copies::Copies;
use super::error::DbError;
use super::{pooler, schema, waiting};
use crate::policy::backoff::Backoff;

/// How long one piece of work may take; more than the server gives it.
const ANSWERED_WITHIN: Duration = Duration::from_secs(90);
/// The pauses between tries: processes that were cut off together do not come back together.
const RETRIES: Backoff = Backoff::new(Duration::from_millis(30), Duration::from_secs(3), 2.0 / 3.0);
/// After how many more tries it is reported that the database is away.
const REPORTED_AFTER: u32 = 3;

/// A connection, and the statements that were prepared on it.
pub(super) struct Session {
    pub client: Client,
    /// Where it leads, as it may be shown.
    pub path: String,
    /// The number under which the database knows it.
    pub number: i32,
    /// What would be left of what is committed after a failover.
    pub copies: Copies,
    /// The line of history that the server is on, if it tells.
    pub timeline: Option<String>,
    /// Whether whoever works on a run saw that what was confirmed to it is still there.
    pub is_known: bool,
    statements: HashMap<&'static str, Statement>,
}

impl Session {
    /// The statement, prepared once a session.
    pub async fn statement(&mut self, sql: &'static str) -> Result<Statement, DbError> {
        if let Some(prepared) = self.statements.get(sql) {
            return Ok(prepared.clone());
        }
        let prepared = self.client.prepare(sql).await?;
        self.statements.insert(sql, prepared.clone());
        Ok(prepared)
    }

    /// Prepares all of these, as fast as if they were one.
    pub async fn prepare_all(
        &mut self,
        statements: impl IntoIterator<Item = &'static str>,
    ) -> Result<(), DbError> {
        let missing = statements.into_iter().filter(|sql| !self.statements.contains_key(sql));
        let client = &self.client;
        let prepare = async |sql| Ok::<_, DbError>((sql, client.prepare(sql).await?));
        let prepared = try_join_all(missing.map(prepare)).await?;
        self.statements.extend(prepared);
        Ok(())
    }

    /// The statement, if it is needed.
    pub async fn statement_if(
        &mut self,
        is_needed: bool,
        sql: &'static str,
    ) -> Result<Option<Statement>, DbError> {
        match is_needed {
            true => self.statement(sql).await.map(Some),
            false => Ok(None),
        }
    }
}

/// The way to one database.
pub(super) struct Connection {
    database: PostgresConfig,
    max_outage: Duration,
    /// Its thread carries what is sent and received. Its owner may be on a thread that
    /// has a runtime of its own: there this one can be neither waited for nor dropped.
    runtime: Option<Runtime>,
    session: Option<Session>,
    /// Whether it was seen that each connection has a session of the database to itself.
    has_own_sessions: bool,
    /// When it was told last for whom this process waits.
    waiting_told: Option<Instant>,
}

impl Connection {
    /// Connects for the first time, and sees to it that the ledger is there.
    pub fn open(database: PostgresConfig, max_outage: Duration) -> Result<Connection, LedgerError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("database")
            .enable_all()
            .build()
            .map_err(|cause| LedgerError::Open { path: database.shown.clone(), cause })?;
        let mut link = Connection {
            database,
            max_outage,
            runtime: Some(runtime),
            session: None,
            has_own_sessions: false,
            waiting_told: None,
        };
        let hosts = link.database.config.get_hosts().len();
        let allow_async = link.database.allow_async;
        let set_up = &mut async |session: &mut Session| {
            if !allow_async {
                session.copies.refuse_lagging(hosts, &session.path)?;
            }
            schema::set_up(session).await
        };
        match link.once(set_up) {
            Ok(()) => Ok(link),
            Err(failed) if failed.is_transient() => Err(link.away(&failed)),
            Err(failed) => Err(schema::explain(failed, link.path()).told(link.path())),
        }
    }

    /// Where the ledger is, as it may be shown.
    pub fn path(&self) -> &str {
        &self.database.shown
    }

    /// Does this, once more each time the database is away or busy. It must leave nothing
    /// behind if it fails, or know it again.
    pub fn work<T>(
        &mut self,
        mut what: impl AsyncFnMut(&mut Session) -> Result<T, DbError>,
    ) -> Result<T, LedgerError> {
        let began = Instant::now();
        let mut tries = 0;
        let mut told = false;
        loop {
            let failed = match self.once(&mut what) {
                Ok(done) if told => {
                    tracing::info!("the ledger {} can be reached again", self.path());
                    return Ok(done);
                }
                Ok(done) => return Ok(done),
                Err(failed) => failed,
            };
            // It may be of no more use, or in the middle of a transaction.
            self.session = None;
            if !failed.is_transient() {
                return Err(failed.told(self.path()));
            }
            if began.elapsed() >= self.max_outage {
                return Err(self.away(&failed));
            }
            // Of whom a lock is waited for is told while it is.
            if !told && !failed.is_lock() && tries >= REPORTED_AFTER {
                tracing::warn!(
                    "the ledger {} cannot be reached ({}): nothing more is sent until it can",
                    self.path(),
                    failed.message()
                );
                told = true;
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
        let Connection { database, session, has_own_sessions, waiting_told, .. } = self;
        let Some(runtime) = &self.runtime else { return Err(DbError::Silent) };
        let work = async {
            let session = match session {
                Some(session) if !session.client.is_closed() => session,
                _ => {
                    let client = dial(database).await?;
                    if !*has_own_sessions {
                        pooler::refuse(&client, database).await?;
                        *has_own_sessions = true;
                    }
                    session.insert(begin(client, database).await?)
                }
            };
            let number = session.number;
            tokio::select! {
                biased;
                done = what(session) => done,
                never = waiting::watch(database, number, waiting_told) => match never {},
            }
        };
        let work = async {
            tokio::time::timeout(ANSWERED_WITHIN, work).await.unwrap_or(Err(DbError::Silent))
        };
        let _in_its_runtime = runtime.enter();
        // Where a task of another runtime waits here, its commit must not be up.
        futures_executor::block_on(tokio::task::unconstrained(work))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.session = None;
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A new connection.
pub(super) async fn dial(database: &PostgresConfig) -> Result<Client, DbError> {
    match database.connector.tls() {
        Some(tls) => connect_by(database, tls).await,
        None => connect_by(database, NoTls).await,
    }
}

/// Makes it ours.
async fn begin(client: Client, database: &PostgresConfig) -> Result<Session, DbError> {
    let mut session = Session {
        client,
        path: database.shown.clone(),
        number: 0,
        copies: Copies::default(),
        timeline: None,
        is_known: false,
        statements: HashMap::new(),
    };
    schema::begin(&mut session).await?;
    Ok(session)
}

async fn connect_by<T>(database: &PostgresConfig, tls: T) -> Result<Client, DbError>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let (client, connection) = database.config.connect(tls).await?;
    tokio::spawn(async move {
        // How it ended is told to whoever waits for an answer.
        let _ = connection.await;
    });
    Ok(client)
}

/// Another number each time.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
