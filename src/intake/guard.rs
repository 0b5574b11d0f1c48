//! The card-number guard: finds what looks like a card number in any text.

use std::borrow::Cow;
use std::ops::Range;

/// The fewest digits that a card number has.
pub(super) const SHORTEST: usize = 13;
const LONGEST: usize = 19;
const REMOVED: &str = "[card number removed]";

/// Whether the text holds what looks like a card number: 13 to 19 digits, perhaps
/// with spaces, dashes or leading zeros, of a known network, passing the Luhn check.
pub fn looks_like_card_number(text: &[u8]) -> bool {
    enough_digits(text) && next_card(text, 0).is_some()
}

/// The text with each card number replaced by a note that there was one.
pub fn redact(text: &str) -> Cow<'_, str> {
    if !looks_like_card_number(text.as_bytes()) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    let mut copied = 0;
    while let Some(card) = next_card(text.as_bytes(), copied) {
        // Cards begin and end with ASCII digits, so these are character boundaries.
        clean.push_str(text.get(copied..card.start).unwrap_or_default());
        clean.push_str(REMOVED);
        copied = card.end;
    }
    clean.push_str(text.get(copied..).unwrap_or_default());
    // What stood beside a removed number may be one when it stands alone.
    Cow::Owned(redact(&clean).into_owned())
}

fn enough_digits(text: &[u8]) -> bool {
    text.len() >= SHORTEST && text.iter().filter(|byte| byte.is_ascii_digit()).count() >= SHORTEST
}

/// The first card number at or after `from`.
fn next_card(text: &[u8], mut from: usize) -> Option<Range<usize>> {
    while let Some(run) = next_run(text, from) {
        if let Some(card) = card_in(text, &run) {
            return Some(card);
        }
        from = run.end;
    }
    None
}

/// The next stretch of digits with nothing but spaces and dashes between them.
fn next_run(text: &[u8], from: usize) -> Option<Range<usize>> {
    let rest = text.get(from..)?;
    let start = rest.iter().position(u8::is_ascii_digit)?;
    let mut end = start;
    for (at, byte) in rest.iter().enumerate().skip(start) {
        match byte {
            b'0'..=b'9' => end = at + 1,
            b' ' | b'-' => {}
            _ => break,
        }
    }
    Some(from + start..from + end)
}

/// A run may hold more than a card ("4111 1111 1111 1111 12-27"), so each group
/// of digits in it may be where a card begins.
fn card_in(text: &[u8], run: &Range<usize>) -> Option<Range<usize>> {
    let whole = !touches_word(text, run);
    let mut first = true;
    for start in group_starts(text, run) {
        match card_from(text, start..run.end, first && whole) {
            Walk::Card(end) => return Some(start..end),
            Walk::Nothing => first = false,
            Walk::Zeros => {}
        }
    }
    None
}

fn group_starts<'t>(text: &'t [u8], run: &Range<usize>) -> impl Iterator<Item = usize> + 't {
    let begin = run.start;
    run.clone().filter(move |&at| {
        is_digit(text, at) && (at == begin || !is_digit(text, at.saturating_sub(1)))
    })
}

/// Whether letters join the run, as in the groups of a UUID.
fn touches_word(text: &[u8], run: &Range<usize>) -> bool {
    let letter = |at: Option<usize>| {
        at.and_then(|at| text.get(at)).is_some_and(|byte| byte.is_ascii_alphabetic())
    };
    let dash = |at: Option<usize>| at.and_then(|at| text.get(at)) == Some(&b'-');
    let (before, after) = (run.start.checked_sub(1), Some(run.end));
    letter(before)
        || letter(after)
        || dash(before) && letter(run.start.checked_sub(2))
        || dash(after) && letter(Some(run.end + 1))
}

enum Walk {
    /// A card ends here.
    Card(usize),
    /// The first group is all zeros: padding, at most.
    Zeros,
    Nothing,
}

