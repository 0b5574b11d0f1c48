//! The calls of a run over time, in memory that does not grow with the run: buckets that get wider
//! the longer the run was.

use std::collections::{BTreeMap, HashMap};

use hdrhistogram::Histogram;
use jiff::Timestamp;

use super::time_axis::TimeAxis;
use crate::ledger::AttemptRecord;

/// The widths of buckets in seconds. Each is a multiple of the one before, so that buckets can be
/// joined.
const WIDTHS: [i64; 17] = [
    1,
    5,
    15,
    30,
    60,
    300,
    900,
    1_800,
    3_600,
    7_200,
    21_600,
    86_400,
    604_800,
    2_419_200,
    31_449_600,
    314_496_000,
    3_144_960_000,
];

/// The most buckets that are plotted.
pub(super) const MAX_BUCKETS: i64 = 240;

/// The most seconds of which the calls are counted one by one.
const MAX_SECONDS: usize = 200_000;

/// A verdict that left the order in doubt, as the ledger names it.
pub(super) const DOUBT: &str = "doubt";

/// How long calls took, from their first byte to the answer or until it was given up, in
/// microseconds up to an hour, to two digits.
#[derive(Clone)]
pub(super) struct Latencies(Histogram<u32>);

impl Latencies {
    pub fn new() -> Option<Latencies> {
        Histogram::new_with_bounds(1, 3_600_000_000, 2).ok().map(Latencies)
    }

    /// Adds a call; nothing if it was not sent, has not ended, or its clock was set back meanwhile.
    pub fn add(&mut self, attempt: &AttemptRecord) {
        let (Some(sent_at), Some(ended_at)) = (attempt.sent_at, attempt.ended_at) else { return };
        if let Ok(micros) = u64::try_from(ended_at.as_microsecond() - sent_at.as_microsecond()) {
            self.0.saturating_record(micros.max(1));
        }
    }

    fn join(&mut self, other: &Latencies) {
        // Both have the same bounds.
        let _ = self.0.add(&other.0);
    }

    /// The time in microseconds within which this share of the calls had an answer; `None` without a
    /// call.
    pub fn quantile(&self, share: f64) -> Option<u64> {
        (!self.0.is_empty()).then(|| self.0.value_at_quantile(share).min(self.0.max()))
    }
}

/// The shares of calls whose latency is shown.
pub(super) const QUANTILES: [(&str, f64); 3] = [("p50", 0.50), ("p95", 0.95), ("p99", 0.99)];

/// What happened in one stretch of time.
#[derive(Default, Clone)]
pub(super) struct TimeBucket {
    /// The calls whose first byte was sent in it.
    pub sent: u64,
    /// Those of them whose answer was lost.
    pub lost: u64,
    /// How long the calls took that were sent in it; `None` if none was.
    pub latencies: Option<Latencies>,
}

impl TimeBucket {
    fn join(&mut self, other: TimeBucket) {
        self.sent += other.sent;
        self.lost += other.lost;
        match (&mut self.latencies, other.latencies) {
            (Some(ours), Some(others)) => ours.join(&others),
            (ours @ None, others) => *ours = others,
            _ => {}
        }
    }
}

/// Collects calls over time.
pub(super) struct TimeLine {
    /// Index into `WIDTHS`.
    width: usize,
    buckets: BTreeMap<i64, TimeBucket>,
    /// The calls in each second; `None` once there were too many seconds.
    seconds: Option<HashMap<i64, u32>>,
}

impl TimeLine {
    /// One whose buckets are at least this many seconds wide.
    pub fn new(least_width: i64) -> TimeLine {
        let width = WIDTHS.iter().position(|width| *width >= least_width).unwrap_or_default();
        TimeLine { width, buckets: BTreeMap::new(), seconds: Some(HashMap::new()) }
    }

    /// Notes that the run was in progress at this time.
    pub fn touch(&mut self, at: Timestamp) {
        self.bucket(at);
    }

    /// Adds a call. What was not sent counts as a time at which the run was in progress.
    pub fn add(&mut self, attempt: &AttemptRecord) {
        let Some(sent_at) = attempt.sent_at else { return self.touch(attempt.claimed_at) };
        let bucket = self.bucket(sent_at);
        bucket.sent += 1;
        bucket.lost += u64::from(attempt.verdict == DOUBT);
        if bucket.latencies.is_none() {
            bucket.latencies = Latencies::new();
        }
        if let Some(latencies) = &mut bucket.latencies {
            latencies.add(attempt);
        }
        if let Some(seconds) = &mut self.seconds {
            *seconds.entry(sent_at.as_second()).or_default() += 1;
            if seconds.len() > MAX_SECONDS {
                self.seconds = None;
            }
        }
    }

