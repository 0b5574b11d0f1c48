//! A word in a seal's text.

use std::fmt;
use std::str::FromStr;

/// A word that stands in a seal without quotes: ASCII letters, digits and `.`, `-`, `_`, `+`, at
/// most 100 of them. It can hold neither a space nor a line break.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SealWord(String);

/// The most characters of a word.
const LONGEST: usize = 100;

/// The text cannot stand in a seal as one word.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} cannot stand in a seal: it must be 1 to 100 letters, digits and the characters . - _ +"
)]
pub struct ParseSealWordError(String);

impl SealWord {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SealWord {
    type Err = ParseSealWordError;

    fn from_str(text: &str) -> Result<SealWord, ParseSealWordError> {
        let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || b".-_+".contains(&byte);
        if (1..=LONGEST).contains(&text.len()) && text.bytes().all(is_usual) {
            Ok(SealWord(text.to_owned()))
        } else {
            Err(ParseSealWordError(text.chars().take(LONGEST).collect()))
        }
    }
}

impl fmt::Display for SealWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
