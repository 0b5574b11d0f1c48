//! `pace`: lowers the rate of a run in progress, or restores it, for all machines.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::json;

use super::requests::{new_request, open_for_request, pace_name, request_prefix, running};
use super::run_state::RunProgress;
use super::target::is_rehearsal;
use crate::cli::PaceArgs;
use crate::config::{Env, RunsSettings};
use crate::exit_code::ExitCode;
use crate::input::shown;
use crate::ledger::{EventKind, Ledger, RequestKind, Run};
use crate::output::console;
use crate::policy::pace::Pace;
use crate::policy::rate::Rates;

/// How long to wait until a process records that it keeps the pace.
const WAIT: Duration = Duration::from_secs(10);
/// How often the ledger is asked meanwhile.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Asks the processes that work on a run to keep a lower rate, or the run's own again, and waits
/// until one of them does.
///
/// # Errors
/// If there is no such run, no process works on it, the pace is above the rate that it was started
/// with, or the request cannot be recorded.
pub fn pace(args: PaceArgs, env: &Env) -> anyhow::Result<ExitCode> {
    let PaceArgs { run: id, pace, options } = args;
    let settings = RunsSettings::load(options, env)?;
    let mut ledger = open_for_request(&settings)?;
    let run = running(ledger.as_mut(), &id, "its rate cannot be changed", &later)?;
    let rates = run.rates.clone().unwrap_or_default();
    refuse_faster(pace, &rates)?;
    let wanted = pace.0.map(|pace| pace.to_string());
    let is_kept = run.pace == wanted;
    let request = new_request(RequestKind::Pace, wanted.clone(), &settings);
    let number = ledger.add_request(&run, &request)?;
    let outcome = if is_kept { PaceOutcome::Already } else { wait(ledger.as_mut(), &run, number)? };
    let name = pace_name(wanted.as_deref(), &rates);
    if settings.json {
        console::print_line(json!({
            "version": 1,
            "run": run.id(),
            "request": number,
            "pace": wanted,
            "rate": rates,
            "kept": outcome.is_kept(),
        }));
    } else {
        console::print_line(outcome.text(&run, pace.0.is_some(), (&name, &rates)));
    }
    Ok(if outcome.is_kept() { ExitCode::Done } else { ExitCode::Failures })
}

/// What rate a run that is not in progress has once it is started again.
fn later(run: &Run) -> String {
    if is_rehearsal(run) {
        return "the command that started it starts a new rehearsal".to_owned();
    }
    match &run.pace {
        Some(pace) => format!(
            "started again by the same command, it is still held to {}, which can be changed or restored then",
            shown(pace)
        ),
        None => {
            "started again by the same command, it has its own rate, and can be slowed down then"
                .to_owned()
        }
    }
}

/// Refuses a pace above the rate that the run was started with.
fn refuse_faster(pace: Pace, rates: &str) -> anyhow::Result<()> {
    let own: Rates = rates
        .parse()
        .with_context(|| format!("the rate of the run cannot be read: {}", shown(rates)))?;
    if let Some(fastest) = pace.faster_than(&own) {
        bail!(
            "a run can be slowed down, and not made faster than it was started: its rate is {own}; give at most {fastest}, or `restore` for its own rate"
        );
    }
    Ok(())
}

/// What became of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PaceOutcome {
    /// A process recorded that it keeps the pace.
    Kept,
    /// The run was held to it before.
    Already,
    /// The run came to rest first.
    AtRest,
    /// None has recorded it yet.
    NotYet,
}

/// Waits until a process has recorded the change.
fn wait(ledger: &mut dyn Ledger, run: &Run, number: i64) -> anyhow::Result<PaceOutcome> {
    let began = Instant::now();
    let prefix = request_prefix(number);
    loop {
        std::thread::sleep(POLL_INTERVAL);
        let paced = EventKind::Paced.as_str();
        let mut events = ledger.events(run)?.into_iter();
        if events.any(|event| event.kind == paced && event.detail.starts_with(&prefix)) {
            return Ok(PaceOutcome::Kept);
        }
        let now = ledger.run(run.id())?.context("the run is gone from the ledger")?;
        if RunProgress::of(&now, ledger)? != RunProgress::Running {
            return Ok(PaceOutcome::AtRest);
        }
        if began.elapsed() >= WAIT {
            return Ok(PaceOutcome::NotYet);
        }
    }
}

impl PaceOutcome {
    fn is_kept(self) -> bool {
        matches!(self, PaceOutcome::Kept | PaceOutcome::Already)
    }

    fn text(self, run: &Run, is_lowered: bool, (pace, rates): (&str, &str)) -> String {
        let id = shown(run.id());
        let (pace, rates) = (shown(pace), shown(rates));
        match self {
            PaceOutcome::Kept if is_lowered => format!(
                "Run {id} is held to {pace}; its own rate is {rates} (`cardcancel pace {id} restore`)"
            ),
            PaceOutcome::Kept => format!("Run {id} has its own rate of {rates} again"),
            PaceOutcome::Already if is_lowered => {
                format!("Run {id} was held to {pace} before; its own rate is {rates}")
            }
            PaceOutcome::Already => {
                format!("Run {id} has its own rate of {rates}: there is nothing to restore")
            }
            PaceOutcome::AtRest => format!(
                "Run {id} came to rest before it could change its rate; {pace} holds if it is started again"
            ),
            PaceOutcome::NotYet => format!(
                "Run {id} is asked to keep {pace}, and has not recorded yet that it does: see its events in `cardcancel runs {id}`"
            ),
        }
    }
}
