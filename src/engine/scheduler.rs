//! Decides what is claimed, dispatched, released and committed, and when: a state machine
//! that consumes events and returns actions. It reads no clock, socket, file or random number.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use super::commit_timer::CommitTimer;
use super::elsewhere::{Elsewhere, WaitsElsewhere};
use super::events::{Actions, CallTimings, Dispatch, Event, Now};
use super::retry_queue::RetryQueue;
use super::run_stats::{Interval, RunStats};
use super::staged_counts::StagedCounts;
use crate::ledger::{
    AttemptEnd, ClaimedRow, CommitOutcome, CommitRequest, CompletedClaim, PendingRow, StartedRun,
};
use crate::model::{
    Counts, FatalCause, OnDoubt, ReasonCode, RowNumber, RowTransition, ServerSignal, Verdict,
    transition,
};
use crate::policy::adaptive::{AdaptiveLimits, Observation};
use crate::policy::backoff::Backoff;
use crate::policy::circuit_breaker::{self, CircuitBreaker};
use crate::policy::credential_refresh::{RefreshOutcome, RefreshSchedule};
use crate::policy::lease::LeaseTracker;
use crate::policy::pacer::{SHARED_SLOT_GRACE, SLOT_GRACE};
use crate::policy::retry_after::{RetryAfter, WaitRequest};
use crate::policy::sliding_log::SlidingSecond;
use crate::policy::stop_rules::{StopReason, StopRuleSettings, StopRules};

/// How a run is to be driven.
#[derive(Debug, Clone)]
pub struct RunPolicy {
    /// Calls in flight at most, claimed ones included; at least 1.
    pub concurrency: u32,
    /// Attempts a row may use, at least 1.
    pub attempts: u32,
    /// What is done about a lost answer.
    pub on_doubt: OnDoubt,
    /// From this time on no attempt may start.
    pub last_start: Option<Timestamp>,
    /// The rules that stop a run that is going wrong.
    pub limits: StopRuleSettings,
    /// How long an outage of the server is waited for.
    pub max_outage: Duration,
    /// The most calls that may start in any one second, if that is limited.
    pub max_per_second: Option<u32>,
}

/// The waits of a row between its attempts. They are cut by up to half, so that rows that failed
/// together do not return together.
const RETRIES: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30), 0.5);

/// When a row is asked for again whose order another run has in flight: about as long as
/// an answer takes.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// A call that was missed may start so long after its slot at most: longer windows of the
/// contract count it within a second.
const LATEST_START: Duration = Duration::from_millis(900);

/// Rows that wait for another attempt are held in memory: when this many do,
/// no fresh rows are begun.
const MOST_WAITING: usize = 10_000;

/// All state of a run under way.
#[derive(Debug)]
pub struct Scheduler {
    plan: RunPolicy,
    /// When the last attempt may start, after the start of the run: a wall clock that is set
    /// back puts no cut-off off.
    last_start: Option<Duration>,
    stop_rules: StopRules,
    second: SlidingSecond,
    adaptive: AdaptiveLimits,
    breaker: CircuitBreaker,
    lease: LeaseTracker,
    counts: StagedCounts,
    /// Claimed rows, each with the time after the start at which it may be sent,
    /// if there is a pace to keep.
    claimed: VecDeque<(Option<Duration>, ClaimedRow)>,
    in_flight: u32,
    /// Whether what has not started of that is not to start any more.
    cancel_unstarted: bool,
    /// When that was so last.
    recalled_at: Duration,
    /// How often rows were missed at their slots, those that have not been sent since.
    missed: BTreeMap<RowNumber, u32>,
    completed: Vec<CompletedClaim>,
    retries: RetryQueue,
    elsewhere: Elsewhere,
    commits: CommitTimer,
    /// Whether the machine stood still since the commit under way began.
    paused_in_commit: bool,
    /// When nobody may send because the server said so.
    retry_after: RetryAfter,
    refresh: RefreshSchedule,
    exhausted: bool,
    stop: Option<ReasonCode>,
    stop_reason: Option<StopReason>,
    /// What the last call into the outage under way came to.
    last_failure: Option<String>,
    /// Calls that ended.
    calls: u64,
    stats: RunStats,
    /// Until when after the start the statistics are complete.
    told_until: Duration,
}

