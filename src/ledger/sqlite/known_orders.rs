//! Counts what other runs know of all orders of a file, before the run begins. A large file is
//! merged with the packed orders of each run, both sorted, on all processors; the orders of a
//! small one are looked up.

use std::collections::{HashMap, HashSet};

use rayon::iter::{IntoParallelIterator, ParallelIterator};
use rusqlite::{Connection, ToSql, params};

use super::other_runs::{self, IsLocked};
use super::packed;
use crate::input::{OrderKey, rows_to_send, to_send_of};
use crate::ledger::known_orders::{Known, KnownOrders, KnownOrdersQuery};
use crate::model::Order;

/// A look-up takes about as long as reading this many packed orders.
const LOOK_UP: u64 = 100;

/// The fewest orders for which a thread is worthwhile.
const FEWEST: usize = 20_000;

/// Counts what other runs know of the orders that would be sent. The ledger may change meanwhile.
pub(super) fn count(
    ledger: &Connection,
    open: &(dyn Fn() -> rusqlite::Result<Connection> + Sync),
    query: &KnownOrdersQuery<'_>,
    is_locked: IsLocked<'_>,
) -> rusqlite::Result<KnownOrders> {
    let facts = RunFacts::load(ledger, query, is_locked)?;
    if facts.runs.is_empty() {
        return Ok(KnownOrders::default());
    }
    let rows: u64 =
        ledger.query_row("SELECT coalesce(sum(rows), 0) FROM run", [], |row| row.get(0))?;
    let looks_up = query.by_order.len() as u64 * LOOK_UP < rows;
    let counted = parts(query.by_order).into_par_iter().map(|part| {
        let ledger = open()?;
        if looks_up { look_up(&ledger, part, &facts) } else { merge(&ledger, part, &facts) }
    });
    counted.try_reduce(KnownOrders::default, |one, other| Ok(one.plus(other)))
}

/// Splits the rows into parts for several threads. The rows with one order stay in one part.
fn parts(by_order: &[OrderKey]) -> Vec<&[OrderKey]> {
    let size = by_order.len().div_ceil(rayon::current_num_threads()).max(FEWEST);
    let mut parts = Vec::new();
    let mut rest = by_order;
    while !rest.is_empty() {
        let mut end = size.min(rest.len());
        while end < rest.len() && rest[end - 1].order() == rest[end].order() {
            end += 1;
        }
        let (part, after) = rest.split_at(end);
        parts.push(part);
        rest = after;
    }
    parts
}

/// Looks up each order.
fn look_up(
    ledger: &Connection,
    part: &[OrderKey],
    facts: &RunFacts,
) -> rusqlite::Result<KnownOrders> {
    let mut find = ledger.prepare(
        "SELECT run, row FROM row_by_order WHERE admin_number = ?1 AND sequence_number = ?2",
    )?;
    let mut counts = KnownOrders::default();
    for keyed in rows_to_send(part).filter(|keyed| facts.is_to_send(*keyed)) {
        let order = keyed.order();
        let mut is_cancelled = false;
        let mut found = find.query(params![order.admin_number, order.sequence_number])?;
        while let Some(row) = found.next()? {
            let (run, row): (i64, u32) = (row.get(0)?, row.get(1)?);
            is_cancelled |= facts.runs.get(&run).is_some_and(|run| run.has(row));
        }
        counts.add(facts.known(order, is_cancelled));
    }
    Ok(counts)
}

/// Merges these rows with the packed orders of one run after another.
fn merge(
    ledger: &Connection,
    part: &[OrderKey],
    facts: &RunFacts,
) -> rusqlite::Result<KnownOrders> {
    // For the first row with each order.
    let mut is_cancelled = vec![false; part.len()];
    for (run, cancelled) in &facts.runs {
        mark(ledger, (*run, cancelled), part, &mut is_cancelled)?;
    }
    let mut counts = KnownOrders::default();
    let mut rows = is_cancelled.into_iter();
    for group in part.chunk_by(OrderKey::same_order) {
        let is_cancelled = rows.next().unwrap_or_default();
        rows.by_ref().take(group.len() - 1).for_each(drop);
        if let Some(keyed) = to_send_of(group).filter(|keyed| facts.is_to_send(*keyed)) {
            counts.add(facts.known(keyed.order(), is_cancelled));
        }
    }
    Ok(counts)
}

