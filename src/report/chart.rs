//! Charts as a template draws them: places along the time are shares of the width, so that a chart is as
//! wide as the page, and its text as large as the page's.

use std::fmt::Write as _;

use super::text;
use super::time_axis::{PLOT_WIDTH, TimeAxis};
use super::time_line::{QUANTILES, TimeBucket, TimeSeries};
use crate::policy::rate::Rate;

/// The height of a plot, in pixels.
pub(super) const PLOT_HEIGHT: f64 = 180.0;

/// A chart.
pub(super) struct Chart {
    /// Its identifier in the page.
    pub id: &'static str,
    /// What it shows.
    pub title: String,
    /// What can be seen in it, for who does not see it.
    pub description: String,
    /// How to read it.
    pub caption: String,
    pub y_ticks: Vec<YTick>,
    pub x_ticks: Vec<XTick>,
    /// Stretches of time that stand out.
    pub bands: Vec<Band>,
    /// Where time is cut out.
    pub cuts: Vec<Band>,
    /// Points in time.
    pub marks: Vec<Mark>,
    pub areas: Vec<Shape>,
    pub lines: Vec<Shape>,
    /// A line at one height, such as a contract.
    pub level: Option<YTick>,
    /// What each colour means.
    pub key: Vec<KeyEntry>,
}

/// A height and its label.
pub(super) struct YTick {
    pub y: String,
    pub label: String,
}

/// A place along the width, in percent, and its label.
pub(super) struct XTick {
    pub x: String,
    pub label: String,
    pub anchor: &'static str,
}

/// A stretch along the width, in percent.
pub(super) struct Band {
    pub x: String,
    pub width: String,
    pub title: String,
}

/// A place along the width, in percent, at which something happened.
pub(super) struct Mark {
    pub x: String,
    pub title: String,
}

/// A line or an area in units of the plot.
pub(super) struct Shape {
    /// The name of its style.
    pub class: &'static str,
    /// Its colour where there is no style.
    pub colour: &'static str,
    /// How its line is dashed, so that it is told apart without colours.
    pub dash: &'static str,
    pub points: String,
}

/// What a colour means.
pub(super) struct KeyEntry {
    pub class: &'static str,
    pub colour: &'static str,
    pub dash: &'static str,
    /// Whether it is an area.
    pub is_area: bool,
    pub label: String,
}

/// The colours and dashes of the three quantiles.
pub(super) const QUANTILE_STYLES: [(&str, &str, &str); 3] =
    [("q50", "#0b6e4f", ""), ("q95", "#b45309", "7 3"), ("q99", "#b4232f", "2 3")];

/// The style of what counts calls.
const CALLS: (&str, &str) = ("calls", "#2459a9");

/// A place along the width in percent.
pub(super) fn percent(x: f64) -> String {
    format!("{:.2}", x * 100.0 / PLOT_WIDTH)
}

/// A scale from 0 to at least this: its end, and where labels stand.
pub(super) fn linear_scale(most: f64) -> (f64, Vec<f64>) {
    let most = if most > 0.0 { most } else { 1.0 };
    let magnitude = 10f64.powf((most / 4.0).log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].map(|factor| factor * magnitude);
    let step = step.into_iter().find(|step| step * 4.0 >= most).unwrap_or(most);
    let steps = (most / step).ceil().max(1.0);
    (steps * step * 1.04, (0..=steps as u32).map(|at| f64::from(at) * step).collect())
}

/// The height of a share of the plot.
pub(super) fn y(share: f64) -> f64 {
    PLOT_HEIGHT * (1.0 - share.clamp(0.0, 1.0))
}

