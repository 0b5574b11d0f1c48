//! TLS for clients: rustls with ring, version 1.2 or newer; a server is always verified, with its name.

use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ConfigBuilder, Error, RootCertStore, WantsVerifier};
use rustls_platform_verifier::Verifier;

/// The cryptography of every TLS connection.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// A client that trusts the authorities of the system, and these.
///
/// # Errors
/// If there is no authority to trust, or one of these is broken.
pub fn trusting_system_and(
    authorities: impl IntoIterator<Item = CertificateDer<'static>>,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, Error> {
    let verifier = Verifier::new_with_extra_roots(authorities, provider())?;
    Ok(builder()?.dangerous().with_custom_certificate_verifier(Arc::new(verifier)))
}

/// A client that trusts these authorities alone.
///
/// # Errors
/// If the versions do not fit the cryptography, which cannot happen with [`provider`].
pub fn trusting_only(
    authorities: RootCertStore,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, Error> {
    Ok(builder()?.with_root_certificates(authorities))
}

fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, Error> {
    ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13, &TLS12])
}
