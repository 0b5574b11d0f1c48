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

use super::head::{LOGIN_PATH, PATH};
use super::*;

/// What a client gets to see of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
enum ClientView {
    Answer { status: u16, head: String, body: String },
    CutShort,
    Closed,
    Reset,
}

impl ClientView {
    fn status(&self) -> u16 {
        match self {
            ClientView::Answer { status, .. } => *status,
            other => panic!("an answer was expected, not {other:?}"),
        }
    }

    fn head(&self) -> &str {
        match self {
            ClientView::Answer { head, .. } => head,
            other => panic!("an answer was expected, not {other:?}"),
        }
    }

    fn json(&self) -> serde_json::Value {
        match self {
            ClientView::Answer { body, .. } => serde_json::from_str(body).unwrap(),
            other => panic!("an answer was expected, not {other:?}"),
        }
    }
}

/// A client as simple as can be.
struct TestClient {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl TestClient {
    async fn new(simulator: &Simulator) -> TestClient {
        TestClient {
            stream: TcpStream::connect(simulator.address).await.unwrap(),
            unread: Vec::new(),
        }
    }

    async fn send(&mut self, request: impl AsRef<[u8]>) {
        self.stream.write_all(request.as_ref()).await.unwrap();
    }

    async fn ask(&mut self, request: impl AsRef<[u8]>) -> ClientView {
        self.send(request).await;
        self.read().await
    }

    /// Reads one answer, leaving any that follow.
    async fn read(&mut self) -> ClientView {
        loop {
            if let Some((answer, length)) = self.whole_answer() {
                self.unread.drain(..length);
                return answer;
            }
            match self.stream.read_buf(&mut self.unread).await {
                Ok(0) if self.unread.is_empty() => return ClientView::Closed,
                Ok(0) => return ClientView::CutShort,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                    return ClientView::Reset;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn whole_answer(&self) -> Option<(ClientView, usize)> {
        let text = String::from_utf8_lossy(&self.unread);
        let (head, rest) = text.split_once("\r\n\r\n")?;
        let status: u16 = head.split(' ').nth(1)?.parse().unwrap();
        let length: usize = match head.split_once("Content-Length: ") {
            Some((_, length)) => length.lines().next()?.parse().unwrap(),
            None => 0,
        };
        let body = rest.get(..length)?.to_owned();
        Some((ClientView::Answer { status, head: head.to_owned(), body }, head.len() + 4 + length))
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
    start(SimulatorSettings::default()).await.unwrap()
}

/// Sends one request on a new connection.
async fn ask(simulator: &Simulator, request: impl AsRef<[u8]>) -> ClientView {
    TestClient::new(simulator).await.ask(request).await
}
