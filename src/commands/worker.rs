//! `worker`: joins the runs of other machines until it is shut down.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::caller::CoreCardCaller;
use super::error::LedgerFailed;
use super::session::RunSession;
use super::shutdown::{self, ShutdownNotices};
use super::target::Target;
use super::{logging, sealing, witnesses};
use crate::config::{Env, Layer, Settings, TargetSettings};
use crate::engine::RunOutcome;
use crate::exit_code::ExitCode;
use crate::input::shown;
use crate::ledger::{Ledger, LedgerLocation, Run};
use crate::output::human_count;
use crate::output::summary::reason;
use crate::policy::rate::Rates;
use crate::process;

/// How often the ledger is asked for a run to join.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// How long to wait after a run could not be joined.
const JOIN_RETRY: Duration = Duration::from_secs(30);

/// Joins the runs that are open, the oldest first, until a shutdown is requested.
pub fn work(options: Layer, env: &Env) -> anyhow::Result<ExitCode> {
    let settings = Settings::load(options, env)?;
    refuse_unshared(&settings)?;
    logging::init(&settings.logs)?;
    process::raise_fd_limit(settings.concurrency)?;
    let mut ledger = settings.ledger.open(settings.patience())?;
    // One thread decides; the calls and the ledger have their own.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let exit = runtime.block_on(async {
        let target = Target::open(settings.target.clone()).await?;
        witnesses::prepare(&settings.seal, ledger.as_mut()).await?;
        let shutdown =
            shutdown::listen(ShutdownNotices::RUN).context("cannot listen for signals")?;
        let unreadable = HashSet::new();
        WorkerLoop { settings: &settings, target, shutdown, unreadable }.work(ledger).await
    });
    // A ledger that is still being asked is not waited for.
    runtime.shutdown_background();
    if let Err(error) = &exit
        && settings.logs.file.is_some()
    {
        // On standard error it is reported anyway.
        tracing::error!("{error:#}");
    }
    exit
}

fn refuse_unshared(settings: &Settings) -> anyhow::Result<()> {
    match (&settings.target, &settings.ledger) {
        (TargetSettings::Rehearsal(_), _) => {
            bail!("`worker` cannot rehearse: the ledger of a rehearsal is not shared")
        }
        (TargetSettings::CoreCard(_), LedgerLocation::File(path)) => bail!(
            "`worker` needs a ledger that several machines share, and {} is a file: give the address of a PostgreSQL database with --ledger",
            path.display()
        ),
        (TargetSettings::CoreCard(_), LedgerLocation::Database(_)) => Ok(()),
    }
}

struct WorkerLoop<'a> {
    settings: &'a Settings,
    target: Target,
    /// Cancelled when this process is to stop.
    shutdown: CancellationToken,
    /// The runs whose rates this program cannot read.
    unreadable: HashSet<String>,
}

