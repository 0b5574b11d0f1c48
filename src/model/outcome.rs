//! What a call means: for its order, for the run, and as a signal of the server's state.

use std::time::Duration;

use super::ReasonCode;

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What it means.
    pub verdict: Verdict,
    /// Whether the request may have left this machine.
    pub sent: bool,
    /// CoreCARD's own code whenever it gave one, else one of ours.
    pub error_code: String,
    /// CoreCARD's message, or what went wrong in words.
    pub message: String,
    /// The HTTP status, if an answer came.
    pub http_status: Option<u16>,
    /// How long nobody may send, if the server said so.
    pub retry_after: Option<Duration>,
}

impl Outcome {
    /// Its code, and its message if there is one.
    pub fn describe(&self) -> String {
        match self.message.is_empty() {
            true => self.error_code.clone(),
            false => format!("{}, {}", self.error_code, self.message),
        }
    }

    /// What it tells of the server.
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

/// What an attempt tells of the server, whatever it means for its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerSignal {
    /// CoreCARD itself answered, yes or no: it works.
    Works,
    /// HTTP 429: it was sent too many calls.
    Throttled,
    /// No connection: it does not work, whatever the row.
    Unreachable,
    /// HTTP 503: it does not work, or not for this row.
    Unavailable,
    /// The answer was lost or cannot be trusted: it does not work, or not for this row.
    Broken,
    /// Nothing can be told from it.
    Unclear,
}

impl ServerSignal {
    /// Whether a server that works would not have given it.
    pub fn is_failure(self) -> bool {
        !matches!(self, ServerSignal::Works | ServerSignal::Unclear)
    }
}

/// What an attempt means for its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Done.
    Cancelled,
    /// It was done before.
    AlreadyCancelled,
    /// CoreCARD said no: final.
    Rejected,
    /// Surely not done, and a repeat would go the same way.
    Refused,
    /// Surely not done; a repeat may succeed.
    NotDone,
    /// It may or may not be done.
    Doubt,
    /// Surely not done, and nothing else may be sent either.
    Stop(FatalCause),
    /// It may or may not be done, and nothing else may be sent.
    StopInDoubt(FatalCause),
}

impl Verdict {
    /// Whether it leaves the order in doubt.
    pub fn leaves_doubt(self) -> bool {
        matches!(self, Verdict::Doubt | Verdict::StopInDoubt(_))
    }

    /// Why nothing else may be sent, if that is so.
    pub fn fatal_cause(self) -> Option<FatalCause> {
        match self {
            Verdict::Stop(cause) | Verdict::StopInDoubt(cause) => Some(cause),
            _ => None,
        }
    }
}

/// An answer after which the whole run must stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FatalCause {
    /// The credentials were refused, and new ones may not be.
    Unauthorized,
    /// The credentials were refused, and new ones would be too.
    Credentials,
    /// A redirect, which is never followed.
    Redirected,
    /// The server's certificate is not valid.
    Certificate,
    /// A code that the configuration says must stop the run.
    Code,
}

impl FatalCause {
    /// The code that stands in the results of the rows left unsent.
    pub fn code(self) -> ReasonCode {
        match self {
            FatalCause::Unauthorized | FatalCause::Credentials => ReasonCode::Credentials,
            FatalCause::Redirected => ReasonCode::Redirected,
            FatalCause::Certificate => ReasonCode::Certificate,
            FatalCause::Code => ReasonCode::StopCode,
        }
    }
}
