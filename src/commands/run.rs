//! `run` and `rerun`: from a file to its results.

mod preflight;
pub(super) mod report;
pub(super) mod state;

use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use jiff::Timestamp;
use tracing::Instrument;

use super::caller::CoreCardCaller;
use super::column_report::ColumnReport;
use super::confirm::{self, Question};
use super::ended_doubts::end_doubts;
use super::error::LedgerFailed;
use super::provenance::refuse_foreign_results;
use super::run_input::RunInput;
use super::session::RunSession;
use super::shutdown::{self, ShutdownNotices};
use super::target::Target;
use super::{logging, own_files, rehearsal, witnesses};
use crate::audit::seal::SealedClock;
use crate::config::{Env, Layer, Settings, TargetSettings};
use crate::engine::RunOutcome;
use crate::exit_code::ExitCode;
use crate::ledger::{Ledger, LedgerLocation, Run};
use crate::output::console;
use crate::output::metrics::MetricsFile;
use crate::output::results::ResultsFile;
use crate::output::summary::WorkSummary;
use crate::process;
use preflight::Preflight;
use report::{FinishedRun, create_metrics, create_results, finalize_metrics, finish};
use state::{Context, RunState};

/// Runs a file of orders; where `only` is given, a results file again.
pub fn run(
    path: &Path,
    only: Option<&[String]>,
    options: Layer,
    env: &Env,
) -> anyhow::Result<ExitCode> {
    let settings = Settings::load(options, env)?;
    own_files::refuse_clashes(&settings, path, settings.results.as_deref())?;
    logging::init(&settings.logs)?;
    process::raise_fd_limit(settings.concurrency)?;
    // One thread decides; the calls and the ledger have their own.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let work = async {
        let exit = execute(path, only, &settings).await;
        if let Err(error) = &exit
            && settings.logs.file.is_some()
        {
            // On standard error it is reported anyway.
            tracing::error!("{error:#}");
        }
        exit
    };
    runtime.block_on(work.instrument(logging::span()))
}

/// From the settings to the exit code.
async fn execute(
    path: &Path,
    only: Option<&[String]>,
    settings: &Settings,
) -> anyhow::Result<ExitCode> {
    let open_ledger = match settings.target {
        TargetSettings::Rehearsal(_) => rehearsal::open_ledger,
        TargetSettings::CoreCard(_) => LedgerLocation::open,
    };
    let mut ledger = open_ledger(&settings.ledger, settings.patience())?;
    let mut context = open(path, only, settings, ledger.as_mut()).await?;
    end_doubts(&mut context.input, &context.target.name, ledger.as_mut())?;
    let _lock = ledger.lock_run(&context.input.key)?;
    let state = RunState::find(&context, ledger.as_mut())?;
    context.input.input.refuse_other_rows(state.rows())?;
    logging::set_run(state.id());
    state.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
    if let RunState::New(_, summary) = &state {
        refuse_foreign_results(&context.input, &context.target, settings, ledger.as_mut())?;
        // Invalid rows are reported by the results.
        if only.is_some() && summary.to_send == 0 && summary.invalid == 0 {
            report_nothing_to_do(&context);
            return Ok(ExitCode::Done);
        }
    }
    if let RunState::Existing(run) = &state
        && run.has_ended()
    {
        return report_again(run.clone(), context, &state, ledger).await;
    }
    let preflight = Preflight::check(&context, &state, ledger.as_mut())?;
    witnesses::prepare(&settings.seal, ledger.as_mut()).await?;
    let Context { input, target, .. } = &context;
    let column_report = ColumnReport::new(&input.input, &input.columns, only.is_some())?;
    if !settings.yes && !target.is_rehearsal() {
        let question = preflight.question(&context, &state, &column_report);
        confirm::confirm(Question::Send, &question, path == Path::new("-"))?;
    }
    tracing::info!(
        "{}: {column_report}; cut-off: {}",
        input.input.name(),
        preflight.cut_off_text(settings)
    );
    if let Some(known) = preflight.known_text() {
        tracing::info!("{known}");
    }
    let results = create_results(&context, &state, ledger.as_mut())?;
    let mut metrics = create_metrics(&state, settings)?;
    let exit = send_and_report(context, state, &preflight, results, ledger, &mut metrics).await;
    finalize_metrics(metrics, exit)
}

