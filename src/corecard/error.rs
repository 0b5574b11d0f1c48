//! The error of a client that cannot be set up, and the results of calls without a response.

use std::error::Error;
use std::io;

use rustls::AlertDescription;

use crate::model::{CallResult, ReasonCode};

/// The client could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The client for other servers could not.
    #[error("cannot set up the HTTP client: {0}")]
    Http(#[from] reqwest::Error),
    /// TLS could not.
    #[error(
        "cannot set up TLS: install the system's authorities (the package ca-certificates), or name yours with --ca-file"
    )]
    Tls(#[from] rustls::Error),
    /// The address is not one.
    #[error("the address {0} cannot be called: {1}")]
    Address(String, http::Error),
}

/// No connection was made, through this proxy if there is one.
pub(super) fn no_connection(failed: &(dyn Error + 'static), proxy: Option<&str>) -> CallResult {
    match find::<rustls::Error>(failed) {
        Some(cause @ rustls::Error::InvalidCertificate(_)) => CallResult::Untrusted {
            detail: format!("the server's certificate is not trusted: {cause}"),
        },
        Some(cause) if is_about_our_certificate(cause) => not_accepted(cause),
        Some(cause) => CallResult::NotSent {
            code: ReasonCode::Tls,
            detail: format!("the TLS handshake failed: {cause}"),
        },
        None if is_proxy(failed) => {
            let proxy = proxy.unwrap_or_default();
            CallResult::ProxyRefused {
                detail: format!("the proxy {proxy} did not accept our credentials"),
            }
        }
        None => {
            let (code, what) = match (is_dns(failed), proxy) {
                (true, None) => {
                    (ReasonCode::Dns, "the host's name could not be resolved".to_owned())
                }
                (true, Some(proxy)) => (
                    ReasonCode::Dns,
                    format!("the name of the proxy {proxy} could not be resolved"),
                ),
                (false, _) => (ReasonCode::Connect, no_way(proxy)),
            };
            CallResult::NotSent { code, detail: format!("{what}: {}", root(failed)) }
        }
    }
}

/// No connection was made in the time there is for that.
pub(super) fn no_connection_in_time(proxy: Option<&str>) -> CallResult {
    CallResult::NotSent { code: ReasonCode::Connect, detail: format!("{} in time", no_way(proxy)) }
}

fn no_way(proxy: Option<&str>) -> String {
    match proxy {
        Some(proxy) => format!("no connection through the proxy {proxy}"),
        None => "no connection".to_owned(),
    }
}

/// A connection was made, and closed before a request could be sent.
pub(super) fn closed_at_once(failed: Option<&hyper::Error>) -> CallResult {
    failed.and_then(refusal_of_our_certificate).unwrap_or_else(|| {
        let detail = "the server closed the connection before the request was sent".to_owned();
        CallResult::NotSent { code: ReasonCode::Connect, detail }
    })
}

/// The connection broke when the request may have been sent. Only on one that has carried
/// nothing before is a refusal of our certificate surely one of the handshake.
pub(super) fn lost(failed: &hyper::Error, was_unused: bool) -> CallResult {
    refusal_of_our_certificate(failed).filter(|_| was_unused).unwrap_or_else(|| {
        let detail = format!("the connection broke after sending: {}", root(failed));
        CallResult::Lost { code: ReasonCode::ConnectionLost, detail }
    })
}

/// The server sends it in the handshake; it may arrive before or after the request has left.
fn refusal_of_our_certificate(failed: &hyper::Error) -> Option<CallResult> {
    find(failed).filter(|cause| is_about_our_certificate(cause)).map(not_accepted)
}

/// The time for the whole call was up.
pub(super) fn late() -> CallResult {
    CallResult::Lost { code: ReasonCode::Timeout, detail: "no answer in time".to_owned() }
}

fn not_accepted(cause: &rustls::Error) -> CallResult {
    let wants_one = matches!(
        cause,
        rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired | AlertDescription::NoCertificate
        )
    );
    let what = if wants_one {
        "the server requires a client certificate"
    } else {
        "the server did not accept the client certificate"
    };
    CallResult::Untrusted { detail: format!("{what}: {cause}") }
}

/// Whether the server has refused our certificate, or the lack of one, and so has
/// taken no request.
fn is_about_our_certificate(cause: &rustls::Error) -> bool {
    let rustls::Error::AlertReceived(alert) = cause else { return false };
    matches!(
        alert,
        AlertDescription::NoCertificate
            | AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError
    )
}

/// Whether a proxy answered 407.
fn is_proxy(failed: &(dyn Error + 'static)) -> bool {
    chain(failed).any(|cause| cause.to_string().contains("proxy authorization required"))
}

fn is_dns(failed: &(dyn Error + 'static)) -> bool {
    chain(failed).any(|cause| cause.to_string().starts_with("dns error"))
}

/// The innermost cause, which is the informative one.
pub(super) fn root(failed: &(dyn Error + 'static)) -> String {
    chain(failed).last().unwrap_or(failed).to_string()
}

fn chain<'c>(failed: &'c (dyn Error + 'static)) -> impl Iterator<Item = &'c (dyn Error + 'static)> {
    std::iter::successors(Some(failed), |&cause| cause.source())
}

/// The first cause of this kind, also where I/O errors wrap it.
fn find<'c, E: Error + 'static>(failed: &'c (dyn Error + 'static)) -> Option<&'c E> {
    chain(failed).find_map(within)
}

/// The TLS connector wraps an I/O error in another, and neither is the other's source.
fn within<'c, E: Error + 'static>(cause: &'c (dyn Error + 'static)) -> Option<&'c E> {
    cause.downcast_ref().or_else(|| within(cause.downcast_ref::<io::Error>()?.get_ref()?))
}
