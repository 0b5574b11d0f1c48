//! Decides what is claimed, dispatched, released and committed, and when: a state machine
//! that consumes events and returns actions. It reads no clock, socket, file or random number.

mod claims;
mod dispatch;

use std::time::Duration;

use jiff::Timestamp;

use super::claim_queue::ClaimQueue;
use super::commit_timer::CommitTimer;
use super::cut_off_timer::CutOffTimer;
use super::elsewhere::ElsewhereTracker;
use super::events::{Actions, CallTimings, Event, Now};
use super::retry_queue::RetryQueue;
use super::run_policy::RunPolicy;
use super::run_stats::{Interval, RunStats};
use super::server_state::ServerState;
use super::snapshot::Snapshot;
use super::staged_counts::StagedCounts;
use super::stop_state::StopState;
use crate::ledger::{
    AttemptEnd, ClaimedRow, CommitOutcome, CompletedClaim, PendingRow, StartedRun,
};
use crate::model::{Counts, FatalCause, ReasonCode, RowTransition, Verdict, transition};
use crate::policy::credential_refresh::{RefreshOutcome, RefreshSchedule};
use crate::policy::lease::LeaseTracker;
use crate::policy::sliding_log::SlidingSecond;
use crate::policy::stop_rules::{StopReason, StopRules};

/// When a row is asked for again whose order another run has in flight: about as long as
/// an answer takes.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// All state of a run under way.
#[derive(Debug)]
pub struct Scheduler {
    policy: RunPolicy,
    cut_off: CutOffTimer,
    stop_rules: StopRules,
    rate_guard: SlidingSecond,
    server: ServerState,
    lease: LeaseTracker,
    refresh: RefreshSchedule,
    /// What is to be done, from the ledger and back to it.
    retries: RetryQueue,
    claimed: ClaimQueue,
    in_flight: u32,
    completed: Vec<CompletedClaim>,
    commits: CommitTimer,
    counts: StagedCounts,
    elsewhere: ElsewhereTracker,
    /// Whether no row is left that was never claimed.
    exhausted: bool,
    /// Whether calls that were dispatched and have not started are not to start any more.
    cancel_unstarted: bool,
    /// When that was so last.
    cancelled_at: Duration,
    /// Whether the machine stood still since the commit under way began.
    paused_in_commit: bool,
    stop: StopState,
    /// Calls that ended.
    calls: u64,
    stats: RunStats,
    /// Until when after the start the statistics are complete.
    accounted_until: Duration,
}

impl Scheduler {
    /// A scheduler for a run whose rows stand like this, with this to do.
    pub fn new(policy: RunPolicy, counts: Counts, started: StartedRun) -> Scheduler {
        let RunPolicy { concurrency, max_per_second, max_outage, .. } = policy;
        Scheduler {
            cut_off: CutOffTimer::new(policy.last_start),
            stop_rules: StopRules::new(&policy.stop_rules, &counts),
            rate_guard: SlidingSecond::new(max_per_second),
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
            paused_in_commit: false,
            stop: StopState::default(),
            calls: 0,
            stats: RunStats::default(),
            accounted_until: Duration::ZERO,
        }
    }

    /// The same scheduler, for credentials that are renewed so.
    pub fn with_credential_refresh(self, refresh: RefreshSchedule) -> Scheduler {
        Scheduler { refresh, ..self }
    }

