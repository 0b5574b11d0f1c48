//! Rows that carry the same order: which of them decides.

use rayon::slice::ParallelSliceMut;

use crate::model::{Order, RowNumber};

/// The role of a row among the rows with its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// To be sent, unless another row decides.
    Sent,
    /// To be sent, and an earlier run lost an answer for it.
    SentInDoubt,
    /// Cancelled by an earlier run: decides over every row to be sent.
    Cancelled,
    /// Not to be sent; an earlier run lost an answer for it.
    KeptInDoubt,
}

const ROLES: [Role; 4] = [Role::Sent, Role::SentInDoubt, Role::Cancelled, Role::KeptInDoubt];

/// An order, its row and the row's role, in 16 bytes; ordered by order, then row.
// From the top: 63 bits of admin number, 31 of sequence number, 32 of row, 2 of role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct OrderKey(u128);

impl OrderKey {
    /// A row that carries an order. Its numbers are never negative.
    #[inline]
    pub fn new(order: Order, row: RowNumber, role: Role) -> OrderKey {
        let admin = u128::from(order.admin_number.unsigned_abs());
        let sequence = u128::from(order.sequence_number.unsigned_abs());
        OrderKey(admin << 65 | sequence << 34 | u128::from(row.0) << 2 | role as u128)
    }

    /// The order.
    pub fn order(self) -> Order {
        Order {
            admin_number: (self.0 >> 65) as i64,
            sequence_number: (self.0 >> 34) as i32 & i32::MAX,
        }
    }

    /// The row that carries it.
    pub fn row(self) -> RowNumber {
        RowNumber((self.0 >> 2) as u32)
    }

    /// The row's role.
    pub fn role(self) -> Role {
        ROLES[(self.0 & 3) as usize]
    }

    /// Whether it is to be sent, unless another row decides.
    pub fn is_sent(self) -> bool {
        matches!(self.role(), Role::Sent | Role::SentInDoubt)
    }

    /// The same, with its row this many rows further on.
    pub(super) fn after(self, rows: u32) -> OrderKey {
        OrderKey(self.0 + (u128::from(rows) << 2))
    }

    /// Whether both carry the same order.
    pub fn same_order(&self, other: &OrderKey) -> bool {
        self.0 >> 34 == other.0 >> 34
    }
}

/// Of rows sorted by order, those whose orders are sent: for each order the first to be
/// sent, unless one is cancelled already.
pub fn rows_to_send(by_order: &[OrderKey]) -> impl Iterator<Item = OrderKey> + '_ {
    by_order.chunk_by(OrderKey::same_order).filter_map(to_send_of)
}

/// The row of a group with one order that is sent for it, if one is.
pub fn to_send_of(group: &[OrderKey]) -> Option<OrderKey> {
    decides(group).filter(|keyed| keyed.is_sent())
}

/// Of rows sorted by order, the row that stands for the order, for each order that is sent
/// or in doubt: the first to be sent, else the first in doubt.
pub fn rows_on_record(by_order: &[OrderKey]) -> impl Iterator<Item = OrderKey> + '_ {
    let on_record = |group: &[OrderKey]| {
        let sent = group.iter().find(|keyed| keyed.is_sent());
        sent.or_else(|| group.iter().find(|keyed| keyed.role() == Role::KeptInDoubt)).copied()
    };
    by_order.chunk_by(OrderKey::same_order).filter_map(on_record)
}

/// Of the rows with one order, the one that decides over those to be sent.
fn decides(group: &[OrderKey]) -> Option<OrderKey> {
    let cancelled = group.iter().find(|keyed| keyed.role() == Role::Cancelled);
    cancelled.or_else(|| group.iter().find(|keyed| keyed.is_sent())).copied()
}

/// The rows that another row decides for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Duplicates {
    /// (row, the row that decides), by row.
    pairs: Vec<(RowNumber, RowNumber)>,
    /// Rows that decide, and must note the doubt of another row with their order.
    doubtful: Vec<RowNumber>,
}

/// Sorts the rows by order, and finds those that another decides for: the first to
/// be sent, or one that is cancelled already.
pub fn find(rows: &mut [OrderKey]) -> Duplicates {
    rows.par_sort_unstable();
    let alike = || rows.chunk_by(OrderKey::same_order);
    // Most files have few; those that have many shall not pay for growing.
    let count = alike().map(|group| group.len() - 1).sum();
    let mut found = Duplicates { pairs: Vec::with_capacity(count), doubtful: Vec::new() };
    alike().for_each(|group| found.complete(group));
    found.pairs.par_sort_unstable();
    found.doubtful.par_sort_unstable();
    found
}

/// Sorts the rows by order, and counts those that are to be sent.
pub(super) fn to_send(rows: &mut [OrderKey]) -> u64 {
    rows.par_sort_unstable();
    let is_sent = |group: &&[OrderKey]| {
        group.iter().all(|keyed| keyed.role() != Role::Cancelled)
            && group.iter().any(|keyed| matches!(keyed.role(), Role::Sent | Role::SentInDoubt))
    };
    rows.chunk_by(OrderKey::same_order).filter(is_sent).count() as u64
}

