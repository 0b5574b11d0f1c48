//! The circuit breaker detects outages of the server. After a series of calls without an answer
//! that a working server would give, it opens: only one probe at a time is sent until one of them
//! is answered.
//!
//! ```
//! use std::time::Duration;
//!
//! use cardcancel::model::{RowNumber, ServerSignal};
//! use cardcancel::policy::circuit_breaker::{CallObservation, CircuitBreaker, Transition};
//!
//! let mut breaker = CircuitBreaker::new(Duration::from_secs(900));
//! let call = |signal, row, started| CallObservation {
//!     signal,
//!     row: RowNumber(row),
//!     started,
//!     was_last: false,
//!     again: false,
//! };
//! let failed_at = Duration::from_secs(1);
//! for row in 1..=10 {
//!     breaker.observe(call(ServerSignal::Unreachable, row, failed_at), failed_at);
//! }
//! assert_eq!(breaker.open_since(), Some(failed_at));
//! assert_eq!(breaker.permits(failed_at), Some(0));
//!
//! let probe_at = Duration::from_secs(2);
//! assert_eq!(breaker.permits(probe_at), Some(1));
//! breaker.on_sent(probe_at);
//! let answered = breaker.observe(call(ServerSignal::Works, 11, probe_at), probe_at);
//! assert_eq!(answered, Some(Transition::Closed));
//! assert_eq!(breaker.permits(probe_at), None);
//! ```

use std::collections::BTreeSet;
use std::time::Duration;

use super::backoff::Backoff;
use crate::model::{RowNumber, ServerSignal};

/// This many consecutive failures are an outage, whatever their kind.
const CONSECUTIVE_FAILURES: usize = 10;

/// This many are, if a row is on its last attempt and each of the failures shows that the row is
/// not the cause.
const CONSECUTIVE_FAILURES_ON_LAST_ATTEMPT: usize = 5;

/// Throttled calls are an outage only if nothing else was received for this long; the shorter
/// time applies if a row is on its last attempt.
const ONLY_THROTTLED: Duration = Duration::from_secs(2);
const ONLY_THROTTLED_FOR_A_LAST_ATTEMPT: Duration = Duration::from_millis(500);

/// The longest delay between two probes.
const LONGEST_WAIT: Duration = Duration::from_secs(8);
/// The delays before the first probe and between later ones. Each is reduced by up to a quarter,
/// so that processes that wait for the same server do not return together.
const PROBES: Backoff = Backoff::new(Duration::from_millis(250), LONGEST_WAIT, 0.25);

/// A call that ended.
#[derive(Debug, Clone, Copy)]
pub struct CallObservation {
    /// What it indicates about the server.
    pub signal: ServerSignal,
    /// Its row.
    pub row: RowNumber,
    /// When it started, since the start of the run.
    pub started: Duration,
    /// Whether its row has no attempt left.
    pub was_last: bool,
    /// Whether its row has failed before: an earlier answer was lost, or a counted attempt was
    /// not carried out.
    pub again: bool,
}

/// A change of the breaker's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transition {
    /// The breaker opened: these rows failed because of the outage.
    Opened(BTreeSet<RowNumber>),
    /// The breaker closed: the server works again.
    Closed,
}

/// Whether the server is away, judged by the calls that ended.
#[derive(Debug)]
pub struct CircuitBreaker {
    longest: Duration,
    failed: RecentFailures,
    answered: Duration,
    open: Option<OpenState>,
    /// When the last outage ended.
    over: Option<Duration>,
}

/// The failures since the server last answered.
#[derive(Debug, Default)]
struct RecentFailures {
    /// When the first of these calls started.
    since: Duration,
    /// Their rows.
    rows: BTreeSet<RowNumber>,
    /// Failures that cannot be caused by the row: no connection.
    surely: usize,
    /// Failures that report an overloaded or unavailable server, the first of their row only.
    busy: usize,
    /// Failures that may be caused by the row, the first of their row only.
    perhaps: usize,
}

#[derive(Debug)]
struct OpenState {
    /// When the outage was detected.
    since: Duration,
    probes: u32,
    next_probe_at: Duration,
}

