//! Searches a normalized text for card numbers: first for runs of digits without a letter between
//! them, then within each run for groups of digits at which a card number may begin or end.

use std::ops::Range;

use super::card_network::{EXPIRY_DIGITS, LONGEST, is_card, is_expiry};

/// The first card number at or after `from`.
pub(super) fn next_card(text: &[u8], mut from: usize) -> Option<Range<usize>> {
    while let Some(run) = next_run(text, from) {
        if let Some(card) = card_in(text, &run) {
            return Some(card);
        }
        from = run.end;
    }
    None
}

/// The next run: digits with no letter between them.
pub(super) fn next_run(text: &[u8], from: usize) -> Option<Range<usize>> {
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

/// The card number in a run. A run may contain more than a card number ("4111 1111 1111 1111
/// 12-27"), so each of its groups of digits is tried as the start.
fn card_in(text: &[u8], run: &Range<usize>) -> Option<Range<usize>> {
    let whole = !touches_word(text, run);
    let mut first = true;
    for start in group_starts(text, run) {
        let is_whole = first && whole;
        match card_from(text, start..run.end, |groups, is_last| {
            groups.are_a_card() || is_whole && is_last
        }) {
            Match::Card(end) => return Some(start..end),
            Match::Nothing => first = false,
            Match::Zeros => {}
        }
    }
    None
}

/// The start of each group of digits in a run.
pub(super) fn group_starts<'t>(
    text: &'t [u8],
    run: &Range<usize>,
) -> impl Iterator<Item = usize> + 't {
    let begin = run.start;
    run.clone().filter(move |&at| {
        is_digit(text, at) && (at == begin || !is_digit(text, at.saturating_sub(1)))
    })
}

/// Whether the run is joined to letters, as the groups of a UUID are.
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

/// The result of a search at one position of a run.
pub(super) enum Match {
    /// A card number ends here.
    Card(usize),
    /// The first group consists of zeros: it can only be padding.
    Zeros,
    Nothing,
}

/// Finds the longest card number that begins at the start of the range and ends with one of its
/// groups. `fits` decides whether the groups are acceptable; its second argument is whether the
/// last group of the range is among them.
pub(super) fn card_from(
    text: &[u8],
    range: Range<usize>,
    fits: impl Fn(&Groups, bool) -> bool,
) -> Match {
    let mut digits = Digits::default();
    let mut groups = Groups::default();
    let mut found = Match::Nothing;
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
            return Match::Zeros;
        }
        let dated = EXPIRY_DIGITS.iter().any(|expiry| {
            let (card, date) = digits.split_last(*expiry);
            is_expiry(date)
                && is_card(card)
                && groups.without(*expiry).is_some_and(|g| fits(&g, last))
        });
        groups.end();
        if dated || fits(&groups, last) && is_card(digits.as_slice()) {
            found = Match::Card(at + 1);
        }
    }
    found
}

fn is_digit(text: &[u8], at: usize) -> bool {
    text.get(at).is_some_and(u8::is_ascii_digit)
}

/// At most the digits of a card number and an expiry date, without leading zeros.
#[derive(Default)]
struct Digits {
    values: [u8; LONGEST + 6],
    count: usize,
}

impl Digits {
    /// Adds an ASCII digit; returns false if there is no room.
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

    /// Splits off the last `count` digits.
    fn split_last(&self, count: usize) -> (&[u8], &[u8]) {
        let digits = self.as_slice();
        digits.split_at(digits.len().saturating_sub(count))
    }
}

/// How digits are grouped. Card numbers are written without a break, or as four digits followed
/// by groups of three to six.
#[derive(Debug, Default, Clone)]
pub(super) struct Groups {
    ended: usize,
    digits: usize,
    odd: bool,
    /// The sizes of the first five groups.
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

    /// The groups without the last `digits` digits; `None` if no digit of the last group is left.
    fn without(&self, digits: usize) -> Option<Groups> {
        let digits = self.digits.checked_sub(digits).filter(|digits| *digits > 0)?;
        let mut groups = Groups { digits, ..self.clone() };
        groups.end();
        Some(groups)
    }

    fn are_a_card(&self) -> bool {
        self.ended == 1 || !self.odd
    }

    /// Whether the groups have the sizes printed on cards.
    pub fn are_canonical(&self, _is_last: bool) -> bool {
        let sizes = self.sizes.get(..self.ended).unwrap_or_default();
        matches!(sizes, [4, 4, 4, 4] | [4, 4, 4, 4, 3] | [4, 6, 5] | [4, 6, 4])
    }
}
