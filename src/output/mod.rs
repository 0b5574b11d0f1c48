//! Views of the ledger: the results file, progress, metrics, the summary.

mod ahead;
mod amounts;
mod behind;
mod hashed;
pub mod metrics;
mod moments;
mod on_the_way;
pub mod progress;
pub mod results;
pub mod say;
pub mod summary;

pub use amounts::{count, counted, lasting, per_second, rows};
