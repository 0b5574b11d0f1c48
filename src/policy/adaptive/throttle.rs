//! Limits the rate when the server throttles calls (HTTP 429). There is no limit before it does.
//!
//! A throttled call shows that the calls accepted in the second before it were all that the
//! server had room for. The limit is set a little below that number, held for a long time, and
//! only then raised slowly, because every call too many may cost a pause.

use std::collections::VecDeque;
use std::time::Duration;

use super::ramp::RampUp;

/// The fraction of the observed capacity that is used.
const USED: f64 = 0.97;

/// The fraction of calls that may be throttled without any consequence, if the server requests no
/// pause.
const TOLERATED: f64 = 0.01;

/// Throttled calls below the observed capacity contradict it. One contradiction may be a stall,
/// after which calls arrive together. After further ones the limit is multiplied by `LOWERED`, or
/// set to what was accepted if that is less, but never to less than the fraction `LEAST`. After
/// this many in a row they are evidently random, and no limit is applied for the time `CHANCE`.
const LOWERED: f64 = 0.95;
const LEAST: f64 = 0.5;
const CONTRADICTIONS: u32 = 5;
const CHANCE: Duration = Duration::from_secs(60);

/// Throttled calls before a full second of sending are weak evidence: only this many bursts of
/// them in a row count.
const EARLY: u32 = 3;

/// The number of calls over which the fraction of throttled ones is averaged.
const SHARE_OF: f64 = 200.0;

/// The throttled calls after the first are evidence if they are at least this many, and at least
/// half of all calls after it.
const EVIDENCE: u32 = 5;

/// Calls that start this close together may arrive in any order: one that was accepted may have
/// arrived before the one that was throttled.
const UNORDERED: Duration = Duration::from_millis(5);

/// The window in which a server is assumed to count calls.
const SECOND: Duration = Duration::from_secs(1);

/// How long after the first throttled call the answers to those sent with it are awaited.
const SETTLING: Duration = Duration::from_millis(150);

/// Calls started within this time after the limit was lowered may have been planned before, or
/// suffer from those that were: they are no new evidence.
const COOLDOWN: Duration = Duration::from_millis(1250);

/// How long the limit is held before it rises: a multiple of the last pause that the server
/// requested, within these bounds. The time doubles whenever the rise led to the same limit
/// again, within the fraction `SAME`.
const HOLD_FOR_PAUSES: u32 = 30;
const SHORTEST_HOLD: Duration = Duration::from_secs(4);
const LONGEST_HOLD: Duration = Duration::from_secs(600);
const SAME: f64 = 0.1;

/// If the server goes on accepting some calls, a short burst does not show how many: the limit is
/// held only this long, and then rises this fast.
const UNSURE_HOLD: Duration = Duration::from_secs(1);
const UNSURE_CLIMB: f64 = 0.1;

/// By which fraction the limit rises a second at first.
const CLIMB: f64 = 0.01;

/// The limit rises only while at least this fraction of it is used.
const NEEDED: f64 = 0.9;

/// The limit derived from throttled calls. Times are since the start of the run.
#[derive(Debug, Default)]
pub struct ThrottleLimit {
    /// The most calls a second; `None` if unlimited.
    limit: Option<f64>,
    /// The last observed capacity, in calls a second.
    known: f64,
    /// When the accepted calls of about the last second started.
    accepted: VecDeque<Duration>,
    /// The recent fraction of throttled calls.
    share: f64,
    /// Since when calls have started without a pause.
    resumed: Duration,
    /// The burst of throttled calls that is being observed.
    burst: Option<ThrottleBurst>,
    /// Calls that started before this are no new evidence.
    cooldown_until: Duration,
    /// Consecutive early bursts, and the most calls that were accepted before one.
    early: u32,
    most_before: u32,
    /// Consecutive bursts that contradict the observed capacity.
    contradictions: u32,
    hold: Duration,
    /// When the limit starts to rise.
    held_until: Duration,
    ramp: RampUp,
}

/// A first throttled call, and the results of the calls around it.
#[derive(Debug)]
struct ThrottleBurst {
    /// When the first throttled call started.
    at: Duration,
    /// When the burst is evaluated.
    evaluated_at: Duration,
    /// The longest pause that the server requested.
    pause: Duration,
    /// The accepted calls that started in the second before it.
    before: u32,
    /// How long calls had been sent by then.
    sending: Duration,
    /// The throttled calls that started after it, and the start of the last of them.
    throttled: u32,
    last: Duration,
    /// The accepted calls that surely arrived after it.
    accepted: u32,
}

impl ThrottleLimit {
    /// The most calls a second; `None` if unlimited.
    pub fn limit(&self) -> Option<f64> {
        self.limit
    }

    /// Records that a call that started at `started` was accepted.
    pub fn on_accepted(&mut self, started: Duration) {
        self.share -= self.share / SHARE_OF;
        let newest = self.accepted.back().copied().unwrap_or_default();
        while self.accepted.pop_front_if(|first| first.saturating_add(SECOND) < newest).is_some() {}
        self.accepted.push_back(started);
        if let Some(burst) = &mut self.burst {
            if started > burst.at.saturating_add(UNORDERED) {
                burst.accepted += 1;
            } else if started.saturating_add(SECOND) > burst.at {
                burst.before += 1;
            }
        }
    }

