//! How any server is reached: TLS and the proxy.

use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::connect::HttpConnector;
use url::Url;

use super::client::ClientError;
use super::connection::Connector;
use super::proxy::Proxy;
use super::route::Route;
use super::tls::Tls;

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
        let route = match &self.proxy {
            // What does not leave this machine does not go through the proxy either.
            Some(proxy) if is_https => Route::Proxied(proxy.tunnel(tcp)),
            _ => Route::Straight(tcp),
        };
        let connector = HttpsConnectorBuilder::new().with_tls_config(self.tls.config()?);
        let connector = if is_https { connector.https_only() } else { connector.https_or_http() };
        Ok(connector.enable_http1().wrap_connector(route))
    }
}
