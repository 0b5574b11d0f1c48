//! Sends the rows of a run: starts it in the ledger and runs the engine until it is finished.

use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

use super::caller::CoreCardCaller;
use super::run_requests::RequestWatcher;
use super::sealing;
use crate::audit::seal::SealedClock;
use crate::config::Settings;
use crate::engine::{self, Event, RunOutcome, RunPolicy, Scheduler, Snapshot};
use crate::identity::Identity;
use crate::ledger::{Ledger, LedgerError, Run, StartOptions, StartedRun};
use crate::model::ReasonCode;
use crate::output::human_count;
use crate::output::live_line::ProgressContext;
use crate::output::metrics::MetricsFile;
use crate::output::progress;
use crate::policy::pacer::Pacer;
use crate::policy::rate::{Rate, Rates};

/// Before the first call, connections are opened for the calls of this time. A call that must
/// open its connection first arrives late, and so nearer to the calls after it.
const CONNECTED_FOR: Duration = Duration::from_millis(50);

/// What the rows of a run are sent with.
pub struct RunSession<'a> {
    /// The settings of this process.
    pub settings: &'a Settings,
    /// The pace.
    pub rates: &'a Rates,
    /// When the last call may start, by the ledger's clock.
    pub last_start: Option<Timestamp>,
    /// Whether other processes have started the run.
    pub joins: bool,
    /// How many of its rows that have not ended other runs are known to have cancelled.
    pub cancelled: u64,
    /// Makes the calls.
    pub caller: CoreCardCaller,
    /// Cancelled when this process is to stop.
    pub shutdown: CancellationToken,
    /// The metrics to keep up to date, if any.
    pub metrics: Option<&'a mut MetricsFile>,
}

impl RunSession<'_> {
    /// Runs the engine until the run is finished. Returns what is known of the clock by which its
    /// times were taken, too.
    ///
    /// # Errors
    /// When the ledger fails; calls in flight have been waited for.
    pub async fn send(
        mut self,
        run: &Run,
        mut ledger: Box<dyn Ledger>,
    ) -> anyhow::Result<(RunOutcome, SealedClock)> {
        self.warn_if_stop_rule_is_tight();
        let (start, starting) = (self.start(), run.clone());
        // A ledger that is away is waited for, and signals must be handled meanwhile.
        let span = Span::current();
        let started = tokio::task::spawn_blocking(move || {
            let begun = span.in_scope(|| ledger.start(&starting, start))?;
            Ok::<_, LedgerError>((ledger, begun))
        });
        let (ledger, begun) = started.await.context("the ledger's thread died")??;
        if self.last_start.is_none_or(|last| Timestamp::now() < last) {
            tracing::info!(
                "{} of {} rows to send to {}, {}",
                human_count(run.left().saturating_sub(self.cancelled)),
                human_count(run.rows),
                run.opened.endpoint,
                self.rates
            );
        }
        let pace = self.pace(&begun);
        let (ledger_ahead, date) = (begun.clock_ahead, self.caller.server_date());
        let plan = self.plan(&begun);
        let connections = self.connections(run, plan.last_start);
        let (show, shown) = watch::channel(Snapshot { counts: run.counts, ..Snapshot::default() });
        let last_start = plan.last_start;
        let context = ProgressContext { rows: run.rows, before: run.counts.total(), last_start };
        let keep = |metrics: &mut MetricsFile| metrics.clone().keep_up_to_date(shown.clone());
        let kept = self.metrics.as_deref_mut().map(keep);
        let kept = kept.map(|kept| tokio::spawn(kept.in_current_span()));
        let last = shown.clone();
        let progress = progress::show(context, shown, self.settings.quiet);
        let progress = tokio::spawn(progress.in_current_span());
        let (ask, requests) = mpsc::unbounded_channel();
        let own_rates = (self.rates.to_string(), &begun);
        let watcher = RequestWatcher::spawn(&self.settings.ledger, run, own_rates, ask.clone())?;
        let scheduler = Scheduler::new(plan, run.counts, begun)
            .with_credential_refresh(self.caller.refresh())
            .with_pace(pace);
        forward_shutdown(self.shutdown, ask);
        let finished = engine::run(
            scheduler,
            ledger,
            Pacer::new(self.rates).for_run(run.id()),
            self.caller,
            connections,
            requests,
            show,
        )
        .await;
        drop(watcher);
        // It ends with its sender, and a picture that failed is no reason to fail.
        let _ = progress.await;
        if let (Some(kept), Some(metrics)) = (kept, self.metrics) {
            let _ = kept.await;
            metrics.update(&last.borrow());
        }
        Ok((finished?, sealing::clock(&self.settings.ledger, ledger_ahead, &date)))
    }

    fn start(&self) -> StartOptions {
        StartOptions {
            at: Timestamp::now(),
            cut_off: self.last_start,
            rates: self.rates.to_string(),
            joins: self.joins,
            again: self.settings.again,
            on_doubt: self.settings.on_doubt,
            by: Identity::of_this_process(),
            purpose: self.settings.purpose.clone(),
            configuration: self.settings.configuration.clone(),
        }
    }

    /// The pace to which the run was held before.
    fn pace(&self, begun: &StartedRun) -> Option<Rate> {
        let pace = begun.pace.as_deref()?;
        let Ok(rate) = pace.parse() else {
            tracing::warn!(
                "the run was held to a pace that this version cannot read: it is ignored"
            );
            return None;
        };
        tracing::warn!(
            "this run is held to {rate}, by `cardcancel pace`; `cardcancel pace RUN restore` restores its own rate"
        );
        Some(rate)
    }

    fn plan(&self, begun: &StartedRun) -> RunPolicy {
        let settings = self.settings;
        // The cut-off holds by the ledger's clock, which all that work on the run share.
        let here = |at: Timestamp| at.saturating_sub(begun.clock_ahead).unwrap_or(at);
        RunPolicy {
            concurrency: settings.concurrency,
            attempts: settings.attempts,
            on_doubt: settings.on_doubt,
            last_start: self.last_start.map(here),
            stop_rules: settings.stop_rules,
            max_outage: settings.max_outage,
            max_per_second: self.rates.max_per_second(),
        }
    }

    /// How many connections to open before the first call. Without a pace, none.
    fn connections(&self, run: &Run, last_start: Option<Timestamp>) -> usize {
        if last_start.is_some_and(|last| Timestamp::now() >= last) {
            return 0;
        }
        let a_second = self.rates.binding().first().map_or(0.0, Rate::per_second);
        let of_the_pace = (CONNECTED_FOR.as_secs_f64() * a_second) as u64;
        let left = run.left();
        of_the_pace.min(self.settings.concurrency.into()).min(left) as usize
    }

    fn warn_if_stop_rule_is_tight(&self) {
        let concurrency = self.settings.concurrency;
        if let Some(most) = self.settings.stop_rules.consecutive_doubts
            && most < concurrency
        {
            tracing::warn!(
                "--max-consecutive-doubts {most} is below --concurrency {concurrency}: one stall of the server can stop the run"
            );
        }
    }
}

/// Turns a shutdown of the process into a reason to stop.
fn forward_shutdown(shutdown: CancellationToken, ask: mpsc::UnboundedSender<Event>) {
    tokio::spawn(async move {
        tokio::select! {
            () = shutdown.cancelled() => {
                let _ = ask.send(Event::Stop(ReasonCode::Signal));
            }
            () = ask.closed() => {}
        }
    });
}
