//! How large a ledger is, and what is in it.

/// How large a ledger is, and what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerInfo {
    /// The version of its schema.
    pub version: i64,
    /// The size in bytes: of the file, or of the database's tables and indexes.
    pub bytes: u64,
    /// The size of the write-ahead log beside the file in bytes; `None` for a database.
    pub log_bytes: Option<u64>,
    /// The number of runs, including those whose creation is not complete.
    pub runs: u64,
    /// The number of rows of all runs that are not forgotten.
    pub rows: u64,
    /// The number of completed attempts.
    pub attempts: u64,
}
