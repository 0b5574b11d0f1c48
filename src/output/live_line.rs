//! How far a run is, in one line: what matters first, so that a narrow terminal shows that.

use std::collections::VecDeque;
use std::time::Duration;

use ::console::{Style, measure_text_width};
use jiff::Timestamp;

use super::summary::counts_text;
use super::{format, human_count, human_duration};
use crate::engine::Snapshot;
use crate::model::Status;
use crate::policy::rate::Rate;

/// The rate and the time left are those of this last time, or of a longer one until enough rows
/// have ended in it.
const RECENT: Duration = Duration::from_secs(30);
const ENOUGH_ROWS: u64 = 30;
/// The least distance of two samples, which limits their number.
const SAMPLE_EVERY: Duration = Duration::from_millis(500);

/// What does not change during a run.
#[derive(Debug, Clone, Copy)]
pub struct ProgressContext {
    /// How many rows the run has.
    pub rows: u64,
    /// How many had ended when this process began.
    pub before: u64,
    /// When no call may start any more.
    pub last_start: Option<Timestamp>,
}

/// The terminal on which the line is shown.
#[derive(Debug, Clone, Copy)]
pub struct LineSpace {
    /// Its columns; `None` shows all.
    pub width: Option<usize>,
    /// Whether it shows colours.
    pub has_colors: bool,
}

impl LineSpace {
    /// Where there is no terminal.
    pub const LOG: LineSpace = LineSpace { width: None, has_colors: false };
}

/// The line, and what it needs of the past.
#[derive(Debug)]
pub struct LiveLine {
    context: ProgressContext,
    /// How many rows had ended when, the oldest first.
    samples: VecDeque<(Duration, u64)>,
    pace: Option<Rate>,
}

/// How a part of the line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tone {
    Plain,
    Notice,
    Alarm,
}

impl LiveLine {
    /// The line of a run at its beginning.
    pub fn new(context: ProgressContext) -> LiveLine {
        let samples = VecDeque::from([(Duration::ZERO, context.before)]);
        LiveLine { context, samples, pace: None }
    }

    /// Takes in how far the run is after this time.
    pub fn observe(&mut self, snapshot: &Snapshot, took: Duration) {
        let ended = snapshot.counts.total();
        if std::mem::replace(&mut self.pace, snapshot.pace) != snapshot.pace {
            // What it did before says nothing about the time left.
            self.samples = VecDeque::from([(took, ended)]);
        }
        let is_due = |(at, _): &(Duration, u64)| took >= at.saturating_add(SAMPLE_EVERY);
        if self.samples.back().is_none_or(is_due) {
            self.samples.push_back((took, ended));
        }
        let is_enough = |(at, before): &(Duration, u64)| {
            took.saturating_sub(*at) >= RECENT && ended.saturating_sub(*before) >= ENOUGH_ROWS
        };
        while self.samples.get(1).is_some_and(is_enough) {
            self.samples.pop_front();
        }
    }

    /// The line, as much of it as there is room for.
    pub fn text(&self, snapshot: &Snapshot, took: Duration, space: LineSpace) -> String {
        let mut line = String::new();
        let mut width: usize = 0;
        for (part, tone) in self.parts(snapshot, took, space.width.is_none()) {
            let separator = if line.is_empty() { "" } else { " · " };
            let wider = width
                .saturating_add(measure_text_width(separator))
                .saturating_add(measure_text_width(&part));
            if space.width.is_some_and(|room| wider > room) {
                break;
            }
            width = wider;
            line += separator;
            line += &if space.has_colors { tone.paint(&part) } else { part };
        }
        line
    }

    /// The parts, what matters most first. A log has the number of rows in each status in words.
    fn parts(&self, snapshot: &Snapshot, took: Duration, is_log: bool) -> Vec<(String, Tone)> {
        let counts = &snapshot.counts;
        let (ended, all) = (counts.total(), self.context.rows);
        let done = if is_log {
            format!("{} of {} rows", human_count(ended), human_count(all))
        } else {
            format!("{}/{}", human_count(ended), human_count(all))
        };
        let mut parts = vec![(done, Tone::Plain)];
        parts.extend(self.state(snapshot, took));
        let some = |number: u64, what: &str, tone: Tone| {
            (number > 0).then(|| (format!("{} {what}", human_count(number)), tone))
        };
        let of = |status| counts.get(status);
        if !is_log {
            parts.extend(some(of(Status::Failed), "failed", Tone::Alarm));
            parts.extend(some(counts.in_doubt(), "in doubt", Tone::Alarm));
            let rejected = of(Status::Rejected).saturating_sub(counts.rejected_with_doubt());
            parts.extend(some(rejected, "rejected", Tone::Notice));
        }
        if let Some(pace) = snapshot.pace {
            parts.push((format!("held to {pace}"), Tone::Notice));
        }
        parts.extend(self.rate(ended, took).map(|rate| (rate, Tone::Plain)));
        parts.extend(some(snapshot.waiting as u64, "to retry", Tone::Plain));
        if is_log {
            let words = counts_text(counts).into_iter().map(|words| words.replace('_', " "));
            parts.extend(words.map(|words| (words, Tone::Plain)));
        } else {
            parts.extend(some(of(Status::Cancelled), "cancelled", Tone::Plain));
            parts.extend(some(of(Status::AlreadyCancelled), "cancelled before", Tone::Plain));
            parts.extend(some(of(Status::Invalid), "invalid", Tone::Plain));
            parts.extend(some(of(Status::Duplicate), "duplicate", Tone::Plain));
        }
        parts
    }

