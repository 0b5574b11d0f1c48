//! `results`: the results of a run again, or every open row, from the ledger alone.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::json;

use super::error::LedgerFailed;
use super::open_rows::OpenRows;
use super::read_only::open_ledger;
use super::rerun_command::rerun_command;
use super::run_selection::refuse_forgotten;
use super::run_state::RunProgress;
use crate::cli::ResultsArgs;
use crate::config::{Env, RunsSettings};
use crate::exit_code::ExitCode;
use crate::input::{RowFilter, shown};
use crate::ledger::{Ledger, RowRecord, Run};
use crate::model::{Counts, ReasonCode};
use crate::output::new_file::NewFile;
use crate::output::open_counts::OpenCounts;
use crate::output::outcome_fields::code_and_message;
use crate::output::recorded_results::RecordedResults;
use crate::output::row_prefetch::for_each_row;
use crate::output::standard_output::StandardOutput;
use crate::output::summary::counts_text;
use crate::output::{console, rows};

/// Writes rows of the ledger as results.
///
/// # Errors
/// If there is no such run, a word of `--only` is unknown, or nothing can be written. A file that
/// could not be completed is not left.
pub fn results(args: ResultsArgs, env: &Env) -> anyhow::Result<ExitCode> {
    let ResultsArgs { run, open: _, only, options } = args;
    let path = options.get("results").map(PathBuf::from);
    let settings = RunsSettings::load(options, env)?;
    let mut ledgers = [open_ledger(&settings.ledger)?, open_ledger(&settings.ledger)?];
    let [ledger, _] = &mut ledgers;
    let source = match run {
        Some(id) => {
            let run = ledger.run(&id)?.with_context(|| {
                format!("no run {} in the ledger: `cardcancel runs` lists them", shown(&id))
            })?;
            refuse_forgotten(ledger.as_mut(), &run)?;
            RowSource::Run(Box::new(run))
        }
        None => RowSource::Open(OpenRows::at(ledger.as_mut(), settings.url.as_ref())?),
    };
    let filter = only.map(RowFilter::parse);
    let Some(path) = path else {
        let lines = ResultLines::begin(StandardOutput::lock(), &source, filter.as_ref())?;
        let written = lines.write(&mut ledgers, &source)?;
        written.remarks.iter().for_each(console::eprint_line);
        return Ok(ExitCode::Done);
    };
    let mut file = NewFile::create(&path)?;
    let lines = ResultLines::begin(file.file(), &source, filter.as_ref())?;
    let written = lines.write(&mut ledgers, &source)?;
    let is_empty = written.counts.total() == 0;
    let path = if is_empty { None } else { Some(file.publish().map_err(failed)?) };
    report(&settings, path.as_deref(), &written, &source);
    Ok(ExitCode::Done)
}

fn report(settings: &RunsSettings, path: Option<&Path>, written: &Written, source: &RowSource) {
    let Written { counts, remarks, .. } = written;
    let path = path.map(|path| path.display().to_string());
    if settings.json {
        let counts: BTreeMap<_, _> = counts
            .iter()
            .collect::<Vec<_>>()
            .into_iter()
            .map(|(status, rows)| (status.as_str(), rows))
            .collect();
        console::print_line(json!({
            "version": 1, "results": path, "rows": written.counts.total(), "counts": counts,
            "remarks": remarks,
        }));
        return;
    }
    match path {
        Some(path) => {
            let counts_text = counts_text(counts).join(", ");
            console::print_line(format_args!(
                "{}: {} ({counts_text})",
                shown(&path),
                rows(counts.total())
            ));
            remarks.iter().for_each(console::print_line);
            if let RowSource::Open(_) = source {
                let command = rerun_command(
                    Path::new(&path),
                    &settings.flags_to_repeat,
                    settings.is_rehearsal,
                );
                let open = OpenCounts::of(counts, &Counts::default());
                let steps = open.rerun_step(&command).into_iter().chain(open.doubt_step());
                steps.for_each(console::print_line);
            }
        }
        None => {
            remarks.iter().for_each(console::print_line);
            let none = match source {
                RowSource::Run(_) => "The run has no such row",
                RowSource::Open(_) => "No row is open",
            };
            console::print_line(format_args!("{none}: nothing was written"));
        }
    }
}

/// Whose rows are written.
enum RowSource {
    /// All rows of a run.
    Run(Box<Run>),
    /// The open rows of all runs at an address.
    Open(OpenRows),
}