    /// Records that a call that started at `started` was throttled. Its answer came now and
    /// requested this pause.
    pub fn on_throttled(&mut self, started: Duration, now: Duration, pause: Option<Duration>) {
        self.share += (1.0 - self.share) / SHARE_OF;
        let pause = pause.unwrap_or_default();
        if let Some(burst) = &mut self.burst {
            burst.pause = burst.pause.max(pause);
            burst.throttled += u32::from(started > burst.at);
            burst.last = burst.last.max(started);
        } else if started >= self.cooldown_until {
            let in_second = |accepted: &&Duration| {
                **accepted <= started && accepted.saturating_add(SECOND) > started
            };
            let before = self.accepted.iter().filter(in_second).count();
            self.burst = Some(ThrottleBurst {
                at: started,
                evaluated_at: now.saturating_add(SETTLING),
                pause,
                before: before.try_into().unwrap_or(u32::MAX),
                sending: started.saturating_sub(self.resumed),
                accepted: 0,
                throttled: 0,
                last: started,
            });
        }
        if !pause.is_zero() {
            self.resumed = self.resumed.max(now.saturating_add(pause));
        }
    }

    /// Records that calls start again after an outage.
    pub fn restart(&mut self, now: Duration) {
        (self.resumed, self.burst) = (now, None);
        self.accepted.clear();
    }

    /// Advances to `now`: evaluates a burst that is due, and raises the limit.
    pub fn tick(&mut self, now: Duration) {
        if let Some(burst) = self.burst.take_if(|burst| now >= burst.evaluated_at) {
            self.evaluate(&burst, now);
        }
        let Some(limit) = self.limit else { return };
        let Some(factor) = self.ramp.factor_since_last(now) else { return };
        if self.accepted.len() as f64 >= limit * NEEDED {
            self.set(limit * factor);
        }
    }

    fn evaluate(&mut self, burst: &ThrottleBurst, now: Duration) {
        let followed = burst.accepted + burst.throttled;
        if followed >= EVIDENCE && burst.throttled * 2 >= followed {
            self.contradictions = 0;
            if let Some(known) = burst.measured() {
                self.apply_limit(known, burst.pause, now);
                self.set(known * USED);
                if !burst.is_full() && burst.accepted > 0 {
                    self.hold_for(burst.pause.saturating_add(UNSURE_HOLD), UNSURE_CLIMB, now);
                }
            }
        } else if !burst.pause.is_zero() || self.share > TOLERATED {
            self.evaluate_isolated(burst, now);
        }
    }

    /// Evaluates single throttled calls: they are random, or the rate is just above the capacity.
    fn evaluate_isolated(&mut self, burst: &ThrottleBurst, now: Duration) {
        self.most_before = self.most_before.max(burst.before);
        self.early = if burst.is_full() { 0 } else { self.early + 1 };
        if (1..EARLY).contains(&self.early) {
            return;
        }
        let most = std::mem::take(&mut self.most_before);
        let known = f64::from(if burst.is_full() { burst.before } else { most });
        self.early = 0;
        if known == 0.0 {
            return;
        }
        match self.limit.filter(|_| burst.at < self.held_until) {
            None => {
                self.contradictions = 0;
                self.apply_limit(known, burst.pause, now);
                self.set(known * USED);
            }
            Some(_) if self.contradictions >= CONTRADICTIONS => {
                (self.limit, self.contradictions) = (None, 0);
                self.cooldown_until = now.saturating_add(CHANCE);
            }
            Some(_) if self.contradictions == 0 => self.contradictions = 1,
            Some(limit) => {
                self.contradictions += 1;
                self.apply_limit(self.known, burst.pause, now);
                self.set((limit.min(known) * LOWERED).max(limit * LEAST));
            }
        }
    }

    /// Applies a capacity of `known` calls a second, which was observed at the cost of this pause.
    fn apply_limit(&mut self, known: f64, pause: Duration, now: Duration) {
        let same = (known - self.known).abs() <= SAME * self.known;
        let first = (pause * HOLD_FOR_PAUSES).max(SHORTEST_HOLD);
        self.hold = if same { self.hold.max(first / 2) * 2 } else { first }.min(LONGEST_HOLD);
        self.known = known;
        self.cooldown_until = now.saturating_add(if pause.is_zero() { COOLDOWN } else { pause });
        self.hold_for(pause.saturating_add(self.hold), CLIMB, now);
    }

    fn hold_for(&mut self, time: Duration, speed: f64, now: Duration) {
        self.held_until = now.saturating_add(time);
        self.ramp = RampUp::starting_at(self.held_until, speed);
    }

    fn set(&mut self, limit: f64) {
        self.limit = Some(limit);
    }
}

impl ThrottleBurst {
    /// Whether calls were sent during the whole second before it.
    fn is_full(&self) -> bool {
        self.sending >= SECOND
    }

