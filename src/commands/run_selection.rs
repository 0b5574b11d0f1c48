//! Which runs a command is about: those that are named, or those of some days.

use anyhow::{Context as _, bail};
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::audit::ForgottenRun;
use crate::input::shown;
use crate::ledger::{Ledger, Run};

/// The runs with these identifiers, oldest first.
///
/// # Errors
/// If one does not exist.
pub fn named(ledger: &mut dyn Ledger, ids: &[String]) -> anyhow::Result<Vec<Run>> {
    let mut runs = Vec::new();
    for id in ids {
        let run = ledger.run(id)?;
        runs.push(run.with_context(|| {
            format!("no run {} in the ledger: `cardcancel runs` lists them", shown(id))
        })?);
    }
    runs.sort_by(|a, b| (a.opened.opened_at, a.id()).cmp(&(b.opened.opened_at, b.id())));
    Ok(runs)
}

/// The runs that were created from this day on and before the other, in UTC, oldest first. `done` is
/// what is not done if there are none.
///
/// # Errors
/// If there are none.
pub fn created(
    ledger: &mut dyn Ledger,
    since: Date,
    until: Option<Date>,
    done: &str,
) -> anyhow::Result<Vec<Run>> {
    let midnight = |day: Date| Ok::<_, jiff::Error>(day.to_zoned(TimeZone::UTC)?.timestamp());
    let (from, to) = (midnight(since)?, until.map(midnight).transpose()?);
    let mut runs = ledger.runs()?;
    runs.retain(|run| {
        let at = run.opened.opened_at;
        at >= from && to.is_none_or(|to| at < to)
    });
    runs.reverse();
    if runs.is_empty() {
        let until = until_text(until);
        bail!("no run was created from {since} to {until} (UTC): nothing was {done}");
    }
    Ok(runs)
}

/// The end of a range of days.
pub fn until_text(until: Option<Date>) -> String {
    until.map_or("now".to_owned(), |day| day.to_string())
}

/// What a run in progress has is not whole. `done` is what to do later.
///
/// # Errors
/// If a run is in progress.
pub fn refuse_in_progress(ledger: &mut dyn Ledger, runs: &[Run], done: &str) -> anyhow::Result<()> {
    for run in runs {
        if ledger.is_locked(&run.opened.key)? {
            bail!("run {} is in progress: {done} it once it has finished", run.id());
        }
        refuse_forgotten(ledger, run)?;
    }
    Ok(())
}

/// A forgotten run has no rows to be read.
///
/// # Errors
/// If it is one: where its rows are.
pub fn refuse_forgotten(ledger: &mut dyn Ledger, run: &Run) -> anyhow::Result<()> {
    match (run.forgotten_at, ForgottenRun::read(ledger, run)?) {
        (None, _) => Ok(()),
        (Some(_), Some(forgotten)) => bail!("{}", shown(&forgotten.to_string())),
        (Some(at), None) => bail!(
            "the rows of run {} are not in the ledger since {at}, and no seal says where they are: `cardcancel verify` says more",
            run.id()
        ),
    }
}
