//! TLS to the database: the server's certificate is always verified, with its name.

use std::path::PathBuf;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::super::LedgerError;
use crate::tls;

/// Whose certificates are trusted.
pub(super) enum TrustedRoots {
    /// As the system has it.
    System,
    /// The authorities of this file, and no others.
    File(PathBuf),
}

/// How TLS is made, if it is.
#[derive(Clone)]
pub(super) struct DatabaseTls(Option<MakeRustlsConnect>);

impl DatabaseTls {
    /// No TLS.
    pub fn none() -> DatabaseTls {
        DatabaseTls(None)
    }

    /// TLS that trusts whom these vouch for.
    pub fn verifying(roots: TrustedRoots) -> Result<DatabaseTls, LedgerError> {
        let bad = |what: String| LedgerError::BadUrl(what);
        let failed = |cause| bad(format!("TLS cannot be set up ({cause})"));
        let config = match roots {
            TrustedRoots::System => tls::trusting_system_and([]).map_err(failed)?,
            TrustedRoots::File(path) => {
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
                tls::trusting_only(trusted).map_err(failed)?
            }
        };
        Ok(DatabaseTls(Some(MakeRustlsConnect::new(config.with_no_client_auth()))))
    }

    /// What TLS is made with, if it is.
    pub fn tls(&self) -> Option<MakeRustlsConnect> {
        self.0.clone()
    }
}
