//! How orders stand over all runs at an endpoint.

use std::collections::HashMap;

use rusqlite::{Connection, Row, params};

use super::other_runs::{self, IsLocked};
use crate::ledger::{InFlight, LastSent, OrderStanding};
use crate::model::Order;

/// The rows of runs at endpoint ?3 with order ?1/?2: the run, whether the order is cancelled, whether
/// it was sent, whether a call for it has not been completed, and which start sent or decided it.
const ROWS: &str = "SELECT run.number, run.id,
         run.forgotten_at IS NOT NULL
             OR EXISTS (SELECT 1 FROM attempt
                 WHERE attempt.run = same.run AND attempt.row = same.row AND outcome < 0)
             OR coalesce(row.status = 1 AND row.error_code = 'RESOLVED', 0),
         run.forgotten_at IS NOT NULL
             OR EXISTS (SELECT 1 FROM attempt
                 WHERE attempt.run = same.run AND attempt.row = same.row)
             OR coalesce(row.error_code = 'RESOLVED', 0),
         EXISTS (SELECT 1 FROM in_flight
                 WHERE in_flight.run = same.run AND in_flight.row = same.row),
         coalesce((SELECT max(start) FROM attempt
                   WHERE attempt.run = same.run AND attempt.row = same.row),
                  (SELECT min(number) FROM start WHERE start.run = same.run), 0)
     FROM row_by_order AS same
     CROSS JOIN run ON run.number = same.run
     LEFT JOIN row ON row.run = same.run AND row.row = same.row
     WHERE same.admin_number = ?1 AND same.sequence_number = ?2
       AND run.endpoint = ?3 AND run.rows IS NOT NULL
     ORDER BY run.number";

const IN_DOUBT: &str = "SELECT EXISTS (
         SELECT 1 FROM doubt JOIN run ON run.number = doubt.run
         WHERE doubt.admin_number = ?1 AND doubt.sequence_number = ?2 AND run.endpoint = ?3)";

/// For each of these orders, in the same sequence, how it stands.
pub(super) fn of_orders(
    ledger: &Connection,
    endpoint: &str,
    orders: &[Order],
    is_locked: IsLocked<'_>,
) -> rusqlite::Result<Vec<OrderStanding>> {
    let mut rows = ledger.prepare_cached(ROWS)?;
    let mut in_doubt = ledger.prepare_cached(IN_DOUBT)?;
    let mut alive = HashMap::new();
    let mut of_order = |order: &Order| {
        let Order { admin_number, sequence_number } = order;
        let is_in_doubt = in_doubt
            .query_row(params![admin_number, sequence_number, endpoint], |row| row.get(0))?;
        let mut standing = OrderStanding { is_in_doubt, ..OrderStanding::default() };
        let mut found = rows.query(params![admin_number, sequence_number, endpoint])?;
        while let Some(row) = found.next()? {
            add(&mut standing, row, &mut |run| {
                if let Some(alive) = alive.get(&run) {
                    return Ok(*alive);
                }
                let is_alive = other_runs::is_alive(ledger, run, None, is_locked)?;
                alive.insert(run, is_alive);
                Ok(is_alive)
            })?;
        }
        Ok(standing)
    };
    orders.iter().map(&mut of_order).collect()
}

/// Adds a row of a run.
fn add(
    standing: &mut OrderStanding,
    row: &Row<'_>,
    is_alive: &mut dyn FnMut(i64) -> rusqlite::Result<bool>,
) -> rusqlite::Result<()> {
    let (number, id): (i64, String) = (row.get(0)?, row.get(1)?);
    let [is_cancelled, was_sent, is_in_flight]: [bool; 3] = [row.get(2)?, row.get(3)?, row.get(4)?];
    standing.is_on_record = true;
    standing.is_cancelled |= is_cancelled;
    if is_in_flight {
        let is_worked_on = is_alive(number)?;
        let known = standing.in_flight.as_ref().is_some_and(|known| known.is_worked_on);
        if !known {
            standing.in_flight = Some(InFlight { run: id.clone(), is_worked_on });
        }
    }
    if was_sent || is_in_flight {
        standing.add_sent(LastSent { start: row.get(5)?, number, run: id });
    }
    Ok(())
}
