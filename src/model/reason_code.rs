//! The program's own error codes, beside those of CoreCARD.

use std::fmt;
use std::str::FromStr;

macro_rules! reason_codes {
    ($($variant:ident = $name:literal, $meaning:literal;)*) => {
        /// The program's own error codes: the value of `error_code` where CoreCARD gave none. The
        /// list is closed; `HTTP_nnn` stands for any HTTP status.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ReasonCode {
            $(#[doc = $meaning] $variant,)*
            /// CoreCARD's server answered with this HTTP status and no `ErrorCode`.
            Http(u16),
        }

        impl ReasonCode {
            /// Every code except `HTTP_nnn`, with its meaning in one sentence.
            pub const ALL: &[(ReasonCode, &str)] = &[$((ReasonCode::$variant, $meaning),)*];
        }

        impl fmt::Display for ReasonCode {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(ReasonCode::$variant => f.write_str($name),)*
                    ReasonCode::Http(status) => write!(f, "HTTP_{status}"),
                }
            }
        }
    };
}

reason_codes! {
    InvalidAdminNumber = "INVALID_ADMIN_NUMBER", "The admin number is missing, or is not a whole number from 0 to 9223372036854775807.";
    InvalidSequenceNumber = "INVALID_SEQUENCE_NUMBER", "The card sequence number is missing, or is not a whole number from 0 to 2147483647.";
    WrongFieldCount = "WRONG_FIELD_COUNT", "The row has more or fewer fields than the header.";
    UnfinishedLine = "UNFINISHED_LINE", "The file ends in this row without a line end, so it may be cut short.";
    MalformedRow = "MALFORMED_ROW", "The row holds a NUL byte, text after the closing quote of a number, or another row within its quotes.";
    CardNumber = "CARD_NUMBER", "A field of the row looks like a card number, which is never stored, sent or repeated.";
    Duplicate = "DUPLICATE", "An earlier row of the file carries the same order, and decides.";
    AlreadyCancelled = "ALREADY_CANCELLED", "Another run in this ledger cancelled the order at the same endpoint.";
    Resolved = "RESOLVED", "Evidence given to `resolve` ended the doubt of the order: it is cancelled, or surely not; the message names the evidence.";
    Dns = "DNS", "The host's name could not be resolved: nothing was sent.";
    Connect = "CONNECT", "No connection could be made: nothing was sent.";
    Tls = "TLS", "The TLS handshake failed: nothing was sent.";
    Timeout = "TIMEOUT", "No answer came in time: the order may or may not be cancelled.";
    ConnectionLost = "CONNECTION_LOST", "The connection broke after sending: the order may or may not be cancelled.";
    BadAnswer = "BAD_ANSWER", "The answer could not be understood: the order may or may not be cancelled.";
    Interrupted = "INTERRUPTED", "This program died with the call in flight: the order may or may not be cancelled.";
    CutOff = "CUT_OFF", "The cut-off came before the row was sent.";
    Signal = "SIGNAL", "The run was stopped by a signal.";
    StopRequested = "STOP_REQUESTED", "Somebody stopped the run with `cardcancel stop RUN`.";
    MaxFailures = "MAX_FAILURES", "More rows failed than --max-failures allows, and the run stopped.";
    ConsecutiveFailures = "CONSECUTIVE_FAILURES", "More consecutive rows failed than --max-consecutive-failures allows, and the run stopped.";
    ConsecutiveDoubts = "CONSECUTIVE_DOUBTS", "More consecutive answers were lost than --max-consecutive-doubts allows, and the run stopped.";
    SameCode = "SAME_CODE", "More consecutive rows failed with the same error code than --max-consecutive-same-code allows, and the run stopped.";
    Canary = "CANARY", "Too many of the first rows, those of --canary, failed, and the run stopped.";
    Outage = "OUTAGE", "CoreCARD was unavailable for longer than --max-outage, and the run stopped.";
    Refusals = "REFUSALS", "Several consecutive requests were refused as malformed or misdirected, and the run stopped.";
    Credentials = "CREDENTIALS", "The credentials were refused, or could not be renewed, and the run stopped.";
    Redirected = "REDIRECTED", "The server answered with a redirect, which is never followed, and the run stopped.";
    Certificate = "CERTIFICATE", "The server's certificate is not valid, or the server did not accept the client certificate, and the run stopped.";
    StopCode = "STOP_CODE", "CoreCARD answered with a code that the configuration says must stop the run.";
}

impl ReasonCode {
    /// Whether a process that stops for this reason stops the run for every process that works on
    /// it. If not, the other processes go on.
    pub fn stops_all(self) -> bool {
        match self {
            ReasonCode::MaxFailures
            | ReasonCode::ConsecutiveFailures
            | ReasonCode::ConsecutiveDoubts
            | ReasonCode::SameCode
            | ReasonCode::Canary
            | ReasonCode::Refusals
            | ReasonCode::Redirected
            | ReasonCode::StopCode
            | ReasonCode::StopRequested
            | ReasonCode::CutOff => true,
            // A signal, or a cause that may be local to this machine: its network, its secrets.
            _ => false,
        }
    }
}

/// The text is not one of the program's own codes, or it is `HTTP_nnn`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a reason code")]
pub struct ParseReasonCodeError;

impl FromStr for ReasonCode {
    type Err = ParseReasonCodeError;

    /// Parses every code except `HTTP_nnn`.
    fn from_str(text: &str) -> Result<Self, ParseReasonCodeError> {
        let mut codes = ReasonCode::ALL.iter().map(|(code, _)| *code);
        codes.find(|code| code.to_string() == text).ok_or(ParseReasonCodeError)
    }
}
