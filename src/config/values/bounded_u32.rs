//! A whole number with bounds.

use std::str::FromStr;

/// A whole number from 1 to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoundedU32<const MAX: u32>(u32);

impl<const MAX: u32> BoundedU32<MAX> {
    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

/// The text is no such number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not a whole number from 1 to {max}")]
pub struct OutOfRangeError {
    text: String,
    max: u32,
}

impl<const MAX: u32> FromStr for BoundedU32<MAX> {
    type Err = OutOfRangeError;

    fn from_str(text: &str) -> Result<Self, OutOfRangeError> {
        match text.parse() {
            Ok(number) if (1..=MAX).contains(&number) => Ok(BoundedU32(number)),
            _ => Err(OutOfRangeError { text: text.to_owned(), max: MAX }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    #[test]
    fn it_is_from_one_to_the_most_there_may_be() {
        let number = |text: &str| text.parse::<BoundedU32<100>>();
        assert_eq!(number("1").unwrap().get(), 1);
        assert_eq!(number("100").unwrap().get(), 100);
        for text in ["0", "101", "-1", "1.5", "many", ""] {
            assert!(number(text).is_err(), "{text}");
        }
        assert_snapshot!(number("0").unwrap_err(), @r#""0" is not a whole number from 1 to 100"#);
    }
}
