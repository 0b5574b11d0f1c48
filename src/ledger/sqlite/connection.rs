//! Opens the ledger's file: creates it private and complete, and refuses files of another version
//! or program.

use std::fs::Metadata;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::failure::failure;
use super::file::{FileState, SqliteFile, is_absent, left_of, refuse_network};
use super::schema::{self, Identified};
use super::{new_file, upgrade};
use crate::ledger::LedgerError;
use crate::ledger::misplaced::Misplaced;
use crate::private_file::{self, PermissionError};

/// How often a locked ledger is retried. It must be shorter than the time for which another
/// process leaves it unlocked between two commits.
const ASK_EVERY: Duration = Duration::from_millis(1);
/// The most retries: a quarter of an hour.
const ASK_TIMES: i32 = 15 * 60 * 1000;
/// The number of retries after which a warning is logged: no process of ours locks it this long.
const TOLD_AFTER: i32 = 5000;

/// An open ledger.
pub(super) struct Opened {
    pub connection: Connection,
    /// The path as the user wrote it, for messages.
    pub path: String,
    pub file: SqliteFile,
    /// How the file was as it was opened; `None` if SQLite locks it while it is read.
    pub unlocked: Option<FileState>,
}

/// Opens the ledger at `path`, and creates it if it does not exist.
pub(super) fn open(path: &Path) -> Result<Opened, LedgerError> {
    if is_absent(path)? {
        make(path)?;
    }
    check_each(path, private_file::check_not_writable_by_others)?;
    let file = SqliteFile::at(path)?;
    // The path may be a symbolic link into another folder, where SQLite's other files are.
    check_each(file.path(), private_file::check_not_writable_by_others)?;
    refuse_network(file.folder(), path)?;
    let path = path.display().to_string();
    let mut connection = connect(&file, &path)?;
    let identified = schema::identify(&connection, &path)?;
    keep_a_log(&connection, &path)?;
    if let Identified::Older(found) = identified {
        upgrade::upgrade(&mut connection, &file, &path, found)?;
    }
    set_up(&mut connection).map_err(|cause| failure(&path, cause))?;
    Ok(Opened { connection, path, file, unlocked: None })
}

/// Opens the ledger at `path` for reading; `None` if it does not exist. Nothing is written, so
/// the location may be read-only, and the ledger may belong to another user.
pub(super) fn open_existing(path: &Path) -> Result<Option<Opened>, LedgerError> {
    if is_absent(path)? {
        return match left_of(path) {
            Some(left) => Err(log_without_ledger(path, &left)),
            None => Ok(None),
        };
    }
    check_each(path, private_file::check_only_owner_writes)?;
    let file = SqliteFile::at(path)?;
    // The path may be a symbolic link into another folder, where SQLite's other files are.
    check_each(file.path(), private_file::check_only_owner_writes)?;
    let path = path.display().to_string();
    let fail = |cause| failure(&path, cause);
    let (mut connection, unlocked) = connect_reader(&file, &path)?;
    if let Identified::Older(found) = schema::identify(&connection, &path)? {
        return Err(LedgerError::NotUpgraded { path, found });
    }
    set_up(&mut connection).map_err(fail)?;
    connection.pragma_update(None, "query_only", true).map_err(fail)?;
    Ok(Some(Opened { connection, path, file, unlocked }))
}

/// A second, read-only connection to an open ledger.
pub(super) fn read_only(file: &SqliteFile) -> rusqlite::Result<Connection> {
    let connection = connect_read_only(file)?;
    match schema::identity(&connection) {
        Err(cause) if needs_to_write(&cause) => immutable(file),
        _ => Ok(connection),
    }
}

/// Creates a ledger, which gets its name only once it is complete. So a file at that path is
/// never empty because its creator died.
fn make(path: &Path) -> Result<(), LedgerError> {
    if let Some(left) = left_of(path) {
        return Err(log_without_ledger(path, &left));
    }
    let name = path.display().to_string();
    let unmade = |cause: io::Error| match cause.kind() {
        ErrorKind::StorageFull => LedgerError::DiskFull { path: name.clone() },
        _ => LedgerError::Open { path: name.clone(), cause },
    };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        private_file::create_folder(folder).map_err(unmade)?;
    }
    refuse_network(&new_file::folder_of(path).map_err(unmade)?, path)?;
    let new = new_file::begin(path).map_err(unmade)?;
    lay_down_schema(new.path(), &name)?;
    // If another process was faster, its ledger is used.
    new_file::put_in_place(new, path).map(drop).map_err(unmade)
}

fn lay_down_schema(path: &Path, name: &str) -> Result<(), LedgerError> {
    let fail = |cause| failure(name, cause);
    let mut new = Connection::open(path).map_err(fail)?;
    keep_a_log(&new, name)?;
    let transaction = new.transaction().map_err(fail)?;
    schema::lay_down(&transaction).map_err(fail)?;
    transaction.commit().map_err(fail)?;
    // Closing moves the log into the file.
    new.close().map_err(|(_, cause)| fail(cause))
}

