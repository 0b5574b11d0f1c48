//! Views of the ledger: the results file, progress, metrics, the summary.

mod ahead;
mod amounts;
mod behind;
mod hashed;
pub mod metrics;
mod moments;
pub mod progress;
pub mod results;
pub mod say;
mod stats_line;
pub mod summary;

pub use amounts::{count, counted, lasting, per_second, rows};
