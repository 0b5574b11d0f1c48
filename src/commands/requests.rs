//! What `stop` and `pace` share: a request to the processes that work on a run.

use anyhow::{Context as _, bail};
use jiff::Timestamp;

use super::read_only::{READ_ONLY_TIMEOUTS, open_ledger};
use super::run_state::RunProgress;
use crate::config::RunsSettings;
use crate::identity::Identity;
use crate::input::shown;
use crate::ledger::{Ledger, NewRequest, RequestKind, Run};
use crate::output::summary::reason;

/// Opens the ledger to record a request in it; it must exist.
///
/// # Errors
/// If there is none, or it cannot be written.
pub fn open_for_request(settings: &RunsSettings) -> anyhow::Result<Box<dyn Ledger>> {
    drop(open_ledger(&settings.ledger)?);
    Ok(settings.ledger.open(READ_ONLY_TIMEOUTS)?)
}

/// The run with this identifier, which a process works on. Otherwise `refused` is what cannot be done,
/// and `later` what holds once the run is started again.
///
/// # Errors
/// If there is no such run, or no process works on it: what its state is, and what to do.
pub fn running(
    ledger: &mut dyn Ledger,
    id: &str,
    refused: &str,
    later: &dyn Fn(&Run) -> String,
) -> anyhow::Result<Run> {
    let run = ledger.run(id)?;
    let run =
        run.with_context(|| format!("no run {id} in the ledger: `cardcancel runs` lists them"))?;
    let state = match RunProgress::of(&run, ledger)? {
        RunProgress::Running => return Ok(run),
        RunProgress::Ended => bail!("run {id} has ended: {refused}"),
        RunProgress::Stopped => {
            let why = run.stop.as_deref().map(reason).unwrap_or_default();
            format!("it has stopped: {}", shown(&why))
        }
        RunProgress::Died => "its process died".to_owned(),
    };
    bail!("run {id} is not in progress, so {refused}: {state}; {}", later(&run))
}

/// A request of this process.
pub fn new_request(
    kind: RequestKind,
    rates: Option<String>,
    settings: &RunsSettings,
) -> NewRequest {
    let (at, by) = (Timestamp::now(), Identity::of_this_process().to_string());
    NewRequest { at, by, kind, rates, reason: settings.reason.clone() }
}

/// How the detail of an event begins that records what a process did on this request.
pub fn request_prefix(number: i64) -> String {
    format!("request {number} ")
}

/// The rate in force: the pace, if there is one, or else the run's own.
pub fn pace_name(pace: Option<&str>, rates: &str) -> String {
    pace.unwrap_or(rates).to_owned()
}
