//! The scheduler decides what is claimed, dispatched, released and committed, and when. It is a
//! state machine that consumes events and returns actions; it reads no clock, socket, file or
//! random number.

mod claims;
mod dispatch;
mod wake;

use std::time::Duration;

use super::claim_queue::ClaimQueue;
use super::commit_timer::CommitTimer;
use super::cut_off_timer::CutOffTimer;
use super::elsewhere::ElsewhereTracker;
use super::event_log::{Conditions, EventLog};
use super::events::{Actions, CallTimings, Event, Now};
use super::rate_guard::RateGuard;
use super::retry_queue::RetryQueue;
use super::run_policy::RunPolicy;
use super::run_stats::{Interval, RunStats};
use super::server_state::ServerState;
use super::snapshot::Snapshot;
use super::staged_counts::StagedCounts;
use super::stop_state::StopState;
use crate::ledger::{AttemptEnd, ClaimedRow, CompletedClaim, EventKind, NewEvent, StartedRun};
use crate::model::{Counts, FatalCause, ReasonCode, RowTransition, Verdict, transition};
use crate::policy::credential_refresh::{RefreshOutcome, RefreshSchedule};
use crate::policy::lease::LeaseTracker;
use crate::policy::rate::Rate;
use crate::policy::stop_rules::{StopReason, StopRules};

/// The state of a run in progress, without I/O.
///
/// [`Scheduler::handle`] consumes what happened and returns what to do. The caller supplies the
/// time, so a test replays hours of a run in milliseconds. This loop sends three orders to a
/// server that cancels each of them at once:
///
/// ```
/// # use std::time::Duration;
/// # use cardcancel::engine::{CallTimings, Dispatch, Event, Now, RunPolicy, Scheduler};
/// # use cardcancel::input::{Disposition, PlannedRow};
/// # use cardcancel::identity::Identity;
/// # use cardcancel::ledger::{AttemptEnd, Ledger, NewRun, Purpose, Sqlite, StartOptions};
/// # use cardcancel::model::{OnDoubt, Order, Outcome, RowNumber, Status, Verdict};
/// # use cardcancel::policy::pacer::Pacer;
/// # use cardcancel::policy::stop_rules::StopRuleSettings;
/// # use jiff::Timestamp;
/// # let start = Timestamp::from_second(1_800_000_000)?;
/// # let folder = tempfile::tempdir()?;
/// # let mut ledger = Sqlite::open(&folder.path().join("ledger.db"))?;
/// # let text = |text: &str| text.to_owned();
/// # let new = NewRun {
/// #     id: text("run"), key: text("key"), command: text("run"), input_name: text("orders.csv"),
/// #     input_digest: text("digest"), endpoint: text("https://example.com"),
/// #     program: text("example"), opened_at: start,
/// # };
/// # let mut rows = (1..=3).map(|row| {
/// #     let order = Some(Order { admin_number: 129_409, sequence_number: 1 + row as i32 });
/// #     let disposition = Disposition::ToSend { doubt: false };
/// #     Ok(PlannedRow { row: RowNumber(row), line: 1 + u64::from(row), order, disposition, place: row })
/// # });
/// # let run = ledger.create_run(new, &mut rows, &[])?;
/// # let options = StartOptions {
/// #     at: start, cut_off: None, rates: text("10/s"), joins: false, again: false,
/// #     on_doubt: OnDoubt::Retry, by: Identity::of_this_process(), purpose: Purpose::default(),
/// #     configuration: text(""),
/// # };
/// # let started = ledger.start(&run, options)?;
/// # let policy = RunPolicy {
/// #     concurrency: 8, attempts: 3, on_doubt: OnDoubt::Retry, last_start: None,
/// #     stop_rules: StopRuleSettings::default(), max_outage: Duration::from_secs(900),
/// #     max_per_second: Some(10),
/// # };
/// # let cancelled = Outcome {
/// #     verdict: Verdict::Cancelled, sent: true, error_code: text("ERR01160"),
/// #     message: String::new(), http_status: Some(200), retry_after: None,
/// # };
/// let mut pacer = Pacer::new(&"10/s".parse()?);
/// let mut scheduler = Scheduler::new(policy, run.counts, started);
/// let mut events = Vec::new();
/// let mut now = Now { since_start: Duration::ZERO, wall: start };
/// loop {
///     let actions = scheduler.handle(events.drain(..), now);
///     for Dispatch { claimed, .. } in actions.dispatch {
///         let at = now.since_start;
///         let times = CallTimings { dispatched_at: at, started: at, ended: at };
///         let ending =
///             AttemptEnd { sent_at: now.wall, ended_at: now.wall, outcome: cancelled.clone() };
///         events.push(Event::Ended { claimed, ending, times });
///     }
///     if let Some(request) = actions.commit {
///         let outcome =
///             ledger.commit(request, &mut |budget, slots| pacer.allocate(budget, slots))?;
///         events.push(Event::Committed(outcome));
///     }
///     if actions.finished {
///         break;
///     }
///     // Nothing happens until the scheduler wakes: move the clock there.
///     if let (true, Some(wake_at)) = (events.is_empty(), actions.wake_at) {
///         now = Now { since_start: wake_at, wall: start + wake_at };
///     }
/// }
/// assert_eq!(scheduler.snapshot(now).counts.get(Status::Cancelled), 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Scheduler {
    policy: RunPolicy,
    cut_off: CutOffTimer,
    stop_rules: StopRules,
    rate_guard: RateGuard,
    server: ServerState,
    lease: LeaseTracker,
    refresh: RefreshSchedule,
    /// The rows in the order of their way: waiting, claimed, in flight, completed.
    retries: RetryQueue,
    claimed: ClaimQueue,
    in_flight: u32,
    completed: Vec<CompletedClaim>,
    commits: CommitTimer,
    counts: StagedCounts,
    elsewhere: ElsewhereTracker,
    /// Whether every row has been claimed at least once.
    exhausted: bool,
    /// Whether dispatched calls that have not started must be cancelled.
    cancel_unstarted: bool,
    /// When calls were last cancelled, since the start of the run.
    cancelled_at: Duration,
    /// Whether what the commit in progress claims must be released: the machine was suspended, or
    /// the pace was changed, since it began.
    commit_is_outdated: bool,
    /// The rate to which the run is held by request; `None` if it has its own.
    pace: Option<Rate>,
    stop: StopState,
    /// The number of calls that ended.
    calls: u64,
    stats: RunStats,
    event_log: EventLog,
    /// The time since the start up to which the statistics are complete.
    accounted_until: Duration,
}