    /// The capacity in calls a second of a server that throttles most calls after the first one
    /// too many: what it accepted in the second before that, or goes on accepting. `None` if it
    /// accepted nothing.
    fn measured(&self) -> Option<f64> {
        let lasted = self.last.saturating_sub(self.at.saturating_add(UNORDERED)).as_secs_f64();
        let before = f64::from(self.before);
        let known = match self.accepted {
            EVIDENCE.. if lasted > 0.0 => before.max(f64::from(self.accepted) / lasted),
            // The capacity is more than `before` and less than the initial rate: take the
            // geometric mean.
            1.. if !self.is_full() => before / self.sending.as_secs_f64().max(0.001).sqrt(),
            _ => before,
        };
        Some(known).filter(|known| *known > 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A thousand calls accepted in a fifth of a second, and then a hundred throttled.
    fn throttled_at_a_thousand(pause: Option<Duration>) -> ThrottleLimit {
        let mut throttle = ThrottleLimit::default();
        (0..1000).for_each(|call| throttle.on_accepted(ms(call / 5)));
        (0..100).for_each(|call| throttle.on_throttled(ms(201 + call / 5), ms(225), pause));
        throttle.tick(ms(2000));
        throttle
    }

    #[test]
    fn nothing_is_limited_before_a_call_is_throttled() {
        let mut throttle = ThrottleLimit::default();
        (0..10_000).for_each(|call| throttle.on_accepted(ms(call)));
        throttle.tick(ms(10_000));
        assert_eq!(throttle.limit(), None);
    }

    #[test]
    fn the_limit_is_a_little_below_what_was_accepted_in_the_second_before() {
        assert_eq!(throttled_at_a_thousand(None).limit(), Some(970.0));
        assert_eq!(throttled_at_a_thousand(Some(SECOND)).limit(), Some(970.0));
    }

    #[test]
    fn calls_that_overtake_each_other_do_not_change_the_limit() {
        let mut throttle = ThrottleLimit::default();
        (0..1000).for_each(|call| throttle.on_accepted(ms(call / 5)));
        (0..100).for_each(|call| throttle.on_throttled(ms(201 + call / 5), ms(225), Some(SECOND)));
        (202..206).for_each(|at| throttle.on_accepted(ms(at)));
        for call in 2000..10_000 {
            throttle.tick(ms(call));
            throttle.on_accepted(ms(call));
        }
        assert_eq!(throttle.limit(), Some(1004.0 * USED));
    }

    #[test]
    fn it_stays_for_many_pauses_and_then_climbs_slowly() {
        let mut throttle = throttled_at_a_thousand(Some(SECOND));
        let mut limit_at = |second: u64| {
            for call in 0..1000 {
                throttle.on_accepted(ms(1000 * second + call));
                throttle.tick(ms(1000 * second + call));
            }
            throttle.limit().unwrap()
        };
        let limits: Vec<f64> = (2..38).map(&mut limit_at).collect();
        assert!(limits[..28].iter().all(|limit| *limit == 970.0), "{limits:?}");
        assert!((1000.0..1200.0).contains(&limits[35]), "{limits:?}");
    }

    #[test]
    fn one_throttled_call_among_hundreds_changes_nothing_if_no_pause_is_asked_for() {
        let mut throttle = ThrottleLimit::default();
        for call in 0..100_000 {
            match call % 200 {
                199 => throttle.on_throttled(ms(call), ms(call + 20), None),
                _ => throttle.on_accepted(ms(call)),
            }
            throttle.tick(ms(call));
        }
        assert_eq!(throttle.limit(), None);
    }

    #[test]
    fn calls_throttled_by_chance_do_not_lower_the_limit_for_ever() {
        let mut throttle = ThrottleLimit::default();
        let mut most = 0.0_f64;
        for call in 0..600_u64 {
            // Ten a second, every tenth of them throttled whatever the rate.
            let at = ms(100 * call);
            match call % 10 {
                9 => throttle.on_throttled(at, at + ms(20), None),
                _ => throttle.on_accepted(at),
            }
            throttle.tick(at + ms(99));
            if call > 300 {
                most = throttle.limit().map_or(f64::INFINITY, |limit| limit.max(most));
            }
        }
        assert!(most > 6.0, "{most}");
    }

    #[test]
    fn single_throttled_calls_while_little_is_sent_do_not_bring_the_limit_down() {
        let mut throttle = throttled_at_a_thousand(None);
        for second in 3..10 {
            throttle.on_throttled(ms(1000 * second), ms(1000 * second + 20), Some(ms(1)));
            throttle.tick(ms(1000 * second + 500));
        }
        assert!(throttle.limit().unwrap() >= 970.0);
    }

    #[test]
    fn a_server_that_accepts_nothing_does_not_change_the_limit() {
        let mut throttle = throttled_at_a_thousand(None);
        (0..1000).for_each(|call| throttle.on_throttled(ms(3000 + call), ms(3020 + call), None));
        throttle.tick(ms(5000));
        assert_eq!(throttle.limit(), Some(970.0));
    }
}
