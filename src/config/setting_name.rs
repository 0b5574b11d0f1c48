//! The name of a setting: as a flag, an environment variable and a key.

use std::fmt;

/// All our environment variables begin with it.
pub const PREFIX: &str = "CARDCANCEL_";

/// A setting's name in its three forms, all derived from the flag: `--cut-off`,
/// `CARDCANCEL_CUT_OFF` and `cut_off`. `Display` lists all three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettingName<'a>(
    /// The flag, without its dashes.
    pub &'a str,
);

impl SettingName<'_> {
    /// The environment variable.
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.key().to_ascii_uppercase())
    }

    /// The key in the configuration file.
    pub fn key(&self) -> String {
        self.0.replace('-', "_")
    }
}

impl fmt::Display for SettingName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--{}, {}, or {} in cardcancel.toml", self.0, self.variable(), self.key())
    }
}
