//! What the ledger has recorded for orders in any run.

use super::run::Run;
use crate::input::OrderKey;
use crate::model::{RowNumber, Status};

/// How many of a file's orders other runs know, before any is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KnownOrders {
    /// CoreCARD answered another run with `Status` true.
    pub cancelled: u64,
    /// Another run in progress has them in flight.
    pub in_flight: u64,
    /// An answer for them was lost in another run.
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

    /// The sum of both.
    pub(super) fn plus(self, other: KnownOrders) -> KnownOrders {
        KnownOrders {
            cancelled: self.cancelled + other.cancelled,
            in_flight: self.in_flight + other.in_flight,
            in_doubt: self.in_doubt + other.in_doubt,
        }
    }
}

/// What other runs know of one order. If several apply, the greatest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Known {
    Nothing,
    InDoubt,
    InFlight,
    Cancelled,
}

/// A query for what other runs know of a file's orders.
pub(super) struct KnownOrdersQuery<'q> {
    /// The endpoint to which they would be sent.
    pub endpoint: &'q str,
    /// The run of the file if there is one: of its rows, only those that have not ended count.
    pub run: Option<i64>,
    /// The file's rows, sorted by order.
    pub by_order: &'q [OrderKey],
}

/// A recorded row of a run that carries an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnRecord {
    /// The number of the run: later runs have greater ones.
    pub run: i64,
    /// The row.
    pub row: RowNumber,
    /// Whether a rerun carried the row over from its results file.
    pub carried_over: bool,
    /// Its status if it has ended.
    pub status: Option<Status>,
    /// Whether its answer, or one that it took over from another run, was lost, and nothing has ended
    /// that doubt since; or a call for it has not been completed.
    pub leaves_doubt: bool,
    /// The number of the start that made its last attempt; of the first start of its run if it has
    /// none.
    pub start: i64,
}

impl OnRecord {
    /// Whether it is a row of an earlier run.
    pub fn is_before(&self, run: &Run) -> bool {
        self.run < run.number
    }

    /// Whether it is a row of this run.
    pub fn is_of(&self, run: &Run) -> bool {
        self.run == run.number
    }

    /// Whether it shows that the order is cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.status.is_some_and(Status::is_cancelled)
    }

    /// Its rank among the rows of its order that are no copies: the greatest tells how the order
    /// stands. An older run may have been started again, so the start that sent it counts, and no
    /// clock, which may have been set. A doubt that nothing has ended counts more: runs may have sent
    /// the order by turns. An order that is cancelled stays so, whatever came after.
    pub fn rank(&self) -> (bool, bool, i64) {
        (self.is_cancelled(), self.leaves_doubt, self.start)
    }
}
