//! Connects to servers: TCP, directly or through the proxy, and TLS.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tower_service::Service;
use url::Url;

use super::error::ClientError;
use super::proxy::Proxy;
use super::tls::Tls;

/// How this program names itself.
pub(super) const USER_AGENT: &str = concat!("cardcancel/", env!("CARGO_PKG_VERSION"));

/// TLS and the proxy, for connections to any server.
#[derive(Debug, Clone, Default)]
pub struct NetworkConfig {
    /// TLS beside what the system has.
    pub tls: Tls,
    /// What https goes through.
    pub proxy: Option<Proxy>,
}

impl NetworkConfig {
    /// Makes the connections to this address, and no unencrypted ones if it is https.
    pub(super) fn connector(&self, url: &Url) -> Result<ApiConnector, ClientError> {
        let is_https = url.scheme() == "https";
        let connector = HttpsConnectorBuilder::new().with_tls_config(self.tls(is_https)?);
        let connector = if is_https { connector.https_only() } else { connector.https_or_http() };
        Ok(connector.enable_http1().wrap_connector(self.route(url)))
    }

    /// Makes the TCP connections to this address.
    pub(super) fn route(&self, url: &Url) -> Route {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        match self.proxy_to(url) {
            Some(proxy) => Route::Tunnel(proxy.tunnel(tcp)),
            None => Route::Direct(tcp),
        }
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

    /// The proxy for connections to this address, if there is one. Connections within this
    /// machine do not use it.
    pub(super) fn proxy_to(&self, url: &Url) -> Option<&Proxy> {
        self.proxy.as_ref().filter(|_| url.scheme() == "https")
    }

    /// Without https, nothing is asked of the system's authorities: there may be none.
    fn tls(&self, is_https: bool) -> Result<ClientConfig, rustls::Error> {
        if is_https { self.tls.config() } else { Tls::unused() }
    }
}

/// Makes connections for calls: TCP, and TLS for https.
pub(super) type ApiConnector = HttpsConnector<Route>;

type BoxError = Box<dyn Error + Send + Sync>;

/// Makes TCP connections.
#[derive(Clone)]
pub(super) enum Route {
    /// To the server itself.
    Direct(HttpConnector),
    /// Through a proxy that tunnels to the server.
    Tunnel(Tunnel<HttpConnector>),
}

impl Service<Uri> for Route {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self {
            Route::Direct(tcp) => tcp.poll_ready(context).map_err(Into::into),
            Route::Tunnel(tunnel) => tunnel.poll_ready(context).map_err(Into::into),
        }
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        match self {
            Route::Direct(tcp) => {
                let connecting = tcp.call(to);
                Box::pin(async move { Ok(connecting.await?) })
            }
            Route::Tunnel(tunnel) => {
                let connecting = tunnel.call(to);
                Box::pin(async move { Ok(connecting.await?) })
            }
        }
    }
}