/// What was written.
#[derive(Default)]
struct Written {
    counts: Counts,
    /// How many rows were not sent before their cut-off.
    after_cut_off: u64,
    /// How many rows have not ended.
    not_ended: u64,
    /// What to know about the rows, as sentences without a point.
    remarks: Vec<String>,
}

/// The lines that are being written.
struct ResultLines<'f, W: Write> {
    results: RecordedResults<W>,
    filter: Option<&'f RowFilter>,
    /// Codes of the filter that no row has had so far.
    unknown: Vec<&'f str>,
    /// The code of a row that the cut-off left.
    cut_off: String,
    written: Written,
}

impl<'f, W: Write> ResultLines<'f, W> {
    fn begin(to: W, source: &RowSource, filter: Option<&'f RowFilter>) -> anyhow::Result<Self> {
        let names_run = matches!(source, RowSource::Open(_));
        let results = RecordedResults::new(to, names_run).map_err(failed)?;
        let codes = filter.map(RowFilter::codes).unwrap_or_default().iter().map(String::as_str);
        // That no row has one of ours is an answer.
        let ours: Vec<String> = ReasonCode::ALL.iter().map(|(code, _)| code.to_string()).collect();
        let unknown = codes.filter(|code| !ours.iter().any(|ours| ours == code)).collect();
        let cut_off = ReasonCode::CutOff.to_string();
        Ok(ResultLines { results, filter, unknown, cut_off, written: Written::default() })
    }

    fn write(
        mut self,
        [ledger, lookups]: &mut [Box<dyn Ledger>; 2],
        source: &RowSource,
    ) -> anyhow::Result<Written> {
        let (ledger, lookups) = (ledger.as_mut(), lookups.as_mut());
        match source {
            RowSource::Run(run) => {
                let state = RunProgress::of(run, ledger)?;
                for_each_row(ledger, run, None, |row| self.line(row, run))?;
                self.written.remarks.extend(not_ended_remark(run, state, self.written.not_ended));
            }
            RowSource::Open(open) => {
                let remarks = open.read(ledger, lookups, &mut |row, run| self.line(row, run))?;
                self.written.remarks = remarks;
            }
        }
        if !self.unknown.is_empty() {
            bail!(
                "--only: no row has the status or error code {}: check the spelling",
                self.unknown
                    .iter()
                    .map(|word| format!("\"{}\"", shown(word)))
                    .collect::<Vec<_>>()
                    .join(" or ")
            );
        }
        if self.written.after_cut_off > 0 {
            self.written.remarks.push(format!(
                "{} not sent before the cut-off: by now the embosser may have printed what they order",
                were(self.written.after_cut_off)
            ));
        }
        self.results.finish().map_err(failed)?;
        Ok(self.written)
    }

    fn line(&mut self, row: &RowRecord, run: &Run) -> anyhow::Result<()> {
        let (code, _) = code_and_message(row, run);
        if let Some(filter) = self.filter {
            if !filter.matches(Some(row.status), row.doubt, code) {
                return Ok(());
            }
            self.unknown.retain(|word| *word != code);
        }
        self.written.counts.add_row(row.status, row.doubt);
        if code == self.cut_off {
            self.written.after_cut_off += 1;
        }
        self.written.not_ended += u64::from(!row.has_ended);
        self.results.line(row, run).map_err(failed)
    }
}

/// What to know about so many rows of a run that have not ended; `None` if there are none.
fn not_ended_remark(run: &Run, state: RunProgress, number: u64) -> Option<String> {
    if number == 0 {
        return None;
    }
    let (id, have) = (run.id(), if number == 1 { "has" } else { "have" });
    let rows = format!("{} {have} not ended yet", rows(number));
    Some(match state {
        RunProgress::Running | RunProgress::Ended => {
            format!("run {id} is in progress: {rows}; do not rerun this file while the run goes on")
        }
        RunProgress::Stopped => format!("run {id} stopped early: {rows}"),
        RunProgress::Died => format!("the process of run {id} died: {rows}"),
    })
}

fn were(number: u64) -> String {
    format!("{} {}", rows(number), if number == 1 { "was" } else { "were" })
}

/// The disk or the reader of standard output failed.
fn failed(cause: impl Into<anyhow::Error>) -> anyhow::Error {
    cause.into().context("the results cannot be written").context(LedgerFailed)
}
