//! The way to a server: straight, or through a proxy.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

type Failed = Box<dyn Error + Send + Sync>;

/// Makes TCP connections.
#[derive(Clone)]
pub(super) enum Route {
    /// To the server itself.
    Straight(HttpConnector),
    /// To a proxy, which is asked to pass everything on to the server.
    Proxied(Tunnel<HttpConnector>),
}

impl Service<Uri> for Route {
    type Response = TokioIo<TcpStream>;
    type Error = Failed;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Failed>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        match self {
            Route::Straight(tcp) => tcp.poll_ready(context).map_err(Into::into),
            Route::Proxied(tunnel) => tunnel.poll_ready(context).map_err(Into::into),
        }
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        match self {
            Route::Straight(tcp) => {
                let connecting = tcp.call(to);
                Box::pin(async move { Ok(connecting.await?) })
            }
            Route::Proxied(tunnel) => {
                let connecting = tunnel.call(to);
                Box::pin(async move { Ok(connecting.await?) })
            }
        }
    }
}
