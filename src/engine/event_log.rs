//! Observes what happens to the run as a whole, and keeps it until it is recorded with the next
//! commit.

use std::time::Duration;

use jiff::Timestamp;

use super::events::Now;
use crate::ledger::{EventKind, NewEvent, StopRuleDetail, WaitDetail};
use crate::model::ReasonCode;
use crate::policy::stop_rules::StopReason;

/// The least time between two events about slowed calls: an adaptive limit can come and go with
/// every few answers.
const THROTTLED_EVERY: Duration = Duration::from_secs(60);

/// The most events that are kept, should no commit take them.
const MOST_KEPT: usize = 1000;

/// What is true of the run now.
#[derive(Debug, Clone, Copy)]
pub struct Conditions<'a> {
    /// The cause of the outage; `None` if the server is not away.
    pub outage: Option<&'a str>,
    /// The end of the pause that the server requested, since the start of the run.
    pub retry_after_until: Duration,
    /// The limit in calls a second, if it is below the configured rate.
    pub throttled_to: Option<f64>,
    /// Why the run is stopping, and the stop rule if it is one.
    pub stop: Option<(ReasonCode, Option<&'a StopReason>)>,
}

/// Turns changes of the conditions into events.
#[derive(Debug, Default)]
pub struct EventLog {
    unrecorded: Vec<NewEvent>,
    is_away: bool,
    waits: bool,
    throttled_at: Option<Duration>,
    is_throttled: bool,
    is_stopping: bool,
}

impl EventLog {
    /// Observes the conditions, and keeps an event for each that began or ended.
    pub fn observe(&mut self, conditions: Conditions<'_>, now: Now) {
        let Conditions { outage, retry_after_until, throttled_to, stop } = conditions;
        if std::mem::replace(&mut self.is_away, outage.is_some()) != outage.is_some() {
            match outage {
                Some(cause) => self.add(EventKind::OutageBegan, cause.to_owned(), now),
                None => self.add(EventKind::OutageEnded, String::new(), now),
            }
        }
        let wait = retry_after_until.saturating_sub(now.since_start);
        if !std::mem::replace(&mut self.waits, !wait.is_zero()) && !wait.is_zero() {
            self.add(EventKind::AskedToWait, WaitDetail(wait).to_string(), now);
        }
        let was_throttled = std::mem::replace(&mut self.is_throttled, throttled_to.is_some());
        if let Some(limit) = throttled_to.filter(|_| !was_throttled)
            && self
                .throttled_at
                .is_none_or(|at| now.since_start.saturating_sub(at) >= THROTTLED_EVERY)
        {
            self.throttled_at = Some(now.since_start);
            self.add(EventKind::Throttled, format!("to {limit:.1} calls a second"), now);
        }
        if let Some((code, reason)) = stop
            && !std::mem::replace(&mut self.is_stopping, true)
        {
            match reason {
                Some(reason) => {
                    let detail = StopRuleDetail { code, why: reason.why.clone() };
                    self.add(EventKind::StopRule, detail.to_string(), now);
                }
                None if code == ReasonCode::Signal => {
                    self.add(EventKind::Signal, String::new(), now);
                }
                // The end of the start has the reason.
                None => {}
            }
        }
    }

    /// Adds an event that happened now.
    pub fn add(&mut self, kind: EventKind, detail: String, now: Now) {
        if self.unrecorded.len() < MOST_KEPT {
            self.unrecorded.push(NewEvent { at: recorded_time(now.wall), kind, detail });
        }
    }

    /// Takes the events that are not recorded yet.
    pub fn take(&mut self) -> Vec<NewEvent> {
        std::mem::take(&mut self.unrecorded)
    }
}

/// The time in the resolution of the ledger.
fn recorded_time(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Conditions<'_> = Conditions {
        outage: None,
        retry_after_until: Duration::ZERO,
        throttled_to: None,
        stop: None,
    };

    fn at(second: u64) -> Now {
        let since_start = Duration::from_secs(second);
        Now { since_start, wall: Timestamp::UNIX_EPOCH + since_start }
    }

    fn kinds(log: &mut EventLog) -> Vec<EventKind> {
        log.take().into_iter().map(|event| event.kind).collect()
    }

    #[test]
    fn an_outage_is_recorded_when_it_begins_and_when_it_ends() {
        let mut log = EventLog::default();
        let away = Conditions { outage: Some("503"), ..QUIET };
        [QUIET, away, away, QUIET].into_iter().for_each(|now| log.observe(now, at(1)));
        assert_eq!(kinds(&mut log), [EventKind::OutageBegan, EventKind::OutageEnded]);
    }

    #[test]
    fn a_wait_that_is_extended_is_one_event() {
        let mut log = EventLog::default();
        let until = |end| Conditions { retry_after_until: Duration::from_secs(end), ..QUIET };
        [(1, 0), (2, 7), (3, 9), (9, 9), (10, 12)]
            .into_iter()
            .for_each(|(now, end)| log.observe(until(end), at(now)));
        let events = log.take();
        assert_eq!(events.len(), 2, "{events:?}");
        assert_eq!(events[0].detail, "5000 ms");
    }

    #[test]
    fn a_limit_that_comes_and_goes_is_recorded_once_a_minute_at_most() {
        let mut log = EventLog::default();
        let throttled = Conditions { throttled_to: Some(12.0), ..QUIET };
        for second in 0..120 {
            log.observe(if second % 2 == 0 { QUIET } else { throttled }, at(second));
        }
        assert_eq!(kinds(&mut log), [EventKind::Throttled; 2]);
    }

    #[test]
    fn a_stop_is_recorded_once_with_the_rule_that_caused_it() {
        let reason = StopReason { code: ReasonCode::MaxFailures, why: "5 of 4".to_owned() };
        let stop = Conditions { stop: Some((reason.code, Some(&reason))), ..QUIET };
        let mut log = EventLog::default();
        [stop, stop].into_iter().for_each(|now| log.observe(now, at(1)));
        let events = log.take();
        assert_eq!(events.len(), 1);
        assert_eq!(
            (events[0].kind, events[0].detail.as_str()),
            (EventKind::StopRule, "MAX_FAILURES: 5 of 4")
        );
        let mut log = EventLog::default();
        log.observe(Conditions { stop: Some((ReasonCode::Signal, None)), ..QUIET }, at(1));
        assert_eq!(kinds(&mut log), [EventKind::Signal]);
    }
}
