//! The values that every other module speaks of, and the decisions that need nothing but them:
//! orders and rows, what a call came to and what that makes of its row, the rate budget, and
//! what looks like a card number. It imports nothing else of this crate and does no I/O.
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
mod status;
mod transition;
mod uptime;

pub use answer_rules::{AnswerRules, CodeMap, CodeMapping, NotProcessed, ParseNotProcessedError};
pub use budget::{AllocateSlots, Budget, ClockReading, Quiet, SlotGrant, SlotRequest};
pub use call_result::{CallResult, HttpResponse, ResponseBody};
pub use classify::classify;
pub use counts::Counts;
pub use lease::Lease;
pub use order::{Order, Row, RowError, RowNumber};
pub use outcome::{FatalCause, Outcome, ServerSignal, Verdict};
pub use reason_code::{ParseReasonCodeError, ReasonCode};
pub use status::{ParseStatusError, Status};
pub use transition::{OnDoubt, RowTransition, status_when_stopped, transition};
pub use uptime::Uptime;
