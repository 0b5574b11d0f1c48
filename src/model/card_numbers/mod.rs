//! Finds what looks like a card number in any text. Nothing that does is stored, sent or shown.

mod columns;
mod network;
mod plain;
mod search;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::ops::Range;

pub use columns::{fields_hold_card_number, may_be_part};
pub use network::{SHORTEST, may_hold_card};
use plain::Plain;
use search::next_card;

/// What stands for a card number.
pub const REMOVED: &str = "[card number removed]";

/// Whether the text holds what looks like a card number: 13 to 19 digits, whatever stands
/// between them but letters, perhaps with leading zeros or an expiry date behind, of a known
/// network, passing the Luhn check.
#[inline]
pub fn looks_like_card_number(text: &[u8]) -> bool {
    may_hold_card(text) && next_card(&Plain::of(text).bytes, 0).is_some()
}

/// The text with each card number replaced by a note that there was one.
pub fn redact(text: &str) -> Cow<'_, str> {
    if !may_hold_card(text.as_bytes()) {
        return Cow::Borrowed(text);
    }
    let plain = Plain::of(text.as_bytes());
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
    // What stood beside a removed number may be one when it stands alone.
    Cow::Owned(redact(&clean).into_owned())
}