impl CircuitBreaker {
    /// A closed breaker. An outage that lasts longer than `longest` stops the run.
    pub fn new(longest: Duration) -> CircuitBreaker {
        CircuitBreaker {
            longest,
            failed: RecentFailures::default(),
            answered: Duration::ZERO,
            open: None,
            over: None,
        }
    }

    /// When the breaker opened; `None` if it is closed.
    pub fn open_since(&self) -> Option<Duration> {
        self.open.as_ref().map(|open| open.since)
    }

    /// When the outage has lasted too long; `None` if the breaker is closed.
    pub fn deadline(&self) -> Option<Duration> {
        self.open_since().map(|since| since.saturating_add(self.longest))
    }

    /// When the next probe may be sent; `None` if the breaker is closed.
    pub fn next_probe_at(&self) -> Option<Duration> {
        self.open.as_ref().map(|open| open.next_probe_at)
    }

    /// Whether the next probe should be a row that has not failed, if there is one, because a row
    /// that failed may be the cause of its failure. Only every other probe is, since each may
    /// leave one more row in doubt.
    pub fn prefers_untried_row(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.probes.is_multiple_of(2))
    }

    /// Whether a call of this row failed since the server last answered.
    pub fn has_failed(&self, row: RowNumber) -> bool {
        self.failed.rows.contains(&row)
    }

    /// How many more calls may start now; `None` if the breaker is closed.
    pub fn permits(&self, now: Duration) -> Option<u32> {
        self.next_probe_at().map(|next_probe_at| u32::from(now >= next_probe_at))
    }

    /// Records that a call starts. If it gets no answer, the next probe is due after the longest
    /// delay.
    pub fn on_sent(&mut self, now: Duration) {
        if let Some(open) = &mut self.open {
            open.probes += 1;
            open.next_probe_at = now.saturating_add(LONGEST_WAIT);
        }
    }

    /// Records that a probe did not start, because its connection took too long to open: the
    /// next one may start now.
    pub fn on_expired(&mut self, dispatched_at: Duration, now: Duration) {
        if let Some(open) = self.open.as_mut().filter(|open| dispatched_at > open.since) {
            open.next_probe_at = open.next_probe_at.min(now);
        }
    }

    /// Whether a call with this signal that started at `started` failed because of an outage.
    pub fn is_implicated(&self, signal: ServerSignal, started: Duration) -> bool {
        signal.is_failure() && (self.open.is_some() || self.over.is_some_and(|over| started < over))
    }

    /// Observes a call that ended now. Returns the change of state, if there is one.
    pub fn observe(&mut self, ended: CallObservation, now: Duration) -> Option<Transition> {
        match ended.signal {
            ServerSignal::Works => return self.on_success(ended.started, now),
            ServerSignal::Unclear => return None,
            _ => {}
        }
        match &mut self.open {
            None => {
                self.failed.record_failure(ended);
                let only = now.saturating_sub(self.answered);
                self.failed.is_outage(ended, only).then(|| self.open(ended.row, now))
            }
            Some(open) => {
                self.failed.rows.insert(ended.row);
                if ended.started >= open.since {
                    open.next_probe_at =
                        open.next_probe_at.min(now.saturating_add(wait(ended.row, open.probes)));
                }
                None
            }
        }
    }

    /// An answer shows the state of the server when its call started: if that was before the
    /// first failure, it is no evidence about the time after.
    fn on_success(&mut self, started: Duration, now: Duration) -> Option<Transition> {
        self.answered = now;
        if !self.failed.rows.is_empty() && started < self.failed.since {
            return None;
        }
        self.failed = RecentFailures::default();
        let over = self.open.take().map(|_| Transition::Closed);
        if over.is_some() {
            self.over = Some(now);
        }
        over
    }

    fn open(&mut self, row: RowNumber, now: Duration) -> Transition {
        self.open = Some(OpenState {
            since: now,
            probes: 0,
            next_probe_at: now.saturating_add(wait(row, 0)),
        });
        Transition::Opened(self.failed.rows.clone())
    }
}

impl RecentFailures {
    fn record_failure(&mut self, ended: CallObservation) {
        if self.rows.is_empty() {
            self.since = ended.started;
        }
        self.since = self.since.min(ended.started);
        // A row that fails repeatedly is little evidence about the server, whatever the answer.
        let is_first = usize::from(self.rows.insert(ended.row) && !ended.again);
        match ended.signal {
            ServerSignal::Broken => self.perhaps += is_first,
            ServerSignal::Unavailable | ServerSignal::Throttled => self.busy += is_first,
            _ => self.surely += 1,
        }
    }