    /// How far the run is.
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
            calls: self.calls,
        }
    }

    /// Why the run is stopping, if it is.
    pub fn stop_code(&self) -> Option<ReasonCode> {
        self.stop.code()
    }

    /// The stop rule, outage or answer that stops the run, if one of them does.
    pub fn stop_reason(&self) -> Option<&StopReason> {
        self.stop.reason()
    }

    /// Calls that ended since the start.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// What happened since the start.
    pub fn stats(&self) -> RunStats {
        self.stats
    }

    /// Takes in what happened, if anything but the time that was asked for, and returns what
    /// to do: accounts for the time passed, applies the rules, dispatches what is due, asks for
    /// the next commit, and says when to wake.
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
        let commit = self.next_commit(now);
        let refresh_credentials =
            !self.stop.is_stopping() && self.refresh.take_due(now.since_start);
        let (wake_at, finished) = (self.wake_at(now), self.is_finished());
        Actions { dispatch, cancel_unstarted, commit, refresh_credentials, wake_at, finished }
    }

    /// All that held since the last events held until now.
    fn account_until(&mut self, now: Duration) {
        let rate = self.policy.max_per_second.map_or(f64::INFINITY, f64::from);
        self.stats.add_interval(Interval {
            from: self.accounted_until,
            to: now,
            is_away: self.server.is_away(),
            retry_after_until: self.server.retry_after.until(),
            throttled_to: self.server.limits.limit().filter(|limit| *limit < rate),
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
            Event::CredentialsRefreshed(outcome) => {
                let is_refreshed = matches!(outcome, RefreshOutcome::Refreshed(_));
                self.stats.credential_refreshes += u32::from(is_refreshed);
                if !self.refresh.on_refreshed(outcome, now.since_start) {
                    self.stop.stop(ReasonCode::Credentials);
                }
            }
        }
    }

    fn on_committed(&mut self, outcome: CommitOutcome, now: Now) {
        if let Some(began) = self.commits.end(now.since_start)
            && self.lease.on_granted(outcome.lease, began)
        {
            self.on_lease_lost();
        }
        let horizon = self.commits.horizon();
        let at = |slot: Timestamp| {
            let ahead = Duration::try_from(slot.duration_since(now.wall)).unwrap_or_default();
            let behind = Duration::try_from(now.wall.duration_since(slot)).unwrap_or_default();
            // A slot beyond the horizon means that the clock was set: it is not waited for.
            now.since_start.saturating_add(ahead.min(horizon * 2)).saturating_sub(behind)
        };
        self.exhausted = outcome.exhausted;
        if outcome.shared {
            self.commits.shared(now.since_start);
        }
        self.counts.committed(outcome.counts);
        if let Some(code) = outcome.stop {
            self.stop.stop(code);
        }
        if let Some(until) = outcome.quiet_until {
            let left = Duration::try_from(until.duration_since(now.wall)).unwrap_or_default();
            self.server.retry_after.on_reported(left, now.since_start);
        }
        outcome.deferred.into_iter().for_each(|row| self.retries.push(row));
        let elsewhere = outcome.in_flight_elsewhere.iter().map(PendingRow::row);
        self.elsewhere.found(elsewhere, now.since_start);
        let ask_at = now.since_start.saturating_add(ASK_AGAIN_AFTER);
        for row in outcome.in_flight_elsewhere {
            self.retries.push_delayed(row, ask_at);
        }
        let is_too_old = std::mem::take(&mut self.paused_in_commit);
        for claimed in outcome.claimed {
            self.stop_rules.canary().add(claimed.row());
            match is_too_old {
                true => self.release_claim(claimed, now),
                false => self.claimed.push(claimed.slot().map(at), claimed),
            }
        }
        let ahead = outcome.next_slot_at.map(|at| at.duration_since(now.wall));
        let ahead = ahead.map(|ahead| Duration::try_from(ahead).unwrap_or_default());
        let min_spacing = self.server.limits.min_spacing();
        let is_paced = self.policy.max_per_second.is_some() || !min_spacing.is_zero();
        self.commits.plan(ahead, is_paced, now.since_start);
    }

    /// The machine stood still, for nobody knows how long: what is claimed goes back to the
    /// ledger, which knows whether it is still ours.
    fn on_paused(&mut self, now: Now) {
        self.cancel_unstarted = true;
        self.paused_in_commit = self.commits.is_committing();
        while let Some((_, claimed)) = self.claimed.pop() {
            self.release_claim(claimed, now);
        }
    }

    /// The rows that were held are others' now.
    fn on_lease_lost(&mut self) {
        self.claimed.clear();
        self.retries.clear();
        self.elsewhere.on_lease_lost();
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
        let (completed, pending) = match is_refunded {
            true => claimed.complete_refunded(ending, transition),
            false => claimed.complete(ending, transition),
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

    /// What a call that ended shows of the server. Returns whether an outage was why it failed,
    /// so that it does not count against its row.
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

    /// Whether nothing may be sent at all, for now or for good.
    fn is_paused_or_stopped(&self, now: Now) -> bool {
        self.stop.is_stopping()
            || self.refresh.blocks_sending()
            || now.since_start < self.server.retry_after.until()
    }

    fn wake_at(&mut self, now: Now) -> Option<Duration> {
        let blocked_until = self.rate_guard.blocked_until(now.since_start);
        // Where there is no room, the end of a call wakes the scheduler.
        let has_room = self.server.limits.can_dispatch(self.in_flight);
        let first = self.claimed.first_slot().filter(|_| has_room);
        let next_dispatch = first.and_then(|slot| slot.max(blocked_until));
        // The end of a commit under way wakes the scheduler by itself.
        let may_claim = !self.commits.is_committing() && !self.stop.is_stopping();
        let next_retry = self.retries.next_ready_at().filter(|_| may_claim);
        let claims_at = self.claims_paused_until();
        let has_rows = !self.exhausted || !self.retries.ready().is_empty();
        let wants_claim = may_claim && has_rows && claims_at > now.since_start;
        let next_claim = wants_claim.then_some(claims_at);
        let commit_by = earliest([self.commits.deadline(), self.renew_lease_at()]);
        let next_commit = commit_by.filter(|_| !self.commits.is_committing());
        let next_refresh = self.refresh.wake_at().filter(|_| !self.stop.is_stopping());
        let has_work = self.has_work();
        let cut_off = self.cut_off.wake_at(now).filter(|_| has_work);
        let outage_ends = self.server.breaker.deadline().filter(|_| has_work);
        earliest([
            next_dispatch,
            next_retry,
            next_claim,
            next_commit,
            next_refresh,
            cut_off,
            outage_ends,
        ])
    }

    /// Whether there is anything that a stop would leave undone.
    fn has_work(&self) -> bool {
        !self.stop.is_stopping()
            && (!self.exhausted || !self.retries.is_empty() || !self.claimed.is_empty())
    }

    fn is_finished(&self) -> bool {
        let is_idle = !self.commits.is_committing()
            && self.in_flight == 0
            && self.claimed.is_empty()
            && self.completed.is_empty();
        is_idle && (self.stop.is_stopping() || (self.exhausted && self.retries.is_empty()))
    }
}

/// The earliest of the times that there are.
fn earliest<const N: usize>(times: [Option<Duration>; N]) -> Option<Duration> {
    times.into_iter().flatten().min()
}
