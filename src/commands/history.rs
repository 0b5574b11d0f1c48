//! `history`: all that is recorded of one order, over all runs.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::read_only::open_ledger;
use super::start_report::{start_json, started_by};
use super::verify::forgotten_json;
use crate::audit::ForgottenRun;
use crate::cli::HistoryArgs;
use crate::config::{Env, RunsSettings};
use crate::exit_code::ExitCode;
use crate::input::shown;
use crate::ledger::{
    AttemptRecord, EventKind, EventRecord, Ledger, OnRecord, OrderHistory, RowRecord, StartRecord,
};
use crate::model::{Order, ReasonCode, RowNumber, Status};
use crate::output::console;

/// One row of a run that carries the order, with the starts of the run.
struct Chapter {
    history: OrderHistory,
    starts: Vec<StartRecord>,
    /// What the evidence was that decided the row, if evidence did.
    evidence: Vec<String>,
}

impl Chapter {
    fn endpoint(&self) -> &str {
        &self.history.run.opened.endpoint
    }
}

/// Shows what is recorded of an order.
///
/// # Errors
/// If there is no ledger, or it cannot be read.
pub fn history(args: HistoryArgs, env: &Env) -> anyhow::Result<ExitCode> {
    let HistoryArgs { admin_number, card_sequence_number, options } = args;
    let order = Order { admin_number, sequence_number: card_sequence_number };
    let settings = RunsSettings::load(options, env)?;
    let path = &settings.ledger;
    let mut ledger = open_ledger(path)?;
    let chapters = chapters(ledger.as_mut(), order)?;
    let decisive = decisive(ledger.as_mut(), order, &chapters)?;
    let forgotten = forgotten(ledger.as_mut(), order)?;
    if settings.json {
        console::print_line(json(order, &chapters, &decisive, &forgotten));
    } else if chapters.is_empty() && forgotten.is_empty() {
        console::print_line(format_args!(
            "order {order} is in no run of the ledger {path}; check both numbers, and name another ledger with --ledger"
        ));
    } else {
        console::print_line(text(order, &chapters, &decisive, &forgotten).trim_end());
    }
    Ok(ExitCode::Done)
}

/// Runs that cancelled the order and whose rows are not in the ledger any more, with its row.
fn forgotten(
    ledger: &mut dyn Ledger,
    order: Order,
) -> anyhow::Result<Vec<(ForgottenRun, RowNumber)>> {
    let mut forgotten = Vec::new();
    for (run, row) in ledger.forgotten_with(order)? {
        forgotten.extend(ForgottenRun::read(ledger, &run)?.map(|run| (run, row)));
    }
    Ok(forgotten)
}

fn chapters(ledger: &mut dyn Ledger, order: Order) -> anyhow::Result<Vec<Chapter>> {
    let histories = ledger.history(order)?;
    let chapter = |history: OrderHistory| {
        let starts = ledger.starts(&history.run)?;
        let evidence = evidence(ledger, &history)?;
        Ok(Chapter { history, starts, evidence })
    };
    histories.into_iter().map(chapter).collect()
}

/// The lists of the run that have the row's status, as its events describe them.
fn evidence(ledger: &mut dyn Ledger, history: &OrderHistory) -> anyhow::Result<Vec<String>> {
    let OrderHistory { run, row, .. } = history;
    if row.carried_over || row.error_code != ReasonCode::Resolved.to_string() {
        return Ok(Vec::new());
    }
    let is_evidence = |event: &EventRecord| {
        event.kind == EventKind::Resolved.as_str()
            && event.detail.split(' ').any(|word| word == row.status.as_str())
    };
    let events = ledger.events(run)?.into_iter().filter(is_evidence);
    Ok(events.map(|event| event.detail).collect())
}

