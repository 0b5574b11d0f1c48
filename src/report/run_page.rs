//! The page of one run.

use std::time::Duration;

use askama::Template;
use jiff::Timestamp;

use super::chart::{Band, Chart, Mark, latency_chart, percent, rate_chart, width_text};
use super::error_codes::CodeLine;
use super::exceptions::ExceptionLine;
use super::report_facts::ReportFacts;
use super::seal_check::SealVerdict;
use super::text::{digest, ends, latency, rate, safe, share, time, time_of};
use super::time_line::QUANTILES;
use super::verdict::{ReportVerdict, asks};
use crate::config::changed_settings;
use crate::ledger::{EventRecord, StartRecord};
use crate::model::Status;
use crate::output::{grouped, human_count, human_duration, plural, rows};

/// The longest name, reason or setting that is shown, in bytes.
const TEXT_BYTES: usize = 200;

/// The most events and starts that are shown, of the first and of the last.
const SHOWN_EVENTS: usize = 50;
const SHOWN_STARTS: usize = 20;

/// The most settings, results files and earlier runs that are shown.
const SHOWN_SETTINGS: usize = 80;
const SHOWN_FILES: usize = 10;

/// What is closer together than this in a chart, of a width of 1000, is one mark.
const LEAST_GAP: f64 = 8.0;

/// The page of one run.
#[derive(Template)]
#[template(path = "run.html", config = "src/report/askama.toml")]
pub(super) struct RunPage {
    title: String,
    is_rehearsal: bool,
    program: &'static str,
    run: String,
    verdict: ReportVerdict,
    facts: Vec<Fact>,
    counts: Vec<CountLine>,
    total: String,
    charts: Vec<Chart>,
    numbers: Vec<NumberLine>,
    numbers_width: String,
    codes: Vec<CodeLine>,
    codes_left_out: String,
    doubts: Vec<String>,
    events: Vec<EventLine>,
    events_left_out: String,
    last_events: Vec<EventLine>,
    exceptions: Vec<ExceptionLine>,
    exceptions_in_all: u64,
    exceptions_said: String,
    starts: Vec<StartLine>,
    starts_left_out: String,
    last_starts: Vec<StartLine>,
    settings: Vec<SettingsBlock>,
    settings_left_out: String,
    seal: Option<SealView>,
}

/// A name and what it stands for.
struct Fact {
    name: &'static str,
    value: String,
    /// Whether a server or a person wrote it.
    is_text: bool,
}

/// The rows of a status.
struct CountLine {
    status: String,
    rows: String,
    share: String,
    meaning: &'static str,
    asks: &'static str,
    is_part: bool,
}

/// The numbers of a bucket.
struct NumberLine {
    at: String,
    sent: u64,
    rate: String,
    quantiles: [String; 3],
    lost: u64,
}

/// An event.
struct EventLine {
    at: String,
    kind: String,
    detail: String,
}

/// A start.
struct StartLine {
    number: i64,
    who: String,
    host: String,
    from: String,
    to: String,
    end: String,
    calls: String,
    rates: String,
    why: String,
}

/// The settings of a configuration.
struct SettingsBlock {
    digest: String,
    settings: Vec<(String, String)>,
}

/// The seal.
struct SealView {
    number: u64,
    receipt: String,
    groups: String,
    text: String,
    class: &'static str,
    said: String,
}

