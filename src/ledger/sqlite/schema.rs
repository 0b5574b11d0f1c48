//! The versions of the schema: creates it, and recognizes a ledger by it.

use rusqlite::{Connection, Transaction};

use super::failure::failure;
use crate::ledger::LedgerError;
use crate::ledger::misplaced::Misplaced;

/// The application id in the file's header: "cANC".
pub(super) const APPLICATION: i64 = 0x6341_4e43;

/// The statements that lead from each version to the next; the first ones create the schema.
const VERSIONS: [&str; 2] = [include_str!("version_7.sql"), include_str!("version_8.sql")];

/// The oldest version that is upgraded. Those before it were never released.
const OLDEST: i64 = 7;

/// The version of the schema.
pub(super) const VERSION: i64 = OLDEST + VERSIONS.len() as i64 - 1;

/// A file that is a ledger.
pub(super) enum Identified {
    /// It has this version of the schema.
    Current,
    /// It has this older version, and can be upgraded.
    Older(i64),
}

/// Creates the schema in an empty file.
pub(super) fn lay_down(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    VERSIONS.iter().try_for_each(|statements| transaction.execute_batch(statements))?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", VERSION)
}

/// Refuses a file that is no ledger, or one of an unknown version.
pub(super) fn identify(connection: &Connection, path: &str) -> Result<Identified, LedgerError> {
    let fail = |cause| failure(path, cause);
    let (path, known) = (path.to_owned(), VERSION);
    match identity(connection).map_err(fail)? {
        (APPLICATION, VERSION) => Ok(Identified::Current),
        (APPLICATION, found @ OLDEST..VERSION) => Ok(Identified::Older(found)),
        (APPLICATION, found) if found < OLDEST => Err(LedgerError::Older { path, found, known }),
        (APPLICATION, found) => Err(LedgerError::Newer { path, found, known }),
        (0, 0) if is_empty(connection).map_err(fail)? => Err(Misplaced::Empty { path }.into()),
        _ => Err(LedgerError::NotALedger { path }),
    }
}

/// The statements that upgrade a ledger of the version `found`.
pub(super) fn upgrade_statements(found: i64) -> impl Iterator<Item = &'static str> {
    let done = usize::try_from(found.saturating_sub(OLDEST)).unwrap_or_default();
    VERSIONS.iter().skip(done + 1).copied()
}

/// The application id and the schema version in the file's header; 0 if they are not set.
pub(super) fn identity(connection: &Connection) -> rusqlite::Result<(i64, i64)> {
    connection.query_row(
        "SELECT application_id, user_version FROM pragma_application_id, pragma_user_version",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))
}

/// An empty ledger in memory.
#[cfg(test)]
pub(in crate::ledger) fn in_memory() -> Connection {
    let mut ledger = Connection::open_in_memory().unwrap();
    let transaction = ledger.transaction().unwrap();
    lay_down(&transaction).unwrap();
    transaction.commit().unwrap();
    ledger
}
