//! The raw result of one call, before it is classified.

use std::time::Duration;

use super::ReasonCode;

/// The raw result of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallResult {
    /// A complete HTTP response.
    Response(HttpResponse),
    /// The request surely did not leave this machine.
    NotSent {
        /// The reason code of the cause.
        code: ReasonCode,
        /// The cause in words.
        detail: String,
    },
    /// The request may have left this machine, and no complete response arrived.
    Lost {
        /// The reason code of the cause.
        code: ReasonCode,
        /// The cause in words.
        detail: String,
    },
    /// The server's certificate is not trusted, or the server did not accept ours: the request
    /// was not processed.
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

/// A complete HTTP response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// The HTTP status, 100 to 999.
    pub http_status: u16,
    /// The wait requested with `Retry-After`, counted from now.
    pub retry_after: Option<Duration>,
    /// The parsed body.
    pub body: ResponseBody,
}

/// The body of a response.
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
    /// Anything else, with a description of what is wrong with it.
    Unreadable(String),
}
