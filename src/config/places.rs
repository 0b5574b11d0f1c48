//! Where things are when nobody says where.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::names::Names;
use super::surroundings::Surroundings;

/// The configuration file of the user, if there is a home to look in.
pub fn user_config(surroundings: &Surroundings) -> Option<PathBuf> {
    Some(base(surroundings, "XDG_CONFIG_HOME", ".config")?.join("cardcancel/config.toml"))
}

/// The ledger: the one that was named, or that of the user.
pub fn ledger(named: Option<PathBuf>, surroundings: &Surroundings) -> anyhow::Result<PathBuf> {
    if let Some(path) = named {
        refuse_address(&path)?;
        return Ok(path);
    }
    let base = base(surroundings, "XDG_STATE_HOME", ".local/state").with_context(|| {
        let names = Names("ledger");
        format!("there is no home directory to keep the ledger in: set its path with {names}")
    })?;
    Ok(base.join("cardcancel/ledger.db"))
}

/// The ledger of rehearsals that goes with one: beside it, and never the same.
pub fn rehearsal_ledger(
    named: Option<PathBuf>,
    surroundings: &Surroundings,
) -> anyhow::Result<PathBuf> {
    let is_named = named.is_some();
    let real = ledger(named, surroundings)?;
    if !is_named {
        return Ok(real.with_file_name("rehearsal.db"));
    }
    let Some(name) = real.file_name() else {
        bail!("the ledger {} is not a file's name", real.display());
    };
    let mut name = match (real.extension(), real.file_stem()) {
        (Some(extension), Some(stem)) if extension == "db" => stem.to_owned(),
        _ => name.to_owned(),
    };
    name.push(".rehearsal.db");
    Ok(real.with_file_name(name))
}

/// An address of a database server is not repeated: it may hold a password.
fn refuse_address(path: &Path) -> anyhow::Result<()> {
    let text = path.to_string_lossy();
    match text.split_once("://") {
        Some(("postgres" | "postgresql", _)) => {
            bail!("a ledger in PostgreSQL is not supported yet: give the path of a file")
        }
        Some((scheme, _)) => bail!("the ledger is a file: give its path, not {scheme}://"),
        None => Ok(()),
    }
}

/// A base directory of the XDG specification, which has relative ones ignored.
fn base(surroundings: &Surroundings, variable: &str, under_home: &str) -> Option<PathBuf> {
    let absolute = |value: OsString| Some(PathBuf::from(value)).filter(|path| path.is_absolute());
    surroundings.set_variable(variable).and_then(absolute).or_else(|| {
        let home = surroundings.set_variable("HOME").and_then(absolute)?;
        Some(home.join(under_home))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    fn with<T>(variables: &[(&str, &str)], see: impl Fn(&Surroundings) -> T) -> T {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
        };
        see(&Surroundings { variable: &variable, directory: Path::new("") })
    }

    fn rehearsal(named: &str) -> PathBuf {
        with(&[], |none| rehearsal_ledger(Some(named.into()), none)).unwrap()
    }

    #[test]
    fn the_ledger_is_in_the_state_directory() {
        let home = ("HOME", "/home/ops");
        let default = |variables: &[_]| with(variables, |given| ledger(None, given)).unwrap();
        assert_eq!(default(&[home]), Path::new("/home/ops/.local/state/cardcancel/ledger.db"));
        let state = |path| default(&[home, ("XDG_STATE_HOME", path)]);
        assert_eq!(state("/var/lib"), Path::new("/var/lib/cardcancel/ledger.db"));
        assert_eq!(state("lib"), Path::new("/home/ops/.local/state/cardcancel/ledger.db"));
        assert_eq!(state(""), Path::new("/home/ops/.local/state/cardcancel/ledger.db"));
    }

    #[test]
    fn a_rehearsals_ledger_is_beside_the_real_one() {
        let home = [("HOME", "/home/ops")];
        let default = with(&home, |given| rehearsal_ledger(None, given)).unwrap();
        assert_eq!(default, Path::new("/home/ops/.local/state/cardcancel/rehearsal.db"));
        assert_eq!(rehearsal("/srv/night.db"), Path::new("/srv/night.rehearsal.db"));
        assert_eq!(rehearsal("night"), Path::new("night.rehearsal.db"));
        assert_eq!(rehearsal("night.v2"), Path::new("night.v2.rehearsal.db"));
    }

    #[test]
    fn without_a_home_the_ledger_must_be_named() {
        let error = with(&[], |none| ledger(None, none)).unwrap_err();
        assert_snapshot!(error, @"there is no home directory to keep the ledger in: set its path with --ledger, CARDCANCEL_LEDGER, or ledger in cardcancel.toml");
    }

    #[test]
    fn a_database_servers_address_is_refused_and_never_repeated() {
        let error = |address: &str| {
            with(&[], |none| ledger(Some(address.into()), none)).unwrap_err().to_string()
        };
        assert_snapshot!(error("postgres://me:s3cret@host/db"), @"a ledger in PostgreSQL is not supported yet: give the path of a file");
        assert_snapshot!(error("redis://me:s3cret@host/db"), @"the ledger is a file: give its path, not redis://");
    }
}
