//! The file that is run, how it is read, and the key by which the same command finds the
//! same run again.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::only_filter;
use super::target::Target;
use crate::config::{InputSettings, Settings};
use crate::hash::Digest;
use crate::input::rerun;
use crate::input::{self, ColumnMap, Input, InputSummary, ReadOptions, RerunPlan, RowFilter};
use crate::ledger::{LedgerLocation, NewRun};
use crate::process;

/// A file that is to be run. It is opened, and not yet read through.
pub struct RunInput {
    /// The file.
    pub input: Input,
    /// Where its columns are.
    pub columns: ColumnMap,
    /// Which rows are run again, if it is a results file.
    pub plan: Option<RerunPlan>,
    /// The same for the same command, file and endpoint.
    pub key: String,
    /// The command: `run`, `rerun` or `resolve`.
    command: &'static str,
    words: Vec<String>,
}

impl RunInput {
    /// Opens the file. `only` holds the words that select rows of a results file;
    /// none at all select those that are open.
    pub fn open(
        path: &Path,
        only: Option<&[String]>,
        settings: &Settings,
        target: &Target,
    ) -> anyhow::Result<RunInput> {
        let spool = spool(settings);
        let mut input = Input::open(path, &spool)?.keep(&spool)?;
        input.expect(&settings.input.expected, path)?;
        let columns = input.columns(&read_options(&settings.input))?;
        if only.is_none() && !settings.input.as_orders {
            rerun::refuse_results(&input, &columns)?;
        }
        let filter = only.map(|words| match words {
            [] => RowFilter::default(),
            words => RowFilter::parse(words),
        });
        let plan = filter.map(|only| RerunPlan::new(&input, &columns, only)).transpose()?;
        let mut words = only.unwrap_or_default().to_vec();
        words.sort();
        let key = key(&input, &columns, only.is_some(), &words, &target.name)?;
        let command = if plan.is_some() { "rerun" } else { "run" };
        Ok(RunInput { input, columns, plan, key, command, words })
    }

    /// A results file in which evidence ends doubts. `key_parts` identify the evidence, and the file
    /// unless it is made anew each time.
    ///
    /// # Errors
    /// If it is no results file.
    pub fn of_resolution(
        input: Input,
        key_parts: &[String],
        settings: &Settings,
        target: &Target,
    ) -> anyhow::Result<RunInput> {
        let options = ReadOptions { priority_column: None, ..read_options(&settings.input) };
        let columns = input.named_or_usual_columns(&options)?;
        let plan = RerunPlan::new(&input, &columns, RowFilter::parse(CAN_BE_RESOLVED))?;
        let key = RunInput::resolution_key(key_parts, settings, target);
        let plan = Some(plan);
        Ok(RunInput { input, columns, plan, key, command: "resolve", words: Vec::new() })
    }

    /// The key of the run in which this evidence ends doubts.
    pub fn resolution_key(key_parts: &[String], settings: &Settings, target: &Target) -> String {
        let InputSettings { delimiter, admin_column, sequence_column, .. } = &settings.input;
        let columns = [admin_column, sequence_column].map(|name| name.clone().unwrap_or_default());
        let delimiter = delimiter.map(|delimiter| delimiter.byte().to_string());
        let mut parts = vec!["resolve".to_owned(), target.name.clone()];
        parts.extend(columns);
        parts.push(delimiter.unwrap_or_default());
        parts.extend_from_slice(key_parts);
        Digest::new(parts.join("\n")).to_string()
    }

    /// Reads the file through: how many rows, which are duplicates, what is invalid.
    pub fn scan(&self) -> anyhow::Result<InputSummary> {
        Ok(input::scan(&self.input, &self.columns, self.plan.as_ref(), 0)?)
    }

    /// The same for a new run: words of --only that select no row are refused.
    pub fn scan_new(&self) -> anyhow::Result<InputSummary> {
        if let Some(plan) = &self.plan {
            only_filter::refuse_unknown(&self.words, &self.input, &self.columns, plan)?;
        }
        self.scan()
    }

    /// Whether the rows that are sent were named with --only.
    pub fn has_words(&self) -> bool {
        !self.words.is_empty()
    }

    /// A new run of the file, opened now.
    pub fn new_run(&self, target: &Target) -> anyhow::Result<NewRun> {
        let now = Timestamp::now();
        // Runs of other files, or on other hosts, may be opened in the same second.
        let salt = format!("{}{now:.9}{}", self.key, std::process::id());
        let salt = Digest::new(salt).to_string();
        Ok(NewRun {
            id: format!("{}-{}", now.strftime("%Y%m%d-%H%M%S"), &salt[..4]),
            key: self.key.clone(),
            command: self.command.to_owned(),
            input_name: self.input.name().to_owned(),
            input_digest: self.input.digest()?.to_string(),
            endpoint: target.name.clone(),
            program: process::PROGRAM.to_owned(),
            opened_at: now,
        })
    }

