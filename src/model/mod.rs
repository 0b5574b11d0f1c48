//! The types that every other module uses, and the decisions that need nothing else: orders and
//! rows, the result of a call and what it means for its row, the rate budget, and the detection
//! of card numbers. This module imports nothing else of this crate and does no I/O, except that
//! [`Uptime`] reads the machine's clock.
//!
//! ```text
//! CallResult ──classify──▶ Outcome { verdict } ──transition──▶ RowTransition ──▶ Status
//! ```

mod answer_rules;
mod budget;
mod call_result;
pub mod card_numbers;
mod classify;
mod counts;
pub mod invisible;
mod lease;
mod order;
mod outcome;
mod reason_code;
pub mod result_columns;
mod spreadsheet;
mod status;
mod timestamps;
mod transition;
mod uptime;
mod whole_number;

pub use answer_rules::{AnswerRules, CodeMap, CodeMapping, NotProcessed, ParseNotProcessedError};
pub use budget::{AllocateSlots, Budget, ClockReading, RetryAfterHold, SlotGrant, SlotRequest};
pub use call_result::{CallResult, HttpResponse, ResponseBody};
pub use classify::classify;
pub use counts::Counts;
pub use lease::Lease;
pub use order::{Attempt, Order, Row, RowError, RowNumber};
pub use outcome::{FatalCause, Outcome, ServerSignal, Verdict};
pub use reason_code::{ParseReasonCodeError, ReasonCode};
pub use spreadsheet::without_formula;
pub use status::{ParseStatusError, Status};
pub use timestamps::TimestampFormatter;
pub use transition::{OnDoubt, RowTransition, status_when_stopped, transition};
pub use uptime::Uptime;
pub use whole_number::whole_number;
