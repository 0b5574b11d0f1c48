//! The record as auditors get it: lines of CSV, digests over them, seals, exports, and their
//! verification. The formats are functions of the ledger's records alone.
//!
//! # Architecture
//!
//! A run is four tables ([`AuditTable`]), and [`RunLines`] formats one line of them at a time.
//! The bytes that are sealed are the bytes that are exported, so an exported file alone is enough
//! to compute a seal's digests again.
//!
//! ```text
//! RowRecord, AttemptRecord, EventRecord ──RunLines──▶ lines ──BlockDigest──▶ digests ──▶ Seal
//!                                                       └────────write_bag────▶ bag ◀── verify_bag
//! ```

pub mod bag;
mod block_digest;
mod block_hasher;
mod csv_line;
mod forgetting;
mod record_lines;
mod run_digest;
pub mod seal;
mod seal_command;
mod sealing;
pub mod signature;
mod tables;
#[cfg(test)]
mod testing;
pub mod verify_bag;
mod verify_ledger;
pub mod witness;
mod witness_file;

#[cfg(test)]
pub(crate) use bag::is_exception;
pub use block_digest::{BlockDigest, BlockList, LINES_PER_BLOCK};
pub use forgetting::{ForgottenRun, forget_run};
pub use record_lines::{OPERATION, RunLines};
pub use run_digest::{BlockedLines, RunDigest, RunDigests};
pub use seal_command::SealCommand;
pub use sealing::{SealedRecords, SealingContext, seal_late, seal_run};
pub use tables::{AuditColumn, AuditTable, ColumnType};
pub use verify_ledger::{LedgerVerdict, verify_ledger};
pub use witness_file::{HandedOn, WitnessFile};
