//! CoreCARD's own login: a token for a user ID and a password, and a new one for a refresh token.

use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use url::Url;

use super::auth_headers::AuthHeaders;
use super::error::AuthError;
use super::header::sensitive;
use super::secret::{EnvLookup, secret};
use super::token::{LifetimeUnit, Token, TokenError};
use super::token_answer::{TokenServer, may_pass};
use super::values::{duration, header_name};
use crate::corecard::body_template::BodyTemplate;
use crate::corecard::connector::NetworkConfig;
use crate::corecard::error::ClientError;
use crate::corecard::response;
use crate::model::ResponseBody;

/// The variable of the password that goes with `user_id`.
pub(super) const PASSWORD: &str = "CARDCANCEL_CORECARD_PASSWORD";
/// The longest user ID that CoreCARD takes, in characters.
const LONGEST_USER_ID: usize = 40;
/// The longest password that CoreCARD takes, in characters.
const LONGEST_PASSWORD: usize = 32;

/// The login's path under the base URL, as CoreCARD publishes it.
const PATH: &str = "/api/CoreCredit/Token/Token";
// The answer's fields are not published. Every answer of CoreCARD has its content in
// `ResponseData`, and the request calls the two tokens `AccessToken` and `RefreshToken`.
const TOKEN: &str = "/ResponseData/AccessToken";
const REFRESH_TOKEN: &str = "/ResponseData/RefreshToken";
const LIFETIME: &str = "/ResponseData/ExpiresIn";
/// How tokens of this kind are sent nearly everywhere (RFC 6750).
const PREFIX: &str = "Bearer ";

const SERVER: TokenServer =
    TokenServer { name: "CoreCARD's login", check: "url, and path in [auth]" };

/// How to log in to CoreCARD. It never shows its password.
#[derive(Debug, Clone)]
pub struct CoreCardLogin {
    user_id: String,
    password: SecretString,
    path: String,
    /// JSON pointers into the answer.
    token_at: String,
    refresh_token_at: String,
    lifetime_at: String,
    lifetime_unit: LifetimeUnit,
    /// How long a token lasts if the answer does not say so.
    lifetime: Option<Duration>,
    header: HeaderName,
    prefix: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CoreCardTable {
    user_id: String,
    path: Option<String>,
    token_at: Option<String>,
    refresh_token_at: Option<String>,
    lifetime_at: Option<String>,
    lifetime_unit: Option<LifetimeUnit>,
    lifetime: Option<String>,
    header: Option<String>,
    prefix: Option<String>,
}

impl CoreCardTable {
    /// The same user at the simulator, which serves the defaults.
    pub(super) fn in_rehearsal(self) -> CoreCardTable {
        CoreCardTable { user_id: self.user_id, ..CoreCardTable::default() }
    }
}

impl CoreCardLogin {
    pub(super) fn new(
        table: CoreCardTable,
        variable: EnvLookup,
    ) -> Result<CoreCardLogin, AuthError> {
        let CoreCardTable { user_id, lifetime, lifetime_unit, .. } = table;
        refuse_length("user_id", &user_id, LONGEST_USER_ID)?;
        let header = table.header.map_or(Ok(AUTHORIZATION), |name| header_name(&name))?;
        let prefix = table.prefix.unwrap_or_else(|| PREFIX.to_owned());
        if sensitive(&prefix).is_none() {
            let why = "prefix holds a line break or another control character";
            return Err(AuthError::Table(why.to_owned()));
        }
        let login = CoreCardLogin {
            user_id,
            path: path(table.path)?,
            token_at: pointer("token_at", table.token_at, TOKEN)?,
            refresh_token_at: pointer("refresh_token_at", table.refresh_token_at, REFRESH_TOKEN)?,
            lifetime_at: pointer("lifetime_at", table.lifetime_at, LIFETIME)?,
            lifetime_unit: lifetime_unit.unwrap_or_default(),
            lifetime: lifetime.map(|text| duration("lifetime", &text)).transpose()?,
            header,
            prefix,
            password: secret(PASSWORD, variable)?,
        };
        refuse_length(PASSWORD, login.password.expose_secret(), LONGEST_PASSWORD)?;
        Ok(login)
    }
}

/// No message repeats the text, which may be a password.
fn refuse_length(what: &str, text: &str, most: usize) -> Result<(), AuthError> {
    let why = match text.chars().count() {
        0 => format!("{what} is empty: set it"),
        length if length > most => {
            format!("{what} is {length} characters long, and CoreCARD takes at most {most}")
        }
        _ => return Ok(()),
    };
    Err(AuthError::Table(why))
}

fn path(set: Option<String>) -> Result<String, AuthError> {
    let path = set.unwrap_or_else(|| PATH.to_owned());
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"?#".contains(&byte);
    if path.starts_with('/') && path.bytes().all(is_plain) {
        return Ok(path);
    }
    Err(AuthError::Table(format!("path: \"{path}\" is not a path below url: write it as {PATH}")))
}

fn pointer(name: &str, set: Option<String>, default: &str) -> Result<String, AuthError> {
    let pointer = set.unwrap_or_else(|| default.to_owned());
    if pointer.starts_with('/') {
        return Ok(pointer);
    }
    Err(AuthError::Table(format!(
        "{name}: \"{pointer}\" is not a JSON pointer: write it as {default}"
    )))
}

/// Logs in to CoreCARD, and remembers the refresh token between two logins.
#[derive(Debug)]
pub(super) struct LoginClient {
    login: CoreCardLogin,
    url: Url,
    http: reqwest::Client,
    envelope: BodyTemplate,
    run: String,
    session: Mutex<LoginSession>,
}

/// What earlier logins left behind.
#[derive(Debug, Default)]
struct LoginSession {
    refresh_token: Option<SecretString>,
    /// Why CoreCARD refused the login. It is not repeated: a user who logs in with a wrong
    /// password again and again is locked out.
    refused: Option<TokenError>,
}

/// What a login asks for.
#[derive(Clone, Copy)]
enum LoginGrant<'a> {
    AccessToken,
    RefreshToken(&'a SecretString),
}

/// What a login gives.
struct GrantedToken {
    token: Token,
    refresh_token: Option<SecretString>,
}

impl LoginClient {
    /// A login at CoreCARD's base address, in requests like those of this run.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(
        login: CoreCardLogin,
        network: &NetworkConfig,
        base: &Url,
        envelope: &BodyTemplate,
        run: &str,
    ) -> Result<LoginClient, ClientError> {
        let mut url = base.clone();
        url.set_path(&format!("{}{}", base.path().trim_end_matches('/'), login.path));
        Ok(LoginClient {
            http: network.client(&url)?,
            url,
            login,
            envelope: envelope.clone(),
            run: run.to_owned(),
            session: Mutex::default(),
        })
    }

