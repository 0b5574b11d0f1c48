//! `run` and `rerun`: from a file to its results.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, anyhow, bail};
use jiff::Timestamp;
use tracing::Instrument;

use super::caller::Calls;
use super::column_report::Taken;
use super::run_input::Job;
use super::session::Sending;
use super::target::Server;
use super::{
    LedgerFailed, confirm, estimate, exit_of, known_orders, logging, own_files, provenance,
    rehearsal, shutdown,
};
use crate::config::{Env, Options, Settings};
use crate::engine::RunOutcome;
use crate::exit_code::ExitCode;
use crate::input::{InputSummary, Warning, planned_rows};
use crate::ledger::{CreateRunError, KnownOrders, Ledger, Location, NewRun, Run};
use crate::model::Counts;
use crate::output::metrics::{MetricsFile, RunMetrics};
use crate::output::results::{Replace, ResultsFile, WrittenResults};
use crate::output::results_writer::ResultsInput;
use crate::output::summary::{Summary, WorkSummary, counts_text};
use crate::output::{console, human_count, human_duration, plural, rows};
use crate::policy::cut_off::Due;
use crate::policy::stop_rules::StopReason;
use crate::process;

/// Runs a file of orders; where `only` is given, a results file again.
pub fn run(
    path: &Path,
    only: Option<&[String]>,
    options: Options,
    env: &Env,
) -> anyhow::Result<ExitCode> {
    let settings = Settings::load(options, env)?;
    own_files::refuse_clashes(&settings, path, settings.results.as_deref())?;
    logging::begin(&settings.logs)?;
    process::raise_fd_limit(settings.concurrency)?;
    // One thread decides; the calls and the ledger have their own.
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
    runtime.block_on(work.instrument(logging::span()))
}

async fn from_file_to_results(
    path: &Path,
    only: Option<&[String]>,
    settings: &Settings,
) -> anyhow::Result<ExitCode> {
    let mut ledger = settings.ledger.open(settings.patience())?;
    let server = Server::open(settings.target.clone()).await?;
    let mut job = Job::open(path, only, settings, &server)?;
    if let Some(most) = settings.max_rows {
        // Those that earlier runs had may be cancelled.
        let earlier = ledger.runs()?.iter().map(|run| run.rows).sum::<u64>();
        job.input.stop_after(most.saturating_add(earlier));
    }
    if settings.results.is_none() {
        let results = job.results(server.is_rehearsal());
        own_files::refuse_clashes(settings, path, Some(&results))?;
    }
    let _lock = ledger.lock_run(&job.key)?;
    let begun = ledger.find(&job.key)?.filter(|run| !(settings.again && run.has_ended()));
    let opening = match begun {
        Some(run) => Opening::Begun(run),
        None => Opening::New(job.new_run(&server)?, job.survey()?),
    };
    job.input.refuse_other_rows(opening.rows())?;
    logging::name(opening.id());
    opening.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
    if let (Opening::New(..), Some(plan)) = (&opening, &job.plan) {
        provenance::Results { job: &job, plan, server: &server, settings }
            .refuse(ledger.as_mut())?;
    }
    let results =
        |ledger: &mut dyn Ledger| begin_results(&opening, &job, settings, &server, ledger);
    if let Opening::Begun(run) = &opening
        && run.has_ended()
    {
        job.input.begin();
        let results = results(ledger.as_mut())?;
        let mut metrics = begin_metrics(&opening, settings)?;
        let rest = Rest { run: run.clone(), work: None, stop_reason: None };
        let exit = finish(&job, settings, rest, results, server, ledger, &mut metrics).await;
        return end_metrics(metrics, exit);
    }
    refuse_another_pace(&opening, &job, settings, ledger.as_mut())?;
    let now = Timestamp::now();
    refuse_outside_of_the_window(settings, now)?;
    let known = known_orders(&opening, &job, settings, &server, ledger.as_mut())?;
    let left = opening.left().saturating_sub(known.cancelled);
    refuse_too_many(left, &job, settings)?;
    let cut_off = tonights(&opening, left, settings, now)?;
    let last_start = cut_off.map(|cut_off| estimate::last_start(cut_off, settings.timeout));
    let taken = Taken::of(&job.input, &job.layout, only.is_some())?;
    if !settings.yes && !server.is_rehearsal() {
        let opening = &opening;
        let question = Question { opening, left, known, job: &job, settings, server: &server };
        confirm::confirm(&question.text(&taken, cut_off, now), path)?;
    }
    tracing::info!(
        "{}: {taken}; cut-off: {}",
        job.input.name(),
        cut_off_text(settings, cut_off, now)
    );
    if let Some(known) = known_orders::in_words(known, left) {
        tracing::info!("{known}");
    }
    let results = results(ledger.as_mut())?;
    let mut metrics = begin_metrics(&opening, settings)?;
    let exit = async {
        let id = opening.id().to_owned();
        let mut calls = Calls::prepare(&id, settings, &server.url).await?;
        let resumed = opening.ended_before();
        let run = create_run(opening, &job, ledger.as_mut())?;
        job.input.begin();
        if run.id() != id {
            tracing::info!("another machine has just opened run {} of this file", run.id());
            calls = Calls::prepare(run.id(), settings, &server.url).await?;
            metrics.set_run_id(run.id());
        }
        let began = Instant::now();
        let told = shutdown::listen().context("cannot listen for signals")?;
        let (rates, metrics) = (&settings.rates, Some(&mut metrics));
        let sending = Sending {
            settings,
            rates,
            last_start,
            joins: false,
            cancelled: known.cancelled,
            calls,
            told,
            metrics: metrics,
        };
        let finished = sending.send(&run, ledger).await.context(LedgerFailed)?;
        let RunOutcome { ledger, run, stop_reason, stats, calls, .. } = finished;
        let margin =
            last_start.and_then(|last| last.duration_since(Timestamp::now()).try_into().ok());
        let work = WorkSummary { took: began.elapsed(), calls, resumed, margin, stats };
        let rest = Rest { run, work: Some(work), stop_reason };
        finish(&job, settings, rest, results, server, ledger, &mut metrics).await
    };
    let exit = exit.await;
    end_metrics(metrics, exit)
}

