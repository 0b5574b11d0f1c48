//! `run` and `rerun`: from a file to its results.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

use anyhow::{Context, bail};
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tracing::Instrument;

use super::job::Job;
use super::server::Server;
use super::{
    LedgerFailed, confirm, estimate, exit_of, foreign, logs, open_files, rehearsal, signals,
};
use crate::config::{Options, Settings, Surroundings};
use crate::corecard::client::{Client, Reach};
use crate::corecard::credentials::Credentials;
use crate::engine::{Caller, Finished, Plan, Snapshot, Wheel, drive};
use crate::exit::Exit;
use crate::gate::brake::Tripped;
use crate::gate::pace::Pace;
use crate::gate::renewal::{Fetched, Renewal};
use crate::intake::{Survey, enrolments};
use crate::ledger::{Counts, EnrolError, Ledger, NewRun, Run, Sqlite, Staked, Start};
use crate::outcome::{Codes, Meaning, Outcome, classify};
use crate::output::metrics::{Figures, Metrics};
use crate::output::progress::{self, Course};
use crate::output::results::{Replace, ResultsFile, Source};
use crate::output::summary::{Summary, Work};
use crate::output::{count, counted, lasting, say};

/// Runs a file of orders; where `only` is given, a results file again.
pub fn run(
    path: &Path,
    only: Option<&[String]>,
    options: Options,
    surroundings: &Surroundings,
) -> anyhow::Result<Exit> {
    let settings = Settings::load(options, surroundings)?;
    logs::begin(&settings.logs)?;
    open_files::allow(settings.concurrency)?;
    // One thread: a call starts at its moment without waiting for another to wake.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let work = async {
        let exit = from_file_to_results(path, only, &settings).await;
        if let Err(error) = &exit
            && settings.logs.file.is_some()
        {
            // On standard error it is told anyway.
            tracing::error!("{error:#}");
        }
        exit
    };
    runtime.block_on(work.instrument(logs::span()))
}

async fn from_file_to_results(
    path: &Path,
    only: Option<&[String]>,
    settings: &Settings,
) -> anyhow::Result<Exit> {
    let mut ledger: Box<dyn Ledger> = Box::new(Sqlite::open(&settings.ledger)?);
    let server = Server::open(settings.target.clone()).await?;
    let job = Job::open(path, only, settings, &server)?;
    let _hold = ledger.hold(&job.key)?;
    let begun = ledger.find(&job.key)?.filter(|run| !(settings.again && run.has_ended()));
    let opening = match begun {
        Some(run) => Opening::Begun(run),
        None => Opening::New(job.new_run(&server)?, job.survey()?),
    };
    logs::name(opening.id());
    if only.is_some() {
        foreign::refuse(&job.input, &server, &settings.rehearsal_ledger, ledger.as_mut())?;
    }
    let results =
        |ledger: &mut dyn Ledger| begin_results(&opening, &job, settings, &server, ledger);
    if let Opening::Begun(run) = &opening
        && run.has_ended()
    {
        let results = results(ledger.as_mut())?;
        let mut metrics = begin_metrics(&opening, settings)?;
        let rest = Rest { run: run.clone(), work: None, tripped: None };
        let exit = finish(&job, settings, rest, results, server, ledger, &mut metrics).await;
        return end_metrics(metrics, exit);
    }
    refuse_too_many(&opening, &job, settings)?;
    let last_start = last_start(&opening, settings)?;
    if !settings.yes && !server.is_rehearsal() {
        confirm::confirm(&question(&opening, &job, settings, &server), path)?;
    }
    let results = results(ledger.as_mut())?;
    let mut metrics = begin_metrics(&opening, settings)?;
    let exit = async {
        let caller = Calls::new(opening.id(), settings, &server)?;
        let fetched_at = Instant::now();
        let lifetime = caller
            .credentials
            .fetch()
            .await
            .context("cannot get the credentials that [auth] asks for")?;
        let resumed = opening.ended_before();
        let run = enrol(opening, &job, ledger.as_mut())?;
        let renewal = match caller.credentials.are_renewable() {
            true => Renewal::of(lifetime.map(|lasts| lasts.saturating_sub(fetched_at.elapsed()))),
            false => Renewal::never(),
        };
        let (attempts, began) = (run.attempts, Instant::now());
        let Finished { ledger, run, tripped, story } =
            send(&run, settings, caller, renewal, last_start, ledger, &mut metrics)
                .await
                .context(LedgerFailed)?;
        let margin =
            last_start.and_then(|last| last.duration_since(Timestamp::now()).try_into().ok());
        let (took, calls) = (began.elapsed(), run.attempts - attempts);
        let work = Work { took, calls, resumed, margin, story };
        let rest = Rest { run, work: Some(work), tripped };
        finish(&job, settings, rest, results, server, ledger, &mut metrics).await
    };
    let exit = exit.await;
    end_metrics(metrics, exit)
}

