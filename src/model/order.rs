//! An order, the row that carries it, and why a row cannot be sent.

use std::fmt;

use super::ReasonCode;

/// What CoreCARD cancels: one physical card order.
///
/// The pair names exactly one order, so a repeated call cannot cancel another.
/// Ordered by admin number, then sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Order {
    /// `AdminNumber`, the embossing account: an int64 of digits, never negative.
    pub admin_number: i64,
    /// `CardSequenceNumber`: an integer of digits, never negative.
    pub sequence_number: i32,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.admin_number, self.sequence_number)
    }
}

/// The number of a row in its input: the first row after the header is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowNumber(pub u32);

impl fmt::Display for RowNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What one line of the input carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// An order that can be sent.
    Order(Order),
    /// A line that cannot be sent, and why.
    Invalid(RowError),
}

/// Why a row cannot be sent, fit to be shown: it never holds a card number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowError {
    /// Which rule the row breaks.
    pub code: ReasonCode,
    /// What is wrong, as a sentence.
    pub message: String,
}