impl Scheduler {
    /// A scheduler for a run whose rows stand like this, with this to do.
    pub fn new(plan: RunPolicy, counts: Counts, begun: StartedRun) -> Scheduler {
        Scheduler {
            stop_rules: StopRules::new(&plan.limits, &counts),
            lease: LeaseTracker::default(),
            second: SlidingSecond::new(plan.max_per_second),
            adaptive: AdaptiveLimits::new(plan.concurrency, plan.max_per_second),
            breaker: CircuitBreaker::new(plan.max_outage),
            retry_after: RetryAfter::new(plan.max_outage),
            plan,
            counts: StagedCounts::new(counts),
            claimed: VecDeque::new(),
            in_flight: 0,
            cancel_unstarted: false,
            recalled_at: Duration::ZERO,
            missed: BTreeMap::new(),
            completed: Vec::new(),
            retries: RetryQueue::new(begun.waiting),
            elsewhere: Elsewhere::default(),
            commits: CommitTimer::default(),
            paused_in_commit: false,
            last_start: None,
            refresh: RefreshSchedule::disabled(),
            exhausted: begun.exhausted,
            stop: None,
            stop_reason: None,
            last_failure: None,
            calls: 0,
            stats: RunStats::default(),
            told_until: Duration::ZERO,
        }
    }

    /// The same scheduler, for credentials that are renewed so.
    pub fn with_credential_refresh(self, refresh: RefreshSchedule) -> Scheduler {
        Scheduler { refresh, ..self }
    }

    /// How the rows stand.
    pub fn counts(&self) -> Counts {
        self.counts.total()
    }

    /// Calls in flight.
    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Rows that wait for another attempt.
    pub fn waiting(&self) -> usize {
        self.retries.len()
    }

    /// What waits for calls that other runs have in flight, if anything does.
    pub fn waits_elsewhere(&self, now: Duration) -> Option<WaitsElsewhere> {
        self.elsewhere.waits(now)
    }

    /// Until when after the start nobody may send, if the server said so.
    pub fn quiet_until(&self) -> Duration {
        self.retry_after.until()
    }

    /// What the server asked everyone to wait for, unless it has worked since.
    pub fn asked_to_wait(&self) -> Option<WaitRequest> {
        self.retry_after.asked()
    }

    /// Since when after the start the server is away, if it is.
    pub fn outage_since(&self) -> Option<Duration> {
        self.breaker.open_since()
    }

    /// What the last call into the outage came to, if the server is away.
    pub fn outage_cause(&self) -> Option<&str> {
        self.breaker.open_since().and(self.last_failure.as_deref())
    }

    /// Why the run is stopping, if it is.
    pub fn stop(&self) -> Option<ReasonCode> {
        self.stop
    }

    /// Which stop rule ended it, if that is why the run is stopping.
    pub fn stop_reason(&self) -> Option<&StopReason> {
        self.stop_reason.as_ref().filter(|stop_reason| Some(stop_reason.code) == self.stop)
    }

    /// Calls that ended since the start.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// What happened since the start.
    pub fn stats(&self) -> RunStats {
        self.stats
    }

    /// Whether the cut-off came, by the wall clock or by the time that has passed.
    fn is_past_last_start(&mut self, now: Now) -> bool {
        let Some(last) = self.plan.last_start else { return false };
        let by_passed_time = *self.last_start.get_or_insert_with(|| until(last, now));
        now.wall >= last || now.since_start >= by_passed_time
    }

    /// Takes in what happened, if anything but the time that was asked for, and says
    /// what to do.
    pub fn on(&mut self, events: impl IntoIterator<Item = Event>, now: Now) -> Actions {
        self.account_until(now.since_start);
        events.into_iter().for_each(|event| self.on_event(event, now));
        if self.is_past_last_start(now) && self.has_work() {
            self.stop_for(ReasonCode::CutOff);
        }
        if self.breaker.deadline().is_some_and(|at| now.since_start >= at) && self.has_work() {
            self.stop_for(ReasonCode::Outage);
            let last = self.last_failure.as_deref().unwrap_or("none ended");
            self.stop_reason.get_or_insert_with(|| StopReason::from_outage(last));
        }
        self.adaptive.tick(now.since_start);
        let send = self.dispatch_due(now);
        let cancel_unstarted =
            std::mem::take(&mut self.cancel_unstarted) || self.is_paused_or_stopped(now);
        if cancel_unstarted {
            self.recalled_at = now.since_start;
        }
        let commit = self.next_commit(now);
        let renew = self.stop.is_none() && self.refresh.take_due(now.since_start);
        let (wake_at, finished) = (self.wake_at(now), self.is_finished());
        Actions { send, cancel_unstarted, commit, renew, wake_at, finished }
    }