impl RunPage {
    /// The page of these facts, of which it takes the longest lists.
    pub fn new(mut facts: ReportFacts, is_rehearsal: bool) -> RunPage {
        let (bands, marks) = (bands(&facts), marks(&facts));
        let mut charts = Vec::new();
        if facts.sent > 0 {
            charts.push(rate_chart(&facts.series, facts.contract, bands, marks));
            let (bands, marks) = (self::bands(&facts), self::marks(&facts));
            charts.extend(latency_chart(&facts.series, bands, marks));
        }
        let run = safe(facts.run.id(), TEXT_BYTES);
        let (events, events_left, last_events) =
            ends(std::mem::take(&mut facts.events), SHOWN_EVENTS);
        let starts: Vec<StartLine> =
            facts.starts.iter().map(|start| start_line(start, &facts)).collect();
        let (starts, starts_left, last_starts) = ends(starts, SHOWN_STARTS);
        let (settings, settings_left_out) = settings(&facts, &run);
        let event_lines = |events: Vec<EventRecord>| events.iter().map(event_line).collect();
        let mut page = RunPage {
            title: format!("Run {run}"),
            is_rehearsal,
            program: concat!("cardcancel ", env!("CARGO_PKG_VERSION")),
            verdict: ReportVerdict::new(&facts.run, &facts.counts),
            facts: facts_of(&facts),
            counts: count_lines(&facts),
            total: human_count(facts.counts.total()),
            numbers: number_lines(&facts),
            numbers_width: width_text(facts.series.width),
            charts,
            codes: Vec::new(),
            codes_left_out: String::new(),
            doubts: doubts(&facts),
            events: event_lines(events),
            events_left_out: left_out(events_left, "event", "events", &run),
            last_events: event_lines(last_events),
            exceptions: Vec::new(),
            exceptions_in_all: 0,
            exceptions_said: String::new(),
            starts,
            starts_left_out: left_out(starts_left, "start", "starts", &run),
            last_starts,
            settings,
            settings_left_out,
            seal: facts.seal.as_ref().map(seal_view),
            run,
        };
        let (codes, codes_left, rows_left) = facts.codes;
        if rows_left > 0 {
            page.codes_left_out = format!(
                "{} with {} are not shown: data/rows.csv of the export has all.",
                rows(rows_left),
                match codes_left {
                    0 => "other codes".to_owned(),
                    left => format!("{} or more other codes", human_count(left as u64)),
                }
            );
        }
        page.codes = codes;
        let (exceptions, in_all) = facts.exceptions;
        page.exceptions_in_all = in_all;
        page.set_exceptions(exceptions, in_all);
        page
    }

    fn set_exceptions(&mut self, exceptions: Vec<ExceptionLine>, in_all: u64) {
        let shown = exceptions.len() as u64;
        self.exceptions_said = if shown < in_all {
            format!(
                "The first {} of {}, the most urgent first. All are in the results file, which `cardcancel results {run}` writes again, and in data/exceptions.csv of `cardcancel export {run} -o DIR`.",
                human_count(shown),
                rows(in_all),
                run = self.run
            )
        } else {
            format!("{}, the most urgent first.", rows(in_all))
        };
        self.exceptions = exceptions;
    }

    /// The page, with fewer exceptions if it would otherwise take more bytes than this.
    ///
    /// # Errors
    /// If the template fails, which it does not.
    pub fn render_within(mut self, longest: usize) -> anyhow::Result<String> {
        let in_all = self.exceptions_in_all;
        loop {
            let page = self.render()?;
            if page.len() <= longest || self.exceptions.is_empty() {
                return Ok(page);
            }
            let mut exceptions = std::mem::take(&mut self.exceptions);
            exceptions.truncate(exceptions.len() / 2);
            self.set_exceptions(exceptions, in_all);
        }
    }
}

/// What was left out between the first and the last, and where it is.
fn left_out(number: usize, one: &str, many: &str, run: &str) -> String {
    match number {
        0 => String::new(),
        number => format!(
            "{} between these are not shown: `cardcancel runs {run}` lists them all.",
            plural(number as u64, one, many)
        ),
    }
}

