//! Upgrades a ledger of an older version.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior};

use super::failure::failure;
use super::file::SqliteFile;
use super::maintenance;
use super::schema::{self, Identified, VERSION};
use crate::ledger::{LedgerError, RunLock};

/// Upgrades a ledger of the version `found` in one transaction, after a copy of it was written
/// beside it.
///
/// # Errors
/// If a process works on one of its runs, or the copy or the upgrade cannot be written. The ledger
/// is unchanged then.
pub(super) fn upgrade(
    connection: &mut Connection,
    file: &SqliteFile,
    path: &str,
    found: i64,
) -> Result<(), LedgerError> {
    let fail = |cause| failure(path, cause);
    refuse_in_use(connection, file, path)?;
    let copy = copy_path(file.path(), found);
    maintenance::copy(connection, path, &copy)?;
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fail)?;
    // Another process may have upgraded it meanwhile.
    if let Identified::Older(found) = schema::identify(&transaction, path)? {
        for statements in schema::upgrade_statements(found) {
            transaction.execute_batch(statements).map_err(fail)?;
        }
        transaction.pragma_update(None, "user_version", VERSION).map_err(fail)?;
        transaction.commit().map_err(fail)?;
        tracing::info!(
            "the ledger {path} was upgraded from version {found} to {VERSION}; a copy of it as it was is {}",
            copy.display()
        );
    }
    Ok(())
}

/// A process of the older version would record its calls in the older way.
fn refuse_in_use(
    connection: &Connection,
    file: &SqliteFile,
    path: &str,
) -> Result<(), LedgerError> {
    let fail = |cause| failure(path, cause);
    let mut find = connection.prepare("SELECT DISTINCT key FROM run").map_err(fail)?;
    let keys = find.query_map([], |row| row.get::<_, String>(0)).map_err(fail)?;
    for key in keys {
        if RunLock::is_locked(&file.lock(&key.map_err(fail)?)).unwrap_or(true) {
            return Err(LedgerError::UpgradeInUse { path: path.to_owned() });
        }
    }
    Ok(())
}

/// The path of the copy of a ledger of this version.
fn copy_path(ledger: &Path, version: i64) -> PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push(Timestamp::now().strftime(&format!(".version-{version}-%Y%m%d-%H%M%S")).to_string());
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_in_use_is_not_upgraded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let mut ledger = Connection::open(&path).unwrap();
        ledger.execute_batch(include_str!("version_7.sql")).unwrap();
        ledger
            .execute_batch(
                "INSERT INTO run (id, key, command, input_name, input_digest, endpoint, program,
                                  opened_at, rows)
                 VALUES ('run', 'key', 'run', 'orders.csv', '', '', '', 0, 1);
                 PRAGMA user_version = 7;",
            )
            .unwrap();
        ledger.pragma_update(None, "application_id", schema::APPLICATION).unwrap();
        let file = SqliteFile::at(&path).unwrap();
        let lock = RunLock::lock(&file.lock("key")).unwrap().unwrap();
        let refused = upgrade(&mut ledger, &file, "ledger.db", 7).unwrap_err();
        assert!(matches!(refused, LedgerError::UpgradeInUse { .. }), "{refused}");
        assert_eq!(schema::identity(&ledger).unwrap(), (schema::APPLICATION, 7));
        drop(lock);
        upgrade(&mut ledger, &file, "ledger.db", 7).unwrap();
        assert_eq!(schema::identity(&ledger).unwrap(), (schema::APPLICATION, VERSION));
    }
}
