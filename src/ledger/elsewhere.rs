//! What other runs at the same endpoint have on record for an order. The order decides
//! whether a row may be sent, whichever file, run or process it comes from.

/// What other runs know of an order, the strongest fact first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Elsewhere {
    /// CoreCARD answered one of them with `Status` true.
    Cancelled {
        /// That run's identifier.
        run: String,
        /// Its row.
        row: u32,
    },
    /// One of them that is being worked on has sent it, or is about to.
    InFlight,
    /// One of them lost an answer for it, and nothing has shown since that it is cancelled.
    InDoubt,
    /// Nothing that matters.
    Nothing,
}

impl Elsewhere {
    /// What is told of a row that is not sent because another run cancelled its order.
    pub fn cancelled_by(run: &str, row: impl std::fmt::Display) -> String {
        format!("cancelled by run {run}, row {row}")
    }
}
