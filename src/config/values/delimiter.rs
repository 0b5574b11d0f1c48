//! What stands between the input's fields.

use std::str::FromStr;

/// What stands between the input's fields: one of `,` `;` tab `|`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delimiter(u8);

impl Delimiter {
    /// The character, in ASCII.
    pub fn byte(self) -> u8 {
        self.0
    }
}

/// The text is none of the four.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a field separator: write , or ; or | or the word tab")]
pub struct DelimiterError(String);

impl FromStr for Delimiter {
    type Err = DelimiterError;

    fn from_str(text: &str) -> Result<Self, DelimiterError> {
        match text {
            "," => Ok(Delimiter(b',')),
            ";" => Ok(Delimiter(b';')),
            "|" => Ok(Delimiter(b'|')),
            "tab" | "\t" | "\\t" => Ok(Delimiter(b'\t')),
            _ => Err(DelimiterError(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    #[test]
    fn it_is_one_of_four_and_a_tab_has_a_name() {
        let byte = |text: &str| text.parse::<Delimiter>().unwrap().byte();
        assert_eq!([",", ";", "|", "tab"].map(byte), *b",;|\t");
        let error = ":".parse::<Delimiter>().unwrap_err();
        assert_snapshot!(error, @r#"":" is not a field separator: write , or ; or | or the word tab"#);
    }
}