/// The chapters that tell how the order stands, one for each endpoint. A duplicate says nothing of the
/// order, since an earlier row of the same run decides, and a row that was carried over only repeats
/// another one.
fn decisive<'c>(
    ledger: &mut dyn Ledger,
    order: Order,
    chapters: &'c [Chapter],
) -> anyhow::Result<Vec<&'c Chapter>> {
    let mut endpoints: Vec<&str> = chapters.iter().map(Chapter::endpoint).collect();
    endpoints.sort_unstable();
    endpoints.dedup();
    let mut decisive = Vec::new();
    for endpoint in endpoints {
        let on_record: Vec<OnRecord> =
            ledger.on_record(endpoint, &[order])?.into_iter().flatten().collect();
        let rank = |Chapter { history: OrderHistory { run, row, .. }, starts, .. }: &&Chapter| {
            let its = on_record.iter().find(|its| its.is_of(run) && its.row == row.row);
            let first_start = starts.first().map_or(0, |start| start.number);
            let rank = its.map_or((false, false, first_start), OnRecord::rank);
            (row.status != Status::Duplicate, !row.carried_over, rank)
        };
        let is_shown = |its: &OnRecord| chapters.iter().any(|it| its.is_of(&it.history.run));
        if on_record.iter().any(|its| its.is_cancelled() && !is_shown(its)) {
            // A run that was forgotten cancelled it.
            continue;
        }
        let there = chapters.iter().filter(|chapter| chapter.endpoint() == endpoint);
        decisive.extend(there.max_by_key(rank));
    }
    Ok(decisive)
}

fn text(
    order: Order,
    chapters: &[Chapter],
    decisive: &[&Chapter],
    forgotten: &[(ForgottenRun, RowNumber)],
) -> String {
    let mut text = String::new();
    for (run, row) in forgotten {
        let _ = writeln!(
            text,
            "Order {order}: cancelled in run {}, row {row}; {}\n",
            shown(&run.run),
            shown(&run.to_string())
        );
    }
    for chapter in decisive {
        let _ = write!(text, "Order {order}: {}", status_text(&chapter.history.row));
        if decisive.len() > 1 {
            let _ = write!(text, ", at {}", shown(chapter.endpoint()));
        }
        text.push('\n');
    }
    for Chapter { history: OrderHistory { run, row, attempts }, starts, evidence } in chapters {
        let opened = &run.opened;
        let _ = write!(
            text,
            "\nRun {}, {} of {}, row {}: {}\n  {}\n",
            shown(run.id()),
            shown(&opened.command),
            shown(&opened.input_name),
            row.row,
            status_text(row),
            shown(&opened.endpoint)
        );
        let mut starters: Vec<String> = starts_of(starts, attempts).map(started_by).collect();
        starters.dedup();
        for by in starters {
            let _ = writeln!(text, "  {}", shown(&by));
        }
        if attempts.is_empty() {
            let how =
                if row.carried_over { "carried over from the results file" } else { "no call" };
            let _ = writeln!(text, "  {how}{}", code_text(&row.error_code, &row.message));
        }
        for evidence in evidence {
            let _ = writeln!(text, "  evidence: {}", shown(evidence));
        }
        for attempt in attempts {
            let _ = writeln!(text, "  {}", attempt_text(attempt));
        }
    }
    text
}

/// The starts that made these attempts; all of them if that is not recorded.
fn starts_of<'s>(
    starts: &'s [StartRecord],
    attempts: &'s [AttemptRecord],
) -> impl Iterator<Item = &'s StartRecord> {
    let is_known = attempts.iter().all(|attempt| attempt.start.is_some());
    starts.iter().filter(move |start| {
        !is_known
            || attempts.is_empty()
            || attempts.iter().any(|attempt| attempt.start == Some(start.number))
    })
}

