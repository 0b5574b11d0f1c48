//! A server that says no more than a TLS alert when it has read a call: the first one on a
//! connection, or the second.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::crypto::cipher::{OutboundChunks, OutboundPlainMessage};
use rustls::{
    ConnectionTrafficSecrets, ContentType, ProtocolVersion, ServerConfig, ServerConnection,
    StreamOwned, SupportedCipherSuite,
};

use super::scripted_server::read;

/// The bytes of a fatal alert `access_denied` (RFC 8446, section 6).
const ACCESS_DENIED: [u8; 2] = [2, 49];

/// A server that denies access to a call that it has read.
pub struct DenyingServer {
    port: u16,
    denied: Arc<AtomicUsize>,
}

impl DenyingServer {
    /// One that gives the first call on each connection this answer, whatever it is asked.
    pub fn after(answer: &'static str, tls: &ServerConfig) -> DenyingServer {
        DenyingServer::start(Some(answer), tls)
    }

    /// One that denies the first call on each connection.
    pub fn at_once(tls: &ServerConfig) -> DenyingServer {
        DenyingServer::start(None, tls)
    }

    fn start(answer: Option<&'static str>, tls: &ServerConfig) -> DenyingServer {
        let mut tls = tls.clone();
        tls.enable_secret_extraction = true;
        let tls = Arc::new(tls);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let denied = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&denied);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(Arc::clone(&tls)).unwrap();
                let mut stream = StreamOwned::new(connection, stream.unwrap());
                let counter = Arc::clone(&counter);
                std::thread::spawn(move || {
                    if let Some(answer) = answer {
                        if read(&mut stream).is_none() {
                            return;
                        }
                        let _ = stream.write_all(answer.as_bytes()).and_then(|()| stream.flush());
                    }
                    if read(&mut stream).is_some() {
                        counter.fetch_add(1, Ordering::Relaxed);
                        deny(stream.conn, &stream.sock);
                    }
                });
            }
        });
        DenyingServer { port, denied }
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// How many calls it took and denied.
    pub fn denied(&self) -> usize {
        self.denied.load(Ordering::Relaxed)
    }
}

/// Says so as a server does of itself: rustls gives no way to send an alert of one's choice.
fn deny(connection: ServerConnection, mut raw: &TcpStream) {
    let Some(SupportedCipherSuite::Tls13(suite)) = connection.negotiated_cipher_suite() else {
        panic!("the client speaks TLS 1.3");
    };
    let (sequence, secrets) = connection.dangerous_extract_secrets().unwrap().tx;
    let (key, iv) = match secrets {
        ConnectionTrafficSecrets::Aes128Gcm { key, iv }
        | ConnectionTrafficSecrets::Aes256Gcm { key, iv }
        | ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (key, iv),
        _ => panic!("a cipher that is not known here"),
    };
    let alert = OutboundPlainMessage {
        typ: ContentType::Alert,
        version: ProtocolVersion::TLSv1_2,
        payload: OutboundChunks::Single(&ACCESS_DENIED),
    };
    let record = suite.aead_alg.encrypter(key, iv).encrypt(alert, sequence).unwrap();
    raw.write_all(&record.encode()).unwrap();
    let mut rest = [0; 1024];
    while let Ok(1..) = raw.read(&mut rest) {}
}
