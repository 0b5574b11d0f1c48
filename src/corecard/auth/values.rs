//! Values of the `[auth]` table that several kinds have.

use std::time::Duration;

use http::header::HeaderName;
use jiff::SignedDuration;

use super::error::AuthError;

/// Headers that are the client's own to write.
const RESERVED: [&str; 6] =
    ["connection", "content-length", "content-type", "host", "te", "transfer-encoding"];

/// A header that can carry credentials.
pub(super) fn header_name(text: &str) -> Result<HeaderName, AuthError> {
    let Ok(name) = text.parse::<HeaderName>() else {
        return Err(AuthError::Table(format!("\"{text}\" cannot be a header's name")));
    };
    if RESERVED.contains(&name.as_str()) {
        return Err(AuthError::Table(format!("{text} is not a header for credentials")));
    }
    Ok(name)
}

/// More than no time.
pub(super) fn duration(name: &str, text: &str) -> Result<Duration, AuthError> {
    let length: Option<SignedDuration> = text.parse().ok();
    let length = length.and_then(|length| Duration::try_from(length).ok());
    length.filter(|length| !length.is_zero()).ok_or_else(|| {
        AuthError::Table(format!("{name}: \"{text}\" is not a duration: write 10m or 30s"))
    })
}
