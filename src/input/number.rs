//! A key field's number, read from its bytes.

use crate::model::{ReasonCode, RowError, card_numbers};

use super::excerpt::excerpt;
use crate::model::invisible::trimmed;

/// Which number a field should hold.
#[derive(Debug, Clone, Copy)]
struct NumberField {
    name: &'static str,
    max: u64,
    code: ReasonCode,
}

const ADMIN_NUMBER: NumberField = NumberField {
    name: "admin number",
    max: i64::MAX as u64,
    code: ReasonCode::InvalidAdminNumber,
};

const SEQUENCE_NUMBER: NumberField = NumberField {
    name: "sequence number",
    max: i32::MAX as u64,
    code: ReasonCode::InvalidSequenceNumber,
};

/// Reads the admin number of an order, from a field or from the command line.
///
/// # Errors
/// If it is anything but a whole number from 0 to `i64::MAX`.
#[inline]
pub fn read_admin_number(text: &[u8]) -> Result<i64, RowError> {
    // It was read as no larger than this type holds.
    ADMIN_NUMBER.read(text).map(|number| i64::try_from(number).unwrap_or(i64::MAX))
}

/// Reads the card sequence number of an order, from a field or from the command line.
///
/// # Errors
/// If it is anything but a whole number from 0 to `i32::MAX`.
#[inline]
pub fn read_sequence_number(text: &[u8]) -> Result<i32, RowError> {
    SEQUENCE_NUMBER.read(text).map(|number| i32::try_from(number).unwrap_or(i32::MAX))
}

impl NumberField {
    /// Reads the field, or returns what is wrong with it. Surrounding blanks and
    /// leading zeros are fine: the number is still the only one it can be.
    #[inline]
    fn read(self, field: &[u8]) -> Result<u64, RowError> {
        // Most fields hold nothing but the number.
        match digits(field) {
            Some(number) if number <= self.max => Ok(number),
            _ => self.read_trimmed(field),
        }
    }

    #[cold]
    fn read_trimmed(self, field: &[u8]) -> Result<u64, RowError> {
        let text = trimmed(field);
        match digits(text) {
            Some(number) if number <= self.max => Ok(number),
            _ => Err(self.error(text)),
        }
    }

    #[cold]
    fn error(self, text: &[u8]) -> RowError {
        let NumberField { name, max, code } = self;
        // This many digits may be a mistyped card number.
        let digits = String::from_utf8_lossy(text).chars().filter(|char| char.is_numeric()).count();
        let message = match problem(text) {
            None => format!("the {name} is missing"),
            Some(problem) if digits >= card_numbers::SHORTEST => format!(
                "the {name}, with {digits} digits, {problem}; it must be a whole number from 0 to {max}"
            ),
            Some(problem) => format!(
                "the {name} {} {problem}; it must be a whole number from 0 to {max}",
                excerpt(text)
            ),
        };
        RowError { code, message }
    }
}

/// How many digits fit into 64 bits whatever they are.
const NEVER_TOO_LARGE: usize = 19;

/// The number, if there is nothing but digits and it fits.
#[inline]
fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    if text.len() <= NEVER_TOO_LARGE {
        let value = |number, byte: &u8| match byte {
            b'0'..=b'9' => Some(number * 10 + u64::from(byte - b'0')),
            _ => None,
        };
        return text.iter().try_fold(0, value);
    }
    text.iter().try_fold(0u64, |number, byte| match byte {
        b'0'..=b'9' => number.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    })
}

/// What is wrong with a text that is not the number wanted; nothing if it is empty.
fn problem(text: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(text);
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let unsigned = text.trim_start_matches(['+', '-', '−']);
    if text.is_empty() {
        None
    } else if all_digits(&text) {
        Some("is too large")
    } else if text.starts_with('=') {
        Some("is a formula")
    } else if text.strip_suffix(['-', '−', '+']).is_some_and(all_digits) {
        Some("has a sign after it")
    } else if unsigned.len() < text.len() && unsigned.starts_with(|c: char| c.is_ascii_digit()) {
        Some("has a sign")
    } else if is_scientific(&text) {
        Some("is in scientific notation (a spreadsheet may have changed it)")
    } else if is_decimal(&text) {
        Some("has a decimal point (a spreadsheet may have changed it)")
    } else if text.split(SEPARATORS).all(all_digits) {
        Some("has thousands separators")
    } else if text.strip_prefix(['\'', '`', '’']).is_some_and(all_digits) {
        Some("has an apostrophe in front")
    } else {
        Some("is not a number")
    }
}

const SEPARATORS: [char; 8] = ['.', ',', '\'', '’', '_', ' ', '\u{a0}', '\u{202f}'];

