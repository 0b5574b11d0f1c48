//! The environment of the process: variables and the folders where configuration is looked for.

use std::ffi::OsString;
use std::path::Path;

use crate::corecard::auth::secret::EnvLookup;

/// The environment of the process: its variables and its current directory.
#[derive(Clone, Copy)]
pub struct Env<'a> {
    /// Reads an environment variable.
    pub lookup: EnvLookup<'a>,
    /// Lists the names of all environment variables.
    pub names: &'a dyn Fn() -> Vec<OsString>,
    /// Where `cardcancel.toml` is looked for; empty stands for the current directory.
    pub directory: &'a Path,
    /// Where the configuration of the machine is looked for, in `cardcancel/cardcancel.toml`.
    pub etc: &'a Path,
}

impl Env<'static> {
    /// The environment of this process.
    pub fn from_process() -> Self {
        let (directory, etc) = (Path::new(""), Path::new("/etc"));
        Env { lookup: &process_lookup, names: &process_names, directory, etc }
    }
}

impl Env<'_> {
    /// An environment variable; an empty one counts as unset.
    pub(super) fn get(&self, name: &str) -> Option<OsString> {
        (self.lookup)(name).filter(|value| !value.is_empty())
    }
}

fn process_names() -> Vec<OsString> {
    std::env::vars_os().map(|(name, _)| name).collect()
}

fn process_lookup(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}
