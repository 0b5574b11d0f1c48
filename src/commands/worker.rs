//! `worker`: helps with the runs of other machines, until it is told to stop.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::sync::watch;
use tracing::Instrument;

use super::caller::Calls;
use super::session::Sending;
use super::target::Server;
use super::{LedgerFailed, logging, shutdown};
use crate::config::{Env, Options, Settings, TargetSettings};
use crate::engine::RunOutcome;
use crate::exit_code::ExitCode;
use crate::input::shown;
use crate::ledger::{Ledger, Location, Run};
use crate::output::human_count;
use crate::output::summary::reason;
use crate::policy::rate::Rates;
use crate::process;

/// How often the ledger is asked for a run to join.
const ASKED_EVERY: Duration = Duration::from_secs(1);
/// How long a run waits for which there are no credentials.
const CREDENTIALS_AGAIN: Duration = Duration::from_secs(30);

/// Joins the runs that are open, the oldest first, until it is told to stop.
pub fn work(options: Options, env: &Env) -> anyhow::Result<ExitCode> {
    let settings = Settings::load(options, env)?;
    refuse_what_nobody_shares(&settings)?;
    logging::begin(&settings.logs)?;
    process::raise_fd_limit(settings.concurrency)?;
    let ledger = settings.ledger.open(settings.patience())?;
    // One thread decides; the calls and the ledger have their own.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let exit = runtime.block_on(async {
        let server = Server::open(settings.target.clone()).await?;
        let told = shutdown::listen().context("cannot listen for signals")?;
        let passed_over = HashSet::new();
        Worker { settings: &settings, server, told, passed_over }.work(ledger).await
    });
    // A ledger that is still being asked is not waited for.
    runtime.shutdown_background();
    if let Err(error) = &exit
        && settings.logs.file.is_some()
    {
        // On standard error it is told anyway.
        tracing::error!("{error:#}");
    }
    exit
}

fn refuse_what_nobody_shares(settings: &Settings) -> anyhow::Result<()> {
    match (&settings.target, &settings.ledger) {
        (TargetSettings::Rehearsal(_), _) => {
            bail!("`worker` does not rehearse: a rehearsal has a ledger that it shares with nobody")
        }
        (TargetSettings::CoreCard(_), Location::File(path)) => bail!(
            "`worker` needs a ledger that several machines share, and {} is a file: give the address of a PostgreSQL database with --ledger",
            path.display()
        ),
        (TargetSettings::CoreCard(_), Location::Database(_)) => Ok(()),
    }
}

struct Worker<'a> {
    settings: &'a Settings,
    server: Server,
    /// Turns true when this process is told to stop.
    told: watch::Receiver<bool>,
    /// The runs whose rates this program does not know.
    passed_over: HashSet<String>,
}

impl Worker<'_> {
    async fn work(mut self, mut ledger: Box<dyn Ledger>) -> anyhow::Result<ExitCode> {
        // Credentials that cannot be had are told at once, not when a run is there.
        Calls::prepare("none", self.settings, &self.server.url).await?;
        let mut idle = false;
        loop {
            let Some((asked, found)) = self.ask(ledger).await.context(LedgerFailed)? else {
                return Ok(ExitCode::Done);
            };
            ledger = asked;
            let Some((run, rates)) = self.first_known(found) else {
                if !std::mem::replace(&mut idle, true) {
                    tracing::info!("no run is open at {}: waiting for one", self.server.name);
                }
                self.rest(ASKED_EVERY).await;
                continue;
            };
            idle = false;
            let pause;
            (ledger, pause) =
                match self.join(&run, &rates, ledger).instrument(logging::span()).await? {
                    Left::ForOthers(ledger) => (ledger, ASKED_EVERY),
                    Left::WithoutCredentials(ledger) => (ledger, CREDENTIALS_AGAIN),
                    Left::CannotGoOn => return Ok(ExitCode::Stopped),
                };
            self.rest(pause).await;
        }
    }

    /// Asks the ledger for runs to join, and gives it back; nothing once this process
    /// is told to stop.
    async fn ask(
        &mut self,
        mut ledger: Box<dyn Ledger>,
    ) -> anyhow::Result<Option<(Box<dyn Ledger>, Vec<Run>)>> {
        let endpoint = self.server.name.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let found = ledger.joinable(&endpoint);
            found.map(|found| (ledger, found))
        });
        tokio::select! {
            biased;
            _ = self.told.wait_for(|told| *told) => Ok(None),
            asked = asked => Ok(Some(asked.context("the ledger's thread died")??)),
        }
    }

    /// The first of the runs whose rates this program knows. The others are passed over,
    /// with a warning.
    fn first_known(&mut self, found: Vec<Run>) -> Option<(Run, Rates)> {
        for run in found {
            match rates_of(&run) {
                Ok(rates) => return Some((run, rates)),
                Err(why) if self.passed_over.insert(run.id().to_owned()) => {
                    tracing::warn!("{why:#}: the run is passed over");
                }
                Err(_) => {}
            }
        }
        None
    }

    /// Waits, or less long if this process is told to stop.
    async fn rest(&mut self, time: Duration) {
        let _ = tokio::time::timeout(time, self.told.wait_for(|told| *told)).await;
    }

    /// Works on a run until it is over, or this process is told to stop.
    async fn join(
        &self,
        run: &Run,
        rates: &Rates,
        ledger: Box<dyn Ledger>,
    ) -> anyhow::Result<Left> {
        logging::name(run.id());
        let calls = match Calls::prepare(run.id(), self.settings, &self.server.url).await {
            Ok(calls) => calls,
            Err(why) => {
                tracing::warn!("{why:#}: the run is not joined");
                return Ok(Left::WithoutCredentials(ledger));
            }
        };
        tracing::info!("joining the run of {}", shown(&run.opened.input_name));
        let sending = Sending {
            settings: self.settings,
            rates,
            last_start: run.cut_off,
            joins: true,
            cancelled: 0,
            calls,
            told: self.told.clone(),
            metrics: None,
        };
        let finished = sending.send(run, ledger).await.context(LedgerFailed)?;
        Ok(self.left(finished))
    }

    fn left(&self, finished: RunOutcome) -> Left {
        let RunOutcome { ledger, run, calls, stop, .. } = finished;
        let calls = human_count(calls);
        match stop {
            _ if run.has_ended() => tracing::info!("the run has ended; {calls} calls made here"),
            Some(why) if !why.stops_all() && !*self.told.borrow() => {
                let why = reason(&why.to_string());
                tracing::error!(
                    "{why}: {calls} calls made here; this worker ends, the run is left to others"
                );
                return Left::CannotGoOn;
            }
            Some(why) => {
                let why = reason(&why.to_string());
                tracing::info!("left the run: {why}; {calls} calls made here");
            }
            None => tracing::info!("left the run; {calls} calls made here"),
        }
        Left::ForOthers(ledger)
    }
}

/// How a run was left.
enum Left {
    /// It is over here.
    ForOthers(Box<dyn Ledger>),
    /// It was not joined.
    WithoutCredentials(Box<dyn Ledger>),
    /// This process cannot work on it, and would not be able to the next time.
    CannotGoOn,
}

/// The rates that the run was opened with.
fn rates_of(run: &Run) -> anyhow::Result<Rates> {
    let rates = run.rates.as_deref().and_then(|rates| rates.parse().ok());
    rates.with_context(|| {
        let program = &run.opened.program;
        format!("the rates of run {} cannot be read: it was opened by {program}", run.id())
    })
}
