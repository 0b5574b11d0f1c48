//! Connects to CoreCARD step by step, without sending a call.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http::Uri;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::{ClientConnection, ProtocolVersion, SignatureScheme};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower_service::Service;
use url::Url;
use x509_cert::Certificate;
use x509_cert::der::Decode;

use super::connector::NetworkConfig;
use super::error;
use super::proxy::Proxy;
use crate::model::CallResult;

/// How long each step may take.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// How long the server's word on the client certificate is waited for: with TLS 1.3 it comes after
/// the handshake, and only if the certificate is refused.
const REFUSAL_TIME: Duration = Duration::from_millis(500);

/// One step, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeStep {
    /// The word for it.
    pub name: &'static str,
    /// How long it took.
    pub took: Duration,
    /// What was found, or what failed and what to do about it.
    pub outcome: Result<String, String>,
}

/// Steps that are taken one after the other until one fails.
#[derive(Debug, Default)]
pub struct Probe {
    steps: Vec<ProbeStep>,
}

impl Probe {
    /// Takes a step. Returns what it gives; `None` if it failed.
    pub async fn step<T>(
        &mut self,
        name: &'static str,
        step: impl Future<Output = Result<(T, String), String>>,
    ) -> Option<T> {
        let began = Instant::now();
        let (value, outcome) = match step.await {
            Ok((value, found)) => (Some(value), Ok(found)),
            Err(failed) => (None, Err(failed)),
        };
        self.steps.push(ProbeStep { name, took: began.elapsed(), outcome });
        value
    }

    /// Adds a step that was taken already, and what it found.
    pub fn took(&mut self, name: &'static str, took: Duration, found: String) {
        self.steps.push(ProbeStep { name, took, outcome: Ok(found) });
    }

    /// The steps that were taken.
    pub fn into_steps(self) -> Vec<ProbeStep> {
        self.steps
    }

    /// Connects to CoreCARD at this address: name, TCP, proxy, TLS. `None` if a step failed.
    pub async fn connect(&mut self, network: &NetworkConfig, url: &Url) -> Option<()> {
        let proxy = network.proxy_to(url);
        let (host, port) = match proxy {
            Some(proxy) => proxy.host_and_port(),
            None => {
                (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(443))
            }
        };
        let what = if proxy.is_some() { "--proxy" } else { "url" };
        let found = self.step("name", resolve(host, port, what)).await?;
        let stream = self.step("tcp", connect(&found, what)).await?;
        let stream = match proxy {
            None => stream,
            Some(proxy) => self.step("proxy", tunnel(network, proxy, url)).await?,
        };
        if url.scheme() != "https" {
            let unused = async { Ok(((), "not used: http to this machine".to_owned())) };
            return self.step("tls", unused).await;
        }
        let asked = Arc::new(AtomicBool::new(false));
        let stream = self.step("tls", encrypt(network, url, stream, &asked)).await?;
        let certificate = client_certificate(stream, network.tls.has_identity(), &asked);
        self.step("client certificate", certificate).await
    }
}

/// Ends a step that takes too long.
async fn in_time<T>(step: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    timeout(TIME_LIMIT, step)
        .await
        .unwrap_or_else(|_| Err(format!("nothing within {TIME_LIMIT:?}")))
}

async fn resolve(host: &str, port: u16, what: &str) -> Result<(Vec<SocketAddr>, String), String> {
    let check = format!("check {what}, and the name servers of this machine");
    let found = in_time(async {
        tokio::net::lookup_host(format!("{host}:{port}")).await.map_err(|cause| cause.to_string())
    });
    let found = found
        .await
        .map_err(|cause| format!("the name {host} could not be resolved: {check}: {cause}"))?;
    let found: Vec<SocketAddr> = found.collect();
    if found.is_empty() {
        return Err(format!("the name {host} has no address: {check}"));
    }
    let shown: Vec<String> = found.iter().map(|address| address.ip().to_string()).collect();
    let text = format!("{host} is {}", shown.join(", "));
    Ok((found, text))
}

async fn connect(to: &[SocketAddr], what: &str) -> Result<(TcpStream, String), String> {
    let connecting = in_time(async {
        let stream = TcpStream::connect(to).await.map_err(|cause| cause.to_string())?;
        let peer = stream.peer_addr().map_err(|cause| cause.to_string())?;
        Ok((stream, format!("connected to {peer}")))
    });
    let hint = if what == "url" { ", or name a proxy with --proxy" } else { "" };
    connecting
        .await
        .map_err(|cause| format!("no connection: check {what} and the firewall{hint}: {cause}"))
}

