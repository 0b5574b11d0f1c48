//! What one call showed, before anything is concluded from it.

use std::time::Duration;

use super::ReasonCode;

/// What one call showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallResult {
    /// A complete HTTP answer.
    Response(HttpResponse),
    /// The request surely never left this machine.
    NotSent {
        /// Which of our own codes names the cause.
        code: ReasonCode,
        /// The cause in words.
        detail: String,
    },
    /// The request may have left, and no complete answer came.
    Lost {
        /// Which of our own codes names the cause.
        code: ReasonCode,
        /// The cause in words.
        detail: String,
    },
    /// The server's certificate is not to be trusted, or the server did not
    /// accept ours: no request was taken.
    Untrusted {
        /// What is wrong with the certificate.
        detail: String,
    },
    /// The proxy did not accept our credentials: nothing was sent.
    ProxyRefused {
        /// The cause in words.
        detail: String,
    },
}

/// A complete HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// The HTTP status, 100 to 999.
    pub http_status: u16,
    /// How long the server asked everyone to wait, from now.
    pub retry_after: Option<Duration>,
    /// What the body said.
    pub body: ResponseBody,
}

/// What an answer's body said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponseBody {
    /// A JSON object; any of its fields may be missing.
    Api {
        /// `Status`, if it was present and plainly a boolean.
        status: Option<bool>,
        /// `ErrorCode`, letter for letter.
        error_code: Option<String>,
        /// `Message`.
        message: Option<String>,
    },
    /// Anything else, and what is wrong with it.
    Unreadable(String),
}
