//! `ledger`: looks after the record.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::bail;
use jiff::Timestamp;
use serde_json::json;

use super::forget;
use super::read_only::{no_ledger, open_file, open_ledger};
use crate::audit::verify_ledger;
use crate::cli::LedgerAction;
use crate::config::{Env, Layer, RunsSettings};
use crate::exit_code::ExitCode;
use crate::input::shown;
use crate::ledger::{Ledger, LedgerError, LedgerInfo, LedgerLocation, Run, SealHead, Sqlite};
use crate::output::{console, human_count};

/// Says what the ledger is, whether it is whole, copies it, or forgets runs.
pub fn care(
    care: &LedgerAction,
    named: Option<PathBuf>,
    options: Layer,
    env: &Env,
) -> anyhow::Result<ExitCode> {
    let settings = RunsSettings::load(options, env)?;
    let open = || match &named {
        Some(path) => open_file(path),
        None => open_ledger(&settings.ledger),
    };
    let location = named.clone().map_or_else(|| settings.ledger.clone(), LedgerLocation::File);
    match care {
        LedgerAction::Info => {
            let facts = LedgerFacts::read(open()?.as_mut())?;
            console::print_line(if settings.json {
                facts.json(&location).to_string()
            } else {
                facts.text(&location)
            });
            Ok(ExitCode::Done)
        }
        LedgerAction::Check => {
            let wrong = wrong_in(&open)?;
            check(&location, &wrong, settings.json)
        }
        LedgerAction::BackUp(to) => back_up(&location, to, settings.json),
        LedgerAction::Forget { before, exports } => {
            forget::forget(&location, *before, exports, &settings)
        }
    }
}

/// Copies a ledger in a file.
fn back_up(location: &LedgerLocation, to: &Path, as_json: bool) -> anyhow::Result<ExitCode> {
    let path = match location {
        LedgerLocation::File(path) => path,
        LedgerLocation::Database(address) => bail!(
            "{address} is a database: back it up with `pg_dump --format=custom --schema=cardcancel --file={} {address}`",
            to.display()
        ),
    };
    let Some(ledger) = Sqlite::open_existing(path)? else {
        bail!(no_ledger(location));
    };
    ledger.back_up(to)?;
    if as_json {
        console::print_line(json!({ "ledger": path, "backup": to }));
    } else {
        console::print_line(format_args!("Copied {location} to {}", to.display()));
    }
    Ok(ExitCode::Done)
}

/// What the ledger is.
struct LedgerFacts {
    info: LedgerInfo,
    id: String,
    /// The versions of the program that wrote it.
    programs: BTreeSet<String>,
    forgotten: u64,
    oldest: Option<(String, Timestamp)>,
    newest: Option<(String, Timestamp)>,
    unsealed: Vec<String>,
    seal: Option<SealHead>,
}

impl LedgerFacts {
    fn read(ledger: &mut dyn Ledger) -> anyhow::Result<LedgerFacts> {
        let runs = ledger.runs()?;
        let mut programs = BTreeSet::new();
        for run in &runs {
            programs.insert(run.opened.program.clone());
            programs.extend(ledger.starts(run)?.into_iter().filter_map(|start| start.program));
        }
        let created = |run: &Run| (run.id().to_owned(), run.opened.opened_at);
        let unsealed = ledger.unsealed()?;
        Ok(LedgerFacts {
            info: ledger.info()?,
            id: ledger.ledger_id()?,
            programs,
            forgotten: runs.iter().filter(|run| run.forgotten_at.is_some()).count() as u64,
            oldest: runs.last().map(created),
            newest: runs.first().map(created),
            unsealed: unsealed.iter().map(|run| run.id().to_owned()).collect(),
            seal: ledger.seal_heads()?.pop(),
        })
    }

    fn text(&self, location: &LedgerLocation) -> String {
        let LedgerInfo { version, bytes, log_bytes, runs, rows, attempts } = self.info;
        let mut text = format!("{location}\n");
        let mut line = |name: &str, value: String| {
            let _ = writeln!(text, "  {name:<17} {}", shown(&value));
        };
        line("ledger", self.id.clone());
        line("version", version.to_string());
        let programs: Vec<&str> = self.programs.iter().map(String::as_str).collect();
        line("written by", programs.join(", "));
        line("bytes", human_count(bytes));
        log_bytes.iter().for_each(|bytes| line("bytes of the log", human_count(*bytes)));
        line("runs", human_count(runs));
        line("  forgotten", human_count(self.forgotten));
        line("rows", human_count(rows));
        line("attempts", human_count(attempts));
        for (name, run) in [("oldest run", &self.oldest), ("newest run", &self.newest)] {
            run.iter().for_each(|(id, at)| line(name, format!("{id}, created {at:.0}")));
        }
        match &self.seal {
            Some(SealHead { number, digest, .. }) => {
                line("newest seal", format!("{number}, SHA-256 {digest}"));
            }
            None => line("newest seal", "none".to_owned()),
        }
        line("not sealed", human_count(self.unsealed.len() as u64));
        self.unsealed.iter().for_each(|id| line("", id.clone()));
        text.trim_end().to_owned()
    }

    fn json(&self, location: &LedgerLocation) -> serde_json::Value {
        let LedgerInfo { version, bytes, log_bytes, runs, rows, attempts } = self.info;
        let run = |run: &Option<(String, Timestamp)>| {
            run.as_ref().map(|(id, at)| json!({ "run": id, "opened_at": at.to_string() }))
        };
        let seal = self
            .seal
            .as_ref()
            .map(|seal| json!({ "seal": seal.number, "sha256": seal.digest, "run": seal.run }));
        json!({
            "ledger": location.to_string(),
            "id": self.id,
            "version": version,
            "programs": self.programs,
            "bytes": bytes,
            "log_bytes": log_bytes,
            "runs": runs,
            "forgotten": self.forgotten,
            "rows": rows,
            "attempts": attempts,
            "oldest_run": run(&self.oldest),
            "newest_run": run(&self.newest),
            "newest_seal": seal,
            "unsealed": self.unsealed,
        })
    }
}

/// What is damaged in a file, and what does not agree in the record.
fn wrong_in(open: &dyn Fn() -> anyhow::Result<Box<dyn Ledger>>) -> anyhow::Result<Vec<String>> {
    let checked = || {
        let mut ledger = open()?;
        let wrong = ledger.damage()?;
        // What a damaged file holds need not agree.
        if !wrong.is_empty() {
            return Ok(wrong);
        }
        Ok(verify_ledger(ledger.as_mut(), &mut |_| {})?.findings)
    };
    checked().or_else(|cause: anyhow::Error| match cause.downcast::<LedgerError>() {
        Ok(LedgerError::Damaged { cause, .. }) => Ok(vec![cause.to_string()]),
        Ok(other) => Err(other.into()),
        Err(other) => Err(other),
    })
}

fn check(location: &LedgerLocation, wrong: &[String], as_json: bool) -> anyhow::Result<ExitCode> {
    match (as_json, wrong) {
        (true, _) => {
            console::print_line(json!({
                "ledger": location.to_string(), "whole": wrong.is_empty(), "wrong": wrong,
            }));
        }
        (false, []) => console::print_line(format_args!("{location} is whole")),
        (false, _) => {
            console::print_line(format_args!(
                "{location} IS DAMAGED: restore a backup, and keep this one"
            ));
            wrong.iter().for_each(|what| console::print_line(shown(what)));
        }
    }
    Ok(if wrong.is_empty() { ExitCode::Done } else { ExitCode::LedgerFailed })
}
