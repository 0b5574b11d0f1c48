//! TLS to the database: the server's certificate is always verified, with its name.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::super::LedgerError;

/// Whose certificates are trusted.
pub(super) enum Roots {
    /// As the system has it.
    System,
    /// The authorities of this file, and no others.
    File(PathBuf),
}

/// How TLS is made, if it is.
#[derive(Clone)]
pub(super) struct Connector(Option<MakeRustlsConnect>);

impl Connector {
    /// No TLS.
    pub fn none() -> Connector {
        Connector(None)
    }

    /// TLS that trusts whom these vouch for.
    pub fn verifying(roots: Roots) -> Result<Connector, LedgerError> {
        let bad = |what: String| LedgerError::BadUrl(what);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|cause| bad(format!("TLS cannot be set up ({cause})")))?;
        let config = match roots {
            Roots::System => {
                let verifier = rustls_platform_verifier::Verifier::new(provider)
                    .map_err(|cause| bad(format!("TLS cannot be set up ({cause})")))?;
                builder
                    .dangerous()
                    .with_custom_certificate_verifier(Arc::new(verifier))
                    .with_no_client_auth()
            }
            Roots::File(path) => {
                let unusable = |cause: String| {
                    bad(format!("sslrootcert: cannot use {} ({cause})", path.display()))
                };
                let mut trusted = rustls::RootCertStore::empty();
                let found = CertificateDer::pem_file_iter(&path)
                    .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                    .map_err(|cause| unusable(cause.to_string()))?;
                let (added, _) = trusted.add_parsable_certificates(found);
                if added == 0 {
                    return Err(unusable("no certificate in PEM form".to_owned()));
                }
                builder.with_root_certificates(trusted).with_no_client_auth()
            }
        };
        Ok(Connector(Some(MakeRustlsConnect::new(config))))
    }

    /// What TLS is made with, if it is.
    pub fn tls(&self) -> Option<MakeRustlsConnect> {
        self.0.clone()
    }
}