    /// The paths for the results if the user names none, the best first. Those of a run have one;
    /// reruns and resolutions are numbered, so that names do not grow, and several of one file do not
    /// collide.
    pub fn default_results(&self, rehearsal: bool) -> Box<dyn Iterator<Item = PathBuf> + '_> {
        let middle = if rehearsal { ".rehearsal" } else { "" };
        // A name that is easy to type has no blank.
        let stem = if self.input.name() == OPEN_ROWS { "open" } else { self.input.stem() };
        if self.plan.is_none() {
            let only = format!("{stem}{middle}.results.csv");
            return Box::new(std::iter::once(only.into()));
        }
        let step = if self.command == "resolve" { "resolved" } else { "rerun" };
        let (file, before) = before_steps(stem, step);
        let middle = if file.ends_with(middle) { "" } else { middle };
        let name = move |number: u64| format!("{file}{middle}.{step}-{number}.results.csv").into();
        Box::new((before.saturating_add(1)..).map(name))
    }
}

/// The name of the open rows of all runs where that of a file would be.
pub const OPEN_ROWS: &str = "open rows";

/// The statuses of rows whose orders may be in doubt.
const CAN_BE_RESOLVED: [&str; 4] = ["rejected", "failed", "in_doubt", "not_sent"];

/// The name of the file that was run first, and how many such steps the name of results counts:
/// `orders.rerun-2.results` is that of the second rerun of `orders`, and so is
/// `orders.rerun-2.resolved-1.results`.
fn before_steps<'s>(stem: &'s str, step: &str) -> (&'s str, u64) {
    let (mut file, mut steps) = (stem.strip_suffix(".results").unwrap_or(stem), 0);
    while let Some((before, last)) = file.rsplit_once('.')
        && let Some((word, number)) = last.split_once('-')
        && ["rerun", "resolved"].contains(&word)
        && let Ok(number) = number.parse::<u64>()
    {
        if word == step {
            steps = steps.max(number);
        }
        file = before;
    }
    (file, steps)
}

/// Where an input is put aside that can be read only once: beside the ledger, or
/// where it would be if it were a file.
pub fn spool(settings: &Settings) -> PathBuf {
    let beside = |path: &Path| path.parent().map(Path::to_owned);
    match (&settings.ledger, &settings.rehearsal_ledger) {
        (LedgerLocation::File(path), _) | (LedgerLocation::Database(_), Some(path)) => beside(path),
        (LedgerLocation::Database(_), None) => None,
    }
    .unwrap_or_else(std::env::temp_dir)
}

/// The options for reading the input.
pub fn read_options(input: &InputSettings) -> ReadOptions {
    ReadOptions {
        delimiter: input.delimiter.map(|delimiter| delimiter.byte()),
        admin_column: input.admin_column.clone(),
        sequence_column: input.sequence_column.clone(),
        priority_column: input.priority_column.clone(),
        exempt_admin_column: input.exempt_admin_column,
    }
}

/// What makes the same command on the same file and endpoint the same run.
pub fn key(
    input: &Input,
    columns: &ColumnMap,
    rerun: bool,
    words: &[String],
    endpoint: &str,
) -> anyhow::Result<String> {
    let parts = [
        input.digest()?.to_string(),
        if rerun { "rerun" } else { "run" }.to_owned(),
        words.join(","),
        endpoint.to_owned(),
        format!("{} {} {}", columns.delimiter(), columns.admin(), columns.sequence()),
        columns.priority().map_or(String::new(), |column| column.to_string()),
        columns.is_admin_exempt().to_string(),
        // Then the last row is another.
        (input.proof().is_some() && input.is_unfinished()?).to_string(),
    ];
    Ok(Digest::new(parts.join("\n")).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_results_counts_reruns_and_resolutions() {
        let reruns = |stem: &'static str| before_steps(stem, "rerun");
        assert_eq!(reruns("orders.results"), ("orders", 0));
        assert_eq!(reruns("orders.rerun-2.results"), ("orders", 2));
        assert_eq!(reruns("orders.rehearsal.results"), ("orders.rehearsal", 0));
        assert_eq!(reruns("open"), ("open", 0));
        assert_eq!(reruns("a.rerun-x.results"), ("a.rerun-x", 0));
        assert_eq!(reruns("orders.rerun-2.resolved-1.results"), ("orders", 2));
        assert_eq!(before_steps("orders.rerun-2.results", "resolved"), ("orders", 0));
    }
}
