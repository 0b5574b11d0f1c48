//! `report`: one page for a person, about a run or the runs of some days.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use jiff::civil::Date;

use super::read_only::open_ledger;
use super::run_list::{self, WantedRuns};
use super::run_selection::{created, named, refuse_in_progress};
use crate::cli::ReportArgs;
use crate::config::{Env, RunsSettings};
use crate::exit_code::ExitCode;
use crate::input::shown;
use crate::ledger::{Ledger, Run};
use crate::model::Counts;
use crate::output::new_file::NewFile;
use crate::output::{console, plural};
use crate::report::{ReportPeriod, ReportedRun, report_period, report_run};

/// Writes a page.
///
/// # Errors
/// If a run does not exist or is in progress, or the file exists or cannot be written. Nothing is left
/// under its name then.
pub fn report(args: ReportArgs, env: &Env) -> anyhow::Result<ExitCode> {
    let ReportArgs { run, since, until, options } = args;
    let path = options.get("results").context("name the new file with -o FILE.html")?;
    let path = Path::new(path).to_owned();
    let mut file = NewFile::create(&path)?;
    let settings = RunsSettings::load(options, env)?;
    let mut ledger = open_ledger(&settings.ledger)?;
    let ledger = ledger.as_mut();
    let runs = match since {
        Some(since) => created(ledger, since, until, "written")?,
        None => named(ledger, run.as_slice())?,
    };
    refuse_in_progress(ledger, &runs, "report on")?;
    let page = match (since, runs.as_slice()) {
        (None, [run]) => report_run(ledger, run, settings.is_rehearsal)?,
        (Some(since), runs) => {
            let period = ReportPeriod { since, until };
            let mut lookups = open_ledger(&settings.ledger)?;
            let runs = with_open_rows(runs, since, ledger, lookups.as_mut())?;
            report_period(ledger, &runs, period, settings.is_rehearsal)?
        }
        (None, _) => anyhow::bail!("name one run, or days with --since and --until"),
    };
    let path = shown(&path.display().to_string());
    file.file()
        .write_all(page.as_bytes())
        .and_then(|()| file.publish())
        .with_context(|| format!("the report could not be written to {path}"))?;
    let runs = plural(runs.len() as u64, "run", "runs");
    console::print_line(format_args!("Wrote a page about {runs} to {path}"));
    Ok(ExitCode::Done)
}

/// The runs, each with the open rows that count with it, as `runs` counts them.
fn with_open_rows(
    runs: &[Run],
    since: Date,
    ledger: &mut dyn Ledger,
    lookups: &mut dyn Ledger,
) -> anyhow::Result<Vec<ReportedRun>> {
    let wanted = WantedRuns { since: Some(since), limit: None, open: false };
    let listed = run_list::read(ledger, lookups, &wanted)?.runs.into_iter();
    let open: HashMap<String, Counts> =
        listed.map(|entry| (entry.run.id().to_owned(), entry.open)).collect();
    let reported = |run: &Run| ReportedRun {
        run: run.clone(),
        open: open.get(run.id()).copied().unwrap_or_default(),
    };
    Ok(runs.iter().map(reported).collect())
}
