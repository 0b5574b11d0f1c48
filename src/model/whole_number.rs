//! Reads whole numbers with an error that people understand.

/// Reads a number of an unsigned type, such as `u16`; the error is a sentence without a point.
///
/// # Errors
/// If the text is anything but a whole number from 0 to the largest of the type.
pub fn whole_number<T: TryFrom<u64>>(text: &str) -> Result<T, String> {
    // No unsigned type of the standard library but `u128` is wider than 64 bits.
    let unused_bits = 64_u32.saturating_sub(8 * size_of::<T>() as u32);
    let max = u64::MAX.checked_shr(unused_bits).unwrap_or(0);
    let number = text.parse::<u64>().ok().and_then(|number| T::try_from(number).ok());
    number.ok_or_else(|| format!("\"{text}\" is not a whole number from 0 to {max}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_from_zero_to_the_largest_of_its_type() {
        assert_eq!(whole_number("0"), Ok(0_u16));
        assert_eq!(whole_number("65535"), Ok(65_535_u16));
        assert_eq!(whole_number("18446744073709551615"), Ok(u64::MAX));
        let refusal = |text: &str| whole_number::<u16>(text).unwrap_err();
        for text in ["65536", "-1", "1.5", "many", ""] {
            let expected = format!("\"{text}\" is not a whole number from 0 to 65535");
            assert_eq!(refusal(text), expected);
        }
        let refused = whole_number::<u32>("4294967296").unwrap_err();
        assert!(refused.ends_with("from 0 to 4294967295"), "{refused}");
    }
}
