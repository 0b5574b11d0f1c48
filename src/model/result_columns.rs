//! The names of the columns that a run adds to its input.

/// The row's number in the input.
pub const ROW: &str = "row";
/// How the row stands: a [`Status`](crate::model::Status).
pub const STATUS: &str = "status";
/// CoreCARD's code, else one of ours.
pub const ERROR_CODE: &str = "error_code";
/// CoreCARD's message, or what went wrong in words.
pub const MESSAGE: &str = "message";
/// The HTTP status of the last answer.
pub const HTTP_STATUS: &str = "http_status";
/// How many requests were sent for the row.
pub const ATTEMPTS: &str = "attempts";
/// Whether any attempt's answer was lost.
pub const DOUBT: &str = "doubt";
/// When the first request left.
pub const FIRST_SENT_AT: &str = "first_sent_at";
/// When the row ended.
pub const ENDED_AT: &str = "ended_at";

/// Every result column, in the order in which results are written.
pub const RESULTS: [&str; 9] =
    [ROW, STATUS, ERROR_CODE, MESSAGE, HTTP_STATUS, ATTEMPTS, DOUBT, FIRST_SENT_AT, ENDED_AT];
