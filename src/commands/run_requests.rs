//! Watches the ledger for what people ask of the processes that work on a run, from a thread with a
//! connection of its own, so that the run's commits do not wait for it.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::sync::mpsc::UnboundedSender;
use tracing::Span;

use super::requests::{pace_name, request_prefix};
use crate::engine::Event;
use crate::input::shown;
use crate::ledger::{
    Ledger, LedgerLocation, NewRequest, RequestKind, RequestRecord, Run, SharedLedgerTimeouts,
    StartedRun,
};
use crate::policy::rate::Rate;

/// How often the ledger is asked.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// How long to wait after the ledger could not be asked.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// How long the ledger cannot be asked until that is reported.
const REPORTED_AFTER: Duration = Duration::from_secs(30);
/// The connection is opened anew if it breaks, and the run's own reports an outage.
const TIMEOUTS: SharedLedgerTimeouts =
    SharedLedgerTimeouts { lease: Duration::from_secs(30), max_outage: Duration::ZERO };

/// The thread that watches. It ends when this is dropped.
pub struct RequestWatcher {
    /// Its end ends the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl RequestWatcher {
    /// Watches for requests about a run that this process has started, and sends them on.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn spawn(
        location: &LedgerLocation,
        run: &Run,
        (rates, started): (String, &StartedRun),
        events: UnboundedSender<Event>,
    ) -> anyhow::Result<RequestWatcher> {
        let (stop, stopped) = channel();
        let span = Span::current();
        let watch = Watch {
            location: location.clone(),
            run: run.clone(),
            seen: started.last_request,
            pace: started.pace.clone(),
            rates,
            events,
            failing_since: None,
        };
        let thread = std::thread::Builder::new()
            .name("requests".to_owned())
            .spawn(move || span.in_scope(|| watch.work(&stopped)))
            .context("cannot start the thread that watches for requests")?;
        // A database that is being asked may not answer for long, and nothing waits for it.
        let is_file = matches!(location, LedgerLocation::File(_));
        Ok(RequestWatcher { stop: Some(stop), thread: is_file.then_some(thread) })
    }
}

impl Drop for RequestWatcher {
    fn drop(&mut self) {
        self.stop = None;
        // The connection to a file must be closed before the run's own, which tidies up.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The state of the thread.
struct Watch {
    location: LedgerLocation,
    run: Run,
    /// The number of the last request that was sent on.
    seen: i64,
    /// The pace in force as text; `None` if the run has its own rate.
    pace: Option<String>,
    /// The run's own rate.
    rates: String,
    events: UnboundedSender<Event>,
    /// Since when the ledger cannot be asked, and whether that was reported; `None` if it can.
    failing_since: Option<(Instant, bool)>,
}

impl Watch {
    fn work(mut self, stopped: &Receiver<()>) {
        let mut ledger = None;
        let mut pause = Duration::ZERO;
        while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
            pause = match self.poll(&mut ledger) {
                Ok(()) => {
                    self.failing_since = None;
                    POLL_INTERVAL
                }
                Err(cause) => {
                    ledger = None;
                    self.report(&cause);
                    RETRY_INTERVAL
                }
            };
        }
    }

    fn poll(&mut self, ledger: &mut Option<Box<dyn Ledger>>) -> anyhow::Result<()> {
        let ledger = match ledger {
            Some(ledger) => ledger,
            None => {
                let opened = self.location.open_existing(TIMEOUTS)?;
                ledger.insert(opened.context("the ledger is gone")?)
            }
        };
        let requests = ledger.requests(&self.run, self.seen)?;
        let of_kind = |kind| requests.iter().rev().find(|record| record.request.kind == kind);
        // Of several paces, the last one holds.
        let newest = [RequestKind::Pace, RequestKind::Stop].map(of_kind);
        for record in newest.into_iter().flatten() {
            self.send(record);
        }
        self.seen = requests.last().map_or(self.seen, |last| last.number);
        Ok(())
    }

    fn send(&mut self, record: &RequestRecord) {
        let RequestRecord { number, request } = record;
        let NewRequest { by, kind, rates, reason, .. } = request;
        let reason = reason.iter().map(|reason| format!(": {reason}")).collect::<String>();
        let prefix = request_prefix(*number);
        let event = match kind {
            RequestKind::Stop => {
                tracing::warn!(
                    "{} stops this run{}: nothing more is sent; waiting for calls in flight",
                    shown(by),
                    shown(&reason)
                );
                Event::StopRequested { detail: format!("{prefix}by {by}{reason}") }
            }
            RequestKind::Pace => {
                if self.pace == *rates {
                    return;
                }
                let Ok(pace) = rates.as_deref().map(str::parse::<Rate>).transpose() else {
                    tracing::warn!("a request for a pace that this version cannot read is ignored");
                    return;
                };
                let before = pace_name(self.pace.as_deref(), &self.rates);
                let after = pace_name(rates.as_deref(), &self.rates);
                tracing::warn!(
                    "{} sets the rate of this run from {before} to {after}{}",
                    shown(by),
                    shown(&reason)
                );
                self.pace.clone_from(rates);
                let detail = format!("{prefix}by {by}: {before} to {after}{reason}");
                Event::Paced { pace, detail }
            }
        };
        // The run may have ended.
        let _ = self.events.send(event);
    }

    fn report(&mut self, cause: &anyhow::Error) {
        let (since, is_reported) =
            self.failing_since.get_or_insert_with(|| (Instant::now(), false));
        if !*is_reported && since.elapsed() >= REPORTED_AFTER {
            *is_reported = true;
            tracing::warn!(
                "the ledger cannot be asked for requests to stop or slow this run: {cause:#}"
            );
        }
    }
}