/// Reports that a rerun has no row to send: it writes nothing.
fn report_nothing_to_do(context: &Context<'_>) {
    let name = context.input.input.name();
    if context.settings.json {
        console::print_line(serde_json::json!({
            "version": 1, "run": null, "state": "nothing_to_do", "exit_code": ExitCode::Done as u8,
            "error": null,
        }));
    } else if context.input.has_words() {
        console::print_line(format_args!(
            "Nothing to do: no row of {name} is one of --only; nothing was written"
        ));
    } else {
        console::print_line(format_args!(
            "Nothing to do: no row of {name} is open; nothing was written"
        ));
    }
}

/// Opens the file and finds the target. Limits how much of a file that is too long is read.
async fn open<'s>(
    path: &Path,
    only: Option<&[String]>,
    settings: &'s Settings,
    ledger: &mut dyn Ledger,
) -> anyhow::Result<Context<'s>> {
    let target = Target::open(settings.target.clone()).await?;
    let mut input = RunInput::open(path, only, settings, &target)?;
    if let Some(most) = settings.max_rows {
        // Those that earlier runs had may be cancelled.
        let earlier = ledger.runs()?.iter().map(|run| run.rows).sum::<u64>();
        input.input.stop_after(most.saturating_add(earlier));
    }
    if settings.results.is_none() {
        let results = input.default_results(target.is_rehearsal()).next();
        own_files::refuse_clashes(settings, path, results.as_deref())?;
    }
    Ok(Context { settings, input, target })
}

/// Writes the results of a run that had ended before, and reports it once more.
async fn report_again(
    run: Run,
    context: Context<'_>,
    state: &RunState,
    mut ledger: Box<dyn Ledger>,
) -> anyhow::Result<ExitCode> {
    context.input.input.begin();
    let results = create_results(&context, state, ledger.as_mut())?;
    let mut metrics = create_metrics(state, context.settings)?;
    let finished = FinishedRun {
        run,
        work: None,
        stop_reason: None,
        clock: SealedClock::default(),
        resolution: None,
    };
    let exit = finish(context, finished, results, ledger, &mut metrics).await;
    finalize_metrics(metrics, exit)
}

/// Creates the run if it is new, sends its rows until it is finished, and reports it.
async fn send_and_report(
    context: Context<'_>,
    state: RunState,
    preflight: &Preflight,
    results: ResultsFile,
    mut ledger: Box<dyn Ledger>,
    metrics: &mut MetricsFile,
) -> anyhow::Result<ExitCode> {
    let Context { settings, input, target } = &context;
    let id = state.id().to_owned();
    let mut caller = CoreCardCaller::prepare(&id, settings, &target.url).await?;
    let resumed = state.ended_before();
    let run = state.create(input, ledger.as_mut())?;
    input.input.begin();
    if run.id() != id {
        tracing::info!("another machine has just created run {} of this file", run.id());
        caller = CoreCardCaller::prepare(run.id(), settings, &target.url).await?;
        metrics.set_run_id(run.id());
    }
    let began = Instant::now();
    let notices =
        if target.is_rehearsal() { ShutdownNotices::REHEARSAL } else { ShutdownNotices::RUN };
    let session = RunSession {
        settings,
        rates: &settings.rates,
        last_start: preflight.last_start,
        joins: false,
        cancelled: preflight.known.cancelled,
        caller,
        shutdown: shutdown::listen(notices).context("cannot listen for signals")?,
        metrics: Some(metrics),
    };
    let (outcome, clock) = session.send(&run, ledger).await.context(LedgerFailed)?;
    let RunOutcome { ledger, run, stop_reason, stats, calls, .. } = outcome;
    let until_last_start = |last: Timestamp| last.duration_since(Timestamp::now()).try_into().ok();
    let margin = preflight.last_start.and_then(until_last_start);
    let work = WorkSummary { took: began.elapsed(), calls, resumed, margin, stats };
    let finished = FinishedRun { run, work: Some(work), stop_reason, clock, resolution: None };
    finish(context, finished, results, ledger, metrics).await
}
