//! How the simulator behaves towards real clients on real sockets: the client they use.
#![allow(clippy::unwrap_used, clippy::panic)]

mod api;
mod faults;
mod http;
mod running;
mod scenario;

use std::io::ErrorKind;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::head::PATH;
use super::*;

/// What a client gets to see of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    Answer { status: u16, head: String, body: String },
    CutShort,
    Closed,
    Reset,
}

impl Seen {
    fn status(&self) -> u16 {
        match self {
            Seen::Answer { status, .. } => *status,
            other => panic!("an answer was expected, not {other:?}"),
        }
    }

    fn head(&self) -> &str {
        match self {
            Seen::Answer { head, .. } => head,
            other => panic!("an answer was expected, not {other:?}"),
        }
    }

    fn json(&self) -> serde_json::Value {
        match self {
            Seen::Answer { body, .. } => serde_json::from_str(body).unwrap(),
            other => panic!("an answer was expected, not {other:?}"),
        }
    }
}

/// A client as simple as can be.
struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Client {
    async fn of(simulator: &Simulator) -> Client {
        Client { stream: TcpStream::connect(simulator.address).await.unwrap(), unread: Vec::new() }
    }

    async fn send(&mut self, request: impl AsRef<[u8]>) {
        self.stream.write_all(request.as_ref()).await.unwrap();
    }

    async fn ask(&mut self, request: impl AsRef<[u8]>) -> Seen {
        self.send(request).await;
        self.see().await
    }

    /// Reads one answer, leaving any that follow.
    async fn see(&mut self) -> Seen {
        loop {
            if let Some((answer, length)) = self.whole_answer() {
                self.unread.drain(..length);
                return answer;
            }
            match self.stream.read_buf(&mut self.unread).await {
                Ok(0) if self.unread.is_empty() => return Seen::Closed,
                Ok(0) => return Seen::CutShort,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Seen::Reset,
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn whole_answer(&self) -> Option<(Seen, usize)> {
        let text = String::from_utf8_lossy(&self.unread);
        let (head, rest) = text.split_once("\r\n\r\n")?;
        let status: u16 = head.split(' ').nth(1)?.parse().unwrap();
        let length: usize = match head.split_once("Content-Length: ") {
            Some((_, length)) => length.lines().next()?.parse().unwrap(),
            None => 0,
        };
        let body = rest.get(..length)?.to_owned();
        Some((Seen::Answer { status, head: head.to_owned(), body }, head.len() + 4 + length))
    }
}

fn order(admin_number: i64) -> Order {
    Order { admin_number, sequence_number: 1 }
}

fn body(order: Order) -> String {
    format!(
        r#"{{"Source":"Web","IPAddress":"10.120.0.1","ExternalIP":"10.120.0.0","SessionID":null,"APIVersion":"2.0","AdminNumber":{},"CardSequenceNumber":{}}}"#,
        order.admin_number, order.sequence_number
    )
}

fn post(headers: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {PATH} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
}

fn cancel(admin_number: i64) -> String {
    post("", &body(order(admin_number)))
}

async fn perfect() -> Simulator {
    start(Settings::default()).await.unwrap()
}

/// Asks once, on a connection of its own.
async fn ask(simulator: &Simulator, request: impl AsRef<[u8]>) -> Seen {
    Client::of(simulator).await.ask(request).await
}