/// The labels under a plot over time, and the day if all of it is in one day.
pub(super) fn x_ticks(axis: &TimeAxis) -> (Vec<XTick>, Option<String>) {
    let (Some(first), Some(last)) = (axis.pieces().first(), axis.pieces().last()) else {
        return (Vec::new(), None);
    };
    let day = |seconds| text::time_of(seconds, "%-d %b %Y");
    let one_day = Some(day(first.from)).filter(|first| *first == day(last.to - 1));
    let is_fine = axis.pieces().iter().map(|piece| piece.to - piece.from).sum::<i64>() < 1_200;
    let (format, distance) = match (&one_day, is_fine) {
        (Some(_), true) => ("%H:%M:%S", 290.0),
        (Some(_), false) => ("%H:%M", 220.0),
        (None, true) => ("%-d %b %H:%M:%S", 480.0),
        (None, false) => ("%-d %b %H:%M", 400.0),
    };
    let tick = |(seconds, x): (i64, f64)| {
        let label = text::time_of(seconds, format);
        let anchor = match x {
            _ if x < 60.0 => "start",
            _ if x > PLOT_WIDTH - distance / 2.0 => "end",
            _ => "middle",
        };
        XTick { x: percent(x), label, anchor }
    };
    (axis.labels(distance).into_iter().map(tick).collect(), one_day)
}

/// The days of a plot for its caption.
fn on_day(day: Option<&String>) -> String {
    day.map_or_else(|| "Times are UTC.".to_owned(), |day| format!("Times are UTC, on {day}."))
}

/// Where time is cut out of the axis.
pub(super) fn cuts(axis: &TimeAxis) -> Vec<Band> {
    let band = |(from, to): (f64, f64)| Band {
        x: percent(from),
        width: percent(to - from),
        title: "at rest".to_owned(),
    };
    axis.cuts().map(band).collect()
}

