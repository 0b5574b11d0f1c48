//! Which secrets the configuration calls for, and whether they are there. None
//! of them is read.

use std::cell::RefCell;
use std::ffi::OsString;

use serde::Serialize;

use super::surroundings::Surroundings;
use crate::corecard::auth::{Auth, BadAuth};

/// Ends the variable that names a file in place of the secret itself.
const FILE: &str = "_FILE";

/// A secret, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Secret {
    /// Its variable.
    pub variable: String,
    /// Whether it is set, here or in a file.
    pub set: bool,
    /// The file that holds it, if the variable's `_FILE` twin names one.
    pub file: Option<String>,
}

/// The variables of the secrets that an `[auth]` table calls for.
///
/// # Errors
/// When the table is not as it should be; no secret is missed for that.
pub fn called_for(auth: &toml::Table) -> Result<Vec<String>, BadAuth> {
    let asked = RefCell::new(Vec::<String>::new());
    // To every question for a secret, an answer that is none.
    let stand_in = |name: &str| {
        let mut asked = asked.borrow_mut();
        let twin = name.strip_suffix(FILE).is_some_and(|name| asked.iter().any(|a| a == name));
        if !twin {
            asked.push(name.to_owned());
        }
        (!twin).then(|| OsString::from("-"))
    };
    Auth::new(auth.clone(), &stand_in)?;
    Ok(asked.into_inner())
}

/// Where the secret of this variable is.
pub fn find(variable: String, surroundings: &Surroundings) -> Secret {
    let file = surroundings.set_variable(&format!("{variable}{FILE}"));
    let file = file.map(|path| path.to_string_lossy().into_owned());
    let set = file.is_some() || surroundings.set_variable(&variable).is_some();
    Secret { variable, set, file }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(auth: &str) -> Vec<String> {
        called_for(&auth.parse().unwrap()).unwrap()
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
    }
}
