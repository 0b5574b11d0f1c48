//! The URL of a database, which never displays its password.

use std::fmt;
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};

/// The schemes of PostgreSQL URLs.
const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

/// The URL of a PostgreSQL database, as libpq defines it. It is displayed without its password.
#[derive(Clone)]
pub struct DatabaseUrl {
    scheme: &'static str,
    user: Option<String>,
    password: Option<SecretString>,
    hosts: String,
    database: String,
    /// Each as `name=value`, percent-encoded.
    parameters: Vec<String>,
}

/// The text is not a URL of a database. No message repeats it, because it may contain a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// A part is missing or in the wrong place.
    #[error("it is not an address: write it as postgres://USER@HOST/DATABASE")]
    Malformed,
    /// There is no database in it.
    #[error("it names no database: write it as postgres://USER@HOST/DATABASE")]
    NoDatabase,
    /// It is ambiguous where the password ends.
    #[error(
        "characters of the user name or password must be percent-encoded: @ as %40, / as %2F, ? as %3F, # as %23, : as %3A, % as %25"
    )]
    Unclear,
    /// There is a password among the parameters.
    #[error(
        "its password is among its parameters: take it out, and set CARDCANCEL_LEDGER_PASSWORD"
    )]
    Parameter,
    /// There are two passwords.
    #[error(
        "it holds a password, and another is set in CARDCANCEL_LEDGER_PASSWORD: remove one of them"
    )]
    Both,
}

impl DatabaseUrl {
    /// Whether the text begins as a URL of PostgreSQL does.
    pub fn has_scheme(text: &str) -> bool {
        SCHEMES.iter().any(|scheme| text.starts_with(scheme))
    }

    /// Hosts and database, without user, password and parameters: what messages call the ledger.
    pub(super) fn without_user(&self) -> String {
        format!("postgres://{}/{}", self.hosts, self.database)
    }

    /// Removes a parameter and returns its value, percent-encoded.
    pub(super) fn take_parameter(&mut self, name: &str) -> Option<String> {
        let value = |parameter: &String| {
            let (found, value) = parameter.split_once('=')?;
            (found == name).then(|| value.to_owned())
        };
        let (index, value) = self
            .parameters
            .iter()
            .enumerate()
            .find_map(|(index, parameter)| Some((index, value(parameter)?)))?;
        self.parameters.remove(index);
        Some(value)
    }

    /// Whether it contains a password.
    pub fn has_password(&self) -> bool {
        self.password.is_some()
    }

    /// The URL with this password, which must not be escaped.
    ///
    /// # Errors
    /// If the URL contains a password already.
    pub fn with_password(
        mut self,
        password: &SecretString,
    ) -> Result<DatabaseUrl, DatabaseUrlError> {
        if self.has_password() {
            return Err(DatabaseUrlError::Both);
        }
        let escaped = url::form_urlencoded::byte_serialize(password.expose_secret().as_bytes());
        // A form encodes a blank as a plus, which is literal in a URL.
        let escaped = escaped.collect::<String>().replace('+', "%20");
        self.password = Some(escaped.into());
        Ok(self)
    }

    /// The whole URL with the password, for the database client only.
    pub fn expose_secret(&self) -> SecretString {
        let password = self.password.as_ref().map(ExposeSecret::expose_secret);
        self.written(password).into()
    }

    fn written(&self, password: Option<&str>) -> String {
        let credentials = match (self.user.as_deref(), password) {
            (None, None) => String::new(),
            (Some(user), None) => format!("{user}@"),
            (user, Some(password)) => format!("{}:{password}@", user.unwrap_or_default()),
        };
        let DatabaseUrl { scheme, hosts, database, parameters, .. } = self;
        let mark = if parameters.is_empty() { "" } else { "?" };
        format!("{scheme}{credentials}{hosts}/{database}{mark}{}", parameters.join("&"))
    }
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<DatabaseUrl, DatabaseUrlError> {
        let begins = |scheme: &&str| text.starts_with(scheme);
        let scheme = SCHEMES.into_iter().find(begins).ok_or(DatabaseUrlError::Malformed)?;
        let text = &text[scheme.len()..];
        let (credentials, rest) = match text.split_once('@') {
            Some((credentials, rest)) => (Some(credentials), rest),
            None => (None, text),
        };
        // A password that is not percent-encoded could be mistaken for a host, and be displayed.
        let unclear = |text: &str| text.contains(['@', '/', '?', '#', ' ']);
        if credentials.is_some_and(unclear) || rest.contains(['@', '#']) {
            return Err(DatabaseUrlError::Unclear);
        }
        if rest.contains(char::is_whitespace) || rest.contains(char::is_control) {
            return Err(DatabaseUrlError::Malformed);
        }
        let (user, password) = match credentials.map(|both| both.split_once(':')) {
            Some(Some((_, password))) if password.contains(':') => {
                return Err(DatabaseUrlError::Unclear);
            }
            Some(Some((user, password))) => (Some(user), Some(password)),
            Some(None) => (credentials, None),
            None => (None, None),
        };
        let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let mut names = parameters.split('&').filter_map(|parameter| parameter.split('=').next());
        if names.any(|name| name.to_ascii_lowercase().contains("pass") || name.contains('%')) {
            return Err(DatabaseUrlError::Parameter);
        }
        let (hosts, database) = place.split_once('/').unwrap_or((place, ""));
        if database.is_empty() {
            return Err(DatabaseUrlError::NoDatabase);
        }
        let set = |text: &&str| !text.is_empty();
        Ok(DatabaseUrl {
            scheme,
            user: user.filter(set).map(str::to_owned),
            password: password.filter(set).map(SecretString::from),
            hosts: hosts.to_owned(),
            database: database.to_owned(),
            parameters: parameters.split('&').filter(set).map(str::to_owned).collect(),
        })
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written(None))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PartialEq for DatabaseUrl {
    fn eq(&self, other: &DatabaseUrl) -> bool {
        let secret = |url: &DatabaseUrl| url.expose_secret().expose_secret().to_owned();
        secret(self) == secret(other)
    }
}

impl Eq for DatabaseUrl {}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> DatabaseUrl {
        text.parse().unwrap()
    }

