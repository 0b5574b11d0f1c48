//! The axis of time under a plot. Times at which the run was at rest are cut out of it, so that a run
//! that went on the next night does not shrink to two dots.

use std::collections::BTreeSet;

/// The width of a plot, in its own units.
pub(super) const PLOT_WIDTH: f64 = 1000.0;

/// The width of a cut.
const CUT_WIDTH: f64 = 16.0;

/// The most pieces.
const MAX_PIECES: usize = 12;

/// The steps between labels, in seconds.
const STEPS: [i64; 17] = [
    1, 5, 10, 30, 60, 300, 600, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400, 172_800, 604_800,
    2_419_200, 31_449_600,
];

/// A piece of the axis, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct AxisPiece {
    /// Where it begins.
    pub from: i64,
    /// Where it ends.
    pub to: i64,
    x_from: f64,
    x_to: f64,
}

/// An axis of time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TimeAxis {
    width: i64,
    pieces: Vec<AxisPiece>,
}

impl TimeAxis {
    /// The axis for these buckets, in ascending order, each this many seconds wide. What is empty
    /// before a bucket of `resumed` is cut out if it is long.
    pub fn new(
        width: i64,
        buckets: impl Iterator<Item = i64>,
        resumed: &BTreeSet<i64>,
    ) -> TimeAxis {
        let indexes: Vec<i64> = buckets.collect();
        let (Some(first), Some(last)) = (indexes.first(), indexes.last()) else {
            return TimeAxis { width, pieces: Vec::new() };
        };
        let gaps = indexes.windows(2).filter_map(|pair| match pair {
            [before, after] if resumed.contains(after) && after - before > 3 => {
                Some((before + 1, *after))
            }
            _ => None,
        });
        let gaps: Vec<(i64, i64)> = gaps.collect();
        let at_rest: i64 = gaps.iter().map(|(from, to)| to - from).sum();
        let active = last + 1 - first - at_rest;
        let mut cuts: Vec<(i64, i64)> =
            gaps.into_iter().filter(|(from, to)| (to - from) * 10 > active).collect();
        cuts.sort_by_key(|(from, to)| (from - to, *from));
        cuts.truncate(MAX_PIECES - 1);
        cuts.sort_unstable();
        let mut bounds = Vec::new();
        let mut from = *first;
        for (cut_from, cut_to) in cuts {
            bounds.push((from * width, cut_from * width));
            from = cut_to;
        }
        bounds.push((from * width, (last + 1) * width));
        let seconds: i64 = bounds.iter().map(|(from, to)| to - from).sum();
        let room = PLOT_WIDTH - CUT_WIDTH * (bounds.len() - 1) as f64;
        let mut x = 0.0;
        let piece = |(from, to): (i64, i64)| {
            let x_from = x;
            let x_to = x_from + room * (to - from) as f64 / seconds.max(1) as f64;
            x = x_to + CUT_WIDTH;
            AxisPiece { from, to, x_from, x_to }
        };
        TimeAxis { width, pieces: bounds.into_iter().map(piece).collect() }
    }

    /// Its pieces, in order.
    pub fn pieces(&self) -> &[AxisPiece] {
        &self.pieces
    }

    /// How many buckets it has, empty ones included.
    pub fn buckets(&self) -> i64 {
        self.pieces.iter().map(|piece| (piece.to - piece.from) / self.width).sum()
    }

    /// Where a time in seconds is plotted. A time that is cut out is at the edge of its cut.
    pub fn x(&self, seconds: f64) -> f64 {
        let mut x = 0.0;
        for piece in &self.pieces {
            if seconds < piece.from as f64 {
                break;
            }
            let share = (seconds - piece.from as f64) / (piece.to - piece.from).max(1) as f64;
            x = piece.x_from + share.min(1.0) * (piece.x_to - piece.x_from);
        }
        x
    }

    /// Where time is cut out: from and to.
    pub fn cuts(&self) -> impl Iterator<Item = (f64, f64)> {
        self.pieces.windows(2).filter_map(|pair| match pair {
            [before, after] => Some((before.x_to, after.x_from)),
            _ => None,
        })
    }

    /// Where labels stand, at least this far from each other: the time in seconds and the place. The
    /// first is where the axis begins.
    pub fn labels(&self, distance: f64) -> Vec<(i64, f64)> {
        let mut labels: Vec<(i64, f64)> = Vec::new();
        let mut add = |seconds: i64, x: f64| {
            if labels.last().is_none_or(|(_, last)| x - last >= distance) {
                labels.push((seconds, x));
            }
        };
        for piece in &self.pieces {
            add(piece.from, piece.x_from);
            let a_second = (piece.x_to - piece.x_from) / (piece.to - piece.from).max(1) as f64;
            let step = STEPS.iter().find(|step| **step as f64 * a_second * 2.0 >= distance);
            let Some(step) = step else { continue };
            let mut at = (piece.from.div_euclid(*step) + 1) * step;
            while at < piece.to {
                add(at, self.x(at as f64));
                at += step;
            }
        }
        labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_at_rest_is_cut_out() {
        let buckets = (0..100).chain(90_000..90_100);
        let axis = TimeAxis::new(1, buckets.clone(), &BTreeSet::from([90_000]));
        assert_eq!(axis.pieces().len(), 2);
        assert_eq!(axis.buckets(), 200);
        assert_eq!(axis.x(0.0), 0.0);
        assert!((axis.x(50.0) - 246.0).abs() < 0.1);
        assert_eq!(axis.x(5_000.0), axis.x(100.0), "a time that is cut out");
        assert_eq!(axis.x(90_100.0), PLOT_WIDTH);
        let whole = TimeAxis::new(1, buckets, &BTreeSet::new());
        assert_eq!(whole.pieces().len(), 1, "the run waited: that is a part of it");
    }

    #[test]
    fn labels_are_few_and_apart() {
        for seconds in [1, 7, 60, 240, 86_400, 10_000_000] {
            let width = (seconds / 240).max(1);
            let axis = TimeAxis::new(width, 0..(seconds / width).max(1), &BTreeSet::new());
            let labels = axis.labels(290.0);
            assert!((1..=4).contains(&labels.len()), "{seconds}: {labels:?}");
        }
    }

    #[test]
    fn without_a_bucket_there_is_no_axis() {
        let axis = TimeAxis::new(1, std::iter::empty(), &BTreeSet::new());
        assert!(axis.labels(290.0).is_empty());
        assert_eq!((axis.buckets(), axis.x(7.0)), (0, 0.0));
    }
}
