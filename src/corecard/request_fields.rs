//! The fields of a request that the operator sets, and why a value cannot be sent.

use jiff::tz::TimeZone;

/// What the operator sets of a request. A field that is not set is sent as `null`.
#[derive(Debug, Clone, Default)]
pub struct RequestFields {
    /// `Source`: which kind of consumer calls.
    pub source: String,
    /// `IPAddress`: the address of the client or the application's host.
    pub ip_address: Option<String>,
    /// `DateFormat`
    pub date_format: Option<String>,
    /// `CurrencyCode`
    pub currency_code: Option<String>,
    /// `CurrencySymbolType`
    pub currency_symbol_type: Option<String>,
    /// `Language`
    pub language: Option<String>,
    /// `ExternalIP`: the address of the end user.
    pub external_ip: String,
    /// `SessionID`; `{run}`, `{row}` and `{attempt}` in it stand for what they name.
    pub session_id: Option<String>,
    /// `APIVersion`
    pub api_version: String,
    /// `CallerID`
    pub caller_id: Option<String>,
    /// `CalledID`
    pub called_id: Option<String>,
    /// `RequestTime` is the time of the attempt in this zone.
    pub request_time: Option<TimeZone>,
}

/// Why a value cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// Set to nothing.
    #[error("{0} is empty: give it a value, or leave it out")]
    Empty(&'static str),
    /// Over the API document's longest length.
    #[error("{field} is {length} characters long, and CoreCARD takes at most {limit}: shorten it")]
    TooLong {
        /// The API's name of the field.
        field: &'static str,
        /// Characters in the value.
        length: usize,
        /// Characters allowed.
        limit: usize,
    },
    /// Over the longest length once its placeholders are filled.
    #[error(
        "SessionID can become {length} characters long with its placeholders filled, and CoreCARD \
         takes at most {limit}: shorten it"
    )]
    SessionTooLong {
        /// Characters at most.
        length: usize,
        /// Characters allowed.
        limit: usize,
    },
    /// Braces around anything but the three words, or left open.
    #[error("SessionID holds {0}, which is not a placeholder: use {{run}}, {{row}} or {{attempt}}")]
    UnknownPlaceholder(String),
}
