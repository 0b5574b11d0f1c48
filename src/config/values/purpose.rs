//! Why a run is started, in a person's words, and what of it must be given.

use std::str::FromStr;

use crate::model::card_numbers::looks_like_card_number;

/// The most characters of a text.
const LONGEST: usize = 200;

/// A text for the record: one line of 1 to 200 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedText(String);

impl RecordedText {
    /// The text; `None` if it holds what looks like a card number. The parser does not refuse that,
    /// because its error would show the number.
    pub fn into_string(self) -> Option<String> {
        (!looks_like_card_number(self.0.as_bytes())).then_some(self.0)
    }
}

/// The text is empty, too long or not one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write one line of 1 to {LONGEST} characters")]
pub struct NotOneLine;

impl FromStr for RecordedText {
    type Err = NotOneLine;

    fn from_str(text: &str) -> Result<Self, NotOneLine> {
        let text = text.trim();
        let length = text.chars().count();
        if !(1..=LONGEST).contains(&length) || text.chars().any(char::is_control) {
            return Err(NotOneLine);
        }
        Ok(RecordedText(text.to_owned()))
    }
}

/// A flag of the purpose that can be required.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PurposeFlag {
    /// `--reason`
    Reason,
    /// `--requested-by`
    RequestedBy,
    /// `--ticket`
    Ticket,
}

impl PurposeFlag {
    const ALL: [PurposeFlag; 3] =
        [PurposeFlag::Reason, PurposeFlag::RequestedBy, PurposeFlag::Ticket];

    /// Its name without dashes.
    pub fn name(self) -> &'static str {
        match self {
            PurposeFlag::Reason => "reason",
            PurposeFlag::RequestedBy => "requested-by",
            PurposeFlag::Ticket => "ticket",
        }
    }
}

/// The flags without which no run starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequiredPurpose(Vec<PurposeFlag>);

impl RequiredPurpose {
    /// All that any of these require.
    pub fn all(required: Vec<RequiredPurpose>) -> Vec<PurposeFlag> {
        required.into_iter().flat_map(|required| required.0).collect()
    }
}

impl FromStr for RequiredPurpose {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        if text.trim() == "none" {
            return Ok(RequiredPurpose::default());
        }
        let flag =
            |name: &str| PurposeFlag::ALL.into_iter().find(|flag| flag.name() == name.trim());
        let flags = text.split(',').map(flag).collect::<Option<Vec<_>>>();
        flags
            .map(RequiredPurpose)
            .ok_or("write reason, requested-by and ticket, separated by commas, or none")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_for_the_record_is_one_line_without_a_card_number() {
        let read = |text: &str| text.parse::<RecordedText>().map(RecordedText::into_string);
        assert_eq!(read(" duplicate batch "), Ok(Some("duplicate batch".to_owned())));
        for wrong in ["", "  ", "two\nlines", "\u{1b}[31m", &"x".repeat(201)] {
            assert_eq!(read(wrong), Err(NotOneLine), "{wrong:?}");
        }
        assert_eq!(read("card 4111 1111 1111 1111"), Ok(None));
    }

    #[test]
    fn flags_are_required_by_name() {
        let read = |text: &str| text.parse::<RequiredPurpose>().map(|required| required.0);
        assert_eq!(read("none"), Ok(vec![]));
        assert_eq!(read("ticket, reason"), Ok(vec![PurposeFlag::Ticket, PurposeFlag::Reason]));
        assert!(read("tickets").is_err());
        assert!(read("").is_err());
    }
}