/// A run that was begun before, or one that is to be opened.
enum Opening {
    Begun(Run),
    New(NewRun, InputSummary),
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

    /// When it was opened, if it was begun before.
    fn opened_at(&self) -> Option<Timestamp> {
        match self {
            Opening::Begun(run) => Some(run.opened.opened_at),
            Opening::New(..) => None,
        }
    }

    /// What makes the file look as if it did not hold the orders that were meant.
    fn warnings(&self) -> &[Warning] {
        match self {
            Opening::Begun(_) => &[],
            Opening::New(_, survey) => &survey.warnings,
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
            Opening::Begun(run) => run.left(),
            Opening::New(_, survey) => survey.to_send.into(),
        }
    }
}

/// What other runs know of the orders that are still to be sent.
fn known_orders(
    opening: &Opening,
    job: &Job,
    settings: &Settings,
    server: &Server,
    ledger: &mut dyn Ledger,
) -> anyhow::Result<KnownOrders> {
    if settings.again || server.is_rehearsal() {
        return Ok(KnownOrders::default());
    }
    Ok(match opening {
        Opening::New(_, survey) => ledger.known_orders(&server.name, None, &survey.orders)?,
        Opening::Begun(run) => {
            let is_another =
                |other: &Run| other.id() != run.id() && other.opened.endpoint == server.name;
            match ledger.runs()?.iter().any(is_another) {
                // The file is read through for this alone.
                true => ledger.known_orders(&server.name, Some(run), &job.read()?.orders)?,
                false => KnownOrders::default(),
            }
        }
    })
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
    ResultsFile::create(path, opening.id(), replace, ledger)
}

/// Nothing is started outside of the hours that are set for that.
fn refuse_outside_of_the_window(settings: &Settings, now: Timestamp) -> anyhow::Result<()> {
    match &settings.start_window {
        Some(window) if !window.contains(now) => bail!(
            "nothing was sent: a run may be started from {window} only, and it is {}; the hours begin again at {}; --start-window off starts it now",
            estimate::clock(now, window.zone()),
            estimate::on_the_clock(window.opens(now), window.zone(), now)
        ),
        _ => Ok(()),
    }
}

/// The cut-off that holds for this start.
fn tonights(
    opening: &Opening,
    left: u64,
    settings: &Settings,
    now: Timestamp,
) -> anyhow::Result<Option<Timestamp>> {
    let Some(cut_off) = &settings.cut_off else { return Ok(None) };
    let at = match estimate::due(cut_off, settings.timeout, opening.opened_at(), now) {
        Due::Ahead(at) => at,
        Due::Passed(at) => {
            let why = estimate::has_passed(cut_off, at, now);
            match opening {
                Opening::New(..) => bail!("nothing was sent: {why}"),
                // Its results are still written.
                Opening::Begun(_) => tracing::warn!("nothing more is sent: {why}"),
            }
            return Ok(Some(at));
        }
    };
    let when = estimate::on_the_clock(at, cut_off.zone(), now);
    let last_start = estimate::last_start(at, settings.timeout);
    match estimate::too_late(left, &settings.rates, last_start, now) {
        Some(why) if !settings.allow_partial => bail!(
            "{} cannot be sent before the cut-off {when}: {why}; raise --rate if the contract allows it, or send what fits with --allow-partial",
            rows(left)
        ),
        Some(why) => {
            tracing::warn!("not all rows will be sent before the cut-off {when}: {why}")
        }
        None => {}
    }
    Ok(Some(at))
}

