//! `stop`: stops a run, on whatever machine it is.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::json;

use super::requests::{new_request, open_for_request, running};
use super::run_state::RunProgress;
use super::target::is_rehearsal;
use crate::cli::StopArgs;
use crate::config::{Env, RunsSettings};
use crate::exit_code::ExitCode;
use crate::input::shown;
use crate::ledger::{Ledger, RequestKind, Run};
use crate::model::ReasonCode;
use crate::output::summary::reason;
use crate::output::{console, human_count, rows};

/// How long a run is waited for. Calls in flight end within their time-out, which is seldom longer.
const WAIT: Duration = Duration::from_secs(120);
/// How often the ledger is asked meanwhile.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Asks the processes that work on a run to stop, and waits until they have.
///
/// # Errors
/// If there is no such run, no process works on it, or the request cannot be recorded.
pub fn stop(args: StopArgs, env: &Env) -> anyhow::Result<ExitCode> {
    let StopArgs { run: id, no_wait, options } = args;
    let settings = RunsSettings::load(options, env)?;
    let mut ledger = open_for_request(&settings)?;
    let again = |run: &Run| {
        let what = if is_rehearsal(run) { "a new rehearsal" } else { "it again" };
        format!("the command that started it starts {what}")
    };
    let run = running(ledger.as_mut(), &id, "there is nothing to stop", &again)?;
    let request = new_request(RequestKind::Stop, None, &settings);
    let number = ledger.add_request(&run, &request)?;
    if no_wait {
        report(&run, RunProgress::Running, number, &settings);
        return Ok(ExitCode::Done);
    }
    if !settings.json {
        console::eprint_line(format_args!(
            "run {} is asked to stop; waiting for its calls in flight",
            shown(&id)
        ));
    }
    let began = Instant::now();
    let mut last_start = newest_start(ledger.as_mut(), &run)?;
    loop {
        std::thread::sleep(POLL_INTERVAL);
        let now = ledger.run(&id)?.context("the run is gone from the ledger")?;
        let state = RunProgress::of(&now, ledger.as_mut())?;
        let has_stopped = state != RunProgress::Running;
        if has_stopped || began.elapsed() >= WAIT {
            report(&now, state, number, &settings);
            return Ok(if has_stopped { ExitCode::Done } else { ExitCode::Failures });
        }
        // A process that had locked the run and not started it yet has not seen the request.
        let newest = newest_start(ledger.as_mut(), &run)?;
        if std::mem::replace(&mut last_start, newest) != newest {
            ledger.add_request(&run, &request)?;
        }
    }
}

fn newest_start(ledger: &mut dyn Ledger, run: &Run) -> anyhow::Result<Option<i64>> {
    Ok(ledger.starts(run)?.last().map(|start| start.number))
}

fn report(run: &Run, state: RunProgress, number: i64, settings: &RunsSettings) {
    if settings.json {
        console::print_line(json!({
            "version": 1,
            "run": run.id(),
            "request": number,
            "state": state.word(),
            "stop": run.stop,
            "rows": run.rows,
            "rows_left": run.left(),
        }));
    } else {
        console::print_line(text(run, state));
    }
}

fn text(run: &Run, state: RunProgress) -> String {
    let id = shown(run.id());
    let ended = human_count(run.counts.total());
    let next_step = state.next_step(run);
    let of_all = format!("{ended} of {} have ended", rows(run.rows));
    match state {
        RunProgress::Running => format!(
            "Run {id} is asked to stop, and has not come to rest yet: {of_all}. \
             `cardcancel runs {id} --watch` shows it"
        ),
        RunProgress::Ended => format!("Run {id} ended before it could be stopped: {of_all}"),
        RunProgress::Died => format!(
            "Run {id} does not go on: its process died. {of_all}. \
             {next_step}"
        ),
        RunProgress::Stopped => {
            let stop = run.stop.as_deref().unwrap_or_default();
            let is_ours = stop == ReasonCode::StopRequested.to_string();
            let why = if is_ours { String::new() } else { format!(" ({})", shown(&reason(stop))) };
            format!(
                "Run {id} has stopped{why}: {of_all}, {} not sent. \
                 {next_step}",
                human_count(run.left())
            )
        }
    }
}
