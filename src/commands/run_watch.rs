//! `runs RUN --watch`: how far a run is, from another terminal and from any machine, by the ledger
//! alone.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use jiff::Timestamp;

use super::run_state::RunProgress;
use crate::engine::Snapshot;
use crate::ledger::{EventKind, EventRecord, Ledger, Run, StopRuleDetail, WaitDetail};
use crate::model::ReasonCode;
use crate::output::console;
use crate::output::live_line::{LineSpace, LiveLine, ProgressContext};
use crate::output::progress::Screen;

/// How often the ledger is read.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// How often a line is printed where there is no terminal.
const PRINTED_EVERY: Duration = Duration::from_secs(5);

/// Prints a run.
pub type PrintRun<'a> = &'a mut dyn FnMut(Run, &mut dyn Ledger) -> anyhow::Result<()>;

/// Shows how far the run is, once a second, until it is at rest, or nobody reads it any more.
/// Returns it then. Where there is no terminal, it is a line every five seconds; `print` prints
/// something else instead.
///
/// # Errors
/// If the ledger cannot be read.
pub fn watch(
    run: Run,
    ledger: &mut dyn Ledger,
    mut print: Option<PrintRun<'_>>,
) -> anyhow::Result<Run> {
    let (rows, before) = (run.rows, run.counts.total());
    let mut line = LiveLine::new(ProgressContext { rows, before, last_start: run.cut_off });
    let screen = Screen::on_stderr(rows, print.is_none());
    let began = Instant::now();
    let mut printed_at = None;
    let mut run = run;
    loop {
        if RunProgress::of(&run, ledger)? != RunProgress::Running {
            return Ok(run);
        }
        let snapshot = snapshot(&run, ledger)?;
        let took = began.elapsed();
        line.observe(&snapshot, took);
        let is_due = printed_at.is_none_or(|at: Instant| at.elapsed() >= PRINTED_EVERY);
        if screen.is_live() {
            screen.draw(snapshot.counts.total(), |space| line.text(&snapshot, took, space));
        } else if is_due {
            printed_at = Some(Instant::now());
            match &mut print {
                Some(print) => print(run.clone(), ledger)?,
                None => console::print_line(line.text(&snapshot, took, LineSpace::LOG)),
            }
        }
        if console::reader_has_left() {
            return Ok(run);
        }
        std::thread::sleep(POLL_INTERVAL);
        run = ledger.run(run.id())?.context("the run is gone from the ledger")?;
    }
}

/// The state of the run as far as the ledger shows it.
fn snapshot(run: &Run, ledger: &mut dyn Ledger) -> anyhow::Result<Snapshot> {
    let mut at_work: BTreeMap<i64, StartConditions> = BTreeMap::new();
    for start in ledger.starts(run)?.iter().filter(|start| start.finished_at.is_none()) {
        at_work.insert(start.number, StartConditions::default());
    }
    for event in ledger.events(run)? {
        if let Some(of_start) = event.start.and_then(|start| at_work.get_mut(&start)) {
            of_start.take(&event);
        }
    }
    let now = Timestamp::now();
    let all = at_work.values();
    let since = |at: Timestamp| Duration::try_from(now.duration_since(at)).unwrap_or_default();
    let left = |at: Timestamp| Duration::try_from(at.duration_since(now)).unwrap_or_default();
    Ok(Snapshot {
        counts: run.counts,
        outage: all.clone().filter_map(|of_start| of_start.away_since).min().map(since),
        retry_after: all
            .clone()
            .filter_map(|of_start| of_start.waits_until)
            .max()
            .map(left)
            .unwrap_or_default(),
        stop: all.clone().find_map(|of_start| of_start.stop),
        pace: run.pace.as_deref().and_then(|pace| pace.parse().ok()),
        ..Snapshot::default()
    })
}

/// What a start recorded that still holds.
#[derive(Debug, Default)]
struct StartConditions {
    away_since: Option<Timestamp>,
    waits_until: Option<Timestamp>,
    stop: Option<ReasonCode>,
}

impl StartConditions {
    fn take(&mut self, event: &EventRecord) {
        let is = |kind: EventKind| event.kind == kind.as_str();
        if is(EventKind::OutageBegan) {
            self.away_since = Some(event.at);
        } else if is(EventKind::OutageEnded) {
            self.away_since = None;
        } else if is(EventKind::AskedToWait) {
            let wait = event.detail.parse().ok();
            self.waits_until = wait.and_then(|WaitDetail(wait)| event.at.checked_add(wait).ok());
        } else if is(EventKind::StopRequested) {
            self.stop = Some(ReasonCode::StopRequested);
        } else if is(EventKind::Signal) {
            self.stop = Some(ReasonCode::Signal);
        } else if is(EventKind::StopRule) {
            // A later version may have more rules.
            let code = event.detail.parse().map(|StopRuleDetail { code, .. }| code);
            self.stop = Some(code.unwrap_or(ReasonCode::StopCode));
        }
    }
}