/// All who work on a run keep to one pace.
fn refuse_another_pace(
    opening: &Opening,
    job: &Job,
    settings: &Settings,
    ledger: &mut dyn Ledger,
) -> anyhow::Result<()> {
    let Opening::Begun(run) = opening else { return Ok(()) };
    let rates = settings.rates.to_string();
    match &run.rates {
        Some(theirs) if *theirs != rates && ledger.is_locked(&job.key)? => bail!(
            "others work on run {} at {theirs}, and --rate says {rates}: give the same, or stop the others first",
            run.id()
        ),
        _ => Ok(()),
    }
}

/// The guard of runs that nobody is asked about.
fn refuse_too_many(left: u64, job: &Job, settings: &Settings) -> anyhow::Result<()> {
    match estimate::too_many(left, settings.max_rows) {
        Some(why) => bail!(
            "{}: {why}: nothing was sent; see whether it is the file that was meant, or raise --max-rows",
            job.input.name()
        ),
        None => Ok(()),
    }
}

/// Writes the metrics for the first time: what cannot be written is told before
/// anything is sent.
fn begin_metrics(opening: &Opening, settings: &Settings) -> anyhow::Result<MetricsFile> {
    let (counts, attempts) = match opening {
        Opening::Begun(run) => (run.counts, run.attempts),
        Opening::New(..) => (Counts::default(), 0),
    };
    let metrics = RunMetrics {
        run: opening.id().to_owned(),
        profile: settings.profile.clone(),
        started_at: Timestamp::now(),
        rows: opening.rows(),
        counts,
        left: opening.rows().saturating_sub(counts.total()),
        attempts,
        in_flight: 0,
        waiting: 0,
        stop: None,
        ended: None,
    };
    MetricsFile::create(settings.metrics.clone(), metrics)
}

fn end_metrics(metrics: MetricsFile, exit: anyhow::Result<ExitCode>) -> anyhow::Result<ExitCode> {
    let code = exit.as_ref().map_or_else(exit_of, |exit| *exit);
    metrics.finalize(Timestamp::now(), code);
    exit
}

/// What is asked before anything is sent.
struct Question<'a> {
    opening: &'a Opening,
    left: u64,
    known: KnownOrders,
    job: &'a Job,
    settings: &'a Settings,
    server: &'a Server,
}

impl Question<'_> {
    fn text(&self, taken: &Taken, cut_off: Option<Timestamp>, now: Timestamp) -> String {
        let Question { opening, left, known, job, settings, server } = self;
        let orders = plural(*left, "order", "orders");
        let name = job.input.name();
        let mut lines = vec![format!("About to cancel {orders} of {name} at {}", server.url)];
        let mut line = |what: &str, value: &str| lines.push(format!("  {what}: {value}"));
        line("profile", settings.profile.as_deref().unwrap_or("none"));
        line("ledger", &settings.ledger.to_string());
        line("columns", &taken.columns());
        line("first order", &taken.first_order());
        if let Some(replaced) = taken.replaced() {
            line("not carried over", &replaced);
        }
        if let Some(known) = known_orders::in_words(*known, *left) {
            line("earlier runs", &known);
        }
        match settings.rates.is_unlimited() {
            true => line("pace", "unlimited"),
            false => {
                let time = human_duration(settings.rates.time_for(*left));
                line("pace", &format!("{}, {time}", settings.rates));
            }
        }
        line("cut-off", &cut_off_text(settings, cut_off, now));
        if let Opening::Begun(run) = opening {
            lines.push(format!("  going on with run {}, {} rows", run.id(), human_count(run.rows)));
        }
        lines.extend(opening.warnings().iter().map(|warning| format!("WARNING: {warning}")));
        lines.join("\n")
    }
}

/// The cut-off that holds, for people.
fn cut_off_text(settings: &Settings, cut_off: Option<Timestamp>, now: Timestamp) -> String {
    match (&settings.cut_off, cut_off) {
        (Some(cut_off), Some(at)) => estimate::on_the_clock(at, cut_off.zone(), now),
        _ => "none".to_owned(),
    }
}