    fn error(text: &str) -> DatabaseUrlError {
        text.parse::<DatabaseUrl>().unwrap_err()
    }

    #[test]
    fn an_address_is_shown_without_its_password() {
        let whole = "postgres://me:s3cret@db.example:5432/night?sslmode=verify-full";
        let address = address(whole);
        let shown = "postgres://me@db.example:5432/night?sslmode=verify-full";
        assert_eq!((address.to_string(), format!("{address:?}")), (shown.into(), shown.into()));
        assert_eq!(address.expose_secret().expose_secret(), whole);
    }

    #[test]
    fn hosts_and_sockets_are_left_as_they_are() {
        for text in [
            "postgresql://a:5432,b:5433/night?target_session_attrs=read-write",
            "postgres:///night?host=/run/postgresql",
            "postgres://me@%2Frun%2Fpostgresql/night",
        ] {
            assert_eq!(address(text).to_string(), text);
        }
    }

    #[test]
    fn a_password_of_its_own_is_put_in_whatever_is_in_it() {
        let with = |password: &str| {
            let whole = address("postgres://me@db/night").with_password(&password.into()).unwrap();
            assert_eq!(whole.to_string(), "postgres://me@db/night");
            whole.expose_secret().expose_secret().to_owned()
        };
        assert_eq!(with("s3cret"), "postgres://me:s3cret@db/night");
        assert_eq!(with("a b@c/d+%:ä"), "postgres://me:a%20b%40c%2Fd%2B%25%3A%C3%A4@db/night");
        let twice = address("postgres://me:a@db/night").with_password(&"b".into());
        assert_eq!(twice, Err(DatabaseUrlError::Both));
    }

    #[test]
    fn where_it_is_not_clear_what_is_the_password_the_address_is_refused() {
        for text in ["me:s3@cret@db/night", "me:s3/cret@db/night", "me:s3?c@db", "me:s3#c@db"] {
            assert_eq!(error(&format!("postgres://{text}")), DatabaseUrlError::Unclear, "{text}");
        }
        assert_eq!(error("postgres://me:s3:cret@db/night"), DatabaseUrlError::Unclear);
        assert_eq!(error("postgres://db/night?password=s3cret"), DatabaseUrlError::Parameter);
        assert_eq!(error("postgres://db/night?p%61ssword=s3cret"), DatabaseUrlError::Parameter);
        assert_eq!(error("postgres://db/the night"), DatabaseUrlError::Malformed);
        assert_eq!(error("postgres://me@db"), DatabaseUrlError::NoDatabase);
    }

    #[test]
    fn anything_else_is_no_address() {
        for text in ["night.db", "/srv/postgres", "postgres:", "redis://me:s3cret@host/db"] {
            assert!(!DatabaseUrl::has_scheme(text), "{text}");
            assert_eq!(error(text), DatabaseUrlError::Malformed, "{text}");
        }
    }

    #[test]
    fn what_messages_call_it_has_neither_user_nor_password_nor_parameters() {
        let url = address("postgresql://ada:secret@db1:5432,db2/night?sslmode=disable");
        assert_eq!(url.without_user(), "postgres://db1:5432,db2/night");
    }

    #[test]
    fn a_parameter_is_taken_out_and_the_others_stay() {
        let mut url = address("postgres://db/night?a=1&sslmode=disable&b=2%2F");
        assert_eq!(url.take_parameter("sslmode").as_deref(), Some("disable"));
        assert_eq!(url.take_parameter("sslmode"), None);
        assert_eq!(url.to_string(), "postgres://db/night?a=1&b=2%2F");
        assert_eq!(url.take_parameter("b").as_deref(), Some("2%2F"));
        assert_eq!(url.take_parameter("a").as_deref(), Some("1"));
        assert_eq!(url.to_string(), "postgres://db/night");
    }
}