impl WorkerLoop<'_> {
    async fn work(mut self, mut ledger: Box<dyn Ledger>) -> anyhow::Result<ExitCode> {
        // Credentials that cannot be had are reported at once, not when a run is there.
        CoreCardCaller::prepare("none", self.settings, &self.target.url).await?;
        let mut idle = false;
        loop {
            let Some((returned, found)) = self.find_run(ledger).await.context(LedgerFailed)? else {
                return Ok(ExitCode::Done);
            };
            ledger = returned;
            let Some((run, rates)) = self.first_known(found) else {
                if !std::mem::replace(&mut idle, true) {
                    tracing::info!("no run is open at {}: waiting for one", self.target.name);
                }
                self.sleep(POLL_INTERVAL).await;
                continue;
            };
            idle = false;
            let pause;
            (ledger, pause) =
                match self.join(&run, &rates, ledger).instrument(logging::span()).await? {
                    JoinOutcome::ForOthers(ledger) => (ledger, POLL_INTERVAL),
                    JoinOutcome::NotJoined(ledger) => (ledger, JOIN_RETRY),
                    JoinOutcome::CannotGoOn => return Ok(ExitCode::Stopped),
                };
            self.sleep(pause).await;
        }
    }

    /// Finds runs to join, and returns them with the ledger; `None` once a shutdown is
    /// requested.
    async fn find_run(
        &mut self,
        mut ledger: Box<dyn Ledger>,
    ) -> anyhow::Result<Option<(Box<dyn Ledger>, Vec<Run>)>> {
        let endpoint = self.target.name.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let found = ledger.joinable(&endpoint);
            found.map(|found| (ledger, found))
        });
        tokio::select! {
            biased;
            () = self.shutdown.cancelled() => Ok(None),
            asked = asked => Ok(Some(asked.context("the ledger's thread died")??)),
        }
    }

    /// The first of the runs whose rates this program knows. The others are passed over,
    /// with a warning.
    fn first_known(&mut self, found: Vec<Run>) -> Option<(Run, Rates)> {
        for run in found {
            match rates_of(&run) {
                Ok(rates) => return Some((run, rates)),
                Err(why) if self.unreadable.insert(run.id().to_owned()) => {
                    tracing::warn!("{why:#}: this run is skipped");
                }
                Err(_) => {}
            }
        }
        None
    }

    /// Sleeps, until a shutdown is requested at the latest.
    async fn sleep(&mut self, time: Duration) {
        let _ = tokio::time::timeout(time, self.shutdown.cancelled()).await;
    }

    /// Works on a run until it is finished, or a shutdown is requested.
    async fn join(
        &self,
        run: &Run,
        rates: &Rates,
        mut ledger: Box<dyn Ledger>,
    ) -> anyhow::Result<JoinOutcome> {
        logging::set_run(run.id());
        if let Err(why) = witnesses::prepare(&self.settings.seal, ledger.as_mut()).await {
            tracing::warn!("{why:#}: the run is not joined");
            return Ok(JoinOutcome::NotJoined(ledger));
        }
        let caller = match CoreCardCaller::prepare(run.id(), self.settings, &self.target.url).await
        {
            Ok(caller) => caller,
            Err(why) => {
                tracing::warn!("{why:#}: the run is not joined");
                return Ok(JoinOutcome::NotJoined(ledger));
            }
        };
        tracing::info!("joining the run of {}", shown(&run.opened.input_name));
        let session = RunSession {
            settings: self.settings,
            rates,
            last_start: run.cut_off,
            joins: true,
            cancelled: 0,
            caller,
            shutdown: self.shutdown.clone(),
            metrics: None,
        };
        let (mut finished, clock) = session.send(run, ledger).await.context(LedgerFailed)?;
        sealing::seal(finished.ledger.as_mut(), &finished.run, None, clock, None);
        witnesses::hand_on(&self.settings.seal, finished.ledger.as_mut()).await;
        Ok(self.outcome(finished))
    }

    fn outcome(&self, finished: RunOutcome) -> JoinOutcome {
        let RunOutcome { ledger, run, calls, stop, .. } = finished;
        let calls = human_count(calls);
        match stop {
            _ if run.has_ended() => tracing::info!("the run has ended; {calls} calls made here"),
            Some(why) if !why.stops_all() && !self.shutdown.is_cancelled() => {
                let why = reason(&why.to_string());
                tracing::error!(
                    "{why}: {calls} calls made here; this worker ends, other processes continue the run"
                );
                return JoinOutcome::CannotGoOn;
            }
            Some(why) => {
                let why = reason(&why.to_string());
                tracing::info!("left the run: {why}; {calls} calls made here");
            }
            None => tracing::info!("left the run; {calls} calls made here"),
        }
        JoinOutcome::ForOthers(ledger)
    }
}

/// What joining a run came to.
enum JoinOutcome {
    /// It is over here.
    ForOthers(Box<dyn Ledger>),
    /// There are no credentials, or a seal could not be handed on.
    NotJoined(Box<dyn Ledger>),
    /// This process cannot work on it, and would not be able to the next time.
    CannotGoOn,
}

/// The rates that the run was opened with.
fn rates_of(run: &Run) -> anyhow::Result<Rates> {
    let rates = run.rates.as_deref().and_then(|rates| rates.parse().ok());
    rates.with_context(|| {
        let program = &run.opened.program;
        format!("the rates of run {} cannot be read: it was created by {program}", run.id())
    })
}
