//! What a call carries to prove who is calling: for the server to read, and for
//! nobody to repeat.

use std::borrow::Cow;

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

/// A value of fewer bytes is a word rather than a secret, and stays.
const SHORTEST: usize = 6;
const REMOVED: &str = "[secret removed]";

/// What a call carries. It is never shown.
#[derive(Debug, Clone, Default)]
pub(super) struct Carried {
    headers: HeaderMap,
    /// What stands encoded in a header.
    password: Option<SecretString>,
}

impl Carried {
    pub fn new(
        headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
        password: Option<SecretString>,
    ) -> Carried {
        Carried { headers: headers.into_iter().collect(), password }
    }

    /// The same with another token.
    pub fn with_token(&self, token: HeaderValue) -> Carried {
        let mut carried = self.clone();
        carried.headers.insert(AUTHORIZATION, token);
        carried
    }

    /// The headers of the call.
    pub fn headers(&self) -> HeaderMap {
        self.headers.clone()
    }

    /// What a server said, without the secrets that it was sent: some repeat them.
    pub fn hide<'t>(&self, said: &'t str) -> Cow<'t, str> {
        let values = self.headers.iter().filter_map(|(name, value)| secret(name, value));
        let password = self.password.iter().map(ExposeSecret::expose_secret);
        let repeated = |secret: &&str| secret.len() >= SHORTEST && said.contains(secret);
        let mut repeated = values.chain(password).filter(repeated).peekable();
        match repeated.peek() {
            None => Cow::Borrowed(said),
            Some(_) => Cow::Owned(
                repeated.fold(said.to_owned(), |said, secret| said.replace(secret, REMOVED)),
            ),
        }
    }
}

/// The secret in a header: all of it, but for the scheme before it.
fn secret<'v>(name: &HeaderName, value: &'v HeaderValue) -> Option<&'v str> {
    let value = std::str::from_utf8(value.as_bytes()).ok()?;
    match name == AUTHORIZATION {
        true => value.split_once(' ').map(|(_scheme, secret)| secret),
        false => Some(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carried(name: &'static str, value: &'static str, password: Option<&str>) -> Carried {
        let header = (HeaderName::from_static(name), HeaderValue::from_static(value));
        Carried::new([header], password.map(SecretString::from))
    }

    #[test]
    fn what_was_sent_is_not_repeated() {
        let token = carried("authorization", "Bearer s3cr3t-t0ken", None);
        assert_eq!(token.hide("no s3cr3t-t0ken here"), "no [secret removed] here");
        assert_eq!(token.hide("Bearer of bad news"), "Bearer of bad news");
        let renewed = token.with_token(HeaderValue::from_static("Bearer an0ther-0ne"));
        assert_eq!(renewed.hide("an0ther-0ne"), "[secret removed]");
        let key = carried("x-api-key", "s3cr3t-key", None);
        assert_eq!(key.hide("s3cr3t-key s3cr3t-key"), "[secret removed] [secret removed]");
        let pair = carried("authorization", "Basic bWU6cGFzc3dvcmQ=", Some("password"));
        assert_eq!(pair.hide("bWU6cGFzc3dvcmQ= password"), "[secret removed] [secret removed]");
    }

    #[test]
    fn short_words_stay() {
        assert_eq!(carried("x-team", "cards", None).hide("no such cards"), "no such cards");
    }
}
