//! Doubts of a results file that evidence has ended since the file was written.

use super::run_input::RunInput;
use crate::ledger::Ledger;
use crate::model::{Order, ReasonCode, Row};

/// How many orders are looked up at a time.
const ORDERS_AT_ONCE: usize = 1000;

/// Ends doubts of the file's rows as the ledger has ended them at this endpoint. Otherwise a rerun of
/// an older file would send these orders with doubt again, and record a doubt that is none.
///
/// # Errors
/// If the ledger or the file cannot be read.
pub fn end_doubts(
    input: &mut RunInput,
    endpoint: &str,
    ledger: &mut dyn Ledger,
) -> anyhow::Result<()> {
    let Some(plan) = &input.plan else { return Ok(()) };
    let mut ended = Vec::new();
    let mut orders = Vec::new();
    let mut rows = input.input.rows(&input.columns)?;
    while let Some(record) = rows.next()? {
        if plan.prior(record.fields).doubt == Some(true)
            && let Row::Order(order) = record.content()
        {
            orders.push(order);
        }
        if orders.len() == ORDERS_AT_ONCE {
            ended.extend(ended_ones(&orders, endpoint, ledger)?);
            orders.clear();
        }
    }
    ended.extend(ended_ones(&orders, endpoint, ledger)?);
    if let Some(plan) = &mut input.plan {
        plan.end_doubts(ended);
    }
    Ok(())
}

/// Those of the orders whose doubts evidence has ended.
fn ended_ones(
    orders: &[Order],
    endpoint: &str,
    ledger: &mut dyn Ledger,
) -> anyhow::Result<Vec<Order>> {
    let standings = ledger.standings(endpoint, orders)?;
    let mut ended = Vec::new();
    for (order, standing) in orders.iter().zip(standings) {
        if !standing.may_be_in_doubt() && has_evidence(*order, endpoint, ledger)? {
            ended.push(*order);
        }
    }
    Ok(ended)
}

/// Whether evidence has decided the order. A file that no run here wrote may know of a doubt that
/// this ledger never had, and so has not ended.
fn has_evidence(order: Order, endpoint: &str, ledger: &mut dyn Ledger) -> anyhow::Result<bool> {
    let resolved = ReasonCode::Resolved.to_string();
    let history = ledger.history(order)?;
    Ok(history.iter().any(|its| {
        its.run.opened.endpoint == endpoint
            && !its.row.carried_over
            && its.row.error_code == resolved
    }))
}