impl Duplicates {
    /// How many rows another decides for.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether every order stands in one row only.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Each row that another decides for, with that other, by row.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (RowNumber, RowNumber)> + '_ {
        self.pairs.iter().copied()
    }

    /// Answers for rows asked about in increasing order.
    pub fn cursor(&self) -> Cursor<'_> {
        Cursor { pairs: &self.pairs, doubtful: &self.doubtful }
    }

    fn complete(&mut self, group: &[OrderKey]) {
        if let [_] = group {
            return;
        }
        let Some(decides) = decides(group) else { return };
        let sent = group.iter().filter(|keyed| keyed.is_sent());
        let others = sent.filter(|keyed| **keyed != decides);
        self.pairs.extend(others.map(|keyed| (keyed.row(), decides.row())));
        let doubt =
            |keyed: &OrderKey| matches!(keyed.role(), Role::SentInDoubt | Role::KeptInDoubt);
        if decides.role() == Role::Sent && group.iter().any(doubt) {
            self.doubtful.push(decides.row());
        }
    }
}

/// A place in [`Duplicates`] that only moves on.
#[derive(Debug, Clone)]
pub struct Cursor<'d> {
    pairs: &'d [(RowNumber, RowNumber)],
    doubtful: &'d [RowNumber],
}

impl Cursor<'_> {
    /// The row that decides for this one, if it is another.
    pub fn first_of(&mut self, row: RowNumber) -> Option<RowNumber> {
        while let Some(((at, first), rest)) = self.pairs.split_first() {
            if *at > row {
                return None;
            }
            if *at == row {
                return Some(*first);
            }
            self.pairs = rest;
        }
        None
    }

    /// Whether another row with the same order was left in doubt.
    pub fn inherits_doubt(&mut self, row: RowNumber) -> bool {
        while let Some((at, rest)) = self.doubtful.split_first() {
            if *at >= row {
                return *at == row;
            }
            self.doubtful = rest;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn keyed(admin_number: i64, row: u32, role: Role) -> OrderKey {
        OrderKey::new(Order { admin_number, sequence_number: 1 }, RowNumber(row), role)
    }

    /// For rows 1, 2, …: which row decides, if another, and whether doubt is inherited.
    fn verdicts(mut rows: Vec<OrderKey>) -> Vec<(Option<u32>, bool)> {
        let count = rows.len();
        let found = find(&mut rows);
        let mut cursor = found.cursor();
        (1..=count as u32)
            .map(RowNumber)
            .map(|row| (cursor.first_of(row).map(|first| first.0), cursor.inherits_doubt(row)))
            .collect()
    }

    #[test]
    fn a_row_takes_sixteen_bytes() {
        assert_eq!(size_of::<OrderKey>(), 16);
    }

    #[test]
    fn the_first_row_decides() {
        let rows = [7, 8, 7, 7].iter().zip(1..).map(|(&admin, row)| keyed(admin, row, Role::Sent));
        assert_eq!(
            verdicts(rows.collect()),
            [(None, false), (None, false), (Some(1), false), (Some(1), false)]
        );
    }

    #[test]
    fn a_cancelled_row_decides_even_if_it_comes_later() {
        let rows = vec![keyed(7, 1, Role::Sent), keyed(7, 2, Role::Cancelled)];
        assert_eq!(verdicts(rows), [(Some(2), false), (None, false)]);
    }

    #[test]
    fn the_row_that_decides_notes_the_doubt_of_the_others() {
        for part in [Role::SentInDoubt, Role::KeptInDoubt] {
            let rows = vec![keyed(7, 1, Role::Sent), keyed(7, 2, part), keyed(8, 3, part)];
            let verdicts = verdicts(rows);
            assert!(verdicts[0].1 && !verdicts[1].1 && !verdicts[2].1, "{verdicts:?}");
        }
    }

    #[test]
    fn a_kept_row_in_doubt_neither_decides_nor_is_decided_for() {
        let rows = vec![keyed(7, 1, Role::KeptInDoubt), keyed(7, 2, Role::Sent)];
        assert_eq!(verdicts(rows), [(None, false), (None, true)]);
    }

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(
            admin_number in 0..=i64::MAX, sequence_number in 0..=i32::MAX, row: u32, part in 0..4usize
        ) {
            let order = Order { admin_number, sequence_number };
            let keyed = OrderKey::new(order, RowNumber(row), ROLES[part]);
            prop_assert_eq!((keyed.order(), keyed.row(), keyed.role()), (order, RowNumber(row), ROLES[part]));
        }

        #[test]
        fn keys_are_ordered_by_order_then_row(a: (u64, u32, u32), b: (u64, u32, u32)) {
            let parts = |(admin, sequence, row): (u64, u32, u32)| (
                Order { admin_number: (admin >> 1) as i64, sequence_number: (sequence >> 1) as i32 },
                RowNumber(row),
            );
            let key = |(order, row)| OrderKey::new(order, row, Role::Sent);
            prop_assert_eq!(key(parts(a)).cmp(&key(parts(b))), parts(a).cmp(&parts(b)));
        }

        #[test]
        fn duplicates_agree_with_a_map(admins in prop::collection::vec(0..20i64, 0..200)) {
            let rows = admins.iter().zip(1..).map(|(&admin, row)| keyed(admin, row, Role::Sent));
            let mut first = HashMap::new();
            let expected: Vec<(Option<u32>, bool)> = admins
                .iter()
                .zip(1..)
                .map(|(admin, row)| {
                    let first = *first.entry(admin).or_insert(row);
                    ((first != row).then_some(first), false)
                })
                .collect();
            prop_assert_eq!(verdicts(rows.collect()), expected);
        }
    }
}
