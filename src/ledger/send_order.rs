//! The order in which a run's rows are sent, where it is not that of their numbers.

use crate::input::Disposition;
use crate::model::RowNumber;

/// Which row to be sent goes in which place, once one is not in the place of its number.
#[derive(Default)]
pub(super) struct SendOrder {
    /// The rows in places 1, 2, …; 0 where that is not sent.
    rows: Vec<u32>,
}

impl SendOrder {
    /// Takes note of a row and its place.
    pub fn note(&mut self, row: RowNumber, place: u32, disposition: &Disposition) {
        if !matches!(disposition, Disposition::ToSend { .. })
            || (self.rows.is_empty() && place == row.0)
        {
            return;
        }
        if self.rows.is_empty() {
            self.rows.extend(1..row.0);
        }
        let index = (place as usize).saturating_sub(1);
        self.rows.resize(self.rows.len().max(index + 1), 0);
        self.rows.iter_mut().skip(index).take(1).for_each(|at| *at = row.0);
    }

    /// Each row with its place, by the places.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u32)> {
        (1..).zip(self.rows.iter().copied()).filter(|(_, row)| *row > 0)
    }
}
