//! The order in which a run's rows are sent, where it differs from their numbers.

use crate::input::Disposition;
use crate::model::RowNumber;

/// The row at each position of the send order. Empty until a row's position differs from its
/// number.
#[derive(Default)]
pub(super) struct SendOrder {
    /// The rows at positions 1, 2, …; 0 if the row is not sent.
    rows: Vec<u32>,
}

impl SendOrder {
    /// Adds a row and its position.
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

    /// The positions with their rows, ordered by position.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u32)> {
        (1..).zip(self.rows.iter().copied()).filter(|(_, row)| *row > 0)
    }
}
