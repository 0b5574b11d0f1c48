//! What a call carries to prove who is calling: for the server to read, and for
//! nobody to repeat.

use std::borrow::Cow;
use std::fmt::Write as _;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

/// A value of fewer bytes is a word rather than a secret, and stays.
const SHORTEST: usize = 6;
/// This many characters of a longer secret give it away, whatever follows.
const GIVES_AWAY: usize = 12;
const REMOVED: &str = "[secret removed]";

/// What a call carries. It is never shown.
#[derive(Debug, Clone, Default)]
pub(in crate::corecard) struct AuthHeaders {
    headers: HeaderMap,
    /// Every form in which a server may repeat a secret.
    forms: Vec<SecretString>,
}

impl AuthHeaders {
    /// These headers, and the secret that stands in one of them encoded or after a prefix, or in
    /// the body.
    pub fn new(
        headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
        secret: Option<SecretString>,
    ) -> AuthHeaders {
        let headers: HeaderMap = headers.into_iter().collect();
        let values = headers.iter().flat_map(|(name, value)| secrets(name, value));
        let secret_text = secret.iter().map(ExposeSecret::expose_secret);
        let forms = all_forms(values.chain(secret_text));
        AuthHeaders { headers, forms }
    }

    /// The headers of the call.
    pub fn headers(&self) -> HeaderMap {
        self.headers.clone()
    }

    /// The text of a server without the secrets that it was sent: some repeat them, as they
    /// are, encoded, or cut short.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let forms = || self.forms.iter().map(ExposeSecret::expose_secret);
        let mut kept = String::new();
        let mut rest = text;
        while let Some(at) = forms().filter_map(|form| rest.find(beginning(form))).min() {
            let (before, from) = rest.split_at(at);
            let length = forms().map(|form| repeated(form, from)).max().unwrap_or_default();
            kept.push_str(before);
            kept.push_str(REMOVED);
            rest = &from[length..];
        }
        if rest.len() == text.len() {
            return Cow::Borrowed(text);
        }
        kept.push_str(rest);
        Cow::Owned(kept)
    }
}

/// The beginning that gives a secret away, whatever follows.
fn beginning(secret: &str) -> &str {
    secret.char_indices().nth(GIVES_AWAY).map_or(secret, |(end, _)| &secret[..end])
}

/// How many bytes of the secret the text begins with; 0 if they do not give it away.
fn repeated(secret: &str, text: &str) -> usize {
    if !text.starts_with(beginning(secret)) {
        return 0;
    }
    let same = text.chars().zip(secret.chars()).take_while(|(a, b)| a == b);
    same.map(|(character, _)| character.len_utf8()).sum()
}

/// The secrets in a header: all of it; and without its scheme, if there is one before it.
fn secrets<'v>(
    name: &HeaderName,
    value: &'v HeaderValue,
) -> impl Iterator<Item = &'v str> + use<'v> {
    let value = std::str::from_utf8(value.as_bytes()).ok();
    let after_scheme = value
        .filter(|_| name == AUTHORIZATION)
        .and_then(|value| value.split_once(' '))
        .map(|(_scheme, secret)| secret);
    // A scheme alone would give nothing away, and stands in many a message.
    after_scheme.or(value).into_iter()
}

fn all_forms<'s>(secrets: impl Iterator<Item = &'s str>) -> Vec<SecretString> {
    let mut forms: Vec<String> =
        secrets.filter(|secret| secret.len() >= SHORTEST).flat_map(forms_of).collect();
    forms.sort_unstable();
    forms.dedup();
    forms.into_iter().map(SecretString::from).collect()
}

