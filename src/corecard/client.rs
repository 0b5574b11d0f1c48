//! One call over HTTP. Nothing here repeats a request, follows a redirect or looks
//! for a proxy: every request must be one that the ledger knows.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::header;
use http::uri::InvalidUri;
use http::{Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::{Frame, Incoming};
use jiff::Timestamp;
use tokio::time::timeout;
use url::{Position, Url};

use super::auth::auth_headers::AuthHeaders;
use super::auth::credentials::Credentials;
use super::body_template::BodyTemplate;
use super::connection::{ApiConnection, BoxedRequest, CallError};
use super::connector::{ApiConnector, NetworkConfig, USER_AGENT};
use super::error::{self, ClientError};
use super::http_date::http_date;
use super::server_date::ServerDate;
use super::{response, retry_after};
use crate::model::{Attempt, CallResult, HttpResponse, ResponseBody};

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

/// Connections that are opened ahead do not come all at the same time.
const OPENED_AT_ONCE: usize = 16;

/// How to reach CoreCARD.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// The base URL: https, or http to loopback.
    pub endpoint: Url,
    /// The longest a call may take, connecting included.
    pub timeout: Duration,
    /// TLS and the proxy.
    pub network: NetworkConfig,
    /// What each call carries to prove who is calling.
    pub credentials: Arc<Credentials>,
}

/// CoreCARD, as one call.
pub struct Client {
    connector: ApiConnector,
    /// The proxy that connections go through.
    proxy: Option<String>,
    connect_timeout: Duration,
    timeout: Duration,
    /// Connections that no call uses, the one used last at the end.
    idle: RefCell<VecDeque<ApiConnection>>,
    /// Where connections are made to.
    server: Uri,
    /// The head of every request.
    request: Request<()>,
    credentials: Arc<Credentials>,
    date: Arc<ServerDate>,
    body: BodyTemplate,
    run: String,
}

