//! The shared ledger: a PostgreSQL database for several machines. Each statement is a file in
//! `sql/`. Times are by the database's clock, the only one that all workers share.

mod audit;
mod clock;
mod commit;
mod config;
mod connection;
mod copies;
mod create_resolution;
mod create_run;
mod error;
mod forget;
mod info;
mod known_orders;
mod pooler;
mod read;
mod register;
mod requests;
mod schema;
mod seals;
mod session;
mod standings;
mod start;
mod text;
mod tls;
mod waiting;
mod worker;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::row_record::{RecordBuilder, open_ones};
use super::{
    AttemptRecord, CommitOutcome, CommitRequest, CreateRunError, DatabaseUrl, EventRecord,
    FinishOptions, KeptOrders, KnownOrders, Ledger, LedgerError, LedgerInfo, NewForgetting,
    NewRequest, NewRun, NewSeal, OnRecord, OrderHistory, OrderStanding, RequestRecord, Resolution,
    ResolutionError, RowRecord, Run, RunLock, SealHead, SealRecord, StartOptions, StartRecord,
    StartedRun,
};
use crate::input::{InputError, OrderKey, PlannedRow};
use crate::model::{AllocateSlots, Order, RowNumber};
use clock::DatabaseClock;
use config::PostgresConfig;
use connection::DatabaseConnection;
use worker::WorkerSession;

/// The location of the ledger, and its time-outs.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// The database, and how to connect to it.
    pub url: DatabaseUrl,
    /// How long a worker may hold rows without a commit.
    pub lease: Duration,
    /// How long an unreachable database is retried.
    pub max_outage: Duration,
}

/// The shared ledger.
pub struct Postgres {
    connection: DatabaseConnection,
    lease: Duration,
    clock: DatabaseClock,
    /// The key of the last look-up by key, with the number of the run that it found.
    seen: Option<(String, i64)>,
    worker_session: Option<WorkerSession>,
}

impl Postgres {
    /// Opens the ledger, and creates its schema if it is missing.
    ///
    /// # Errors
    /// If the URL is wrong, the database cannot be reached or may lose what it has confirmed, or
    /// the ledger has another version.
    pub fn open(at: PostgresOptions) -> Result<Postgres, LedgerError> {
        let PostgresOptions { url, lease, max_outage } = at;
        let connection = DatabaseConnection::open(PostgresConfig::from_url(url)?, max_outage)?;
        Ok(Postgres {
            connection,
            lease,
            clock: DatabaseClock::default(),
            seen: None,
            worker_session: None,
        })
    }

    /// The database without user and password.
    pub fn path(&self) -> &str {
        self.connection.path()
    }

    /// The number of the run that the last look-up of this key found; 0 if it found none.
    fn seen_of(&mut self, key: &str) -> i64 {
        let seen = self.seen.take().filter(|(its, _)| its == key);
        seen.map_or(0, |(_, number)| number)
    }

    /// How far the database's clock is ahead of this machine's.
    fn ahead(&mut self) -> jiff::SignedDuration {
        self.clock.offset(Instant::now(), Timestamp::now())
    }
}

impl Ledger for Postgres {
    fn find_by_key(&mut self, key: &str) -> Result<Option<Run>, LedgerError> {
        let found =
            self.connection.with_retry(async |session| read::run_by_key(session, key).await)?;
        self.seen = Some((key.to_owned(), found.as_ref().map_or(0, |run| run.number)));
        Ok(found)
    }

    fn run(&mut self, id: &str) -> Result<Option<Run>, LedgerError> {
        self.connection.with_retry(async |session| read::run_by_id(session, id).await)
    }

    fn runs(&mut self) -> Result<Vec<Run>, LedgerError> {
        self.connection.with_retry(async |session| read::runs(session).await)
    }

    fn joinable(&mut self, endpoint: &str) -> Result<Vec<Run>, LedgerError> {
        self.connection.with_retry(async |session| read::joinable(session, endpoint).await)
    }

    fn known_orders(
        &mut self,
        endpoint: &str,
        run: Option<&Run>,
        by_order: &[OrderKey],
    ) -> Result<KnownOrders, LedgerError> {
        known_orders::count(&mut self.connection, endpoint, run.map(|run| run.number), by_order)
    }

    fn on_record(
        &mut self,
        endpoint: &str,
        orders: &[Order],
    ) -> Result<Vec<Vec<OnRecord>>, LedgerError> {
        self.connection.with_retry(async |session| read::on_record(session, endpoint, orders).await)
    }