/// Marks the orders that a run cancelled, at the first row with each.
fn mark(
    ledger: &Connection,
    (run, cancelled): (i64, &AllBut),
    part: &[OrderKey],
    marks: &mut [bool],
) -> rusqlite::Result<()> {
    let (Some(first), Some(last)) = (part.first(), part.last()) else { return Ok(()) };
    let mut find = ledger.prepare_cached(
        "SELECT orders FROM packed_orders
         WHERE run = ?1 AND first_admin <= ?3 AND last_admin >= ?2
         ORDER BY first_admin, first_sequence",
    )?;
    let (from, to) = (first.order().admin_number, last.order().admin_number);
    let mut blocks = find.query(params![run, from, to])?;
    let mut wanted = part.iter().map(|keyed| keyed.order()).zip(marks).peekable();
    while let Some(block) = blocks.next()? {
        for (order, row) in packed::unpack(block.get_ref(0)?.as_blob()?) {
            while wanted.next_if(|(next, _)| *next < order).is_some() {}
            match wanted.peek_mut() {
                None => return Ok(()),
                Some((next, mark)) if *next == order => **mark |= cancelled.has(row),
                Some(_) => {}
            }
        }
    }
    Ok(())
}

/// What is known of the other runs, apart from the many rows that are plainly cancelled.
struct RunFacts {
    runs: HashMap<i64, AllBut>,
    /// Orders that a living process has in flight.
    in_flight: HashSet<Order>,
    in_doubt: HashSet<Order>,
    /// The rows of the file's own run that have ended, if there is such a run.
    own: Option<AllBut>,
}

impl RunFacts {
    fn load(
        ledger: &Connection,
        query: &KnownOrdersQuery<'_>,
        is_locked: IsLocked<'_>,
    ) -> rusqlite::Result<RunFacts> {
        let mut find = ledger.prepare(
            "SELECT number FROM run WHERE endpoint = ?1 AND rows IS NOT NULL AND number IS NOT ?2",
        )?;
        let runs = find.query_map(params![query.endpoint, query.run], |row| {
            let run: i64 = row.get(0)?;
            Ok((run, AllBut::cancelled(ledger, run)?))
        })?;
        let runs: HashMap<i64, AllBut> = runs.collect::<rusqlite::Result<_>>()?;
        let (mut in_flight, mut in_doubt) = (HashSet::new(), HashSet::new());
        for run in runs.keys() {
            let sent = if other_runs::is_alive(ledger, *run, query.run, is_locked)? {
                &mut in_flight
            } else {
                &mut in_doubt
            };
            add_orders(
                ledger,
                "SELECT admin_number, sequence_number FROM in_flight
                 JOIN row ON row.run = in_flight.run AND row.row = in_flight.row
                 WHERE in_flight.run = ?1",
                *run,
                sent,
            )?;
            add_orders(
                ledger,
                "SELECT admin_number, sequence_number FROM doubt WHERE run = ?1",
                *run,
                &mut in_doubt,
            )?;
        }
        let own = query.run.map(|run| AllBut::ended(ledger, run)).transpose()?;
        Ok(RunFacts { runs, in_flight, in_doubt, own })
    }

    /// Whether a row of the file is still to be sent.
    fn is_to_send(&self, keyed: OrderKey) -> bool {
        self.own.as_ref().is_none_or(|ended| !ended.has(keyed.row().0))
    }

    fn known(&self, order: Order, is_cancelled: bool) -> Known {
        match order {
            _ if is_cancelled => Known::Cancelled,
            _ if self.in_flight.contains(&order) => Known::InFlight,
            _ if self.in_doubt.contains(&order) => Known::InDoubt,
            _ => Known::Nothing,
        }
    }
}

fn add_orders(
    ledger: &Connection,
    sql: &str,
    run: i64,
    orders: &mut HashSet<Order>,
) -> rusqlite::Result<()> {
    let mut find = ledger.prepare_cached(sql)?;
    let mut found = find.query([run])?;
    while let Some(row) = found.next()? {
        orders.insert(Order { admin_number: row.get(0)?, sequence_number: row.get(1)? });
    }
    Ok(())
}

