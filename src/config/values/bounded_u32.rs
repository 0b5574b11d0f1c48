//! A whole number that is neither nothing nor too much.

use std::str::FromStr;

/// A whole number from 1 to `MOST`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpTo<const MOST: u32>(u32);

impl<const MOST: u32> UpTo<MOST> {
    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

/// The text is no such number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not a whole number from 1 to {most}")]
pub struct OutOfRangeError {
    text: String,
    most: u32,
}

impl<const MOST: u32> FromStr for UpTo<MOST> {
    type Err = OutOfRangeError;

    fn from_str(text: &str) -> Result<Self, OutOfRangeError> {
        match text.parse() {
            Ok(number) if (1..=MOST).contains(&number) => Ok(UpTo(number)),
            _ => Err(OutOfRangeError { text: text.to_owned(), most: MOST }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    #[test]
    fn it_is_from_one_to_the_most_there_may_be() {
        let number = |text: &str| text.parse::<UpTo<100>>();
        assert_eq!(number("1").unwrap().get(), 1);
        assert_eq!(number("100").unwrap().get(), 100);
        for text in ["0", "101", "-1", "1.5", "many", ""] {
            assert!(number(text).is_err(), "{text}");
        }
        assert_snapshot!(number("0").unwrap_err(), @r#""0" is not a whole number from 1 to 100"#);
    }
}
