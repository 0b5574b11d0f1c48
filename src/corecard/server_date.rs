//! Compares this machine's clock with the `Date` of CoreCARD's answers, which has whole seconds.
//!
//! An answer that was sent by the server within the second `Date`, and by this clock between the
//! call and the answer, bounds from both sides how far this clock is ahead. Over many answers the
//! bounds come close, since the seconds of the two clocks do not begin together.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

/// How long a `Date` holds, in microseconds.
const SECOND: i64 = 1_000_000;

/// How far this machine's clock was ahead of the dates of all answers so far.
#[derive(Debug)]
pub struct ServerDate {
    /// The highest lower bound, in microseconds; `i64::MIN` before the first answer.
    at_least: AtomicI64,
    /// The lowest upper bound, in microseconds; `i64::MAX` before the first answer.
    at_most: AtomicI64,
}

impl Default for ServerDate {
    fn default() -> ServerDate {
        ServerDate { at_least: AtomicI64::new(i64::MIN), at_most: AtomicI64::new(i64::MAX) }
    }
}

impl ServerDate {
    /// Takes in an answer with this date to a call that was made between these times.
    pub(super) fn observe(&self, date: Timestamp, sent: Timestamp, answered: Timestamp) {
        let ahead = |ours: Timestamp| ours.as_microsecond().saturating_sub(date.as_microsecond());
        self.at_least.fetch_max(ahead(sent).saturating_sub(SECOND), Ordering::Relaxed);
        self.at_most.fetch_min(ahead(answered), Ordering::Relaxed);
    }

    /// How far this clock was ahead: at least, and at most. `None` if no answer had a date. If one
    /// of the clocks was set meanwhile, or several servers answered whose clocks differ, no one
    /// value holds for all answers, and these are the values between which they differed.
    pub fn ahead(&self) -> Option<(SignedDuration, SignedDuration)> {
        let at_least = self.at_least.load(Ordering::Relaxed);
        let at_most = self.at_most.load(Ordering::Relaxed);
        if (at_least, at_most) == (i64::MIN, i64::MAX) {
            return None;
        }
        let (low, high) = (at_least.min(at_most), at_least.max(at_most));
        Some((SignedDuration::from_micros(low), SignedDuration::from_micros(high)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(1_700_000_000_000 + milliseconds).unwrap()
    }

    fn bounds(date: &ServerDate) -> (i128, i128) {
        let (least, most) = date.ahead().unwrap();
        (least.as_millis(), most.as_millis())
    }

    #[test]
    fn one_answer_bounds_it_within_a_second_and_the_time_of_the_call() {
        let date = ServerDate::default();
        assert_eq!(date.ahead(), None);
        date.observe(at(0), at(400), at(450));
        assert_eq!(bounds(&date), (-600, 450));
    }

    #[test]
    fn many_answers_bring_the_bounds_together() {
        // This clock is 400 ms ahead, and each answer takes 20 ms.
        let date = ServerDate::default();
        for call in 0..200_i64 {
            let sent = call * 37;
            let server = sent + 10 - 400;
            date.observe(at(server.div_euclid(1000) * 1000), at(sent), at(sent + 20));
        }
        let (least, most) = bounds(&date);
        assert!(least <= 400 && 400 <= most && most - least < 60, "{least} to {most}");
    }

    #[test]
    fn clocks_that_differ_among_answers_are_all_between_the_bounds() {
        let date = ServerDate::default();
        date.observe(at(0), at(0), at(10));
        date.observe(at(0), at(3_600_000), at(3_600_010));
        assert_eq!(bounds(&date), (10, 3_599_000));
    }
}
