//! TLS: which authorities are trusted beside the system's, and the client certificate.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore};

use crate::{private_file, tls};

/// The files that TLS is set up from; each is optional.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificates of authorities to trust beside the system's.
    pub ca: Option<PathBuf>,
    /// Our own certificate, with those that lead to its authority.
    pub client_cert: Option<PathBuf>,
    /// The private key of our own certificate.
    pub client_key: Option<PathBuf>,
}

/// TLS beside what the system has. It never shows the key.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    authorities: Vec<CertificateDer<'static>>,
    identity: Option<ClientIdentity>,
}

/// Our own certificate, with those that lead to its authority, and its key.
type ClientIdentity = Arc<SingleCertAndKey>;

/// Why TLS cannot be set up. Each names the setting to change.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{flag}: cannot read {path}: correct its path or its permissions: {cause}")]
    Unreadable {
        /// The setting that names it.
        flag: &'static str,
        /// The file.
        path: String,
        /// What is wrong with it.
        cause: io::Error,
    },
    /// No certificate in it.
    #[error("{flag}: {path} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)")]
    NoCertificate {
        /// The setting that names it.
        flag: &'static str,
        /// The file.
        path: String,
    },
    /// No private key in it, or an encrypted one.
    #[error(
        "--client-key-file: {0} holds no private key in PEM form without a passphrase (-----BEGIN PRIVATE KEY-----)"
    )]
    NoKey(String),
    /// Others can read the key.
    #[error(
        "--client-key-file: {path} can be read by others (mode {mode:04o}): run `chmod 600 {path}`, and replace the key if they may have read it"
    )]
    Exposed {
        /// The file.
        path: String,
        /// Its permissions.
        mode: u32,
    },
    /// The key is that of another certificate, or of a kind that cannot be used.
    #[error(
        "the certificate in --client-cert-file cannot be used with the key in --client-key-file ({0}): name the key that belongs to it"
    )]
    NoPair(rustls::Error),
    /// One of the two files of our own certificate.
    #[error(
        "--client-cert-file and --client-key-file go together, and only one of them is set: set both"
    )]
    Half,
}

const CA: &str = "--ca-file";
const CLIENT_CERT: &str = "--client-cert-file";
const CLIENT_KEY: &str = "--client-key-file";

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// When one cannot be read or used, or others can read the private key.
    pub fn new(files: &TlsFiles) -> Result<Tls, TlsError> {
        let authorities = match &files.ca {
            Some(path) => certificates(CA, path)?,
            None => Vec::new(),
        };
        let identity = match (&files.client_cert, &files.client_key) {
            (Some(certificate), Some(key)) => Some(identity(certificate, key)?),
            (None, None) => None,
            _ => return Err(TlsError::Half),
        };
        Ok(Tls { authorities, identity })
    }

    /// Whether there is a client certificate.
    pub(super) fn has_identity(&self) -> bool {
        self.identity.is_some()
    }

    /// What stands in for TLS where nothing is encrypted: it trusts nobody.
    ///
    /// # Errors
    /// If the provider of the cryptography has no protocol version in common with it.
    pub(super) fn unused() -> Result<ClientConfig, rustls::Error> {
        Ok(tls::trusting_only(RootCertStore::empty())?.with_no_client_auth())
    }

    /// TLS for a client, 1.2 or newer.
    ///
    /// # Errors
    /// For want of root certificates, or when one to be trusted is broken.
    pub(super) fn config(&self) -> Result<ClientConfig, rustls::Error> {
        let config = tls::trusting_system_and(self.authorities.iter().cloned())?;
        match &self.identity {
            Some(identity) => Ok(config.with_client_cert_resolver(Arc::clone(identity) as _)),
            None => Ok(config.with_no_client_auth()),
        }
    }
}