/// Looks for the longest card that begins at the start of the range and ends with
/// one of its groups. Several groups count if they are grouped as cards are, or
/// if they are all there is (`whole`).
fn card_from(text: &[u8], range: Range<usize>, whole: bool) -> Walk {
    let mut digits = Digits::default();
    let mut groups = Groups::default();
    let mut found = Walk::Nothing;
    for at in range.clone() {
        if !is_digit(text, at) {
            continue;
        }
        if !digits.push(text.get(at).copied().unwrap_or(b'0')) {
            break;
        }
        groups.digit();
        let last = at + 1 == range.end;
        if !last && is_digit(text, at + 1) {
            continue;
        }
        if digits.as_slice().is_empty() {
            return Walk::Zeros;
        }
        groups.end();
        if (groups.are_a_card() || whole && last) && is_card(digits.as_slice()) {
            found = Walk::Card(at + 1);
        }
    }
    found
}

fn is_digit(text: &[u8], at: usize) -> bool {
    text.get(at).is_some_and(u8::is_ascii_digit)
}

/// Up to 19 digits, without leading zeros.
#[derive(Default)]
struct Digits {
    values: [u8; LONGEST],
    count: usize,
}

impl Digits {
    /// Takes an ASCII digit; false if there are too many.
    fn push(&mut self, digit: u8) -> bool {
        if self.count == 0 && digit == b'0' {
            return true;
        }
        let Some(place) = self.values.get_mut(self.count) else { return false };
        *place = digit - b'0';
        self.count += 1;
        true
    }

    fn as_slice(&self) -> &[u8] {
        self.values.get(..self.count).unwrap_or_default()
    }
}

/// How digits are grouped: cards are written unbroken, or four digits first and
/// then three to six at a time.
#[derive(Default)]
struct Groups {
    ended: usize,
    digits: usize,
    odd: bool,
}

impl Groups {
    fn digit(&mut self) {
        self.digits += 1;
    }

    fn end(&mut self) {
        self.odd |=
            if self.ended == 0 { self.digits != 4 } else { !(3..=6).contains(&self.digits) };
        self.ended += 1;
        self.digits = 0;
    }

    fn are_a_card(&self) -> bool {
        self.ended == 1 || !self.odd
    }
}

fn is_card(digits: &[u8]) -> bool {
    digits.len() >= SHORTEST && known_network(digits) && passes_luhn(digits)
}

/// Whether a network issues cards that begin so and are as long.
fn known_network(digits: &[u8]) -> bool {
    let prefix = digits.iter().take(4).fold(0, |number, digit| number * 10 + u32::from(*digit));
    match prefix {
        // Visa
        4000..=4999 => matches!(digits.len(), 13 | 16 | 19),
        // Mastercard
        5100..=5599 | 2221..=2720 => digits.len() == 16,
        // American Express
        3400..=3499 | 3700..=3799 => digits.len() == 15,
        // Diners Club
        3000..=3059 | 3600..=3699 | 3800..=3999 => (14..=19).contains(&digits.len()),
        // JCB
        3528..=3589 => (16..=19).contains(&digits.len()),
        // Maestro, and Discover and UnionPay within its range
        5000..=5099 | 5600..=5899 | 6000..=6999 => (13..=19).contains(&digits.len()),
        _ => false,
    }
}

