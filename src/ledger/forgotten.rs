//! What stays of a run whose rows are removed from the ledger: which orders it cancelled, and the
//! seal that says so.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::seal_record::SealRecord;
use crate::hash::{Digest, Hasher};
use crate::model::{Order, RowNumber};

/// The orders that a forgotten run is known to have cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptOrders {
    /// How many there are.
    pub orders: u64,
    /// The SHA-256 of a line for each, in the order of the numbers: admin number, sequence number
    /// and row, separated by commas.
    pub digest: Digest,
}

/// Adds up the orders that are kept, which come sorted.
#[derive(Default)]
pub(super) struct KeptOrdersHasher {
    orders: u64,
    hasher: Hasher,
    line: String,
}

impl KeptOrdersHasher {
    pub fn add(&mut self, order: Order, row: RowNumber) {
        self.line.clear();
        let Order { admin_number, sequence_number } = order;
        let _ = writeln!(self.line, "{admin_number},{sequence_number},{}", row.0);
        self.hasher.update(self.line.as_bytes());
        self.orders += 1;
    }

    pub fn finish(self) -> KeptOrders {
        KeptOrders { orders: self.orders, digest: self.hasher.finish() }
    }
}

/// Why a run may be forgotten, and the seal that records it.
pub struct NewForgetting<'s> {
    /// The run's newest seal. If it is not the newest any more, nothing is forgotten.
    pub sealed: &'s SealRecord,
    /// When it is forgotten.
    pub at: Timestamp,
    /// Makes the text of the new seal from its number, the digest of the seal before, and what is
    /// kept.
    pub text: &'s dyn Fn(u64, Digest, KeptOrders) -> String,
}
