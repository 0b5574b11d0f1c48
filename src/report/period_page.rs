//! The page of the runs of some days: one line for each run, and trends.

use std::time::Duration;

use askama::Template;
use jiff::civil::Date;

use super::chart::{
    Chart, DecadeScale, KeyEntry, QUANTILE_STYLES, Shape, XTick, YTick, linear_scale, percent, y,
};
use super::text::{latency, safe, share};
use super::time_axis::PLOT_WIDTH;
use super::time_line::{Latencies, QUANTILES};
use super::verdict::{ReportGrade, ReportVerdict};
use crate::ledger::{Ledger, Run};
use crate::model::{Counts, Status};
use crate::output::{human_count, human_duration, plural};

/// The most runs that are shown, the newest ones.
const MAX_RUNS: usize = 200;

/// The longest name of an input that is shown, in bytes.
const NAME_BYTES: usize = 80;

/// The least distance of two labels under a chart.
const LABEL_DISTANCE: f64 = 200.0;

/// Days in UTC: from the first on, and before the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportPeriod {
    /// The first day.
    pub since: Date,
    /// The day before which it ends; `None` if it has no end.
    pub until: Option<Date>,
}

/// A run of the period.
#[derive(Debug, Clone)]
pub struct ReportedRun {
    /// The run.
    pub run: Run,
    /// Its open rows that tell how their orders stand: the others, later runs or evidence have
    /// decided.
    pub open: Counts,
}

impl ReportedRun {
    /// Whether later runs or evidence have decided all that it left open.
    fn is_settled(&self, counts: &Counts) -> bool {
        let open = [Status::Failed, Status::InDoubt, Status::NotSent];
        let left = open.into_iter().map(|status| counts.get(status)).sum::<u64>();
        self.open.total() == 0 && left + counts.rejected_with_doubt() > 0
    }
}

/// The page of the runs of some days.
#[derive(Template)]
#[template(path = "period.html", config = "src/report/askama.toml")]
struct PeriodPage {
    title: String,
    is_rehearsal: bool,
    program: &'static str,
    period: String,
    grade: ReportGrade,
    sentence: String,
    totals: Vec<(&'static str, String)>,
    charts: Vec<Chart>,
    runs: Vec<PeriodLine>,
    runs_left_out: String,
    has_unsealed: bool,
}

/// A run.
struct PeriodLine {
    at: String,
    run: String,
    input: String,
    grade: ReportGrade,
    end: String,
    rows: String,
    cancelled: String,
    left: String,
    in_doubt: String,
    calls: String,
    took: String,
    p95: String,
    seal: String,
}

/// What is read of a run.
struct RunSummary<'r> {
    run: &'r Run,
    counts: Counts,
    /// Its open rows that tell how their orders stand.
    open: Counts,
    verdict: ReportVerdict,
    /// Whether later runs or evidence have decided all that it left open.
    is_settled: bool,
    took: Option<Duration>,
    quantiles: Option<[u64; 3]>,
    seal: Option<u64>,
}