    /// Whether these failures are an outage with this one, after `no_answer` without an answer.
    fn is_outage(&self, ended: CallObservation, no_answer: Duration) -> bool {
        let throttled = ended.signal == ServerSignal::Throttled;
        let certain = self.surely + self.busy;
        let in_a_row = certain + self.perhaps >= CONSECUTIVE_FAILURES;
        let lasting = !throttled || no_answer >= ONLY_THROTTLED;
        let last = ended.was_last && certain >= CONSECUTIVE_FAILURES_ON_LAST_ATTEMPT;
        let lasting_for_last = !throttled || no_answer >= ONLY_THROTTLED_FOR_A_LAST_ATTEMPT;
        (in_a_row && lasting) || (last && lasting_for_last)
    }
}

/// The delay after this many probes, the last of them with this row.
fn wait(row: RowNumber, probes: u32) -> Duration {
    PROBES.delay(probes, u64::from(row.0) << 32 | u64::from(probes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn ended(signal: ServerSignal, row: u32, started: u64) -> CallObservation {
        CallObservation {
            signal,
            row: RowNumber(row),
            started: ms(started),
            was_last: false,
            again: false,
        }
    }

    /// A breaker that opened a second after the start.
    fn opened() -> CircuitBreaker {
        let mut outage = CircuitBreaker::new(Duration::from_secs(900));
        for row in 1..=10 {
            outage.observe(ended(ServerSignal::Unreachable, row, 999), ms(1000));
        }
        assert_eq!(outage.open_since(), Some(ms(1000)));
        outage
    }

    #[test]
    fn ten_failures_in_a_row_are_an_outage_and_its_rows_are_reported() {
        let mut outage = CircuitBreaker::new(Duration::from_secs(900));
        let mut saw = |row| outage.observe(ended(ServerSignal::Broken, row, 1), ms(2));
        assert!((1..10).all(|row| saw(row).is_none()));
        assert_eq!(saw(10), Some(Transition::Opened((1..=10).map(RowNumber).collect())));
    }

    #[test]
    fn failures_among_answers_are_none() {
        let mut outage = CircuitBreaker::new(Duration::from_secs(900));
        for call in 0..1000 {
            let signal = if call % 8 == 0 { ServerSignal::Works } else { ServerSignal::Broken };
            assert_eq!(outage.observe(ended(signal, call, call.into()), ms(call.into())), None);
        }
    }

    #[test]
    fn a_row_that_fails_again_and_again_is_no_outage() {
        let mut outage = CircuitBreaker::new(Duration::from_secs(900));
        for call in 0..1000 {
            let broken = CallObservation { was_last: true, ..ended(ServerSignal::Broken, 7, call) };
            assert_eq!(outage.observe(broken, ms(call)), None);
        }
    }

    #[test]
    fn many_rows_that_fail_again_are_no_outage() {
        for signal in [ServerSignal::Broken, ServerSignal::Unavailable, ServerSignal::Throttled] {
            let mut outage = CircuitBreaker::new(Duration::from_secs(900));
            for row in 0..1000 {
                let again = CallObservation {
                    again: true,
                    was_last: true,
                    ..ended(signal, row, row.into())
                };
                assert_eq!(outage.observe(again, ms(u64::from(row) * 100)), None);
            }
        }
    }

    #[test]
    fn two_rows_that_alone_get_unavailable_are_no_outage() {
        for signal in [ServerSignal::Unavailable, ServerSignal::Throttled] {
            let mut outage = CircuitBreaker::new(Duration::from_secs(900));
            outage.observe(ended(ServerSignal::Works, 1, 0), ms(20));
            for call in 1..100 {
                let last = CallObservation {
                    was_last: true,
                    ..ended(signal, call % 2, 1000 * u64::from(call))
                };
                assert_eq!(outage.observe(last, ms(1000 * u64::from(call) + 20)), None);
            }
        }
    }

    #[test]
    fn five_rows_that_get_unavailable_are_an_outage_before_one_of_them_fails_for_good() {
        let mut outage = CircuitBreaker::new(Duration::from_secs(900));
        assert!(
            (1..=5).all(|row| outage
                .observe(ended(ServerSignal::Unavailable, row, 1), ms(2))
                .is_none())
        );
        let last = CallObservation {
            was_last: true,
            again: true,
            ..ended(ServerSignal::Unavailable, 1, 1000)
        };
        assert!(outage.observe(last, ms(1002)).is_some());
    }

    #[test]
    fn every_other_probe_is_of_a_row_that_has_not_failed() {
        let mut outage = opened();
        let mut of_another = Vec::new();
        for probe in 1..=6 {
            if outage.prefers_untried_row() {
                of_another.push(probe);
            }
            outage.on_sent(ms(2000));
            outage.observe(ended(ServerSignal::Broken, 100 + probe, 2000), ms(2001));
            assert!(outage.has_failed(RowNumber(100 + probe)));
        }
        assert_eq!(of_another, [1, 3, 5]);
        outage.observe(ended(ServerSignal::Works, 999, 2500), ms(2501));
        assert!(!outage.prefers_untried_row() && !outage.has_failed(RowNumber(101)));
    }

    #[test]
    fn no_row_fails_for_good_because_the_server_is_unreachable() {
        let mut outage = CircuitBreaker::new(Duration::from_secs(900));
        let last = CallObservation { was_last: true, ..ended(ServerSignal::Unreachable, 1, 1) };
        assert!((0..4).all(|_| outage.observe(last, ms(2)).is_none()));
        assert!(outage.observe(last, ms(2)).is_some());
    }

    #[test]
    fn throttled_calls_are_an_outage_only_when_for_long_nothing_else_comes() {
        let mut outage = CircuitBreaker::new(Duration::from_secs(900));
        outage.observe(ended(ServerSignal::Works, 1, 0), ms(20));
        let mut throttled =
            |now| outage.observe(ended(ServerSignal::Throttled, now as u32, now - 1), ms(now));
        assert!((30..2000).all(|now| throttled(now).is_none()));
        assert!((2000..2100).any(|now| throttled(now).is_some()));
    }

    #[test]
    fn probes_go_out_one_at_a_time_and_further_and_further_apart() {
        let mut outage = opened();
        let mut waits = Vec::new();
        let mut now = ms(1000);
        for row in 1..=10 {
            assert_eq!(outage.permits(now), Some(0));
            let next = outage.next_probe_at().unwrap();
            waits.push(next - now);
            assert_eq!(outage.permits(next), Some(1));
            outage.on_sent(next);
            assert_eq!(outage.permits(next), Some(0));
            now = next + ms(1);
            outage.observe(
                CallObservation { started: next, ..ended(ServerSignal::Unreachable, row, 0) },
                now,
            );
        }
        assert!((ms(187)..=ms(250)).contains(&waits[0]), "{waits:?}");
        assert!(waits[..6].is_sorted(), "{waits:?}");
        assert!(waits[5..].iter().all(|wait| (ms(6000)..=ms(8000)).contains(wait)), "{waits:?}");
    }

    #[test]
    fn an_answer_to_a_call_from_before_the_outage_does_not_end_it() {
        let mut outage = opened();
        assert_eq!(outage.observe(ended(ServerSignal::Works, 50, 900), ms(1100)), None);
        assert_eq!(
            outage.observe(ended(ServerSignal::Works, 50, 1050), ms(1200)),
            Some(Transition::Closed)
        );
        assert_eq!((outage.open_since(), outage.permits(ms(1200))), (None, None));
        assert!(outage.is_implicated(ServerSignal::Broken, ms(1100)));
        assert!(!outage.is_implicated(ServerSignal::Broken, ms(1300)));
    }

    #[test]
    fn a_probe_that_was_not_sent_does_not_keep_the_next() {
        let mut outage = opened();
        outage.on_sent(ms(1300));
        outage.on_expired(ms(999), ms(1350));
        assert_eq!(outage.permits(ms(1350)), Some(0), "it was none");
        outage.on_expired(ms(1300), ms(1400));
        assert_eq!(outage.permits(ms(1400)), Some(1));
    }

    #[test]
    fn a_probe_that_hangs_does_not_keep_the_next() {
        let mut outage = opened();
        outage.on_sent(ms(1300));
        assert_eq!(outage.permits(ms(9300)), Some(1));
    }
}
