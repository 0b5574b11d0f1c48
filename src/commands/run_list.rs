//! The list of runs: one line for each, newest first.

use std::collections::HashMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::open_rows::LatestRows;
use super::run_state::RunProgress;
use super::run_table::{RunCells, run_table};
use crate::exit_code::ExitCode;
use crate::input::shown;
use crate::ledger::{Ledger, Run, StartRecord};
use crate::model::{Counts, Status};
use crate::output::human_count;

/// Which runs are listed.
pub struct WantedRuns {
    /// Those created on or after this day, in UTC.
    pub since: Option<Date>,
    /// At most so many.
    pub limit: Option<usize>,
    /// Only those with open rows.
    pub open: bool,
}

/// The runs that are listed.
pub struct RunList {
    /// Newest first.
    pub runs: Vec<RunListEntry>,
    /// How many runs the ledger has.
    pub recorded: usize,
}

/// A run with what the list shows of it.
pub struct RunListEntry {
    /// The run.
    pub run: Run,
    /// Whether it is worked on.
    pub state: RunProgress,
    /// Its last start.
    start: Option<StartRecord>,
    /// The profile of its last start.
    profile: String,
    /// The open rows that tell how their orders stand: each order counts with one run.
    pub open: Counts,
}

/// Reads the list. `lookups` is the same ledger, opened once more.
///
/// # Errors
/// If the ledger cannot be read.
pub fn read(
    ledger: &mut dyn Ledger,
    lookups: &mut dyn Ledger,
    wanted: &WantedRuns,
) -> anyhow::Result<RunList> {
    let from = wanted.since.map(|day| day.to_zoned(TimeZone::UTC)).transpose()?;
    let from = from.map(|midnight| midnight.timestamp());
    let recorded = ledger.runs()?;
    let mut list = RunList { runs: Vec::new(), recorded: recorded.len() };
    let mut reader = EntryReader::default();
    for run in recorded {
        let is_full = wanted.limit.is_some_and(|limit| list.runs.len() >= limit);
        // The ledger has the newest first.
        if is_full || from.is_some_and(|from| run.opened.opened_at < from) {
            break;
        }
        let entry = reader.entry(run, ledger, lookups)?;
        if !wanted.open || entry.open.total() > 0 {
            list.runs.push(entry);
        }
    }
    Ok(list)
}

/// What the list shows of one run. `lookups` is the same ledger, opened once more.
///
/// # Errors
/// If the ledger cannot be read.
pub fn entry(
    run: Run,
    ledger: &mut dyn Ledger,
    lookups: &mut dyn Ledger,
) -> anyhow::Result<RunListEntry> {
    EntryReader::default().entry(run, ledger, lookups)
}

/// Reads what is shown of runs, from the newest to the oldest.
#[derive(Default)]
struct EntryReader {
    latest: LatestRows,
    profiles: Profiles,
}

impl EntryReader {
    fn entry(
        &mut self,
        run: Run,
        ledger: &mut dyn Ledger,
        lookups: &mut dyn Ledger,
    ) -> anyhow::Result<RunListEntry> {
        let mut open = Counts::default();
        if may_have_open_rows(&run) {
            self.latest.of_run(&run, ledger, lookups, &mut |row, _| {
                open.add_row(row.status, row.doubt);
                Ok(())
            })?;
        }
        let state = RunProgress::of(&run, ledger)?;
        let start = ledger.starts(&run)?.pop();
        let profile = self.profiles.of(ledger, start.as_ref())?;
        Ok(RunListEntry { run, state, start, profile, open })
    }
}

fn may_have_open_rows(run: &Run) -> bool {
    if run.forgotten_at.is_some() {
        return false;
    }
    let open = [Status::Failed, Status::InDoubt, Status::NotSent];
    let has_open = open.into_iter().any(|status| run.counts.get(status) > 0);
    has_open || run.counts.rejected_with_doubt() > 0 || !run.has_ended()
}

/// The profiles of configurations, by digest: many runs have the same one.
#[derive(Default)]
struct Profiles(HashMap<String, String>);

impl Profiles {
    fn of(
        &mut self,
        ledger: &mut dyn Ledger,
        start: Option<&StartRecord>,
    ) -> anyhow::Result<String> {
        let Some(digest) = start.and_then(|start| start.configuration.as_ref()) else {
            return Ok(String::new());
        };
        if let Some(known) = self.0.get(digest) {
            return Ok(known.clone());
        }
        let text = ledger.configuration(digest)?.unwrap_or_default();
        let table: toml::Table = toml::from_str(&text).unwrap_or_default();
        let profile = table.get("profile").and_then(|profile| profile.as_str());
        let profile = profile.unwrap_or_default().to_owned();
        self.0.insert(digest.clone(), profile.clone());
        Ok(profile)
    }
}

impl RunListEntry {
    /// The user who started it last.
    fn user(&self) -> &str {
        let by = self.start.as_ref().and_then(|start| start.by.as_ref());
        by.map(|by| by.user.as_str()).unwrap_or_default()
    }

    /// The exit code that its results have; `None` while it is worked on, and if its process died.
    fn exit_code(&self) -> Option<u8> {
        self.is_over().then(|| ExitCode::for_run(&self.run.counts, self.run.has_ended()) as u8)
    }

    fn is_over(&self) -> bool {
        matches!(self.state, RunProgress::Ended | RunProgress::Stopped)
    }

    /// Whether it left rows open, and all of them have ended in later runs.
    fn is_settled(&self) -> bool {
        self.is_over() && self.open.total() == 0 && may_have_open_rows(&self.run)
    }

    /// The state, and the pace to which a run in progress is held.
    fn state_text(&self) -> String {
        let word = match self.run.forgotten_at {
            Some(_) => "forgotten",
            None if self.is_settled() => "settled",
            None => self.state.word(),
        };
        match &self.run.pace {
            Some(pace) if self.state == RunProgress::Running => format!("{word}, {}", shown(pace)),
            _ => word.to_owned(),
        }
    }

    /// Adds what the list shows to the JSON of the run.
    pub fn add_to_json(&self, json: &mut Value) {
        json["user"] = self.user().into();
        json["profile"] =
            if self.profile.is_empty() { Value::Null } else { self.profile.as_str().into() };
        json["open_rows"] = self.open.total().into();
        json["exit_code"] = self.exit_code().into();
    }

    fn cells(&self) -> RunCells {
        let run = &self.run;
        let started = run.started_at.unwrap_or(run.opened.opened_at);
        let started = started.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M");
        let rows = if run.has_ended() {
            human_count(run.rows)
        } else {
            format!("{} of {}", human_count(run.counts.total()), human_count(run.rows))
        };
        [
            shown(run.id()),
            started.to_string(),
            shown(self.user()),
            shown(&self.profile),
            self.state_text(),
            rows,
            human_count(self.open.total()),
            self.exit_code().map(|code| code.to_string()).unwrap_or_default(),
            shown(&run.opened.input_name),
        ]
    }
}

impl RunList {
    /// The list as a table with headings, in at most this many columns if that can be.
    pub fn table(&self, columns: Option<usize>) -> String {
        run_table(self.runs.iter().map(RunListEntry::cells).collect(), columns)
    }
}