    fn on_event(&mut self, event: Event, now: Now) {
        match event {
            Event::Committed(outcome) => self.on_committed(outcome, now),
            Event::Ended { claimed, ending, times } => {
                self.second.on_answered(times.dispatched_at, times.started, times.ended);
                self.missed.remove(&claimed.row());
                self.ended(claimed, ending, times, now);
            }
            Event::Expired { claimed, dispatched_at } => {
                self.in_flight -= 1;
                self.second.missed(dispatched_at);
                self.breaker.on_expired(dispatched_at, now.since_start);
                self.missed(claimed, dispatched_at, now);
            }
            Event::Paused => self.paused(now),
            Event::Stop(why) => self.stop_for(why),
            Event::CredentialsRefreshed(fetched) => {
                self.stats.renewals += u32::from(matches!(fetched, RefreshOutcome::Refreshed(_)));
                if !self.refresh.on_refreshed(fetched, now.since_start) {
                    self.stop_for(ReasonCode::Credentials);
                }
            }
        }
    }

    /// All that held since the last events held until now.
    fn account_until(&mut self, now: Duration) {
        let most = self.plan.max_per_second.map_or(f64::INFINITY, f64::from);
        self.stats.passed(Interval {
            from: self.told_until,
            to: now,
            is_away: self.breaker.open_since().is_some(),
            quiet_until: self.retry_after.until(),
            held_to: self.adaptive.limit().filter(|limit| *limit < most),
        });
        self.told_until = now;
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
        outcome.stop.into_iter().for_each(|why| self.stop_for(why));
        if let Some(until) = outcome.quiet_until {
            let left = Duration::try_from(until.duration_since(now.wall)).unwrap_or_default();
            self.retry_after.on_reported(left, now.since_start);
        }
        outcome.deferred.into_iter().for_each(|row| self.retries.push(row));
        let elsewhere = outcome.in_flight_elsewhere.iter().map(PendingRow::row);
        self.elsewhere.found(elsewhere, now.since_start);
        let ask_at = now.since_start.saturating_add(ASK_AGAIN_AFTER);
        for waiting in outcome.in_flight_elsewhere {
            self.retries.push_delayed(waiting, ask_at);
        }
        let is_too_old = std::mem::take(&mut self.paused_in_commit);
        for claimed in outcome.claimed {
            self.stop_rules.canary().add(claimed.row());
            if is_too_old {
                self.release_claim(claimed, now);
                continue;
            }
            self.claimed.push_back((claimed.slot().map(at), claimed));
        }
        let ahead = outcome.next_slot_at.map(|at| at.duration_since(now.wall));
        let ahead = ahead.map(|ahead| Duration::try_from(ahead).unwrap_or_default());
        let is_paced = self.plan.max_per_second.is_some() || !self.adaptive.min_spacing().is_zero();
        self.commits.plan(ahead, is_paced, now.since_start);
    }

    /// The machine stood still, for nobody knows how long: what is claimed goes back to the
    /// ledger, which knows whether it is still ours.
    fn paused(&mut self, now: Now) {
        self.cancel_unstarted = true;
        self.paused_in_commit = self.commits.is_committing();
        while let Some((_, claimed)) = self.claimed.pop_front() {
            self.release_claim(claimed, now);
        }
    }

    /// The rows that were held are others' now.
    fn on_lease_lost(&mut self) {
        self.claimed.clear();
        self.retries.clear();
        self.elsewhere.on_lease_lost();
    }

    /// What a call that ended tells of the server; says whether an outage was why it
    /// failed, so that it does not count against its row.
    fn observe_call(
        &mut self,
        claimed: &ClaimedRow,
        ending: &AttemptEnd,
        times: CallTimings,
        now: Now,
    ) -> bool {
        let (started, took) = (times.started, times.ended.saturating_sub(times.started));
        let signal = ending.outcome.server_signal();
        let retry_after = ending.outcome.retry_after.map(|wait| wait.min(self.plan.max_outage));
        let was_last = claimed.counted_attempts() >= self.plan.attempts;
        let (row, again) = (claimed.row(), claimed.doubt() || claimed.counted_attempts() > 1);
        let ended = circuit_breaker::CallObservation { signal, row, started, was_last, again };
        match self.breaker.observe(ended, now.since_start) {
            Some(circuit_breaker::Transition::Opened(rows)) => {
                self.stats.outages += 1;
                self.cancel_unstarted = true;
                self.retries.refund_attempts(&rows);
            }
            Some(circuit_breaker::Transition::Closed) => self.adaptive.restart(now.since_start),
            None => {}
        }
        // A server that is away shows no limits.
        if self.breaker.open_since().is_none() {
            let shown =
                Observation { signal, started, took, retry_after, in_flight: self.in_flight };
            self.adaptive.observe(shown, now.since_start);
        }
        let is_implicated = self.breaker.is_implicated(signal, started);
        if is_implicated {
            self.last_failure = Some(ending.outcome.describe());
        }
        is_implicated
    }

