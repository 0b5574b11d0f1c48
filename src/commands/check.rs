//! `check`: everything that `run` would refuse or mark, found without sending.

use std::fmt::Write;
use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::column_report::ColumnReport;
use super::connection_check::ConnectionCheck;
use super::known_orders::{KnownSummary, LedgerCheck, check_ledger};
use super::{estimate, run_input};
use crate::cli::CheckArgs;
use crate::config::{CheckSettings, Env, Layer, RunsSettings};
use crate::exit_code::ExitCode;
use crate::input::rerun;
use crate::input::{Input, InputSummary, InvalidRow, PriorityCounts, scan_each_invalid};
use crate::ledger::Run;
use crate::output::{console, human_count, human_duration, plural, rows};
use crate::policy::cut_off::{CutOff, Due};

/// Reports what is wrong with a file of orders, with the connection to CoreCARD, or with both.
///
/// # Errors
/// When the settings or the file are refused, or cannot be read.
pub fn check(args: CheckArgs, env: &Env) -> anyhow::Result<ExitCode> {
    let CheckArgs { orders, connect, options } = args;
    let connection = connect.then(|| ConnectionCheck::run(options.clone(), env)).transpose()?;
    let exit = match (&orders, &connection) {
        (Some(path), connection) => check_file(path, options, env, connection.as_ref())?,
        (None, Some(connection)) if RunsSettings::load(options, env)?.json => {
            console::print_line(connection.json());
            ExitCode::Done
        }
        (None, Some(connection)) => {
            console::print_line(connection.text());
            ExitCode::Done
        }
        (None, None) => ExitCode::Refused,
    };
    let holds = connection.as_ref().is_none_or(ConnectionCheck::holds);
    Ok(if holds { exit } else { ExitCode::Refused })
}

/// Reads a whole file of orders and reports what is wrong with it.
fn check_file(
    path: &Path,
    options: Layer,
    env: &Env,
    connection: Option<&ConnectionCheck>,
) -> anyhow::Result<ExitCode> {
    let settings = CheckSettings::load(options, env)?;
    let mut input = Input::open(path, &std::env::temp_dir())?;
    input.expect(&settings.input.expected, path)?;
    let columns = input.columns(&run_input::read_options(&settings.input))?;
    if !settings.input.as_orders {
        rerun::refuse_results(&input, &columns)?;
    }
    let column_report = ColumnReport::new(&input, &columns, false)?;
    let mut bad_rows = Vec::new();
    let summary = scan_each_invalid(&input, &columns, None, |bad| {
        if settings.json {
            bad_rows.push(InvalidRowJson::from(bad));
        } else if !settings.quiet {
            console::print_line(bad_row_text(&bad));
        }
    })?;
    input.refuse_other_rows(summary.rows.into())?;
    if !settings.json && !settings.quiet {
        let same = summary.duplicates.iter();
        same.for_each(|(row, first)| {
            console::print_line(format_args!(
                "row {row}: DUPLICATE: the same order as row {first}"
            ));
        });
    }
    let record = check_ledger(&settings, &input, &columns, &summary)?;
    let (now, settings) = (Timestamp::now(), &settings);
    let input = &input;
    let summary = &summary;
    let report = Report { input, summary, settings, column_report, record, connection, now };
    let outlook = report.outlook();
    if settings.json {
        console::print_line(report.json(bad_rows, &outlook)?);
    } else {
        console::print_line(report.text(&outlook).trim_end());
        if let Some(connection) = connection {
            console::print_line(connection.text());
        }
    }
    Ok(match outlook {
        _ if report.too_many().is_some() => ExitCode::Refused,
        Outlook::Passed(..) => ExitCode::Refused,
        Outlook::TooLate(..) if !settings.allow_partial => ExitCode::Refused,
        _ if summary.invalid > 0 => ExitCode::Failures,
        _ => ExitCode::Done,
    })
}

/// Whether a run that starts when it next may is done before the cut-off.
enum Outlook {
    /// There is no cut-off.
    Open,
    /// It is, before this time.
    InTime(Timestamp),
    /// It is not, before this time, and why.
    TooLate(Timestamp, String),
    /// The cut-off has passed, with the message about it.
    Passed(Timestamp, String),
}

impl Outlook {
    fn cut_off(&self) -> Option<Timestamp> {
        match self {
            Outlook::Open => None,
            Outlook::InTime(at) | Outlook::TooLate(at, _) | Outlook::Passed(at, _) => Some(*at),
        }
    }
}

fn bad_row_text(bad: &InvalidRow) -> String {
    format!("line {}, row {}: {}: {}", bad.line, bad.row, bad.error.code, bad.error.message)
}

