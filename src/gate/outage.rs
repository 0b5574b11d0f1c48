//! Is the server away? When call after call gets no answer that a working server
//! would give, nothing more is sent but one probe at a time, until one is answered.

use std::time::Duration;

use super::scatter::scatter;
use crate::order::RowNumber;
use crate::outcome::Sign;

/// So many failures in a row are an outage, wherever they come from.
const IN_A_ROW: usize = 10;

/// So many are, if a row is about to fail for good because of them and none of them
/// can be the rows' own fault.
const IN_A_ROW_FOR_A_LAST_ATTEMPT: usize = 3;

/// Throttled calls are signs of an outage only when for so long nothing else came.
const ONLY_THROTTLED: Duration = Duration::from_secs(2);

/// The wait before the first probe, and before each after a long time. Each is twice
/// the one before, and cut by up to a quarter, so that those who wait for the same
/// server do not return together.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// One call that ended.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    /// What it tells of the server.
    pub sign: Sign,
    /// Its row.
    pub row: RowNumber,
    /// When it was started, after the start of the run.
    pub started: Duration,
    /// Whether its row has no more attempts.
    pub was_last: bool,
}

/// What has changed with a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The server is away: these rows failed because of it.
    Began(Vec<RowNumber>),
    /// The server is back.
    Over,
}

/// Whether the server is away, as far as calls have shown it.
#[derive(Debug)]
pub struct Outage {
    longest: Duration,
    failed: Failed,
    answered: Duration,
    away: Option<Away>,
    /// When the last outage was over.
    over: Option<Duration>,
}

/// Failures since the server last answered.
#[derive(Debug, Default)]
struct Failed {
    /// When the first of these calls was started.
    since: Duration,
    /// Their rows; those that may be at fault themselves once each.
    rows: Vec<RowNumber>,
    /// How many of them cannot be the row's own fault.
    surely: usize,
}

#[derive(Debug)]
struct Away {
    /// When it was noticed.
    since: Duration,
    probes: u32,
    next_probe: Duration,
}

impl Outage {
    /// An outage that lasts longer than this is not waited for.
    pub fn new(longest: Duration) -> Outage {
        Outage {
            longest,
            failed: Failed::default(),
            answered: Duration::ZERO,
            away: None,
            over: None,
        }
    }

    /// Since when the server is away, if it is.
    pub fn since(&self) -> Option<Duration> {
        self.away.as_ref().map(|away| away.since)
    }

    /// When it has lasted too long, if it lasts.
    pub fn too_long_at(&self) -> Option<Duration> {
        self.since().map(|since| since.saturating_add(self.longest))
    }

    /// When the next probe may be sent, if only probes may.
    pub fn next_probe(&self) -> Option<Duration> {
        self.away.as_ref().map(|away| away.next_probe)
    }

    /// How many more calls may be started now, if that is limited.
    pub fn more(&self, now: Duration) -> Option<u32> {
        self.next_probe().map(|next_probe| u32::from(now >= next_probe))
    }

    /// A call is started. One without an answer does not keep the next for ever.
    pub fn sent(&mut self, now: Duration) {
        if let Some(away) = &mut self.away {
            away.probes += 1;
            away.next_probe = now + LONGEST_WAIT;
        }
    }

    /// Whether a call that was started then, and failed, ran into an outage.
    pub fn ran_into(&self, sign: Sign, started: Duration) -> bool {
        let fails = matches!(sign, Sign::Unreachable | Sign::Broken | Sign::Throttled);
        fails && (self.away.is_some() || self.over.is_some_and(|over| started < over))
    }

    /// Learns from a call that ended now.
    pub fn saw(&mut self, ended: Ended, now: Duration) -> Option<Change> {
        match ended.sign {
            Sign::Works => return self.works(ended.started, now),
            Sign::Throttled if now < self.answered + ONLY_THROTTLED => return None,
            Sign::Unclear => return None,
            Sign::Unreachable | Sign::Broken | Sign::Throttled => {}
        }
        match &mut self.away {
            None => {
                self.failed.add(ended);
                self.failed.is_outage(ended.was_last).then(|| self.begin(ended.row, now))
            }
            Some(away) => {
                if ended.started >= away.since {
                    away.next_probe = away.next_probe.min(now + wait(ended.row, away.probes));
                }
                None
            }
        }
    }

    /// An answer tells of the server as it was when its call was started: one from
    /// before the first failure says nothing of what came after.
    fn works(&mut self, started: Duration, now: Duration) -> Option<Change> {
        self.answered = now;
        if !self.failed.rows.is_empty() && started < self.failed.since {
            return None;
        }
        self.failed = Failed::default();
        let over = self.away.take().map(|_| Change::Over);
        if over.is_some() {
            self.over = Some(now);
        }
        over
    }

    fn begin(&mut self, row: RowNumber, now: Duration) -> Change {
        self.away = Some(Away { since: now, probes: 0, next_probe: now + wait(row, 0) });
        Change::Began(self.failed.rows.clone())
    }
}

impl Failed {
    fn add(&mut self, ended: Ended) {
        if self.rows.is_empty() {
            self.since = ended.started;
        }
        self.since = self.since.min(ended.started);
        match ended.sign {
            Sign::Broken if self.rows.contains(&ended.row) => return,
            Sign::Broken => {}
            _ => self.surely += 1,
        }
        self.rows.push(ended.row);
    }

    fn is_outage(&self, was_last: bool) -> bool {
        self.rows.len() >= IN_A_ROW || (was_last && self.surely >= IN_A_ROW_FOR_A_LAST_ATTEMPT)
    }
}

/// The wait after so many probes, the last of them with this row.
fn wait(row: RowNumber, probes: u32) -> Duration {
    let full = FIRST_WAIT.saturating_mul(1 << probes.min(16)).min(LONGEST_WAIT);
    let cut = f64::from(scatter(u64::from(row.0) << 32 | u64::from(probes))) / f64::from(u32::MAX);
    full.mul_f64(1.0 - cut / 4.0)
}
