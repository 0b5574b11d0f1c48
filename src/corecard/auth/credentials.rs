//! The credentials that calls carry now. Those that come from a token server or a
//! command can be renewed while calls are under way.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::Auth;
use super::auth_headers::Carried;
use super::command::TokenCommand;
use super::header;
use super::oauth2::OAuth2;
use super::token::TokenError;
use crate::corecard::client::ClientError;
use crate::corecard::connector::Network;

/// The credentials that calls carry now. They are never shown.
#[derive(Debug)]
pub struct Credentials {
    carried: RwLock<Arc<Carried>>,
    source: Source,
}

/// Where new ones come from.
#[derive(Debug)]
enum Source {
    /// Nowhere: these are all there are.
    None,
    TokenServer(Box<OAuth2>, reqwest::Client),
    Command(TokenCommand),
}

impl Credentials {
    /// Credentials of this kind. Those that are fetched are not there before
    /// they are.
    ///
    /// # Errors
    /// When the way to the token server cannot be set up.
    pub fn new(auth: &Auth, network: &Network) -> Result<Credentials, ClientError> {
        let source = match auth {
            Auth::OAuth2(client) => {
                let http = network.client(client.token_url())?;
                Source::TokenServer(Box::new(client.clone()), http)
            }
            Auth::Command(command) => Source::Command(command.clone()),
            Auth::None | Auth::Headers(_) | Auth::Basic { .. } | Auth::Bearer(_) => Source::None,
        };
        let password = match auth {
            Auth::Basic { password, .. } => Some(password.clone()),
            _ => None,
        };
        let carried = RwLock::new(Arc::new(Carried::new(auth.headers(), password)));
        Ok(Credentials { carried, source })
    }

    /// Whether new ones can be fetched.
    pub fn are_renewable(&self) -> bool {
        !matches!(self.source, Source::None)
    }

    /// Fetches new ones, which every call carries from then on, and says how long
    /// they last, where that is known. Without a source, it does nothing.
    ///
    /// # Errors
    /// When none can be had; calls go on to carry those before.
    pub async fn fetch(&self) -> Result<Option<Duration>, TokenError> {
        let token = match &self.source {
            Source::None => return Ok(None),
            Source::TokenServer(client, http) => client.fetch(http).await?,
            Source::Command(command) => command.fetch().await?,
        };
        let value = header::bearer(&token.text);
        let value =
            value.ok_or_else(|| TokenError::for_good("the token fits in no header".to_owned()))?;
        let renewed = Arc::new(self.carried().with_token(value));
        *self.carried.write().unwrap_or_else(PoisonError::into_inner) = renewed;
        Ok(token.lifetime)
    }

    /// What a call carries now.
    pub(in crate::corecard) fn carried(&self) -> Arc<Carried> {
        Arc::clone(&self.carried.read().unwrap_or_else(PoisonError::into_inner))
    }
}