    fn ended(&mut self, claimed: ClaimedRow, ending: AttemptEnd, times: CallTimings, now: Now) {
        let is_refunded = self.observe_call(&claimed, &ending, times, now);
        self.commits.queued(times.started.saturating_sub(times.dispatched_at));
        self.in_flight -= 1;
        self.calls += 1;
        let verdict = ending.outcome.verdict;
        self.stats.called(claimed.attempt(), verdict);
        let renewed = verdict == Verdict::Stop(FatalCause::Unauthorized)
            && self.refresh.on_unauthorized(times.started, now.since_start);
        if ending.outcome.server_signal() == ServerSignal::Works {
            self.retry_after.on_success(times.started);
        }
        if let Some(wait) = ending.outcome.retry_after
            && !self.retry_after.on_requested(wait, times.started, now.since_start)
        {
            self.stop_for(ReasonCode::Outage);
            self.stop_reason
                .get_or_insert(StopReason::from_retry_after(wait, &ending.outcome.describe()));
        }
        let attempts_left = is_refunded || claimed.counted_attempts() < self.plan.attempts;
        let doubt = claimed.doubt() || verdict.leaves_doubt();
        let transition = transition(verdict, attempts_left, doubt, self.plan.on_doubt);
        let is_ours = claimed.lease() == self.lease.fencing_number();
        let end = if let RowTransition::End(status) = transition { Some(status) } else { None };
        end.filter(|_| is_ours).iter().for_each(|status| self.counts.add(*status, doubt));
        let stop_reason =
            self.stop_rules.observe(claimed.row(), &ending.outcome, end, &self.counts());
        let fatal = verdict
            .fatal_cause()
            .filter(|_| !renewed)
            .map(|cause| StopReason::from_answer(cause, claimed.row(), &ending.outcome));
        let (completed, waiting) = match is_refunded {
            true => claimed.complete_refunded(ending, transition),
            false => claimed.complete(ending, transition),
        };
        self.completed.push(completed);
        self.commits.completed(now.since_start);
        match waiting.filter(|_| is_ours) {
            Some(waiting) if renewed => self.retries.push(waiting),
            Some(waiting) => self.schedule_retry(waiting, now),
            None => {}
        }
        if let Some(stop_reason) = fatal.or(stop_reason) {
            self.stop_for(stop_reason.code);
            self.stop_reason.get_or_insert(stop_reason);
        }
    }

    /// The row is claimed again once it has waited.
    fn schedule_retry(&mut self, row: PendingRow, now: Now) {
        let attempts = row.counted_attempts();
        let seed = u64::from(row.row().0) << 32 | u64::from(attempts);
        let wait = RETRIES.delay(attempts.saturating_sub(1), seed);
        let ready_at = now.since_start.saturating_add(wait).max(self.retry_after.until());
        self.retries.push_delayed(row, ready_at);
    }

    /// The first reason to stop is the one that is told.
    fn stop_for(&mut self, why: ReasonCode) {
        self.stop.get_or_insert(why);
    }

    /// Whether nothing may be sent at all, for now or for good.
    fn is_paused_or_stopped(&self, now: Now) -> bool {
        self.stop.is_some()
            || self.refresh.blocks_sending()
            || now.since_start < self.retry_after.until()
    }