fn facts_of(facts: &ReportFacts) -> Vec<Fact> {
    let opened = &facts.run.opened;
    let mut list = Vec::new();
    let mut add = |name, value: String| list.push(Fact { name, value, is_text: false });
    add("Created", time(opened.opened_at));
    match (&facts.run.stop, facts.run.has_ended()) {
        (_, true) => add("Came to rest", "ended: every row has its status".to_owned()),
        (Some(stop), _) => add("Came to rest", format!("stopped: {}", safe(stop, 60))),
        (None, _) => add("Came to rest", "interrupted: its process died".to_owned()),
    }
    let first = facts.starts.first().map(|start| start.started_at);
    if let (Some(first), Some(last)) = (first, facts.finished_at()) {
        add("Finished", time(last));
        let took = last.as_millisecond() - first.as_millisecond();
        if let Ok(took) = u64::try_from(took) {
            add("From start to end", human_duration(Duration::from_millis(took)));
        }
    }
    if let Some(cut_off) = facts.run.cut_off {
        add("No call after", time(cut_off));
    }
    add("Calls", calls_text(facts));
    let quantiles = facts
        .latencies
        .as_ref()
        .map(|latencies| QUANTILES.map(|(_, share)| latencies.quantile(share).map(latency)));
    if let Some([Some(a), Some(b), Some(c)]) = quantiles {
        add("Latency p50, p95, p99", format!("{a}, {b}, {c}"));
    }
    if let Some(most) = facts.series.busiest_second.filter(|most| *most > 0) {
        let contract = facts.starts.iter().rev().find_map(|start| start.rates.as_deref());
        let contract =
            contract.map_or_else(String::new, |rates| format!("; contract {}", safe(rates, 60)));
        add("Most calls in a second", format!("{}{contract}", human_count(most.into())));
    }
    let mut add = |name, value: &str| {
        list.push(Fact { name, value: safe(value, TEXT_BYTES), is_text: true });
    };
    add("Command", &opened.command);
    add("Input", &opened.input_name);
    add("Address", &opened.endpoint);
    add("Program", &opened.program);
    list.push(Fact { name: "Input SHA-256", value: digest(&opened.input_digest), is_text: false });
    let results =
        facts.results.iter().filter(|(mark, _)| mark.parse::<crate::hash::Digest>().is_ok());
    for (mark, path) in results.take(SHOWN_FILES) {
        list.push(Fact { name: "Results", value: safe(path, TEXT_BYTES), is_text: true });
        list.push(Fact { name: "Results SHA-256", value: digest(mark), is_text: false });
    }
    for id in facts.continues.iter().take(SHOWN_FILES) {
        list.push(Fact {
            name: "Sends again the rows of",
            value: format!("run {}", safe(id, TEXT_BYTES)),
            is_text: true,
        });
    }
    list
}

fn calls_text(facts: &ReportFacts) -> String {
    let mut text = human_count(facts.attempts);
    if facts.unsent > 0 {
        text.push_str(&format!(", of which {} sent nothing", human_count(facts.unsent)));
    }
    if facts.in_flight > 0 {
        text.push_str(&format!(", {} without an end", human_count(facts.in_flight)));
    }
    text
}

fn count_lines(facts: &ReportFacts) -> Vec<CountLine> {
    let counts = &facts.counts;
    let mut lines = Vec::new();
    for (status, rows) in counts.iter() {
        let (meaning, what) = asks(status, false);
        lines.push(CountLine {
            status: status.to_string(),
            rows: human_count(rows),
            share: share(rows, counts.total()),
            meaning,
            asks: what,
            is_part: false,
        });
        let with_doubt = counts.rejected_with_doubt();
        if status == Status::Rejected && with_doubt > 0 {
            let (meaning, what) = asks(status, true);
            lines.push(CountLine {
                status: "of these, with doubt".to_owned(),
                rows: human_count(with_doubt),
                share: share(with_doubt, counts.total()),
                meaning,
                asks: what,
                is_part: true,
            });
        }
    }
    lines
}

fn number_lines(facts: &ReportFacts) -> Vec<NumberLine> {
    let width = facts.series.width;
    let line = |(at, bucket): (i64, Option<&super::time_line::TimeBucket>)| {
        let bucket = bucket?;
        let of = |(_, share): (&str, f64)| {
            let latencies = bucket.latencies.as_ref();
            latencies
                .and_then(|latencies| latencies.quantile(share))
                .map_or_else(String::new, latency)
        };
        Some(NumberLine {
            at: time_of(at, "%Y-%m-%d %H:%M:%S"),
            sent: bucket.sent,
            rate: rate(bucket.sent as f64 / width as f64),
            quantiles: QUANTILES.map(of),
            lost: bucket.lost,
        })
    };
    facts.series.pieces().flatten().filter_map(line).collect()
}

