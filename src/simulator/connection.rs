//! One connection, from the first request to whatever ends it.

use std::io;
use std::sync::Arc;

use tokio::net::TcpStream;

use super::handler::{Handler, TimedResponse};
use super::head::{ParseError, RequestHead, RequestTarget};
use super::http::HttpConnection;
use super::refusal::Refusal;
use super::request;
use super::response::{ConnectionAction, write_response};
use crate::model::Order;

/// Serves one connection until it ends.
pub(super) async fn serve(stream: TcpStream, handler: Arc<Handler>) {
    // If the client breaks off, there is nobody to report an error to.
    let _ = converse(stream, &handler).await;
}

async fn converse(stream: TcpStream, handler: &Handler) -> io::Result<()> {
    // Without this the kernel holds back a small answer while it waits for a larger one.
    stream.set_nodelay(true)?;
    let mut http = HttpConnection::new(stream, handler.clock);
    while let Some(head) = http.next_request().await? {
        let TimedResponse { delay, response, mut pending } = match head {
            Ok(head) if head.target == RequestTarget::LogIn => {
                handler.log_in(http.read_at(), http.body(&head))
            }
            _ => handler.handle(http.read_at(), order(&http, head, handler)),
        };
        if !delay.is_zero() {
            http.flush().await?;
            match pending {
                None => tokio::time::sleep(delay).await,
                Some(_) => http.hold(delay, &mut pending).await,
            }
        }
        // After a malformed request, the start of the next one is unknown.
        let close = head.map_or(true, |head| head.close);
        let action = write_response(http.output(), &response, close);
        if action != ConnectionAction::Hang {
            // Before the client can know of it, and ask again.
            drop(pending.take());
        }
        match action {
            ConnectionAction::KeepAlive => {}
            ConnectionAction::Close => return http.close().await,
            ConnectionAction::Drop => return http.drop().await,
            ConnectionAction::Reset => return http.reset().await,
            ConnectionAction::Hang => return http.hang().await,
        }
        if let Ok(head) = head {
            http.consume(&head);
        }
    }
    Ok(())
}

/// Which order a request asks to cancel, or why it may not.
fn order(
    http: &HttpConnection,
    head: Result<RequestHead, ParseError>,
    handler: &Handler,
) -> Result<Order, Refusal> {
    let head = head?;
    match Refusal::target(head.target) {
        Some(refusal) => Err(refusal),
        None if !handler.accepts_token(head.token, http.read_at()) => Err(Refusal::token()),
        None => request::read(http.body(&head)).map_err(Refusal::body),
    }
}
