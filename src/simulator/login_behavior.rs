//! What the login does.

use serde::Deserialize;

/// What the login does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoginBehavior {
    /// Gives every user a token, whatever the password
    #[default]
    Accept,
    /// Refuses the password: HTTP 401, `Status` false
    WrongPassword,
    /// Refuses with HTTP 200, `Status` false
    StatusFalse,
    /// Gives tokens that have expired already
    ExpiredToken,
    /// Gives tokens for the password alone, not for a refresh token
    RefuseRefresh,
}

impl std::fmt::Display for LoginBehavior {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        clap::ValueEnum::to_possible_value(self)
            .map_or(Ok(()), |value| f.write_str(value.get_name()))
    }
}
