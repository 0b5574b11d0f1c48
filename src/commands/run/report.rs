//! What is reported: the metrics during the run, the results and the summary after it.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use jiff::Timestamp;

use super::state::{Context, RunState};
use crate::audit::SealedRecords;
use crate::audit::seal::{SealedClock, SealedFile};
use crate::commands::error::{LedgerFailed, exit_code_of};
use crate::commands::logging::LOG_ONLY;
use crate::commands::rerun_command::rerun_command;
use crate::commands::settled_doubts::settled_doubts;
use crate::commands::{rehearsal, sealing, witnesses};
use crate::config::Settings;
use crate::exit_code::ExitCode;
use crate::ledger::{AttemptRecord, Ledger, LedgerLocation, RowRecord, Run};
use crate::model::Counts;
use crate::output::metrics::{MetricsFile, RunMetrics};
use crate::output::results::{Replace, ResultsFile, WrittenResults, is_replaceable};
use crate::output::results_writer::ResultsInput;
use crate::output::row_prefetch::RowObserver;
use crate::output::summary::{ResolutionSummary, SealLine, Summary, WorkSummary, counts_text};
use crate::output::{console, human_count, wrap};
use crate::policy::stop_rules::StopReason;

/// How many names for the results of a rerun are tried.
const MOST_NAMES: usize = 1000;

/// A run that this process has finished, and what it did for it.
pub struct FinishedRun {
    /// The run as it stands.
    pub run: Run,
    /// What this process did; `None` if the run had ended before.
    pub work: Option<WorkSummary>,
    /// Which stop rule stopped it, if one did.
    pub stop_reason: Option<StopReason>,
    /// What is known of the clock; nothing if the run had ended before.
    pub clock: SealedClock,
    /// What evidence decided in it, if it is the run of a `resolve`.
    pub resolution: Option<ResolutionSummary>,
}

/// Creates the results' temporary file, so that a path that cannot be written is reported before
/// anything is sent.
///
/// # Errors
/// When the results cannot be written.
pub fn create_results(
    context: &Context,
    state: &RunState,
    ledger: &mut dyn Ledger,
) -> anyhow::Result<ResultsFile> {
    let is_rehearsal = context.target.is_rehearsal();
    let replace = if is_rehearsal { Replace::AnyResults } else { Replace::OwnResults };
    let run = state.id();
    let (path, others) = match &context.settings.results {
        Some(path) => (path.clone(), Vec::new()),
        None => free_paths(context, run, replace, ledger)?,
    };
    ResultsFile::create(path, others, run, replace, ledger)
}

/// The first of the paths for results that no other run has taken, and those after it: several
/// reruns may be of one file, and another one may take it first.
fn free_paths(
    context: &Context,
    run: &str,
    replace: Replace,
    ledger: &mut dyn Ledger,
) -> anyhow::Result<(PathBuf, Vec<PathBuf>)> {
    let mut paths = context.input.default_results(context.target.is_rehearsal()).take(MOST_NAMES);
    let mut first = PathBuf::new();
    for path in paths.by_ref() {
        let is_free = fs::symlink_metadata(&path).is_err();
        first = path;
        if is_free || is_replaceable(&first, run, replace, ledger)? {
            break;
        }
    }
    Ok((first, paths.collect()))
}

/// Writes the metrics for the first time, so that a path that cannot be written is reported
/// before anything is sent.
///
/// # Errors
/// When the metrics cannot be written.
pub fn create_metrics(state: &RunState, settings: &Settings) -> anyhow::Result<MetricsFile> {
    let (counts, attempts) = match state {
        RunState::Existing(run) => (run.counts, run.attempts),
        RunState::New(..) => (Counts::default(), 0),
    };
    let metrics = RunMetrics {
        run: state.id().to_owned(),
        profile: settings.profile.clone(),
        started_at: Timestamp::now(),
        rows: state.rows(),
        counts,
        left: state.rows().saturating_sub(counts.total()),
        attempts,
        in_flight: 0,
        waiting: 0,
        pace: None,
        stop: None,
        ended: None,
    };
    MetricsFile::create(settings.metrics.clone(), metrics)
}

/// Writes the metrics for the last time, with the exit code.
///
/// # Errors
/// `exit` itself.
pub fn finalize_metrics(
    metrics: MetricsFile,
    exit: anyhow::Result<ExitCode>,
) -> anyhow::Result<ExitCode> {
    let code = exit.as_ref().map_or_else(exit_code_of, |exit| *exit);
    metrics.finalize(Timestamp::now(), code);
    exit
}

