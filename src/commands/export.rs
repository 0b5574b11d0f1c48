//! `export`: the record of whole runs, as a folder that proves itself.

use std::path::PathBuf;

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::json;

use super::read_only::open_ledger;
use super::run_selection::{created, named, refuse_in_progress, until_text};
use crate::audit::bag::{BagOptions, LedgerSource, WrittenBag, write_bag};
use crate::audit::{AuditTable, signature};
use crate::cli::ExportArgs;
use crate::config::{Env, Layer, RunsSettings};
use crate::exit_code::ExitCode;
use crate::identity::Identity;
use crate::input::shown;
use crate::ledger::{Ledger, Run};
use crate::output::{console, plural, rows};
use crate::report::report_run;

/// Exports runs into a new folder.
///
/// # Errors
/// If a run does not exist or is in progress, or the folder cannot be written. Nothing is left
/// under its name then.
pub fn export(args: ExportArgs, env: &Env) -> anyhow::Result<ExitCode> {
    let ExportArgs { runs, since, until, sign, report, options } = args;
    let folder = folder(&options)?;
    let settings = RunsSettings::load(options, env)?;
    let mut ledger = open_ledger(&settings.ledger)?;
    let (runs, scope) = match since {
        Some(since) => {
            let until_text = until_text(until);
            (
                created(ledger.as_mut(), since, until, "exported")?,
                format!("runs created from {since} until before {until_text}, UTC"),
            )
        }
        None => (named(ledger.as_mut(), &runs)?, format!("runs {}", runs.join(", "))),
    };
    refuse_in_progress(ledger.as_mut(), &runs, "export")?;
    let by = Identity::of_this_process();
    let options = BagOptions {
        scope,
        at: Timestamp::now(),
        by: by.user_text(),
        host: by.host,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let mut progress = |_| ();
    let mut page =
        |ledger: &mut dyn Ledger, run: &Run| report_run(ledger, run, settings.is_rehearsal);
    let mut source = LedgerSource::new(ledger.as_mut(), runs, &mut progress);
    if report {
        source = source.with_reports(&mut page);
    }
    let bag = write_bag(&mut source, &folder, &options)?;
    if let Some(key) = &sign {
        signature::sign(&bag.tag_manifest(), key)?;
    }
    let (folder, written) = bag.publish()?;
    let folder = folder.display().to_string();
    if settings.json {
        console::print_line(json(&folder, &written, sign.is_some()));
    } else {
        console::print_line(text(&folder, &written, sign.is_some()).join("\n"));
    }
    Ok(ExitCode::Done)
}

/// The new folder, which only the command line names.
fn folder(options: &Layer) -> anyhow::Result<PathBuf> {
    let folder = options.get("results").context("name the new folder with -o DIR")?;
    Ok(PathBuf::from(folder))
}

fn text(folder: &str, written: &WrittenBag, is_signed: bool) -> Vec<String> {
    let WrittenBag { totals, unsealed, differences, manifest } = written;
    let mut lines = vec![format!(
        "Exported {} with {} and {} to {}",
        plural(totals.lines(AuditTable::Runs), "run", "runs"),
        rows(totals.lines(AuditTable::Rows)),
        plural(totals.lines(AuditTable::Attempts), "attempt", "attempts"),
        shown(folder)
    )];
    lines.push(format!("manifest-sha256.txt {manifest}"));
    if !unsealed.is_empty() {
        lines.push(format!("Not sealed: {}", unsealed.join(", ")));
    }
    lines.extend(differences.iter().map(|what| format!("ALTERED: {}", shown(what))));
    if !is_signed {
        lines.push("Not signed: say --sign KEY".to_owned());
    }
    lines.push(format!("Next: cardcancel verify {}; or as its VERIFY.md says", shown(folder)));
    lines
}

fn json(folder: &str, written: &WrittenBag, is_signed: bool) -> serde_json::Value {
    let WrittenBag { totals, unsealed, differences, manifest } = written;
    json!({
        "version": 1,
        "export": folder,
        "runs": totals.lines(AuditTable::Runs),
        "rows": totals.lines(AuditTable::Rows),
        "attempts": totals.lines(AuditTable::Attempts),
        "events": totals.lines(AuditTable::Events),
        "exceptions": totals.lines(AuditTable::Exceptions),
        "manifest_sha256": manifest.to_string(),
        "signed": is_signed,
        "unsealed": unsealed,
        "differences": differences,
    })
}
