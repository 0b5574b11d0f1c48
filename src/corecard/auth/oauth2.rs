//! A token from a token server: the client credentials grant of RFC 6749.

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use url::{Url, form_urlencoded};

use super::error::AuthError;
use super::header;
use super::secret::{EnvLookup, secret};
use super::token::{Token, TokenError};
use super::token_answer::{TokenServer, may_pass};
use crate::corecard::response;
use crate::corecard::url_policy::{has_userinfo, is_encrypted_or_loopback};

/// The variable of the secret that goes with `client_id`.
const CLIENT_SECRET: &str = "CARDCANCEL_OAUTH2_CLIENT_SECRET";
const SERVER: TokenServer = TokenServer { name: "the token server", check: "token_url" };
/// The error codes of RFC 6749, and what to do about each; other codes are not repeated.
const ERRORS: [(&str, &str); 6] = [
    ("invalid_request", "check scope and audience"),
    ("invalid_client", "check client_id, client_auth and CARDCANCEL_OAUTH2_CLIENT_SECRET"),
    ("invalid_grant", NOT_ALLOWED),
    ("unauthorized_client", NOT_ALLOWED),
    ("unsupported_grant_type", NOT_ALLOWED),
    ("invalid_scope", "check scope"),
];
const NOT_ALLOWED: &str = "allow this client_id the client credentials grant there";

/// A client of a token server. It never shows its secret.
#[derive(Debug, Clone)]
pub struct OAuth2 {
    token_url: Url,
    client_id: String,
    client_secret: SecretString,
    client_auth: ClientAuth,
    scope: Option<String>,
    audience: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OAuth2Table {
    token_url: String,
    client_id: String,
    #[serde(default)]
    client_auth: ClientAuth,
    scope: Option<String>,
    audience: Option<String>,
}

/// Where the client's name and secret stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ClientAuth {
    /// In the Authorization header.
    #[default]
    Basic,
    /// In the form.
    Body,
}

impl OAuth2 {
    pub(super) fn new(table: OAuth2Table, variable: EnvLookup) -> Result<OAuth2, AuthError> {
        let OAuth2Table { token_url, client_id, client_auth, scope, audience } = table;
        Ok(OAuth2 {
            token_url: token_address(&token_url).map_err(|why| AuthError::Table(why.to_owned()))?,
            client_id,
            client_secret: secret(CLIENT_SECRET, variable)?,
            client_auth,
            scope,
            audience,
        })
    }

    /// Where tokens come from.
    pub(super) fn token_url(&self) -> &Url {
        &self.token_url
    }

    /// Asks for a token, once.
    pub(super) async fn fetch(&self, http: &reqwest::Client) -> Result<Token, TokenError> {
        let mut request = http
            .post(self.token_url.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json");
        if self.client_auth == ClientAuth::Basic {
            // RFC 6749 has both encoded, so that neither can hold a colon.
            let secret = SecretString::from(encoded(self.client_secret.expose_secret()));
            if let Some(pair) = header::basic(&encoded(&self.client_id), &secret) {
                request = request.header(AUTHORIZATION, pair);
            }
        }
        let (http_status, answer) = SERVER.answer(request.body(self.form())).await?;
        match http_status {
            200..300 => token(&answer, Timestamp::now()),
            _ => Err(refused(http_status, &answer)),
        }
    }

    fn form(&self) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        if self.client_auth == ClientAuth::Body {
            form.append_pair("client_id", &self.client_id);
            form.append_pair("client_secret", self.client_secret.expose_secret());
        }
        self.scope.iter().for_each(|scope| {
            form.append_pair("scope", scope);
        });
        self.audience.iter().for_each(|audience| {
            form.append_pair("audience", audience);
        });
        form.finish()
    }
}

