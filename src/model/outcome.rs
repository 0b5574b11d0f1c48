//! The outcome of a call: what it means for its order, for the run, and for the server's state.

use std::time::Duration;

use super::ReasonCode;

/// The classified result of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What it means for the order.
    pub verdict: Verdict,
    /// Whether the request may have left this machine.
    pub sent: bool,
    /// CoreCARD's `ErrorCode` if it gave one, otherwise one of our [`ReasonCode`]s.
    pub error_code: String,
    /// CoreCARD's message, or a description of what went wrong.
    pub message: String,
    /// The HTTP status, if a response arrived.
    pub http_status: Option<u16>,
    /// The wait that the server requested, if it did.
    pub retry_after: Option<Duration>,
}

impl Outcome {
    /// The error code, followed by the message if there is one.
    pub fn describe(&self) -> String {
        if self.message.is_empty() {
            self.error_code.clone()
        } else {
            format!("{}, {}", self.error_code, self.message)
        }
    }

    /// What it indicates about the server.
    pub fn server_signal(&self) -> ServerSignal {
        match (self.verdict, self.http_status) {
            (Verdict::Cancelled | Verdict::AlreadyCancelled | Verdict::Rejected, _) => {
                ServerSignal::Works
            }
            (Verdict::Refused | Verdict::Stop(_) | Verdict::StopInDoubt(_), _) => {
                ServerSignal::Unclear
            }
            (Verdict::NotDone | Verdict::Doubt, Some(429)) => ServerSignal::Throttled,
            (Verdict::NotDone | Verdict::Doubt, Some(503)) => ServerSignal::Unavailable,
            (Verdict::Doubt, _) => ServerSignal::Broken,
            (Verdict::NotDone, None) => ServerSignal::Unreachable,
            (Verdict::NotDone, Some(200..=299)) => ServerSignal::Works,
            (Verdict::NotDone, Some(500..)) => ServerSignal::Unavailable,
            (Verdict::NotDone, Some(_)) => ServerSignal::Unclear,
        }
    }
}

/// What an attempt indicates about the server, whatever it means for its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerSignal {
    /// CoreCARD itself answered, with success or rejection: the server works.
    Works,
    /// HTTP 429: the server received too many calls.
    Throttled,
    /// No connection: the server is down, whatever the row.
    Unreachable,
    /// HTTP 503: the server is down, or fails for this row.
    Unavailable,
    /// The answer was lost or cannot be trusted: the server is down, or fails for this row.
    Broken,
    /// It indicates nothing.
    Unclear,
}

impl ServerSignal {
    /// Whether a working server would not have produced it.
    pub fn is_failure(self) -> bool {
        !matches!(self, ServerSignal::Works | ServerSignal::Unclear)
    }
}

/// What an attempt means for its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The order is cancelled.
    Cancelled,
    /// The order was cancelled before.
    AlreadyCancelled,
    /// CoreCARD rejected the request: final.
    Rejected,
    /// Surely not cancelled, and a repeat would fail in the same way.
    Refused,
    /// Surely not cancelled; a repeat may succeed.
    NotDone,
    /// The order may or may not be cancelled.
    Doubt,
    /// Surely not cancelled, and nothing else may be sent.
    Stop(FatalCause),
    /// The order may or may not be cancelled, and nothing else may be sent.
    StopInDoubt(FatalCause),
}

impl Verdict {
    /// Whether it leaves the order in doubt.
    pub fn leaves_doubt(self) -> bool {
        matches!(self, Verdict::Doubt | Verdict::StopInDoubt(_))
    }

    /// Why nothing else may be sent; `None` if the run may go on.
    pub fn fatal_cause(self) -> Option<FatalCause> {
        match self {
            Verdict::Stop(cause) | Verdict::StopInDoubt(cause) => Some(cause),
            _ => None,
        }
    }
}

/// Why the whole run must stop after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FatalCause {
    /// The credentials were refused; refreshed ones may be accepted.
    Unauthorized,
    /// The credentials were refused; refreshed ones would be refused too.
    Credentials,
    /// The server answered with a redirect, which is never followed.
    Redirected,
    /// The server's certificate is not valid.
    Certificate,
    /// The configuration says that this error code stops the run.
    Code,
}

impl FatalCause {
    /// The reason code for the results of the rows left unsent.
    pub fn code(self) -> ReasonCode {
        match self {
            FatalCause::Unauthorized | FatalCause::Credentials => ReasonCode::Credentials,
            FatalCause::Redirected => ReasonCode::Redirected,
            FatalCause::Certificate => ReasonCode::Certificate,
            FatalCause::Code => ReasonCode::StopCode,
        }
    }
}
