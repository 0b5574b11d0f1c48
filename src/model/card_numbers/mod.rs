//! Detects what looks like a card number in any text. Such text is never stored, sent or displayed.
//!
//! A text is first normalized (`plain`): digits of all scripts become ASCII, invisible
//! characters are removed. The search (`search`) then looks for groups of digits that together
//! have a known issuer prefix and length and pass the Luhn check (`network`). A number may also
//! be split over neighbouring columns of a row (`columns`). Checks that read few bytes come
//! first, since they run on every row.

mod card_network;
mod columns;
mod plain;
mod search;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::ops::Range;

pub use card_network::{SHORTEST, may_hold_card};
pub use columns::{fields_hold_card_number, may_be_part};
use plain::Plain;
use search::next_card;

/// Replaces a card number in a redacted text.
pub const REMOVED: &str = "[card number removed]";

/// Whether the text contains what looks like a card number: 13 to 19 digits of a known network
/// that pass the Luhn check, with any separators other than letters between them, and optionally
/// with leading zeros or an expiry date after them.
#[inline]
pub fn looks_like_card_number(text: &[u8]) -> bool {
    may_hold_card(text) && next_card(&Plain::new(text).bytes, 0).is_some()
}

/// The text with each card number replaced by [`REMOVED`].
pub fn redact(text: &str) -> Cow<'_, str> {
    if !may_hold_card(text.as_bytes()) {
        return Cow::Borrowed(text);
    }
    let plain = Plain::new(text.as_bytes());
    let Some(mut card) = next_card(&plain.bytes, 0) else { return Cow::Borrowed(text) };
    let mut clean = String::with_capacity(text.len());
    let mut copied = 0;
    loop {
        let Range { start, end } = plain.place(&card);
        clean.push_str(text.get(copied..start).unwrap_or_default());
        clean.push_str(REMOVED);
        copied = end;
        match next_card(&plain.bytes, card.end) {
            Some(next) => card = next,
            None => break,
        }
    }
    clean.push_str(text.get(copied..).unwrap_or_default());
    // The digits beside a removed number may form another one once it is gone.
    Cow::Owned(redact(&clean).into_owned())
}
