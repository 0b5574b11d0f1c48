//! The history of one ledger, as an outside observer sees it: the server's record of every call,
//! and what the program reported for every row.

use std::collections::BTreeSet;

use cardcancel::model::Order;

/// Nanoseconds, on one clock for the whole history.
pub type Time = u64;

#[derive(Debug, Default)]
pub struct History {
    pub starts: Vec<ProcessStart>,
    pub calls: Vec<Call>,
    pub reported: Vec<ReportedRow>,
    /// Orders that a process may have claimed and not sent when it died.
    pub claimed: BTreeSet<Order>,
    /// Whether the record of calls and deaths is complete, so that a reported doubt must have a
    /// cause.
    pub is_exact: bool,
}

/// One process, from its start to its end.
#[derive(Debug)]
pub struct ProcessStart {
    /// The command line, for display.
    pub what: String,
    /// The orders that its file gives.
    pub given: BTreeSet<Order>,
    /// Whether the file is intact, so that none of the orders may be missing.
    pub is_whole: bool,
    /// Whether it was asked to send again what is cancelled already.
    pub again: bool,
    pub from: Time,
    pub to: Time,
    pub ended: Ended,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It reported every row of its file, and exited with this code if it was a real process.
    Reported(Option<i32>),
    /// It refused the file or the run: nothing was sent.
    Refused,
    /// It was killed.
    Died,
}

/// One call.
#[derive(Debug)]
pub struct Call {
    pub order: Order,
    /// The starts that may have made it.
    pub by: Vec<usize>,
    /// When it began and ended.
    pub came: Time,
    pub over: Time,
    /// Whether it cancelled the order.
    pub cancelled: bool,
    pub received: Received,
    /// When the ledger surely had its outcome, or that it was lost with its process.
    pub known: Time,
}

/// The answer that the program received for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// `Status` true.
    Yes,
    /// `Status` false, or that it was not processed: surely nothing was done.
    No,
    /// Nothing that can be trusted, or the process died with the call in flight.
    Lost,
    /// The process died soon after the answer, which may or may not have been recorded.
    Perhaps,
}

/// The report of one row, once its run had finished.
#[derive(Debug)]
#[expect(dead_code, reason = "the row's number is there to be shown")]
pub struct ReportedRow {
    pub by: usize,
    pub row: u32,
    /// `None` if the row is invalid.
    pub order: Option<Order>,
    pub status: String,
    pub code: String,
    pub doubt: bool,
    /// When the row ended, if it did.
    pub ended: Option<Time>,
}
