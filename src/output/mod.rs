//! Views of the ledger: the results file, progress, metrics, the summary.

mod background_writer;
pub mod console;
mod format;
mod hashing_writer;
pub mod live_line;
pub mod metrics;
pub mod new_file;
pub mod open_counts;
pub mod outcome_fields;
pub mod progress;
pub mod recorded_results;
pub mod results;
pub mod results_writer;
pub mod row_prefetch;
pub mod standard_output;
mod stats_line;
pub mod summary;
pub mod temp_file;
pub mod wrap;

pub use format::{grouped, human_count, human_duration, per_second, plural, rows};
