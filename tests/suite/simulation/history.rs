//! What happened in the nights of one ledger, as whoever stands beside it sees it: the server's
//! account of every call, and what the program told of every row.

use std::collections::BTreeSet;

use cardcancel::model::Order;

/// Nanoseconds, on one clock for the whole history.
pub type Time = u64;

#[derive(Debug, Default)]
pub struct History {
    pub starts: Vec<ProcessStart>,
    pub calls: Vec<Call>,
    pub told: Vec<ReportedRow>,
    /// Orders that a process may have claimed and not sent when it died.
    pub claimed: BTreeSet<Order>,
    /// Whether no call and no death can be missing: then no doubt may be told without a cause.
    pub is_exact: bool,
}

/// One process, from its start to its end.
#[derive(Debug)]
pub struct ProcessStart {
    /// What it was started with, to be shown.
    pub what: String,
    /// The orders that its file gives.
    pub given: BTreeSet<Order>,
    /// Whether nothing is wrong with the file, so that none of them may be missing.
    pub is_whole: bool,
    /// Whether it was asked to send again what is cancelled already.
    pub again: bool,
    pub from: Time,
    pub to: Time,
    pub ended: Ended,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It reported every row of its file, and exited so, if it was a real process.
    Reported(Option<i32>),
    /// It would not have the file, or the run: nothing is sent.
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
    pub heard: Heard,
    /// When the ledger surely knew what it came to, or that it was lost with its process.
    pub known: Time,
}

/// What the program heard of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// `Status` true.
    Yes,
    /// `Status` false, or that it was not processed: surely nothing was done.
    No,
    /// Nothing that can be trusted, or the process died with it.
    Lost,
    /// It died so soon after the answer that it may or may not have been recorded.
    Perhaps,
}

/// What was told of one row, once its run had come to rest.
#[derive(Debug)]
#[expect(dead_code, reason = "the row's number is there to be shown")]
pub struct ReportedRow {
    pub by: usize,
    pub row: u32,
    /// None if the row is invalid.
    pub order: Option<Order>,
    pub status: String,
    pub code: String,
    pub doubt: bool,
    /// When the row ended, if it did.
    pub ended: Option<Time>,
}
