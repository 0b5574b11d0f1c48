//! The closing summary: what happened, and what to do next.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::open_counts::OpenCounts;
use super::results::WrittenResults;
use super::{grouped, human_count, human_duration, per_second, plural, rows, stats_line};
use crate::engine::RunStats;
use crate::exit_code::{ExitCode, OkIf};
use crate::input::shown;
use crate::ledger::Run;
use crate::model::{Counts, ReasonCode, Status};
use crate::policy::stop_rules::StopReason;

/// The summary of a run that this process has finished or found ended.
pub struct Summary<'a> {
    /// The run.
    pub run: &'a Run,
    /// Its results.
    pub results: &'a WrittenResults,
    /// The rows that are in doubt in the results, and whose orders later runs or evidence have decided.
    pub settled: Counts,
    /// What this process did; nothing if the run had ended before.
    pub work: Option<WorkSummary>,
    /// Which stop rule ended it, if that stopped it.
    pub stop_reason: Option<StopReason>,
    /// The command that sends the open rows again.
    pub rerun: String,
    /// Whether the calls went to a simulator, which makes the results nobody else's.
    pub is_rehearsal: bool,
    /// How the program ends.
    pub exit: ExitCode,
    /// How it would end without `ok_if`.
    pub outcome: ExitCode,
    /// Which ends of the run exit with 0.
    pub ok_if: &'a OkIf,
    /// The seal of the run; `None` while other processes work on it.
    pub seal: Option<SealLine>,
    /// Why seals could not be handed on to what keeps them outside of the ledger.
    pub witness_error: Option<String>,
    /// What evidence decided in it, if it is the run of a `resolve`.
    pub resolution: Option<ResolutionSummary>,
}

/// What evidence decided in a run.
#[derive(Debug, Clone)]
pub struct ResolutionSummary {
    /// Each list, and what it decided, in words.
    pub evidence: Vec<String>,
    /// What was left as it is, and what to do about it, as sentences without a point.
    pub remarks: Vec<String>,
    /// Whether it had been recorded before.
    pub was_recorded: bool,
}

/// The seal of a run, by which a copy of the record can be held against the ledger.
#[derive(Debug, Clone)]
pub struct SealLine {
    /// Its number.
    pub number: u64,
    /// Its SHA-256, in hexadecimal.
    pub digest: String,
}

impl SealLine {
    /// The digest in groups of four, so that a person can read it out.
    fn text(&self) -> String {
        format!("Seal {}: {}", self.number, grouped(&self.digest))
    }
}

/// What this process did for the run.
#[derive(Debug, Clone, Copy)]
pub struct WorkSummary {
    /// How long it took.
    pub took: Duration,
    /// How many calls were claimed.
    pub calls: u64,
    /// How many rows had ended, if it went on with a run that was begun before.
    pub resumed: Option<u64>,
    /// How long before the last time at which a call may start it was done.
    pub margin: Option<Duration>,
    /// What happened on the way.
    pub stats: RunStats,
}

