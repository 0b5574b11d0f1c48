//! How any server is reached: TLS and the proxy.

use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::ClientConfig;
use url::Url;

use super::client::ClientError;
use super::connection::Connector;
use super::proxy::Proxy;
use super::route::Route;
use super::tls::Tls;

/// How this program names itself.
pub(super) const USER_AGENT: &str = concat!("cardcancel/", env!("CARGO_PKG_VERSION"));

/// How any server is reached.
#[derive(Debug, Clone, Default)]
pub struct Network {
    /// TLS beside what the system has.
    pub tls: Tls,
    /// What https goes through.
    pub proxy: Option<Proxy>,
}

impl Network {
    /// Makes the connections to this address, and no unencrypted ones if it is https.
    pub(super) fn connector(&self, url: &Url) -> Result<Connector, ClientError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let is_https = url.scheme() == "https";
        let route = match self.proxy_to(url) {
            Some(proxy) => Route::Proxied(proxy.tunnel(tcp)),
            None => Route::Straight(tcp),
        };
        let connector = HttpsConnectorBuilder::new().with_tls_config(self.tls(is_https)?);
        let connector = if is_https { connector.https_only() } else { connector.https_or_http() };
        Ok(connector.enable_http1().wrap_connector(route))
    }

    /// A client for the few requests to other servers, such as one that gives tokens.
    pub(super) fn client(&self, url: &Url) -> Result<reqwest::Client, ClientError> {
        let is_https = url.scheme() == "https";
        let client = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .tls_backend_preconfigured(self.tls(is_https)?)
            .https_only(is_https)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy();
        let client = match self.proxy_to(url) {
            Some(proxy) => client.proxy(proxy.all()?),
            None => client,
        };
        Ok(client.build()?)
    }

    /// The proxy on the way to this address, if there is one: what does not leave this
    /// machine does not go through it.
    pub(super) fn proxy_to(&self, url: &Url) -> Option<&Proxy> {
        self.proxy.as_ref().filter(|_| url.scheme() == "https")
    }

    /// Without https, nothing is asked of the system's authorities: there may be none.
    fn tls(&self, is_https: bool) -> Result<ClientConfig, rustls::Error> {
        if is_https { self.tls.config() } else { Tls::unused() }
    }
}
