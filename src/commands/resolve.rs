//! `resolve`: ends doubt by evidence, as a run of its own that sends nothing.

mod ended_since;
mod open_input;
mod question;
mod resolution_plan;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use tracing::Instrument;

use super::confirm::{self, Question};
use super::error::LedgerFailed;
use super::provenance::refuse_foreign_results;
use super::run::report::{FinishedRun, create_metrics, create_results, finish};
use super::run::state::{Context, RunState};
use super::run_input::{RunInput, read_options, spool};
use super::target::Target;
use super::{logging, own_files, witnesses};
use crate::audit::seal::SealedClock;
use crate::cli::ResolveArgs;
use crate::config::{Env, Settings};
use crate::exit_code::ExitCode;
use crate::identity::Identity;
use crate::input::{Evidence, EvidenceKind, Input, InputError, InputSummary, settled_rows};
use crate::ledger::{
    EventKind, Ledger, LedgerLocation, NewEvent, Resolution, ResolutionError, Run, StartOptions,
};
use crate::model::{OnDoubt, RowNumber};
use crate::output::summary::ResolutionSummary;
use crate::output::{console, human_count};
use open_input::OpenInput;
use resolution_plan::ResolutionPlan;

/// How many orders a refusal names.
const ORDERS_NAMED: usize = 5;

