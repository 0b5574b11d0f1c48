//! Who goes first: the order in which rows are sent.

use rayon::slice::ParallelSliceMut;

use super::duplicates::Duplicates;
use crate::model::RowNumber;

/// The largest number that is read as a priority, and without its sign the smallest.
const MOST: i32 = 2_000_000_000;
/// How many priorities are counted one by one.
const TOLD: usize = 10;

/// Where a row stands among all: the smallest goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PriorityKey(u32);

impl PriorityKey {
    /// After all that have a priority.
    const NONE: PriorityKey = PriorityKey(u32::MAX - 1);
    /// Not sent, and so after all others.
    pub const NOT_SENT: PriorityKey = PriorityKey(u32::MAX);

    /// Parses the priority of a row; anything but a whole number is [`PriorityKey::NONE`].
    pub fn parse(field: &[u8]) -> PriorityKey {
        let number =
            std::str::from_utf8(field.trim_ascii()).ok().and_then(|text| text.parse().ok());
        match number {
            Some(number) if (-MOST..=MOST).contains(&number) => {
                PriorityKey(number.wrapping_sub(i32::MIN) as u32)
            }
            _ => PriorityKey::NONE,
        }
    }

    fn priority(self) -> Option<i32> {
        (self < PriorityKey::NONE).then(|| (self.0 as i32).wrapping_add(i32::MIN))
    }
}

/// The ranks of an input's rows, one after another. 8 bytes a row.
#[derive(Debug, Clone, Default)]
pub(super) struct PriorityKeys {
    /// From the top: 32 bits of rank, 32 of row.
    keys: Vec<u64>,
}

impl PriorityKeys {
    /// Takes in the ranks of the next rows.
    pub fn extend(&mut self, priority_keys: impl IntoIterator<Item = PriorityKey>) {
        let first = self.keys.len() as u64 + 1;
        let keys = priority_keys.into_iter().zip(first..);
        self.keys.extend(keys.map(|(priority_key, row)| u64::from(priority_key.0) << 32 | row));
    }

    /// Whether there are any.
    pub fn are_given(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Puts the rows in their places; those that another row decides for are not sent.
    pub fn sort(mut self, duplicates: &Duplicates) -> (SendPositions, PriorityCounts) {
        for (row, _) in duplicates.iter() {
            if let Some(key) = self.keys.get_mut(row.0 as usize - 1) {
                *key |= u64::from(PriorityKey::NOT_SENT.0) << 32;
            }
        }
        self.keys.par_sort_unstable();
        let priorities = PriorityCounts::new(&self.keys);
        (SendPositions::new(self.keys), priorities)
    }
}

/// The place of each row in the order in which they are sent. 8 bytes a row.
#[derive(Debug, Clone)]
pub struct SendPositions {
    /// The upper halves are the places of rows 1, 2, …; the lower ones the rows in
    /// places 1, 2, ….
    halves: Vec<u64>,
}

impl SendPositions {
    /// Takes the room of the sorted keys: their ranks are no longer needed.
    fn new(mut halves: Vec<u64>) -> SendPositions {
        const LOWER: u64 = u32::MAX as u64;
        for index in 0..halves.len() {
            let row = halves.get(index).map_or(0, |half| half & LOWER);
            if let Some(half) = halves.get_mut(row as usize - 1) {
                *half = (index as u64 + 1) << 32 | *half & LOWER;
            }
        }
        SendPositions { halves }
    }

    /// The place of a row, from 1.
    pub fn position_of(&self, row: RowNumber) -> u32 {
        let index = (row.0 as usize).saturating_sub(1);
        self.halves.get(index).map_or(row.0, |half| (half >> 32) as u32)
    }
}

/// How many rows to be sent have which priority.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PriorityCounts {
    /// The most urgent priorities, with their rows.
    pub first: Vec<(i32, u32)>,
    /// Rows with any other priority.
    pub others: u32,
    /// Rows without one, or with something that is not a priority.
    pub none: u32,
}

