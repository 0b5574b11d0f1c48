//! Whether a sequence of digits is a card number: a known network's prefix and length, and the
//! Luhn check.

/// The fewest digits of a card number.
pub const SHORTEST: usize = 13;
/// The most digits of a card number.
pub(super) const LONGEST: usize = 19;

/// Whether the text has enough digits for a card number. Digits of other scripts take two bytes
/// or more.
#[inline]
pub fn may_hold_card(text: &[u8]) -> bool {
    text.len() >= SHORTEST && digit_halves(text) >= 2 * SHORTEST
}

/// Counts two for each ASCII digit and one for each byte that may be half of another digit. It
/// runs on every row with more columns than its keys, so it sums in bytes, which the compiler
/// vectorizes.
#[inline]
fn digit_halves(text: &[u8]) -> usize {
    const FITS: usize = (u8::MAX / 2) as usize;
    let halves = |byte: &u8| 2 * u8::from(byte.is_ascii_digit()) + u8::from(!byte.is_ascii());
    text.chunks(FITS).map(|chunk| usize::from(chunk.iter().map(halves).sum::<u8>())).sum()
}

pub(super) fn is_card(digits: &[u8]) -> bool {
    digits.len() >= SHORTEST && known_network(digits) && passes_luhn(digits)
}

/// Whether a network issues card numbers with this prefix and length.
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

pub(super) fn passes_luhn(digits: &[u8]) -> bool {
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

/// How many digits an expiry date has that directly follows a card number.
pub(super) const EXPIRY_DIGITS: [usize; 2] = [4, 6];

/// Whether the digits are a month and a year in which cards expire, in either order.
pub(super) fn is_expiry(digits: &[u8]) -> bool {
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
