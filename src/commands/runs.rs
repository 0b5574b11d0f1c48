//! `runs`: what ran, what is running, how far it is.

use std::fmt::Write;

use anyhow::Context;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::read_only::open_ledger;
use super::run_record::RunRecord;
use crate::config::{Env, Layer, RunsSettings};
use crate::exit_code::ExitCode;
use crate::input::shown;
use crate::ledger::{Ledger, LedgerLocation, Run};
use crate::model::Status;
use crate::output::summary::reason;
use crate::output::{console, human_count};

/// Lists the runs of the ledger, or shows one.
pub fn runs(id: Option<&str>, options: Layer, env: &Env) -> anyhow::Result<ExitCode> {
    let settings = RunsSettings::load(options, env)?;
    let path = &settings.ledger;
    let mut ledger = open_ledger(path)?;
    match id {
        None => list(ledger.as_mut(), path, settings.json)?,
        Some(id) => {
            let run = ledger.run(id)?;
            let run = run.with_context(|| {
                format!("no run {id} in the ledger {path}: `cardcancel runs` lists them")
            })?;
            show(ledger.as_mut(), &run, settings.json)?;
        }
    }
    Ok(ExitCode::Done)
}

fn list(ledger: &mut dyn Ledger, path: &LedgerLocation, as_json: bool) -> anyhow::Result<()> {
    let mut lines = Vec::new();
    for run in ledger.runs()? {
        let state = State::new(&run, ledger)?;
        lines.push(if as_json {
            json(&run, state).to_string()
        } else {
            format!(
                "{:<21} {:<9} {:>11} of {:>11}  {}{}",
                shown(run.id()),
                state.word(),
                human_count(run.counts.total()),
                human_count(run.rows),
                shown(&run.opened.input_name),
                in_doubt(&run)
            )
        });
    }
    if let ([], LedgerLocation::File(path)) = (&lines[..], path) {
        let path = path.display();
        console::eprint_line(format_args!(
            "no run is recorded in the ledger {path}; if it is a copy, check whether {path}-wal was beside the original, and copy it too"
        ));
    }
    lines.iter().for_each(console::print_line);
    Ok(())
}

/// The note in the list for a run in which rows may or may not be cancelled.
fn in_doubt(run: &Run) -> String {
    match run.counts.in_doubt() {
        0 => String::new(),
        rows => format!("  ({} in doubt)", human_count(rows)),
    }
}

fn show(ledger: &mut dyn Ledger, run: &Run, as_json: bool) -> anyhow::Result<()> {
    let state = State::new(run, ledger)?;
    let record = RunRecord::read(ledger, run)?;
    if as_json {
        let mut json = json(run, state);
        record.add_to_json(&mut json);
        console::print_line(json);
    } else {
        let text = format!("{}{}{}", detail(run, state), record.text(), state.next_step());
        console::print_line(text.trim_end());
    }
    Ok(())
}

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Every row has ended.
    Ended,
    /// A process is working on it.
    Running,
    /// It stopped before its last row, and recorded why.
    Stopped,
    /// Its process died.
    Died,
}

impl State {
    fn new(run: &Run, ledger: &mut dyn Ledger) -> anyhow::Result<State> {
        Ok(match run {
            _ if run.has_ended() => State::Ended,
            _ if ledger.is_locked(&run.opened.key)? => State::Running,
            _ if run.finished_at.is_some() => State::Stopped,
            _ => State::Died,
        })
    }

    fn next_step(self) -> &'static str {
        match self {
            State::Died | State::Stopped => "Start the same command again to resume",
            State::Ended | State::Running => "",
        }
    }

    fn word(self) -> &'static str {
        match self {
            State::Ended => "ended",
            State::Running => "running",
            State::Stopped => "stopped",
            State::Died => "died",
        }
    }
}

fn detail(run: &Run, state: State) -> String {
    let zone = TimeZone::system();
    let time = |at: Timestamp| at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z");
    let mut text = format!("Run {}: {}\n", shown(run.id()), state.word());
    let mut line = |name: &str, value: String| {
        // Another machine may have stored it.
        let _ = writeln!(text, "  {name:<17} {}", shown(&value));
    };
    line("command", run.opened.command.clone());
    line("input", run.opened.input_name.clone());
    line("input SHA-256", run.opened.input_digest.clone());
    line("endpoint", run.opened.endpoint.clone());
    line("program", run.opened.program.clone());
    line("created", time(run.opened.opened_at).to_string());
    run.started_at.iter().for_each(|at| line("last started", time(*at).to_string()));
    run.cut_off.iter().for_each(|at| line("last call before", time(*at).to_string()));
    run.finished_at.iter().for_each(|at| line("finished", time(*at).to_string()));
    run.stop.iter().for_each(|stop| line("stopped", reason(stop)));
    line("rows", human_count(run.rows));
    for (status, rows) in run.counts.iter() {
        line(&format!("  {status}"), human_count(rows));
        let with_doubt = run.counts.rejected_with_doubt();
        if status == Status::Rejected && with_doubt > 0 {
            line("    with doubt", human_count(with_doubt));
        }
    }
    let left = run.rows.saturating_sub(run.counts.total());
    if left > 0 {
        line("  not ended", human_count(left));
    }
    line("calls", human_count(run.attempts));
    text
}

fn json(run: &Run, state: State) -> Value {
    let counts: serde_json::Map<String, Value> = Status::ALL
        .into_iter()
        .map(|status| (status.as_str().to_owned(), run.counts.get(status).into()))
        .collect();
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    json!({
        "run": run.id(),
        "state": state.word(),
        "command": run.opened.command,
        "input": run.opened.input_name,
        "input_sha256": run.opened.input_digest,
        "endpoint": run.opened.endpoint,
        "program": run.opened.program,
        "opened_at": run.opened.opened_at.to_string(),
        "started_at": time(run.started_at),
        "last_call_before": time(run.cut_off),
        "finished_at": time(run.finished_at),
        "stop": run.stop,
        "rows": run.rows,
        "counts": counts,
        "rejected_with_doubt": run.counts.rejected_with_doubt(),
        "rows_in_doubt": run.counts.in_doubt(),
        "attempts": run.attempts,
    })
}
