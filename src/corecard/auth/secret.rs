//! Where secrets are read from: the environment, a file that it names, or
//! systemd's credentials. Never an argument, never the configuration.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use secrecy::SecretString;

use super::header::sensitive;
use crate::private_file;

/// Reads an environment variable.
pub type EnvLookup<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Ends the variable that names a file in place of the secret itself.
pub const FILE: &str = "_FILE";
/// Where systemd puts what `LoadCredential=` loads, each in a file of its name.
pub const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// Why a secret cannot be had. No message holds it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Neither the secret nor a file.
    #[error("the secret is missing: set {0}, or {0}_FILE to the path of a file that holds it")]
    Missing(String),
    /// Both the secret and a file.
    #[error("{0} and {0}_FILE are both set, and only one can hold the secret: unset the other")]
    Both(String),
    /// The file that should hold the secret cannot be read.
    #[error(
        "cannot read {path}, which {variable} names: correct its path or its permissions: {cause}"
    )]
    File {
        /// The variable that names the file.
        variable: String,
        /// The file.
        path: String,
        /// What is wrong with it.
        cause: std::io::Error,
    },
    /// Others can read the file.
    #[error(
        "others can read {path}, which {variable} names (mode {mode:04o}): run `chmod 600 {path}`, and replace the secret if they may have read it"
    )]
    Exposed {
        /// The variable that names the file.
        variable: String,
        /// The file.
        path: String,
        /// Its permissions.
        mode: u32,
    },
    /// An empty file, or characters that no header can carry.
    #[error("the secret in {0} {1}")]
    Unusable(String, &'static str),
}

/// The secret in the variable, in the file that its `_FILE` twin names, or if
/// neither is set in systemd's credential of the variable's name.
///
/// # Errors
/// When there is none, or it cannot be read or stand in a header.
pub fn secret(name: &str, variable: EnvLookup) -> Result<SecretString, SecretError> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let in_file = format!("{name}{FILE}");
    match (set(name), set(&in_file)) {
        (Some(_), Some(_)) => Err(SecretError::Both(name.to_owned())),
        (None, None) => {
            match set(CREDENTIALS_DIRECTORY).map(|folder| Path::new(&folder).join(name)) {
                Some(path) if path.exists() => in_file_of(CREDENTIALS_DIRECTORY, &path),
                _ => Err(SecretError::Missing(name.to_owned())),
            }
        }
        (Some(value), None) => usable(name, value.into_encoded_bytes()),
        (None, Some(path)) => in_file_of(&in_file, Path::new(&path)),
    }
}

/// The secret in a file to which a variable leads.
fn in_file_of(variable: &str, path: &Path) -> Result<SecretString, SecretError> {
    let unread = |cause| SecretError::File {
        variable: variable.to_owned(),
        path: path.display().to_string(),
        cause,
    };
    let mut file = File::open(path).map_err(unread)?;
    let about = file.metadata().map_err(unread)?;
    if private_file::is_exposed(&about) {
        let (variable, path) = (variable.to_owned(), path.display().to_string());
        return Err(SecretError::Exposed { variable, path, mode: about.mode() & 0o7777 });
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(unread)?;
    usable(&format!("the file that {variable} names"), without_newline(bytes))
}

/// Editors end a file with a newline that is no part of the secret.
fn without_newline(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.ends_with(b"\n") {
        bytes.pop();
        if bytes.ends_with(b"\r") {
            bytes.pop();
        }
    }
    bytes
}

/// A secret that a header can carry, or an error that names its source.
fn usable(place: &str, bytes: Vec<u8>) -> Result<SecretString, SecretError> {
    let unusable = |why| SecretError::Unusable(place.to_owned(), why);
    let text = String::from_utf8(bytes).map_err(|_| unusable("is not UTF-8 text"))?;
    if text.is_empty() {
        return Err(unusable("is empty"));
    }
    sensitive(&text).ok_or_else(|| unusable("holds a line break or another control character"))?;
    Ok(SecretString::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;
    use std::os::unix::fs::PermissionsExt;

    /// The secret NAME, as these variables and this file among systemd's
    /// credentials have it.
    fn found(variables: &[(&str, &str)], credential: Option<&str>) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        if let Some(content) = credential {
            let path = folder.path().join("NAME");
            std::fs::write(&path, content).unwrap();
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o400)).unwrap();
        }
        let find = |name: &str| match name {
            CREDENTIALS_DIRECTORY => Some(folder.path().into()),
            _ => variables.iter().find(|(known, _)| *known == name).map(|(_, text)| text.into()),
        };
        secret("NAME", &find).ok().map(|secret| secret.expose_secret().to_owned())
    }

    #[test]
    fn a_credential_of_systemd_is_a_file_of_the_variables_name() {
        assert_eq!(found(&[], Some("s3cret\n")).as_deref(), Some("s3cret"));
        assert_eq!(found(&[("NAME", "other")], Some("s3cret")).as_deref(), Some("other"));
        assert_eq!(found(&[], None), None);
    }
}
