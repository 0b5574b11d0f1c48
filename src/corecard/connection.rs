//! One kept-alive connection to CoreCARD. The call that uses it drives hyper's own
//! state machine for it, within one task: a request is on its way as soon as it is
//! made, and an idle connection costs nothing.
//!
//! The calls do not go through reqwest, which serves the token server: its layers and
//! its tasks for each request are CPU that hundreds of thousands of calls would pay.

use std::error::Error;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1};
use hyper_rustls::MaybeHttpsStream;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tower_service::Service;

use super::connector::ApiConnector;

type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// A request as it is sent. Every step of a call holds it: boxed, they stay small.
pub(super) type BoxedRequest = Box<Request<Full<Bytes>>>;

/// An open connection that serves one call at a time.
pub(super) struct ApiConnection {
    requests: http1::SendRequest<Full<Bytes>>,
    driver: Driver,
    /// When it was last of use.
    pub(super) used_at: Instant,
    /// Whether it has carried no request yet: one that was opened ahead of the calls.
    pub(super) is_unused: bool,
}

/// Why a call has no response.
pub(super) enum CallError {
    /// The connection had been closed: not one byte was sent. Why it was, if that is known.
    Unsent(BoxedRequest, Option<hyper::Error>),
    /// It was sent, as far as is known.
    Lost(hyper::Error),
}

impl ApiConnection {
    /// Opens a connection to the host of this address.
    pub(super) async fn open(
        mut connector: ApiConnector,
        to: Uri,
    ) -> Result<ApiConnection, Box<dyn Error + Send + Sync>> {
        poll_fn(|context| connector.poll_ready(context)).await?;
        let stream = connector.call(to).await?;
        let (requests, driver) = http1::Builder::new().handshake(stream).await?;
        let driver = Driver { connection: Some(Box::pin(driver)), failed: None };
        Ok(ApiConnection { requests, driver, used_at: Instant::now(), is_unused: true })
    }

    /// Sends the request, reads the head of its answer and hands that to `read`.
    pub(super) async fn call<T>(
        &mut self,
        request: BoxedRequest,
        read: impl AsyncFnOnce(Response<Incoming>) -> T,
    ) -> Result<T, CallError> {
        let ApiConnection { requests, driver, used_at, is_unused } = self;
        *is_unused = false;
        let exchange = pin!(async {
            if requests.ready().await.is_err() {
                return Err(CallError::Unsent(request, None));
            }
            let response = requests.try_send_request(*request).await.map_err(call_error)?;
            Ok(read(response).await)
        });
        let answered = driver.drive(exchange).await;
        *used_at = Instant::now();
        answered.map_err(|error| match error {
            CallError::Unsent(request, None) => CallError::Unsent(request, driver.failed.take()),
            error => error,
        })
    }

    /// Whether another call may use it.
    pub(super) fn is_open(&self) -> bool {
        !self.requests.is_closed()
    }
}

fn call_error(mut failed: TrySendError<Request<Full<Bytes>>>) -> CallError {
    match failed.take_message() {
        Some(request) => CallError::Unsent(Box::new(request), Some(failed.into_error())),
        None => CallError::Lost(failed.into_error()),
    }
}

/// hyper's connection, a state machine.
type Http1Connection = http1::Connection<Stream, Full<Bytes>>;

/// Moves the bytes of the connection.
struct Driver {
    /// None once the connection has ended.
    connection: Option<Pin<Box<Http1Connection>>>,
    /// Why, if no exchange has reported it.
    failed: Option<hyper::Error>,
}

impl Driver {
    /// Runs the exchange to its end, moving the connection's bytes for it.
    async fn drive<T>(&mut self, mut exchange: Pin<&mut impl Future<Output = T>>) -> T {
        poll_fn(|context| {
            // The exchange may ask for something to be moved, and what moved may let it go on.
            if let Poll::Ready(done) = exchange.as_mut().poll(context) {
                return Poll::Ready(done);
            }
            self.poll(context);
            exchange.as_mut().poll(context)
        })
        .await
    }

    fn poll(&mut self, context: &mut Context<'_>) {
        if let Some(connection) = &mut self.connection
            && let Poll::Ready(ended) = connection.as_mut().poll(context)
        {
            self.connection = None;
            self.failed = ended.err();
        }
    }
}
