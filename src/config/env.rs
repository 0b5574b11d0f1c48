//! What the program is started in.

use std::ffi::OsString;
use std::path::Path;

use crate::corecard::secret::Variable;

/// The environment and the directory that the program is started in.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// Reads an environment variable.
    pub variable: Variable<'a>,
    /// Lists the names of all environment variables.
    pub variables: &'a dyn Fn() -> Vec<OsString>,
    /// Where `cardcancel.toml` is looked for; empty stands for the current directory.
    pub directory: &'a Path,
    /// Where the configuration of the machine is looked for, in `cardcancel/cardcancel.toml`.
    pub etc: &'a Path,
}

impl Surroundings<'static> {
    /// Those of this process.
    pub fn of_this_process() -> Self {
        let (directory, etc) = (Path::new(""), Path::new("/etc"));
        Surroundings { variable: &process_variable, variables: &process_variables, directory, etc }
    }
}

impl Surroundings<'_> {
    /// An environment variable; an empty one counts as unset.
    pub(super) fn set_variable(&self, name: &str) -> Option<OsString> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }
}

fn process_variables() -> Vec<OsString> {
    std::env::vars_os().map(|(name, _)| name).collect()
}

fn process_variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}
