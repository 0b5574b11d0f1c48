//! The files of one run: no two of them may be one, or what is written to one is lost in
//! the other.

use std::path::{Path, PathBuf};

use anyhow::bail;

use crate::config::Settings;
use crate::ledger::LedgerLocation;

/// What SQLite keeps beside a ledger.
const BESIDE_A_LEDGER: [&str; 4] = ["", "-wal", "-shm", "-journal"];

/// Refuses names that lead to one file, there already or not.
///
/// # Errors
/// When two of the run's files are one.
pub fn refuse_clashes(
    settings: &Settings,
    input: &Path,
    results: Option<&Path>,
) -> anyhow::Result<()> {
    let mut files = vec![("the input", input.to_owned())];
    if let LedgerLocation::File(ledger) = &settings.ledger {
        files.extend(BESIDE_A_LEDGER.iter().map(|ending| {
            let mut path = ledger.clone().into_os_string();
            path.push(ending);
            ("--ledger", path.into())
        }));
    }
    let written = [
        ("--results", results),
        ("--log-file", settings.logs.file.as_deref()),
        ("--metrics-file", settings.metrics.as_deref()),
        ("witness in [seal]", settings.seal.witness.as_deref()),
    ];
    for (what, path) in written {
        let Some(path) = path else { continue };
        if let Some((other, _)) = files.iter().find(|(_, other)| is_same(other, path)) {
            bail!("{other} and {what} are both {}: give each a different name", path.display());
        }
        files.push((what, path.to_owned()));
    }
    Ok(())
}

fn is_same(one: &Path, other: &Path) -> bool {
    whole(one).is_some_and(|path| whole(other) == Some(path))
}

/// Where a path leads; nothing where that is not to be known, or is no file.
fn whole(path: &Path) -> Option<PathBuf> {
    if let Ok(there) = std::fs::canonicalize(path) {
        return there.metadata().is_ok_and(|there| there.is_file()).then_some(there);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = std::fs::canonicalize(folder.unwrap_or(Path::new("."))).ok()?;
    Some(folder.join(path.file_name()?))
}
