//! The values that every other module speaks of, and the decisions that need nothing but them:
//! orders and rows, what a call came to and what that makes of its row, the rate budget, and
//! what looks like a card number. It imports nothing else of this crate and does no I/O.
//!
//! ```text
//! CallResult ──classify──▶ Outcome { verdict } ──transition──▶ RowTransition ──▶ Status
//! ```

mod budget;
pub mod card_numbers;
mod counts;
pub mod invisible;
mod lease;
mod order;
mod outcome;
mod uptime;

pub use budget::{AllocateSlots, Budget, ClockReading, Quiet, SlotGrant, SlotRequest};
pub use counts::Counts;
pub use lease::Lease;
pub use order::{Order, ParseReasonCodeError, ReasonCode, Row, RowError, RowNumber};
pub use outcome::{
    AnswerRules, CallResult, CodeMap, CodeMapping, FatalCause, HttpResponse, NotProcessed, OnDoubt,
    Outcome, ParseNotProcessedError, ParseStatusError, ResponseBody, RowTransition, ServerSignal,
    Status, Verdict, classify, status_when_stopped, transition,
};
pub use uptime::Uptime;
