//! The three names that every setting goes by.

use std::fmt;

/// All our environment variables begin with it.
pub const PREFIX: &str = "CARDCANCEL_";

/// A setting's names, all made from its flag: `--cut-off`, `CARDCANCEL_CUT_OFF`
/// and `cut_off`. Shown, they say where the setting can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names<'a>(
    /// The flag, without its dashes.
    pub &'a str,
);

impl Names<'_> {
    /// The environment variable.
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.key().to_ascii_uppercase())
    }

    /// The key in the configuration file.
    pub fn key(&self) -> String {
        self.0.replace('-', "_")
    }
}

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--{}, {}, or {} in cardcancel.toml", self.0, self.variable(), self.key())
    }
}
