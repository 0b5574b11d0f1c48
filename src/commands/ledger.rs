//! `ledger`: looks after the record.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::bail;
use serde_json::json;

use crate::cli::LedgerAction;
use crate::config::{Env, Layer, RunsSettings};
use crate::exit_code::ExitCode;
use crate::ledger::{LedgerError, LedgerInfo, LedgerLocation, Sqlite};
use crate::output::{console, human_count};

/// Says what the ledger is, whether it is whole, or copies it.
pub fn care(
    care: &LedgerAction,
    named: Option<PathBuf>,
    options: Layer,
    env: &Env,
) -> anyhow::Result<ExitCode> {
    let settings = RunsSettings::load(options, env)?;
    let location = named.map_or(settings.ledger, LedgerLocation::File);
    let path = match &location {
        LedgerLocation::File(path) => path,
        LedgerLocation::Database(address) => bail!(
            "{address} is a database: `ledger` is for a ledger in a file; use the tools of PostgreSQL, such as pg_dump and pg_amcheck"
        ),
    };
    let opened = match (care, Sqlite::open_existing(path)) {
        (LedgerAction::Check, Err(LedgerError::Damaged { cause, .. })) => {
            return check(path, &[cause.to_string()], settings.json);
        }
        (_, opened) => opened?,
    };
    let Some(ledger) = opened else {
        bail!("there is no ledger at {location}: name another with --ledger");
    };
    match care {
        LedgerAction::Info => info(path, &ledger.info()?, settings.json),
        LedgerAction::Check => return check(path, &ledger.check()?, settings.json),
        LedgerAction::BackUp(to) => {
            ledger.back_up(to)?;
            if settings.json {
                console::print_line(json!({ "ledger": path, "backup": to }));
            } else {
                console::print_line(format_args!("Copied {location} to {}", to.display()));
            }
        }
    }
    Ok(ExitCode::Done)
}

fn info(path: &Path, info: &LedgerInfo, as_json: bool) {
    let LedgerInfo { version, bytes, log_bytes, runs, rows, attempts } = info;
    if as_json {
        console::print_line(json!({
            "ledger": path, "version": version, "bytes": bytes, "log_bytes": log_bytes,
            "runs": runs, "rows": rows, "attempts": attempts,
        }));
        return;
    }
    let mut text = format!("{}\n", path.display());
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<17} {value:>15}");
    };
    line("version", version.to_string());
    line("bytes", human_count(*bytes));
    line("bytes of the log", human_count(*log_bytes));
    line("runs", human_count(*runs));
    line("rows", human_count(*rows));
    line("attempts", human_count(*attempts));
    console::print_line(text.trim_end());
}

fn check(path: &Path, wrong: &[String], as_json: bool) -> anyhow::Result<ExitCode> {
    let name = path.display();
    match (as_json, wrong) {
        (true, _) => {
            console::print_line(
                json!({ "ledger": path, "whole": wrong.is_empty(), "wrong": wrong }),
            );
        }
        (false, []) => console::print_line(format_args!("{name} is whole")),
        (false, _) => {
            console::print_line(format_args!(
                "{name} IS DAMAGED: restore a backup, and keep this file"
            ));
            wrong.iter().for_each(console::print_line);
        }
    }
    Ok(if wrong.is_empty() { ExitCode::Done } else { ExitCode::LedgerFailed })
}
