//! From a CSV file to rows: reading, validation, duplicates, the card-number
//! guard, and a results file read again. Everything streams.

mod blocks;
pub mod card_numbers;
pub mod columns;
mod damage;
pub mod duplicates;
mod error;
mod excerpt;
mod invisible;
pub mod layout;
mod number;
pub mod plan;
mod portion;
mod prior;
pub mod priority;
mod proof;
#[cfg(test)]
mod properties;
mod quotes;
mod records;
pub mod rerun;
pub mod rows;
pub mod scan;
mod selection;
pub mod source;
mod stream;
mod warning;

pub use duplicates::{OrderKey, Part, rows_on_record, rows_to_send, to_send_of};
pub use error::{Fault, InputError};
pub use excerpt::shown;
pub use layout::{Layout, Reading};
pub use plan::{Disposition, PlannedRow, planned_rows};
pub use priority::{Places, Priorities};
pub use proof::{Expected, ParseDigestError, Proof};
pub use rerun::{PriorResult, RerunPlan, Selection};
pub use rows::{Record, Rows};
pub use scan::{InputSummary, InvalidRow, scan, scan_each_invalid};
pub use source::{Digest, Input};
pub use warning::Warning;
