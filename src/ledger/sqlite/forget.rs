//! Forgets runs: a short transaction records it, together with what stays; what is removed then goes
//! in small steps, between which other processes write.

use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior, params};

use super::known_orders::AllBut;
use super::packed;
use super::read;
use super::seals;
use crate::input::{OrderKey, Role};
use crate::ledger::forgotten::{KeptOrders, KeptOrdersHasher, NewForgetting};
use crate::ledger::{Run, SealRecord};
use crate::model::{Order, RowNumber};

/// The number of rows that one transaction removes, which takes some tens of milliseconds.
const AT_ONCE: u64 = 20_000;
/// How long the ledger is left unlocked between two transactions. It must be longer than the
/// interval at which another process retries.
const LEFT_TO_OTHERS: Duration = Duration::from_millis(2);

/// Records that a run is forgotten, unless it was started or sealed since. If it was forgotten
/// meanwhile, returns the seal that says so.
pub(super) fn forget(
    connection: &mut Connection,
    run: &Run,
    new: &NewForgetting<'_>,
) -> rusqlite::Result<Option<SealRecord>> {
    // The run is sealed and locked, so what is read here does not change.
    let kept = Kept::read(connection, run.number)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let last = seals::last_of_run(&transaction, run.number)?;
    if read::run_by_number(&transaction, run.number)?.forgotten_at.is_some() {
        return Ok(last);
    }
    let last_start = "SELECT max(number) FROM start WHERE run = ?1";
    let last_start: Option<i64> =
        transaction.query_row(last_start, [run.number], |row| row.get(0))?;
    let is_as_it_was = last.is_some_and(|last| last.digest == new.sealed.digest)
        && last_start == Some(new.sealed.start)
        && seals::is_at_rest(&transaction, run.number)?;
    if !is_as_it_was {
        return Ok(None);
    }
    {
        let mut rewrite =
            transaction.prepare("UPDATE packed_orders SET orders = ?2 WHERE number = ?1")?;
        for (number, orders) in &kept.rewritten {
            rewrite.execute(params![number, orders])?;
        }
        let mut drop_order = transaction.prepare(
            "DELETE FROM row_by_order
             WHERE admin_number = ?1 AND sequence_number = ?2 AND run = ?3",
        )?;
        for Order { admin_number, sequence_number } in &kept.dropped {
            drop_order.execute(params![admin_number, sequence_number, run.number])?;
        }
    }
    transaction.execute(
        "UPDATE run SET forgotten_at = ?2 WHERE number = ?1",
        params![run.number, new.at.as_microsecond()],
    )?;
    let SealRecord { start, blocks, .. } = new.sealed;
    let text = |number, previous| (new.text)(number, previous, kept.orders);
    let sealed = seals::insert(&transaction, run, *start, blocks, &text)?;
    transaction.commit()?;
    Ok(Some(sealed))
}

/// What stays of a run.
struct Kept {
    orders: KeptOrders,
    /// The blocks of packed orders, without those that do not stay.
    rewritten: Vec<(i64, Vec<u8>)>,
    /// The orders that do not stay.
    dropped: Vec<Order>,
}

impl Kept {
    fn read(ledger: &Connection, run: i64) -> rusqlite::Result<Kept> {
        let cancelled = AllBut::cancelled(ledger, run)?;
        let mut hasher = KeptOrdersHasher::default();
        let (mut rewritten, mut dropped) = (Vec::new(), Vec::new());
        for_each_block(ledger, run, &mut |number, orders| {
            let mut stay = Vec::new();
            for (order, row) in packed::unpack(orders) {
                if cancelled.has(row) {
                    hasher.add(order, RowNumber(row));
                    stay.push(OrderKey::new(order, RowNumber(row), Role::Sent));
                } else {
                    dropped.push(order);
                }
            }
            rewritten.push((number, packed::pack(&stay)));
            Ok(())
        })?;
        Ok(Kept { orders: hasher.finish(), rewritten, dropped })
    }
}

