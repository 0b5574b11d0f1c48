//! The closing summary: what happened, and what to do next.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::{count, lasting, per_second};
use crate::exit::Exit;
use crate::ledger::Run;
use crate::order::OwnCode;
use crate::outcome::Status;

/// What there is to say about a run that has come to rest.
pub struct Summary<'a> {
    /// The run.
    pub run: &'a Run,
    /// Its results.
    pub results: &'a Path,
    /// What this process did; nothing if the run had ended before.
    pub work: Option<Work>,
}

/// What this process did for the run.
#[derive(Debug, Clone, Copy)]
pub struct Work {
    /// How long it took.
    pub took: Duration,
    /// How many calls were staked.
    pub calls: u64,
    /// Whether it went on with a run that was begun before.
    pub resumed: bool,
}

impl Summary<'_> {
    /// The summary for people.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n", self.headline());
        for (status, rows) in self.statuses() {
            let _ = writeln!(text, "  {:<17} {:>11}", status.as_str(), count(rows));
        }
        if let Some(work) = &self.work {
            let (calls, rate) = (count(work.calls), per_second(work.calls, work.took));
            let _ = writeln!(text, "{calls} calls in {}, {rate} a second", lasting(work.took));
        }
        let _ = writeln!(text, "Results: {}", self.results.display());
        self.next_steps().iter().for_each(|step| {
            let _ = writeln!(text, "{step}");
        });
        text
    }

    fn headline(&self) -> String {
        let run = self.run;
        let rows = count(run.rows);
        let what = format!("Run {} of {}, {rows} rows", run.id(), run.opened.input_name);
        match (&run.stop, &self.work) {
            (_, None) => format!("{what}: had ended before; nothing was sent"),
            (Some(stop), _) => format!("{what}: STOPPED EARLY: {}", reason(stop)),
            (None, Some(work)) if work.resumed => format!("{what}: resumed and ended"),
            (None, Some(_)) => format!("{what}: ended"),
        }
    }

    /// Each status that occurs, rows that have not ended included.
    fn statuses(&self) -> Vec<(Status, u64)> {
        let mut counts = self.run.counts;
        counts.add(Status::NotSent, self.run.rows.saturating_sub(counts.total()));
        counts.iter().collect()
    }

    fn next_steps(&self) -> Vec<String> {
        let of = |status| self.run.counts.get(status);
        let results = self.results.display();
        let mut steps = Vec::new();
        if !self.run.has_ended() {
            let left = count(self.run.rows - self.run.counts.total());
            steps.push(format!(
                "Next: {left} rows have not ended; start the same command again to go on with them"
            ));
        } else if of(Status::Failed) + of(Status::InDoubt) + of(Status::NotSent) > 0 {
            steps.push(format!(
                "Next: try the rows that did not end once more with: cardcancel rerun {results}"
            ));
        }
        if of(Status::InDoubt) > 0 {
            let rows = count(of(Status::InDoubt));
            steps.push(format!("In doubt: {rows} rows may or may not be cancelled: look them up in CoreCARD, or rerun them"));
        }
        if of(Status::Rejected) > 0 {
            let rows = count(of(Status::Rejected));
            steps.push(format!(
                "Rejected: {rows} rows are final; error_code and message in the results say why"
            ));
        }
        if of(Status::Invalid) > 0 {
            let rows = count(of(Status::Invalid));
            steps.push(format!("Invalid: {rows} rows were not sent: correct them in a file of their own and run that"));
        }
        if steps.is_empty() {
            steps.push("Every order is cancelled; there is nothing left to do".to_owned());
        }
        steps
    }

    /// The summary for programs.
    pub fn json(&self) -> Value {
        let run = self.run;
        let counts: serde_json::Map<String, Value> = {
            let counts: std::collections::BTreeMap<_, _> = self.statuses().into_iter().collect();
            let of = |status| counts.get(&status).copied().unwrap_or(0);
            Status::ALL.into_iter().map(|s| (s.as_str().to_owned(), of(s).into())).collect()
        };
        json!({
            "run": run.id(),
            "input": run.opened.input_name,
            "input_sha256": run.opened.input_digest,
            "endpoint": run.opened.endpoint,
            "state": if run.has_ended() { "ended" } else { "stopped" },
            "stop": run.stop,
            "exit_code": Exit::of(run) as u8,
            "rows": run.rows,
            "counts": counts,
            "attempts": run.attempts,
            "calls_now": self.work.map_or(0, |work| work.calls),
            "seconds_now": self.work.map_or(0.0, |work| work.took.as_secs_f64()),
            "resumed": self.work.is_some_and(|work| work.resumed),
            "opened_at": run.opened.opened_at.to_string(),
            "rested_at": run.rested_at.map(|at| at.to_string()),
            "results": self.results.display().to_string(),
        })
    }
}

/// Why a run stopped, in words.
pub fn reason(stop: &str) -> String {
    let known = OwnCode::LIST.iter().find(|(code, _)| code.to_string() == stop);
    match known {
        Some((_, meaning)) => format!("{} ({stop})", meaning.trim_end_matches('.')),
        None => stop.to_owned(),
    }
}
