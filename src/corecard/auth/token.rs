//! A bearer token and how long it lasts, as commands print it and token servers
//! answer with it.

use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use crate::corecard::response;

/// Where a token may stand in JSON: a token server's answer, a plain object, what
/// a Kubernetes exec plugin prints (`status`), what gcloud prints (`credential`).
const OBJECTS: [&str; 2] = ["status", "credential"];
const TEXT: [&str; 2] = ["access_token", "token"];
const LASTS: &str = "expires_in";
/// A token is renewed at least this often, however long its server says that it lasts:
/// "never" is written as the largest number that there is.
const LONGEST_LIFETIME: Duration = Duration::from_secs(366 * 24 * 3600);
const ENDS: [&str; 3] = ["expires_at", "expirationTimestamp", "token_expiry"];

/// A bearer token.
#[derive(Debug, Clone)]
pub struct Token {
    /// What a call carries: visible ASCII without blanks.
    pub text: SecretString,
    /// How long it lasts from now, more than nothing, where that is known.
    pub lifetime: Option<Duration>,
}

/// Why there is no token. It never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct TokenError {
    /// In words.
    pub why: String,
    /// Whether there may be one soon, though nothing is put right.
    pub may_pass: bool,
}

impl TokenError {
    /// There is none until something is put right.
    pub(super) fn for_good(why: String) -> TokenError {
        TokenError { why, may_pass: false }
    }

    /// There may be one soon.
    pub(super) fn for_now(why: String) -> TokenError {
        TokenError { why, may_pass: true }
    }
}

impl Token {
    /// A bare token, or JSON that holds one; `None` if it is neither.
    pub(super) fn read(printed: &[u8], now: Timestamp) -> Option<Token> {
        let text = std::str::from_utf8(response::json(printed)).ok()?.trim();
        match serde_json::from_str::<Value>(text) {
            Ok(json @ Value::Object(_)) => Token::from_json(&json, now),
            _ => Token::new(text, None),
        }
    }

    /// The token in an object, or in one of those that may be within it.
    pub(super) fn from_json(json: &Value, now: Timestamp) -> Option<Token> {
        let within = OBJECTS.iter().filter_map(|name| json.get(name));
        std::iter::once(json).chain(within).find_map(|object| {
            let text = TEXT.iter().find_map(|name| object.get(name)?.as_str())?;
            Token::new(text, lifetime(object, now))
        })
    }

    /// A token of one word; `None` if the text is not.
    pub(super) fn new(text: &str, lifetime: Option<Duration>) -> Option<Token> {
        let is_one_word = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        // JSON that is no object is not meant as a token.
        let is_token = is_one_word && !text.starts_with(['{', '[', '"']);
        is_token.then(|| Token { text: SecretString::from(text), lifetime })
    }
}

/// How a lifetime is counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum LifetimeUnit {
    #[default]
    Seconds,
    Minutes,
    Milliseconds,
    /// Up to a time.
    Time,
}

impl LifetimeUnit {
    /// A lifetime from now on; `None` if it is over, or none can be read.
    pub(super) fn read(self, value: &Value, now: Timestamp) -> Option<Duration> {
        let lifetime = match self {
            LifetimeUnit::Seconds => Duration::from_secs(number(value)?),
            LifetimeUnit::Minutes => Duration::from_secs(number(value)?.saturating_mul(60)),
            LifetimeUnit::Milliseconds => Duration::from_millis(number(value)?),
            LifetimeUnit::Time => Duration::try_from(timestamp(value)?.duration_since(now)).ok()?,
        };
        (!lifetime.is_zero()).then(|| lifetime.min(LONGEST_LIFETIME))
    }
}

fn lifetime(object: &Value, now: Timestamp) -> Option<Duration> {
    let lasts = object.get(LASTS).filter(|value| number(value).is_some());
    match lasts {
        Some(lasts) => LifetimeUnit::Seconds.read(lasts, now),
        None => ENDS.iter().find_map(|name| LifetimeUnit::Time.read(object.get(name)?, now)),
    }
}

/// A whole number; some servers write it as text.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// RFC 3339, or seconds since 1970.
fn timestamp(value: &Value) -> Option<Timestamp> {
    match value.as_i64() {
        Some(seconds) => Timestamp::from_second(seconds).ok(),
        None => value.as_str()?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn read(printed: &str) -> Option<(String, Option<u64>)> {
        let token = Token::read(printed.as_bytes(), "2026-11-22T01:00:00Z".parse().unwrap())?;
        let text = token.text.expose_secret().to_owned();
        Some((text, token.lifetime.map(|lifetime| lifetime.as_secs())))
    }

    fn is_read(printed: &str, lifetime: Option<u64>) {
        assert_eq!(read(printed), Some(("t0ken".to_owned(), lifetime)), "{printed}");
    }

    #[test]
    fn a_token_stands_alone_or_in_json() {
        is_read("t0ken", None);
        is_read("  t0ken\n", None);
        is_read("\u{feff}{\"token\":\"t0ken\"}", None);
        is_read(r#"{"token":"t0ken"}"#, None);
        is_read(r#"{"access_token":"t0ken","token_type":"Bearer"}"#, None);
    }

    #[test]
    fn its_lifetime_is_in_seconds_or_up_to_a_time() {
        is_read(r#"{"access_token":"t0ken","expires_in":3600}"#, Some(3600));
        is_read(r#"{"access_token":"t0ken","expires_in":"3600"}"#, Some(3600));
        is_read(r#"{"token":"t0ken","expires_at":"2026-11-22T01:10:00Z"}"#, Some(600));
        is_read(r#"{"token":"t0ken","expires_at":1795309800}"#, Some(600));
        is_read(r#"{"token":"t0ken","expires_at":"2026-11-22T00:00:00Z"}"#, None);
        is_read(r#"{"token":"t0ken","expires_in":0}"#, None);
        let longest = Some(LONGEST_LIFETIME.as_secs());
        is_read(r#"{"token":"t0ken","expires_in":9223372036854775807}"#, longest);
        is_read(r#"{"token":"t0ken","expires_in":18446744073709551615}"#, longest);
        is_read(r#"{"token":"t0ken","expires_at":"9999-12-30T00:00:00Z"}"#, longest);
    }

    #[test]
    fn what_kubernetes_plugins_and_gcloud_print_is_understood() {
        is_read(
            r#"{"kind":"ExecCredential","status":{"token":"t0ken","expirationTimestamp":"2026-11-22T02:00:00Z"}}"#,
            Some(3600),
        );
        is_read(
            r#"{"credential":{"access_token":"t0ken","token_expiry":"2026-11-22T02:00:00Z"},"configuration":{}}"#,
            Some(3600),
        );
    }

    #[test]
    fn anything_else_is_no_token() {
        for printed in ["", "\n", "two words", "two\nlines", "{}", r#"{"token":7}"#, "{\"token\":"]
        {
            assert_eq!(read(printed), None, "{printed}");
        }
        assert_eq!(read(r#"{"token":"line\nbreak"}"#), None);
        assert_eq!(read(r#"["t0ken"]"#), None);
    }
}
