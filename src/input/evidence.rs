//! A list of orders that shows what became of them: an embosser's list, a report, webhooks that were
//! collected. Nothing but its two key columns is used, and it counts only as a whole.

use std::path::Path;

use crate::hash::Digest;
use crate::model::{Order, RowNumber, Status};

use super::duplicates::OrderKey;
use super::error::{InputError, InputErrorKind};
use super::read_options::ReadOptions;
use super::scan::scan;
use super::source::Input;

/// What a list says of its orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EvidenceKind {
    /// They are cancelled (`--cancelled`).
    Cancelled,
    /// They still stand (`--standing`).
    Standing,
}

impl EvidenceKind {
    /// The flag that names such a list.
    pub fn flag(self) -> &'static str {
        match self {
            EvidenceKind::Cancelled => "--cancelled",
            EvidenceKind::Standing => "--standing",
        }
    }

    /// The status of a row whose order stands in such a list.
    pub fn status(self) -> Status {
        match self {
            EvidenceKind::Cancelled => Status::AlreadyCancelled,
            EvidenceKind::Standing => Status::Failed,
        }
    }
}

/// A list of orders, read whole.
#[derive(Debug)]
pub struct Evidence {
    /// What it says of its orders.
    pub kind: EvidenceKind,
    /// Its name, for display.
    pub name: String,
    /// SHA-256 of its bytes as they were given.
    pub digest: Digest,
    /// Each of its orders with the first row that carries it, sorted: 16 bytes a row.
    orders: Vec<OrderKey>,
}

impl Evidence {
    /// Reads a list. `spool` is where standard input is put aside.
    ///
    /// # Errors
    /// As for a file of orders, and if a row carries no order.
    pub fn read(
        kind: EvidenceKind,
        path: &Path,
        spool: &Path,
        options: &ReadOptions,
    ) -> Result<Evidence, InputError> {
        let input = Input::open(path, spool).map_err(without_rows)?;
        let columns = input.named_or_usual_columns(options).map_err(without_rows)?;
        if columns.lacks_of_results().is_none() {
            return Err(input.refuse(InputErrorKind::ResultsAsEvidence));
        }
        let mut summary = scan(&input, &columns, None, 1)?;
        if let Some(invalid) = summary.first_invalid.first() {
            let problem = format!("{}: {}", invalid.error.code, invalid.error.message);
            return Err(input.refuse(InputErrorKind::NotEvidence { line: invalid.line, problem }));
        }
        summary.orders.dedup_by(|next, first| first.same_order(next));
        let (name, digest) = (input.name().to_owned(), input.digest()?);
        Ok(Evidence { kind, name, digest, orders: summary.orders })
    }

    /// The number of its orders.
    pub fn len(&self) -> usize {
        self.orders.len()
    }

    /// Whether it has no order.
    pub fn is_empty(&self) -> bool {
        self.orders.is_empty()
    }

    /// The row that carries the order; `None` if there is none.
    pub fn row_of(&self, order: Order) -> Option<RowNumber> {
        let found = self.orders.binary_search_by_key(&order, |keyed| keyed.order()).ok()?;
        self.orders.get(found).map(|keyed| keyed.row())
    }

    /// Each order that both lists have, with the rows that carry it, sorted.
    pub fn common<'e>(
        &'e self,
        other: &'e Evidence,
    ) -> impl Iterator<Item = (Order, RowNumber, RowNumber)> + 'e {
        self.orders.iter().filter_map(|keyed| {
            let theirs = other.row_of(keyed.order())?;
            Some((keyed.order(), keyed.row(), theirs))
        })
    }
}

/// The error of a list that has no rows: there is nothing that it was to cancel.
fn without_rows(error: InputError) -> InputError {
    match error.kind {
        InputErrorKind::NoRows | InputErrorKind::Empty => {
            InputError { kind: InputErrorKind::NoEvidence, ..error }
        }
        _ => error,
    }
}
