//! HTTP/1.1 on one socket: reads whole requests, writes bytes.
//!
//! hyper's server is not used: it closes connections with a malformed or oversized head itself, so
//! that such requests have neither an answer with a code nor a line in the record, and what it has
//! not yet sent is lost when a response is cut short.

use std::io;
use std::pin::pin;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::clock::SimClock;
use super::head::{self, ParseError, RequestHead};

/// How much is read at once; requests of the usual size fit several times.
const READ_AT_ONCE: usize = 4 * 1024;
/// How long a closing connection is listened to, so that the response is not lost.
const LINGER: Duration = Duration::from_secs(1);
/// How much a closing connection may still send.
const LINGER_BYTES: usize = 1024 * 1024;

/// The server's end of a connection.
#[derive(Debug)]
pub(super) struct HttpConnection {
    stream: TcpStream,
    clock: SimClock,
    input: Vec<u8>,
    /// How much of the input is done with.
    used: usize,
    /// When the last of the input was read.
    read_at: u64,
    /// What is to be sent once there is nothing more to read: answers to pipelined
    /// requests go together.
    output: Vec<u8>,
}

impl HttpConnection {
    pub(super) fn new(stream: TcpStream, clock: SimClock) -> HttpConnection {
        let (input, output) = (Vec::with_capacity(READ_AT_ONCE), Vec::with_capacity(512));
        HttpConnection { stream, clock, input, used: 0, read_at: 0, output }
    }

    /// Waits for a whole request; `None` if the client has closed.
    pub(super) async fn next_request(
        &mut self,
    ) -> io::Result<Option<Result<RequestHead, ParseError>>> {
        loop {
            match head::parse(&self.input[self.used..]) {
                Err(error) => return Ok(Some(Err(error))),
                Ok(Some(head)) => return Ok(self.read_body(&head).await?.then_some(Ok(head))),
                Ok(None) if self.fill().await? => {}
                Ok(None) => return Ok(None),
            }
        }
    }

    /// Waits for the rest of a request; false if the client has closed.
    async fn read_body(&mut self, head: &RequestHead) -> io::Result<bool> {
        let arrived = self.input.len() - self.used;
        if head.expects_continue && arrived == head.length && head.body > 0 {
            self.output.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        while self.input.len() - self.used < head.length + head.body {
            if !self.fill().await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Lets this time pass, and drops what is held as soon as the client has closed.
    pub(super) async fn hold<T>(&mut self, time: Duration, held: &mut Option<T>) {
        let mut over = pin!(tokio::time::sleep(time));
        let is_open = tokio::select! {
            () = &mut over => return,
            // More input is that of the next request.
            read = self.fill() => read.unwrap_or(false),
        };
        if !is_open {
            drop(held.take());
        }
        over.await;
    }

    /// When the last of the request was read, in nanoseconds since 1970.
    pub(super) fn read_at(&self) -> u64 {
        self.read_at
    }

    /// The body that follows this head.
    pub(super) fn body(&self, head: &RequestHead) -> &[u8] {
        let start = self.used + head.length;
        &self.input[start..start + head.body]
    }

    /// Drops a request, so that the next one can be read.
    pub(super) fn consume(&mut self, head: &RequestHead) {
        self.used += head.length + head.body;
    }

    /// What is to be sent.
    pub(super) fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Sends what is to be sent.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        if !self.output.is_empty() {
            self.stream.write_all(&self.output).await?;
            self.output.clear();
        }
        Ok(())
    }

    /// Sends what is to be sent, then closes; the client has time to read it, even if
    /// it is still sending: closing on unread input would reset the connection.
    pub(super) async fn close(mut self) -> io::Result<()> {
        self.flush().await?;
        self.stream.shutdown().await?;
        let goodbye = async {
            let mut left = LINGER_BYTES;
            while left > 0 && self.fill().await? {
                left = left.saturating_sub(self.input.len());
                self.used = self.input.len();
            }
            Ok(())
        };
        tokio::time::timeout(LINGER, goodbye).await.unwrap_or(Ok(()))
    }

    /// Closes at once: the client sees an end and no answer.
    pub(super) async fn drop(mut self) -> io::Result<()> {
        self.flush().await
    }

    /// Resets: the client sees an error.
    pub(super) async fn reset(mut self) -> io::Result<()> {
        self.flush().await?;
        self.stream.set_zero_linger()
    }

    /// Sends nothing until the client goes away.
    pub(super) async fn hang(mut self) -> io::Result<()> {
        while self.fill().await? {
            self.used = self.input.len();
        }
        Ok(())
    }

    /// Reads some more; false if there is no more.
    async fn fill(&mut self) -> io::Result<bool> {
        self.flush().await?;
        if self.used > 0 {
            self.input.drain(..self.used);
            self.used = 0;
        }
        self.input.reserve(READ_AT_ONCE);
        let read = self.stream.read_buf(&mut self.input).await?;
        self.read_at = self.clock.now();
        Ok(read > 0)
    }
}