impl<'r> RunSummary<'r> {
    /// A run whose rows have these statuses.
    fn new(reported: &'r ReportedRun, counts: Counts) -> RunSummary<'r> {
        let ReportedRun { run, open } = reported;
        let mut verdict = ReportVerdict::new(run, &counts);
        let is_settled = reported.is_settled(&counts);
        if is_settled {
            let final_ones = counts.get(Status::Rejected) - counts.rejected_with_doubt();
            let is_clear = final_ones + counts.get(Status::Invalid) == 0;
            verdict.grade = if is_clear { ReportGrade::Good } else { ReportGrade::Look };
            verdict.end = "settled since".to_owned();
        }
        let open = *open;
        RunSummary {
            run,
            counts,
            open,
            verdict,
            is_settled,
            took: None,
            quantiles: None,
            seal: None,
        }
    }

    /// Its orders by how certain it is that they are cancelled: cancelled, not, in doubt.
    fn parts(&self) -> [u64; 3] {
        let of = |status| self.counts.get(status);
        let cancelled = of(Status::Cancelled) + of(Status::AlreadyCancelled);
        let in_doubt = self.counts.in_doubt();
        let left = self.counts.total() - of(Status::Duplicate) - cancelled - in_doubt;
        [cancelled, left, in_doubt]
    }
}

/// The page of these runs, oldest first, which are those of the period.
///
/// # Errors
/// If the ledger cannot be read.
pub fn report_period(
    ledger: &mut dyn Ledger,
    runs: &[ReportedRun],
    period: ReportPeriod,
    is_rehearsal: bool,
) -> anyhow::Result<String> {
    let left_out = runs.len().saturating_sub(MAX_RUNS);
    let (older, shown) = runs.split_at(left_out);
    let mut summaries = Vec::with_capacity(shown.len());
    for run in shown {
        summaries.push(summary(ledger, run)?);
    }
    let older: Vec<RunSummary<'_>> = older.iter().map(without_rows).collect();
    Ok(PeriodPage::new(&older, &summaries, period, is_rehearsal).render()?)
}

/// Reads a run: its rows, how long its calls took, and its seal.
fn summary<'r>(
    ledger: &mut dyn Ledger,
    reported: &'r ReportedRun,
) -> anyhow::Result<RunSummary<'r>> {
    let run = &reported.run;
    let mut counts = Counts::default();
    let mut latencies = Latencies::new();
    ledger.rows_with_attempts(run, &mut |row, attempts| {
        counts.add_row(row.status, row.doubt);
        if let Some(latencies) = &mut latencies {
            attempts.iter().for_each(|attempt| latencies.add(attempt));
        }
        Ok(())
    })?;
    let starts = ledger.starts(run)?;
    let last = starts.last().map(|start| start.number);
    let seal = ledger.last_seal(run)?;
    // A seal that covers fewer starts says nothing of what the later ones did.
    let seal = seal.filter(|seal| last.is_some_and(|last| seal.start >= last));
    let quantiles = latencies.and_then(|latencies| {
        let [a, b, c] = QUANTILES.map(|(_, share)| latencies.quantile(share));
        Some([a?, b?, c?])
    });
    let first = starts.first().map(|start| start.started_at);
    let took = first.zip(run.finished_at).and_then(|(from, to)| {
        let took = to.as_millisecond() - from.as_millisecond();
        u64::try_from(took).ok().map(Duration::from_millis)
    });
    let seal = seal.map(|seal| seal.number);
    Ok(RunSummary { took, quantiles, seal, ..RunSummary::new(reported, counts) })
}

/// A run as far as it is known without its rows.
fn without_rows(reported: &ReportedRun) -> RunSummary<'_> {
    let mut counts = reported.run.counts;
    counts.add(Status::NotSent, reported.run.left());
    RunSummary::new(reported, counts)
}