    /// What the run does or waits for, and how long it takes.
    fn state(&self, snapshot: &Snapshot, took: Duration) -> Vec<(String, Tone)> {
        if snapshot.stop.is_some() {
            let text = match snapshot.in_flight {
                0 => "STOPPING".to_owned(),
                1 => "STOPPING, 1 call in flight".to_owned(),
                calls => format!("STOPPING, {} calls in flight", human_count(calls.into())),
            };
            return vec![(text, Tone::Notice)];
        }
        let until = self.context.last_start.map(|last| {
            Duration::try_from(last.duration_since(Timestamp::now())).unwrap_or_default()
        });
        let cut_off =
            until.map(|until| (format!("cut-off in {}", human_duration(until)), Tone::Notice));
        if let Some(lasts) = snapshot.outage {
            let outage = (format!("OUTAGE {}", human_duration(lasts)), Tone::Alarm);
            return [outage].into_iter().chain(cut_off).collect();
        }
        if !snapshot.retry_after.is_zero() {
            let pause = format!("CoreCARD asks to wait {}", human_duration(snapshot.retry_after));
            return [(pause, Tone::Notice)].into_iter().chain(cut_off).collect();
        }
        let Some(left) = self.time_left(snapshot.counts.total(), took) else {
            return cut_off.into_iter().collect();
        };
        let spare = until.map(|until| match until.checked_sub(left) {
            Some(spare) => (format!("{} to spare", human_duration(spare)), Tone::Plain),
            None => ("NOT DONE BY THE CUT-OFF".to_owned(), Tone::Alarm),
        });
        let left = (format!("{} left", human_duration(left)), Tone::Plain);
        [left].into_iter().chain(spare).collect()
    }

    /// How many rows ended of late, and in what time; `None` if that says nothing yet.
    fn recent(&self, ended: u64, took: Duration) -> Option<(u64, Duration)> {
        let (at, before) = self.samples.front()?;
        let (rows, time) = (ended.saturating_sub(*before), took.saturating_sub(*at));
        (rows > 0 && time > Duration::from_secs(1)).then_some((rows, time))
    }

    fn rate(&self, ended: u64, took: Duration) -> Option<String> {
        let (rows, time) = self.recent(ended, took)?;
        Some(format!("{}/s", format::per_second(rows, time)))
    }

    fn time_left(&self, ended: u64, took: Duration) -> Option<Duration> {
        let (rows, time) = self.recent(ended, took)?;
        let left = self.context.rows.saturating_sub(ended);
        Duration::try_from_secs_f64(time.as_secs_f64() * left as f64 / rows as f64).ok()
    }
}