/// Writes the results and prints the summary. Returns the exit code.
///
/// # Errors
/// When the results cannot be written, or do not add up with the ledger's counts.
pub async fn finish(
    context: Context<'_>,
    finished: FinishedRun,
    results: ResultsFile,
    mut ledger: Box<dyn Ledger>,
    metrics: &mut MetricsFile,
) -> anyhow::Result<ExitCode> {
    let Context { settings, input, target } = context;
    let FinishedRun { run, work, stop_reason, clock, resolution } = finished;
    let run = &run;
    let source = ResultsInput {
        run,
        input: &input.input,
        columns: &input.columns,
        plan: input.plan.as_ref(),
    };
    if is_worked_on_elsewhere(run, settings, ledger.as_mut())? {
        tracing::warn!(
            "other processes continue this run: its results are written as they are now; start the same command again for all of them"
        );
    }
    let (results, records) =
        write_results(results, &source, settings, ledger.as_mut()).context(LedgerFailed)?;
    metrics.finish(run, &results);
    let miscount = miscount(run, &results, ledger.as_mut()).context(LedgerFailed)?;
    let wrong = miscount.or(results.misnamed.map(|misnamed| anyhow!("{misnamed}")));
    let seal = sealing::seal(ledger.as_mut(), run, sealed_file(&results), clock, records);
    let witness_error = witnesses::hand_on(&settings.seal, ledger.as_mut()).await;
    // What a run that is new has left cannot have ended since.
    let may_be_settled = work.is_none_or(|work| work.resumed.is_some());
    let settled = match results.counts.in_doubt() {
        1.. if may_be_settled => settled_doubts(run, ledger.as_mut()).context(LedgerFailed)?,
        _ => Counts::default(),
    };
    let is_rehearsal = target.is_rehearsal();
    let comparison = match target.simulator {
        Some(simulator) => Some(rehearsal::compare(simulator, run, ledger.as_mut()).await?),
        None => None,
    };
    let outcome = match (&wrong, ExitCode::for_run(&results.counts, results.have_ended())) {
        (Some(_), _) => ExitCode::LedgerFailed,
        // What came into the input since was not sent.
        (None, exit) if results.input_changed => exit.max(ExitCode::Stopped),
        (None, exit) => exit,
    };
    let is_tolerated = wrong.is_none()
        && !results.input_changed
        && settings.ok_if.accepts(&results.counts, results.have_ended(), run.stop.as_deref());
    let exit = if is_tolerated { ExitCode::Done } else { outcome };
    let seal = seal.map(|seal| SealLine { number: seal.number, digest: seal.digest });
    let summary = Summary {
        run,
        results: &results,
        settled,
        work,
        stop_reason,
        rerun: rerun_command(&results.path, &settings.flags_to_repeat, is_rehearsal),
        is_rehearsal,
        exit,
        outcome,
        ok_if: &settings.ok_if,
        seal,
        witness_error,
        resolution,
    };
    tracing::info!(target: LOG_ONLY, "{}", summary.line());
    if settings.json {
        let mut json = summary.json();
        json["error"] = wrong.as_ref().map(ToString::to_string).into();
        json["rehearsal"] = comparison.map_or(serde_json::Value::Null, |compared| compared.json());
        console::print_line(json);
    } else {
        console::print_line(wrap::for_stdout(summary.text().trim_end()));
        if let Some(comparison) = comparison {
            console::print_line(wrap::for_stdout(&comparison.text()));
        }
    }
    match wrong {
        Some(wrong) => Err(wrong).context(LedgerFailed),
        None => Ok(exit),
    }
}

/// Writes the results. Returns them, and the rows for the seal if no other process can change
/// them meanwhile.
fn write_results(
    results: ResultsFile,
    source: &ResultsInput<'_>,
    settings: &Settings,
    ledger: &mut dyn Ledger,
) -> anyhow::Result<(WrittenResults, Option<SealedRecords>)> {
    let mut records = match settings.ledger {
        LedgerLocation::Database(_) => None,
        // What cannot be read here is reported by the sealing.
        LedgerLocation::File(_) => SealedRecords::begin(ledger, source.run).unwrap_or_default(),
    };
    let mut add = records.as_mut().map(|records| {
        |row: &RowRecord, attempts: &[AttemptRecord]| records.add_row(row, attempts)
    });
    let observer: RowObserver<'_> = add.as_mut().map(|add| add as _);
    let written = results.write(source, ledger, observer)?;
    Ok((written, records))
}

/// The results file for the seal.
fn sealed_file(results: &WrittenResults) -> Option<SealedFile> {
    let name = results.path.file_name()?.to_string_lossy().into_owned();
    Some(SealedFile { digest: results.digest.parse().ok()?, name })
}

/// Whether other processes still work on the run.
fn is_worked_on_elsewhere(
    run: &Run,
    settings: &Settings,
    ledger: &mut dyn Ledger,
) -> anyhow::Result<bool> {
    let is_shared = matches!(settings.ledger, LedgerLocation::Database(_));
    Ok(is_shared && !run.has_ended() && ledger.is_locked(&run.opened.key).context(LedgerFailed)?)
}

/// How the results differ from what the ledger counted, if they do.
fn miscount(
    run: &Run,
    results: &WrittenResults,
    ledger: &mut dyn Ledger,
) -> anyhow::Result<Option<anyhow::Error>> {
    if results.ended == run.counts {
        return Ok(None);
    }
    // Other processes that work on the run may have ended rows since it was read.
    let now = ledger.run(run.id())?;
    if now.is_none_or(|now| now.counts != run.counts) {
        return Ok(None);
    }
    let shown = |counts: &Counts| {
        format!(
            "{} rows that ended ({})",
            human_count(counts.total()),
            counts_text(counts).join(", ")
        )
    };
    Ok(Some(anyhow!(
        "the results in {} hold {}, but the ledger counted {}: rely on the results, which are made from the record of each row; check whether the ledger was altered or damaged, and keep both",
        results.path.display(),
        shown(&results.ended),
        shown(&run.counts)
    )))
}