impl Summary<'_> {
    /// The summary for people.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n", self.headline());
        for (status, rows) in self.results.counts.iter() {
            let _ = writeln!(text, "  {:<17} {:>11}", status.as_str(), human_count(rows));
            let with_doubt = self.results.counts.rejected_with_doubt();
            if status == Status::Rejected && with_doubt > 0 {
                let _ = writeln!(text, "    {:<15} {:>11}", "with doubt", human_count(with_doubt));
            }
        }
        if let Some(resolution) = &self.resolution {
            resolution.evidence.iter().chain(&resolution.remarks).for_each(|line| {
                let _ = writeln!(text, "{line}");
            });
        }
        if let Some(work) = self.work.filter(|work| work.calls > 0) {
            let _ = writeln!(text, "{}", self.calls(&work));
        }
        if let Some(stats_line) = self.work.and_then(|work| stats_line::line(&work.stats)) {
            let _ = writeln!(text, "{stats_line}");
        }
        if let Some(pace) = &self.run.pace {
            let _ = writeln!(text, "{}", self.paced(pace));
        }
        let _ = writeln!(text, "Results: {}", shown(&self.results.path.display().to_string()));
        // A rehearsal is no record that anyone holds against its seal.
        if let Some(seal) = self.seal.as_ref().filter(|_| !self.is_rehearsal) {
            let _ = writeln!(text, "{}", seal.text());
        }
        if let Some(cause) = &self.witness_error {
            let _ = writeln!(
                text,
                "NOT WITNESSED: {}: the next start hands on the seals",
                shown(cause)
            );
        }
        self.next_steps().iter().for_each(|step| {
            let _ = writeln!(text, "{step}");
        });
        text
    }

    fn calls(&self, work: &WorkSummary) -> String {
        let calls = plural(work.calls, "call", "calls");
        let (took, rate) = (human_duration(work.took), per_second(work.calls, work.took));
        let mut line = format!("{calls} in {took}, {rate} a second");
        if let Some(before) = work.resumed.filter(|before| *before > 0) {
            let _ = write!(line, "; {} had ended before", rows(before));
        }
        if let Some(margin) = self.margin() {
            let _ = write!(line, "; {} to spare before the cut-off", human_duration(margin));
        }
        line
    }

    fn paced(&self, pace: &str) -> String {
        let (run, pace) = (shown(self.run.id()), shown(pace));
        if self.results.have_ended() {
            return format!("Held to {pace} at the end, by `cardcancel pace`");
        }
        format!(
            "Held to {pace}, by `cardcancel pace`, also when it resumes; then `cardcancel pace {run} restore` lifts that"
        )
    }

    /// `None` if the run stopped.
    fn margin(&self) -> Option<Duration> {
        self.work.and_then(|work| work.margin).filter(|_| self.results.have_ended())
    }

    /// How it went, in one line for the log.
    pub fn line(&self) -> String {
        let end = match &self.run.stop {
            Some(stop) => format!("stopped early: {} ({stop})", self.why(stop)),
            None if self.results.have_ended() => "ended".to_owned(),
            None => "not ended".to_owned(),
        };
        let (exit, counts) = (self.exit as u8, counts_text(&self.results.counts).join(", "));
        let tolerated = self.tolerated().map(|text| format!(" ({text})")).unwrap_or_default();
        format!("{end}; exit code {exit}{tolerated}: {counts}")
    }

    /// What the exit code hides, if it hides anything.
    fn tolerated(&self) -> Option<String> {
        let is_so = self.exit != self.outcome;
        is_so.then(|| format!("{} without --ok-if {}", self.outcome as u8, self.ok_if))
    }

    fn headline(&self) -> String {
        let run = self.run;
        let what =
            format!("Run {} of {}, {}", run.id(), shown(&run.opened.input_name), rows(run.rows));
        match (&run.stop, &self.work) {
            _ if self.resolution.as_ref().is_some_and(|resolution| resolution.was_recorded) => {
                format!("{what}: had been recorded before; its results are written again")
            }
            _ if self.resolution.is_some() => format!("{what}: recorded; nothing was sent"),
            (None, _) if !self.results.have_ended() => {
                format!("{what}: not ended; {} left", rows(self.results.left()))
            }
            (_, None) => format!("{what}: had ended before; nothing was sent"),
            (Some(stop), _) => format!("{what}: STOPPED EARLY: {} ({stop})", self.why(stop)),
            (None, Some(work)) if work.resumed.is_some() => format!("{what}: resumed and ended"),
            (None, Some(work)) if work.calls == 0 => format!("{what}: ended; no row needed a call"),
            (None, Some(_)) => format!("{what}: ended"),
        }
    }

    /// Why it stopped, as exactly as is known.
    fn why(&self, stop: &str) -> String {
        match &self.stop_reason {
            Some(stop_reason) => stop_reason.why.clone(),
            None => meaning(stop).to_owned(),
        }
    }

    fn next_steps(&self) -> Vec<String> {
        let of = |status| self.results.counts.get(status);
        let with_doubt = self.results.counts.rejected_with_doubt();
        let clear = of(Status::Rejected).saturating_sub(with_doubt);
        let settled = self.settled.in_doubt();
        let open = OpenCounts::of(&self.results.counts, &self.settled);
        let mut steps = Vec::new();
        if let Some(misnamed) = &self.results.misnamed {
            steps.push(format!("THE LEDGER OR THE INPUT IS WRONG: {misnamed}"));
        }
        if self.results.input_changed {
            steps.push(format!(
                "THE INPUT CHANGED while the run went on: the results are of {} as it was when the run began. Rows added since were not sent: run the file again for them, with another -o",
                shown(&self.run.opened.input_name)
            ));
        }
        if self.results.may_be_cut_short {
            steps.push(
                "THE FILE MAY BE CUT SHORT: its last line has no line end. That row was not sent, and rows after it may be missing: fetch the file again from its source, and run it".to_owned(),
            );
        }
        if !self.results.have_ended() {
            steps.push(self.how_to_go_on());
        } else {
            steps.extend(open.rerun_step(&self.rerun));
        }
        steps.extend(open.doubt_step());
        let mut step = |status: &str, number: u64, what: &str| {
            if number > 0 {
                steps.push(format!("{status}: {} {what}", rows(number)));
            }
        };
        step(
            "Settled since",
            settled,
            "in doubt here, whose orders later runs or evidence have decided; `cardcancel results --open` lists what is open now",
        );
        step("Rejected", clear, "(final; see error_code and message in the results)");
        step(
            "Invalid",
            of(Status::Invalid),
            "not sent: correct the orders in a new file, and run that",
        );
        if let Some(tolerated) = self.tolerated() {
            steps.push(format!("Exit code: {} ({tolerated})", self.exit as u8));
        }
        if steps.is_empty() {
            steps.push("Every order is cancelled; there is nothing left to do".to_owned());
        }
        steps
    }

    fn how_to_go_on(&self) -> String {
        let left = rows(self.results.left());
        if self.is_rehearsal {
            return format!(
                "Next: {left} did not end; a rehearsal is not resumed: start the same command again for a new one"
            );
        }
        let at_cut_off = self.run.stop == Some(ReasonCode::CutOff.to_string());
        if at_cut_off {
            format!(
                "Next: {left} did not end before the cut-off: start the same command again the next night, or sooner with the next --cut-off by its date"
            )
        } else {
            let first = self.run.stop.as_deref().and_then(remedy).unwrap_or_default();
            format!("Next: {left} did not end: {first}start the same command again to resume")
        }
    }

    /// The summary for programs.
    pub fn json(&self) -> Value {
        let run = self.run;
        let of = |status| self.results.counts.get(status);
        let counts: serde_json::Map<String, Value> =
            Status::ALL.into_iter().map(|s| (s.as_str().to_owned(), of(s).into())).collect();
        let mut json = json!({
            "version": 1,
            "run": run.id(),
            "input": run.opened.input_name,
            "input_sha256": run.opened.input_digest,
            "endpoint": run.opened.endpoint,
            "state": if self.results.have_ended() { "ended" } else { "stopped" },
            "stop": run.stop,
            "stop_reason": run.stop.as_deref().map(|stop| self.why(stop)),
            "exit_code": self.exit as u8,
            "exit_code_without_ok_if": self.outcome as u8,
            "input_changed": self.results.input_changed,
            "error": self.results.misnamed.as_ref().map(ToString::to_string),
            "rows": run.rows,
            "counts": counts,
            "may_be_cut_short": self.results.may_be_cut_short,
            "rejected_with_doubt": self.results.counts.rejected_with_doubt(),
            "rows_in_doubt": self.results.counts.in_doubt(),
            "rows_settled_since": self.settled.in_doubt(),
            "attempts": run.attempts,
            "pace": run.pace,
            "calls_this_start": self.work.map_or(0, |work| work.calls),
            "seconds_now": self.work.map_or(0.0, |work| work.took.as_secs_f64()),
            "resumed": self.work.is_some_and(|work| work.resumed.is_some()),
            "rows_before": self.work.and_then(|work| work.resumed).unwrap_or(0),
            "stats": self.work.map(|work| stats_line::json(&work.stats)),
            "cut_off_margin_seconds": self.margin().map(|margin| margin.as_secs_f64()),
            "opened_at": run.opened.opened_at.to_string(),
            "finished_at": run.finished_at.map(|at| at.to_string()),
            "results": self.results.path.display().to_string(),
            "seal": self.seal.as_ref().map(|seal| seal.number),
            "seal_sha256": self.seal.as_ref().map(|seal| &seal.digest),
            "witness_error": self.witness_error,
        });
        if let Some(resolution) = &self.resolution {
            json["evidence"] = resolution.evidence.as_slice().into();
            json["remarks"] = resolution.remarks.as_slice().into();
        }
        json
    }
}