impl Scheduler {
    /// A scheduler for a run with these counts in the ledger and this work to do.
    pub fn new(policy: RunPolicy, counts: Counts, started: StartedRun) -> Scheduler {
        let RunPolicy { concurrency, max_per_second, max_outage, .. } = policy;
        Scheduler {
            cut_off: CutOffTimer::new(policy.last_start),
            stop_rules: StopRules::new(&policy.stop_rules, &counts),
            rate_guard: RateGuard::new(max_per_second),
            server: ServerState::new(concurrency, max_per_second, max_outage),
            lease: LeaseTracker::default(),
            refresh: RefreshSchedule::disabled(),
            policy,
            retries: RetryQueue::new(started.waiting),
            claimed: ClaimQueue::default(),
            in_flight: 0,
            completed: Vec::new(),
            commits: CommitTimer::default(),
            counts: StagedCounts::new(counts),
            elsewhere: ElsewhereTracker::default(),
            exhausted: started.exhausted,
            cancel_unstarted: false,
            cancelled_at: Duration::ZERO,
            commit_is_outdated: false,
            pace: None,
            stop: StopState::default(),
            calls: 0,
            stats: RunStats::default(),
            event_log: EventLog::default(),
            accounted_until: Duration::ZERO,
        }
    }

    /// Adds a schedule by which the credentials are refreshed. Without one, they never are.
    pub fn with_credential_refresh(self, refresh: RefreshSchedule) -> Scheduler {
        Scheduler { refresh, ..self }
    }

    /// Begins with a pace that was asked for before. Without one, the run has its own rate.
    pub fn with_pace(mut self, pace: Option<Rate>) -> Scheduler {
        self.hold_to(pace);
        self
    }

    /// The pace to which slots must be granted; `None` if the run has its own rate.
    pub fn pace(&self) -> Option<Rate> {
        self.pace
    }

    /// The current state for display.
    pub fn snapshot(&self, now: Now) -> Snapshot {
        let passed = |since: Duration| now.since_start.saturating_sub(since);
        Snapshot {
            counts: self.counts.total(),
            in_flight: self.in_flight,
            waiting: self.retries.len(),
            elsewhere: self.elsewhere.waiting(now.since_start),
            retry_after: self.server.retry_after.until().saturating_sub(now.since_start),
            outage: self.server.breaker.open_since().map(passed),
            outage_cause: self.server.outage_cause().map(str::to_owned),
            wait_request: self.server.retry_after.asked(),
            stop: self.stop.code(),
            pace: self.pace,
            calls: self.calls,
        }
    }

