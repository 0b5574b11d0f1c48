//! The vocabulary everything speaks: an order, the row that carries it, and
//! what makes a row one that cannot be sent.

use std::fmt;

/// What CoreCARD cancels: one physical card order.
///
/// The pair names exactly one order, so a repeated call cannot cancel another.
/// Ordered by admin number, then sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Order {
    /// `AdminNumber`, the embossing account: an int64 of digits, never negative.
    pub admin_number: i64,
    /// `CardSequenceNumber`: an integer of digits, never negative.
    pub sequence_number: i32,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.admin_number, self.sequence_number)
    }
}

/// The number of a row in its input: the first row after the header is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowNumber(pub u32);

impl fmt::Display for RowNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What one line of the input carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// An order that can be sent.
    Order(Order),
    /// A line that cannot be sent, and why.
    Invalid(Flaw),
}

/// Why a row cannot be sent, fit to be shown: it never holds a card number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// Which rule the row breaks.
    pub code: OwnCode,
    /// What is wrong, in words.
    pub message: String,
}

macro_rules! own_codes {
    ($($variant:ident = $name:literal, $meaning:literal;)*) => {
        /// Error codes of our own: what stands in `error_code` when CoreCARD did
        /// not give one. The list is closed; `HTTP_nnn` stands for any HTTP status.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum OwnCode {
            $(#[doc = $meaning] $variant,)*
            /// CoreCARD's server answered with this HTTP status and no `ErrorCode`.
            Http(u16),
        }

        impl OwnCode {
            /// Every code but `HTTP_nnn`, with its meaning in one sentence.
            pub const LIST: &[(OwnCode, &str)] = &[$((OwnCode::$variant, $meaning),)*];
        }

        impl fmt::Display for OwnCode {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(OwnCode::$variant => f.write_str($name),)*
                    OwnCode::Http(status) => write!(f, "HTTP_{status}"),
                }
            }
        }
    };
}

own_codes! {
    InvalidAdminNumber = "INVALID_ADMIN_NUMBER", "The admin number is missing, or is not a whole number from 0 to 9223372036854775807.";
    InvalidSequenceNumber = "INVALID_SEQUENCE_NUMBER", "The card sequence number is missing, or is not a whole number from 0 to 2147483647.";
    WrongFieldCount = "WRONG_FIELD_COUNT", "The row has more or fewer fields than the header.";
    UnfinishedLine = "UNFINISHED_LINE", "The file ends in this row without a line end, so it may be cut short.";
    MalformedRow = "MALFORMED_ROW", "The row holds a NUL byte, text after the closing quote of a number, or another row within its quotes.";
    CardNumber = "CARD_NUMBER", "A field of the row looks like a card number, which is never stored, sent or repeated.";
    Duplicate = "DUPLICATE", "An earlier row of the file carries the same order, and decides.";
    AlreadyCancelled = "ALREADY_CANCELLED", "Another run in this ledger cancelled the order at the same endpoint.";
    Dns = "DNS", "The host's name could not be resolved: nothing was sent.";
    Connect = "CONNECT", "No connection could be made: nothing was sent.";
    Tls = "TLS", "The TLS handshake failed: nothing was sent.";
    Timeout = "TIMEOUT", "No answer came in time: the order may or may not be cancelled.";
    ConnectionLost = "CONNECTION_LOST", "The connection broke after sending: the order may or may not be cancelled.";
    BadAnswer = "BAD_ANSWER", "The answer could not be understood: the order may or may not be cancelled.";
    Interrupted = "INTERRUPTED", "This program died with the call in flight: the order may or may not be cancelled.";
    CutOff = "CUT_OFF", "The cut-off came first.";
    Signal = "SIGNAL", "The run was told to stop.";
    MaxFailures = "MAX_FAILURES", "More rows failed than --max-failures allows, and the run stopped.";
    ConsecutiveFailures = "CONSECUTIVE_FAILURES", "More rows in a row failed than --max-consecutive-failures allows, and the run stopped.";
    ConsecutiveDoubts = "CONSECUTIVE_DOUBTS", "More answers in a row were lost than --max-consecutive-doubts allows, and the run stopped.";
    SameCode = "SAME_CODE", "More rows in a row failed with the same error code than --max-consecutive-same-code allows, and the run stopped.";
    Canary = "CANARY", "Too many of the first rows, those of --canary, failed, and the run stopped.";
    Outage = "OUTAGE", "CoreCARD was away for longer than --max-outage, and the run stopped.";
    Refusals = "REFUSALS", "Several requests in a row were refused as malformed or misdirected, and the run stopped.";
    Credentials = "CREDENTIALS", "The credentials were refused, or could not be renewed, and the run stopped.";
    Redirected = "REDIRECTED", "The server answered with a redirect, which is never followed, and the run stopped.";
    Certificate = "CERTIFICATE", "The server's certificate is not valid, or the server did not accept ours, and the run stopped.";
    StopCode = "STOP_CODE", "CoreCARD answered with a code that the configuration says must stop the run.";
}

impl OwnCode {
    /// Whether a process that stops for this reason stops the run for all that work on
    /// it. Else only that process stops: the others may well go on.
    pub fn stops_all(self) -> bool {
        match self {
            OwnCode::MaxFailures
            | OwnCode::ConsecutiveFailures
            | OwnCode::ConsecutiveDoubts
            | OwnCode::SameCode
            | OwnCode::Canary
            | OwnCode::Refusals
            | OwnCode::Redirected
            | OwnCode::StopCode
            | OwnCode::CutOff => true,
            // A signal, or what may be wrong here only: the network, the secrets.
            _ => false,
        }
    }

    /// The code that is written so; never `HTTP_nnn`.
    pub fn named(name: &str) -> Option<OwnCode> {
        let codes = OwnCode::LIST.iter().map(|(code, _)| *code);
        codes.into_iter().find(|code| code.to_string() == name)
    }
}