    fn standings(
        &mut self,
        endpoint: &str,
        orders: &[Order],
    ) -> Result<Vec<OrderStanding>, LedgerError> {
        self.connection
            .with_retry(async |session| standings::of_orders(session, endpoint, orders).await)
    }

    fn create_resolution(&mut self, mut new: Resolution<'_>) -> Result<Run, ResolutionError> {
        let seen = self.seen_of(&new.new.key);
        self.connection
            .with_retry(async |session| start::read_clock(session, &mut self.clock).await)?;
        let ahead = self.ahead();
        let opened_at = &mut new.new.opened_at;
        *opened_at = opened_at.saturating_add(ahead).unwrap_or(*opened_at);
        create_resolution::create(&mut self.connection, new, seen)
    }

    fn create_run(
        &mut self,
        mut new: NewRun,
        rows: &mut dyn Iterator<Item = Result<PlannedRow, InputError>>,
        by_order: &[OrderKey],
    ) -> Result<Run, CreateRunError> {
        let seen = self.seen_of(&new.key);
        self.connection
            .with_retry(async |session| start::read_clock(session, &mut self.clock).await)?;
        new.opened_at = new.opened_at.saturating_add(self.ahead()).unwrap_or(new.opened_at);
        create_run::create_run(&mut self.connection, &new, seen, rows, by_order)
    }

    fn lock_run(&mut self, _key: &str) -> Result<RunLock, LedgerError> {
        Ok(RunLock::shared())
    }

    fn is_locked(&mut self, key: &str) -> Result<bool, LedgerError> {
        self.connection.with_retry(async |session| read::is_locked(session, key).await)
    }

    fn start(&mut self, run: &Run, start: StartOptions) -> Result<StartedRun, LedgerError> {
        self.connection
            .with_retry(async |session| start::read_clock(session, &mut self.clock).await)?;
        let lease = self.lease;
        let (worker_session, last_request, pace) = self
            .connection
            .with_retry(async |session| start::start(session, run, &start, lease).await)?;
        self.worker_session = Some(worker_session);
        let clock_ahead = self.ahead();
        Ok(StartedRun { clock_ahead, last_request, pace, ..StartedRun::default() })
    }

    fn commit(
        &mut self,
        commit: CommitRequest,
        allocate: &mut AllocateSlots<'_>,
    ) -> Result<CommitOutcome, LedgerError> {
        let Some(worker_session) = &mut self.worker_session else {
            return Err(not_started(&self.connection));
        };
        commit::commit(&mut self.connection, worker_session, &mut self.clock, commit, allocate)
    }

    fn finish(&mut self, finish: FinishOptions) -> Result<Run, LedgerError> {
        let Some(worker_session) = self.worker_session.take() else {
            return Err(not_started(&self.connection));
        };
        let ahead = self.ahead();
        self.connection.with_retry(async |session| {
            worker::finish(session, &worker_session, &finish, ahead).await
        })
    }

    fn add_request(&mut self, run: &Run, new: &NewRequest) -> Result<i64, LedgerError> {
        self.connection.with_retry(async |session| requests::add(session, run.number, new).await)
    }

    fn requests(&mut self, run: &Run, after: i64) -> Result<Vec<RequestRecord>, LedgerError> {
        self.connection
            .with_retry(async |session| requests::after(session, run.number, after).await)
    }

    fn rows(
        &mut self,
        run: &Run,
        each: &mut dyn FnMut(&mut RowRecord) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut each = |builder: &mut RecordBuilder| each(builder.finish());
        read::rows(&mut self.connection, run.number, RecordBuilder::new(), &mut each)
    }

    fn open_rows(
        &mut self,
        run: &Run,
        each: &mut dyn FnMut(&mut RowRecord) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        read::rows_that_may_be_open(&mut self.connection, run, &mut open_ones(each))
    }

