//! A recorded attempt, as audits read it.

use jiff::Timestamp;

use crate::model::{Order, RowNumber, Status};

/// One request that was or may have been made for a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRecord {
    /// The row in the input.
    pub row: RowNumber,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The number of the start that made it; `None` if it was recorded by a version that did not
    /// keep it.
    pub start: Option<i64>,
    /// The order.
    pub order: Order,
    /// When it was claimed.
    pub claimed_at: Timestamp,
    /// When its first byte was sent; `None` if surely nothing was, or if it is not known.
    pub sent_at: Option<Timestamp>,
    /// When its answer arrived or was given up; `None` while it is in flight.
    pub ended_at: Option<Timestamp>,
    /// What the answer meant: `cancelled`, `rejected`, `doubt` …; empty while it is in flight.
    pub verdict: &'static str,
    /// The status of the row, if this attempt ended it.
    pub status: Option<Status>,
    /// The HTTP status, if it was answered.
    pub http_status: Option<u16>,
    /// CoreCARD's error code, or one of ours.
    pub error_code: String,
    /// CoreCARD's message, or ours.
    pub message: String,
}

impl AttemptRecord {
    /// An attempt about which nothing else is known.
    pub(crate) fn unsent(row: RowNumber, order: Order) -> AttemptRecord {
        AttemptRecord {
            row,
            attempt: 1,
            start: None,
            order,
            claimed_at: Timestamp::UNIX_EPOCH,
            sent_at: None,
            ended_at: None,
            verdict: "",
            status: None,
            http_status: None,
            error_code: String::new(),
            message: String::new(),
        }
    }
}
