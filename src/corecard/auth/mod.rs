//! How a call proves who is calling: the `[auth]` table, and the secrets that it
//! calls for.

pub(super) mod auth_headers;
mod command;
mod corecard;
pub mod credentials;
mod error;
pub(super) mod header;
mod oauth2;
pub mod secret;
pub mod token;
mod token_answer;
mod values;

use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use command::{CommandTable, TokenCommand};
use corecard::{CoreCardLogin, CoreCardTable};
pub use error::AuthError;
use header::sensitive;
use oauth2::{OAuth2, OAuth2Table};
use secret::{EnvLookup, secret};
use values::header_name;

/// The variable of the bearer token.
const BEARER_TOKEN: &str = "CARDCANCEL_BEARER_TOKEN";
/// The variable of the password that goes with `username`.
const BASIC_PASSWORD: &str = "CARDCANCEL_BASIC_PASSWORD";
/// Begins the variable of a header's value; the header's name follows.
const HEADER: &str = "CARDCANCEL_HEADER_";

/// How a call proves who is calling. It never shows its secrets.
#[derive(Debug, Clone)]
pub enum Auth {
    /// It does not: the network does.
    None,
    /// Headers with secret values.
    Headers(Vec<(HeaderName, SecretString)>),
    /// A user name and a password.
    Basic {
        /// The user name, without a colon.
        username: String,
        /// The password.
        password: SecretString,
    },
    /// A token.
    Bearer(SecretString),
    /// A token that a token server gives.
    OAuth2(OAuth2),
    /// A token that CoreCARD's own login gives.
    CoreCard(CoreCardLogin),
    /// A token that a command prints.
    Command(TokenCommand),
}

