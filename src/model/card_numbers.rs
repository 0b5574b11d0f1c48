//! The card-number guard: finds what looks like a card number in any text.

use std::borrow::Cow;
use std::ops::Range;

use super::invisible::is_invisible;

/// The fewest digits that a card number has.
pub const SHORTEST: usize = 13;
const LONGEST: usize = 19;
/// What stands for a card number.
pub const REMOVED: &str = "[card number removed]";

/// Whether the text holds what looks like a card number: 13 to 19 digits, whatever stands
/// between them but letters, perhaps with leading zeros or an expiry date behind, of a known
/// network, passing the Luhn check.
#[inline]
pub fn looks_like_card_number(text: &[u8]) -> bool {
    may_hold_card(text) && next_card(&Plain::of(text).bytes, 0).is_some()
}

/// Whether neighbouring columns of a row hold a card number that is parted as cards are.
pub fn fields_hold_card_number<'f>(fields: impl Iterator<Item = &'f [u8]> + Clone) -> bool {
    may_be_parted(fields.clone())
        && may_be_grouped(fields.clone())
        && columns_hold_card_number(&fields.collect::<Vec<_>>().join(&b','))
}

/// Whether digits at the end of a field and those at the start of the next one that holds
/// anything may be groups of one card: looks at little of most rows.
fn may_be_parted<'f>(fields: impl Iterator<Item = &'f [u8]>) -> bool {
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

/// Whether groups of digits follow each other without a letter that have the sizes of those
/// of a card: of the last one, at least.
fn may_be_grouped<'f>(fields: impl Iterator<Item = &'f [u8]>) -> bool {
    let mut sizes = Sizes::default();
    for field in fields {
        for byte in field {
            match byte {
                b'0'..=b'9' => sizes.digits += 1,
                // What stands for digits in other scripts, or nobody sees.
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

/// How many digits are in a group, and in the three before it.
#[derive(Default)]
struct Sizes {
    before: [u32; 3],
    digits: u32,
}

impl Sizes {
    /// Ends the group, if there is one; says whether it may be the last one of a card.
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

/// How many digits stand in the first or last group of a field, 0 where a letter comes
/// first; nothing where there is neither a digit nor a letter.
#[inline]
fn group(field: &[u8], last: bool) -> Option<usize> {
    let group = if last { group_in(field.iter().rev()) } else { group_in(field.iter()) };
    match group {
        Group::Digits(digits) => Some(digits),
        Group::Nothing => None,
        // What stands for digits in other scripts, or nobody sees.
        Group::Other => match Plain::of(field).bytes {
            Cow::Borrowed(_) => None,
            Cow::Owned(plain) => self::group(&plain, last),
        },
    }
}

/// The group of digits that a text begins with.
enum Group {
    Digits(usize),
    Nothing,
    /// A character that is not ASCII comes before it, or in it.
    Other,
}

fn group_in<'t>(text: impl Iterator<Item = &'t u8>) -> Group {
    let mut digits = 0;
    for byte in text {
        match byte {
            b'0'..=b'9' => digits += 1,
            0x80.. => return Group::Other,
            _ if digits > 0 => break,
            // A letter stands for those that are in `Plain`, too.
            b'a'..=b'z' | b'A'..=b'Z' | b'?' => return Group::Digits(0),
            _ => {}
        }
    }
    if digits > 0 { Group::Digits(digits) } else { Group::Nothing }
}

/// The same of a row's columns as one text, with anything but letters between them.
fn columns_hold_card_number(raw: &[u8]) -> bool {
    if !may_hold_card(raw) {
        return false;
    }
    let plain = Plain::of(raw);
    let text = &plain.bytes;
    let mut from = 0;
    while let Some(run) = next_run(text, from) {
        let parted =
            |start| matches!(card_from(text, start..run.end, Groups::are_canonical), Walk::Card(_));
        if group_starts(text, &run).any(parted) {
            return true;
        }
        from = run.end;
    }
    false
}

/// Whether a field may be a part of a card number that stands in several.
pub fn may_be_part(field: &[u8]) -> bool {
    let plain = Plain::of(field);
    let digits = plain.bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    digits >= 3 && !plain.bytes.iter().any(u8::is_ascii_alphabetic)
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

/// Whether there is room for the digits of a card. Those of other scripts take two bytes or more.
#[inline]
pub fn may_hold_card(text: &[u8]) -> bool {
    let count = |is: fn(&u8) -> bool| text.iter().filter(|byte| is(byte)).count();
    text.len() >= SHORTEST
        && count(u8::is_ascii_digit) + count(|byte| !byte.is_ascii()) / 2 >= SHORTEST
}

/// A text in which digits of every script, and what parts them, are ASCII, and in which what
/// nobody sees is left out.
struct Plain<'t> {
    bytes: Cow<'t, [u8]>,
    /// Where each byte comes from, unless the text is plain itself.
    places: Vec<Range<usize>>,
}

impl Plain<'_> {
    fn of(text: &[u8]) -> Plain<'_> {
        if text.is_ascii() {
            return Plain { bytes: Cow::Borrowed(text), places: Vec::new() };
        }
        let mut bytes = Vec::with_capacity(text.len());
        let mut places = Vec::with_capacity(text.len());
        let mut at = 0;
        let mut add = |byte: Option<u8>, length: usize| {
            if let Some(byte) = byte {
                bytes.push(byte);
                places.push(at..at + length);
            }
            at += length;
        };
        for chunk in text.utf8_chunks() {
            chunk.valid().chars().for_each(|char| add(plain(char), char.len_utf8()));
            // As Windows writes a blank that does not break, and dashes.
            let byte =
                |byte: u8| if matches!(byte, 0xa0 | 0xad | 0x96 | 0x97) { b'-' } else { b'?' };
            chunk.invalid().iter().for_each(|invalid| add(Some(byte(*invalid)), 1));
        }
        Plain { bytes: Cow::Owned(bytes), places }
    }

    /// Where a range of the plain text stands in the one it comes from.
    fn place(&self, range: &Range<usize>) -> Range<usize> {
        let first = self.places.get(range.start);
        let last = range.end.checked_sub(1).and_then(|last| self.places.get(last));
        match (first, last) {
            (Some(first), Some(last)) => first.start..last.end,
            _ => range.clone(),
        }
    }
}

/// What stands for a character; nothing for one that nobody sees.
fn plain(char: char) -> Option<u8> {
    match char {
        '\0'..='\x7f' => Some(char as u8),
        _ if char.is_whitespace() => Some(b' '),
        _ if is_invisible(char) => None,
        _ if char.is_alphabetic() => Some(b'?'),
        _ => Some(digit(char).unwrap_or(b'-')),
    }
}

/// The zeros of the scripts that have digits; their other digits follow.
const ZEROS: [u32; 42] = [
    0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6,
    0xe50, 0xed0, 0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50,
    0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10,
    0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1fbf0,
];

fn digit(char: char) -> Option<u8> {
    let code = u32::from(char);
    let value =
        ZEROS.iter().find_map(|zero| code.checked_sub(*zero).filter(|value| *value < 10))?;
    u8::try_from(value).ok().map(|value| b'0' + value)
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

/// The next stretch of digits with nothing between them that is a letter.
fn next_run(text: &[u8], from: usize) -> Option<Range<usize>> {
    let rest = text.get(from..)?;
    let start = rest.iter().position(u8::is_ascii_digit)?;
    let mut end = start;
    for (at, byte) in rest.iter().enumerate().skip(start) {
        match byte {
            b'0'..=b'9' => end = at + 1,
            b'a'..=b'z' | b'A'..=b'Z' | b'?' => break,
            _ => {}
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
        let is_whole = first && whole;
        match card_from(text, start..run.end, |groups, is_last| {
            groups.are_a_card() || is_whole && is_last
        }) {
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

/// Looks for the longest card that begins at the start of the range and ends with one of its
/// groups, if they are grouped as `fits` says, which is told whether it is the last group.
fn card_from(text: &[u8], range: Range<usize>, fits: impl Fn(&Groups, bool) -> bool) -> Walk {
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
        let dated = EXPIRY_DIGITS.iter().any(|expiry| {
            let (card, date) = digits.split_last(*expiry);
            is_expiry(date)
                && is_card(card)
                && groups.without(*expiry).is_some_and(|g| fits(&g, last))
        });
        groups.end();
        if dated || fits(&groups, last) && is_card(digits.as_slice()) {
            found = Walk::Card(at + 1);
        }
    }
    found
}

/// How many digits an expiry date has that is written right behind a card number.
const EXPIRY_DIGITS: [usize; 2] = [4, 6];

/// Whether digits are a month and a year in which cards expire, in either order.
fn is_expiry(digits: &[u8]) -> bool {
    let number =
        |digits: &[u8]| digits.iter().fold(0, |number, digit| number * 10 + u32::from(*digit));
    let fits = |month: &[u8], year: &[u8]| {
        let year = number(year);
        (1..=12).contains(&number(month))
            && (20..=49).contains(&if year >= 2000 { year - 2000 } else { year })
    };
    let years = digits.len().saturating_sub(2);
    let (month, year) = digits.split_at(digits.len().min(2));
    let (first_year, last_month) = digits.split_at(years);
    fits(month, year) || fits(last_month, first_year)
}

fn is_digit(text: &[u8], at: usize) -> bool {
    text.get(at).is_some_and(u8::is_ascii_digit)
}

/// Up to as many digits as a card and an expiry date have, without leading zeros.
#[derive(Default)]
struct Digits {
    values: [u8; LONGEST + 6],
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

    /// All but the last ones, and those.
    fn split_last(&self, count: usize) -> (&[u8], &[u8]) {
        let digits = self.as_slice();
        digits.split_at(digits.len().saturating_sub(count))
    }
}

/// How digits are grouped: cards are written unbroken, or four digits first and
/// then three to six at a time.
#[derive(Debug, Default, Clone)]
struct Groups {
    ended: usize,
    digits: usize,
    odd: bool,
    /// The sizes of the first groups.
    sizes: [usize; 5],
}

impl Groups {
    fn digit(&mut self) {
        self.digits += 1;
    }

    fn end(&mut self) {
        self.odd |=
            if self.ended == 0 { self.digits != 4 } else { !(3..=6).contains(&self.digits) };
        if let Some(size) = self.sizes.get_mut(self.ended) {
            *size = self.digits;
        }
        self.ended += 1;
        self.digits = 0;
    }

    /// The groups if the last one ended so many digits earlier.
    fn without(&self, digits: usize) -> Option<Groups> {
        let digits = self.digits.checked_sub(digits).filter(|digits| *digits > 0)?;
        let mut groups = Groups { digits, ..self.clone() };
        groups.end();
        Some(groups)
    }

    fn are_a_card(&self) -> bool {
        self.ended == 1 || !self.odd
    }

    /// Whether they are as on cards themselves.
    fn are_canonical(&self, _is_last: bool) -> bool {
        let sizes = self.sizes.get(..self.ended).unwrap_or_default();
        matches!(sizes, [4, 4, 4, 4] | [4, 4, 4, 4, 3] | [4, 6, 5] | [4, 6, 4])
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
        // Mir, and UnionPay and RuPay outside of the ranges below
        2200..=2204 | 8100..=8171 => (16..=19).contains(&digits.len()),
        8172..=8299 => digits.len() == 16,
        // UATP
        1000..=1999 => digits.len() == 15,
        // American Express
        3400..=3499 | 3700..=3799 => digits.len() == 15,
        // Diners Club
        3000..=3059 | 3600..=3699 | 3800..=3999 => (14..=19).contains(&digits.len()),
        // JCB, and RuPay within its range
        3528..=3589 => (16..=19).contains(&digits.len()),
        // Maestro, and Discover, UnionPay and RuPay within its range
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
    const CARDS: [&str; 17] = [
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
        "2200000000000053",
        "8171999900000000021",
        "8200000000000001",
        "6521111111111110",
        "135410014004955",
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
            "4111\u{a0}1111\u{202f}1111\u{2009}1111",
            "4111.1111.1111.1111",
            "4111/1111/1111/1111",
            "4111_1111_1111_1111",
            "4111–1111—1111−1111",
            "4111\t1111\t1111\t1111",
            "4111\r\n1111\r\n1111\r\n1111",
            "4111,1111,1111,1111",
            "4111 1111,1111 1111",
            "4111\u{200b}1111\u{feff}1111\u{2060}1111",
            "41·11·11·11·11·11·11·11",
            "4111 : 1111 : 1111 : 1111",
            "４１１１１１１１１１１１１１１１",
            "٤١١١ ١١١١ ١١١١ ١١١١",
            "४१११११११११११११११",
            "41111111111111111227",
            "4111111111111111122027",
            "41111111111111112712",
            "3782822463100051227",
            "4111 1111 1111 11111227",
            "4111111111111111=27121010000",
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
            "+49 170 1234567",
            "490154203237518",
            "2024-01-15T08:30:00Z",
            "f47ac10b-58cc-4372-a567-0e02b2c3d479",
            "0000000000000000",
            "41111111111111111327",
            "41111111111111111250",
            "2026-11-22 09:09:28.973609",
            "192.168.100.200, 192.168.100.201",
            "Order 129409/1, 129410/2",
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
        assert_eq!(
            redact("ä\u{200b}４１１１\u{a0}1111\u{200b}–1111 ١١١١\u{200b} ö"),
            "ä\u{200b}[card number removed]\u{200b} ö"
        );
        assert_eq!(redact("41111111111111111227 x"), "[card number removed] x");
    }

    #[test]
    fn a_number_over_neighbouring_columns_is_found_where_it_is_parted_as_on_cards() {
        let found =
            |raw: &str| fields_hold_card_number(raw.split([',', ';', '\t']).map(str::as_bytes));
        for raw in [
            "1,1,4111,1111,1111,1111",
            "1;1;\"4111\";\"1111\";\"1111\";\"1111\";x",
            "1\t1\t3782\t822463\t10005",
            "1,1,4111 1111,1111 1111",
            "1,1,4111,,- ,1111,1111,11111227",
            "1,1,41\u{200b}11,１１１１,1111,1111\u{a0}",
            "4111,1111,1111,1111,1,x",
        ] {
            assert!(found(raw), "{raw}");
        }
        for raw in ["41111111,11111111", "4111111111111111,1", "4111,111,11111,1111", "129409,1,x"]
        {
            assert!(!found(raw), "{raw}");
        }
    }

    #[test]
    fn rows_with_numbers_beside_a_date_are_not_looked_at_whole() {
        let row = ["129409", "1", "Smith 12", "1831", "2026-11-01", "0049 1234 567"];
        let fields = || row.iter().map(|field| field.as_bytes());
        assert!(may_be_parted(fields()));
        assert!(!may_be_grouped(fields()));
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
            separators in prop::collection::vec(prop::sample::select(vec!["", "", "", "", " ", "-", ".", "/", "_", "\t", "\n", ",", "\u{a0}", "–", "\u{200b}"]), 19),
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
        fn a_quick_look_misses_no_number_over_columns(
            card in card(),
            sizes in prop::sample::select(vec![&[4, 4, 4, 4][..], &[4, 4, 4, 4, 3], &[4, 6, 5], &[4, 6, 4]]),
            parts in prop::collection::vec(prop::sample::select(vec![",", ",", " ", "-", ",,", ", \u{a0},", "\u{200b},", ",\"x\",", "\",\""]), 5),
            expiry in prop::sample::select(vec!["", "1227", "122027"]),
            around in "[a-z0-9, ü\u{200b}]{0,6}",
        ) {
            let mut text = format!("{around},");
            let mut digits = card.chars();
            for (at, (size, part)) in sizes.iter().zip(parts).enumerate() {
                text.extend(digits.by_ref().take(*size));
                text.push_str(if at + 1 == sizes.len() { expiry } else { "" });
                text.push_str(part);
            }
            text.extend(digits.chain(around.chars()));
            let fields = text.split(',').map(str::as_bytes);
            let is_in_one = text.split(',').any(|field| columns_hold_card_number(field.as_bytes()));
            let expected = columns_hold_card_number(text.as_bytes());
            prop_assert!(is_in_one || fields_hold_card_number(fields) == expected, "{text}");
        }

        #[test]
        fn any_bytes_can_be_asked_about(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            looks_like_card_number(&bytes);
        }

        #[test]
        fn nothing_is_left_to_find_after_redaction(text in "[0-9 \\-aä.,٤\u{a0}\u{200b}]{0,120}") {
            prop_assert!(!looks_like_card_number(redact(&text).as_bytes()));
        }
    }
}
