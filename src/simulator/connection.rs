//! One connection, from the first request to whatever ends it.

use std::io;
use std::sync::Arc;

use tokio::net::TcpStream;

use super::handler::{Handler, Reply};
use super::head::{Fault, Head};
use super::http::Wire;
use super::orders::Order;
use super::refusal::Refusal;
use super::request;
use super::response::{Ending, compose};

/// Serves one connection until it ends.
pub(super) async fn serve(stream: TcpStream, handler: Arc<Handler>) {
    // A client that breaks off is a client's business: there is no one to tell.
    let _ = converse(stream, &handler).await;
}

async fn converse(stream: TcpStream, handler: &Handler) -> io::Result<()> {
    // Without this the kernel holds back a small answer while it waits for a larger one.
    stream.set_nodelay(true)?;
    let mut wire = Wire::new(stream, handler.clock);
    while let Some(head) = wire.request().await? {
        let Reply { delay, speech, mut pending } =
            handler.receive(wire.read_at(), order(&wire, head));
        if !delay.is_zero() {
            wire.flush().await?;
            match pending {
                None => tokio::time::sleep(delay).await,
                Some(_) => wire.hold(delay, &mut pending).await,
            }
        }
        // After a fault there is no telling where the next request begins.
        let close = head.map_or(true, |head| head.close);
        let ending = compose(wire.output(), &speech, close);
        if ending != Ending::Hang {
            // Before the client can know of it, and ask again.
            drop(pending.take());
        }
        match ending {
            Ending::KeepAlive => {}
            Ending::Close => return wire.close().await,
            Ending::Drop => return wire.drop().await,
            Ending::Reset => return wire.reset().await,
            Ending::Hang => return wire.hang().await,
        }
        if let Ok(head) = head {
            wire.done_with(&head);
        }
    }
    Ok(())
}

/// Which order a request asks to cancel, or why it may not.
fn order(wire: &Wire, head: Result<Head, Fault>) -> Result<Order, Refusal> {
    let head = head?;
    match Refusal::target(head.target) {
        Some(refusal) => Err(refusal),
        None => request::read(wire.body(&head)).map_err(Refusal::body),
    }
}
