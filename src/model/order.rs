//! An order, the row that carries it, and the reason why a row cannot be sent.

use std::fmt;

use super::ReasonCode;

/// One physical card order, which CoreCARD can cancel.
///
/// The pair of numbers identifies exactly one order, so a repeated call cannot cancel another.
/// Orders sort by admin number, then by sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Order {
    /// `AdminNumber`, the embossing account: an int64, never negative.
    pub admin_number: i64,
    /// `CardSequenceNumber`: an int32, never negative.
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

/// The content of one line of the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// An order that can be sent.
    Order(Order),
    /// A line that cannot be sent, with the reason.
    Invalid(RowError),
}

/// Why a row cannot be sent. It is safe to display: it never contains a card number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowError {
    /// The rule that the row breaks.
    pub code: ReasonCode,
    /// What is wrong, as a sentence.
    pub message: String,
}

/// One attempt to cancel the order of a row: one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// The order to cancel.
    pub order: Order,
    /// The row that carries it.
    pub row: RowNumber,
    /// Which attempt of the row this is, from 1.
    pub number: u32,
}
