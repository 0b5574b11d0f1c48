//! `runs`: what ran, what is running, how far it is.

use std::fmt::Write;

use anyhow::Context;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::read_only::open_ledger;
use super::run_list::{self, RunList, RunListEntry, WantedRuns};
use super::run_record::RunRecord;
use super::run_state::RunProgress;
use super::run_watch::{self, PrintRun};
use crate::cli::RunsArgs;
use crate::config::{Env, RunsSettings};
use crate::exit_code::ExitCode;
use crate::input::shown;
use crate::ledger::{Ledger, LedgerLocation, Run};
use crate::model::Status;
use crate::output::summary::reason;
use crate::output::{console, human_count, wrap};

/// Lists the runs of the ledger, or shows one.
///
/// # Errors
/// If there is no ledger, it cannot be read, or it does not have the run.
pub fn runs(args: RunsArgs, env: &Env) -> anyhow::Result<ExitCode> {
    let RunsArgs { run, since, limit, open, watch, options } = args;
    let settings = RunsSettings::load(options, env)?;
    let path = &settings.ledger;
    let [mut ledger, mut lookups] = [open_ledger(path)?, open_ledger(path)?];
    match run.as_deref() {
        None => {
            let wanted = WantedRuns { since, limit, open };
            let listed = run_list::read(ledger.as_mut(), lookups.as_mut(), &wanted)?;
            print_list(&listed, path, open, settings.json);
        }
        Some(id) => {
            let run = ledger.run(id)?;
            let run = run.with_context(|| {
                format!("no run {id} in the ledger {path}: `cardcancel runs` lists them")
            })?;
            let mut print = |run: Run, ledger: &mut dyn Ledger| {
                let record = RunRecord::read(ledger, &run)?;
                let entry = run_list::entry(run, ledger, lookups.as_mut())?;
                show(&entry, &record, settings.json);
                Ok(())
            };
            let run = if watch {
                let print = settings.json.then_some(&mut print as PrintRun<'_>);
                run_watch::watch(run, ledger.as_mut(), print)?
            } else {
                run
            };
            print(run, ledger.as_mut())?;
        }
    }
    Ok(ExitCode::Done)
}

fn print_list(listed: &RunList, path: &LedgerLocation, only_open: bool, as_json: bool) {
    if as_json {
        listed.runs.iter().map(entry_json).for_each(console::print_line);
        return;
    }
    if let (0, LedgerLocation::File(path)) = (listed.recorded, path) {
        let path = path.display();
        console::eprint_line(format_args!(
            "no run is recorded in the ledger {path}; if it is a copy, check whether {path}-wal was beside the original, and copy it too"
        ));
    } else if listed.runs.is_empty() {
        console::eprint_line(if only_open {
            "no run has open rows, of those that were asked for"
        } else {
            "no run is listed: leave out --since or --limit for others"
        });
    } else {
        console::print_line(listed.table(wrap::stdout_columns()).trim_end());
    }
}

fn show(entry: &RunListEntry, record: &RunRecord, as_json: bool) {
    let RunListEntry { run, state, .. } = entry;
    let next_step = if run.forgotten_at.is_some() { "" } else { state.next_step(run) };
    if as_json {
        let mut json = entry_json(entry);
        record.add_to_json(&mut json);
        console::print_line(json);
    } else {
        let text = format!("{}{}{}", detail(run, *state), record.text(), next_step);
        console::print_line(text.trim_end());
    }
}

fn entry_json(entry: &RunListEntry) -> Value {
    let mut json = json(&entry.run, entry.state);
    entry.add_to_json(&mut json);
    json
}

fn detail(run: &Run, state: RunProgress) -> String {
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
    run.forgotten_at.iter().for_each(|at| line("forgotten", time(*at).to_string()));
    if let Some(pace) = &run.pace {
        let own = run.rates.as_deref().unwrap_or("unknown");
        line("held to", format!("{pace} by `cardcancel pace`; its own rate is {own}"));
    }
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

fn json(run: &Run, state: RunProgress) -> Value {
    let counts: serde_json::Map<String, Value> = Status::ALL
        .into_iter()
        .map(|status| (status.as_str().to_owned(), run.counts.get(status).into()))
        .collect();
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    json!({
        "version": 1,
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
        "forgotten_at": time(run.forgotten_at),
        "rates": run.rates,
        "pace": run.pace,
        "rows": run.rows,
        "counts": counts,
        "rejected_with_doubt": run.counts.rejected_with_doubt(),
        "rows_in_doubt": run.counts.in_doubt(),
        "attempts": run.attempts,
    })
}
