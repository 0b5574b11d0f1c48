//! Header values that carry secrets, marked so that nothing prints them.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use http::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

/// A value that nothing prints; `None` if no header can carry the text.
pub(in crate::corecard) fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_bytes(text.as_bytes()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// `Basic` and the pair, as RFC 7617 has it. The user name holds no colon.
pub(in crate::corecard) fn basic(username: &str, password: &SecretString) -> Option<HeaderValue> {
    let pair = format!("{username}:{}", password.expose_secret());
    sensitive(&format!("Basic {}", BASE64_STANDARD.encode(pair)))
}

/// `Bearer` and the token, as RFC 6750 has it.
pub(in crate::corecard) fn bearer(token: &SecretString) -> Option<HeaderValue> {
    sensitive(&format!("Bearer {}", token.expose_secret()))
}