/// How many rows stand how, each in words: "10 rejected (2 with doubt)".
pub fn counts_text(counts: &Counts) -> Vec<String> {
    let with_doubt = counts.rejected_with_doubt();
    let words = |(status, rows): (Status, u64)| match status {
        Status::Rejected if with_doubt > 0 => {
            format!("{} {status} ({} with doubt)", human_count(rows), human_count(with_doubt))
        }
        _ => format!("{} {status}", human_count(rows)),
    };
    counts.iter().map(words).collect()
}

/// Why a run stopped, in words.
pub fn reason(stop: &str) -> String {
    format!("{} ({stop})", meaning(stop))
}

/// What must be done before a run that stopped for this reason is started again.
fn remedy(stop: &str) -> Option<&'static str> {
    match ReasonCode::ALL.iter().find(|(code, _)| code.to_string() == stop)?.0 {
        ReasonCode::Credentials => {
            Some("correct the credentials ([auth] and its secrets, or those of the proxy), and ")
        }
        ReasonCode::Redirected => Some("correct --url, and "),
        ReasonCode::Certificate => Some(
            "renew the certificate, or set --ca-file (authorities to trust) or --client-cert-file (the client certificate), and ",
        ),
        ReasonCode::Refusals => Some("check --url and the request fields, and "),
        _ => None,
    }
}

fn meaning(stop: &str) -> &str {
    let known = ReasonCode::ALL.iter().find(|(code, _)| code.to_string() == stop);
    known.map_or("For a reason unknown to this version", |(_, meaning)| {
        meaning.trim_end_matches('.')
    })
}