/// A secret as it is, and as URLs, JSON and base64 have it.
fn forms_of(secret: &str) -> Vec<String> {
    let in_url = |upper: bool| {
        secret.bytes().fold(String::new(), |mut url, byte| {
            let is_plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
            let _ = match (is_plain, upper) {
                (true, _) => write!(url, "{}", char::from(byte)),
                (false, true) => write!(url, "%{byte:02X}"),
                (false, false) => write!(url, "%{byte:02x}"),
            };
            url
        })
    };
    let in_json = serde_json::Value::from(secret).to_string();
    let in_json = in_json.trim_matches('"').to_owned();
    let mut forms = vec![
        secret.to_owned(),
        in_url(true),
        in_url(false),
        in_url(true).replace("%20", "+"),
        in_json.replace('/', "\\/"),
        in_json,
    ];
    // Within a longer text it begins at any of three places, and its edges are mixed
    // with what stands around it.
    for before in 0..3 {
        let bytes = [&vec![0; before], secret.as_bytes()].concat();
        let text = BASE64_STANDARD.encode(&bytes[..bytes.len() - bytes.len() % 3]);
        let own = text.get([0, 2, 3][before]..).unwrap_or_default();
        if own.len() >= SHORTEST {
            forms.push(own.replace('+', "-").replace('/', "_"));
            forms.push(own.to_owned());
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auth_headers(
        name: &'static str,
        value: &'static str,
        password: Option<&str>,
    ) -> AuthHeaders {
        let header = (HeaderName::from_static(name), HeaderValue::from_static(value));
        AuthHeaders::new([header], password.map(SecretString::from))
    }

    #[test]
    fn what_was_sent_is_not_repeated() {
        let token = auth_headers("authorization", "Bearer s3cr3t-t0ken", None);
        assert_eq!(token.redact("no s3cr3t-t0ken here"), "no [secret removed] here");
        assert_eq!(token.redact("Bearer of bad news"), "Bearer of bad news");
        let key = auth_headers("x-api-key", "s3cr3t-key", None);
        assert_eq!(key.redact("s3cr3t-key s3cr3t-key"), "[secret removed] [secret removed]");
        let pair = auth_headers("authorization", "Basic bWU6cGFzc3dvcmQ=", Some("password"));
        assert_eq!(pair.redact("bWU6cGFzc3dvcmQ= password"), "[secret removed] [secret removed]");
    }

    #[test]
    fn a_secret_without_a_scheme_is_a_secret_too() {
        let bare = auth_headers("authorization", "s3cr3t-t0ken", None);
        assert_eq!(bare.redact("no s3cr3t-t0ken here"), "no [secret removed] here");
    }

    #[test]
    fn short_words_stay() {
        assert_eq!(auth_headers("x-team", "cards", None).redact("no such cards"), "no such cards");
    }

    #[test]
    fn a_secret_is_known_however_it_is_encoded() {
        let key = auth_headers("x-api-key", "s3cr3t/\"k3y\"+of us", None);
        for repeated in [
            "s3cr3t%2F%22k3y%22%2Bof%20us",
            "s3cr3t%2f%22k3y%22%2bof%20us",
            "s3cr3t%2F%22k3y%22%2Bof+us",
            r#"s3cr3t/\"k3y\"+of us"#,
            r#"s3cr3t\/\"k3y\"+of us"#,
        ] {
            let text = format!("got {repeated}, sorry");
            assert_eq!(key.redact(&text), "got [secret removed], sorry", "{repeated}");
        }
    }

    #[test]
    fn a_secret_in_base64_is_known_wherever_it_begins() {
        let key = auth_headers("x-api-key", "s3cr3t-key-of-ours", None);
        for before in ["", "a", "me", "me:", "user:"] {
            let text = BASE64_STANDARD.encode(format!("{before}s3cr3t-key-of-ours"));
            let hidden = key.redact(&text).into_owned();
            assert!(hidden.contains(REMOVED) && hidden.len() < REMOVED.len() + 12, "{hidden}");
        }
    }

    #[test]
    fn a_secret_that_was_cut_short_is_known_by_its_first_characters() {
        let key = auth_headers("x-api-key", "s3cr3t-key-0123456789", None);
        assert_eq!(key.redact("key s3cr3t-key-0…"), "key [secret removed]…");
        assert_eq!(key.redact("key s3cr3t-key-01234 is bad"), "key [secret removed] is bad");
        assert_eq!(key.redact("key s3cr3t-key is bad"), "key s3cr3t-key is bad");
    }
}