    fn rows_with_attempts(
        &mut self,
        run: &Run,
        each: &mut dyn FnMut(&mut RowRecord, &mut [AttemptRecord]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut each = |builder: &mut RecordBuilder| {
            let (row, attempts) = builder.finish_with_attempts();
            each(row, attempts)
        };
        let builder = RecordBuilder::collecting_attempts();
        read::rows(&mut self.connection, run.number, builder, &mut each)
    }

    fn ledger_id(&mut self) -> Result<String, LedgerError> {
        self.connection.with_retry(async |session| audit::ledger_id(session).await)
    }

    fn starts(&mut self, run: &Run) -> Result<Vec<StartRecord>, LedgerError> {
        self.connection.with_retry(async |session| audit::starts(session, run.number).await)
    }

    fn configuration(&mut self, digest: &str) -> Result<Option<String>, LedgerError> {
        self.connection.with_retry(async |session| audit::configuration(session, digest).await)
    }

    fn events(&mut self, run: &Run) -> Result<Vec<EventRecord>, LedgerError> {
        self.connection.with_retry(async |session| audit::events(session, run).await)
    }

    fn history(&mut self, order: Order) -> anyhow::Result<Vec<OrderHistory>> {
        audit::history(&mut self.connection, order)
    }

    fn seals(&mut self) -> Result<Vec<SealRecord>, LedgerError> {
        self.connection.with_retry(async |session| seals::all(session).await)
    }

    fn last_seal(&mut self, run: &Run) -> Result<Option<SealRecord>, LedgerError> {
        self.connection.with_retry(async |session| seals::last_of_run(session, run.number).await)
    }

    fn unsealed(&mut self) -> Result<Vec<Run>, LedgerError> {
        self.connection.with_retry(async |session| seals::unsealed(session).await)
    }

    fn bring_to_rest(&mut self, run: &Run) -> Result<bool, LedgerError> {
        self.connection.with_retry(async |session| seals::bring_to_rest(session, run.number).await)
    }

    fn append_seal(
        &mut self,
        run: &Run,
        new: &NewSeal<'_>,
    ) -> Result<Option<SealRecord>, LedgerError> {
        self.connection.with_retry(async |session| seals::append(session, run, new).await)
    }

    fn seal_heads(&mut self) -> Result<Vec<SealHead>, LedgerError> {
        self.connection.with_retry(async |session| seals::heads(session).await)
    }

    fn seal_text(&mut self, number: u64) -> Result<Option<String>, LedgerError> {
        self.connection.with_retry(async |session| seals::text(session, number).await)
    }

    fn add_receipt(&mut self, seal: u64, at: Timestamp, answer: &[u8]) -> Result<(), LedgerError> {
        self.connection
            .with_retry(async |session| seals::add_receipt(session, seal, at, answer).await)
    }

    fn receipt(&mut self, seal: u64) -> Result<Option<Vec<u8>>, LedgerError> {
        self.connection.with_retry(async |session| seals::receipt(session, seal).await)
    }

    fn results_files(&mut self, run: &Run) -> Result<Vec<(String, String)>, LedgerError> {
        self.connection.with_retry(async |session| audit::results_files(session, run.number).await)
    }

    fn orders(&mut self, run: &Run) -> Result<BTreeMap<RowNumber, Order>, LedgerError> {
        self.connection.with_retry(async |session| read::orders(session, run.number).await)
    }

    fn note_results(&mut self, run: &Run, mark: &str, path: &str) -> Result<(), LedgerError> {
        let sql =
            "INSERT INTO results (mark, run, path) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        self.connection.with_retry(async |session| {
            session.client.execute(sql, &[&mark, &run.number, &path]).await?;
            Ok(())
        })
    }

    fn forget(
        &mut self,
        run: &Run,
        new: &NewForgetting<'_>,
    ) -> Result<Option<SealRecord>, LedgerError> {
        forget::forget(&mut self.connection, run, new)
    }

    fn remove_forgotten(&mut self) -> Result<(), LedgerError> {
        forget::remove(&mut self.connection)
    }

    fn kept_orders(&mut self, run: &Run) -> Result<KeptOrders, LedgerError> {
        forget::kept_orders(&mut self.connection, run)
    }

    fn forgotten_with(&mut self, order: Order) -> Result<Vec<(Run, RowNumber)>, LedgerError> {
        self.connection.with_retry(async |session| forget::forgotten_with(session, order).await)
    }

    fn info(&mut self) -> Result<LedgerInfo, LedgerError> {
        self.connection.with_retry(async |session| info::info(session).await)
    }

    fn results_of(&mut self, mark: &str) -> Result<Vec<String>, LedgerError> {
        self.connection.with_retry(async |session| read::results_of(session, mark).await)
    }
}

fn not_started(connection: &DatabaseConnection) -> LedgerError {
    let (path, cause) = (connection.path().to_owned(), "no run was started".into());
    LedgerError::Database { path, cause }
}