fn log_without_ledger(path: &Path, left: &Path) -> LedgerError {
    let [path, left] = [path, left].map(|path| path.display().to_string());
    Misplaced::Orphaned { path, left }.into()
}

/// Checks the files beside the ledger too, because SQLite trusts them as it does the ledger.
fn check_each(
    path: &Path,
    check: fn(&Path, &Metadata) -> Result<(), PermissionError>,
) -> Result<(), LedgerError> {
    for ending in ["", "-wal", "-shm", "-journal"] {
        let mut beside = path.as_os_str().to_owned();
        beside.push(ending);
        let beside = Path::new(&beside);
        match std::fs::metadata(beside) {
            Ok(file) => check(beside, &file)?,
            Err(absent) if absent.kind() == ErrorKind::NotFound => {}
            Err(cause) => {
                return Err(LedgerError::Open { path: beside.display().to_string(), cause });
            }
        }
    }
    Ok(())
}

fn connect(file: &SqliteFile, name: &str) -> Result<Connection, LedgerError> {
    // Each connection is used by one thread at a time, so it needs no mutex.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let fail = |cause| failure(name, cause);
    let mut connection = Connection::open_with_flags(file.path(), flags).map_err(fail)?;
    connection.busy_handler(Some(ask_again)).map_err(fail)?;
    Ok(connection)
}

/// A connection for reading, with the state of the file if SQLite cannot lock it.
fn connect_reader(
    file: &SqliteFile,
    name: &str,
) -> Result<(Connection, Option<FileState>), LedgerError> {
    let fail = |cause| failure(name, cause);
    let connection = if file.is_own() {
        Some(connect(file, name)?)
    } else if file.has_index() {
        // Not even root creates or removes files beside the ledger of another user.
        Some(connect_read_only(file).map_err(fail)?)
    } else {
        None
    };
    if let Some(connection) = connection {
        match schema::identity(&connection) {
            Err(cause) if needs_to_write(&cause) => {}
            // There may be no room for what SQLite creates beside the ledger.
            Err(cause) if is_failing(&cause) && left_of(file.path()).is_none() => {}
            _ => return Ok((connection, None)),
        }
    }
    let state = file.state();
    // What is in the log would be missing. Without one, no process writes to the ledger now; one
    // that begins to changes its state.
    if left_of(file.path()).is_some() {
        return Err(Misplaced::Unreadable { path: name.to_owned() }.into());
    }
    Ok((immutable(file).map_err(fail)?, Some(state)))
}

fn connect_read_only(file: &SqliteFile) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(file.path(), flags)?;
    connection.busy_handler(Some(ask_again))?;
    Ok(connection)
}

/// A connection to a file that no process writes to.
fn immutable(file: &SqliteFile) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let bytes = file.path().as_os_str().as_encoded_bytes();
    let path: String = url::form_urlencoded::byte_serialize(bytes).collect();
    // A form encodes a blank as a plus, which is literal in a URI.
    let path = path.replace("%2F", "/").replace('+', "%20");
    Connection::open_with_flags(format!("file:{path}?immutable=1"), flags)
}

/// Whether SQLite failed to create the files it needs beside the ledger.
fn needs_to_write(cause: &rusqlite::Error) -> bool {
    matches!(
        cause.sqlite_error_code(),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied)
    )
}

fn is_failing(cause: &rusqlite::Error) -> bool {
    matches!(cause.sqlite_error_code(), Some(ErrorCode::SystemIoFailure | ErrorCode::DiskFull))
}

fn set_up(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -16000;
         PRAGMA temp_store = MEMORY;",
    )?;
    connection.set_prepared_statement_cache_capacity(64);
    // Plans do not depend on bound values, so that each statement is planned once.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

/// Switches to a write-ahead log, without which a commit might not survive a power failure.
/// SQLite returns the journal mode that is really in use.
fn keep_a_log(connection: &Connection, path: &str) -> Result<(), LedgerError> {
    let asked = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0));
    let mode: String = asked.map_err(|cause| failure(path, cause))?;
    match mode.as_str() {
        "wal" => Ok(()),
        _ => Err(Misplaced::NoLog { path: path.to_owned(), mode }.into()),
    }
}

pub(super) fn ask_again(asked: i32) -> bool {
    if asked == TOLD_AFTER {
        tracing::warn!(
            "the ledger is locked by another program, such as a backup or a database shell: waiting for up to 15 minutes; end that program to continue"
        );
    }
    std::thread::sleep(ASK_EVERY);
    asked < ASK_TIMES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sqlite_answers_when_asked_for_a_write_ahead_log_is_believed() {
        // A database in memory has none, wherever it is.
        let none = keep_a_log(&Connection::open_in_memory().unwrap(), "l.db").unwrap_err();
        assert!(none.to_string().contains("(journal_mode stays memory)"), "{none}");
        let folder = tempfile::tempdir().unwrap();
        keep_a_log(&Connection::open(folder.path().join("l.db")).unwrap(), "l.db").unwrap();
    }
}