/// A run that was begun before, or one that is to be opened.
enum Opening {
    Begun(Run),
    New(NewRun, Survey),
}

impl Opening {
    fn id(&self) -> &str {
        match self {
            Opening::Begun(run) => run.id(),
            Opening::New(new, _) => &new.id,
        }
    }

    /// All rows.
    fn rows(&self) -> u64 {
        match self {
            Opening::Begun(run) => run.rows,
            Opening::New(_, survey) => survey.rows.into(),
        }
    }

    /// Rows that had ended, if it was begun before.
    fn ended_before(&self) -> Option<u64> {
        match self {
            Opening::Begun(run) => Some(run.counts.total()),
            Opening::New(..) => None,
        }
    }

    /// Rows that may still be sent.
    fn left(&self) -> u64 {
        match self {
            Opening::Begun(run) => run.rows - run.counts.total(),
            Opening::New(_, survey) => survey.to_send.into(),
        }
    }
}

fn begin_results(
    opening: &Opening,
    job: &Job,
    settings: &Settings,
    server: &Server,
    ledger: &mut dyn Ledger,
) -> anyhow::Result<ResultsFile> {
    let replace = if server.is_rehearsal() { Replace::AnyResults } else { Replace::OwnResults };
    let path: PathBuf =
        settings.results.clone().unwrap_or_else(|| job.results(server.is_rehearsal()));
    ResultsFile::begin(path, opening.id(), replace, ledger)
}

/// When the last call may start.
fn last_start(opening: &Opening, settings: &Settings) -> anyhow::Result<Option<Timestamp>> {
    let Some(cut_off) = &settings.cut_off else { return Ok(None) };
    let now = Timestamp::now();
    if let Opening::Begun(run) = opening
        && let Some(passed) = estimate::passed(cut_off, settings.timeout, run.opened.opened_at, now)
    {
        tracing::warn!(
            "the cut-off {cut_off} of this run has passed, and nothing more is sent: start it again {} after it, or give another --cut-off",
            lasting(estimate::SAME_NIGHT)
        );
        return Ok(Some(passed));
    }
    let last_start = estimate::last_start(cut_off, settings.timeout, now);
    match estimate::too_late(opening.left(), &settings.rates, last_start, now) {
        Some(why) if !settings.allow_partial => bail!(
            "{} rows cannot be sent before the cut-off {cut_off}: {why}; raise --rate if the contract allows it, or send what fits with --allow-partial",
            count(opening.left())
        ),
        Some(why) => {
            tracing::warn!("not all rows will be sent before the cut-off {cut_off}: {why}")
        }
        None => {}
    }
    Ok(Some(last_start))
}

/// The guard of runs that nobody is asked about.
fn refuse_too_many(opening: &Opening, job: &Job, settings: &Settings) -> anyhow::Result<()> {
    match estimate::too_many(opening.left(), settings.max_rows) {
        Some(why) => bail!(
            "{}: {why}: nothing was sent; see whether it is the file that was meant, or raise --max-rows",
            job.input.name()
        ),
        None => Ok(()),
    }
}