    fn bucket(&mut self, at: Timestamp) -> &mut TimeBucket {
        // Twice as many as are plotted, since a part of the time may be cut out of the plot.
        while self.buckets.len() as i64 >= 2 * MAX_BUCKETS && self.width + 1 < WIDTHS.len() {
            self.widen();
        }
        self.buckets.entry(at.as_second().div_euclid(WIDTHS[self.width])).or_default()
    }

    fn widen(&mut self) {
        let ratio = WIDTHS[self.width + 1] / WIDTHS[self.width];
        self.width += 1;
        for (index, bucket) in std::mem::take(&mut self.buckets) {
            self.buckets.entry(index.div_euclid(ratio)).or_default().join(bucket);
        }
    }

    /// What is plotted. `resumed` are the times at which the run was started again after it had been
    /// at rest.
    pub fn finish(mut self, resumed: &[Timestamp]) -> TimeSeries {
        loop {
            let width = WIDTHS[self.width];
            let resumed = resumed.iter().map(|at| at.as_second().div_euclid(width)).collect();
            let axis = TimeAxis::new(width, self.buckets.keys().copied(), &resumed);
            if axis.buckets() <= MAX_BUCKETS || self.width + 1 == WIDTHS.len() {
                let busiest_second =
                    self.seconds.map(|seconds| seconds.into_values().max().unwrap_or_default());
                return TimeSeries { width, buckets: self.buckets, axis, busiest_second };
            }
            self.widen();
        }
    }
}

/// The calls of a run over time, as they are plotted.
pub(super) struct TimeSeries {
    /// The width of a bucket in seconds.
    pub width: i64,
    /// The buckets that are not empty, by their number since 1970.
    buckets: BTreeMap<i64, TimeBucket>,
    /// Where they are plotted.
    pub axis: TimeAxis,
    /// The most calls that were sent in one second by the clock; `None` if the run took too long to
    /// count them.
    pub busiest_second: Option<u32>,
}

impl TimeSeries {
    /// Every bucket of each piece of the axis, with the second in which it begins. Empty ones are
    /// `None`.
    pub fn pieces(&self) -> impl Iterator<Item = Vec<(i64, Option<&TimeBucket>)>> {
        let of = |index: i64| (index * self.width, self.buckets.get(&index));
        self.axis.pieces().iter().map(move |piece| {
            let indexes = piece.from.div_euclid(self.width)..piece.to.div_euclid(self.width);
            indexes.map(of).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::attempt_at;

    #[test]
    fn the_buckets_get_wider_with_the_run_and_lose_no_call() {
        for seconds in [1_i64, 100, 10_000, 1_000_000, 100_000_000] {
            let mut line = TimeLine::new(1);
            for call in 0..1_000 {
                line.add(&attempt_at(call * seconds / 1_000, 20));
            }
            let series = line.finish(&[]);
            let buckets: Vec<_> = series.pieces().flatten().collect();
            assert!(buckets.len() as i64 <= MAX_BUCKETS, "{seconds}: {}", buckets.len());
            let sent: u64 = buckets.iter().filter_map(|(_, bucket)| *bucket).map(|b| b.sent).sum();
            assert_eq!(sent, 1_000, "{seconds}");
        }
    }

    #[test]
    fn quantiles_are_those_of_the_calls_after_buckets_were_joined() {
        let mut line = TimeLine::new(1);
        for call in 0..1_000 {
            line.add(&attempt_at(call, call + 1));
        }
        let series = line.finish(&[]);
        let mut all = Latencies::new().unwrap();
        for (_, bucket) in series.pieces().flatten() {
            bucket.and_then(|bucket| bucket.latencies.as_ref()).iter().for_each(|l| all.join(l));
        }
        let p95 = all.quantile(0.95).unwrap();
        assert!((940_000..=960_000).contains(&p95), "{p95}");
    }

    #[test]
    fn a_clock_that_was_set_back_gives_no_latency() {
        let mut latencies = Latencies::new().unwrap();
        latencies.add(&attempt_at(5, -3));
        assert_eq!(latencies.quantile(0.5), None);
    }
}
