//! What is expected of a file, and what proves that it is whole.

use crate::hash::Digest;

/// What is known of a file from elsewhere.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expected {
    /// How many rows it has.
    pub rows: Option<u32>,
    /// The SHA-256 digest of its bytes.
    pub digest: Option<Digest>,
}

/// What shows that a file is whole, so that its last line needs no line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// It has as many rows as expected. A last line that was cut short is still a line.
    Rows,
    /// Every byte is as expected.
    Digest,
}