    /// Why the run is stopping; `None` if it is not.
    pub fn stop_code(&self) -> Option<ReasonCode> {
        self.stop.code()
    }

    /// The stop rule, outage or answer that stops the run; `None` if none of them does.
    pub fn stop_reason(&self) -> Option<&StopReason> {
        self.stop.reason()
    }

    /// The number of calls that ended since the start.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// The statistics since the start.
    pub fn stats(&self) -> RunStats {
        self.stats
    }

    /// Takes in what happened since the last call, which may be nothing but the passing of time,
    /// and returns the actions to perform: accounts for the time passed, applies the rules,
    /// dispatches what is due, requests the next commit, and sets when to wake.
    pub fn handle(&mut self, events: impl IntoIterator<Item = Event>, now: Now) -> Actions {
        self.account_until(now.since_start);
        events.into_iter().for_each(|event| self.on_event(event, now));
        if self.cut_off.has_passed(now) && self.has_work() {
            self.stop.stop(ReasonCode::CutOff);
        }
        if self.has_work()
            && let Some(reason) = self.server.outage_too_long(now.since_start)
        {
            self.stop.stop_because(reason);
        }
        self.server.limits.tick(now.since_start);
        let dispatch = self.dispatch_due(now);
        let cancel_unstarted =
            std::mem::take(&mut self.cancel_unstarted) || self.is_paused_or_stopped(now);
        if cancel_unstarted {
            self.cancelled_at = now.since_start;
        }
        self.observe_conditions(now);
        let commit = self.next_commit(now);
        let refresh_credentials =
            !self.stop.is_stopping() && self.refresh.take_due(now.since_start);
        let (wake_at, finished) = (self.wake_at(now), self.is_finished());
        Actions { dispatch, cancel_unstarted, commit, refresh_credentials, wake_at, finished }
    }

    /// Keeps what began or ended for the record.
    fn observe_conditions(&mut self, now: Now) {
        let conditions = Conditions {
            outage: self.server.is_away().then(|| self.server.outage_cause().unwrap_or_default()),
            retry_after_until: self.server.retry_after.until(),
            throttled_to: self.throttled_to(),
            stop: self.stop.code().map(|code| (code, self.stop.reason())),
        };
        self.event_log.observe(conditions, now);
    }

    /// The limit in calls a second, if it is below the configured rate.
    fn throttled_to(&self) -> Option<f64> {
        let rate = self.policy.max_per_second.map_or(f64::INFINITY, f64::from);
        self.server.limits.limit().filter(|limit| *limit < rate)
    }

    /// Takes the events that no commit has taken.
    pub fn take_events(&mut self) -> Vec<NewEvent> {
        self.event_log.take()
    }

    /// Adds the time since the last call to the statistics: its conditions lasted until now.
    fn account_until(&mut self, now: Duration) {
        let throttled_to = self.throttled_to();
        self.stats.add_interval(Interval {
            from: self.accounted_until,
            to: now,
            is_away: self.server.is_away(),
            retry_after_until: self.server.retry_after.until(),
            throttled_to,
        });
        self.accounted_until = now;
    }

    fn on_event(&mut self, event: Event, now: Now) {
        match event {
            Event::Committed(outcome) => self.on_committed(outcome, now),
            Event::Ended { claimed, ending, times } => {
                self.on_call_ended(claimed, ending, times, now);
            }
            Event::Expired { claimed, dispatched_at } => {
                self.on_call_expired(claimed, dispatched_at, now);
            }
            Event::Paused => self.on_paused(now),
            Event::Stop(code) => self.stop.stop(code),
            Event::StopRequested { detail } => self.on_stop_requested(detail, now),
            Event::Paced { pace, detail } => self.on_paced(pace, detail, now),
            Event::CredentialsRefreshed(outcome) => {
                let is_refreshed = matches!(outcome, RefreshOutcome::Refreshed(_));
                self.stats.credential_refreshes += u32::from(is_refreshed);
                if is_refreshed {
                    self.event_log.add(EventKind::CredentialsRefreshed, String::new(), now);
                }
                if !self.refresh.on_refreshed(outcome, now.since_start) {
                    self.stop.stop(ReasonCode::Credentials);
                }
            }
        }
    }

