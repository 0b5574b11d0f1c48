//! Moments as RFC 3339 UTC with milliseconds, many of them in the same second.

use jiff::Timestamp;

/// Writes moments; of those in one second, the first alone takes time.
#[derive(Debug, Default)]
pub(super) struct Moments {
    second: Option<i64>,
    text: String,
}

/// Up to the point before the milliseconds.
const WHOLE: usize = "2024-01-15T08:30:00.".len();

impl Moments {
    pub fn text(&mut self, time: Timestamp) -> &str {
        let milliseconds = u32::try_from(time.subsec_millisecond()).ok();
        match milliseconds.filter(|_| self.second == Some(time.as_second())) {
            Some(milliseconds) => {
                let digits = [100, 10, 1].map(|unit| milliseconds / unit % 10);
                self.text.truncate(WHOLE);
                self.text.extend(digits.map(|digit| char::from(b'0' + digit as u8)));
                self.text.push('Z');
            }
            None => {
                self.text = format!("{time:.3}");
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
        fn every_moment_is_written_as_if_it_were_the_only_one(
            seconds in prop::collection::vec(prop_oneof![-2i64..3, -62_135_596_801..-62_135_596_798i64], 1..4),
            nanoseconds in prop::collection::vec(0..1_000_000_000i64, 1..8),
        ) {
            let mut moments = Moments::default();
            for second in seconds {
                for nanosecond in &nanoseconds {
                    let time = Timestamp::from_nanosecond(
                        i128::from(second) * 1_000_000_000 + i128::from(*nanosecond)
                    ).unwrap();
                    prop_assert_eq!(moments.text(time), format!("{time:.3}"));
                }
            }
        }
    }
}
