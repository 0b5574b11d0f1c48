//! What `runs RUN` shows beside the state of the run: its starts with who and why, the settings in
//! force, its results files, and the run whose results it sent again.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::start_report::{start_json, started_by};
use super::verify::forgotten_json;
use crate::audit::ForgottenRun;
use crate::config::changed_settings;
use crate::hash::Digest;
use crate::input::shown;
use crate::ledger::{EventRecord, Ledger, Run, SealHead, StartRecord};
use crate::output::summary::reason;

/// The record of a run beside its rows.
pub struct RunRecord {
    starts: Vec<StartRecord>,
    events: Vec<EventRecord>,
    /// The settings in force by their digest, as TOML.
    configurations: BTreeMap<String, String>,
    /// The results files: digest or mark, and path.
    results: Vec<(String, String)>,
    /// The runs that wrote the input.
    continues: Vec<String>,
    seals: Vec<SealHead>,
    /// Whether evidence ended doubts in it, and nothing was sent.
    is_resolution: bool,
    /// Where the rows are, if they are not in the ledger any more.
    forgotten: Option<ForgottenRun>,
}

impl RunRecord {
    /// Reads it from the ledger.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub fn read(ledger: &mut dyn Ledger, run: &Run) -> anyhow::Result<RunRecord> {
        let starts = ledger.starts(run)?;
        let mut configurations = BTreeMap::new();
        for digest in starts.iter().filter_map(|start| start.configuration.as_ref()) {
            if let Some(text) = ledger.configuration(digest)? {
                configurations.insert(digest.clone(), text);
            }
        }
        let mut continues = ledger.results_of(&run.opened.input_digest)?;
        continues.retain(|id| id != run.id());
        let mut seals = ledger.seal_heads()?;
        seals.retain(|seal| seal.run == run.id());
        Ok(RunRecord {
            starts,
            events: ledger.events(run)?,
            configurations,
            results: ledger.results_files(run)?,
            continues,
            seals,
            is_resolution: run.opened.command == "resolve",
            forgotten: ForgottenRun::read(ledger, run)?,
        })
    }

    /// The record for people.
    pub fn text(&self) -> String {
        let zone = TimeZone::system();
        let time = |at: Timestamp| at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z");
        let mut text = String::new();
        if let Some(forgotten) = &self.forgotten {
            let _ = writeln!(text, "Forgotten: {}", shown(&forgotten.to_string()));
        }
        for id in &self.continues {
            let _ = if self.is_resolution {
                writeln!(text, "Ends doubts in the results of run {}", shown(id))
            } else {
                writeln!(text, "Sends the results of run {} again", shown(id))
            };
        }
        for start in &self.starts {
            let _ = writeln!(
                text,
                "Start {}, {}: {}",
                start.number,
                time(start.started_at),
                shown(&started_by(start))
            );
            if let Some(rates) = start.rates.as_ref().filter(|rates| !rates.is_empty()) {
                let _ = writeln!(text, "  rate              {}", shown(rates));
            }
            if let Some(digest) = &start.configuration {
                let _ = writeln!(text, "  configuration     {}", shown(digest));
            }
            if let Some(at) = start.finished_at {
                let why = start.stop.as_deref().map_or("finished".to_owned(), reason);
                let _ = writeln!(text, "  {:<17} {}", time(at), shown(&why));
            }
        }
        for (mark, path) in self.results.iter().filter(|(mark, _)| is_digest(mark)) {
            let _ = writeln!(text, "Results {}\n  SHA-256           {}", shown(path), shown(mark));
        }
        for SealHead { number, digest, receipt_at, .. } in &self.seals {
            let _ = writeln!(text, "Seal {number}\n  SHA-256           {}", shown(digest));
            if let Some(at) = receipt_at {
                let _ = writeln!(text, "  receipt           {}", time(*at));
            }
        }
        let mut events = self.events.iter().filter(|event| !is_implied(event)).peekable();
        if events.peek().is_some() {
            text.push_str("Events\n");
        }
        for EventRecord { at, kind, detail, .. } in events {
            let _ = writeln!(text, "  {}  {} {}", time(*at), shown(kind), shown(detail));
        }
        for (digest, settings) in &self.configurations {
            let _ = writeln!(text, "Settings of configuration {}", shown(digest));
            for (name, value) in changed_settings(settings) {
                let _ = writeln!(text, "  {:<27} {}", shown(&name), shown(&value));
            }
        }
        text
    }

    /// Adds the record to the run's JSON object.
    pub fn add_to_json(&self, run: &mut Value) {
        let event = |event: &EventRecord| {
            json!({
                "at": event.at.to_string(),
                "kind": event.kind,
                "start": event.start,
                "detail": event.detail,
            })
        };
        let results = |(mark, path): &(String, String)| json!({ "path": path, "sha256": mark });
        run["starts"] = self.starts.iter().map(start_json).collect();
        run["events"] = self.events.iter().map(event).collect();
        run["configurations"] = json!(self.configurations);
        run["results"] =
            self.results.iter().filter(|(mark, _)| is_digest(mark)).map(results).collect();
        run["continues"] = json!(self.continues);
        run["forgotten"] = self.forgotten.as_ref().map(forgotten_json).into();
        let seal = |seal: &SealHead| {
            json!({
                "seal": seal.number,
                "sha256": seal.digest,
                "receipt_at": seal.receipt_at.map(|at| at.to_string()),
            })
        };
        run["seals"] = self.seals.iter().map(seal).collect();
    }
}

/// Whether the mark of a results file is its digest. The other marks identify a file by its place on
/// the disk.
fn is_digest(mark: &str) -> bool {
    mark.parse::<Digest>().is_ok()
}

/// Whether the starts, which are shown too, imply the event.
fn is_implied(event: &EventRecord) -> bool {
    matches!(event.kind.as_str(), "opened" | "started" | "stopped" | "finished")
}