    /// The header of a call that carries this token; `None` if no header can.
    pub fn header(&self, token: &Token) -> Option<(HeaderName, HeaderValue)> {
        let CoreCardLogin { header, prefix, .. } = &self.login;
        Some((header.clone(), sensitive(&format!("{prefix}{}", token.text.expose_secret()))?))
    }

    /// A token: for the refresh token, if there is one that is accepted; otherwise for the
    /// password.
    pub async fn fetch(&self) -> Result<Token, TokenError> {
        let mut session = self.session.lock().await;
        if let Some(refused) = &session.refused {
            return Err(refused.clone());
        }
        if let Some(refresh_token) = session.refresh_token.clone() {
            match self.ask(LoginGrant::RefreshToken(&refresh_token)).await {
                Ok(granted) => return Ok(session.keep(granted)),
                Err(why) if why.may_pass => return Err(why),
                Err(why) => {
                    session.refresh_token = None;
                    tracing::info!("the refresh token is not accepted, logging in again: {why}");
                }
            }
        }
        let granted = self.ask(LoginGrant::AccessToken).await.inspect_err(|why| {
            session.refused = (!why.may_pass).then(|| why.clone());
        })?;
        Ok(session.keep(granted))
    }

    async fn ask(&self, grant: LoginGrant<'_>) -> Result<GrantedToken, TokenError> {
        let request = self
            .http
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json")
            .body(self.body(grant, Timestamp::now()));
        let (http_status, answer) = SERVER.answer(request).await?;
        self.login.read(http_status, &answer, grant, Timestamp::now())
    }

    /// The fields that every request has, and those of a login. A refresh does not need the
    /// password, and so does not send it.
    fn body(&self, grant: LoginGrant<'_>, now: Timestamp) -> Vec<u8> {
        let CoreCardLogin { user_id, password, .. } = &self.login;
        let (kind, password, refresh_token) = match grant {
            LoginGrant::AccessToken => ("AccessToken", Some(password.expose_secret()), None),
            LoginGrant::RefreshToken(token) => ("RefreshToken", None, Some(token.expose_secret())),
        };
        let fields = [
            ("UserID", json!(user_id)),
            ("Password", json!(password)),
            ("GrantType", json!(kind)),
            ("RefreshToken", json!(refresh_token)),
        ];
        let mut body = self.envelope.render_envelope(&self.run, now);
        for (name, value) in fields {
            body.extend_from_slice(format!(",\"{name}\":{value}").as_bytes());
        }
        body.push(b'}');
        body
    }
}

