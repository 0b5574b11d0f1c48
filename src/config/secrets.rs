//! Which secrets the configuration requires, and where they are set. None of them is
//! read.

use std::cell::RefCell;
use std::ffi::OsString;
use std::path::Path;

use serde::Serialize;

use super::env::Env;
use super::paths::LEDGER_PASSWORD;
use crate::corecard::auth::secret::{CREDENTIALS_DIRECTORY, FILE};
use crate::corecard::auth::{Auth, AuthError};
use crate::corecard::proxy;

/// The variables of secrets, but for those of headers, which are named after them.
pub const VARIABLES: [&str; 7] = [
    "CARDCANCEL_BEARER_TOKEN",
    "CARDCANCEL_BASIC_PASSWORD",
    "CARDCANCEL_OAUTH2_CLIENT_SECRET",
    "CARDCANCEL_CORECARD_PASSWORD",
    proxy::USERNAME,
    proxy::PASSWORD,
    LEDGER_PASSWORD,
];
/// How the variables of headers begin.
const HEADER: &str = "CARDCANCEL_HEADER_";

/// Whether a variable holds a secret, or names the file of one.
pub fn is_secret_variable(variable: &str) -> bool {
    let name = variable.strip_suffix(FILE).unwrap_or(variable);
    VARIABLES.contains(&name) || name.strip_prefix(HEADER).is_some_and(|name| !name.is_empty())
}

/// A secret, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Secret {
    /// Its variable.
    pub variable: String,
    /// Whether it is set, here or in a file.
    pub set: bool,
    /// The file that holds it: the one that the variable's `_FILE` twin names, or a
    /// credential of systemd's.
    pub file: Option<String>,
}

/// The variables of the secrets that an `[auth]` table requires.
///
/// # Errors
/// When the table is not as it should be; no secret is missed for that.
pub fn required_secret_variables(auth: &toml::Table) -> Result<Vec<String>, AuthError> {
    let asked = RefCell::new(Vec::<String>::new());
    // Answers each look-up with a placeholder, and records its name.
    let placeholder = |name: &str| {
        let mut asked = asked.borrow_mut();
        let twin = name.strip_suffix(FILE).is_some_and(|name| asked.iter().any(|a| a == name));
        if !twin {
            asked.push(name.to_owned());
        }
        (!twin).then(|| OsString::from("-"))
    };
    Auth::new(auth.clone(), &placeholder)?;
    Ok(asked.into_inner())
}

/// Where the secret of this variable is.
pub fn locate(variable: String, env: &Env) -> Secret {
    let named = env.get(&format!("{variable}{FILE}"));
    let here = env.get(&variable).is_some();
    let folder = env.get(CREDENTIALS_DIRECTORY).filter(|_| !here);
    let credential = || Some(Path::new(&folder?).join(&variable)).filter(|path| path.exists());
    let file = named.map(Into::into).or_else(credential);
    let set = here || file.is_some();
    Secret { variable, set, file: file.map(|path| path.display().to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(auth: &str) -> Vec<String> {
        let variables = required_secret_variables(&auth.parse().unwrap()).unwrap();
        for variable in &variables {
            assert!(
                is_secret_variable(variable) && is_secret_variable(&format!("{variable}{FILE}")),
                "{variable}"
            );
        }
        variables
    }

    #[test]
    fn what_only_looks_like_the_variable_of_a_secret_is_none() {
        for variable in ["CARDCANCEL_BEARER_TOKE", "CARDCANCEL_HEADER_", "CARDCANCEL_TOKEN_FILE"] {
            assert!(!is_secret_variable(variable), "{variable}");
        }
    }

    #[test]
    fn each_kind_names_its_variables() {
        assert!(variables("kind = 'none'").is_empty());
        assert_eq!(variables("kind = 'bearer'"), ["CARDCANCEL_BEARER_TOKEN"]);
        assert_eq!(variables("kind = 'basic'\nusername = 'me'"), ["CARDCANCEL_BASIC_PASSWORD"]);
        assert_eq!(
            variables("kind = 'headers'\nnames = ['X-Api-Key', 'X-File']"),
            ["CARDCANCEL_HEADER_X_API_KEY", "CARDCANCEL_HEADER_X_FILE"]
        );
        assert_eq!(
            variables("kind = 'oauth2'\ntoken_url = 'https://a'\nclient_id = 'me'"),
            ["CARDCANCEL_OAUTH2_CLIENT_SECRET"]
        );
        assert_eq!(
            variables("kind = 'corecard'\nuser_id = 'me'"),
            ["CARDCANCEL_CORECARD_PASSWORD"]
        );
        assert!(variables("kind = 'command'\ncommand = ['token']").is_empty());
    }
}