impl PriorityCounts {
    fn new(sorted: &[u64]) -> PriorityCounts {
        let mut all = PriorityCounts::default();
        let priority_key = |key: &u64| PriorityKey((key >> 32) as u32);
        for alike in sorted.chunk_by(|a, b| priority_key(a) == priority_key(b)) {
            let rows = alike.len() as u32;
            match alike.first().map_or(PriorityKey::NOT_SENT, priority_key) {
                PriorityKey::NOT_SENT => {}
                PriorityKey::NONE => all.none = rows,
                priority_key => match priority_key.priority().filter(|_| all.first.len() < TOLD) {
                    Some(priority) => all.first.push((priority, rows)),
                    None => all.others += rows,
                },
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::input::duplicates::find;

    fn sorted(fields: &[&str]) -> (Vec<u32>, PriorityCounts) {
        let mut priority_keys = PriorityKeys::default();
        priority_keys.extend(fields.iter().map(|field| PriorityKey::parse(field.as_bytes())));
        let (places, priorities) = priority_keys.sort(&Duplicates::default());
        let rows = (1..=fields.len() as u32).map(RowNumber);
        (rows.map(|row| places.position_of(row)).collect(), priorities)
    }

    #[test]
    fn the_smallest_goes_first_and_those_without_a_priority_go_last() {
        let (places, priorities) = sorted(&["3", "", "-1", " 2 ", "x", "3", "1.0", "+4", "007"]);
        assert_eq!(places, [3, 7, 1, 2, 8, 4, 9, 5, 6]);
        assert_eq!(priorities.first, [(-1, 1), (2, 1), (3, 2), (4, 1), (7, 1)]);
        assert_eq!((priorities.others, priorities.none), (0, 3));
    }

    #[test]
    fn numbers_too_large_for_a_priority_are_none() {
        let (places, priorities) =
            sorted(&["2000000001", "2000000000", "-2000000000", "-2000000001"]);
        assert_eq!(places, [3, 2, 1, 4]);
        assert_eq!(priorities.first, [(-2_000_000_000, 1), (2_000_000_000, 1)]);
        assert_eq!(priorities.none, 2);
    }

    #[test]
    fn of_many_priorities_only_the_most_urgent_are_reported_one_by_one() {
        let fields: Vec<String> = (0..25).map(|priority: u32| priority.to_string()).collect();
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        let (_, priorities) = sorted(&fields);
        assert_eq!((priorities.first.len(), priorities.others), (10, 15));
    }

    #[test]
    fn rows_that_are_not_sent_go_after_all_others_and_are_not_counted() {
        use crate::input::duplicates::{OrderKey, Role};
        use crate::model::Order;
        let order = Order { admin_number: 7, sequence_number: 1 };
        let mut same = [2, 3].map(|row| OrderKey::new(order, RowNumber(row), Role::Sent));
        let mut priority_keys = PriorityKeys::default();
        priority_keys.extend([
            PriorityKey::NOT_SENT,
            PriorityKey::parse(b"5"),
            PriorityKey::parse(b"1"),
            PriorityKey::parse(b""),
        ]);
        let (places, priorities) = priority_keys.sort(&find(&mut same));
        assert_eq!([1, 2, 3, 4].map(|row| places.position_of(RowNumber(row))), [3, 1, 4, 2]);
        assert_eq!(priorities, PriorityCounts { first: vec![(5, 1)], others: 0, none: 1 });
    }

    proptest! {
        #[test]
        fn places_are_those_of_a_stable_sort(
            priorities in prop::collection::vec(prop::option::of(-3..4i32), 0..200)
        ) {
            let mut priority_keys = PriorityKeys::default();
            let field = |priority: &Option<i32>| priority.map_or(String::new(), |p| p.to_string());
            priority_keys.extend(priorities.iter().map(|priority| PriorityKey::parse(field(priority).as_bytes())));
            let (places, _) = priority_keys.sort(&Duplicates::default());
            let mut rows: Vec<u32> = (1..=priorities.len() as u32).collect();
            rows.sort_by_key(|row| {
                let priority = priorities[*row as usize - 1];
                (priority.is_none(), priority)
            });
            for (row, place) in rows.iter().zip(1..) {
                prop_assert_eq!(places.position_of(RowNumber(*row)), place);
            }
        }
    }
}