fn certificates(flag: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(flag, path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    found
        .ok()
        .filter(|found| !found.is_empty())
        .ok_or_else(|| TlsError::NoCertificate { flag, path: path.display().to_string() })
}

fn identity(certificate: &Path, key: &Path) -> Result<ClientIdentity, TlsError> {
    let certificates = certificates(CLIENT_CERT, certificate)?;
    refuse_exposed(key)?;
    let pem = read(CLIENT_KEY, key)?;
    let no_key = |_| TlsError::NoKey(key.display().to_string());
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(no_key)?;
    let pair =
        CertifiedKey::from_der(certificates, key, &tls::provider()).map_err(TlsError::NoPair)?;
    Ok(Arc::new(SingleCertAndKey::from(pair)))
}

/// Refuses a key that others can read: with it they could act as this client.
fn refuse_exposed(key: &Path) -> Result<(), TlsError> {
    let file = fs::metadata(key).map_err(unreadable(CLIENT_KEY, key))?;
    if private_file::is_exposed(&file) {
        let mode = file.mode() & 0o7777;
        Err(TlsError::Exposed { path: key.display().to_string(), mode })
    } else {
        Ok(())
    }
}

fn read(flag: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(unreadable(flag, path))
}

fn unreadable(flag: &'static str, path: &Path) -> impl FnOnce(io::Error) -> TlsError {
    move |cause| TlsError::Unreadable { flag, path: path.display().to_string(), cause }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;
    use std::os::unix::fs::PermissionsExt;

    struct Files(tempfile::TempDir);

    impl Files {
        fn new() -> Files {
            let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
            let files = Files(tempfile::tempdir().unwrap());
            files.write("cert.pem", &pair.cert.pem(), 0o644);
            files.write("key.pem", &pair.signing_key.serialize_pem(), 0o600);
            files.write("text.txt", "hello", 0o600);
            files
        }

        fn write(&self, name: &str, content: &str, mode: u32) {
            fs::write(self.path(name), content).unwrap();
            fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn ours(&self, certificate: &str, key: &str) -> Result<Tls, TlsError> {
            let (client_cert, client_key) = (self.path(certificate), self.path(key));
            let (client_cert, client_key) = (Some(client_cert), Some(client_key));
            Tls::new(&TlsFiles { client_cert, client_key, ca: None })
        }

        fn trusting(&self, ca: &str) -> Result<Tls, TlsError> {
            Tls::new(&TlsFiles { ca: Some(self.path(ca)), ..TlsFiles::default() })
        }

        fn error(&self, result: Result<Tls, TlsError>) -> String {
            let folder = self.0.path().display().to_string();
            result.unwrap_err().to_string().replace(&folder, "~")
        }
    }

    #[test]
    fn authorities_and_our_own_certificate_come_from_pem_files() {
        let files = Files::new();
        assert_eq!(files.trusting("cert.pem").unwrap().authorities.len(), 1);
        assert!(files.ours("cert.pem", "key.pem").unwrap().config().is_ok());
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let files = Files::new();
        for mode in [0o644, 0o660, 0o604] {
            let permissions = fs::Permissions::from_mode(mode);
            fs::set_permissions(files.path("key.pem"), permissions).unwrap();
            assert!(files.ours("cert.pem", "key.pem").is_err(), "{mode:o}");
        }
        assert_snapshot!(files.error(files.ours("cert.pem", "key.pem")), @"--client-key-file: ~/key.pem can be read by others (mode 0604): run `chmod 600 ~/key.pem`, and replace the key if they may have read it");
    }

    #[test]
    fn a_file_that_is_not_what_it_should_be_is_named_with_its_setting() {
        let files = Files::new();
        assert_snapshot!(files.error(files.trusting("text.txt")), @"--ca-file: ~/text.txt holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)");
        assert_snapshot!(files.error(files.trusting("gone.pem")), @"--ca-file: cannot read ~/gone.pem: correct its path or its permissions: No such file or directory (os error 2)");
        assert_snapshot!(files.error(files.ours("key.pem", "key.pem")), @"--client-cert-file: ~/key.pem holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)");
        assert_snapshot!(files.error(files.ours("cert.pem", "text.txt")), @"--client-key-file: ~/text.txt holds no private key in PEM form without a passphrase (-----BEGIN PRIVATE KEY-----)");
        let half = TlsFiles { client_cert: Some(files.path("cert.pem")), ..TlsFiles::default() };
        assert_snapshot!(files.error(Tls::new(&half)), @"--client-cert-file and --client-key-file go together, and only one of them is set: set both");
    }
}