/// What was found, for programs.
#[derive(Serialize)]
struct CheckReport<'a> {
    input: &'a str,
    input_sha256: String,
    rows: u32,
    to_send: u64,
    known: KnownSummary,
    columns: &'a ColumnReport,
    duplicates: usize,
    invalid: u32,
    priorities: Option<PriorityTotals>,
    rate: String,
    seconds: Option<f64>,
    start_window: Option<String>,
    starts_at: String,
    cut_off: Option<String>,
    cut_off_at: Option<String>,
    meets_cut_off: Option<bool>,
    max_rows: Option<u64>,
    blank: u32,
    warnings: Vec<String>,
    missing_secrets: &'a [String],
    bad_rows: Vec<InvalidRowJson>,
    duplicate_rows: Vec<DuplicateRow>,
    connection: Option<serde_json::Value>,
}

/// A row that is not sent for what stands in it.
#[derive(Serialize)]
struct InvalidRowJson {
    line: u64,
    row: u32,
    error_code: String,
    message: String,
}

impl From<InvalidRow> for InvalidRowJson {
    fn from(bad: InvalidRow) -> InvalidRowJson {
        let InvalidRow { line, row, error } = bad;
        InvalidRowJson {
            line,
            row: row.0,
            error_code: error.code.to_string(),
            message: error.message,
        }
    }
}

/// A row with the order of an earlier one.
#[derive(Serialize)]
struct DuplicateRow {
    row: u32,
    first: u32,
}

/// How many rows there are of each priority.
#[derive(Serialize)]
struct PriorityTotals {
    first: Vec<PriorityTotal>,
    others: u32,
    none: u32,
}

#[derive(Serialize)]
struct PriorityTotal {
    priority: i32,
    rows: u32,
}

impl From<&PriorityCounts> for PriorityTotals {
    fn from(priorities: &PriorityCounts) -> PriorityTotals {
        let PriorityCounts { first, others, none } = priorities;
        let first =
            first.iter().map(|(priority, rows)| PriorityTotal { priority: *priority, rows: *rows });
        PriorityTotals { first: first.collect(), others: *others, none: *none }
    }
}

struct Report<'a> {
    input: &'a Input,
    summary: &'a InputSummary,
    settings: &'a CheckSettings,
    column_report: ColumnReport,
    record: LedgerCheck,
    connection: Option<&'a ConnectionCheck>,
    now: Timestamp,
}

