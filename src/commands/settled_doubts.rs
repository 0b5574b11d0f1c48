//! The doubts of a run that later runs or evidence have ended.

use crate::ledger::{Ledger, OrderStanding, Run};
use crate::model::{Counts, Order, Status};

/// How many orders are looked up at a time.
const ORDERS_AT_ONCE: usize = 1000;

/// The rows that are in doubt by a run and whose orders are in doubt no longer, by status.
///
/// # Errors
/// If the ledger cannot be read.
pub fn settled_doubts(run: &Run, ledger: &mut dyn Ledger) -> anyhow::Result<Counts> {
    let mut in_doubt: Vec<(Order, Status)> = Vec::new();
    ledger.open_rows(run, &mut |row| {
        let is_in_doubt = row.doubt && matches!(row.status, Status::InDoubt | Status::Rejected);
        in_doubt.extend(row.order.filter(|_| is_in_doubt).map(|order| (order, row.status)));
        Ok(())
    })?;
    let mut settled = Counts::default();
    for rows in in_doubt.chunks(ORDERS_AT_ONCE) {
        let orders: Vec<Order> = rows.iter().map(|(order, _)| *order).collect();
        let standings = ledger.standings(&run.opened.endpoint, &orders)?;
        for ((_, status), _) in rows.iter().zip(standings).filter(|(_, its)| is_settled(its)) {
            settled.add_row(*status, true);
        }
    }
    Ok(settled)
}

fn is_settled(standing: &OrderStanding) -> bool {
    standing.is_cancelled || (standing.is_on_record && !standing.may_be_in_doubt())
}
