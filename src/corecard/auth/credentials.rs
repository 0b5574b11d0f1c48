//! The current credentials of calls. Those from a token server or a command can be refreshed
//! while calls are in flight.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use http::header::AUTHORIZATION;
use url::Url;

use super::Auth;
use super::auth_headers::AuthHeaders;
use super::command::TokenCommand;
use super::corecard::LoginClient;
use super::header;
use super::oauth2::OAuth2;
use super::token::TokenError;
use crate::corecard::body_template::BodyTemplate;
use crate::corecard::connector::NetworkConfig;
use crate::corecard::error::ClientError;

/// The current credentials of calls. They are never shown.
#[derive(Debug)]
pub struct Credentials {
    headers: RwLock<Arc<AuthHeaders>>,
    source: TokenSource,
}

/// Where new ones come from.
#[derive(Debug)]
enum TokenSource {
    /// Nowhere: these are all there are.
    None,
    TokenServer(Box<OAuth2>, reqwest::Client),
    Login(Box<LoginClient>),
    Command(TokenCommand),
}

impl Credentials {
    /// Credentials of this kind, for the calls of a run to CoreCARD at this base address. Those
    /// that are fetched are not there before they are.
    ///
    /// # Errors
    /// When the way to the token server cannot be set up.
    pub fn new(
        auth: &Auth,
        network: &NetworkConfig,
        base: &Url,
        body: &BodyTemplate,
        run: &str,
    ) -> Result<Credentials, ClientError> {
        let source = match auth {
            Auth::OAuth2(client) => {
                let http = network.client(client.token_url())?;
                TokenSource::TokenServer(Box::new(client.clone()), http)
            }
            Auth::CoreCard(login) => {
                let client = LoginClient::new(login.clone(), network, base, body, run)?;
                TokenSource::Login(Box::new(client))
            }
            Auth::Command(command) => TokenSource::Command(command.clone()),
            Auth::None | Auth::Headers(_) | Auth::Basic { .. } | Auth::Bearer(_) => {
                TokenSource::None
            }
        };
        let password = match auth {
            Auth::Basic { password, .. } => Some(password.clone()),
            _ => None,
        };
        let headers = RwLock::new(Arc::new(AuthHeaders::new(auth.headers(), password)));
        Ok(Credentials { headers, source })
    }

    /// Whether new ones can be fetched.
    pub fn can_refresh(&self) -> bool {
        !matches!(self.source, TokenSource::None)
    }

    /// Fetches new ones, which every call carries from then on, and returns how long
    /// they last, if that is known. Without a source, it does nothing.
    ///
    /// # Errors
    /// When none can be had; calls go on to carry those before.
    pub async fn fetch(&self) -> Result<Option<Duration>, TokenError> {
        let token = match &self.source {
            TokenSource::None => return Ok(None),
            TokenSource::TokenServer(client, http) => client.fetch(http).await?,
            TokenSource::Login(client) => client.fetch().await?,
            TokenSource::Command(command) => command.fetch().await?,
        };
        let header = match &self.source {
            TokenSource::Login(client) => client.header(&token),
            _ => header::bearer(&token.text).map(|value| (AUTHORIZATION, value)),
        };
        let header = header.ok_or_else(|| {
            TokenError::for_good("the token cannot be sent in a header".to_owned())
        })?;
        let renewed = Arc::new(AuthHeaders::new([header], Some(token.text)));
        *self.headers.write().unwrap_or_else(PoisonError::into_inner) = renewed;
        Ok(token.lifetime)
    }

    /// What a call carries now.
    pub(in crate::corecard) fn auth_headers(&self) -> Arc<AuthHeaders> {
        Arc::clone(&self.headers.read().unwrap_or_else(PoisonError::into_inner))
    }
}
