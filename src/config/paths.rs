//! The default paths, by the XDG base directory specification.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, bail};

use super::env::Env;
use super::ledger_arg::LedgerArg;
use super::setting_name::SettingName;
use crate::ledger::LedgerLocation;

/// The configuration file of the user, if there is a home to look in.
pub fn user_config(env: &Env) -> Option<PathBuf> {
    Some(base(env, "XDG_CONFIG_HOME", ".config")?.join("cardcancel/config.toml"))
}

/// The variable of the password of a ledger that is a database.
pub const LEDGER_PASSWORD: &str = "CARDCANCEL_LEDGER_PASSWORD";

/// The ledger: the one that was named, or that of the user. A database's password
/// is not in it unless it was named with it.
pub fn ledger(named: Option<LedgerArg>, env: &Env) -> anyhow::Result<LedgerLocation> {
    match named {
        Some(name) => name.location(),
        None => users(env, "ledger.db").map(LedgerLocation::File),
    }
}

/// The ledger of rehearsals that goes with one: beside it, and never the same. One
/// that goes with a database is the user's own.
pub fn rehearsal_ledger(named: Option<LedgerArg>, env: &Env) -> anyhow::Result<PathBuf> {
    let real = match named.map(LedgerArg::location).transpose()? {
        Some(LedgerLocation::File(path)) => path,
        Some(LedgerLocation::Database(_)) | None => return users(env, "rehearsal.db"),
    };
    let Some(name) = real.file_name() else {
        bail!("the ledger {} is not the name of a file", real.display());
    };
    let mut name = match (real.extension(), real.file_stem()) {
        (Some(extension), Some(stem)) if extension == "db" => stem.to_owned(),
        _ => name.to_owned(),
    };
    name.push(".rehearsal.db");
    Ok(real.with_file_name(name))
}

/// A ledger of the user's own.
fn users(env: &Env, name: &str) -> anyhow::Result<PathBuf> {
    let base = base(env, "XDG_STATE_HOME", ".local/state").with_context(|| {
        let setting = SettingName("ledger");
        format!("there is no home directory to keep the ledger in: set its path with {setting}")
    })?;
    Ok(base.join("cardcancel").join(name))
}

/// A base directory of the XDG specification, which has relative ones ignored.
fn base(env: &Env, variable: &str, under_home: &str) -> Option<PathBuf> {
    let absolute = |value: OsString| Some(PathBuf::from(value)).filter(|path| path.is_absolute());
    env.get(variable).and_then(absolute).or_else(|| {
        let home = env.get("HOME").and_then(absolute)?;
        Some(home.join(under_home))
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use insta::assert_snapshot;

    fn with<T>(variables: &[(&str, &str)], f: impl Fn(&Env) -> T) -> T {
        let lookup = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
        };
        let names = || variables.iter().map(|(name, _)| name.into()).collect();
        let directory = Path::new("");
        f(&Env { lookup: &lookup, names: &names, directory, etc: directory })
    }

    fn file(path: &str) -> LedgerLocation {
        LedgerLocation::File(path.into())
    }

    fn rehearsal(named: &str) -> PathBuf {
        with(&[], |none| rehearsal_ledger(Some(named.into()), none)).unwrap()
    }

    #[test]
    fn the_ledger_is_in_the_state_directory() {
        let home = ("HOME", "/home/ops");
        let default = |variables: &[_]| with(variables, |env| ledger(None, env)).unwrap();
        assert_eq!(default(&[home]), file("/home/ops/.local/state/cardcancel/ledger.db"));
        let state = |path| default(&[home, ("XDG_STATE_HOME", path)]);
        assert_eq!(state("/var/lib"), file("/var/lib/cardcancel/ledger.db"));
        assert_eq!(state("lib"), file("/home/ops/.local/state/cardcancel/ledger.db"));
        assert_eq!(state(""), file("/home/ops/.local/state/cardcancel/ledger.db"));
    }

    #[test]
    fn a_rehearsals_ledger_is_beside_the_real_one() {
        let home = [("HOME", "/home/ops")];
        let default = with(&home, |env| rehearsal_ledger(None, env)).unwrap();
        assert_eq!(default, Path::new("/home/ops/.local/state/cardcancel/rehearsal.db"));
        assert_eq!(rehearsal("/srv/night.db"), Path::new("/srv/night.rehearsal.db"));
        assert_eq!(rehearsal("night"), Path::new("night.rehearsal.db"));
        assert_eq!(rehearsal("night.v2"), Path::new("night.v2.rehearsal.db"));
    }

    #[test]
    fn a_rehearsal_never_uses_a_database() {
        let beside =
            |env: &Env| rehearsal_ledger(Some("postgres://me:s3cret@db/night".into()), env);
        let home = [("HOME", "/home/ops")];
        let local = with(&home, beside).unwrap();
        assert_eq!(local, Path::new("/home/ops/.local/state/cardcancel/rehearsal.db"));
    }

    #[test]
    fn without_a_home_the_ledger_must_be_named() {
        let error = with(&[], |none| ledger(None, none)).unwrap_err();
        assert_snapshot!(error, @"there is no home directory to keep the ledger in: set its path with --ledger, CARDCANCEL_LEDGER, or ledger in cardcancel.toml");
    }
}
