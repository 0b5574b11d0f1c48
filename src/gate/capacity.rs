//! How many calls a second the server takes, learnt from those it throttled (HTTP
//! 429) and from its slowing down. Nothing is held back before it says so.
//!
//! A throttled call tells that the calls accepted in the second before it were all
//! there was room for. The limit is then set a little below that, stays there for
//! long, and only then climbs slowly, since every call too many may cost a pause.

use std::collections::VecDeque;
use std::time::Duration;

/// How much of the capacity is used once it is known.
const USED: f64 = 0.97;

/// The share of calls that may be throttled without anything being done about it,
/// if the server asks for no pause.
const TOLERATED: f64 = 0.01;

/// Throttled calls at a rate that the server was found to take contradict that: the
/// limit is lowered by so much, and after so many of them in a row it is plain that
/// they come by chance, and there is no limit for so long.
const LOWERED: f64 = 0.95;
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

/// How fast the limit climbs at first, by itself a second; how fast that grows by
/// itself a second, and how far.
const CLIMB: f64 = 0.01;
const CLIMB_GROWS: f64 = 0.35;
const STEEPEST_CLIMB: f64 = 0.5;

/// It climbs only while at least this part of it is used.
const NEEDED: f64 = 0.9;

/// While the server works off a queue, it is sent this part of what it does.
const DRAINING: f64 = 0.85;

/// The least limit, in calls a second.
const SLOWEST: f64 = 0.2;

/// What the server takes, as far as it is known. Times are since the start of the run.
#[derive(Debug, Default)]
pub struct Capacity {
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
    burst: Option<Burst>,
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
    climb: Climb,
}

/// A first throttled call, and what became of the calls around it.
#[derive(Debug)]
struct Burst {
    /// When the first throttled call was started.
    at: Duration,
    /// When it is judged.
    judged_at: Duration,
    /// How long the server asked to wait.
    pause: Duration,
    /// Calls accepted that were started in the second before it.
    before: u32,
    /// Whether calls were started in all of that second.
    full: bool,
    /// Calls accepted and throttled that were started after it, and the last of these.
    accepted: u32,
    throttled: u32,
    last: Duration,
}

#[derive(Debug, Default)]
struct Climb {
    at: Duration,
    speed: f64,
}

impl Capacity {
    /// How many calls a second may be started, if that is limited.
    pub fn limit(&self) -> Option<f64> {
        self.limit
    }

    /// A call that was started then was accepted.
    pub fn accepted(&mut self, started: Duration) {
        self.share -= self.share / SHARE_OF;
        let newest = self.accepted.back().copied().unwrap_or_default();
        while self.accepted.pop_front_if(|first| *first + SECOND < newest).is_some() {}
        self.accepted.push_back(started);
        if let Some(burst) = &mut self.burst {
            if started > burst.at {
                burst.accepted += 1;
            } else if started + SECOND > burst.at {
                burst.before += 1;
            }
        }
    }

    /// A call that was started then was throttled; the answer came now, and asked
    /// for this pause.
    pub fn throttled(&mut self, started: Duration, now: Duration, pause: Option<Duration>) {
        self.share += (1.0 - self.share) / SHARE_OF;
        let pause = pause.unwrap_or_default();
        if let Some(burst) = &mut self.burst {
            burst.pause = burst.pause.max(pause);
            burst.throttled += u32::from(started > burst.at);
            burst.last = burst.last.max(started);
        } else if started >= self.deaf_until {
            let in_second =
                |accepted: &&Duration| **accepted <= started && **accepted + SECOND > started;
            let before = self.accepted.iter().filter(in_second).count();
            self.burst = Some(Burst {
                at: started,
                judged_at: now + SETTLING,
                pause,
                before: before.try_into().unwrap_or(u32::MAX),
                full: started >= self.resumed + SECOND,
                accepted: 0,
                throttled: 0,
                last: started,
            });
        }
        if !pause.is_zero() {
            self.resumed = self.resumed.max(now + pause);
        }
    }

    /// The server slows down, and answers so many calls a second.
    pub fn slower(&mut self, answered: f64, now: Duration) {
        self.found(answered, Duration::ZERO, now);
        self.set(answered * DRAINING);
    }

