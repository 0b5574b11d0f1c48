//! Timestamps as RFC 3339 in UTC with milliseconds or microseconds.

use jiff::Timestamp;

/// Formats timestamps. Of those within one second, only the first is formatted in full.
#[derive(Debug)]
pub struct TimestampFormatter {
    /// The number of digits after the point.
    digits: usize,
    second: Option<i64>,
    text: Vec<u8>,
}

/// Up to the point before the fraction.
const WHOLE: usize = "2024-01-15T08:30:00.".len();

impl TimestampFormatter {
    /// Formats with three digits after the point; what is smaller is cut off.
    pub fn milliseconds() -> TimestampFormatter {
        TimestampFormatter { digits: 3, second: None, text: Vec::new() }
    }

    /// Formats with six digits after the point; what is smaller is cut off.
    pub fn microseconds() -> TimestampFormatter {
        TimestampFormatter { digits: 6, second: None, text: Vec::new() }
    }

    /// The text of this time.
    pub fn format(&mut self, time: Timestamp) -> &[u8] {
        let nanoseconds = u32::try_from(time.subsec_nanosecond()).ok();
        match nanoseconds.filter(|_| self.second == Some(time.as_second())) {
            Some(nanoseconds) => {
                // Divisors that are constants: divisions are most of the work here.
                let mut fraction =
                    if self.digits == 3 { nanoseconds / 1_000_000 } else { nanoseconds / 1000 };
                for place in self.text.iter_mut().skip(WHOLE).take(self.digits).rev() {
                    *place = b'0' + (fraction % 10) as u8;
                    fraction /= 10;
                }
            }
            None => {
                let digits = self.digits;
                self.text = format!("{time:.digits$}").into();
                // Years of other lengths, and seconds counted backwards, are rare.
                let usual =
                    self.text.len() == WHOLE + digits + "Z".len() && time >= Timestamp::UNIX_EPOCH;
                self.second = Some(time.as_second()).filter(|_| usual);
            }
        }
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_timestamp_is_formatted_as_if_it_were_the_only_one(
            seconds in prop::collection::vec(prop_oneof![-2i64..3, -62_135_596_801..-62_135_596_798i64], 1..4),
            nanoseconds in prop::collection::vec(0..1_000_000_000i64, 1..8),
        ) {
            let mut milliseconds = TimestampFormatter::milliseconds();
            let mut microseconds = TimestampFormatter::microseconds();
            for second in seconds {
                for nanosecond in &nanoseconds {
                    let time = Timestamp::from_nanosecond(
                        i128::from(second) * 1_000_000_000 + i128::from(*nanosecond)
                    ).unwrap();
                    let alone = (format!("{time:.3}"), format!("{time:.6}"));
                    prop_assert_eq!(milliseconds.format(time), alone.0.as_bytes());
                    prop_assert_eq!(microseconds.format(time), alone.1.as_bytes());
                }
            }
        }
    }
}