/// No message repeats the address: it may hold a password.
fn token_address(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "token_url is not an address: write https://…")?;
    if has_userinfo(&url) {
        return Err("token_url holds a user name or password: take them out, and set client_id");
    }
    if is_encrypted_or_loopback(&url) {
        Ok(url)
    } else {
        Err("token_url would send the secret unencrypted: use https (http only to this machine)")
    }
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn token(answer: &[u8], now: Timestamp) -> Result<Token, TokenError> {
    let json: Value = serde_json::from_slice(response::json(answer))
        .map_err(|_| SERVER.for_good("answered, but not with JSON: check token_url"))?;
    let kind = json.get("token_type").and_then(Value::as_str);
    if kind.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(SERVER.for_good(
            "answered with a token that is not a bearer token: configure it to issue bearer tokens, since no others can be sent",
        ));
    }
    Token::from_json(&json, now)
        .ok_or_else(|| SERVER.for_good("answered without an access_token: check token_url"))
}

fn refused(http_status: u16, answer: &[u8]) -> TokenError {
    let json: Option<Value> = serde_json::from_slice(response::json(answer)).ok();
    let error_code = json.as_ref().and_then(|json| json.get("error")?.as_str());
    let why = match error_code
        .and_then(|error_code| ERRORS.into_iter().find(|(known, _)| *known == error_code))
    {
        Some((error, check)) => format!("answered HTTP {http_status}, {error}: {check}"),
        None => format!("answered HTTP {http_status}: check token_url"),
    };
    if may_pass(http_status) { SERVER.for_now(&why) } else { SERVER.for_good(&why) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    fn client(table: &str) -> OAuth2 {
        let variable = |name: &str| (name == CLIENT_SECRET).then(|| "s&cret".into());
        OAuth2::new(toml::from_str(table).unwrap(), &variable).unwrap()
    }

    #[test]
    fn the_form_holds_the_secret_only_if_that_is_asked_for() {
        let table = "token_url='https://a'\nclient_id='me'\nscope='a b'\naudience='https://c'";
        assert_snapshot!(client(table).form(), @"grant_type=client_credentials&scope=a+b&audience=https%3A%2F%2Fc");
        let table = "token_url='https://a'\nclient_id='me'\nclient_auth='body'";
        assert_snapshot!(client(table).form(), @"grant_type=client_credentials&client_id=me&client_secret=s%26cret");
    }

    #[test]
    fn the_token_url_is_https_or_this_machine_and_is_never_repeated() {
        assert!(token_address("https://id.example.com/token?version=2").is_ok());
        assert!(token_address("http://127.0.0.1:8080/token").is_ok());
        assert_snapshot!(token_address("http://id.example.com").unwrap_err(), @"token_url would send the secret unencrypted: use https (http only to this machine)");
        assert_snapshot!(token_address("https://me:s3cret@id.example.com").unwrap_err(), @"token_url holds a user name or password: take them out, and set client_id");
        assert_snapshot!(token_address("id.example.com").unwrap_err(), @"token_url is not an address: write https://…");
    }

    #[test]
    fn only_a_bearer_token_is_taken() {
        let now = Timestamp::UNIX_EPOCH;
        let taken = |answer: &str| token(answer.as_bytes(), now);
        assert!(taken(r#"{"access_token":"t","token_type":"bearer","expires_in":60}"#).is_ok());
        let error = |answer: &str| taken(answer).unwrap_err();
        assert_snapshot!(error(r#"{"access_token":"t","token_type":"mac"}"#), @"the token server answered with a token that is not a bearer token: configure it to issue bearer tokens, since no others can be sent");
        assert_snapshot!(error("{}"), @"the token server answered without an access_token: check token_url");
        assert_snapshot!(error("<html>"), @"the token server answered, but not with JSON: check token_url");
    }

    #[test]
    fn a_refusal_is_reported_in_the_standards_words_alone() {
        let describe = |answer: &str| refused(401, answer.as_bytes());
        assert_snapshot!(describe(r#"{"error":"invalid_client"}"#), @"the token server answered HTTP 401, invalid_client: check client_id, client_auth and CARDCANCEL_OAUTH2_CLIENT_SECRET");
        assert_snapshot!(describe(r#"{"error":"invalid_scope"}"#), @"the token server answered HTTP 401, invalid_scope: check scope");
        assert_snapshot!(describe(r#"{"error":"your secret s&cret"}"#), @"the token server answered HTTP 401: check token_url");
    }
}