    /// The machine was suspended for an unknown time: claimed rows are released to the ledger,
    /// which knows whether this process still holds them.
    fn on_paused(&mut self, now: Now) {
        self.cancel_unstarted = true;
        self.commit_is_outdated = self.commits.is_committing();
        while let Some((_, claimed)) = self.claimed.pop() {
            self.release_claim(claimed, now);
        }
    }

    fn on_stop_requested(&mut self, detail: String, now: Now) {
        // The request stopped nothing if the run was stopping for another reason.
        if self.stop.code().is_none_or(|code| code == ReasonCode::StopRequested) {
            self.event_log.add(EventKind::StopRequested, detail, now);
            self.stop.stop(ReasonCode::StopRequested);
        }
    }

    /// Slots were reserved at the old rate, so the rows that wait for theirs get others.
    fn on_paced(&mut self, pace: Option<Rate>, detail: String, now: Now) {
        self.hold_to(pace);
        self.event_log.add(EventKind::Paced, detail, now);
        self.on_paused(now);
        self.commits.forget_plan();
        // Whoever asked waits for the record of it.
        self.commits.released(now.since_start);
    }

    fn hold_to(&mut self, pace: Option<Rate>) {
        self.pace = pace;
        self.rate_guard.hold_to(pace);
    }

    fn on_call_ended(
        &mut self,
        claimed: ClaimedRow,
        ending: AttemptEnd,
        times: CallTimings,
        now: Now,
    ) {
        self.rate_guard.on_answered(times.dispatched_at, times.started, times.ended);
        self.claimed.on_ended(claimed.row());
        let was_last = claimed.counted_attempts() >= self.policy.attempts;
        let is_refunded = self.observe_server(&claimed, &ending, times, was_last, now);
        self.commits.queued(times.started.saturating_sub(times.dispatched_at));
        self.in_flight -= 1;
        self.calls += 1;
        let verdict = ending.outcome.verdict;
        self.stats.add_call(claimed.attempt(), verdict);
        let waits_for_refresh = verdict == Verdict::Stop(FatalCause::Unauthorized)
            && self.refresh.on_unauthorized(times.started, now.since_start);
        let doubt = claimed.doubt() || verdict.leaves_doubt();
        let attempts_left = is_refunded || !was_last;
        let transition = transition(verdict, attempts_left, doubt, self.policy.on_doubt);
        let is_ours = claimed.lease() == self.lease.fencing_number();
        let end = if let RowTransition::End(status) = transition { Some(status) } else { None };
        if let Some(status) = end.filter(|_| is_ours) {
            self.counts.add(status, doubt);
        }
        let counts = self.counts.total();
        let by_rule = self.stop_rules.observe(claimed.row(), &ending.outcome, end, &counts);
        let by_answer = verdict
            .fatal_cause()
            .filter(|_| !waits_for_refresh)
            .map(|cause| StopReason::from_answer(cause, claimed.row(), &ending.outcome));
        let (completed, pending) = if is_refunded {
            claimed.complete_refunded(ending, transition)
        } else {
            claimed.complete(ending, transition)
        };
        self.completed.push(completed);
        self.commits.completed(now.since_start);
        let not_before = self.server.retry_after.until();
        match pending.filter(|_| is_ours) {
            Some(row) if waits_for_refresh => self.retries.push(row),
            Some(row) => self.retries.schedule(row, now.since_start, not_before),
            None => {}
        }
        if let Some(reason) = by_answer.or(by_rule) {
            self.stop.stop_because(reason);
        }
    }

    /// Observes what a call that ended indicates about the server. Returns whether it failed
    /// because of an outage, so that it does not count as an attempt of its row.
    fn observe_server(
        &mut self,
        claimed: &ClaimedRow,
        ending: &AttemptEnd,
        times: CallTimings,
        was_last: bool,
        now: Now,
    ) -> bool {
        let at = (self.in_flight, was_last);
        let observed = self.server.observe(claimed, &ending.outcome, times, at, now.since_start);
        if let Some(rows) = observed.outage {
            self.stats.outages += 1;
            self.cancel_unstarted = true;
            self.retries.refund_attempts(&rows);
        }
        if let Some(reason) = observed.stop {
            self.stop.stop_because(reason);
        }
        observed.is_refunded
    }
}

/// The earliest of these times; `None` if all are `None`.
fn earliest<const N: usize>(times: [Option<Duration>; N]) -> Option<Duration> {
    times.into_iter().flatten().min()
}
