//! How far a run is: a live line on a terminal, plain lines off it.

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use tokio::sync::watch;

use super::summary::counts_text;
use super::{human_count, human_duration, per_second, rows};
use crate::engine::{RowsElsewhere, Snapshot};
use crate::policy::retry_after::WaitRequest;

/// How often a terminal is redrawn.
const REDRAWN_EVERY: Duration = Duration::from_millis(100);
/// How often a line is written where there is no terminal.
const TOLD_EVERY: Duration = Duration::from_secs(30);

/// A wait that the server asks for is reported from this length on.
const LONG_WAIT: Duration = Duration::from_secs(60);

/// A wait for another run's call is reported from this length on: it is longer than a call
/// takes.
const LONG_CALL: Duration = Duration::from_secs(10);

/// The live line that is on the terminal.
static LIVE: Mutex<Option<ProgressBar>> = Mutex::new(None);

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

/// Shows how far the run is until its sender is gone.
pub async fn show(context: ProgressContext, mut shown: watch::Receiver<Snapshot>, quiet: bool) {
    let live = std::io::stderr().is_terminal() && !quiet;
    let began = Instant::now();
    let bar = ProgressBar::with_draw_target(Some(context.rows), target(live));
    bar.set_style(style());
    set_live(live.then(|| bar.clone()));
    let mut notices = Notices::default();
    let mut ticks = tokio::time::interval(if live { REDRAWN_EVERY } else { TOLD_EVERY });
    ticks.tick().await;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            changed = shown.changed() => match changed {
                Ok(()) => {
                    for notices_of in notices.take(&shown.borrow_and_update()) {
                        tracing::warn!("{notices_of}");
                    }
                    continue;
                }
                Err(_gone) => break,
            },
        }
        let snapshot = shown.borrow().clone();
        let line = line(&context, &snapshot, began.elapsed());
        if live {
            bar.set_position(snapshot.counts.total());
            bar.set_message(line);
        } else {
            let (ended, rows) = (human_count(snapshot.counts.total()), human_count(context.rows));
            tracing::info!("{ended} of {rows} rows: {line}");
        }
    }
    set_live(None);
    bar.finish_and_clear();
}

