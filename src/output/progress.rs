//! How far a run is: a live line on a terminal, plain lines off it.

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ::console::{Term, colors_enabled_stderr};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::watch;

use super::live_line::{LineSpace, LiveLine, ProgressContext};
use super::{human_duration, rows};
use crate::engine::{RowsElsewhere, Snapshot};
use crate::policy::retry_after::WaitRequest;

/// How often a terminal is redrawn.
const REDRAWN_EVERY: Duration = Duration::from_millis(100);
/// How often a line is written where there is no terminal.
const TOLD_EVERY: Duration = Duration::from_secs(30);

/// From this width on there is room for a bar beside the line, which takes so many columns.
const COLUMNS_FOR_A_BAR: usize = 120;
const BAR_COLUMNS: usize = 25;

/// A wait that the server asks for is reported from this length on.
const LONG_WAIT: Duration = Duration::from_secs(60);

/// A wait for another run's call is reported from this length on: it is longer than a call
/// takes.
const LONG_CALL: Duration = Duration::from_secs(10);

/// The live line that is on the terminal.
static LIVE: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Shows how far the run is until its sender is gone.
pub async fn show(context: ProgressContext, mut shown: watch::Receiver<Snapshot>, quiet: bool) {
    let screen = Screen::on_stderr(context.rows, !quiet);
    let began = Instant::now();
    let mut line = LiveLine::new(context);
    let mut notices = Notices::default();
    let mut ticks =
        tokio::time::interval(if screen.is_live() { REDRAWN_EVERY } else { TOLD_EVERY });
    ticks.tick().await;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            changed = shown.changed() => match changed {
                Ok(()) => {
                    let snapshot = shown.borrow_and_update().clone();
                    line.observe(&snapshot, began.elapsed());
                    for notices_of in notices.take(&snapshot) {
                        tracing::warn!("{notices_of}");
                    }
                    continue;
                }
                Err(_gone) => break,
            },
        }
        let snapshot = shown.borrow().clone();
        let took = began.elapsed();
        if screen.is_live() {
            screen.draw(snapshot.counts.total(), |space| line.text(&snapshot, took, space));
        } else {
            tracing::info!("{}", line.text(&snapshot, took, LineSpace::LOG));
        }
    }
}

/// The place on the terminal where the live line is drawn.
pub struct Screen {
    /// `None` off a terminal, and on one on which nothing can be drawn over.
    bar: Option<ProgressBar>,
}

impl Screen {
    /// Takes the last line of the terminal at standard error, if there is one and it is `wanted`.
    pub fn on_stderr(rows: u64, wanted: bool) -> Screen {
        let is_live = wanted && std::io::stderr().is_terminal() && !is_dumb();
        let bar = is_live.then(|| {
            let target = ProgressDrawTarget::stderr_with_hz(10);
            ProgressBar::with_draw_target(Some(rows), target)
        });
        set_live(bar.clone());
        Screen { bar }
    }

    /// Whether there is a line that is drawn.
    pub fn is_live(&self) -> bool {
        self.bar.is_some()
    }

    /// Draws the line that `text` makes for the space that there is.
    pub fn draw(&self, ended: u64, text: impl FnOnce(LineSpace) -> String) {
        let Some(bar) = &self.bar else { return };
        let columns = usize::from(Term::stderr().size().1);
        let has_bar = columns >= COLUMNS_FOR_A_BAR;
        let room = if has_bar { columns.saturating_sub(BAR_COLUMNS) } else { columns };
        let template = if has_bar { "{bar:24} {msg}" } else { "{msg}" };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_position(ended);
        // The last column stays free: some terminals begin a new line after it.
        let width = Some(room.saturating_sub(1));
        bar.set_message(text(LineSpace { width, has_colors: colors_enabled_stderr() }));
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            set_live(None);
            bar.finish_and_clear();
        }
    }
}

/// Whether the terminal can only add lines.
fn is_dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty())
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
