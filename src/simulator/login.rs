//! The login: issues tokens, and knows which calls carry one that holds.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::head::TOKEN;
use super::login_behavior::LoginBehavior;
use super::request::{self, LoginRequest};
use super::response::Response;
use super::settings::SimulatorSettings;

/// How long a token lasts, unless the settings say otherwise.
const LIFETIME: Duration = Duration::from_secs(1800);
/// How the text of a refresh token begins; its number follows.
const REFRESH_TOKEN: &str = "simulator-refresh-";

/// The tokens that were issued.
#[derive(Debug)]
pub(super) struct Logins {
    behavior: LoginBehavior,
    lifetime: Duration,
    is_required: bool,
    /// When each token expires, in nanoseconds since 1970.
    expiries: Mutex<Vec<u64>>,
}

impl Logins {
    pub(super) fn new(settings: &SimulatorSettings) -> Logins {
        Logins {
            behavior: settings.login,
            lifetime: settings
                .token_lifetime
                .map_or(LIFETIME, |seconds| Duration::from_secs(seconds.into())),
            is_required: settings.require_login,
            expiries: Mutex::default(),
        }
    }

    /// Whether a call with this token, or with none, is accepted at this time.
    pub(super) fn accepts(&self, token: Option<u32>, at: u64) -> bool {
        let Some(token) = token else { return !self.is_required };
        let expiries = self.expiries.lock().unwrap_or_else(PoisonError::into_inner);
        expiries.get(token as usize).is_some_and(|expiry| at < *expiry)
    }

    /// The answer to a login.
    pub(super) fn log_in(&self, at: u64, body: &[u8]) -> Response {
        let request = match request::read_login(body) {
            Ok(request) => request,
            Err(message) => return refused("400 Bad Request", "SIMULATOR_BAD_REQUEST", &message),
        };
        let is_refresh = matches!(request, LoginRequest::Refresh(_));
        match self.behavior {
            LoginBehavior::WrongPassword => {
                refused("401 Unauthorized", "SIMULATOR_WRONG_PASSWORD", "Wrong User or Password")
            }
            LoginBehavior::StatusFalse => {
                refused("200 OK", "SIMULATOR_LOGIN_REFUSED", "Login Not Possible")
            }
            LoginBehavior::RefuseRefresh if is_refresh => {
                refused("200 OK", "SIMULATOR_REFRESH_REFUSED", "Session Has Ended")
            }
            _ => match request {
                LoginRequest::Refresh(token) if !self.has_issued(&token) => {
                    refused("200 OK", "SIMULATOR_REFRESH_REFUSED", "No Such Session")
                }
                _ => self.issue(at),
            },
        }
    }

    fn has_issued(&self, refresh_token: &str) -> bool {
        let number =
            refresh_token.strip_prefix(REFRESH_TOKEN).and_then(|n| n.parse::<usize>().ok());
        let expiries = self.expiries.lock().unwrap_or_else(PoisonError::into_inner);
        number.is_some_and(|number| number < expiries.len())
    }

    fn issue(&self, at: u64) -> Response {
        let lifetime = match self.behavior {
            LoginBehavior::ExpiredToken => 0,
            _ => u64::try_from(self.lifetime.as_nanos()).unwrap_or(u64::MAX),
        };
        let mut expiries = self.expiries.lock().unwrap_or_else(PoisonError::into_inner);
        let number = expiries.len();
        expiries.push(at.saturating_add(lifetime));
        let content = json!({
            "AccessToken": format!("{TOKEN}{number}"),
            "RefreshToken": format!("{REFRESH_TOKEN}{number}"),
            "ExpiresIn": self.lifetime.as_secs(),
        });
        answer("200 OK", "Token Generated Successfully", None, content)
    }
}

fn refused(status: &'static str, code: &str, message: &str) -> Response {
    answer(status, message, Some(code), Value::Null)
}

fn answer(status: &'static str, message: &str, code: Option<&str>, content: Value) -> Response {
    let body = json!({
        "Message": message, "Status": code.is_none(), "ErrorCode": code, "ResponseData": content
    });
    Response::Login(status, body.to_string())
}