impl PeriodPage {
    fn new(
        older: &[RunSummary<'_>],
        shown: &[RunSummary<'_>],
        period: ReportPeriod,
        is_rehearsal: bool,
    ) -> PeriodPage {
        let all = || older.iter().chain(shown);
        let runs = all().count() as u64;
        let graded = |grade| all().filter(|run| run.verdict.grade == grade).count() as u64;
        let is_only_settled =
            |run: &&RunSummary<'_>| run.is_settled && run.verdict.grade == ReportGrade::Good;
        let settled = all().filter(is_only_settled).count() as u64;
        let good = graded(ReportGrade::Good) - settled;
        let still_in_doubt = all().map(|run| run.open.in_doubt()).sum();
        let counts = all().fold(Counts::default(), |sum, run| sum.plus(run.counts));
        let [cancelled, left, in_doubt] = all()
            .map(RunSummary::parts)
            .fold([0; 3], |sum, parts| [sum[0] + parts[0], sum[1] + parts[1], sum[2] + parts[2]]);
        let orders = cancelled + left + in_doubt;
        let grade = all().map(|run| run.verdict.grade).max().unwrap_or(ReportGrade::Good);
        let period = match period.until {
            Some(until) => format!("From {} until before {until} (UTC)", period.since),
            None => format!("From {} on (UTC)", period.since),
        };
        let calls = all().map(|run| run.run.attempts).sum();
        let took: Duration = shown.iter().filter_map(|run| run.took).sum();
        let mut totals = vec![
            ("Runs", human_count(runs)),
            ("That went well", human_count(good)),
            ("Settled since", human_count(settled)),
            ("To look at", human_count(graded(ReportGrade::Look))),
            ("To act on", human_count(graded(ReportGrade::Act))),
            ("Orders", human_count(orders)),
            ("Cancelled", format!("{} ({})", human_count(cancelled), share(cancelled, orders))),
            ("Not cancelled", format!("{} ({})", human_count(left), share(left, orders))),
            ("In doubt", format!("{} ({})", human_count(in_doubt), share(in_doubt, orders))),
            ("Still in doubt", human_count(still_in_doubt)),
            ("Duplicate rows", human_count(counts.get(Status::Duplicate))),
            ("Calls", human_count(calls)),
        ];
        if took > Duration::ZERO {
            totals.push(("Time of all runs", human_duration(took)));
        }
        PeriodPage {
            title: format!("Cancellations: {period}"),
            is_rehearsal,
            program: concat!("cardcancel ", env!("CARGO_PKG_VERSION")),
            period,
            grade,
            sentence: sentence(
                runs,
                [good, settled, graded(ReportGrade::Look)],
                orders,
                still_in_doubt,
            ),
            totals,
            charts: charts(shown),
            runs: shown.iter().map(run_line).collect(),
            runs_left_out: match older.len() {
                0 => String::new(),
                left => format!(
                    "{} before these in the numbers above, and not shown: `cardcancel runs` lists all.",
                    plural(left as u64, "run is", "runs are")
                ),
            },
            has_unsealed: shown.iter().any(|run| run.seal.is_none()),
        }
    }
}

fn sentence(runs: u64, [good, settled, look]: [u64; 3], orders: u64, in_doubt: u64) -> String {
    let act = runs - good - settled - look;
    let mut text = match (runs, good) {
        (1, 1) => "The run went well.".to_owned(),
        (runs, good) if runs == good => {
            format!(
                "All {} runs went well: every order is cancelled ({}).",
                human_count(runs),
                human_count(orders)
            )
        }
        _ => format!("{} of {} went well.", human_count(good), plural(runs, "run", "runs")),
    };
    if settled > 0 {
        let was = if settled == 1 { "was" } else { "were" };
        text.push_str(&format!(
            " {} {was} settled since, by later runs or evidence.",
            human_count(settled)
        ));
    }
    if look > 0 {
        let are = if look == 1 { "is" } else { "are" };
        text.push_str(&format!(
            " {} {are} to look at: some orders were refused or never sent.",
            human_count(look)
        ));
    }
    if act > 0 {
        let are = if act == 1 { "is" } else { "are" };
        text.push_str(&format!(
            " {} {are} to act on: stopped early, or with orders in doubt.",
            human_count(act)
        ));
    }
    match in_doubt {
        0 => {}
        1 => text.push_str(" 1 order may or may not be cancelled."),
        many => {
            text.push_str(&format!(" {} orders may or may not be cancelled.", human_count(many)))
        }
    }
    text
}

fn run_line(of: &RunSummary<'_>) -> PeriodLine {
    let [cancelled, left, in_doubt] = of.parts();
    let or_dash = |number: u64| if number == 0 { "–".to_owned() } else { human_count(number) };
    let dash = || "–".to_owned();
    PeriodLine {
        at: of.run.opened.opened_at.strftime("%Y-%m-%d %H:%M").to_string(),
        run: safe(of.run.id(), NAME_BYTES),
        input: safe(&of.run.opened.input_name, NAME_BYTES),
        grade: of.verdict.grade,
        end: of.verdict.end.clone(),
        rows: human_count(of.counts.total()),
        cancelled: human_count(cancelled),
        left: or_dash(left),
        in_doubt: or_dash(in_doubt),
        calls: human_count(of.run.attempts),
        took: of.took.map_or_else(dash, took_text),
        p95: of.quantiles.map_or_else(dash, |[_, p95, _]| latency(p95)),
        seal: of.seal.map_or_else(dash, |number| number.to_string()),
    }
}

/// A duration, in little room.
fn took_text(took: Duration) -> String {
    if took < Duration::from_secs(1) { "< 1 s".to_owned() } else { human_duration(took) }
}

/// The parts of a bar: class, colour and meaning.
const PARTS: [(&str, &str, &str); 3] = [
    ("done", "#0b6e4f", "cancelled"),
    ("left", "#b45309", "not cancelled"),
    ("bad", "#b4232f", "in doubt"),
];

fn charts(runs: &[RunSummary<'_>]) -> Vec<Chart> {
    if runs.is_empty() {
        return Vec::new();
    }
    let slot = PLOT_WIDTH / runs.len() as f64;
    let mut charts = vec![orders_chart(runs, slot)];
    charts.extend(latency_chart(runs, slot));
    charts
}

/// The days under some of the runs.
fn x_ticks(runs: &[RunSummary<'_>], slot: f64) -> Vec<XTick> {
    let step = (LABEL_DISTANCE / slot).ceil().max(1.0) as usize;
    let tick = |(at, run): (usize, &RunSummary<'_>)| {
        let x = (at as f64 + 0.5) * slot;
        let anchor = if x < 40.0 {
            "start"
        } else if x > PLOT_WIDTH - 40.0 {
            "end"
        } else {
            "middle"
        };
        let label = run.run.opened.opened_at.strftime("%-d %b").to_string();
        XTick { x: percent(x), label, anchor }
    };
    runs.iter().enumerate().step_by(step).map(tick).collect()
}

fn orders_chart(runs: &[RunSummary<'_>], slot: f64) -> Chart {
    let parts: Vec<[u64; 3]> = runs.iter().map(RunSummary::parts).collect();
    let most = parts.iter().map(|parts| parts.iter().sum::<u64>()).max().unwrap_or_default();
    let (end, labels) = linear_scale(most as f64);
    let width = (slot * 0.76).min(60.0);
    let mut areas = Vec::new();
    for (at, parts) in parts.iter().enumerate() {
        let left = (at as f64 + 0.5) * slot - width / 2.0;
        let right = left + width;
        let mut below = 0;
        for ((class, colour, _), orders) in PARTS.into_iter().zip(parts) {
            if *orders == 0 {
                continue;
            }
            let bottom = y(below as f64 / end);
            below += orders;
            // What is not zero can be seen.
            let top = y(below as f64 / end).min(bottom - 1.5);
            let points = format!(
                "{left:.1},{bottom:.1} {left:.1},{top:.1} {right:.1},{top:.1} {right:.1},{bottom:.1}"
            );
            areas.push(Shape { class, colour, dash: "", points });
        }
    }
    let key = PARTS.map(|(class, colour, label)| KeyEntry {
        class,
        colour,
        dash: "",
        is_area: true,
        label: label.to_owned(),
    });
    Chart {
        id: "orders",
        title: "Orders of each run".to_owned(),
        description: format!(
            "The largest run had {}. The numbers are in the table of runs.",
            plural(most, "order", "orders")
        ),
        caption: "One bar for each run, the oldest first. Duplicate rows do not count.".to_owned(),
        y_ticks: labels
            .iter()
            .map(|label| YTick {
                y: format!("{:.1}", y(label / end)),
                label: if label.fract() == 0.0 {
                    human_count(*label as u64)
                } else {
                    String::new()
                },
            })
            .collect(),
        x_ticks: x_ticks(runs, slot),
        bands: Vec::new(),
        cuts: Vec::new(),
        marks: Vec::new(),
        areas,
        lines: Vec::new(),
        level: None,
        key: key.into(),
    }
}

fn latency_chart(runs: &[RunSummary<'_>], slot: f64) -> Option<Chart> {
    let values = runs.iter().filter_map(|run| run.quantiles).flatten();
    values.clone().next()?;
    let scale = DecadeScale::new(values.clone());
    let (least, most) = (values.clone().min().unwrap_or(0), values.max().unwrap_or(0));
    let mut lines = Vec::new();
    for (which, (class, colour, dash)) in QUANTILE_STYLES.into_iter().enumerate() {
        let points: Vec<String> = runs
            .iter()
            .enumerate()
            .filter_map(|(at, run)| {
                let micros = *run.quantiles?.get(which)?;
                Some(format!("{:.1},{:.1}", (at as f64 + 0.5) * slot, scale.y(micros)))
            })
            .collect();
        // A line from a point to itself is a dot.
        let again = if points.len() == 1 { points.clone() } else { Vec::new() };
        lines.push(Shape { class, colour, dash, points: [points, again].concat().join(" ") });
    }
    let key = QUANTILE_STYLES.iter().zip(QUANTILES).map(|((class, colour, dash), (label, _))| {
        KeyEntry { class, colour, dash, is_area: false, label: label.to_owned() }
    });
    Some(Chart {
        id: "latency",
        title: "How long calls took".to_owned(),
        description: format!("p50, p95 and p99 of each run, between {} and {}.", latency(least), latency(most)),
        caption: "The time within which 50, 95 and 99 of 100 calls of a run had their answer, or were given up. Each line of the grid is ten times the one below it.".to_owned(),
        y_ticks: scale.ticks(),
        x_ticks: x_ticks(runs, slot),
        bands: Vec::new(),
        cuts: Vec::new(),
        marks: Vec::new(),
        areas: Vec::new(),
        lines,
        level: None,
        key: key.collect(),
    })
}