/// Records what evidence shows of the orders in doubt of a results file, or of all open rows.
///
/// # Errors
/// When a file or the settings are refused, or the ledger fails.
pub fn resolve(args: ResolveArgs, env: &Env) -> anyhow::Result<ExitCode> {
    let ResolveArgs { results_file, open: _, cancelled, standing, options } = args;
    let settings = Settings::load_without_calls(options, env)?;
    let file = results_file.as_deref();
    own_files::refuse_clashes(
        &settings,
        file.unwrap_or(Path::new("-")),
        settings.results.as_deref(),
    )?;
    logging::init(&settings.logs)?;
    let lists = [(EvidenceKind::Cancelled, cancelled), (EvidenceKind::Standing, standing)];
    let lists = lists.into_iter().filter_map(|(kind, path)| Some((kind, path?))).collect();
    let request = Request { file, lists, settings: &settings };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let work = async {
        let exit = request.execute().await;
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

/// What was asked for.
struct Request<'a> {
    /// The results file; `None` for all open rows.
    file: Option<&'a Path>,
    /// The evidence.
    lists: Vec<(EvidenceKind, PathBuf)>,
    settings: &'a Settings,
}

impl<'a> Request<'a> {
    async fn execute(&self) -> anyhow::Result<ExitCode> {
        let settings = self.settings;
        let evidence = self.read_evidence()?;
        let mut ledger = LedgerLocation::open(&settings.ledger, settings.patience())?;
        let target = Target::open(settings.target.clone()).await?;
        let Some(input) = self.input(&evidence, &target, ledger.as_mut())? else {
            console::print_line("No row is open: there is nothing to resolve");
            return Ok(ExitCode::Done);
        };
        let context = Context { settings, input, target };
        if settings.results.is_none() {
            let results = context.input.default_results(false).next();
            let file = self.file.unwrap_or(Path::new("-"));
            own_files::refuse_clashes(settings, file, results.as_deref())?;
        }
        let _lock = ledger.lock_run(&context.input.key)?;
        let found = ledger.find_by_key(&context.input.key)?;
        let digest = context.input.input.digest()?.to_string();
        match found.filter(|run| run.opened.input_digest == digest) {
            Some(run) => self.report_again(run, context, ledger).await,
            None => self.record(context, &evidence, ledger).await,
        }
    }

    /// Reads the lists.
    ///
    /// # Errors
    /// If one is refused, or an order stands in both.
    fn read_evidence(&self) -> anyhow::Result<Vec<Evidence>> {
        let is_stdin = |path: &Path| path == Path::new("-");
        let paths = self.lists.iter().map(|(_, path)| path.as_path()).chain(self.file);
        if paths.filter(|path| is_stdin(path)).count() > 1 {
            bail!("standard input can be one file only: name a file for the others");
        }
        let (spool, options) = (spool(self.settings), read_options(&self.settings.input));
        let read =
            |(kind, path): &(EvidenceKind, PathBuf)| Evidence::read(*kind, path, &spool, &options);
        let evidence = self.lists.iter().map(read).collect::<Result<Vec<_>, InputError>>()?;
        if let [cancelled, standing] = &evidence[..] {
            refuse_contradiction(cancelled, standing)?;
        }
        Ok(evidence)
    }

    /// Opens the results file, or lists the open rows; `None` if no row is open.
    fn input(
        &self,
        evidence: &[Evidence],
        target: &Target,
        ledger: &mut dyn Ledger,
    ) -> anyhow::Result<Option<RunInput>> {
        let settings = self.settings;
        let mut parts: Vec<String> =
            evidence.iter().map(|list| format!("{} {}", list.kind.flag(), list.digest)).collect();
        let Some(path) = self.file else {
            let open = OpenInput { settings, target, key_parts: &parts };
            return open.read(ledger);
        };
        let spool = spool(settings);
        let mut input = Input::open(path, &spool)?.keep(&spool)?;
        input.expect(&settings.input.expected, path)?;
        parts.push(input.digest()?.to_string());
        Ok(Some(RunInput::of_resolution(input, &parts, settings, target)?))
    }

    /// Writes the results of a resolution that was recorded before, and reports it once more.
    async fn report_again(
        &self,
        run: Run,
        context: Context<'_>,
        mut ledger: Box<dyn Ledger>,
    ) -> anyhow::Result<ExitCode> {
        logging::set_run(run.id());
        let events = ledger.events(&run)?;
        let evidence = events
            .into_iter()
            .filter(|event| event.kind == EventKind::Resolved.as_str())
            .map(|event| event.detail)
            .collect();
        let resolution = ResolutionSummary { evidence, remarks: Vec::new(), was_recorded: true };
        let state = RunState::Existing(run.clone());
        let results = create_results(&context, &state, ledger.as_mut())?;
        write(context, &state, run, resolution, results, ledger).await
    }

    /// Records a new resolution.
    async fn record(
        &self,
        context: Context<'_>,
        evidence: &[Evidence],
        mut ledger: Box<dyn Ledger>,
    ) -> anyhow::Result<ExitCode> {
        let Context { settings, input, target } = &context;
        if self.file.is_some() {
            refuse_foreign_results(input, target, settings, ledger.as_mut())?;
        }
        let summary = input.scan()?;
        let file_run = self.file_run(&context, ledger.as_mut())?;
        let planned =
            ResolutionPlan::read(&context, &summary, evidence, file_run.as_ref(), ledger.as_mut())?;
        if planned.decided.is_empty() {
            return self.report_nothing(&context, &summary, &planned);
        }
        witnesses::prepare(&settings.seal, ledger.as_mut()).await?;
        if !settings.yes {
            let reads_input = self
                .lists
                .iter()
                .map(|(_, path)| path.as_path())
                .chain(self.file)
                .any(|path| path == Path::new("-"));
            let question = question::text(&context, evidence, &planned);
            confirm::confirm(Question::Record, &question, reads_input)?;
        }
        let new = input.new_run(target)?;
        logging::set_run(&new.id);
        let id = new.id.clone();
        let state = RunState::New(new.clone(), summary);
        let results = create_results(&context, &state, ledger.as_mut())?;
        let RunState::New(_, summary) = &state else { bail!("the run is not new") };
        let decided: Vec<String> = evidence
            .iter()
            .map(|list| question::describe(list, planned.decided_by(list.kind)))
            .collect();
        let run = create(&context, summary, evidence, &planned, (new, &decided), ledger.as_mut())?;
        input.input.begin();
        if run.id() != id {
            tracing::info!("another machine has just recorded the same as run {}", run.id());
        }
        let resolution = ResolutionSummary {
            evidence: decided,
            remarks: planned.remarks(),
            was_recorded: false,
        };
        write(context, &state, run, resolution, results, ledger).await
    }

    /// The last run at the address that wrote the results file, if it is known.
    fn file_run(&self, context: &Context, ledger: &mut dyn Ledger) -> anyhow::Result<Option<Run>> {
        if self.file.is_none() {
            return Ok(None);
        }
        let digest = context.input.input.digest()?.to_string();
        let mut last: Option<Run> = None;
        for id in ledger.results_of(&digest)? {
            let run = ledger.run(&id)?;
            let run = run.filter(|run| run.opened.endpoint == context.target.name);
            if let Some(run) = run
                && last.as_ref().is_none_or(|last| last.is_before(&run))
            {
                last = Some(run);
            }
        }
        Ok(last)
    }

    /// Reports that nothing is to be recorded. The exit code is that of the rows as they stand.
    fn report_nothing(
        &self,
        context: &Context,
        summary: &InputSummary,
        planned: &ResolutionPlan,
    ) -> anyhow::Result<ExitCode> {
        let counts = planned.counts(context, summary)?;
        let exit = ExitCode::for_run(&counts, true);
        let remarks = planned.remarks();
        if context.settings.json {
            console::print_line(serde_json::json!({
                "version": 1, "run": null, "state": "unchanged", "exit_code": exit as u8, "error": null,
                "evidence": [], "remarks": remarks,
            }));
        } else {
            console::print_line("No order in doubt stands in a list: nothing was recorded");
            remarks.iter().for_each(console::print_line);
        }
        Ok(exit)
    }
}

/// Refuses lists that contradict each other.
fn refuse_contradiction(cancelled: &Evidence, standing: &Evidence) -> anyhow::Result<()> {
    let common: Vec<_> = cancelled.common(standing).collect();
    if common.is_empty() {
        return Ok(());
    }
    let named = common.iter().take(ORDERS_NAMED).map(|(order, theirs, others)| {
        format!(
            "order {order} in row {theirs} of {} and row {others} of {}",
            cancelled.name, standing.name
        )
    });
    let named = named.collect::<Vec<_>>().join("; ");
    let more = match common.len().saturating_sub(ORDERS_NAMED) {
        0 => String::new(),
        more => format!("; and {} more", human_count(more as u64)),
    };
    bail!(
        "--cancelled and --standing contradict each other, so neither is evidence: {named}{more}; find out which is right, and correct the other"
    )
}

/// Creates the run, with what ended its doubts.
fn create(
    context: &Context,
    summary: &InputSummary,
    evidence: &[Evidence],
    planned: &ResolutionPlan,
    (new, decided): (crate::ledger::NewRun, &[String]),
    ledger: &mut dyn Ledger,
) -> anyhow::Result<Run> {
    let Context { settings, input, .. } = context;
    let plan = input.plan.as_ref().context("the input is no results file")?;
    let message = |kind: EvidenceKind, row: RowNumber| {
        let list = evidence.iter().find(|list| list.kind == kind);
        let name = list.map(|list| list.name.as_str()).unwrap_or_default();
        format!("{name}, row {row}")
    };
    let rows =
        settled_rows(&input.input, &input.columns, summary, plan, &planned.settlements, &message);
    let mut rows = rows?;
    let at = Timestamp::now();
    let events = decided
        .iter()
        .map(|detail| NewEvent { at, kind: EventKind::Resolved, detail: detail.clone() })
        .collect();
    let start = StartOptions {
        at,
        cut_off: None,
        rates: String::new(),
        joins: false,
        again: false,
        on_doubt: OnDoubt::Leave,
        by: Identity::of_this_process(),
        purpose: settings.purpose.clone(),
        configuration: settings.configuration.clone(),
    };
    let resolution = Resolution {
        new,
        rows: &mut rows,
        on_record: &planned.on_record,
        decided: &planned.decided,
        can_be_decided: &|order, standing| planned.can_be_decided(order, standing),
        doubts: &planned.doubts,
        start,
        events,
    };
    ledger.create_resolution(resolution).map_err(|failed| match failed {
        ResolutionError::Input(cause) => cause.into(),
        ResolutionError::Ledger(cause) => anyhow::Error::from(cause).context(LedgerFailed),
        changed @ ResolutionError::Changed(_) => changed.into(),
    })
}

/// Writes the results, seals the run and prints the summary.
async fn write(
    context: Context<'_>,
    state: &RunState,
    run: Run,
    resolution: ResolutionSummary,
    results: crate::output::results::ResultsFile,
    ledger: Box<dyn Ledger>,
) -> anyhow::Result<ExitCode> {
    context.input.input.begin();
    let mut metrics = create_metrics(state, context.settings)?;
    let finished = FinishedRun {
        run,
        work: None,
        stop_reason: None,
        clock: SealedClock::default(),
        resolution: Some(resolution),
    };
    finish(context, finished, results, ledger, &mut metrics).await
}
