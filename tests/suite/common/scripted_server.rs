//! A server that does exactly what it is told, right or wrong, and remembers
//! what it was sent.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// After so long an answer has been heard, and no call has come after it at four a second.
const LONG_HEARD: Duration = Duration::from_millis(50);

/// What it does with a request once it has read it.
#[derive(Debug, Clone)]
pub enum Does {
    /// Says this, byte for byte, and closes the connection.
    Say(Vec<u8>),
    /// Says this, and closes the connection when it has long been heard.
    SayAndCloseLater(Vec<u8>),
    /// Says this once so many connections have been made.
    SayWhenConnected(usize, Vec<u8>),
    /// Closes the connection without a word.
    Close,
    /// Resets the connection without a word.
    Reset,
    /// Says nothing until the client has gone.
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

/// A server that does exactly what it is told.
pub struct Hostile {
    port: u16,
    seen: Arc<Seen>,
}

/// What it has seen so far.
#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    requests: Mutex<Vec<Request>>,
}

type Decide = dyn Fn(usize, &Request) -> Does + Send + Sync;

impl Hostile {
    /// One that does the same with every request.
    pub fn always(does: Does) -> Hostile {
        Hostile::that(move |_, _| does.clone())
    }

    /// One that does with the first request the first of these, and so on; with
    /// those that follow, the last.
    pub fn first(each: Vec<Does>) -> Hostile {
        Hostile::that(move |nth, _| each[nth.min(each.len() - 1)].clone())
    }

    /// One that decides by the number of the request, from 0, and what is in it.
    pub fn that(decide: impl Fn(usize, &Request) -> Does + Send + Sync + 'static) -> Hostile {
        Hostile::start(None, Arc::new(decide))
    }

    /// One that does so over TLS.
    pub fn over_tls(
        tls: Arc<ServerConfig>,
        decide: impl Fn(usize, &Request) -> Does + Send + Sync + 'static,
    ) -> Hostile {
        Hostile::start(Some(tls), Arc::new(decide))
    }

    fn start(tls: Option<Arc<ServerConfig>>, decide: Arc<Decide>) -> Hostile {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Seen::default());
        let all = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                all.connections.fetch_add(1, Ordering::Relaxed);
                let (seen, decide, tls) = (Arc::clone(&all), Arc::clone(&decide), tls.clone());
                std::thread::spawn(move || serve(stream.unwrap(), tls, &seen, &*decide));
            }
        });
        Hostile { port, seen }
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
        self.seen.connections.load(Ordering::Relaxed)
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Request> {
        self.seen.requests.lock().unwrap().clone()
    }
}

/// The address of a server that takes connections and never says a word.
pub fn silent() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || listener.incoming().collect::<Vec<_>>());
    format!("https://127.0.0.1:{port}")
}

/// One request a connection, so that a client that comes again has to connect again.
fn serve(stream: TcpStream, tls: Option<Arc<ServerConfig>>, seen: &Seen, decide: &Decide) {
    let raw = stream.try_clone().unwrap();
    match tls {
        None => exchange(stream, &raw, seen, decide),
        Some(config) => {
            let connection = ServerConnection::new(config).unwrap();
            exchange(StreamOwned::new(connection, stream), &raw, seen, decide);
        }
    }
}

fn exchange(mut stream: impl Read + Write, raw: &TcpStream, seen: &Seen, decide: &Decide) {
    let Some(request) = read(&mut stream) else {
        // No HTTP at all, as of a client that speaks TLS; or no TLS that is good enough.
        let _ = stream.write_all(&status("400 Bad Request"));
        let _ = raw.shutdown(Shutdown::Write);
        return wait_for_the_end(raw);
    };
    let nth = {
        let mut requests = seen.requests.lock().unwrap();
        requests.push(request.clone());
        requests.len() - 1
    };
    let mut say = |words: Vec<u8>, stays: Duration| {
        // A client may have heard enough before the end.
        let said = stream.write_all(&words).and_then(|()| stream.flush());
        std::thread::sleep(stays);
        let _ = said.and_then(|()| raw.shutdown(Shutdown::Write));
        wait_for_the_end(raw);
    };
    match decide(nth, &request) {
        Does::Say(words) => say(words, Duration::ZERO),
        Does::SayAndCloseLater(words) => say(words, LONG_HEARD),
        Does::SayWhenConnected(connections, words) => {
            let made = || seen.connections.load(Ordering::Relaxed) >= connections;
            super::until("so many connections have been made", made);
            say(words, Duration::ZERO);
        }
        Does::Close => {}
        Does::Reset => {
            rustix::net::sockopt::set_socket_linger(raw, Some(Duration::ZERO)).unwrap();
        }
        Does::Hang => wait_for_the_end(raw),
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