/// Writes lines to standard error without tearing the live line.
pub fn suspend_progress(write: impl FnOnce()) {
    let live = LIVE.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match live {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

fn set_live(bar: Option<ProgressBar>) {
    *LIVE.lock().unwrap_or_else(PoisonError::into_inner) = bar;
}

/// Notices that are shown even with `--quiet`, each once.
#[derive(Default)]
struct Notices {
    /// How long the last outage has lasted.
    lasted: Option<Duration>,
    /// The start of the wait that was reported.
    silent_since: Option<Duration>,
    /// Whether it was reported that rows wait for another run's calls.
    waits_elsewhere: bool,
}

impl Notices {
    fn take(&mut self, snapshot: &Snapshot) -> impl Iterator<Item = String> + use<> {
        let cause = snapshot.outage_cause.as_deref();
        let outage = self.outage(snapshot.outage, cause.unwrap_or("no call ended"));
        let silence = snapshot.wait_request.and_then(|asked| self.silence(asked));
        outage.into_iter().chain(silence).chain(self.elsewhere(snapshot.elsewhere))
    }

    /// The notice that rows wait for another run's calls, if it is due.
    fn elsewhere(&mut self, waits: Option<RowsElsewhere>) -> Option<String> {
        let waits = waits.filter(|waits| waits.longest >= LONG_CALL);
        let is_reported = std::mem::replace(&mut self.waits_elsewhere, waits.is_some());
        let waits = waits.filter(|_| !is_reported)?;
        Some(format!(
            "another run has had the orders of {} in flight for {}: these rows wait for it; `cardcancel runs` shows what is running; end a process that hangs",
            rows(waits.rows as u64),
            human_duration(waits.longest)
        ))
    }

    /// The notice that the server asks for a wait, if it is due.
    fn silence(&mut self, asked: WaitRequest) -> Option<String> {
        let is_reported = self.silent_since == Some(asked.since);
        if is_reported || !(asked.is_capped || asked.wait >= LONG_WAIT) {
            return None;
        }
        self.silent_since = Some(asked.since);
        let (asks, lasts) = (human_duration(asked.wait), human_duration(asked.given));
        let limit = if asked.is_capped { ", the limit of --max-outage" } else { "" };
        Some(format!(
            "CoreCARD asks for a pause of {asks} (Retry-After): nothing is sent for {lasts}{limit}"
        ))
    }

    /// The notice that an outage has begun or ended, if it has.
    fn outage(&mut self, lasts: Option<Duration>, cause: &str) -> Option<String> {
        match (std::mem::replace(&mut self.lasted, lasts), lasts) {
            (None, Some(_)) => Some(format!(
                "CoreCARD is unavailable ({cause}): only probes are sent until it answers"
            )),
            (Some(lasted), None) => Some(format!(
                "CoreCARD is available again after {}: the run continues",
                human_duration(lasted)
            )),
            _ => None,
        }
    }
}

fn target(live: bool) -> ProgressDrawTarget {
    if live { ProgressDrawTarget::stderr_with_hz(10) } else { ProgressDrawTarget::hidden() }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{bar:24} {human_pos}/{human_len}  {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// The rate, how rows ended, the time left and the margin to the cut-off.
fn line(context: &ProgressContext, snapshot: &Snapshot, took: Duration) -> String {
    let ended = snapshot.counts.total();
    let here = ended.saturating_sub(context.before);
    let mut parts = vec![format!("{}/s", per_second(here, took))];
    parts.extend(ends(snapshot));
    if snapshot.waiting > 0 {
        parts.push(format!("{} to retry", human_count(snapshot.waiting as u64)));
    }
    if snapshot.stop.is_some() {
        parts.push(format!("stopping: {} calls in flight", snapshot.in_flight));
    } else if let Some(lasts) = snapshot.outage {
        parts.push(format!("no answer from CoreCARD for {}", human_duration(lasts)));
    } else if !snapshot.retry_after.is_zero() {
        parts.push(format!("waiting {} (Retry-After)", human_duration(snapshot.retry_after)));
    } else if let Some(left) = time_left(context.rows.saturating_sub(ended), here, took) {
        parts.push(format!("{} left", human_duration(left)));
        parts.extend(margin(context, left));
    }
    parts.join(" · ")
}

fn ends(snapshot: &Snapshot) -> impl Iterator<Item = String> {
    counts_text(&snapshot.counts).into_iter().map(|words| words.replace('_', " "))
}

/// `None` until enough rows have ended for an estimate.
fn time_left(rows: u64, ended: u64, took: Duration) -> Option<Duration> {
    let enough = ended > 0 && took > Duration::from_secs(1);
    enough.then(|| took.mul_f64(rows as f64 / ended as f64))
}

fn margin(context: &ProgressContext, left: Duration) -> Option<String> {
    let until = Duration::try_from(context.last_start?.duration_since(Timestamp::now()));
    Some(match until.unwrap_or_default().checked_sub(left) {
        Some(spare) => format!("{} to spare", human_duration(spare)),
        None => "NOT DONE BY THE CUT-OFF at this rate".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ReasonCode, Status};

    fn context() -> ProgressContext {
        ProgressContext { rows: 1000, before: 100, last_start: None }
    }

    fn snapshot() -> Snapshot {
        let counts = [(Status::Cancelled, 290), (Status::Rejected, 10)].into_iter().collect();
        Snapshot { counts, ..Snapshot::default() }
    }

    fn shown(snapshot: Snapshot) -> String {
        line(&context(), &snapshot, Duration::from_secs(20))
    }

    #[test]
    fn the_line_shows_the_rate_how_rows_ended_and_the_time_left() {
        insta::assert_snapshot!(shown(snapshot()), @"10.0/s · 290 cancelled · 10 rejected · 1 min 10 s left");
    }

    #[test]
    fn the_line_shows_how_many_were_rejected_with_doubt() {
        let mut doubtful = snapshot();
        doubtful.counts.add_rejected_with_doubt(2);
        assert!(shown(doubtful).contains(" · 10 rejected (2 with doubt) · "));
    }

    #[test]
    fn the_line_shows_what_the_run_is_waiting_for() {
        let quiet = Snapshot { waiting: 3, retry_after: Duration::from_secs(7), ..snapshot() };
        insta::assert_snapshot!(shown(quiet), @"10.0/s · 290 cancelled · 10 rejected · 3 to retry · waiting 7 s (Retry-After)");
        let away = Snapshot { outage: Some(Duration::from_secs(75)), ..snapshot() };
        insta::assert_snapshot!(shown(away), @"10.0/s · 290 cancelled · 10 rejected · no answer from CoreCARD for 1 min 15 s");
        let stopping = Snapshot { stop: Some(ReasonCode::Signal), in_flight: 4, ..snapshot() };
        insta::assert_snapshot!(shown(stopping), @"10.0/s · 290 cancelled · 10 rejected · stopping: 4 calls in flight");
    }

    #[test]
    fn a_long_wait_that_was_asked_for_is_reported_once_and_a_short_one_is_not() {
        let mut notices = Notices::default();
        let mut notices_of = |since, wait: u64, is_capped| {
            let seconds = Duration::from_secs;
            let given = seconds(wait.min(900));
            let asked =
                WaitRequest { since: seconds(since), wait: seconds(wait), given, is_capped };
            let snapshot = Snapshot { wait_request: Some(asked), ..Snapshot::default() };
            notices.take(&snapshot).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(notices_of(1, 2, false), "");
        insta::assert_snapshot!(notices_of(5, 86_400, true), @"CoreCARD asks for a pause of 1 d 0 h (Retry-After): nothing is sent for 15 min 0 s, the limit of --max-outage");
        assert_eq!(notices_of(5, 86_400, true), "");
        insta::assert_snapshot!(notices_of(2000, 120, false), @"CoreCARD asks for a pause of 2 min 0 s (Retry-After): nothing is sent for 2 min 0 s");
    }

    #[test]
    fn a_long_wait_for_another_runs_calls_is_reported_once() {
        let mut notices = Notices::default();
        let mut notices_of = |waits: Option<(usize, u64)>| {
            let waits = waits.map(|(rows, longest)| RowsElsewhere {
                rows,
                longest: Duration::from_secs(longest),
            });
            notices.elsewhere(waits).unwrap_or_default()
        };
        assert_eq!(notices_of(Some((2, 9))), "");
        insta::assert_snapshot!(notices_of(Some((2, 10))), @"another run has had the orders of 2 rows in flight for 10 s: these rows wait for it; `cardcancel runs` shows what is running; end a process that hangs");
        assert_eq!(notices_of(Some((1, 11))), "");
        assert_eq!(notices_of(None), "");
        assert_ne!(notices_of(Some((1, 12))), "");
    }

    #[test]
    fn an_outage_is_reported_once_when_it_begins_and_once_when_it_ends() {
        let mut notices = Notices::default();
        let seconds = [None, Some(0), Some(5), Some(70), None, None];
        let notices_of = seconds
            .map(|lasts| notices.outage(lasts.map(Duration::from_secs), "DNS, no such host"));
        let notices_of: Vec<String> = notices_of.into_iter().flatten().collect();
        insta::assert_snapshot!(notices_of.join("\n"), @r"
        CoreCARD is unavailable (DNS, no such host): only probes are sent until it answers
        CoreCARD is available again after 1 min 10 s: the run continues
        ");
    }

    #[test]
    fn the_margin_to_the_cut_off_is_reported_and_so_is_its_lack() {
        let line = |seconds| {
            let last_start = Some(Timestamp::now() + Duration::from_secs(seconds));
            line(&ProgressContext { last_start, ..context() }, &snapshot(), Duration::from_secs(20))
        };
        assert!(line(3670).ends_with("1 min 10 s left · 1 h 0 min to spare"), "{}", line(3670));
        assert!(line(60).ends_with("NOT DONE BY THE CUT-OFF at this rate"));
    }
}
