//! A server whose behavior the test decides for each request, and that records the
//! requests.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// After this time the client has read the answer, and at four calls a second none has followed.
const CLOSE_DELAY: Duration = Duration::from_millis(50);

/// How it responds to a request.
#[derive(Debug, Clone)]
pub enum Behavior {
    /// Sends this, byte for byte, and closes the connection.
    Respond(Vec<u8>),
    /// Sends this, and closes the connection when the client has long read it.
    RespondThenClose(Vec<u8>),
    /// Sends this once this many connections have been made.
    RespondWhenConnected(usize, Vec<u8>),
    /// Closes the connection without a response.
    Close,
    /// Resets the connection without a response.
    Reset,
    /// Sends nothing until the client has gone.
    Hang,
}

/// A request as it came over the wire.
#[derive(Debug, Clone)]
pub struct Request {
    /// The request line and the headers.
    pub head: String,
    pub body: String,
    /// When all of it had come.
    pub at: Instant,
}

impl Request {
    /// The value of a header, if it was sent.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// A server whose behavior the test decides for each request.
pub struct ScriptedServer {
    port: u16,
    received: Arc<Received>,
}

/// What it has received so far.
#[derive(Default)]
struct Received {
    connections: AtomicUsize,
    requests: Mutex<Vec<Request>>,
}

type Decide = dyn Fn(usize, &Request) -> Behavior + Send + Sync;

impl ScriptedServer {
    /// One that does the same with every request.
    pub fn always(does: Behavior) -> ScriptedServer {
        ScriptedServer::new(move |_, _| does.clone())
    }

    /// One that does with the first request the first of these, and so on; with
    /// those that follow, the last.
    pub fn sequence(each: Vec<Behavior>) -> ScriptedServer {
        ScriptedServer::new(move |nth, _| each[nth.min(each.len() - 1)].clone())
    }

    /// One that decides by the number of the request, from 0, and what is in it.
    pub fn new(
        decide: impl Fn(usize, &Request) -> Behavior + Send + Sync + 'static,
    ) -> ScriptedServer {
        ScriptedServer::start(None, Arc::new(decide))
    }

    /// One that does so over TLS.
    pub fn over_tls(
        tls: Arc<ServerConfig>,
        decide: impl Fn(usize, &Request) -> Behavior + Send + Sync + 'static,
    ) -> ScriptedServer {
        ScriptedServer::start(Some(tls), Arc::new(decide))
    }

    fn start(tls: Option<Arc<ServerConfig>>, decide: Arc<Decide>) -> ScriptedServer {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let received = Arc::new(Received::default());
        let all = Arc::clone(&received);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                all.connections.fetch_add(1, Ordering::Relaxed);
                let (received, decide, tls) = (Arc::clone(&all), Arc::clone(&decide), tls.clone());
                std::thread::spawn(move || serve(stream.unwrap(), tls, &received, &*decide));
            }
        });
        ScriptedServer { port, received }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The same address, over TLS, whether it speaks that or not.
    pub fn https_url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// How many connections were made so far.
    pub fn connections(&self) -> usize {
        self.received.connections.load(Ordering::Relaxed)
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Request> {
        self.received.requests.lock().unwrap().clone()
    }
}

/// The address of a server that takes connections and never sends anything.
pub fn silent() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || listener.incoming().collect::<Vec<_>>());
    format!("https://127.0.0.1:{port}")
}

/// One request a connection, so that a client that comes again has to connect again.
fn serve(stream: TcpStream, tls: Option<Arc<ServerConfig>>, received: &Received, decide: &Decide) {
    let raw = stream.try_clone().unwrap();
    match tls {
        None => exchange(stream, &raw, received, decide),
        Some(config) => {
            let connection = ServerConnection::new(config).unwrap();
            exchange(StreamOwned::new(connection, stream), &raw, received, decide);
        }
    }
}

fn exchange(mut stream: impl Read + Write, raw: &TcpStream, received: &Received, decide: &Decide) {
    let Some(request) = read(&mut stream) else {
        // No HTTP at all, as of a client that speaks TLS; or no TLS that is good enough.
        let _ = stream.write_all(&status("400 Bad Request"));
        let _ = raw.shutdown(Shutdown::Write);
        return wait_for_the_end(raw);
    };
    let nth = {
        let mut requests = received.requests.lock().unwrap();
        requests.push(request.clone());
        requests.len() - 1
    };
    let mut respond = |bytes: Vec<u8>, stays: Duration| {
        // A client may have read enough before the end.
        let written = stream.write_all(&bytes).and_then(|()| stream.flush());
        std::thread::sleep(stays);
        let _ = written.and_then(|()| raw.shutdown(Shutdown::Write));
        wait_for_the_end(raw);
    };
    match decide(nth, &request) {
        Behavior::Respond(bytes) => respond(bytes, Duration::ZERO),
        Behavior::RespondThenClose(bytes) => respond(bytes, CLOSE_DELAY),
        Behavior::RespondWhenConnected(connections, bytes) => {
            let made = || received.connections.load(Ordering::Relaxed) >= connections;
            super::until("so many connections have been made", made);
            respond(bytes, Duration::ZERO);
        }
        Behavior::Close => {}
        Behavior::Reset => {
            rustix::net::sockopt::set_socket_linger(raw, Some(Duration::ZERO)).unwrap();
        }
        Behavior::Hang => wait_for_the_end(raw),
    }
}

fn wait_for_the_end(mut stream: &TcpStream) {
    let mut rest = [0; 1024];
    while let Ok(1..) = stream.read(&mut rest) {}
}

/// Reads a whole request; none if it is not HTTP, or breaks off.
pub fn read(stream: &mut impl Read) -> Option<Request> {
    let mut bytes = Vec::new();
    let mut more = [0; 4096];
    loop {
        match stream.read(&mut more) {
            Ok(0) => return None,
            Ok(count) => bytes.extend_from_slice(&more[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => return None,
        }
        if !bytes.starts_with(b"POST ") {
            return None;
        }
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let request = Request { head: head.to_owned(), body: body.to_owned(), at: Instant::now() };
        let length: usize = request.header("content-length")?.parse().ok()?;
        if body.len() >= length {
            return Some(request);
        }
    }
}

/// CoreCARD's answer to an order that it cancelled.
pub const CANCELLED: &str = r#"{"Status":true,"ErrorCode":"ERR01160"}"#;

/// 200 with this JSON.
pub fn json(body: &str) -> Vec<u8> {
    with_headers("200 OK", &["Content-Type: application/json"], body)
}

/// An answer with this status and no body.
pub fn status(status: &str) -> Vec<u8> {
    with_headers(status, &[], "")
}

/// An answer with these headers beside its length.
pub fn with_headers(status: &str, headers: &[&str], body: &str) -> Vec<u8> {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\n{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
