//! One call over HTTP. Nothing here repeats a request: reqwest's own retries,
//! redirects and the system's proxy are switched off, since every request must
//! be one that the ledger knows.

use std::error::Error;
use std::io;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Response, Url, redirect, retry, tls};

use super::reply;
use super::request::Fields;
use crate::ledger::Staked;
use crate::order::OwnCode;
use crate::outcome::{Body, Reply, Seen};

/// The call's path under the base URL.
const PATH: &str = "/api/CoreCredit/CardManagement/CancelPhysicalCardOrder";
/// The longest body that is read, in bytes.
const LONGEST_BODY: usize = 64 * 1024;
/// The longest wait for a connection. It always ends well before the whole call's,
/// so that a connection that was not made is not taken for an answer lost.
const LONGEST_CONNECT: Duration = Duration::from_secs(10);
/// Connections idle for longer are closed: servers and balancers drop theirs
/// after a while, and a request on a dropped one is a doubt.
const IDLE: Duration = Duration::from_secs(15);

/// How the calls reach CoreCARD.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The base URL: https, or http to loopback.
    pub endpoint: Url,
    /// The longest a call may take, connecting included.
    pub timeout: Duration,
    /// Connections kept open at most.
    pub connections: usize,
    /// Headers that carry the credentials, marked as sensitive.
    pub credentials: HeaderMap,
}

/// The HTTP client could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the HTTP client: {0}")]
pub struct ConnectionError(#[from] reqwest::Error);

/// CoreCARD, as one call.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    url: Url,
    fields: Fields,
    run: String,
}

impl Client {
    /// A client for one run.
    ///
    /// # Errors
    /// When TLS cannot be set up, for want of the system's root certificates.
    pub fn new(
        connection: Connection,
        fields: Fields,
        run: String,
    ) -> Result<Client, ConnectionError> {
        // Another part of the process may have chosen a provider first: any will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut headers = connection.credentials;
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let http = reqwest::Client::builder()
            .user_agent(concat!("cardcancel/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .no_proxy()
            .http1_only()
            .https_only(connection.endpoint.scheme() == "https")
            .min_tls_version(tls::Version::TLS_1_2)
            .tcp_nodelay(true)
            .pool_max_idle_per_host(connection.connections)
            .pool_idle_timeout(IDLE)
            .connect_timeout(connection.timeout.mul_f32(0.8).min(LONGEST_CONNECT))
            .timeout(connection.timeout)
            .build()?;
        let mut url = connection.endpoint;
        let path = format!("{}{PATH}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        Ok(Client { http, url, fields, run })
    }

    /// Asks CoreCARD to cancel the row's order, once.
    pub async fn cancel(&self, staked: &Staked) -> Seen {
        let now = Timestamp::now();
        let body = self.fields.body(staked.order(), &self.run, staked.row(), staked.attempt(), now);
        match self.http.post(self.url.clone()).body(body).send().await {
            Ok(response) => Seen::Reply(read(response).await),
            Err(failed) => failure(&failed),
        }
    }
}

async fn read(mut response: Response) -> Reply {
    let http_status = response.status().as_u16();
    let retry_after = response
        .headers()
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| reply::retry_after(value, Timestamp::now()));
    let mut body = Vec::new();
    let body = loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > LONGEST_BODY => {
                break Body::Unreadable("the answer was longer than 64 KiB".to_owned());
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break reply::read(&body),
            Err(failed) => {
                break Body::Unreadable(format!("the answer broke off: {}", root(&failed)));
            }
        }
    };
    Reply { http_status, retry_after, body }
}

/// What a request that brought no answer showed.
fn failure(failed: &reqwest::Error) -> Seen {
    if let Some(cause) = find::<rustls::Error>(failed) {
        return match cause {
            rustls::Error::InvalidCertificate(_) => Seen::Untrusted {
                detail: format!("the server's certificate is not to be trusted: {cause}"),
            },
            _ if failed.is_connect() => Seen::NotSent {
                code: OwnCode::Tls,
                detail: format!("the TLS handshake failed: {cause}"),
            },
            _ => lost(OwnCode::ConnectionLost, format!("the connection broke: {cause}")),
        };
    }
    if failed.is_connect() {
        let (code, what) = match () {
            () if is_dns(failed) => (OwnCode::Dns, "the host's name could not be resolved"),
            () if failed.is_timeout() => (OwnCode::Connect, "no connection in time"),
            () => (OwnCode::Connect, "no connection"),
        };
        return Seen::NotSent { code, detail: format!("{what}: {}", root(failed)) };
    }
    if failed.is_timeout() {
        return lost(OwnCode::Timeout, "no answer in time".to_owned());
    }
    if failed.is_builder() {
        return Seen::NotSent { code: OwnCode::Connect, detail: root(failed) };
    }
    lost(OwnCode::ConnectionLost, format!("the connection broke after sending: {}", root(failed)))
}

fn lost(code: OwnCode, detail: String) -> Seen {
    Seen::Lost { code, detail }
}

fn is_dns(failed: &reqwest::Error) -> bool {
    chain(failed).any(|cause| cause.to_string().starts_with("dns error"))
}

/// The innermost cause, which is the one that tells something.
fn root(failed: &reqwest::Error) -> String {
    chain(failed).last().map_or_else(|| failed.to_string(), ToString::to_string)
}

fn chain(failed: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(failed.source(), |&cause| cause.source())
}

/// The first cause of this kind, also where I/O errors wrap it.
fn find<E: Error + 'static>(failed: &reqwest::Error) -> Option<&E> {
    chain(failed).find_map(within)
}

/// The TLS connector wraps an I/O error in another, and neither is the other's source.
fn within<'c, E: Error + 'static>(cause: &'c (dyn Error + 'static)) -> Option<&'c E> {
    cause.downcast_ref().or_else(|| within(cause.downcast_ref::<io::Error>()?.get_ref()?))
}
