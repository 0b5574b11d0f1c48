//! What other runs at the same endpoint have recorded for an order. Whether a row may be sent
//! depends on its order, whichever file, run or process it belongs to.

/// What other runs have recorded for an order. If several apply, the first one counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Elsewhere {
    /// CoreCARD answered one of them with `Status` true.
    Cancelled {
        /// The identifier of that run.
        run: String,
        /// The number of the row in it.
        row: u32,
    },
    /// A run in progress has sent it or is about to.
    InFlight,
    /// An answer for it was lost in one of them, and the order has not been found cancelled since.
    InDoubt,
    /// Nothing that matters.
    Nothing,
}

/// The message of a row that is not sent because another run cancelled its order.
pub fn cancelled_by(run: &str, row: impl std::fmt::Display) -> String {
    format!("cancelled by run {run}, row {row}")
}
