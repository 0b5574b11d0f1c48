//! Reads the values of arguments that are no settings: the errors say what to write.

use jiff::civil::Date;

use crate::input::{read_admin_number, read_sequence_number};

/// Reads a day.
pub(super) fn date(text: &str) -> Result<Date, String> {
    text.parse()
        .map_err(|_| format!("\"{text}\" is not a date: write year-month-day, such as 2026-11-01"))
}

/// Reads an admin number.
pub(super) fn admin_number(text: &str) -> Result<i64, String> {
    read_admin_number(text.as_bytes()).map_err(|wrong| wrong.message)
}

/// Reads a card sequence number.
pub(super) fn sequence_number(text: &str) -> Result<i32, String> {
    read_sequence_number(text.as_bytes()).map_err(|wrong| wrong.message)
}
