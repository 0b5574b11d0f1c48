//! Detects a card number that is split over neighbouring columns of a row. Most rows are ruled
//! out after reading a few of their bytes.

use std::borrow::Cow;

use super::card_network::may_hold_card;
use super::plain::Plain;
use super::search::{Groups, Match, card_from, group_starts, next_run};

/// Whether neighbouring columns of a row contain a card number, split where the groups on cards
/// are.
pub fn fields_hold_card_number<'f>(fields: impl Iterator<Item = &'f [u8]> + Clone) -> bool {
    may_be_parted(fields.clone())
        && may_be_grouped(fields.clone())
        && columns_hold_card_number(&fields.collect::<Vec<_>>().join(&b','))
}

/// Whether the digits at the end of one field and at the start of the next non-empty one may be
/// groups of one card number. Reads few bytes of most rows.
pub(super) fn may_be_parted<'f>(fields: impl Iterator<Item = &'f [u8]>) -> bool {
    let mut before = 0;
    for field in fields {
        let goes_on = matches!(before, 4 | 6) && group(field, false).is_some_and(|first| first > 2);
        if goes_on {
            return true;
        }
        before = group(field, true).unwrap_or(before);
    }
    false
}

/// Whether consecutive groups of digits, without a letter between them, have the sizes of a card
/// number's groups. Checks the last group and the two or three before it.
pub(super) fn may_be_grouped<'f>(fields: impl Iterator<Item = &'f [u8]>) -> bool {
    let mut sizes = Sizes::default();
    for field in fields {
        for byte in field {
            match byte {
                b'0'..=b'9' => sizes.digits += 1,
                // A digit of another script, or an invisible character.
                0x80.. => return true,
                b'a'..=b'z' | b'A'..=b'Z' | b'?' => {
                    if sizes.end() {
                        return true;
                    }
                    sizes.before = [0; 3];
                }
                _ if sizes.end() => return true,
                _ => {}
            }
        }
        if sizes.end() {
            return true;
        }
    }
    false
}

/// The number of digits in the current group, and in each of the three before it.
#[derive(Default)]
struct Sizes {
    before: [u32; 3],
    digits: u32,
}

impl Sizes {
    /// Ends the group, if there is one. Returns whether it may be the last one of a card number.
    #[inline]
    fn end(&mut self) -> bool {
        let digits = std::mem::take(&mut self.digits);
        if digits == 0 {
            return false;
        }
        let ends_card = digits >= 4 && matches!(self.before, [4, 4, 4] | [_, 4, 6]);
        let [_, before, last] = self.before;
        self.before = [before, last, digits];
        ends_card
    }
}

/// The number of digits in the first or last group of a field; 0 if a letter comes first, `None`
/// if the field has neither a digit nor a letter.
#[inline]
fn group(field: &[u8], last: bool) -> Option<usize> {
    let group = if last { group_in(field.iter().rev()) } else { group_in(field.iter()) };
    match group {
        Group::Digits(digits) => Some(digits),
        Group::Nothing => None,
        // A digit of another script, or an invisible character.
        Group::Other => match Plain::new(field).bytes {
            Cow::Borrowed(_) => None,
            Cow::Owned(plain) => self::group(&plain, last),
        },
    }
}

/// The first group of digits in a text.
enum Group {
    Digits(usize),
    Nothing,
    /// A character that is not ASCII comes before or within it.
    Other,
}

fn group_in<'t>(text: impl Iterator<Item = &'t u8>) -> Group {
    let mut digits = 0;
    for byte in text {
        match byte {
            b'0'..=b'9' => digits += 1,
            0x80.. => return Group::Other,
            _ if digits > 0 => break,
            // `Plain` writes `?` for letters of other scripts.
            b'a'..=b'z' | b'A'..=b'Z' | b'?' => return Group::Digits(0),
            _ => {}
        }
    }
    if digits > 0 { Group::Digits(digits) } else { Group::Nothing }
}

/// Whether a row's columns, joined to one text, contain a card number split as on cards.
pub(super) fn columns_hold_card_number(raw: &[u8]) -> bool {
    if !may_hold_card(raw) {
        return false;
    }
    let plain = Plain::new(raw);
    let text = &plain.bytes;
    let mut from = 0;
    while let Some(run) = next_run(text, from) {
        let parted = |start| {
            matches!(card_from(text, start..run.end, Groups::are_canonical), Match::Card(_))
        };
        if group_starts(text, &run).any(parted) {
            return true;
        }
        from = run.end;
    }
    false
}

/// Whether a field may be a part of a card number that is split over several fields.
pub fn may_be_part(field: &[u8]) -> bool {
    let plain = Plain::new(field);
    let digits = plain.bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    digits >= 3 && !plain.bytes.iter().any(u8::is_ascii_alphabetic)
}
