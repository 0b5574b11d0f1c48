//! How many calls a second the server takes, learnt from those it throttled (HTTP
//! 429). Nothing is held back before it says so.
//!
//! A throttled call tells that the calls accepted in the second before it were all
//! there was room for. The limit is then set a little below that, stays there for
//! long, and only then climbs slowly, since every call too many may cost a pause.

use std::collections::VecDeque;
use std::time::Duration;

use super::ramp::RampUp;

/// How much of the capacity is used once it is known.
const USED: f64 = 0.97;

/// The share of calls that may be throttled without anything being done about it,
/// if the server asks for no pause.
const TOLERATED: f64 = 0.01;

/// Throttled calls at a rate that the server was found to take contradict that: once
/// that may be a stall, after which calls arrive together. Then the limit is lowered by
/// so much, or to what was accepted, but to no less than this part; and after so many of
/// them in a row it is plain that they come by chance, and there is no limit for so long.
const LOWERED: f64 = 0.95;
const LEAST: f64 = 0.5;
const CONTRADICTIONS: u32 = 5;
const CHANCE: Duration = Duration::from_secs(60);

/// Throttled calls that come before a full second of sending has passed say little:
/// only so many of them in a row do.
const EARLY: u32 = 3;

/// Over about how many calls the share of those throttled is taken.
const SHARE_OF: f64 = 200.0;

/// Throttled calls that followed the first are evidence if they are at least so
/// many, and half of all that followed it.
const EVIDENCE: u32 = 5;

/// Calls that start so close together may arrive in any order: one that was accepted
/// then may have come before the one that was throttled.
const UNORDERED: Duration = Duration::from_millis(5);

/// What a server may count calls by.
const SECOND: Duration = Duration::from_secs(1);

/// After the first throttled call, the answers to those sent with it are awaited.
const SETTLING: Duration = Duration::from_millis(150);

/// Calls started within this time after the limit was lowered may have been planned
/// before, or suffer from those that were: they tell nothing new.
const DEAF: Duration = Duration::from_millis(1250);

/// How long the limit stays before it climbs: a multiple of the pause that the last
/// throttled call cost, and not less than the least. Twice as long whenever the
/// climb led to the same limit again.
const HOLD_FOR_PAUSES: u32 = 30;
const SHORTEST_HOLD: Duration = Duration::from_secs(4);
const LONGEST_HOLD: Duration = Duration::from_secs(600);
const SAME: f64 = 0.1;

/// Where calls are let in again and again, a short burst does not tell how many: the
/// limit stays for this long only, and then climbs this fast.
const UNSURE_HOLD: Duration = Duration::from_secs(1);
const UNSURE_CLIMB: f64 = 0.1;

/// How fast the limit climbs at first, by itself a second.
const CLIMB: f64 = 0.01;

/// It climbs only while at least this part of it is used.
const NEEDED: f64 = 0.9;

/// What the server takes, as far as it is known. Times are since the start of the run.
#[derive(Debug, Default)]
pub struct ThrottleLimit {
    /// Calls a second that may be started; none: any number.
    limit: Option<f64>,
    /// Calls a second that the server was last found to take.
    known: f64,
    /// When accepted calls of the last second or so were started.
    accepted: VecDeque<Duration>,
    /// The share of calls that were throttled of late.
    share: f64,
    /// Since when calls are started without a pause.
    resumed: Duration,
    /// The throttled calls whose company is awaited.
    burst: Option<ThrottleBurst>,
    /// Calls started before this tell nothing new.
    deaf_until: Duration,
    /// Early bursts in a row, and the most calls that were accepted before one.
    early: u32,
    most_before: u32,
    /// Bursts in a row that contradict what is known.
    contradictions: u32,
    hold: Duration,
    /// Until when the limit stays.
    held_until: Duration,
    ramp: RampUp,
}

/// A first throttled call, and what became of the calls around it.
#[derive(Debug)]
struct ThrottleBurst {
    /// When the first throttled call was started.
    at: Duration,
    /// When it is judged.
    evaluated_at: Duration,
    /// How long the server asked to wait.
    pause: Duration,
    /// Calls accepted that were started in the second before it.
    before: u32,
    /// For how long calls had been started then.
    sending: Duration,
    /// Calls throttled that were started after it, and the last of these.
    throttled: u32,
    last: Duration,
    /// Calls accepted that surely arrived after it.
    accepted: u32,
}

impl ThrottleLimit {
    /// How many calls a second may be started, if that is limited.
    pub fn limit(&self) -> Option<f64> {
        self.limit
    }

    /// A call that was started then was accepted.
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

    /// A call that was started then was throttled; the answer came now, and asked
    /// for this pause.
    pub fn on_throttled(&mut self, started: Duration, now: Duration, pause: Option<Duration>) {
        self.share += (1.0 - self.share) / SHARE_OF;
        let pause = pause.unwrap_or_default();
        if let Some(burst) = &mut self.burst {
            burst.pause = burst.pause.max(pause);
            burst.throttled += u32::from(started > burst.at);
            burst.last = burst.last.max(started);
        } else if started >= self.deaf_until {
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

    /// Calls go out again after they were held.
    pub fn restart(&mut self, now: Duration) {
        (self.resumed, self.burst) = (now, None);
        self.accepted.clear();
    }

    /// It is now this late: judges what is due, and climbs.
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

    /// A call here and there was throttled: by chance, or just above the capacity.
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
                self.deaf_until = now.saturating_add(CHANCE);
            }
            Some(_) if self.contradictions == 0 => self.contradictions = 1,
            Some(limit) => {
                self.contradictions += 1;
                self.apply_limit(self.known, burst.pause, now);
                self.set((limit.min(known) * LOWERED).max(limit * LEAST));
            }
        }
    }

    /// The server takes so many calls a second, which was learnt at the cost of this pause.
    fn apply_limit(&mut self, known: f64, pause: Duration, now: Duration) {
        let same = (known - self.known).abs() <= SAME * self.known;
        let first = (pause * HOLD_FOR_PAUSES).max(SHORTEST_HOLD);
        self.hold = if same { self.hold.max(first / 2) * 2 } else { first }.min(LONGEST_HOLD);
        self.known = known;
        self.deaf_until = now.saturating_add(if pause.is_zero() { DEAF } else { pause });
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
    /// Whether calls were started in all of the second before it.
    fn is_full(&self) -> bool {
        self.sending >= SECOND
    }

    /// What a server takes that throttles most calls after the first one too many:
    /// what it accepted in the second before that, or goes on accepting. A server
    /// that accepts nothing at all tells nothing.
    fn measured(&self) -> Option<f64> {
        let lasted = self.last.saturating_sub(self.at.saturating_add(UNORDERED)).as_secs_f64();
        let before = f64::from(self.before);
        let known = match self.accepted {
            EVIDENCE.. if lasted > 0.0 => before.max(f64::from(self.accepted) / lasted),
            // More than before, less than what it took at first: in the middle.
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
    fn calls_that_overtake_each_other_on_the_way_tell_nothing_else() {
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
    fn a_server_that_takes_nothing_at_all_tells_nothing_of_what_it_can_take() {
        let mut throttle = throttled_at_a_thousand(None);
        (0..1000).for_each(|call| throttle.on_throttled(ms(3000 + call), ms(3020 + call), None));
        throttle.tick(ms(5000));
        assert_eq!(throttle.limit(), Some(970.0));
    }
}