fn doubts(facts: &ReportFacts) -> Vec<String> {
    let mut said = Vec::new();
    if facts.lost > 0 {
        said.push(format!(
            "{} got no answer that can be trusted: CoreCARD may have cancelled the order or not.",
            plural(facts.lost, "call", "calls")
        ));
    }
    if facts.in_flight > 0 {
        said.push(format!(
            "{} recorded without an end: the process died while waiting for the answer.",
            plural(facts.in_flight, "call is", "calls are")
        ));
    }
    for (status, number) in &facts.doubts {
        let what = match status {
            Status::Cancelled => "CoreCARD confirmed the order later. Nothing is left to do.",
            Status::AlreadyCancelled => {
                "CoreCARD answered later that the order was cancelled before. Nothing is left to do."
            }
            Status::Rejected => asks(Status::Rejected, true).1,
            Status::Duplicate => "The earlier row with the same order decides.",
            _ => asks(Status::InDoubt, true).1,
        };
        said.push(format!("{} {status} after an answer was lost: {what}", rows(*number)));
    }
    said
}

fn event_line(event: &EventRecord) -> EventLine {
    EventLine {
        at: time(event.at),
        kind: safe(&event.kind, 40),
        detail: safe(&event.detail, TEXT_BYTES),
    }
}

fn start_line(start: &StartRecord, facts: &ReportFacts) -> StartLine {
    let (who, host) = match &start.by {
        Some(by) => {
            let unit =
                if by.unit.is_empty() { String::new() } else { format!(", unit {}", by.unit) };
            (format!("{}{unit}", by.user_text()), by.host.as_str())
        }
        None => (start.worker.clone(), ""),
    };
    let purpose = &start.purpose;
    let why = [
        ("", &purpose.reason),
        ("requested by ", &purpose.requested_by),
        ("ticket ", &purpose.ticket),
    ];
    let why: Vec<String> = why
        .into_iter()
        .filter_map(|(name, text)| Some(format!("{name}{}", text.as_ref()?)))
        .collect();
    let calls = facts.attempts_by_start.get(&start.number).copied().unwrap_or_default();
    StartLine {
        number: start.number,
        who: safe(&who, TEXT_BYTES),
        host: safe(host, 80),
        from: time(start.started_at),
        to: start.finished_at.map_or_else(String::new, time),
        end: match (&start.finished_at, &start.stop) {
            (None, _) => "died".to_owned(),
            (_, Some(stop)) => safe(stop, 60),
            (_, None) => "finished".to_owned(),
        },
        calls: human_count(calls),
        rates: safe(start.rates.as_deref().unwrap_or_default(), 60),
        why: safe(&why.join(", "), 2 * TEXT_BYTES),
    }
}

fn settings(facts: &ReportFacts, run: &str) -> (Vec<SettingsBlock>, String) {
    let mut blocks = Vec::new();
    let (mut shown, mut left) = (0, 0);
    for (digest, text) in &facts.configurations {
        let changed = changed_settings(text);
        let take = changed.len().min(SHOWN_SETTINGS - shown);
        left += changed.len() - take;
        shown += take;
        if take == 0 && !changed.is_empty() {
            continue;
        }
        let settings = changed.into_iter().take(take);
        blocks.push(SettingsBlock {
            digest: self::digest(digest),
            settings: settings
                .map(|(name, value)| (safe(&name, 80), safe(&value, TEXT_BYTES)))
                .collect(),
        });
    }
    let left_out = match left {
        0 => String::new(),
        left => format!(
            "{} not shown: `cardcancel runs {run}` has all.",
            plural(left as u64, "setting is", "settings are")
        ),
    };
    (blocks, left_out)
}