impl LoginSession {
    /// Keeps the refresh token for later: the new one, if there is one.
    fn keep(&mut self, granted: GrantedToken) -> Token {
        if granted.refresh_token.is_some() {
            self.refresh_token = granted.refresh_token;
        }
        granted.token
    }
}

impl CoreCardLogin {
    /// Reads an answer. Nothing of it is repeated but CoreCARD's own code and message of a
    /// refusal, without the secrets that were sent.
    fn read(
        &self,
        http_status: u16,
        answer: &[u8],
        grant: LoginGrant<'_>,
        now: Timestamp,
    ) -> Result<GrantedToken, TokenError> {
        match response::read(answer, &self.secrets(grant)) {
            ResponseBody::Api { status: Some(false), error_code, message } => {
                let check = match grant {
                    LoginGrant::AccessToken => format!(": check user_id and {PASSWORD}"),
                    LoginGrant::RefreshToken(_) => String::new(),
                };
                let parts = [error_code, message];
                let why = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
                let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
                let what = format!(
                    "answered HTTP {http_status} with Status false{why}{check}"
                );
                // A password is not tried again and again, whatever the status.
                Err(match http_status {
                    429 | 503 => SERVER.for_now(&what),
                    _ => SERVER.for_good(&what),
                })
            }
            _ if may_pass(http_status) => {
                Err(SERVER.for_now(&format!("answered HTTP {http_status}")))
            }
            _ if !(200..300).contains(&http_status) => Err(SERVER.for_good(&match grant {
                LoginGrant::AccessToken => format!(
                    "answered HTTP {http_status}: check user_id, {PASSWORD} and path in [auth]"
                ),
                // The login that follows tells whether these are right.
                LoginGrant::RefreshToken(_) => format!("answered HTTP {http_status}"),
            })),
            ResponseBody::Unreadable(_) => {
                Err(SERVER.for_good("answered, but not with a JSON object: check path in [auth]"))
            }
            ResponseBody::Api { .. } => self.granted(answer, now).ok_or_else(|| {
                SERVER.for_good(&format!(
                    "answered without a token at {}: set token_at in [auth] to its place in the answer",
                    self.token_at
                ))
            }),
        }
    }

    fn granted(&self, answer: &[u8], now: Timestamp) -> Option<GrantedToken> {
        let json: Value = serde_json::from_slice(response::json(answer)).ok()?;
        let lifetime = json.pointer(&self.lifetime_at);
        let lifetime = lifetime.and_then(|value| self.lifetime_unit.read(value, now));
        let token =
            Token::new(json.pointer(&self.token_at)?.as_str()?, lifetime.or(self.lifetime))?;
        let refresh_token = json.pointer(&self.refresh_token_at).and_then(Value::as_str);
        let refresh_token = refresh_token.filter(|text| !text.is_empty()).map(SecretString::from);
        Some(GrantedToken { token, refresh_token })
    }