fn passes_luhn(digits: &[u8]) -> bool {
    let doubled = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match place % 2 {
            0 => u32::from(*digit),
            _ => doubled(u32::from(*digit)),
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Numbers that the networks publish for tests.
    const CARDS: [&str; 12] = [
        "4111111111111111",
        "4222222222222",
        "5555555555554444",
        "2223003122003222",
        "378282246310005",
        "30569309025904",
        "36227206271667",
        "6011111111111117",
        "3530111333300000",
        "6200000000000005",
        "6759649826438453",
        "6304000000000000",
    ];

    fn found(text: &str) -> bool {
        looks_like_card_number(text.as_bytes())
    }

    #[test]
    fn every_networks_numbers_are_found() {
        for card in CARDS {
            assert!(found(card), "{card}");
        }
    }

    #[test]
    fn a_number_is_found_however_it_is_written() {
        for text in [
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "41-11 11111  1111111",
            "3782 822463 10005",
            "0004111111111111111",
            "00000000000000004111111111111111",
            "0000 4111 1111 1111 1111",
            "card:4111111111111111.",
            "PAN4111 1111 1111 1111",
            "2024-01-15 4111111111111111",
            "4111 1111 1111 1111 12-27 123",
            "129409 1 4111 1111 1111 1111",
            "straße 4111111111111111 ü",
        ] {
            assert!(found(text), "{text}");
        }
    }

    #[test]
    fn other_numbers_are_left_alone() {
        for text in [
            "4111111111111112",
            "129409",
            "411111111111",
            "41111111111111111111111111111111",
            "9111111111111111",
            "4111 1111,1111 1111",
            "+49 170 1234567",
            "490154203237518",
            "2024-01-15T08:30:00Z",
            "f47ac10b-58cc-4372-a567-0e02b2c3d479",
            "0000000000000000",
        ] {
            assert!(!found(text), "{text}");
        }
    }

    #[test]
    fn each_number_is_removed_and_the_rest_kept() {
        assert_eq!(
            redact("ä 4111 1111 1111 1111, then 378282246310005 (ok)"),
            "ä [card number removed], then [card number removed] (ok)"
        );
        assert_eq!(redact("order 129409/1"), "order 129409/1");
    }

    #[test]
    fn a_long_field_of_nothing_but_zeros_and_spaces_takes_no_time() {
        assert!(!found(&"0 ".repeat(500_000)));
        assert!(!found(&"1 ".repeat(500_000)));
    }

    prop_compose! {
        /// A network's prefix, random digits, and the check digit that makes it a card.
        fn card()(
            (prefix, length) in prop::sample::select(vec![
                ("4", 13), ("4", 16), ("4", 19), ("51", 16), ("55", 16), ("2221", 16), ("2720", 16),
                ("34", 15), ("37", 15), ("300", 14), ("305", 16), ("36", 14), ("38", 19), ("39", 14),
                ("6011", 16), ("644", 16), ("65", 19), ("3528", 16), ("3589", 19), ("62", 17),
                ("50", 13), ("56", 12 + 2), ("58", 18), ("67", 19),
            ]),
            random in "[0-9]{19}",
        ) -> String {
            let body: String = prefix.chars().chain(random.chars()).take(length - 1).collect();
            let passing = (0..10).map(|check| format!("{body}{check}")).find(|card| {
                let digits: Vec<u8> = card.bytes().map(|byte| byte - b'0').collect();
                passes_luhn(&digits)
            });
            passing.unwrap_or_default()
        }
    }

    proptest! {
        #[test]
        fn any_card_is_found_in_any_plain_surroundings(
            card in card(),
            zeros in "0{0,6}",
            separators in prop::collection::vec(prop::sample::select(vec!["", "", "", " ", "-"]), 19),
            before in "[a-zA-Zäß.,:;/ ]{0,8}[.,:;/]?",
            after in "[.,:;/]?[a-zA-Zäß.,:;/ ]{0,8}",
        ) {
            let mut text = format!("{before}{zeros}{card}{after}");
            prop_assert!(looks_like_card_number(text.as_bytes()));
            prop_assert!(!redact(&text).contains(&card));

            text = zeros;
            for (digit, separator) in card.chars().zip(separators) {
                text.push_str(separator);
                text.push(digit);
            }
            prop_assert!(looks_like_card_number(text.as_bytes()), "{}", text);
        }

        #[test]
        fn any_bytes_can_be_asked_about(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            looks_like_card_number(&bytes);
        }

        #[test]
        fn nothing_is_left_to_find_after_redaction(text in "[0-9 \\-aä]{0,120}") {
            prop_assert!(!looks_like_card_number(redact(&text).as_bytes()));
        }
    }
}
