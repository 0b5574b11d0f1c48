//! Timestamps as RFC 3339 in UTC with milliseconds.

use jiff::Timestamp;

/// Formats timestamps. Of those within one second, only the first is formatted in full.
#[derive(Debug, Default)]
pub struct TimestampFormatter {
    second: Option<i64>,
    text: Vec<u8>,
}

/// Up to the point before the milliseconds.
const WHOLE: usize = "2024-01-15T08:30:00.".len();

impl TimestampFormatter {
    /// The text of this time.
    pub fn format(&mut self, time: Timestamp) -> &[u8] {
        let milliseconds = u32::try_from(time.subsec_millisecond()).ok();
        match milliseconds.filter(|_| self.second == Some(time.as_second())) {
            Some(milliseconds) => {
                let digits = [100, 10, 1].map(|unit| b'0' + (milliseconds / unit % 10) as u8);
                let place = self.text.iter_mut().skip(WHOLE);
                place.zip(digits).for_each(|(place, digit)| *place = digit);
            }
            None => {
                self.text = format!("{time:.3}").into();
                // Years of other lengths, and seconds counted backwards, are rare.
                let usual =
                    self.text.len() == WHOLE + "000Z".len() && time >= Timestamp::UNIX_EPOCH;
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
            let mut formatter = TimestampFormatter::default();
            for second in seconds {
                for nanosecond in &nanoseconds {
                    let time = Timestamp::from_nanosecond(
                        i128::from(second) * 1_000_000_000 + i128::from(*nanosecond)
                    ).unwrap();
                    let alone = format!("{time:.3}");
                    prop_assert_eq!(formatter.format(time), alone.as_bytes());
                }
            }
        }
    }
}
