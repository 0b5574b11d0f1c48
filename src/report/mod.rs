//! Reports: one page for a person who has a minute, on one run or on the runs of some days.
//!
//! A page is one file without scripts that asks for nothing else. It is a function of the ledger: the
//! same ledger gives the same bytes. Everything in it is bounded, and it takes at most
//! [`MAX_PAGE_BYTES`], whatever the run; what is left out is said with its number and where it is.
//!
//! # Architecture
//!
//! ```text
//! Ledger ──ReportFacts::read──▶ ReportFacts ──RunPage──▶ run.html, chart.html ──▶ page
//! ```
//!
//! The charts are SVG that templates draw, and not a plotting library: places along the time are
//! percentages, so that a chart is as wide as the page while its text keeps its size, and colours are
//! classes that the page's style gives for light, dark and print.

mod chart;
mod error_codes;
mod exceptions;
mod period_page;
mod report_facts;
mod run_page;
mod seal_check;
#[cfg(test)]
mod testing;
mod text;
mod time_axis;
mod time_line;
mod verdict;

use crate::ledger::{Ledger, Run};

pub use period_page::{ReportPeriod, ReportedRun, report_period};

/// The most bytes that a page takes.
pub const MAX_PAGE_BYTES: usize = 300_000;

/// The page of a run.
///
/// # Errors
/// If the ledger cannot be read.
pub fn report_run(
    ledger: &mut dyn Ledger,
    run: &Run,
    is_rehearsal: bool,
) -> anyhow::Result<String> {
    let facts = report_facts::ReportFacts::read(ledger, run)?;
    run_page::RunPage::new(facts, is_rehearsal).render_within(MAX_PAGE_BYTES)
}