    /// What is claimed and due goes out; what may no longer be sent is released.
    fn dispatch_due(&mut self, now: Now) -> Vec<Dispatch> {
        self.release_surplus(now);
        let mut send = Vec::new();
        let halted = self.is_paused_or_stopped(now);
        let early = |slot: &Option<Duration>| slot.is_some_and(|at| now.since_start < at);
        let shared = self.commits.is_shared(now.since_start);
        let grace = if shared { SHARED_SLOT_GRACE } else { SLOT_GRACE };
        let leased_until = self.lease.expires_at();
        let is_away = self.breaker.open_since().is_some();
        while let Some((slot, claimed)) = self.claimed.pop_front_if(|(slot, _)| {
            let has_room = self.adaptive.can_dispatch(self.in_flight);
            let on_time = !early(slot) && self.second.blocked_until(now.since_start).is_none();
            halted || (on_time && has_room)
        }) {
            let grace = self.grace_of(claimed.row(), grace);
            let before = earliest([slot.map(|slot| slot.saturating_add(grace)), leased_until]);
            if halted || before.is_some_and(|before| now.since_start > before) {
                self.release_claim(claimed, now);
            } else {
                self.in_flight += 1;
                self.second.on_started(now.since_start);
                self.breaker.on_sent(now.since_start);
                let at_once = slot.is_some() || is_away;
                send.push(Dispatch { claimed, before, at_once });
            }
        }
        send
    }

    /// While the server is away, only a probe goes out: all else is released.
    fn release_surplus(&mut self, now: Now) {
        if let Some(more) = self.breaker.permits(now.since_start) {
            while self.claimed.len() > more as usize
                && let Some((_, claimed)) = self.claimed.pop_front()
            {
                self.release_claim(claimed, now);
            }
        }
    }

    /// A call was not begun, as a rule because its connection took too long. It is open now:
    /// a little after its slot, and where nobody else takes of the budget, the call may
    /// still start as soon as the second has room for it.
    fn missed(&mut self, claimed: ClaimedRow, dispatched_at: Duration, now: Now) {
        *self.missed.entry(claimed.row()).or_default() += 1;
        let late = |slot: Timestamp| Duration::try_from(now.wall.duration_since(slot));
        let is_late = claimed.slot().is_none_or(|slot| {
            now.since_start.saturating_sub(dispatched_at) >= LATEST_START
                || late(slot).is_ok_and(|late| late >= LATEST_START)
        });
        let is_expired = self.is_paused_or_stopped(now)
            || self.cancel_unstarted
            || dispatched_at <= self.recalled_at
            || self.breaker.open_since().is_some()
            || self.commits.is_shared(now.since_start)
            || claimed.lease() != self.lease.fencing_number();
        match is_late || is_expired {
            true => self.release_claim(claimed, now),
            false => self.claimed.push_front((Some(now.since_start), claimed)),
        }
    }

    /// How late a call may start. A row that was missed is given longer each time, or one
    /// whose connections take long would never be sent where the pace is so slow that they
    /// are closed before its next slot.
    fn grace_of(&self, row: RowNumber, grace: Duration) -> Duration {
        let missed = self.missed.get(&row).copied().unwrap_or_default();
        grace.saturating_mul(1 << missed.min(8))
    }

    /// Nothing was sent: the row goes back among those to be claimed.
    fn release_claim(&mut self, claimed: ClaimedRow, now: Now) {
        let (completed, waiting) = claimed.release();
        self.completed.push(completed);
        self.commits.released(now.since_start);
        self.retries.push(waiting);
    }

    fn next_commit(&mut self, now: Now) -> Option<CommitRequest> {
        if self.commits.is_committing() {
            return None;
        }
        let (again, fresh) = self.rows_to_claim(now);
        let must_renew = self.renew_lease_at().is_some_and(|at| now.since_start >= at);
        let must_commit = must_renew || self.commits.is_due(now.since_start);
        if !must_commit && again.is_empty() && fresh == 0 {
            return None;
        }
        self.commits.begin(fresh > 0 || !again.is_empty(), now.since_start);
        again.iter().for_each(|waiting| self.elsewhere.ask(waiting.row()));
        let completed = std::mem::take(&mut self.completed);
        self.counts.begin_commit();
        Some(CommitRequest {
            at: now.wall,
            uptime: None,
            completed,
            again,
            fresh,
            lead: self.commits.expected_latency(),
            horizon: self.commits.horizon(),
            spacing: self.adaptive.min_spacing(),
            stop: self.stop,
            quiet_until: (self.retry_after.until() > now.since_start).then(|| {
                let left = self.retry_after.until().saturating_sub(now.since_start);
                now.wall.saturating_add(left).unwrap_or(Timestamp::MAX)
            }),
        })
    }

