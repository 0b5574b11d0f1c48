//! Control totals over all runs of a bag.

use crate::audit::tables::AuditTable;
use crate::hash::Digest;
use crate::model::{Counts, Order, Status};

/// What the lines of a bag add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BagTotals {
    /// The ledger's identifier.
    pub ledger: String,
    /// The number of lines of each table without its header, by [`AuditTable::ALL`].
    pub(in crate::audit) lines: [u64; AuditTable::ALL.len()],
    /// The rows by status.
    pub counts: Counts,
    /// The sum of the admin numbers of all rows.
    pub admin_numbers: u128,
    /// The number and the digest of the ledger's newest seal; `None` if there is no seal.
    pub head: Option<(u64, Digest)>,
}

impl BagTotals {
    /// The number of lines of a table without its header.
    pub fn lines(&self, table: AuditTable) -> u64 {
        self.lines[table as usize]
    }

    /// Adds a line of a table.
    pub(in crate::audit) fn add_line(&mut self, table: AuditTable) {
        self.lines[table as usize] += 1;
    }

    /// Adds the order of a row. Admin numbers are never negative.
    pub(in crate::audit) fn add_order(&mut self, order: Option<Order>) {
        let number = order.and_then(|order| u64::try_from(order.admin_number).ok());
        self.admin_numbers += u128::from(number.unwrap_or_default());
    }
}

/// Whether a person must look at a row: it is a line of `exceptions.csv` too.
pub(crate) fn is_exception(status: Status) -> bool {
    !matches!(status, Status::Cancelled | Status::AlreadyCancelled | Status::Duplicate)
}