/// How the width of a bucket is said.
pub(super) fn width_text(seconds: i64) -> String {
    match seconds {
        1 => "second".to_owned(),
        2..60 => format!("{seconds} seconds"),
        60 => "minute".to_owned(),
        61..3_600 => format!("{} minutes", seconds / 60),
        3_600 => "hour".to_owned(),
        3_601..86_400 => format!("{} hours", seconds / 3_600),
        86_400 => "day".to_owned(),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// The calls over time, with the contract.
pub(super) fn rate_chart(
    series: &TimeSeries,
    contract: Option<Rate>,
    bands: Vec<Band>,
    marks: Vec<Mark>,
) -> Chart {
    let a_second = |bucket: Option<&TimeBucket>| {
        bucket.map_or(0.0, |bucket| bucket.sent as f64 / series.width as f64)
    };
    let pieces: Vec<Vec<(i64, f64)>> = series
        .pieces()
        .map(|piece| piece.into_iter().map(|(at, bucket)| (at, a_second(bucket))).collect())
        .collect();
    let most = pieces.iter().flatten().map(|(_, rate)| *rate).fold(0.0, f64::max);
    let limit = contract.map(|rate| rate.per_second());
    let (end, labels) = linear_scale(limit.map_or(most, |limit| limit.max(most)));
    let mut areas = Vec::new();
    for piece in &pieces {
        let Some((from, _)) = piece.first() else { continue };
        let mut points = format!("{:.1},{:.1}", series.axis.x(*from as f64), PLOT_HEIGHT);
        let mut last = None;
        let mut right = 0.0;
        for (at, rate) in piece {
            let left = series.axis.x(*at as f64);
            right = series.axis.x((at + series.width) as f64 - 0.001);
            let top = y(rate / end);
            // A height that stays needs no point.
            if last != Some(top) {
                if let Some(last) = last {
                    let _ = write!(points, " {left:.1},{last:.1}");
                }
                let _ = write!(points, " {left:.1},{top:.1}");
            }
            last = Some(top);
        }
        let _ = write!(
            points,
            " {right:.1},{:.1} {right:.1},{PLOT_HEIGHT:.1}",
            last.unwrap_or(PLOT_HEIGHT)
        );
        areas.push(Shape { class: CALLS.0, colour: CALLS.1, dash: "", points });
    }
    let width = width_text(series.width);
    let (x_ticks, day) = x_ticks(&series.axis);
    let mut key = vec![KeyEntry {
        class: CALLS.0,
        colour: CALLS.1,
        dash: "",
        is_area: true,
        label: format!("calls sent a second, in each {width}"),
    }];
    if let Some(contract) = contract {
        key.push(KeyEntry {
            class: "contract",
            colour: "#7a1fa2",
            dash: "8 4",
            is_area: false,
            label: format!("contract: {contract}"),
        });
    }
    band_keys(&bands, &marks, &mut key);
    let against = match limit {
        Some(limit) => format!(" The contract allows {} a second.", text::rate(limit)),
        None => String::new(),
    };
    Chart {
        id: "rate",
        title: "Calls a second".to_owned(),
        description: format!(
            "The most in any {width} was {} calls a second.{against} The numbers are in the table below.",
            text::rate(most)
        ),
        caption: format!(
            "Calls sent a second, counted over each {width}. {}",
            on_day(day.as_ref())
        ),
        y_ticks: labels
            .iter()
            .map(|label| YTick { y: format!("{:.1}", y(label / end)), label: short(*label) })
            .collect(),
        x_ticks,
        bands,
        cuts: cuts(&series.axis),
        marks,
        areas,
        lines: Vec::new(),
        level: limit.map(|limit| YTick {
            y: format!("{:.1}", y(limit / end)),
            label: contract.map_or_else(String::new, |contract| contract.to_string()),
        }),
        key,
    }
}

fn band_keys(bands: &[Band], marks: &[Mark], key: &mut Vec<KeyEntry>) {
    let mut add = |class, colour, dash, is_area, label: &str| {
        key.push(KeyEntry { class, colour, dash, is_area, label: label.to_owned() });
    };
    if !bands.is_empty() {
        add("band", "#f3b8b0", "", true, "outage of CoreCARD");
    }
    if !marks.is_empty() {
        add("mark", "#6b7280", "2 2", false, "another event: see the list");
    }
}

/// A number on an axis, without needless digits.
fn short(value: f64) -> String {
    match value {
        _ if value >= 1_000.0 => crate::output::human_count(value.round() as u64),
        _ => {
            let text = format!("{value:.3}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
    }
}

/// A scale of powers of ten for times in microseconds.
pub(super) struct DecadeScale {
    from: i32,
    to: i32,
}

impl DecadeScale {
    /// The scale that holds all of these.
    pub fn new(values: impl Iterator<Item = u64> + Clone) -> DecadeScale {
        let log = |value: u64| (value.max(1) as f64).log10();
        let from = values.clone().min().map_or(3, |least| log(least).floor() as i32);
        let to = values.max().map_or(4, |most| log(most).ceil() as i32);
        DecadeScale { from, to: to.max(from + 1) }
    }

    /// The height of a value.
    pub fn y(&self, micros: u64) -> f64 {
        let share = ((micros.max(1) as f64).log10() - f64::from(self.from))
            / f64::from(self.to - self.from);
        y(share * 0.96)
    }

    /// The labels.
    pub fn ticks(&self) -> Vec<YTick> {
        let tick = |power: i32| {
            let micros = 10u64.pow(power.clamp(0, 18).unsigned_abs());
            let label = match micros {
                0..1_000 => format!("{micros} µs"),
                1_000..1_000_000 => format!("{} ms", micros / 1_000),
                _ => format!("{} s", micros / 1_000_000),
            };
            YTick { y: format!("{:.1}", self.y(micros)), label }
        };
        (self.from..=self.to).map(tick).collect()
    }
}

/// The latency of calls over time.
pub(super) fn latency_chart(
    series: &TimeSeries,
    bands: Vec<Band>,
    marks: Vec<Mark>,
) -> Option<Chart> {
    let quantiles = |bucket: Option<&TimeBucket>| -> Option<[u64; 3]> {
        let latencies = bucket?.latencies.as_ref()?;
        let [a, b, c] = QUANTILES.map(|(_, share)| latencies.quantile(share));
        Some([a?, b?, c?])
    };
    let pieces: Vec<Vec<(i64, Option<[u64; 3]>)>> = series
        .pieces()
        .map(|piece| piece.into_iter().map(|(at, bucket)| (at, quantiles(bucket))).collect())
        .collect();
    let values = pieces.iter().flatten().filter_map(|(_, values)| *values).flatten();
    values.clone().next()?;
    let scale = DecadeScale::new(values.clone());
    let (least, most) = (values.clone().min().unwrap_or(0), values.max().unwrap_or(0));
    let mut lines = Vec::new();
    for (which, (class, colour, dash)) in QUANTILE_STYLES.into_iter().enumerate() {
        for stretch in pieces.iter().flat_map(|piece| piece.split(|(_, values)| values.is_none())) {
            let mut points = String::new();
            for (at, values) in stretch {
                let Some(micros) = values.and_then(|values| values.get(which).copied()) else {
                    continue;
                };
                let x = series.axis.x(*at as f64 + series.width as f64 / 2.0);
                let _ = write!(points, "{x:.1},{:.1} ", scale.y(micros));
            }
            if let ([(at, Some(values))], Some(_)) = (stretch, stretch.first()) {
                // A line from a point to itself is a dot.
                let x = series.axis.x(*at as f64 + series.width as f64 / 2.0);
                let _ = write!(points, "{x:.1},{:.1}", scale.y(values[which]));
            }
            if !points.is_empty() {
                lines.push(Shape { class, colour, dash, points: points.trim_end().to_owned() });
            }
        }
    }
    let mut key: Vec<KeyEntry> = QUANTILE_STYLES
        .iter()
        .zip(["half of the calls (p50)", "95 of 100 calls (p95)", "99 of 100 calls (p99)"])
        .map(|((class, colour, dash), label)| KeyEntry {
            class,
            colour,
            dash,
            is_area: false,
            label: format!("{label} took at most this long"),
        })
        .collect();
    band_keys(&bands, &marks, &mut key);
    let width = width_text(series.width);
    let (x_ticks, day) = x_ticks(&series.axis);
    Some(Chart {
        id: "latency",
        title: "How long calls took".to_owned(),
        description: format!(
            "p50, p95 and p99 of each {width}, between {} and {}. The numbers are in the table below.",
            text::latency(least),
            text::latency(most)
        ),
        caption: format!(
            "From the first byte of a call to its answer, or until it was given up, by the time at which it was sent, over each {width}. Each line of the grid is ten times the one below it. {}",
            on_day(day.as_ref())
        ),
        y_ticks: scale.ticks(),
        x_ticks,
        bands,
        cuts: cuts(&series.axis),
        marks,
        areas: Vec::new(),
        lines,
        level: None,
        key,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_scale_holds_its_values_with_few_labels() {
        for most in [0.0, 0.003, 0.7, 1.0, 49.6, 50.0, 51.0, 999.0, 123_456.0] {
            let (end, labels) = linear_scale(most);
            assert!(end > most, "{most}: {end}");
            assert!((2..=5).contains(&labels.len()), "{most}: {labels:?}");
            assert!(labels.iter().all(|label| *label <= end), "{most}");
        }
    }

    #[test]
    fn a_scale_of_decades_holds_its_values() {
        let scale = DecadeScale::new([900, 1_200_000].into_iter());
        let labels: Vec<String> = scale.ticks().into_iter().map(|tick| tick.label).collect();
        assert_eq!(labels, ["100 µs", "1 ms", "10 ms", "100 ms", "1 s", "10 s"]);
        assert!(scale.y(900) < PLOT_HEIGHT && scale.y(1_200_000) > 0.0);
    }
}
