//! `ledger forget`: removes the rows of old runs that an export has.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::json;

use super::confirm::{Question, confirm};
use super::open_rows::LatestRows;
use super::read_only::{READ_ONLY_TIMEOUTS, open_ledger};
use super::sealing;
use crate::audit::forget_run;
use crate::audit::seal::SealedFile;
use crate::audit::verify_bag::verify_bag;
use crate::config::RunsSettings;
use crate::exit_code::ExitCode;
use crate::hash::Digest;
use crate::identity::Identity;
use crate::input::shown;
use crate::ledger::{Ledger, LedgerLocation, Run, SealRecord};
use crate::model::Order;
use crate::output::{console, human_count, plural, rows};

/// How many orders are looked up at a time.
const BATCH_ORDERS: usize = 1000;

/// Forgets the runs that were created before a day, in UTC, and that one of the exports has.
///
/// # Errors
/// If an export is not whole or is of another ledger, nobody confirms it, or the ledger fails.
pub fn forget(
    location: &LedgerLocation,
    before: Date,
    exports: &[PathBuf],
    settings: &RunsSettings,
) -> anyhow::Result<ExitCode> {
    // One to decide, one for look-ups in it.
    let [mut reader, mut lookups] = [open_ledger(location)?, open_ledger(location)?];
    let id = reader.ledger_id()?;
    let exports = exports
        .iter()
        .map(|export| Export::verify(export, &id))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let before = before.to_zoned(TimeZone::UTC)?.timestamp();
    let decided = decide(reader.as_mut(), lookups.as_mut(), before, &exports)?;
    drop((reader, lookups));
    let plan = plan_text(&decided, location);
    let wanted = decided.iter().any(|(_, decision)| decision.is_ok());
    if wanted && !settings.yes {
        confirm(Question::Forget, &plan, false)?;
    }
    let mut ledger = location.open(READ_ONLY_TIMEOUTS)?;
    // What an interrupted command left.
    ledger.remove_forgotten()?;
    let mut forgotten = Vec::new();
    let mut kept = Vec::new();
    let (by, program) = (Identity::of_this_process(), sealing::program()?);
    for (run, decision) in decided {
        let export = match decision {
            Ok(export) => &exports[export],
            Err(why) => {
                kept.push((run, why));
                continue;
            }
        };
        let Ok(_lock) = ledger.lock_run(&run.opened.key) else {
            kept.push((run, "it is in progress".to_owned()));
            continue;
        };
        match forget_run(ledger.as_mut(), &run, &export.file, &by, &program)? {
            Some(seal) => forgotten.push((run, seal, export.file.name.clone())),
            None => kept.push((run, "it was started or sealed meanwhile".to_owned())),
        }
    }
    ledger.remove_forgotten()?;
    let space = if forgotten.is_empty() { None } else { Some(give_space_back(ledger.as_mut())?) };
    if settings.json {
        console::print_line(json(&forgotten, &kept, space.as_ref()));
    } else {
        console::print_line(text(&forgotten, &kept, space.as_ref()).trim_end());
    }
    Ok(match space {
        Some(Space::Failed(_)) => ExitCode::LedgerFailed,
        _ => ExitCode::Done,
    })
}

/// An export that was verified.
struct Export {
    file: SealedFile,
    /// The seal of each run that it has as it was sealed.
    sealed: BTreeMap<String, Digest>,
}

impl Export {
    fn verify(folder: &Path, ledger: &str) -> anyhow::Result<Export> {
        let shown_name = shown(&folder.display().to_string());
        let verdict = verify_bag(folder, &mut |_, _| ())
            .with_context(|| format!("the export {shown_name}"))?;
        if let Some(first) = verdict.findings.first() {
            bail!(
                "the export {shown_name} is altered, so nothing was forgotten: {}; `cardcancel verify {shown_name}` says all",
                shown(&first.to_string())
            );
        }
        if verdict.totals.ledger != ledger {
            bail!(
                "the export {shown_name} is of another ledger, so nothing was forgotten: name one of this ledger"
            );
        }
        let name = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
        let name = name.file_name().unwrap_or(folder.as_os_str()).to_string_lossy().into_owned();
        let file = SealedFile { digest: verdict.manifest, name };
        Ok(Export { file, sealed: verdict.sealed })
    }
}

/// A run, and the export that has it, by its index; or why it is kept.
type Decided = (Run, Result<usize, String>);

/// Decides for each run that was created before, oldest first.
fn decide(
    ledger: &mut dyn Ledger,
    lookups: &mut dyn Ledger,
    before: Timestamp,
    exports: &[Export],
) -> anyhow::Result<Vec<Decided>> {
    let runs = ledger.runs()?;
    let mut open = HashMap::new();
    let mut latest = LatestRows::default();
    // The ledger has the newest first.
    for run in &runs {
        let mut rows = 0_u64;
        latest.of_run(run, ledger, lookups, &mut |_, _| {
            rows += 1;
            Ok(())
        })?;
        open.insert(run.id().to_owned(), rows);
    }
    let mut decided = Vec::new();
    // Open rows of runs that are kept, by endpoint: a later run that has their orders says what
    // became of them, and stays with them.
    let mut unsettled: HashMap<String, Vec<Order>> = HashMap::new();
    for run in runs.into_iter().rev() {
        if run.opened.opened_at >= before || run.forgotten_at.is_some() {
            continue;
        }
        let rows = open.get(run.id()).copied().unwrap_or_default();
        let orders = unsettled.entry(run.opened.endpoint.clone()).or_default();
        let mut decision = match exporting(ledger, &run, exports)? {
            Ok(_) if rows > 0 => {
                Err(format!("{}, and no later run has their orders", are_open(rows)))
            }
            decision => decision,
        };
        if decision.is_ok() && has_one_of(lookups, &run, orders)? {
            decision =
                Err("it says what became of open rows of a run before it that is kept".to_owned());
        }
        if decision.is_err() {
            ledger.open_rows(&run, &mut |row| {
                orders.extend(row.order);
                Ok(())
            })?;
        }
        decided.push((run, decision));
    }
    Ok(decided)
}