impl Client {
    /// A client for one run.
    ///
    /// # Errors
    /// When TLS cannot be set up, for want of the system's root certificates.
    pub fn new(
        config: ClientConfig,
        body: BodyTemplate,
        run: String,
    ) -> Result<Client, ClientError> {
        let mut url = config.endpoint;
        let path = format!("{}{PATH}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        Ok(Client {
            connector: config.network.connector(&url)?,
            proxy: config.network.proxy_to(&url).map(ToString::to_string),
            connect_timeout: config.timeout.mul_f32(0.8).min(LONGEST_CONNECT),
            timeout: config.timeout,
            idle: RefCell::default(),
            server: url
                .as_str()
                .parse()
                .map_err(|cause: InvalidUri| ClientError::Address(url.to_string(), cause.into()))?,
            request: request(&url).map_err(|cause| ClientError::Address(url.to_string(), cause))?,
            credentials: config.credentials,
            date: Arc::default(),
            body,
            run,
        })
    }

    /// A client for the same run, with connections of its own.
    pub fn clone_for_thread(&self) -> Client {
        Client {
            connector: self.connector.clone(),
            proxy: self.proxy.clone(),
            idle: RefCell::default(),
            server: self.server.clone(),
            request: self.request.clone(),
            credentials: Arc::clone(&self.credentials),
            date: Arc::clone(&self.date),
            body: self.body.clone(),
            run: self.run.clone(),
            ..*self
        }
    }

    /// This machine's clock, compared with the dates of the answers to this client and its clones.
    pub fn server_date(&self) -> Arc<ServerDate> {
        Arc::clone(&self.date)
    }

    /// Opens this many connections ahead of the calls, and gives up at the first that
    /// cannot be opened.
    pub async fn connect(&self, connections: usize) {
        let opening = stream::iter(0..connections).map(|_| self.open());
        let mut opened = pin!(opening.buffer_unordered(OPENED_AT_ONCE));
        while let Some(Ok(connection)) = opened.next().await {
            self.keep(connection);
        }
    }

    /// Asks CoreCARD to cancel the row's order, once. `None` if, once there is a connection,
    /// the call may not start any more.
    pub async fn cancel(
        &self,
        attempt: Attempt,
        may_start: &dyn Fn() -> bool,
    ) -> Option<CallResult> {
        let call = self.call(attempt, may_start);
        timeout(self.timeout, call).await.unwrap_or_else(|_| Some(error::late()))
    }

    fn request(&self, attempt: Attempt, auth_headers: &AuthHeaders) -> BoxedRequest {
        let now = Timestamp::now();
        let Attempt { order, row, number } = attempt;
        let body = self.body.render(order, &self.run, row, number, now);
        let mut request = Box::new(self.request.clone().map(|()| Full::new(Bytes::from(body))));
        request.headers_mut().extend(auth_headers.headers());
        request
    }

    /// Sends the request over an idle connection, or a new one.
    async fn call(&self, attempt: Attempt, may_start: &dyn Fn() -> bool) -> Option<CallResult> {
        let mut unsent = None;
        loop {
            let idle = self.idle();
            let is_new = idle.is_none();
            let mut connection = match idle {
                Some(connection) => connection,
                None => match Box::pin(self.open()).await {
                    Ok(connection) => connection,
                    Err(seen) => return Some(seen),
                },
            };
            // The time at which it was to start may have passed meanwhile.
            if !may_start() {
                self.keep(connection);
                return None;
            }
            let auth_headers = self.credentials.auth_headers();
            let request = match unsent.take() {
                Some(request) => request,
                None => self.request(attempt, &auth_headers),
            };
            let is_unused = connection.is_unused;
            let sent = Timestamp::now();
            match connection
                .call(request, async |response| {
                    self.observe_date(&response, sent);
                    read(response, &auth_headers).await
                })
                .await
            {
                Ok(reply) => {
                    self.keep(connection);
                    return Some(CallResult::Response(reply));
                }
                Err(CallError::Lost(cause)) => return Some(error::lost(&cause, is_unused)),
                Err(CallError::Unsent(_, why)) if is_new => {
                    return Some(error::closed_at_once(why.as_ref()));
                }
                Err(CallError::Unsent(request, _)) => unsent = Some(request),
            }
        }
    }

    fn observe_date(&self, response: &Response<Incoming>, sent: Timestamp) {
        let date = response.headers().get(header::DATE);
        if let Some(date) = date.and_then(|date| http_date(date.to_str().ok()?)) {
            self.date.observe(date, sent, Timestamp::now());
        }
    }

    async fn open(&self) -> Result<ApiConnection, CallResult> {
        let opening = ApiConnection::open(self.connector.clone(), self.server.clone());
        match timeout(self.connect_timeout, opening).await {
            Ok(opened) => {
                opened.map_err(|cause| error::no_connection(cause.as_ref(), self.proxy.as_deref()))
            }
            Err(_) => Err(error::no_connection_in_time(self.proxy.as_deref())),
        }
    }

    /// The connection that was of use last, if there is one that nobody uses.
    fn idle(&self) -> Option<ApiConnection> {
        let mut idle = self.idle.borrow_mut();
        while idle.pop_front_if(|connection| connection.used_at.elapsed() > IDLE).is_some() {}
        idle.pop_back()
    }

    fn keep(&self, connection: ApiConnection) {
        if connection.is_open() {
            self.idle.borrow_mut().push_back(connection);
        }
    }
}

/// A request without its body and credentials, which set one apart from another.
fn request(url: &Url) -> Result<Request<()>, http::Error> {
    Request::builder()
        .method(Method::POST)
        .uri(&url[Position::BeforePath..Position::AfterPath])
        .header(header::HOST, &url[Position::BeforeHost..Position::AfterPort])
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json")
        .header(header::USER_AGENT, USER_AGENT)
        .body(())
}

async fn read(response: Response<Incoming>, auth_headers: &AuthHeaders) -> HttpResponse {
    let http_status = response.status().as_u16();
    let retry_after = response
        .headers()
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| retry_after::from_header(value, Timestamp::now()));
    let mut frames = response.into_body();
    let mut body = Vec::new();
    let body = loop {
        match frames.frame().await.map(|frame| frame.map(Frame::into_data)) {
            Some(Ok(Ok(data))) if body.len() + data.len() > LONGEST_BODY => {
                break ResponseBody::Unreadable("the answer was longer than 64 KiB".to_owned());
            }
            Some(Ok(Ok(data))) => body.extend_from_slice(&data),
            Some(Ok(Err(_trailers))) => {}
            None => break response::read(&body, auth_headers),
            Some(Err(failed)) => {
                let why = error::root(&failed);
                break ResponseBody::Unreadable(format!("the answer broke off: {why}"));
            }
        }
    };
    HttpResponse { http_status, retry_after, body }
}
