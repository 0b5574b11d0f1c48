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
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tower_service::Service;

use super::route::Route;

type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Makes connections: TCP, and TLS where the address says so.
pub(super) type Connector = HttpsConnector<Route>;

/// A request as it is sent. Every step of a call holds it: boxed, they stay small.
pub(super) type Sent = Box<Request<Full<Bytes>>>;

/// An open connection that serves one call at a time.
pub(super) struct Connection {
    requests: http1::SendRequest<Full<Bytes>>,
    driver: Driver,
    /// When it was last of use.
    pub(super) used_at: Instant,
}

/// Why a request brought no answer.
pub(super) enum Unanswered {
    /// The connection had been closed: not one byte was sent.
    Unsent(Sent),
    /// It was sent, as far as is known.
    Lost(hyper::Error),
}

impl Connection {
    /// Opens a connection to the host of this address.
    pub(super) async fn open(
        mut connector: Connector,
        to: Uri,
    ) -> Result<Connection, Box<dyn Error + Send + Sync>> {
        poll_fn(|context| connector.poll_ready(context)).await?;
        let stream = connector.call(to).await?;
        let (requests, driver) = http1::Builder::new().handshake(stream).await?;
        let driver = Driver(Some(Box::pin(driver)));
        Ok(Connection { requests, driver, used_at: Instant::now() })
    }

    /// Sends the request, reads the head of its answer and hands that to `read`.
    pub(super) async fn call<T>(
        &mut self,
        request: Sent,
        read: impl AsyncFnOnce(Response<Incoming>) -> T,
    ) -> Result<T, Unanswered> {
        let Connection { requests, driver, used_at } = self;
        let exchange = pin!(async {
            if requests.ready().await.is_err() {
                return Err(Unanswered::Unsent(request));
            }
            let response = requests.try_send_request(*request).await.map_err(unanswered)?;
            Ok(read(response).await)
        });
        let answered = driver.drive(exchange).await;
        *used_at = Instant::now();
        answered
    }

    /// Whether another call may use it.
    pub(super) fn is_open(&self) -> bool {
        !self.requests.is_closed()
    }
}

fn unanswered(mut failed: TrySendError<Request<Full<Bytes>>>) -> Unanswered {
    match failed.take_message() {
        Some(request) => Unanswered::Unsent(Box::new(request)),
        None => Unanswered::Lost(failed.into_error()),
    }
}

/// hyper's state machine.
type Machine = http1::Connection<Stream, Full<Bytes>>;

/// Moves the bytes of the connection; none once that has ended.
struct Driver(Option<Pin<Box<Machine>>>);

impl Driver {
    /// Runs the exchange to its end, moving the connection's bytes for it.
    async fn drive<T>(&mut self, mut exchange: Pin<&mut impl Future<Output = T>>) -> T {
        poll_fn(|context| {
            // What moved may let the exchange go on, and that may ask for more to be moved.
            for _ in 0..2 {
                self.poll(context);
                if let Poll::Ready(done) = exchange.as_mut().poll(context) {
                    return Poll::Ready(done);
                }
            }
            Poll::Pending
        })
        .await
    }

    fn poll(&mut self, context: &mut Context<'_>) {
        // Why it ended, the exchange is told too.
        if let Some(driver) = &mut self.0
            && driver.as_mut().poll(context).is_ready()
        {
            self.0 = None;
        }
    }
}
