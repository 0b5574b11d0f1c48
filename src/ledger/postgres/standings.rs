//! How orders stand over all runs at an endpoint.

use super::error::DbError;
use super::session::Session;
use crate::ledger::{InFlight, LastSent, OrderStanding};
use crate::model::Order;

/// For each of these orders, in the same sequence, how it stands.
pub(super) async fn of_orders(
    session: &mut Session,
    endpoint: &str,
    orders: &[Order],
) -> Result<Vec<OrderStanding>, DbError> {
    let rows = session.statement(include_str!("sql/standings.sql")).await?;
    let in_doubt = session.statement(include_str!("sql/in_doubt.sql")).await?;
    let (admin, sequence) = columns(orders);
    let mut standings = vec![OrderStanding::default(); orders.len()];
    // Doubts are read first: one that a call leaves meanwhile is found by its row in flight.
    for found in session.client.query(&in_doubt, &[&endpoint, &admin, &sequence]).await? {
        let standing = at(&mut standings, found.try_get(0)?);
        standing.into_iter().for_each(|standing| standing.is_in_doubt = true);
    }
    for found in session.client.query(&rows, &[&endpoint, &admin, &sequence]).await? {
        let (number, id): (i64, String) = (found.try_get(1)?, found.try_get(2)?);
        let [is_cancelled, was_sent]: [bool; 2] = [found.try_get(3)?, found.try_get(4)?];
        let is_alive: Option<bool> = found.try_get(5)?;
        let Some(standing) = at(&mut standings, found.try_get(0)?) else { continue };
        standing.is_on_record = true;
        standing.is_cancelled |= is_cancelled;
        let known = standing.in_flight.as_ref().is_some_and(|known| known.is_worked_on);
        if let Some(is_worked_on) = is_alive.filter(|_| !known) {
            standing.in_flight = Some(InFlight { run: id.clone(), is_worked_on });
        }
        if was_sent || is_alive.is_some() {
            standing.add_sent(LastSent { start: found.try_get(6)?, number, run: id });
        }
    }
    Ok(standings)
}

/// The standing of the order with this index, from 1.
fn at(standings: &mut [OrderStanding], number: i64) -> Option<&mut OrderStanding> {
    usize::try_from(number - 1).ok().and_then(|at| standings.get_mut(at))
}

/// The numbers of these orders, column by column.
pub(super) fn columns(orders: &[Order]) -> (Vec<i64>, Vec<i32>) {
    orders.iter().map(|order| (order.admin_number, order.sequence_number)).unzip()
}