fn is_scientific(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else { return false };
    let exponent = exponent.trim_start_matches(['+', '-']);
    [mantissa, exponent].iter().all(|part| {
        part.starts_with(|c: char| c.is_ascii_digit())
            && part.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ','))
    })
}

/// One point, or one comma that does not set off thousands.
fn is_decimal(text: &str) -> bool {
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    match text.split_once(['.', ',']) {
        Some((whole, part)) => {
            let thousands = text.contains(',') && part.len() == 3;
            all_digits(whole) && all_digits(part) && text.len() > 1 && !thousands
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refusal(field: NumberField, text: &str) -> String {
        let error = field.read(text.as_bytes()).unwrap_err();
        assert_eq!(error.code, field.code);
        error.message
    }

    fn admin(text: &str) -> String {
        refusal(ADMIN_NUMBER, text)
    }

    #[test]
    fn blanks_around_and_zeros_in_front_are_fine() {
        assert_eq!(ADMIN_NUMBER.read(b" \t000000000000000000000000129409 "), Ok(129_409));
        assert_eq!(SEQUENCE_NUMBER.read(b"0"), Ok(0));
    }

    #[test]
    fn the_largest_numbers_are_read_and_the_next_refused() {
        assert_eq!(ADMIN_NUMBER.read(b"9223372036854775807"), Ok(i64::MAX as u64));
        assert_eq!(SEQUENCE_NUMBER.read(b"2147483647"), Ok(2_147_483_647));
        insta::assert_snapshot!(admin("9223372036854775808"), @"the admin number, with 19 digits, is too large; it must be a whole number from 0 to 9223372036854775807");
        insta::assert_snapshot!(refusal(SEQUENCE_NUMBER, "2147483648"), @r#"the sequence number "2147483648" is too large; it must be a whole number from 0 to 2147483647"#);
        assert!(admin(&"9".repeat(100)).contains("is too large"));
    }

    #[test]
    fn a_missing_number_is_called_missing() {
        insta::assert_snapshot!(admin(""), @"the admin number is missing");
        insta::assert_snapshot!(refusal(SEQUENCE_NUMBER, " \t "), @"the sequence number is missing");
    }

    #[test]
    fn what_a_spreadsheet_does_to_numbers_is_recognised() {
        insta::assert_snapshot!(admin("129409.0"), @r#"the admin number "129409.0" has a decimal point (a spreadsheet may have changed it); it must be a whole number from 0 to 9223372036854775807"#);
        assert!(admin("129409,0").contains("decimal point"));
        assert!(admin("129409.").contains("decimal point"));
        insta::assert_snapshot!(admin("1.29E+05"), @r#"the admin number "1.29E+05" is in scientific notation (a spreadsheet may have changed it); it must be a whole number from 0 to 9223372036854775807"#);
        assert!(admin("1,29e5").contains("scientific"));
        for text in ["129,409", "1.129.409", "1 129 409", "1'129'409", "129\u{a0}409"] {
            assert!(admin(text).contains("has thousands separators"), "{text}");
        }
        assert!(admin("'129409").contains("apostrophe"));
    }

    #[test]
    fn a_sign_is_refused_even_if_the_number_would_be_the_same() {
        for text in ["-1", "+129409", "-0"] {
            assert!(admin(text).contains("has a sign"), "{text}");
        }
    }

    #[test]
    fn a_sign_behind_and_a_formula_are_called_so() {
        assert!(admin("129409-").contains("has a sign after it"));
        assert!(admin("=\"129410\"").contains("is a formula"));
    }

    #[test]
    fn what_nobody_sees_around_a_number_does_no_harm() {
        assert_eq!(ADMIN_NUMBER.read("\u{a0}129409\u{200b}".as_bytes()), Ok(129_409));
        assert_eq!(ADMIN_NUMBER.read("\u{feff}129409".as_bytes()), Ok(129_409));
    }

    #[test]
    fn anything_else_is_not_a_number() {
        for text in ["abc", "12a", "0x1F", "-", ".", "#N/A", "١٢٣", "1e", "NaN"] {
            assert!(admin(text).contains("is not a number"), "{text}: {}", admin(text));
        }
    }

    proptest! {
        #[test]
        fn every_number_in_range_is_read(number in 0..=i64::MAX as u64, zeros in "0{0,5}") {
            prop_assert_eq!(ADMIN_NUMBER.read(format!("{zeros}{number}").as_bytes()), Ok(number));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let text = String::from_utf8_lossy(&bytes);
            let plain = text.trim_matches([' ', '\t']);
            let number = plain.parse().ok().filter(|_| plain.bytes().all(|b| b.is_ascii_digit()));
            prop_assert_eq!(SEQUENCE_NUMBER.read(&bytes).ok(), number.filter(|n| *n <= 2_147_483_647));
        }
    }
}