    /// Which rows, and how many fresh ones, the next commit is to claim.
    fn rows_to_claim(&mut self, now: Now) -> (Vec<PendingRow>, u32) {
        self.retries.advance(now.since_start);
        let held = self.is_paused_or_stopped(now) || now.since_start < self.claims_paused_until();
        if held || !self.adaptive.can_dispatch(self.in_flight) {
            return (Vec::new(), 0);
        }
        let outstanding = self.outstanding();
        let has_many_waiting = self.waiting() >= MOST_WAITING;
        let canary = self.stop_rules.canary();
        let waits = self.retries.ready().iter().any(|row| canary.contains(row.row()))
            || self.retries.next_ready_at().is_some();
        if canary.is_active() && outstanding == 0 && !waits {
            canary.complete();
        }
        let room = canary.concurrency(self.plan.concurrency) as usize;
        let room = room.saturating_sub(outstanding);
        let room = match self.breaker.permits(now.since_start) {
            Some(more) => room.min((more as usize).saturating_sub(self.claimed.len())),
            None => room,
        };
        let has_fresh = !self.exhausted && canary.has_room() && !has_many_waiting;
        let breaker = &self.breaker;
        let another = breaker.prefers_untried_row()
            && (has_fresh || self.retries.ready().iter().any(|row| !breaker.has_failed(row.row())));
        let again = self.retries.take(room, |row| {
            canary.admits(row.row()) && !(another && breaker.has_failed(row.row()))
        });
        let fresh = if has_fresh { room - again.len() } else { 0 };
        (again, u32::try_from(fresh).unwrap_or(u32::MAX))
    }

    /// Rows that are claimed and have not ended.
    fn outstanding(&self) -> usize {
        self.in_flight as usize + self.claimed.len()
    }

    /// Before this, no more rows are claimed.
    fn claims_paused_until(&self) -> Duration {
        let is_needed = self.outstanding() * 2 <= self.plan.concurrency as usize;
        let probe_at = self.breaker.next_probe_at().unwrap_or_default();
        self.retry_after.until().max(self.commits.claims_paused_until(is_needed)).max(probe_at)
    }

    /// A process at rest lets its lease run out.
    fn renew_lease_at(&self) -> Option<Duration> {
        self.lease.renew_at().filter(|_| !self.is_finished())
    }

    fn wake_at(&mut self, now: Now) -> Option<Duration> {
        let blocked_until = self.second.blocked_until(now.since_start);
        // Where there is no room, the end of a call wakes the scheduler.
        let has_room = self.adaptive.can_dispatch(self.in_flight);
        let first = self.claimed.front().filter(|_| has_room);
        let next_send = first.and_then(|(slot, _)| (*slot).max(blocked_until));
        // The end of a commit under way wakes the scheduler by itself.
        let idle = !self.commits.is_committing() && self.stop.is_none();
        let next_due = self.retries.next_ready_at().filter(|_| idle);
        let more = self.claims_paused_until();
        let wants_more = idle && (!self.exhausted || !self.retries.ready().is_empty());
        let next_more = (wants_more && more > now.since_start).then_some(more);
        let cut_off = self.plan.last_start.filter(|_| self.has_work());
        let cut_off =
            earliest([cut_off.map(|last| until(last, now)), cut_off.and(self.last_start)]);
        let commit_by = earliest([self.commits.deadline(), self.renew_lease_at()]);
        let commit_by = commit_by.filter(|_| !self.commits.is_committing());
        let renew_at = self.refresh.wake_at().filter(|_| self.stop.is_none());
        let too_long = self.breaker.deadline().filter(|_| self.has_work());
        earliest([next_send, next_due, next_more, commit_by, cut_off, renew_at, too_long])
    }

    /// Whether there is anything that a stop would leave undone.
    fn has_work(&self) -> bool {
        self.stop.is_none()
            && (!self.exhausted || !self.retries.is_empty() || !self.claimed.is_empty())
    }

    fn is_finished(&self) -> bool {
        let at_rest = !self.commits.is_committing()
            && self.in_flight == 0
            && self.claimed.is_empty()
            && self.completed.is_empty();
        at_rest && (self.stop.is_some() || (self.exhausted && self.retries.is_empty()))
    }
}

/// When a time comes, after the start, if the wall clock goes on as it is.
fn until(time: Timestamp, now: Now) -> Duration {
    let left = Duration::try_from(time.duration_since(now.wall)).unwrap_or_default();
    now.since_start.saturating_add(left)
}

/// The earliest of the times that there are.
fn earliest<const N: usize>(times: [Option<Duration>; N]) -> Option<Duration> {
    times.into_iter().flatten().min()
}
