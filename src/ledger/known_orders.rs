//! What the ledger knows of orders, whichever run they belong to.

use crate::input::OrderKey;
use crate::model::{RowNumber, Status};

/// What the ledger knows of a file's orders before they are sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KnownOrders {
    /// CoreCARD answered another run with `Status` true.
    pub cancelled: u64,
    /// Another run that is being worked on has them in flight.
    pub in_flight: u64,
    /// Another run lost an answer for them.
    pub in_doubt: u64,
}

impl KnownOrders {
    /// Counts one more order.
    pub(super) fn add(&mut self, known: Known) {
        match known {
            Known::Cancelled => self.cancelled += 1,
            Known::InFlight => self.in_flight += 1,
            Known::InDoubt => self.in_doubt += 1,
            Known::Nothing => {}
        }
    }

    /// Both together.
    pub(super) fn plus(self, other: KnownOrders) -> KnownOrders {
        KnownOrders {
            cancelled: self.cancelled + other.cancelled,
            in_flight: self.in_flight + other.in_flight,
            in_doubt: self.in_doubt + other.in_doubt,
        }
    }
}

/// What other runs know of one order; of several things the last one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Known {
    Nothing,
    InDoubt,
    InFlight,
    Cancelled,
}

/// What is asked about a file's orders.
pub(super) struct KnownOrdersQuery<'q> {
    /// Where they would be sent.
    pub endpoint: &'q str,
    /// The run that goes on, if one does: only rows of it that have not ended count.
    pub run: Option<i64>,
    /// The file's rows by order.
    pub by_order: &'q [OrderKey],
}

/// A row of a run that carries an order, as the ledger has it on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnRecord {
    /// The row.
    pub row: RowNumber,
    /// How it ended, if it did.
    pub status: Option<Status>,
}
