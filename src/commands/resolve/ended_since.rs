//! How an order stands whose doubt has ended since a results file was written.

use crate::input::EndedSince;
use crate::ledger::{Ledger, OnRecord, OrderHistory, cancelled_by};
use crate::model::{Order, ReasonCode, RowNumber, Status};

/// The last word of the ledger on an order that is in doubt no longer at this endpoint; `None` if no
/// run there has ended a row of it. A cancelled order is reported as a rerun reports it.
///
/// # Errors
/// If the ledger cannot be read.
pub fn ended_since(
    order: Order,
    endpoint: &str,
    ledger: &mut dyn Ledger,
) -> anyhow::Result<Option<EndedSince>> {
    let mut history = ledger.history(order)?;
    history.retain(|OrderHistory { run, row, .. }| {
        run.opened.endpoint == endpoint && row.has_ended && !row.carried_over
    });
    if let Some(OrderHistory { run, row, .. }) = history.iter().find(|its| is_cancelled(its)) {
        return Ok(Some(cancelled(run.id(), row.row)));
    }
    let forgotten = ledger.forgotten_with(order)?;
    if let Some((run, row)) = forgotten.iter().find(|(run, _)| run.opened.endpoint == endpoint) {
        return Ok(Some(cancelled(run.id(), *row)));
    }
    let on_record = ledger.on_record(endpoint, &[order])?.pop().unwrap_or_default();
    let rank = |OrderHistory { run, row, .. }: &OrderHistory| {
        let its = on_record.iter().find(|its| its.is_of(run) && its.row == row.row);
        its.map(OnRecord::rank)
    };
    let ranked = history.into_iter().filter_map(|its| Some((rank(&its)?, its.row)));
    let last = ranked.max_by_key(|(rank, _)| *rank);
    Ok(last.map(|(_, row)| EndedSince {
        status: row.status,
        error_code: row.error_code,
        message: row.message,
    }))
}

/// Whether this row shows that the order is cancelled: by an answer with `Status` true, or by evidence.
fn is_cancelled(OrderHistory { row, .. }: &OrderHistory) -> bool {
    match row.status {
        Status::Cancelled => true,
        Status::AlreadyCancelled => row.error_code == ReasonCode::Resolved.to_string(),
        _ => false,
    }
}

fn cancelled(run: &str, row: RowNumber) -> EndedSince {
    EndedSince {
        status: Status::AlreadyCancelled,
        error_code: ReasonCode::AlreadyCancelled.to_string(),
        message: cancelled_by(run, row),
    }
}