/// The orders that a forgotten run is known to have cancelled: those that both places have.
pub(super) fn kept_orders(ledger: &Connection, run: i64) -> rusqlite::Result<KeptOrders> {
    let mut find = ledger.prepare(
        "SELECT EXISTS (SELECT 1 FROM row_by_order
                        WHERE admin_number = ?1 AND sequence_number = ?2 AND run = ?3 AND row = ?4)",
    )?;
    let mut hasher = KeptOrdersHasher::default();
    for_each_block(ledger, run, &mut |_, orders| {
        for (order, row) in packed::unpack(orders) {
            let Order { admin_number, sequence_number } = order;
            let values = params![admin_number, sequence_number, run, row];
            if find.query_row(values, |found| found.get(0))? {
                hasher.add(order, RowNumber(row));
            }
        }
        Ok(())
    })?;
    Ok(hasher.finish())
}

fn for_each_block(
    ledger: &Connection,
    run: i64,
    each: &mut dyn FnMut(i64, &[u8]) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut find = ledger.prepare(
        "SELECT number, orders FROM packed_orders WHERE run = ?1
         ORDER BY first_admin, first_sequence",
    )?;
    let mut blocks = find.query([run])?;
    while let Some(block) = blocks.next()? {
        each(block.get(0)?, block.get_ref(1)?.as_blob()?)?;
    }
    Ok(())
}

/// Removes what forgotten runs still have. It can be interrupted anywhere, and repeated.
pub(super) fn remove(connection: &mut Connection) -> rusqlite::Result<()> {
    let mut find = connection.prepare(
        "SELECT number, rows FROM run WHERE forgotten_at IS NOT NULL AND (
             EXISTS (SELECT 1 FROM row WHERE row.run = run.number)
             OR EXISTS (SELECT 1 FROM attempt WHERE attempt.run = run.number)
             OR EXISTS (SELECT 1 FROM place WHERE place.run = run.number)
             OR EXISTS (SELECT 1 FROM claim WHERE claim.run = run.number)
             OR EXISTS (SELECT 1 FROM event WHERE event.run = run.number)
             OR EXISTS (SELECT 1 FROM results WHERE results.run = run.number))
         ORDER BY number",
    )?;
    let runs = find.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let runs = runs.collect::<rusqlite::Result<Vec<(i64, u64)>>>()?;
    drop(find);
    for (run, rows) in runs {
        for first in (0..=rows).step_by(AT_ONCE as usize) {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for sql in [
                "DELETE FROM attempt WHERE run = ?1 AND row >= ?2 AND row < ?3",
                "DELETE FROM row WHERE run = ?1 AND row >= ?2 AND row < ?3",
                "DELETE FROM place WHERE run = ?1 AND place >= ?2 AND place < ?3",
            ] {
                let mut remove = transaction.prepare_cached(sql)?;
                remove.execute(params![run, first, first + AT_ONCE])?;
            }
            transaction.commit()?;
            std::thread::sleep(LEFT_TO_OTHERS);
        }
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for table in ["claim", "event", "results"] {
            transaction.execute(&format!("DELETE FROM {table} WHERE run = ?1"), [run])?;
        }
        transaction.commit()?;
    }
    Ok(())
}

/// The forgotten runs that cancelled the order, oldest first, with its row.
pub(super) fn forgotten_with(
    ledger: &Connection,
    order: Order,
) -> rusqlite::Result<Vec<(Run, RowNumber)>> {
    let mut find = ledger.prepare(
        "SELECT its.run, its.row FROM row_by_order AS its JOIN run ON run.number = its.run
         WHERE admin_number = ?1 AND sequence_number = ?2 AND forgotten_at IS NOT NULL
         ORDER BY its.run",
    )?;
    let found = find.query_map(params![order.admin_number, order.sequence_number], |row| {
        Ok((row.get::<_, i64>(0)?, RowNumber(row.get(1)?)))
    })?;
    let found = found.collect::<rusqlite::Result<Vec<_>>>()?;
    found.into_iter().map(|(run, row)| Ok((read::run_by_number(ledger, run)?, row))).collect()
}

/// Gives the space of what was removed back to the system. It writes the whole file anew.
pub(super) fn give_back(ledger: &Connection) -> rusqlite::Result<()> {
    // The copy that it makes is as large as what stays: it must not be in memory.
    let given_back = ledger.execute_batch("PRAGMA temp_store = FILE; VACUUM");
    ledger.execute_batch("PRAGMA temp_store = MEMORY")?;
    given_back?;
    ledger.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}