impl Report<'_> {
    fn to_send(&self) -> u64 {
        self.record.to_send(self.summary)
    }

    /// When a run may start: now, or when the hours for that begin.
    fn starts_at(&self) -> Timestamp {
        match &self.settings.start_window {
            Some(window) if !window.contains(self.now) => window.opens(self.now),
            _ => self.now,
        }
    }

    fn outlook(&self) -> Outlook {
        let CheckSettings { rates, timeout, .. } = self.settings;
        let (starts_at, run) = (self.starts_at(), self.record.run());
        if run.is_some_and(Run::has_ended) {
            // It is only reported.
            return Outlook::Open;
        }
        let given = self.settings.cut_off.as_ref();
        let opened_at = run.map(|run| run.opened.opened_at);
        let due = given.map(|given| estimate::due(given, *timeout, opened_at, starts_at));
        let before = run.and_then(|run| estimate::passed_before(run, given, *timeout, starts_at));
        match (given, due, before) {
            (Some(cut_off), Some(Due::Passed(at)), _) => {
                Outlook::Passed(at, estimate::has_passed(cut_off, at, starts_at))
            }
            (_, _, Some(at)) => {
                Outlook::Passed(at, estimate::has_passed_before(at, given, starts_at))
            }
            (_, Some(Due::Ahead(at)), None) => {
                let last_start = estimate::last_start(at, *timeout);
                match estimate::too_late(self.to_send(), rates, last_start, starts_at) {
                    Some(why) => Outlook::TooLate(at, why),
                    None => Outlook::InTime(at),
                }
            }
            _ => Outlook::Open,
        }
    }

    /// The cut-off for people.
    fn on_the_clock(&self, at: Timestamp) -> String {
        let zone = self.settings.cut_off.as_ref().map_or(TimeZone::UTC, CutOff::zone);
        estimate::on_the_clock(at, zone, self.now)
    }

    fn too_many(&self) -> Option<String> {
        estimate::too_many(self.to_send(), self.settings.max_rows)
    }

    fn text(&self, outlook: &Outlook) -> String {
        let Report { summary, column_report, .. } = self;
        let mut text = format!("{}: {}\n", self.input.name(), rows(summary.rows.into()));
        let _ = writeln!(text, "Columns: {}", column_report.columns());
        let _ = writeln!(text, "First order: {}", column_report.first_order());
        if let Some(replaced) = column_report.replaced() {
            let _ = writeln!(text, "Not carried over: {replaced}");
        }
        let _ = writeln!(text, "{}", self.record.text(summary));
        let mut line = |number: u64, what: &str| {
            let _ = writeln!(text, "  {:>11} {what}", human_count(number));
        };
        line(self.to_send(), "to send");
        let not_again = u64::from(summary.to_send).saturating_sub(self.to_send());
        if not_again > 0 {
            line(not_again, "sent or cancelled before, and not sent again");
        }
        line(summary.duplicates.len() as u64, "with the same order as an earlier row");
        line(summary.invalid.into(), "invalid");
        for (code, number) in &summary.invalid_by_code {
            line((*number).into(), &format!("  {code}"));
        }
        if summary.blank > 0 {
            let blank = plural(summary.blank.into(), "line", "lines");
            let _ = writeln!(text, "Skipped: {blank} with nothing in any field");
        }
        summary.warnings.iter().for_each(|warning| {
            let _ = writeln!(text, "WARNING: {warning}");
        });
        if let Some(PriorityCounts { first, others, none }) = &summary.priorities {
            let _ = writeln!(text, "By priority, the smallest first:");
            let mut line = |rows: u32, what: &str| {
                let _ = writeln!(text, "  {:>11} {what}", human_count(rows.into()));
            };
            first.iter().for_each(|(priority, rows)| line(*rows, &format!("with {priority}")));
            if *others > 0 {
                line(*others, "with larger numbers");
            }
            line(*none, "without a valid priority, sent last");
        }
        let rates = &self.settings.rates;
        if !rates.is_unlimited() {
            let time = human_duration(rates.time_for(self.to_send()));
            let _ = writeln!(text, "At {rates} this takes {time}");
        }
        if let Some(window) = &self.settings.start_window
            && self.starts_at() != self.now
        {
            let opens = estimate::on_the_clock(self.starts_at(), window.zone(), self.now);
            let _ = writeln!(text, "A run can only be started within {window}, next at {opens}");
        }
        match outlook {
            Outlook::Open => {}
            Outlook::InTime(at) => {
                let when = self.on_the_clock(*at);
                let _ = writeln!(text, "All rows can be sent before the cut-off {when}");
            }
            Outlook::TooLate(at, why) => {
                let when = self.on_the_clock(*at);
                let _ = writeln!(text, "NOT ALL ROWS CAN BE SENT before the cut-off {when}: {why}");
            }
            Outlook::Passed(_, why) => {
                let _ = writeln!(text, "IT WOULD BE REFUSED: {why}");
            }
        }
        // Those who check a file often have not the secrets of those who run it.
        if let missing @ [_, ..] = &self.settings.missing_secrets[..] {
            let names = missing.join(", ");
            let _ = writeln!(text, "NOT SET here: {names}, without which a run is refused");
        }
        if let Some(why) = self.too_many() {
            let _ = writeln!(text, "IT WOULD BE REFUSED: {why}");
        }
        text
    }

    fn json(&self, bad_rows: Vec<InvalidRowJson>, outlook: &Outlook) -> anyhow::Result<String> {
        let Report { input, summary, settings, column_report, .. } = self;
        let same = summary.duplicates.iter();
        let seconds = settings.rates.time_for(self.to_send()).as_secs_f64();
        Ok(serde_json::to_string(&CheckReport {
            input: input.name(),
            input_sha256: input.digest()?.to_string(),
            rows: summary.rows,
            to_send: self.to_send(),
            known: self.record.summary(),
            columns: column_report,
            duplicates: summary.duplicates.len(),
            invalid: summary.invalid,
            priorities: summary.priorities.as_ref().map(PriorityTotals::from),
            rate: settings.rates.to_string(),
            seconds: (!settings.rates.is_unlimited()).then_some(seconds),
            start_window: settings.start_window.as_ref().map(ToString::to_string),
            starts_at: self.starts_at().to_string(),
            cut_off: settings.cut_off.as_ref().map(ToString::to_string),
            cut_off_at: outlook.cut_off().map(|at| at.to_string()),
            meets_cut_off: match outlook {
                Outlook::Open => None,
                Outlook::InTime(_) => Some(true),
                Outlook::TooLate(..) | Outlook::Passed(..) => Some(false),
            },
            max_rows: settings.max_rows,
            blank: summary.blank,
            warnings: summary.warnings.iter().map(ToString::to_string).collect(),
            missing_secrets: &settings.missing_secrets,
            bad_rows,
            duplicate_rows: same
                .map(|(row, first)| DuplicateRow { row: row.0, first: first.0 })
                .collect(),
            connection: self.connection.map(ConnectionCheck::json),
        })?)
    }
}