/// Records every row of a new run before anything is sent.
fn create_run(opening: Opening, job: &Job, ledger: &mut dyn Ledger) -> anyhow::Result<Run> {
    let (new, survey) = match opening {
        Opening::Begun(run) => return Ok(run),
        Opening::New(new, survey) => (new, survey),
    };
    let plan = job.plan.as_ref();
    let mut rows = planned_rows(&job.input, &job.layout, &survey, plan)?;
    ledger.create_run(new, &mut rows, &survey.orders).map_err(|failed| match failed {
        CreateRunError::Input(cause) => cause.into(),
        CreateRunError::Ledger(cause) => cause.into(),
    })
}

/// A run that has come to rest, and what this process did for it.
struct Rest {
    run: Run,
    work: Option<WorkSummary>,
    stop_reason: Option<StopReason>,
}

/// Whether a run that came to rest here is still worked on.
fn others_go_on(run: &Run, settings: &Settings, ledger: &mut dyn Ledger) -> anyhow::Result<bool> {
    let is_shared = matches!(settings.ledger, Location::Database(_));
    Ok(is_shared && !run.has_ended() && ledger.is_locked(&run.opened.key).context(LedgerFailed)?)
}

/// Writes the results, says what happened, and gives the exit code.
async fn finish(
    job: &Job,
    settings: &Settings,
    rest: Rest,
    results: ResultsFile,
    server: Server,
    mut ledger: Box<dyn Ledger>,
    metrics: &mut MetricsFile,
) -> anyhow::Result<ExitCode> {
    let Rest { run, work, stop_reason } = rest;
    let run = &run;
    let source =
        ResultsInput { run, input: &job.input, layout: &job.layout, plan: job.plan.as_ref() };
    if others_go_on(run, settings, ledger.as_mut())? {
        tracing::warn!(
            "others go on with this run: its results are written as they are now; start the same command again for all of them"
        );
    }
    let results = results.write(&source, ledger.as_mut()).context(LedgerFailed)?;
    metrics.finish(run, &results);
    let miscount = miscounted(run, &results, ledger.as_mut()).context(LedgerFailed)?;
    let wrong = miscount.or(results.misnamed.map(|misnamed| anyhow!("{misnamed}")));
    let is_rehearsal = server.is_rehearsal();
    let comparison = match server.simulator {
        Some(simulator) => Some(rehearsal::compare(simulator, run, ledger.as_mut()).await?),
        None => None,
    };
    let exit = match (&wrong, ExitCode::for_run(&results.counts, results.have_ended())) {
        (Some(_), _) => ExitCode::LedgerFailed,
        // What came into the input since was not sent.
        (None, exit) if results.input_changed => exit.max(ExitCode::Stopped),
        (None, _) if run.attempts == 0 && job.selects_nothing()? => {
            tracing::info!("no row has a status of --only: the results are those that there were");
            ExitCode::Done
        }
        (None, exit) => exit,
    };
    let summary = Summary { run, results: &results, work, stop_reason, is_rehearsal, exit };
    tracing::info!("{}", summary.line());
    if settings.json {
        let mut json = summary.json();
        json["error"] = wrong.as_ref().map(ToString::to_string).into();
        json["rehearsal"] = comparison.map_or(serde_json::Value::Null, |told| told.json());
        console::print_line(json);
    } else {
        console::print_line(summary.text().trim_end());
        if let Some(comparison) = comparison {
            console::print_line(comparison.text());
        }
    }
    match wrong {
        Some(wrong) => Err(wrong).context(LedgerFailed),
        None => Ok(exit),
    }
}

/// How what the results hold differs from what the ledger counted, if it does.
fn miscounted(
    run: &Run,
    results: &WrittenResults,
    ledger: &mut dyn Ledger,
) -> anyhow::Result<Option<anyhow::Error>> {
    if results.ended == run.counts {
        return Ok(None);
    }
    // Others that work on the run may have ended rows since it was looked at; then the
    // next look is for them.
    let now = ledger.run(run.id())?;
    if now.is_none_or(|now| now.counts != run.counts) {
        return Ok(None);
    }
    let told = |counts: &Counts| {
        format!(
            "{} rows that ended ({})",
            human_count(counts.total()),
            counts_text(counts).join(", ")
        )
    };
    Ok(Some(anyhow!(
        "the results in {} hold {}, and the ledger counted {}: the results are made of what it recorded of each row, and are those to go by; see whether the ledger was altered or damaged, and keep both",
        results.path.display(),
        told(&results.ended),
        told(&run.counts)
    )))
}