/// Connects through the proxy, as calls do.
async fn tunnel(
    network: &NetworkConfig,
    proxy: &Proxy,
    url: &Url,
) -> Result<(TcpStream, String), String> {
    let to: Uri = url.as_str().parse().map_err(|_| "check url".to_owned())?;
    let mut route = network.route(url);
    let name = proxy.to_string();
    let failed = |cause: Box<dyn std::error::Error + Send + Sync>| {
        let why = detail(error::no_connection(cause.as_ref(), Some(&name)));
        format!("{why}: check --proxy, and what the proxy allows")
    };
    let stream = in_time(async { route.call(to).await.map_err(failed) }).await?;
    Ok((stream.into_inner(), format!("{name} connects to CoreCARD, whose name it resolves itself")))
}

async fn encrypt(
    network: &NetworkConfig,
    url: &Url,
    stream: TcpStream,
    asked: &Arc<AtomicBool>,
) -> Result<(TlsStream<TcpStream>, String), String> {
    let mut config = network.tls.config().map_err(|cause| {
        format!("TLS cannot be set up: install the system's authorities (the package ca-certificates), or name yours with --ca-file: {cause}")
    })?;
    let resolver = Arc::clone(&config.client_auth_cert_resolver);
    config.client_auth_cert_resolver =
        Arc::new(ObservedResolver { resolver, asked: Arc::clone(asked) });
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let name = ServerName::try_from(host).map_err(|cause| format!("check url: {cause}"))?;
    let handshake = in_time(async {
        let connector = TlsConnector::from(Arc::new(config));
        connector.connect(name, stream).await.map_err(|cause| tls_failed(&cause))
    });
    let stream = handshake.await?;
    let text = describe(stream.get_ref().1);
    Ok((stream, text))
}

fn tls_failed(cause: &io::Error) -> String {
    let why = detail(error::no_connection(cause, None));
    format!(
        "{why}: check url, --ca-file if your own authority signed the server's certificate, and --client-cert-file"
    )
}

/// The words of a failure that calls would have too.
fn detail(result: CallResult) -> String {
    match result {
        CallResult::NotSent { detail, .. }
        | CallResult::Lost { detail, .. }
        | CallResult::Untrusted { detail }
        | CallResult::ProxyRefused { detail } => detail,
        CallResult::Response(_) => String::new(),
    }
}

/// The version, and whose certificate it is.
fn describe(connection: &ClientConnection) -> String {
    let version = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
        Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
        _ => "TLS",
    };
    let certificate = connection.peer_certificates().and_then(<[_]>::first);
    let Some(Ok(certificate)) = certificate.map(|der| Certificate::from_der(der)) else {
        return format!("{version}, with a certificate that cannot be shown");
    };
    let certificate = certificate.tbs_certificate;
    let until = certificate.validity.not_after.to_unix_duration();
    let until =
        i64::try_from(until.as_secs()).ok().and_then(|at| jiff::Timestamp::from_second(at).ok());
    let until = until.map_or_else(|| "an unknown time".to_owned(), |until| until.to_string());
    format!(
        "{version}, certificate of {}, issued by {}, valid until {until}",
        or_no_name(certificate.subject.to_string()),
        or_no_name(certificate.issuer.to_string())
    )
}

fn or_no_name(name: String) -> String {
    if name.is_empty() { "(no name)".to_owned() } else { name }
}

/// What is known of our own certificate after the handshake.
async fn client_certificate(
    mut stream: TlsStream<TcpStream>,
    has_one: bool,
    asked: &AtomicBool,
) -> Result<((), String), String> {
    let answer = timeout(REFUSAL_TIME, stream.read(&mut [0])).await;
    if let Ok(Err(cause)) = answer {
        return Err(tls_failed(&cause));
    }
    if let Ok(Ok(0)) = answer {
        return Err("the server closed the connection after the handshake: ask its operators why"
            .to_owned());
    }
    let text = match (has_one, asked.load(Ordering::Relaxed)) {
        (true, true) => "asked for, offered, and not refused so far",
        (true, false) => "set, but the server did not ask for it",
        (false, true) => "the server asks for one, and does not insist so far: none is set",
        (false, false) => "not asked for, and none is set",
    };
    Ok(((), text.to_owned()))
}

/// Remembers whether the server asked for a client certificate.
#[derive(Debug)]
struct ObservedResolver {
    resolver: Arc<dyn ResolvesClientCert>,
    asked: Arc<AtomicBool>,
}

impl ResolvesClientCert for ObservedResolver {
    fn resolve(
        &self,
        root_hint_subjects: &[&[u8]],
        sigschemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        self.resolver.resolve(root_hint_subjects, sigschemes)
    }

    fn has_certs(&self) -> bool {
        self.resolver.has_certs()
    }
}
