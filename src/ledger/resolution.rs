//! A run in which evidence ends doubts.

use super::error::LedgerError;
use super::event::NewEvent;
use super::order_standing::OrderStanding;
use super::run::{NewRun, StartOptions};
use crate::input::{InputError, OrderKey, PlannedRow};
use crate::model::Order;

/// A run in which evidence ends doubts. Every row is decided without a call.
pub struct Resolution<'r> {
    /// The properties of the run.
    pub new: NewRun,
    /// All of its rows.
    pub rows: &'r mut dyn Iterator<Item = Result<PlannedRow, InputError>>,
    /// The rows that stand for their orders, sorted by order: those that evidence decided, and those
    /// that stay in doubt.
    pub on_record: &'r [OrderKey],
    /// The orders that evidence decided, sorted.
    pub decided: &'r [Order],
    /// Whether an order that evidence decides still stands so that it can be decided.
    pub can_be_decided: &'r dyn Fn(Order, &OrderStanding) -> bool,
    /// Orders in doubt by the results file alone: no run at the endpoint has them on record.
    pub doubts: &'r [Order],
    /// Who records it, and why. It has finished at once.
    pub start: StartOptions,
    /// What the evidence was.
    pub events: Vec<NewEvent>,
}

/// How many orders are looked up at a time.
pub(super) const ORDERS_AT_ONCE: usize = 1000;

/// A run in which evidence ends doubts could not be created.
#[derive(Debug, thiserror::Error)]
pub enum ResolutionError {
    /// The input could not be read to its end.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The ledger could not record it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A run has sent an order meanwhile, or is about to.
    #[error(
        "a run has sent order {0} since it was looked up: nothing was recorded; start the same command again"
    )]
    Changed(Order),
}
