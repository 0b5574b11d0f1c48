//! TLS to the database. The server's certificate and name are always verified.

use std::path::PathBuf;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::ledger::LedgerError;
use crate::tls;

/// The certificate authorities to trust.
pub(super) enum TrustedRoots {
    /// Those of the system.
    System,
    /// Only those in this file.
    File(PathBuf),
}

/// The TLS configuration of the connection, if it uses TLS.
#[derive(Clone)]
pub(super) struct DatabaseTls(Option<MakeRustlsConnect>);

impl DatabaseTls {
    /// A connection without TLS.
    pub fn none() -> DatabaseTls {
        DatabaseTls(None)
    }

    /// TLS that trusts certificates signed by these authorities.
    pub fn verifying(roots: TrustedRoots) -> Result<DatabaseTls, LedgerError> {
        let bad = |what: String| LedgerError::InvalidUrl(what);
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

    /// The TLS connector; `None` without TLS.
    pub fn tls(&self) -> Option<MakeRustlsConnect> {
        self.0.clone()
    }
}