    /// The server has worked off its queue.
    pub fn usual_again(&mut self, now: Duration) {
        if self.limit.is_some() {
            self.set(self.known * USED);
            self.climb_after(Duration::ZERO, now);
        }
    }

    /// What seemed to be a queue was none.
    pub fn no_queue(&mut self) {
        self.limit = None;
    }

    /// Calls go out again after they were held.
    pub fn restart(&mut self, now: Duration) {
        (self.resumed, self.burst) = (now, None);
        self.accepted.clear();
    }

    /// It is now this late: judges what is due, and climbs.
    pub fn tick(&mut self, now: Duration) {
        if let Some(burst) = self.burst.take_if(|burst| now >= burst.judged_at) {
            self.judge(&burst, now);
        }
        let Some(limit) = self.limit else { return };
        let Some(passed) = now.checked_sub(self.climb.at) else { return };
        self.climb.at = now;
        let passed = passed.as_secs_f64();
        self.climb.speed = (self.climb.speed * (1.0 + CLIMB_GROWS * passed)).min(STEEPEST_CLIMB);
        if self.accepted.len() as f64 >= limit * NEEDED {
            self.set(limit * (1.0 + self.climb.speed * passed));
        }
    }

    fn judge(&mut self, burst: &Burst, now: Duration) {
        let followed = burst.accepted + burst.throttled;
        if followed >= EVIDENCE && burst.throttled * 2 >= followed {
            self.contradictions = 0;
            if let Some(known) = measured(burst) {
                self.found(known, burst.pause, now);
                self.set(known * USED);
            }
        } else if !burst.pause.is_zero() || self.share > TOLERATED {
            self.judge_stray(burst, now);
        }
    }

    /// A call here and there was throttled: by chance, or just above the capacity.
    fn judge_stray(&mut self, burst: &Burst, now: Duration) {
        self.most_before = self.most_before.max(burst.before);
        self.early = if burst.full { 0 } else { self.early + 1 };
        if (1..EARLY).contains(&self.early) {
            return;
        }
        let most = std::mem::take(&mut self.most_before);
        let known = f64::from(if burst.full { burst.before } else { most });
        self.early = 0;
        match self.limit.filter(|_| burst.at < self.held_until) {
            None => {
                self.contradictions = 0;
                self.found(known, burst.pause, now);
                self.set(known * USED);
            }
            Some(_) if self.contradictions >= CONTRADICTIONS => {
                (self.limit, self.contradictions) = (None, 0);
                self.deaf_until = now + CHANCE;
            }
            Some(limit) => {
                self.contradictions += 1;
                self.found(self.known, burst.pause, now);
                self.set(limit.min(known) * LOWERED);
            }
        }
    }

    /// The server takes so many calls a second, which was learnt at the cost of this pause.
    fn found(&mut self, known: f64, pause: Duration, now: Duration) {
        let same = (known - self.known).abs() <= SAME * self.known;
        let first = (pause * HOLD_FOR_PAUSES).max(SHORTEST_HOLD);
        self.hold = if same { self.hold.max(first / 2) * 2 } else { first }.min(LONGEST_HOLD);
        self.known = known;
        self.deaf_until = if pause.is_zero() { now + DEAF } else { now + pause };
        self.climb_after(pause, now);
    }

    fn climb_after(&mut self, pause: Duration, now: Duration) {
        self.held_until = now + pause + self.hold;
        self.climb = Climb { at: self.held_until, speed: CLIMB };
    }

    fn set(&mut self, limit: f64) {
        self.limit = Some(limit.max(SLOWEST));
    }
}

/// What a server takes that throttles most calls after the first one too many: what
/// it accepted in the second before that, or goes on accepting. A server that accepts
/// nothing at all tells nothing.
fn measured(burst: &Burst) -> Option<f64> {
    let lasted = (burst.last - burst.at).as_secs_f64();
    let going_on = match burst.accepted >= EVIDENCE && lasted > 0.0 {
        true => f64::from(burst.accepted) / lasted,
        false => 0.0,
    };
    Some(f64::from(burst.before).max(going_on)).filter(|known| *known > 0.0)
}
