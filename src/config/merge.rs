//! Merges the layers: what flags, environment, profile and file set, the stronger over the weaker.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::env::Env;
use super::env_layer::env_layer;
use super::file::ConfigFile;
use super::layer::Layer;
use super::options::Options;
use super::paths::{self, LEDGER_PASSWORD as PASSWORD};
use super::section::Section;
use crate::private_file;

/// All that is set: defaults < file < profile < environment < flags.
///
/// # Errors
/// What is wrong with a value or with the file, and where.
pub fn merged(flags: Layer, env: &Env) -> anyhow::Result<(Options, Section)> {
    if flags.holds_password() {
        bail!(
            "everyone on this machine can see a password that is on the command line: take it out of --ledger, and set {PASSWORD}, or {PASSWORD}_FILE to the path of a file that holds it"
        );
    }
    let above = flags.or(env_layer(env)?);
    let profile = above.get("profile").map(OsStr::to_string_lossy);
    let below = match read(above.get("config").map(Path::new), env)? {
        Some(file) => file.section(profile.as_deref())?,
        None if profile.is_some() => {
            bail!(
                "--profile names a table of the configuration file, and there is no such file: `cardcancel config init` writes one, --config names one"
            )
        }
        None => Section::default(),
    };
    let settings = above.or(below.settings);
    let options = settings.options().map_err(anyhow::Error::msg)?;
    Ok((options, Section { settings, ..below }))
}

/// The names of the profiles in the configuration file, in order.
///
/// # Errors
/// If the file cannot be read or is not understood.
pub fn profiles(flags: Layer, env: &Env) -> anyhow::Result<Vec<String>> {
    let above = flags.or(env_layer(env)?);
    let file = read(above.get("config").map(Path::new), env)?;
    Ok(file.map(ConfigFile::into_profile_names).unwrap_or_default())
}

/// Where the file may be: where it was named, else in these places in this order.
pub(super) fn candidates(named: Option<&Path>, env: &Env) -> Vec<PathBuf> {
    match named {
        Some(path) => vec![path.to_owned()],
        None => {
            let here = env.directory.join("cardcancel.toml");
            let system = env.etc.join("cardcancel/cardcancel.toml");
            let user = paths::user_config(env);
            [Some(here), user, Some(system)].into_iter().flatten().collect()
        }
    }
}

/// The first file that is there, if any is; one that was named must be.
fn read(named: Option<&Path>, env: &Env) -> anyhow::Result<Option<ConfigFile>> {
    for path in candidates(named, env) {
        let name = path.display().to_string();
        let unreadable =
            || format!("cannot read the configuration {name}: correct its path or its permissions");
        let file = match fs::File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound && named.is_none() => continue,
            file => file.with_context(unreadable)?,
        };
        let about = file.metadata().with_context(unreadable)?;
        private_file::check_not_writable_by_others(&path, &about)?;
        let text = match io::read_to_string(file) {
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                bail!("the configuration {name} is not UTF-8 text: save it as UTF-8")
            }
            text => text.with_context(unreadable)?,
        };
        let file = ConfigFile::parse(&name, &text)?;
        if file.holds_password() && private_file::is_exposed(&about) {
            bail!(
                "others can read the configuration {name}, and the ledger's password is in it: run `chmod 600 {name}`, and replace the password if they may have read it; or take it out, and set {PASSWORD}"
            );
        }
        return Ok(Some(file));
    }
    Ok(None)
}