/// The export that has the run as it is sealed, or why there is none.
fn exporting(
    ledger: &mut dyn Ledger,
    run: &Run,
    exports: &[Export],
) -> anyhow::Result<Result<usize, String>> {
    if ledger.is_locked(&run.opened.key)? {
        return Ok(Err("it is in progress".to_owned()));
    }
    let last = ledger.starts(run)?.last().map(|start| start.number);
    let Some(seal) = ledger.last_seal(run)?.filter(|seal| Some(seal.start) == last) else {
        return Ok(Err("it is not sealed: the next run seals it".to_owned()));
    };
    let digest = seal.digest.parse().ok();
    let holds =
        |export: &Export| export.sealed.get(run.id()).copied() == digest && digest.is_some();
    Ok(exports.iter().position(holds).ok_or_else(|| "none of the exports has it".to_owned()))
}

/// Whether the run has a row with one of these orders.
fn has_one_of(ledger: &mut dyn Ledger, run: &Run, orders: &[Order]) -> anyhow::Result<bool> {
    for orders in orders.chunks(BATCH_ORDERS) {
        let found = ledger.on_record(&run.opened.endpoint, orders)?;
        if found.iter().flatten().any(|row| row.is_of(run)) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn are_open(number: u64) -> String {
    format!("{} of it {} open", rows(number), if number == 1 { "is" } else { "are" })
}

/// What became of the space.
enum Space {
    GivenBack,
    /// A run is in progress, which would have to wait.
    Later,
    /// The database does it by itself.
    ByTheDatabase,
    /// It was not given back, for this reason.
    Failed(String),
}

/// Gives the space back, unless a run in progress would have to wait for it.
fn give_space_back(ledger: &mut dyn Ledger) -> anyhow::Result<Space> {
    for run in ledger.runs()? {
        if !run.has_ended() && ledger.is_locked(&run.opened.key)? {
            return Ok(Space::Later);
        }
    }
    Ok(match ledger.give_space_back() {
        Ok(true) => Space::GivenBack,
        Ok(false) => Space::ByTheDatabase,
        Err(cause) => Space::Failed(cause.to_string()),
    })
}

fn plan_text(decided: &[Decided], location: &LedgerLocation) -> String {
    let wanted = || decided.iter().filter(|(_, decision)| decision.is_ok()).map(|(run, _)| run);
    let (runs, of) = (wanted().count() as u64, wanted().map(|run| run.rows).sum::<u64>());
    let calls: u64 = wanted().map(|run| run.attempts).sum();
    let mut text = format!(
        "About to remove {} of {} with {} from {location}; which orders they cancelled stays",
        rows(of),
        plural(runs, "run", "runs"),
        plural(calls, "attempt", "attempts")
    );
    for (run, why) in
        decided.iter().filter_map(|(run, decision)| Some((run, decision.as_ref().err()?)))
    {
        text.push_str(&format!("\n  kept: run {}: {why}", run.id()));
    }
    text
}

type Forgotten = (Run, SealRecord, String);

fn text(forgotten: &[Forgotten], kept: &[(Run, String)], space: Option<&Space>) -> String {
    let mut lines = Vec::new();
    for (run, seal, export) in forgotten {
        lines.push(format!(
            "Forgot run {}, {}; they are in the export {}; seal {}",
            run.id(),
            rows(run.rows),
            shown(export),
            human_count(seal.number)
        ));
    }
    for (run, why) in kept {
        lines.push(format!("Kept run {}: {why}", run.id()));
    }
    if forgotten.is_empty() {
        lines.push("Nothing was forgotten".to_owned());
    }
    if let Some((_, seal, _)) = forgotten.last() {
        lines.push(format!(
            "Newest seal: {}, {}; the next run hands it on to the witness",
            seal.number, seal.digest
        ));
    }
    lines.extend(space.map(|space| match space {
        Space::GivenBack => "The space was given back".to_owned(),
        Space::Later => "A run is in progress, so the space was not given back: later runs use it; the next `ledger forget` that forgets a run gives it back".to_owned(),
        Space::ByTheDatabase => "PostgreSQL uses the space again once it has vacuumed; VACUUM FULL gives it back".to_owned(),
        Space::Failed(why) => format!("The runs are forgotten, but their space was not given back: {}; make room for a copy of the ledger, both beside it and in the folder for temporary files", shown(why)),
    }));
    lines.join("\n")
}

fn json(
    forgotten: &[Forgotten],
    kept: &[(Run, String)],
    space: Option<&Space>,
) -> serde_json::Value {
    let run = |(run, seal, export): &Forgotten| {
        json!({
            "run": run.id(), "rows": run.rows, "export": export, "seal": seal.number,
            "sha256": seal.digest,
        })
    };
    json!({
        "version": 1,
        "forgotten": forgotten.iter().map(run).collect::<Vec<_>>(),
        "kept": kept
            .iter()
            .map(|(run, why)| json!({ "run": run.id(), "why": why }))
            .collect::<Vec<_>>(),
        "space_given_back": matches!(space, Some(Space::GivenBack)),
    })
}