fn seal_view(seal: &super::seal_check::SealCheck) -> SealView {
    let (class, said) = match &seal.verdict {
        SealVerdict::Unchanged => (
            "good",
            "The rows, attempts and events that this page was made from are those that the seal states. Whether the seal itself was made anew, only a copy of this number kept elsewhere shows.".to_owned(),
        ),
        SealVerdict::Older => (
            "look",
            "The run went on after it was sealed, and what came later is not sealed yet.".to_owned(),
        ),
        SealVerdict::Altered(what) => (
            "act",
            format!("ALTERED: {} differ from what was sealed. Run `cardcancel verify`.", what.join(", ")),
        ),
    };
    SealView {
        number: seal.number,
        receipt: match seal.receipt_bytes {
            None => String::new(),
            Some(bytes) => format!(
                "A receipt for it of {} is recorded, and in the export.",
                plural(bytes, "byte", "bytes")
            ),
        },
        groups: grouped(&seal.digest.to_string()),
        text: seal.text.clone(),
        class,
        said,
    }
}

/// The outages, as bands in a chart. Those that touch are one.
fn bands(facts: &ReportFacts) -> Vec<Band> {
    let mut open: Vec<(Option<i64>, Timestamp)> = Vec::new();
    let mut outages: Vec<(Timestamp, Timestamp)> = Vec::new();
    for event in &facts.events {
        match event.kind.as_str() {
            "outage_began" => open.push((event.start, event.at)),
            // Whatever ends the work of a process ends its outage.
            "outage_ended" | "stopped" | "finished" => {
                open.retain(|(start, began)| {
                    let ends = *start == event.start;
                    if ends {
                        outages.push((*began, event.at));
                    }
                    !ends
                });
            }
            _ => {}
        }
    }
    outages.sort_unstable();
    let axis = &facts.series.axis;
    let x = |at: Timestamp| axis.x(at.as_millisecond() as f64 / 1_000.0);
    let last = axis.pieces().last().map_or(0.0, |piece| axis.x(piece.to as f64));
    let placed = outages.iter().map(|(from, to)| (x(*from), x(*to), (*from, *to)));
    let unended = open.iter().map(|(_, from)| (x(*from), last, (*from, *from)));
    let mut joined: Vec<(f64, f64, u32, (Timestamp, Timestamp))> = Vec::new();
    for (from, to, times) in placed.chain(unended) {
        let to = to.max(from + 2.0);
        match joined.last_mut() {
            Some((_, end, number, last_times)) if from <= *end + LEAST_GAP => {
                *end = end.max(to);
                *number += 1;
                last_times.1 = last_times.1.max(times.1);
            }
            _ => joined.push((from, to, 1, times)),
        }
    }
    let band = |(from, to, number, times): (f64, f64, u32, (Timestamp, Timestamp))| Band {
        x: percent(from),
        width: percent(to - from),
        title: format!(
            "{} from {} to {}",
            plural(number.into(), "outage", "outages"),
            time(times.0),
            time(times.1)
        ),
    };
    joined.into_iter().map(band).collect()
}

/// The events that are no outages, as marks in a chart. Those at the same place are one.
fn marks(facts: &ReportFacts) -> Vec<Mark> {
    let axis = &facts.series.axis;
    let mut placed: Vec<(f64, String, u32)> = Vec::new();
    let mut events = facts.events.iter().filter(|event| !is_no_mark(&event.kind));
    // The first start begins the axis.
    let first = facts.events.iter().find(|event| event.kind == "started").map(|event| event.at);
    for event in events.by_ref().filter(|event| event.kind != "started" || Some(event.at) != first)
    {
        let x = axis.x(event.at.as_millisecond() as f64 / 1_000.0);
        match placed.last_mut() {
            Some((last, _, number)) if x - *last < LEAST_GAP => *number += 1,
            _ => placed.push((x, format!("{} {}", safe(&event.kind, 40), time(event.at)), 0)),
        }
    }
    let mark = |(x, title, more): (f64, String, u32)| Mark {
        x: percent(x),
        title: if more == 0 { title } else { format!("{title}, and {more} more") },
    };
    placed.into_iter().map(mark).collect()
}

fn is_no_mark(kind: &str) -> bool {
    matches!(kind, "opened" | "finished" | "outage_began" | "outage_ended" | "sealed_late")
}