fn attempt_text(attempt: &AttemptRecord) -> String {
    let AttemptRecord { attempt: number, claimed_at, sent_at, ended_at, .. } = attempt;
    let mut text = format!("attempt {number}: claimed {}", time(*claimed_at));
    match (sent_at, ended_at) {
        (_, None) => text.push_str(", in flight: it may have been sent"),
        (Some(sent_at), Some(ended_at)) => {
            let _ = write!(text, ", sent {}, ended {}", time(*sent_at), time(*ended_at));
        }
        (None, Some(ended_at)) => {
            let _ = write!(text, ", ended {}", time(*ended_at));
        }
    }
    if !attempt.verdict.is_empty() {
        let _ = write!(text, "\n    {}", attempt.verdict);
    }
    if let Some(http_status) = attempt.http_status {
        let _ = write!(text, ", HTTP {http_status}");
    }
    text.push_str(&code_text(&attempt.error_code, &attempt.message));
    text
}

fn code_text(code: &str, message: &str) -> String {
    match (code, message) {
        ("", "") => String::new(),
        (code, "") => format!(", {}", shown(code)),
        ("", message) => format!(": {}", shown(message)),
        (code, message) => format!(", {}: {}", shown(code), shown(message)),
    }
}

fn status_text(row: &RowRecord) -> String {
    let doubt = if row.doubt { ", an answer was lost" } else { "" };
    let open = if row.has_ended { "" } else { ", not ended" };
    format!("{}{doubt}{open}", row.status)
}

/// UTC, so that it agrees with the exports and the database.
fn time(at: Timestamp) -> impl std::fmt::Display {
    at.strftime("%Y-%m-%d %H:%M:%S.%6fZ")
}

fn json(
    order: Order,
    chapters: &[Chapter],
    decisive: &[&Chapter],
    forgotten: &[(ForgottenRun, RowNumber)],
) -> Value {
    let standing = decisive.iter().map(|chapter| {
        let OrderHistory { run, row, .. } = &chapter.history;
        json!({
            "endpoint": chapter.endpoint(),
            "run": run.id(),
            "row": row.row.0,
            "status": row.status.as_str(),
            "has_ended": row.has_ended,
            "doubt": row.doubt,
        })
    });
    let forgotten = forgotten.iter().map(|(run, row)| {
        let mut json = forgotten_json(run);
        json["row"] = row.0.into();
        json
    });
    json!({
        "version": 1,
        "admin_number": order.admin_number.to_string(),
        "card_sequence_number": order.sequence_number,
        "standing": standing.collect::<Vec<_>>(),
        "rows": chapters.iter().map(chapter_json).collect::<Vec<_>>(),
        "forgotten": forgotten.collect::<Vec<_>>(),
    })
}

fn chapter_json(chapter: &Chapter) -> Value {
    let Chapter { history: OrderHistory { run, row, attempts }, starts, evidence } = chapter;
    json!({
        "run": run.id(),
        "command": run.opened.command,
        "input": run.opened.input_name,
        "endpoint": run.opened.endpoint,
        "row": row.row.0,
        "status": row.status.as_str(),
        "has_ended": row.has_ended,
        "carried_over": row.carried_over,
        "doubt": row.doubt,
        "error_code": row.error_code,
        "message": row.message,
        "http_status": row.http_status,
        "evidence": evidence,
        "starts": starts_of(starts, attempts).map(start_json).collect::<Vec<_>>(),
        "attempts": attempts.iter().map(attempt_json).collect::<Vec<_>>(),
    })
}

fn attempt_json(attempt: &AttemptRecord) -> Value {
    json!({
        "attempt": attempt.attempt,
        "start": attempt.start,
        "claimed_at": attempt.claimed_at.to_string(),
        "sent_at": attempt.sent_at.map(|at| at.to_string()),
        "ended_at": attempt.ended_at.map(|at| at.to_string()),
        "verdict": attempt.verdict,
        "status": attempt.status.map(|status| status.as_str()),
        "http_status": attempt.http_status,
        "error_code": attempt.error_code,
        "message": attempt.message,
    })
}