/// Writes the metrics for the first time: what cannot be written is told before
/// anything is sent.
fn begin_metrics(opening: &Opening, settings: &Settings) -> anyhow::Result<Metrics> {
    let (counts, attempts) = match opening {
        Opening::Begun(run) => (run.counts, run.attempts),
        Opening::New(..) => (Counts::default(), 0),
    };
    let figures = Figures {
        run: opening.id().to_owned(),
        profile: settings.profile.clone(),
        started_at: Timestamp::now(),
        rows: opening.rows(),
        counts,
        left: opening.rows() - counts.total(),
        attempts,
        in_flight: 0,
        waiting: 0,
        stop: None,
        ended: None,
    };
    Metrics::begin(settings.metrics.clone(), figures)
}

fn end_metrics(metrics: Metrics, exit: anyhow::Result<Exit>) -> anyhow::Result<Exit> {
    let code = exit.as_ref().map_or_else(exit_of, |exit| *exit);
    metrics.end(Timestamp::now(), code);
    exit
}

fn question(opening: &Opening, job: &Job, settings: &Settings, server: &Server) -> String {
    let orders = counted(opening.left(), "order", "orders");
    let name = job.input.name();
    let mut lines = vec![format!("About to cancel {orders} of {name} at {}", server.url)];
    lines.push(format!("  profile: {}", settings.profile.as_deref().unwrap_or("none")));
    lines.push(match settings.rates.is_unlimited() {
        true => "  pace: unlimited".to_owned(),
        false => {
            let time = lasting(settings.rates.time_for(opening.left()));
            format!("  pace: {}, {time}", settings.rates)
        }
    });
    lines.push(match &settings.cut_off {
        Some(cut_off) => format!("  cut-off: {cut_off}"),
        None => "  cut-off: none".to_owned(),
    });
    if let Opening::Begun(run) = opening {
        lines.push(format!("  going on with run {}, {} rows", run.id(), count(run.rows)));
    }
    lines.join("\n")
}

/// Records every row of a new run before anything is sent.
fn enrol(opening: Opening, job: &Job, ledger: &mut dyn Ledger) -> anyhow::Result<Run> {
    let (new, survey) = match opening {
        Opening::Begun(run) => return Ok(run),
        Opening::New(new, survey) => (new, survey),
    };
    let plan = job.plan.as_ref();
    let mut rows = enrolments(&job.input, &job.layout, &survey, plan)?;
    ledger.enrol(new, &mut rows, &survey.orders).map_err(|failed| match failed {
        EnrolError::Intake(cause) => cause.into(),
        EnrolError::Ledger(cause) => cause.into(),
    })
}

/// Turns the wheel until the run is at rest.
async fn send(
    run: &Run,
    settings: &Settings,
    caller: Calls,
    renewal: Renewal,
    last_start: Option<Timestamp>,
    mut ledger: Box<dyn Ledger>,
    metrics: &mut Metrics,
) -> anyhow::Result<Finished> {
    let (stop, stops) = mpsc::unbounded_channel();
    signals::listen(stop.clone()).context("cannot listen for signals")?;
    let start = Start {
        at: Timestamp::now(),
        cut_off: last_start,
        rates: settings.rates.to_string(),
        joins: false,
        again: settings.again,
        on_doubt: settings.on_doubt,
    };
    let begun = ledger.start(run, start)?;
    // The cut-off holds by the ledger's clock, which all that work on the run share.
    let last_start = last_start.map(|at| at.saturating_sub(begun.clock_ahead).unwrap_or(at));
    if let Some(most) = settings.limits.doubts_in_a_row
        && most < settings.concurrency
    {
        tracing::warn!(
            "--max-doubts-in-a-row {most} is below --concurrency {}: one stall of the server can stop the run",
            settings.concurrency
        );
    }
    let plan = Plan {
        concurrency: settings.concurrency,
        attempts: settings.attempts,
        on_doubt: settings.on_doubt,
        last_start,
        limits: settings.limits,
        max_outage: settings.max_outage,
        most_a_second: settings.rates.most_a_second(),
    };
    tracing::info!(
        "{} of {} rows to send to {}, {}",
        count(run.rows - run.counts.total()),
        count(run.rows),
        run.opened.endpoint,
        settings.rates
    );
    let (show, shown) = watch::channel(Snapshot { counts: run.counts, ..Snapshot::default() });
    let course = Course { rows: run.rows, before: run.counts.total(), last_start };
    let kept = tokio::spawn(metrics.clone().keep(shown.clone()).in_current_span());
    let last = shown.clone();
    let progress = progress::show(course, shown, settings.quiet);
    let progress = tokio::spawn(progress.in_current_span());
    let wheel = Wheel::new(plan, run.counts, begun).renewing(renewal);
    let pace = Pace::new(&settings.rates);
    let finished = drive(wheel, ledger, pace, caller, stops, show).await;
    // It ends with its sender, and a picture that failed is no reason to fail.
    let _ = tokio::join!(progress, kept);
    metrics.see(&last.borrow());
    finished
}