    /// What CoreCARD was sent and may repeat.
    fn secrets(&self, grant: LoginGrant<'_>) -> AuthHeaders {
        let sent = match grant {
            LoginGrant::AccessToken => &self.password,
            LoginGrant::RefreshToken(token) => token,
        };
        AuthHeaders::new([], Some(sent.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    fn login(more: &str) -> Result<CoreCardLogin, AuthError> {
        let table = format!("user_id = 'cardcancel'\n{more}");
        let variable = |name: &str| (name == PASSWORD).then(|| "s3cret-w0rd".into());
        CoreCardLogin::new(toml::from_str(&table).unwrap(), &variable)
    }

    fn read(more: &str, http_status: u16, answer: &str) -> Result<GrantedToken, TokenError> {
        let now = "2026-11-26T01:00:00Z".parse().unwrap();
        login(more).unwrap().read(http_status, answer.as_bytes(), LoginGrant::AccessToken, now)
    }

    fn granted(more: &str, answer: &str) -> (String, Option<String>, Option<u64>) {
        let Ok(GrantedToken { token, refresh_token }) = read(more, 200, answer) else {
            panic!("no token in {answer}")
        };
        let text = |text: SecretString| text.expose_secret().to_owned();
        (text(token.text), refresh_token.map(text), token.lifetime.map(|time| time.as_secs()))
    }

    fn error(http_status: u16, answer: &str) -> TokenError {
        read("", http_status, answer).err().unwrap()
    }

    #[test]
    fn a_token_stands_where_corecards_answers_have_their_content() {
        let answer = r#"{"Status":true,"ResponseData":{"AccessToken":"t0ken","RefreshToken":"again","ExpiresIn":600}}"#;
        let all = ("t0ken".to_owned(), Some("again".to_owned()), Some(600));
        assert_eq!(granted("", answer), all);
    }

    #[test]
    fn where_the_token_stands_and_how_its_lifetime_is_counted_can_be_set() {
        let places = "token_at = '/a/0/jwt'\nrefresh_token_at = '/r'\nlifetime_at = '/until'";
        let answer = |until: &str| format!(r#"{{"a":[{{"jwt":"t0ken"}}],"r":"","until":{until}}}"#);
        for (unit, until, lifetime) in [
            ("seconds", "60", Some(60)),
            ("minutes", "\"10\"", Some(600)),
            ("milliseconds", "60000", Some(60)),
            ("time", "\"2026-11-26T01:10:00Z\"", Some(600)),
            ("time", "\"tomorrow\"", None),
        ] {
            let more = format!("{places}\nlifetime_unit = '{unit}'");
            let all = ("t0ken".to_owned(), None, lifetime);
            assert_eq!(granted(&more, &answer(until)), all, "{unit}");
        }
        let more = format!("{places}\nlifetime = '10m'");
        assert_eq!(granted(&more, &answer("null")).2, Some(600));
    }

    #[test]
    fn a_refusal_repeats_corecards_code_and_message_without_the_secrets() {
        let no = r#"{"Status":false,"ErrorCode":"ERR00042","Message":"no user with s3cret-w0rd"}"#;
        assert_snapshot!(error(200, no), @"CoreCARD's login answered HTTP 200 with Status false (ERR00042, no user with [secret removed]): check user_id and CARDCANCEL_CORECARD_PASSWORD");
        assert!(!error(200, no).may_pass && !error(500, no).may_pass && error(503, no).may_pass);
        assert_snapshot!(error(401, ""), @"CoreCARD's login answered HTTP 401: check user_id, CARDCANCEL_CORECARD_PASSWORD and path in [auth]");
        assert_snapshot!(error(502, "t0ken"), @"CoreCARD's login answered HTTP 502");
        assert!(error(502, "").may_pass);
    }

    #[test]
    fn an_answer_without_a_token_names_the_setting_and_repeats_nothing() {
        assert_snapshot!(error(200, "t0ken"), @"CoreCARD's login answered, but not with a JSON object: check path in [auth]");
        assert_snapshot!(error(200, r#"{"Status":true,"ResponseData":{"Jwt":"t0ken"}}"#), @"CoreCARD's login answered without a token at /ResponseData/AccessToken: set token_at in [auth] to its place in the answer");
        assert!(read("", 200, r#"{"Status":true,"Status":false}"#).is_err());
    }

    #[test]
    fn what_corecard_would_not_take_is_refused() {
        let error = |more: &str| login(more).unwrap_err().to_string();
        assert_snapshot!(error("path = 'Token'"), @r#"path: "Token" is not a path below url: write it as /api/CoreCredit/Token/Token"#);
        assert_snapshot!(error("token_at = 'ResponseData.Token'"), @r#"token_at: "ResponseData.Token" is not a JSON pointer: write it as /ResponseData/AccessToken"#);
        assert_snapshot!(error("header = 'Host'"), @"Host is not a header for credentials");
        assert_snapshot!(error("lifetime = '10'"), @r#"lifetime: "10" is not a duration: write 10m or 30s"#);
        let user = |user_id: String, password: String| {
            let table = CoreCardTable { user_id, ..CoreCardTable::default() };
            CoreCardLogin::new(table, &|name| (name == PASSWORD).then(|| password.clone().into()))
        };
        assert!(user("é".repeat(40), "p".repeat(32)).is_ok());
        assert_snapshot!(user("u".repeat(41), "p".into()).unwrap_err(), @"user_id is 41 characters long, and CoreCARD takes at most 40");
        assert_snapshot!(user(String::new(), "p".into()).unwrap_err(), @"user_id is empty: set it");
        assert_snapshot!(user("u".into(), "p".repeat(33)).unwrap_err(), @"CARDCANCEL_CORECARD_PASSWORD is 33 characters long, and CoreCARD takes at most 32");
    }
}
