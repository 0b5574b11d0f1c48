//! The proxy that calls go through, if they must.

use std::fmt;

use http::{HeaderValue, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use secrecy::ExposeSecret;
use url::Url;

use super::auth::header;
use super::auth::secret::{EnvLookup, SecretError, secret};
use super::url_policy::has_userinfo;

/// The variable of the user name at the proxy.
pub const USERNAME: &str = "CARDCANCEL_PROXY_USERNAME";
/// The variable of the password that goes with it.
pub const PASSWORD: &str = "CARDCANCEL_PROXY_PASSWORD";

/// A proxy for https. It never shows its password.
#[derive(Debug, Clone)]
pub struct Proxy {
    address: Uri,
    authorization: Option<HeaderValue>,
}

/// Why the proxy cannot be used. No message repeats its address: it may hold a
/// password.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// Not an address of a proxy.
    #[error("it is not the address of a proxy: write it as http://host:port")]
    Malformed,
    /// A user name or password in it.
    #[error(
        "it holds a user name or password: take them out, and set CARDCANCEL_PROXY_USERNAME and CARDCANCEL_PROXY_PASSWORD"
    )]
    Credentials,
    /// A user name that cannot be sent.
    #[error("the user name in CARDCANCEL_PROXY_USERNAME holds a colon or a control character")]
    Username,
    /// A password without a user name, or one that cannot be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
}

impl Proxy {
    /// Reads the proxy's address, and its credentials from the environment.
    ///
    /// # Errors
    /// When the address is not one of a proxy, holds credentials, or a user name
    /// is set without its password.
    pub fn new(address: &str, variable: EnvLookup) -> Result<Proxy, ProxyError> {
        let url = Url::parse(address).map_err(|_| ProxyError::Malformed)?;
        if has_userinfo(&url) {
            return Err(ProxyError::Credentials);
        }
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if url.scheme() != "http" || !is_bare {
            return Err(ProxyError::Malformed);
        }
        let address = url.as_str().parse().map_err(|_| ProxyError::Malformed)?;
        Ok(Proxy { address, authorization: authorization(variable)? })
    }

    /// The same for reqwest, for whatever it sends.
    pub(super) fn all(&self) -> reqwest::Result<reqwest::Proxy> {
        let proxy = reqwest::Proxy::all(self.address.to_string())?;
        Ok(match &self.authorization {
            Some(authorization) => proxy.custom_http_auth(authorization.clone()),
            None => proxy,
        })
    }

    /// Where it is.
    pub(super) fn host_and_port(&self) -> (&str, u16) {
        (self.address.host().unwrap_or_default(), self.address.port_u16().unwrap_or(80))
    }

    /// Connections that the proxy passes on.
    pub(super) fn tunnel(&self, tcp: HttpConnector) -> Tunnel<HttpConnector> {
        let tunnel = Tunnel::new(self.address.clone(), tcp);
        match &self.authorization {
            Some(authorization) => tunnel.with_auth(authorization.clone()),
            None => tunnel,
        }
    }
}

impl fmt::Display for Proxy {
    /// Its address, which holds no credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.address.to_string().trim_end_matches('/'))
    }
}

/// The credentials for the proxy; `None` if neither variable is set.
fn authorization(variable: EnvLookup) -> Result<Option<HeaderValue>, ProxyError> {
    let (username, password) = (secret(USERNAME, variable), secret(PASSWORD, variable));
    let (username, password) = match (username, password) {
        (Err(SecretError::Missing(_)), Err(SecretError::Missing(_))) => return Ok(None),
        (username, password) => (username?, password?),
    };
    if username.expose_secret().contains(':') {
        return Err(ProxyError::Username);
    }
    header::basic(username.expose_secret(), &password).ok_or(ProxyError::Username).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    fn proxy(address: &str, variables: &[(&str, &str)]) -> Result<Proxy, ProxyError> {
        Proxy::new(address, &|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, text)| text.into())
        })
    }

    fn error(address: &str, variables: &[(&str, &str)]) -> String {
        proxy(address, variables).unwrap_err().to_string()
    }

    #[test]
    fn its_credentials_are_never_in_its_address_and_never_shown() {
        assert_snapshot!(error("http://me:s3cret@proxy:3128", &[]), @"it holds a user name or password: take them out, and set CARDCANCEL_PROXY_USERNAME and CARDCANCEL_PROXY_PASSWORD");
        let proxy = proxy("http://proxy:3128", &[(USERNAME, "me"), (PASSWORD, "s3cret")]).unwrap();
        assert_eq!(proxy.authorization.as_ref().unwrap().as_bytes(), b"Basic bWU6czNjcmV0");
        assert!(!format!("{proxy:?}").contains("bWU6czNjcmV0"));
    }

    #[test]
    fn a_user_name_needs_a_password() {
        assert!(proxy("http://proxy:3128", &[]).unwrap().authorization.is_none());
        assert_snapshot!(error("http://proxy:3128", &[(USERNAME, "me")]), @"the secret is missing: set CARDCANCEL_PROXY_PASSWORD, or CARDCANCEL_PROXY_PASSWORD_FILE to the path of a file that holds it");
        assert_snapshot!(error("http://proxy:3128", &[(USERNAME, "a:b"), (PASSWORD, "s")]), @"the user name in CARDCANCEL_PROXY_USERNAME holds a colon or a control character");
    }

    #[test]
    fn an_address_of_anything_else_is_refused() {
        for address in ["proxy:3128", "https://proxy:1080", "http://proxy/path", "http://p/?a=1"] {
            assert_eq!(error(address, &[]), ProxyError::Malformed.to_string(), "{address}");
        }
    }
}