/// The calls of one run: the client, its credentials, and what its answers mean.
struct Calls {
    client: Client,
    credentials: Rc<Credentials>,
    codes: Codes,
}

impl Calls {
    fn new(run: &str, settings: &Settings, server: &Server) -> anyhow::Result<Calls> {
        let credentials = Rc::new(Credentials::new(&settings.auth, &settings.network)?);
        let reach = Reach {
            endpoint: server.url.clone(),
            timeout: settings.timeout,
            network: settings.network.clone(),
            credentials: Rc::clone(&credentials),
        };
        let client = Client::new(reach, settings.fields.clone(), run.to_owned())?;
        Ok(Calls { client, credentials, codes: settings.codes.clone() })
    }
}

impl Caller for Calls {
    async fn call(&self, staked: &Staked) -> Outcome {
        let outcome = classify(self.client.cancel(staked).await, &self.codes);
        if outcome.meaning != Meaning::Cancelled {
            let (row, attempt) = (staked.row().0, staked.attempt());
            tracing::debug!(
                row,
                attempt,
                "{:?}: {}: {}",
                outcome.meaning,
                outcome.error_code,
                outcome.message
            );
        }
        outcome
    }

    async fn renew(&self) -> Fetched {
        match self.credentials.fetch().await {
            Ok(lifetime) => {
                tracing::info!("the credentials are renewed");
                Fetched::Renewed(lifetime)
            }
            Err(why) => {
                tracing::warn!("cannot renew the credentials: {why}");
                Fetched::Failed
            }
        }
    }
}

/// A run that has come to rest, and what this process did for it.
struct Rest {
    run: Run,
    work: Option<Work>,
    tripped: Option<Tripped>,
}

/// Writes the results, says what happened, and gives the exit code.
async fn finish(
    job: &Job,
    settings: &Settings,
    rest: Rest,
    results: ResultsFile,
    server: Server,
    mut ledger: Box<dyn Ledger>,
    metrics: &mut Metrics,
) -> anyhow::Result<Exit> {
    let Rest { run, work, tripped } = rest;
    let run = &run;
    let source = Source { run, input: &job.input, layout: &job.layout, plan: job.plan.as_ref() };
    let results = results.write(&source, ledger.as_mut()).context(LedgerFailed)?;
    metrics.rest(run, &results.counts);
    let comparison = match server.stand_in {
        Some(stand_in) => Some(rehearsal::compare(stand_in, run, ledger.as_mut()).await?),
        None => None,
    };
    let summary = Summary { run, results: &results, work, tripped };
    tracing::info!("{}", summary.line());
    if settings.json {
        let mut json = summary.json();
        json["rehearsal"] = comparison.map_or(serde_json::Value::Null, |told| told.json());
        say::print(json);
    } else {
        say::print(summary.text().trim_end());
        if let Some(comparison) = comparison {
            say::print(comparison.text());
        }
    }
    Ok(Exit::of(run))
}
