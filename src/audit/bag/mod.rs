//! Audit exports: a BagIt bag (RFC 8493) with a Frictionless data package inside.
//!
//! The payload, `data/`, is a function of the ledger: the same runs of the same ledger give the
//! same manifest. Who exported it and when stands in `bag-info.txt`. Rows are streamed, so memory
//! grows with the number of runs and not with their size.
//!
//! ```text
//! BagSource ──write_bag──▶ UnpublishedBag ──(sign the tag manifest)──▶ publish
//! ```

mod data_package;
mod folder;
mod info;
mod ledger_source;
mod load_sql;
mod run_line;
mod source;
mod totals;
mod write;

pub(super) use info::BAGIT;
pub use ledger_source::LedgerSource;
pub(super) use run_line::{RunLine, RunTotals};
pub use source::{BagOptions, BagSource, BaggedRun, BaggedSeal, SealedBlocks};
pub use totals::BagTotals;
pub(crate) use totals::is_exception;
pub use write::{UnpublishedBag, WrittenBag, write_bag};

#[cfg(test)]
mod tests;