/// The kinds of `[auth]`, by the word for each.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum AuthKind {
    None,
    Headers,
    Basic,
    Bearer,
    Oauth2,
    Corecard,
    Command,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EmptyTable {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeadersTable {
    names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BasicTable {
    username: String,
}

impl Auth {
    /// Reads the `[auth]` table, and the secrets that it calls for.
    pub fn new(mut table: toml::Table, variable: EnvLookup) -> Result<Auth, AuthError> {
        let Some(kind) = table.remove("kind") else {
            let words =
                r#""none", "headers", "basic", "bearer", "oauth2", "corecard" or "command""#;
            return Err(AuthError::Table(format!("kind is missing: set it to {words}")));
        };
        match kind.try_into().map_err(table_error)? {
            AuthKind::None => rest::<EmptyTable>(table).map(|_| Auth::None),
            AuthKind::Headers => rest(table).and_then(|table| headers(table, variable)),
            AuthKind::Basic => rest(table).and_then(|table| basic(table, variable)),
            AuthKind::Bearer => {
                rest::<EmptyTable>(table)?;
                Ok(Auth::Bearer(secret(BEARER_TOKEN, variable)?))
            }
            AuthKind::Oauth2 => {
                let table = rest::<OAuth2Table>(table)?;
                Ok(Auth::OAuth2(OAuth2::new(table, variable)?))
            }
            AuthKind::Corecard => {
                let table = rest::<CoreCardTable>(table)?;
                Ok(Auth::CoreCard(CoreCardLogin::new(table, variable)?))
            }
            AuthKind::Command => {
                let table = rest::<CommandTable>(table)?;
                Ok(Auth::Command(TokenCommand::new(table)?))
            }
        }
    }

    /// What a rehearsal uses of the `[auth]` table: CoreCARD's login, which the simulator serves,
    /// with a stand-in for the password. No secret is read, and nothing else can be rehearsed.
    pub fn in_rehearsal(mut table: toml::Table) -> Auth {
        let Some(Ok(AuthKind::Corecard)) = table.remove("kind").map(toml::Value::try_into) else {
            return Auth::None;
        };
        let stand_in = |name: &str| (name == corecard::PASSWORD).then(|| "rehearsal".into());
        rest::<CoreCardTable>(table)
            .and_then(|table| CoreCardLogin::new(table.in_rehearsal(), &stand_in))
            .map_or(Auth::None, Auth::CoreCard)
    }

    /// The headers that every call carries, marked so that nothing prints them;
    /// none yet where a token is fetched first.
    pub fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let authorization = |value: Option<HeaderValue>| {
            value.map(|value| (AUTHORIZATION, value)).into_iter().collect()
        };
        match self {
            Auth::None | Auth::OAuth2(_) | Auth::CoreCard(_) | Auth::Command(_) => Vec::new(),
            Auth::Headers(headers) => headers
                .iter()
                .filter_map(|(name, text)| Some((name.clone(), sensitive(text.expose_secret())?)))
                .collect(),
            Auth::Basic { username, password } => authorization(header::basic(username, password)),
            Auth::Bearer(token) => authorization(header::bearer(token)),
        }
    }
}

/// The rest of the table, once its kind is known.
fn rest<T: DeserializeOwned>(table: toml::Table) -> Result<T, AuthError> {
    table.try_into().map_err(table_error)
}

fn table_error(error: toml::de::Error) -> AuthError {
    let message = error.message();
    // Most likely a secret that someone wrote where it must not be.
    let hint = if message.starts_with("unknown field") {
        "; secrets belong in environment variables, never here"
    } else {
        ""
    };
    AuthError::Table(format!("{message}{hint}"))
}

fn headers(table: HeadersTable, variable: EnvLookup) -> Result<Auth, AuthError> {
    if table.names.is_empty() {
        return Err(AuthError::Table("names is empty: name at least one header".to_owned()));
    }
    let mut headers: Vec<(HeaderName, SecretString)> = Vec::new();
    for text in &table.names {
        let name = header_name(text)?;
        if headers.iter().any(|(before, _)| *before == name) {
            return Err(AuthError::Table(format!("names holds {text} twice")));
        }
        let value = secret(&header_variable(text), variable)?;
        headers.push((name, value));
    }
    Ok(Auth::Headers(headers))
}

/// `X-Api-Key` has its value in `CARDCANCEL_HEADER_X_API_KEY`.
fn header_variable(name: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    HEADER.chars().chain(name.chars().map(letter)).collect()
}

fn basic(table: BasicTable, variable: EnvLookup) -> Result<Auth, AuthError> {
    let BasicTable { username } = table;
    if username.contains(':') || username.contains(char::is_control) {
        return Err(AuthError::Table("username cannot hold a colon or a control character".into()));
    }
    Ok(Auth::Basic { username, password: secret(BASIC_PASSWORD, variable)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;
    use std::io::Write;

    fn auth(table: &str, variables: &[(&str, &str)]) -> Result<Auth, AuthError> {
        let find = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
        };
        Auth::new(table.parse().unwrap(), &find)
    }

    /// The headers as a server would see them.
    fn sent(table: &str, variables: &[(&str, &str)]) -> Vec<String> {
        let headers = auth(table, variables).unwrap().headers();
        let shown = |(name, value): &(HeaderName, HeaderValue)| {
            format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()))
        };
        headers.iter().map(shown).collect()
    }

    fn error(table: &str, variables: &[(&str, &str)]) -> String {
        auth(table, variables).unwrap_err().to_string()
    }

    fn file(content: &str) -> (tempfile::NamedTempFile, String) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content.as_bytes()).unwrap();
        let path = file.path().display().to_string();
        (file, path)
    }

    #[test]
    fn none_sends_nothing() {
        assert!(sent("kind = 'none'", &[]).is_empty());
    }

    #[test]
    fn a_bearer_token_comes_from_its_variable() {
        let token = ("CARDCANCEL_BEARER_TOKEN", "t0ken");
        assert_eq!(sent("kind = 'bearer'", &[token]), ["authorization: Bearer t0ken"]);
    }

    #[test]
    fn a_basic_password_comes_from_its_variable_and_the_name_from_the_file() {
        // The example of RFC 7617.
        let password = ("CARDCANCEL_BASIC_PASSWORD", "open sesame");
        assert_eq!(
            sent("kind = 'basic'\nusername = 'Aladdin'", &[password]),
            ["authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="]
        );
    }

    #[test]
    fn headers_have_their_values_in_variables_of_their_names() {
        let table = "kind = 'headers'\nnames = ['X-Api-Key', 'client_id']";
        let key = ("CARDCANCEL_HEADER_X_API_KEY", "k3y");
        let id = ("CARDCANCEL_HEADER_CLIENT_ID", "me");
        assert_eq!(sent(table, &[key, id]), ["x-api-key: k3y", "client_id: me"]);
    }

    #[test]
    fn a_file_can_hold_the_secret_and_its_last_newline_is_no_part_of_it() {
        for content in ["t0ken", "t0ken\n", "t0ken\r\n"] {
            let (_file, path) = file(content);
            let variable = ("CARDCANCEL_BEARER_TOKEN_FILE", &*path);
            assert_eq!(sent("kind = 'bearer'", &[variable]), ["authorization: Bearer t0ken"]);
        }
    }

    #[test]
    fn a_missing_secret_names_its_variable() {
        assert_snapshot!(error("kind = 'bearer'", &[("CARDCANCEL_BEARER_TOKEN", "")]), @"the secret is missing: set CARDCANCEL_BEARER_TOKEN, or CARDCANCEL_BEARER_TOKEN_FILE to the path of a file that holds it");
        assert_snapshot!(error("kind = 'headers'\nnames = ['X-Api-Key']", &[]), @"the secret is missing: set CARDCANCEL_HEADER_X_API_KEY, or CARDCANCEL_HEADER_X_API_KEY_FILE to the path of a file that holds it");
    }

    #[test]
    fn a_secret_in_two_places_is_refused() {
        let both = [("CARDCANCEL_BEARER_TOKEN", "a"), ("CARDCANCEL_BEARER_TOKEN_FILE", "b")];
        assert_snapshot!(error("kind = 'bearer'", &both), @"CARDCANCEL_BEARER_TOKEN and CARDCANCEL_BEARER_TOKEN_FILE are both set, and only one can hold the secret: unset the other");
    }

    #[test]
    fn a_secret_that_no_header_can_carry_is_refused_unseen() {
        assert_snapshot!(error("kind = 'bearer'", &[("CARDCANCEL_BEARER_TOKEN", "s3\ncret")]), @"the secret in CARDCANCEL_BEARER_TOKEN holds a line break or another control character");
        let (_file, path) = file("\n");
        assert_snapshot!(error("kind = 'bearer'", &[("CARDCANCEL_BEARER_TOKEN_FILE", &path)]), @"the secret in the file that CARDCANCEL_BEARER_TOKEN_FILE names is empty");
        let gone = ("CARDCANCEL_BEARER_TOKEN_FILE", "/no/such/file");
        assert_snapshot!(error("kind = 'bearer'", &[gone]), @"cannot read /no/such/file, which CARDCANCEL_BEARER_TOKEN_FILE names: correct its path or its permissions: No such file or directory (os error 2)");
    }

    #[test]
    fn what_the_table_lacks_or_has_too_much_of_is_named() {
        assert_snapshot!(error("", &[]), @r#"kind is missing: set it to "none", "headers", "basic", "bearer", "oauth2", "corecard" or "command""#);
        assert_snapshot!(error("kind = 'digest'", &[]), @"unknown variant `digest`, expected one of `none`, `headers`, `basic`, `bearer`, `oauth2`, `corecard`, `command`");
        assert_snapshot!(error("kind = 'basic'", &[]), @"missing field `username`");
        assert_snapshot!(error("kind = 'bearer'\ntoken = 's3cret'", &[]), @"unknown field `token`, there are no fields; secrets belong in environment variables, never here");
        assert_snapshot!(error("kind = 'headers'\nnames = []", &[]), @"names is empty: name at least one header");
        assert_snapshot!(error("kind = 'headers'\nnames = ['a b']", &[]), @r#""a b" cannot be a header's name"#);
        assert_snapshot!(error("kind = 'headers'\nnames = ['Host']", &[]), @"Host is not a header for credentials");
        assert_snapshot!(error("kind = 'basic'\nusername = 'a:b'", &[]), @"username cannot hold a colon or a control character");
    }

    #[test]
    fn no_secret_is_ever_shown() {
        let secrets = [
            ("CARDCANCEL_BEARER_TOKEN", "s3cret"),
            ("CARDCANCEL_BASIC_PASSWORD", "s3cret"),
            ("CARDCANCEL_HEADER_KEY", "s3cret"),
            ("CARDCANCEL_OAUTH2_CLIENT_SECRET", "s3cret"),
            ("CARDCANCEL_CORECARD_PASSWORD", "s3cret"),
        ];
        let tables = [
            "kind='bearer'",
            "kind='basic'\nusername='me'",
            "kind='headers'\nnames=['Key']",
            "kind='oauth2'\ntoken_url='https://a'\nclient_id='me'",
            "kind='corecard'\nuser_id='me'",
        ];
        for table in tables {
            let auth = auth(table, &secrets).unwrap();
            let shown = format!("{auth:?} {:#?} {:?}", auth, auth.headers());
            assert!(!shown.contains("s3cret") && !shown.contains("bWU6czNjcmV0"), "{shown}");
        }
    }
}