/// The claimed rows of a run, with exceptions.
pub(super) struct AllBut {
    /// One past the last row that may be included.
    end: u32,
    /// A bit for each row up to the last exception: whether it is excluded.
    but: Vec<u64>,
}

/// Rows that wait or are in flight: they lie in a range of the first attempt, and none of their
/// attempts ended them.
const OPEN: &str = "SELECT row.row
     FROM claim CROSS JOIN row ON row.run = claim.run AND row.row >= first_row AND row.row < end_row
     WHERE claim.run = ?1 AND claim.attempt = 1 AND row.status IS NULL AND NOT EXISTS (
         SELECT 1 FROM attempt JOIN outcome ON outcome.number = attempt.outcome
         WHERE attempt.run = row.run AND attempt.row = row.row AND outcome.status IS NOT NULL)";

/// Rows that were decided without a call, unless evidence shows that they are cancelled.
const DECIDED: &str = "SELECT row FROM row INDEXED BY row_with_more
     WHERE run = ?1 AND (status IS NOT NULL OR doubt = 1) AND status IS NOT NULL
       AND NOT (status = 1 AND coalesce(error_code = 'RESOLVED', 0))";

/// Rows with an attempt that failed and none that succeeded.
const WITHOUT_SUCCESS: &str = "SELECT DISTINCT row FROM attempt INDEXED BY attempt_without_success
     WHERE run = ?1 AND outcome > 0 AND NOT EXISTS (
         SELECT 1 FROM attempt AS success
         WHERE success.run = attempt.run AND success.row = attempt.row AND success.outcome < 0)";

impl AllBut {
    /// The rows for which CoreCARD answered `Status` true, or evidence shows that they are cancelled.
    pub fn cancelled(ledger: &Connection, run: i64) -> rusqlite::Result<AllBut> {
        let is_forgotten = "SELECT forgotten_at IS NOT NULL FROM run WHERE number = ?1";
        if ledger.query_row(is_forgotten, [run], |row| row.get(0))? {
            // Only the orders that it cancelled are kept.
            return Ok(AllBut { end: u32::MAX, but: Vec::new() });
        }
        Self::but(ledger, run, &[OPEN, DECIDED, WITHOUT_SUCCESS])
    }

    /// The rows that ended.
    fn ended(ledger: &Connection, run: i64) -> rusqlite::Result<AllBut> {
        Self::but(ledger, run, &[OPEN])
    }

    fn but(ledger: &Connection, run: i64, others: &[&str]) -> rusqlite::Result<AllBut> {
        let (first_fresh, has_places): (u32, bool) = ledger.query_row(
            "SELECT first_fresh, EXISTS (SELECT 1 FROM place WHERE place.run = progress.run)
             FROM progress WHERE run = ?1",
            [run],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let mut but = Vec::new();
        for sql in others {
            add_rows(ledger, sql, params![run], &mut but)?;
        }
        let end = if has_places { u32::MAX } else { first_fresh };
        if has_places {
            let fresh = "SELECT row FROM place WHERE run = ?1 AND place >= ?2";
            add_rows(ledger, fresh, params![run, first_fresh], &mut but)?;
        }
        Ok(AllBut { end, but })
    }

    pub fn has(&self, row: u32) -> bool {
        let (word, bit) = place_of(row);
        row < self.end && self.but.get(word).is_none_or(|rows| rows & bit == 0)
    }
}

fn add_rows(
    ledger: &Connection,
    sql: &str,
    values: &[&dyn ToSql],
    rows: &mut Vec<u64>,
) -> rusqlite::Result<()> {
    let mut find = ledger.prepare_cached(sql)?;
    let mut found = find.query(values)?;
    while let Some(row) = found.next()? {
        let (word, bit) = place_of(row.get(0)?);
        if word >= rows.len() {
            rows.resize(word + 1, 0);
        }
        if let Some(rows) = rows.get_mut(word) {
            *rows |= bit;
        }
    }
    Ok(())
}

/// The index of the word that contains a row's bit, and the bit.
fn place_of(row: u32) -> (usize, u64) {
    ((row / u64::BITS) as usize, 1 << (row % u64::BITS))
}
