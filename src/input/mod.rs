//! From a CSV file to planned rows. Everything streams; what grows with the file is a few bytes
//! a row for finding duplicates.
//!
//! ```text
//! Input (bytes, digest) ─▶ blocks ─▶ records ─▶ rows (numbers, card numbers, damage)
//!     ─▶ scan: InputSummary (order keys, duplicates)     in parallel, reads the whole file
//!     ─▶ plan: PlannedRow, one for each line             streams, into the ledger
//! ```
//!
//! A results file that is run again takes the same way; `rerun` decides which of its rows are
//! retried and which keep their result.

mod block_summary;
mod blocks;
pub mod columns;
mod damage;
pub mod duplicates;
mod error;
mod evidence;
mod excerpt;
mod expectation;
mod file_kind;
mod header;
mod header_key;
mod line_ends;
mod number;
pub mod plan;
mod preamble;
mod prior_result;
pub mod priority;
mod proof;
mod quotes;
mod read_options;
mod reader;
mod records;
pub mod rerun;
mod row_filter;
pub mod rows;
pub mod scan;
mod settled_rows;
pub mod source;
#[cfg(test)]
mod testing;
mod until_error;
mod warning;

pub use columns::ColumnMap;
pub use duplicates::{OrderKey, Role, rows_on_record, rows_to_send, to_send_of};
pub use error::{InputError, InputErrorKind};
pub use evidence::{Evidence, EvidenceKind};
pub use excerpt::shown;
pub use number::{read_admin_number, read_sequence_number};
pub use plan::{Disposition, EndedSince, PlannedRow, planned_rows};
pub use preamble::BYTE_ORDER_MARK;
pub use priority::{PriorityCounts, SendPositions};
pub use proof::{Expected, Proof};
pub use read_options::ReadOptions;
pub use rerun::{PriorResult, RerunPlan, RowFilter};
pub use rows::{InvalidRow, Record, Rows};
pub use scan::{InputSummary, scan, scan_each_invalid};
pub use settled_rows::{Settlement, SettlementCause, settled_rows};
pub use source::Input;
pub use warning::Warning;