impl Tone {
    fn paint(self, text: &str) -> String {
        let style = match self {
            Tone::Plain => return text.to_owned(),
            Tone::Notice => Style::new().yellow(),
            Tone::Alarm => Style::new().red().bold(),
        };
        style.force_styling(true).apply_to(text).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ReasonCode;

    const NARROW: LineSpace = LineSpace { width: Some(80), has_colors: false };

    fn context() -> ProgressContext {
        ProgressContext { rows: 1000, before: 100, last_start: None }
    }

    fn snapshot() -> Snapshot {
        let counts = [(Status::Cancelled, 290), (Status::Rejected, 10)].into_iter().collect();
        Snapshot { counts, ..Snapshot::default() }
    }

    fn shown_in(context: ProgressContext, snapshot: &Snapshot, space: LineSpace) -> String {
        let mut line = LiveLine::new(context);
        let took = Duration::from_secs(20);
        line.observe(snapshot, took);
        line.text(snapshot, took, space)
    }

    fn shown(snapshot: Snapshot) -> String {
        shown_in(context(), &snapshot, NARROW)
    }

    #[test]
    fn the_line_shows_what_is_done_and_the_time_left_first() {
        insta::assert_snapshot!(shown(snapshot()), @"300/1,000 · 1 min 10 s left · 10 rejected · 10.0/s · 290 cancelled");
        insta::assert_snapshot!(shown_in(context(), &snapshot(), LineSpace::LOG), @"300 of 1,000 rows · 1 min 10 s left · 10.0/s · 290 cancelled · 10 rejected");
    }

    #[test]
    fn what_failed_or_is_in_doubt_stands_before_what_went_well() {
        let counts = [(Status::Cancelled, 270), (Status::Failed, 3), (Status::InDoubt, 2)];
        let mut counts: crate::model::Counts = counts.into_iter().collect();
        counts.add(Status::Rejected, 25);
        counts.add_rejected_with_doubt(5);
        let doubtful = Snapshot { counts, waiting: 12_000, ..Snapshot::default() };
        insta::assert_snapshot!(shown(doubtful.clone()), @"300/1,000 · 1 min 10 s left · 3 failed · 7 in doubt · 20 rejected · 10.0/s");
        assert!(
            shown_in(context(), &doubtful, LineSpace::LOG)
                .contains(" · 25 rejected (5 with doubt) · ")
        );
    }

    #[test]
    fn the_line_shows_what_the_run_is_waiting_for() {
        let quiet = Snapshot { waiting: 3, retry_after: Duration::from_secs(7), ..snapshot() };
        insta::assert_snapshot!(shown(quiet), @"300/1,000 · CoreCARD asks to wait 7 s · 10 rejected · 10.0/s · 3 to retry");
        let away = Snapshot { outage: Some(Duration::from_secs(75)), ..snapshot() };
        insta::assert_snapshot!(shown(away), @"300/1,000 · OUTAGE 1 min 15 s · 10 rejected · 10.0/s · 290 cancelled");
        let stopping = Snapshot { stop: Some(ReasonCode::Signal), in_flight: 4, ..snapshot() };
        insta::assert_snapshot!(shown(stopping), @"300/1,000 · STOPPING, 4 calls in flight · 10 rejected · 10.0/s · 290 cancelled");
    }

    #[test]
    fn the_margin_to_the_cut_off_is_shown_and_so_is_its_lack() {
        let line = |seconds, outage| {
            let last_start = Some(Timestamp::now() + Duration::from_secs(seconds));
            let snapshot = Snapshot { outage, ..snapshot() };
            shown_in(ProgressContext { last_start, ..context() }, &snapshot, NARROW)
        };
        let in_time = line(3670, None);
        assert!(in_time.contains(" · 1 min 10 s left · 1 h 0 min to spare · "), "{in_time}");
        assert!(line(60, None).contains(" left · NOT DONE BY THE CUT-OFF · "));
        let away = line(3670, Some(Duration::from_secs(75)));
        assert!(away.contains(" · OUTAGE 1 min 15 s · cut-off in 1 h 1 min · "), "{away}");
    }

    #[test]
    fn what_matters_fits_into_80_columns_whatever_happens() {
        let counts = [(Status::Cancelled, 11_140), (Status::Failed, 103), (Status::InDoubt, 102)];
        let snapshot = Snapshot { counts: counts.into_iter().collect(), ..Snapshot::default() };
        let last_start = Some(Timestamp::now() + Duration::from_secs(3700));
        let context = ProgressContext { rows: 25_000, before: 0, last_start };
        for outage in [None, Some(Duration::from_secs(75))] {
            let line = shown_in(context, &Snapshot { outage, ..snapshot.clone() }, NARROW);
            assert!(measure_text_width(&line) <= 80, "{line}");
            assert!(line.contains("103 failed"), "{line}");
        }
    }

    #[test]
    fn the_time_left_is_that_of_the_rate_of_late() {
        let mut line =
            LiveLine::new(ProgressContext { rows: 100_000, before: 0, last_start: None });
        let at = |ended: u64, pace: Option<&str>| Snapshot {
            counts: [(Status::Cancelled, ended)].into_iter().collect(),
            pace: pace.map(|pace| pace.parse().unwrap()),
            ..Snapshot::default()
        };
        for second in 0..=60 {
            line.observe(&at(100 * second, None), Duration::from_secs(second));
        }
        for second in 61..=65 {
            line.observe(&at(6000 + 10 * (second - 60), Some("10/s")), Duration::from_secs(second));
        }
        let now = at(6050, Some("10/s"));
        let text = line.text(&now, Duration::from_secs(65), NARROW);
        insta::assert_snapshot!(text, @"6,050/100,000 · 2 h 36 min left · held to 10/s · 10.0/s · 6,050 cancelled");
    }

    #[test]
    fn only_what_needs_attention_has_a_colour() {
        let counts = [(Status::Cancelled, 297), (Status::Failed, 3)].into_iter().collect();
        let snapshot = Snapshot { counts, ..Snapshot::default() };
        let space = LineSpace { width: Some(40), has_colors: true };
        let line = shown_in(context(), &snapshot, space);
        assert_eq!(line, "300/1,000 · 1 min 10 s left · \u{1b}[31m\u{1b}[1m3 failed\u{1b}[0m");
    }
}
