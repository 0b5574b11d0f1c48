//! Records for the tests of this room.

use jiff::Timestamp;

use crate::ledger::AttemptRecord;
use crate::model::{Order, RowNumber, Status};

/// A call that was sent at this second and took so many milliseconds.
pub(super) fn attempt_at(second: i64, milliseconds: i64) -> AttemptRecord {
    let sent_at = Timestamp::from_second(second).unwrap();
    AttemptRecord {
        row: RowNumber(1),
        attempt: 1,
        start: Some(1),
        order: Order { admin_number: 1, sequence_number: 1 },
        claimed_at: sent_at,
        sent_at: Some(sent_at),
        ended_at: Timestamp::from_millisecond(second * 1_000 + milliseconds).ok(),
        verdict: "cancelled",
        status: Some(Status::Cancelled),
        http_status: Some(200),
        error_code: "ERR01160".to_owned(),
        message: "Cancelled".to_owned(),
    }
}
