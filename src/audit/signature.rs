//! Signatures over exports, by `ssh-keygen`: agents, hardware keys and certificates work, and no
//! private key is ever in this process.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

/// The namespace of the signatures. One that was made for another purpose has another.
pub const NAMESPACE: &str = "cardcancel-export";

/// The program that signs and verifies.
const SSH_KEYGEN: &str = "ssh-keygen";

/// Signs a file. The signature stands beside it, under its name with `.sig` behind. `key` is a
/// private key, or a public key whose private key an agent holds. `ssh-keygen` may ask for a
/// passphrase or a touch on the terminal.
///
/// # Errors
/// If `ssh-keygen` is missing or does not sign.
pub fn sign(file: &Path, key: &Path) -> anyhow::Result<()> {
    let mut command = Command::new(SSH_KEYGEN);
    command.args(["-q", "-Y", "sign", "-n", NAMESPACE, "-f"]).arg(key).arg(file);
    let status = command.status().context(MISSING)?;
    if !status.success() {
        bail!("ssh-keygen did not sign with {}: its message stands above", key.display());
    }
    Ok(())
}

/// What `ssh-keygen` says of a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignatureVerdict {
    /// It is a signature of this signer over these bytes.
    Good,
    /// It is not, for this reason.
    Bad(String),
}

/// Verifies a signature over these bytes by one of the signers whom a file lists, in the format
/// of `ssh-keygen`'s allowed signers. That file must not come from the export.
///
/// # Errors
/// If it cannot be verified: `ssh-keygen` is missing, or the list of signers cannot be read.
pub fn verify_signature(
    signed: &[u8],
    signature: &Path,
    signers: &Path,
    signer: &str,
) -> anyhow::Result<SignatureVerdict> {
    std::fs::File::open(signers)
        .with_context(|| format!("cannot read the list of signers {}", signers.display()))?;
    let mut command = Command::new(SSH_KEYGEN);
    command.args(["-Y", "verify", "-n", NAMESPACE, "-I", signer, "-f"]).arg(signers);
    command.arg("-s").arg(signature);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context(MISSING)?;
    if let Some(mut input) = child.stdin.take() {
        // It closes its input early where the signature is none.
        let _ = input.write_all(signed);
    }
    let output = child.wait_with_output().context("ssh-keygen could not be waited for")?;
    if output.status.success() {
        return Ok(SignatureVerdict::Good);
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).replace(char::is_control, " ");
    Ok(SignatureVerdict::Bad(said.trim().to_owned()))
}

const MISSING: &str = "ssh-keygen cannot be started: install openssh-client";

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn new_key(path: &Path) -> bool {
        let mut command = Command::new(SSH_KEYGEN);
        command.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path);
        command.status().is_ok_and(|status| status.success())
    }

    #[test]
    fn a_signature_is_good_for_its_signer_and_its_bytes_alone() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        if !new_key(&path("key")) {
            eprintln!("not tested: ssh-keygen is missing");
            return;
        }
        assert!(new_key(&path("other")));
        let file = path("tagmanifest-sha256.txt");
        fs::write(&file, "digest  bagit.txt\n").unwrap();
        sign(&file, &path("key")).unwrap();
        let public = fs::read_to_string(path("key.pub")).unwrap();
        let signers = path("signers");
        fs::write(&signers, format!("audit@example.com {public}")).unwrap();

        let signature = path("tagmanifest-sha256.txt.sig");
        let verify = |bytes: &[u8], signer: &str| {
            verify_signature(bytes, &signature, &signers, signer).unwrap()
        };
        let bytes = fs::read(&file).unwrap();
        assert_eq!(verify(&bytes, "audit@example.com"), SignatureVerdict::Good);
        assert_ne!(verify(&bytes, "eve@example.com"), SignatureVerdict::Good);
        assert_ne!(verify(b"digest  bagit.txt\r\n", "audit@example.com"), SignatureVerdict::Good);

        fs::remove_file(&signature).unwrap();
        sign(&file, &path("other")).unwrap();
        assert_ne!(verify(&bytes, "audit@example.com"), SignatureVerdict::Good, "another key");
        fs::write(&signature, "no signature").unwrap();
        assert_ne!(verify(&bytes, "audit@example.com"), SignatureVerdict::Good, "no signature");

        let missing = verify_signature(&bytes, &signature, &path("nobody"), "audit@example.com");
        assert!(missing.is_err(), "it was not checked");
        assert!(sign(&file, &path("nobody")).is_err());
    }
}
