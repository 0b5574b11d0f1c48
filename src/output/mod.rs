//! Views of the ledger: the results file, progress, metrics, the summary.

mod background_writer;
pub mod console;
mod format;
mod hashing_writer;
pub mod metrics;
pub mod progress;
pub mod results;
mod row_prefetch;
mod stats_line;
pub mod summary;
mod timestamps;

pub use format::{count, counted, lasting, per_second, rows};
