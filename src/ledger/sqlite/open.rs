//! Opening the file: made private, brought to this program's version, and
//! refused if it is something else.

use std::fs::{DirBuilder, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::{LedgerError, Sqlite, failure};
use crate::trust;

/// Marks the file as ours: "cANC".
const APPLICATION: i64 = 0x6341_4e43;
/// Version of the schema.
const VERSION: i64 = 5;
/// How often the ledger is asked for while another process has it: shorter than
/// the others leave it free between two turns.
const ASK_EVERY: Duration = Duration::from_millis(1);
/// How often it is asked for in vain: a quarter of an hour.
const ASK_TIMES: i32 = 15 * 60 * 1000;

impl Sqlite {
    /// Opens the ledger at `path`, made new if nothing is there.
    ///
    /// # Errors
    /// A path that cannot be written, a file that is something else, or a
    /// ledger of a newer program.
    pub fn open(path: &Path) -> Result<Sqlite, LedgerError> {
        make_private(path)?;
        Self::connect(path)
    }

    /// Opens the ledger at `path` if there is one.
    ///
    /// # Errors
    /// As for [`Sqlite::open`].
    pub fn open_existing(path: &Path) -> Result<Option<Sqlite>, LedgerError> {
        if !path.exists() {
            return Ok(None);
        }
        Self::connect(path).map(Some)
    }

    fn connect(path: &Path) -> Result<Sqlite, LedgerError> {
        refuse_shared(path)?;
        let name = path.display().to_string();
        // A connection has one owner: it needs no locks of its own.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection =
            Connection::open_with_flags(path, flags).map_err(|cause| failure(&name, cause))?;
        prepare(&mut connection, &name)?;
        // Two names of one file must lead to one lock.
        let real = std::fs::canonicalize(path)
            .map_err(|cause| LedgerError::Open { path: name.clone(), cause })?;
        Ok(Sqlite { connection, path: name, real, started: None })
    }
}

/// Another connection to a ledger that is open, for reading alone.
pub(super) fn read_only(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_handler(Some(ask_again))?;
    Ok(connection)
}

fn make_private(path: &Path) -> Result<(), LedgerError> {
    let failed = |cause| LedgerError::Open { path: path.display().to_string(), cause };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(cause) if cause.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(cause) => Err(failed(cause)),
    }
}

/// SQLite believes what stands beside the file as it does the file.
fn refuse_shared(path: &Path) -> Result<(), LedgerError> {
    for ending in ["", "-wal", "-shm", "-journal"] {
        let mut beside = path.as_os_str().to_owned();
        beside.push(ending);
        let beside = Path::new(&beside);
        match std::fs::metadata(beside) {
            Ok(file) => trust::refuse_shared(beside, &file)?,
            Err(absent) if absent.kind() == ErrorKind::NotFound => {}
            Err(cause) => {
                return Err(LedgerError::Open { path: beside.display().to_string(), cause });
            }
        }
    }
    Ok(())
}

fn prepare(connection: &mut Connection, path: &str) -> Result<(), LedgerError> {
    let fail = |cause| failure(path, cause);
    connection.busy_handler(Some(ask_again)).map_err(fail)?;
    if identity(connection).map_err(fail)? == (0, 0) {
        create(connection).map_err(fail)?;
    }
    match identity(connection).map_err(fail)? {
        (APPLICATION, VERSION) => {}
        (APPLICATION, found) if found < VERSION => {
            return Err(LedgerError::Older { path: path.to_owned(), found, known: VERSION });
        }
        (APPLICATION, found) => {
            return Err(LedgerError::Newer { path: path.to_owned(), found, known: VERSION });
        }
        _ => return Err(LedgerError::NotALedger { path: path.to_owned() }),
    }
    let settings = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
                    PRAGMA cache_size = -16000; PRAGMA temp_store = MEMORY;";
    connection.execute_batch(settings).map_err(fail)?;
    connection.set_prepared_statement_cache_capacity(64);
    // A statement is planned once, not anew for every value it is given.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(fail)?;
    Ok(())
}

fn ask_again(asked: i32) -> bool {
    std::thread::sleep(ASK_EVERY);
    asked < ASK_TIMES
}

/// Which program's file it is, and the version of its schema; 0 where nobody said.
fn identity(connection: &Connection) -> rusqlite::Result<(i64, i64)> {
    // In one statement: another process may be laying down the schema.
    connection.query_row(
        "SELECT application_id, user_version FROM pragma_application_id, pragma_user_version",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))
}

/// Lays down the schema, unless another process or another program was first.
fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    if !is_empty(connection)? {
        return Ok(());
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if is_empty(&transaction)? {
        transaction.execute_batch(include_str!("schema.sql"))?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()
}
