//! The orders of a run in packed form: a few bytes each, which are read many times faster than
//! table rows.

use crate::input::OrderKey;
use crate::model::Order;

/// Packs sorted orders with their rows: the difference to the previous admin number, the sequence
/// number and the row, each as a variable-length integer of seven bits a byte.
pub(super) fn pack(by_order: &[OrderKey]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 * by_order.len());
    let mut before = 0;
    for keyed in by_order {
        let Order { admin_number, sequence_number } = keyed.order();
        // Neither number of an order is negative.
        let admin = admin_number.unsigned_abs();
        write(&mut bytes, admin.saturating_sub(before));
        write(&mut bytes, sequence_number.unsigned_abs().into());
        write(&mut bytes, keyed.row().0.into());
        before = admin;
    }
    bytes
}

/// The packed orders with their rows.
pub(super) fn unpack(bytes: &[u8]) -> impl Iterator<Item = (Order, u32)> + '_ {
    let (mut bytes, mut admin) = (bytes, 0_u64);
    std::iter::from_fn(move || {
        admin = admin.checked_add(read(&mut bytes)?)?;
        let sequence_number = i32::try_from(read(&mut bytes)?).ok()?;
        let row = u32::try_from(read(&mut bytes)?).ok()?;
        Some((Order { admin_number: i64::try_from(admin).ok()?, sequence_number }, row))
    })
}

fn write(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn read(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for place in (0..u64::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << place;
        if *byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::input::Role;
    use crate::model::RowNumber;

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(
            mut orders in prop::collection::vec((0..=i64::MAX, 0..=i32::MAX, any::<u32>()), 0..50),
        ) {
            orders.sort_unstable();
            let keyed = orders.iter().map(|(admin_number, sequence_number, row)| {
                let order = Order { admin_number: *admin_number, sequence_number: *sequence_number };
                OrderKey::new(order, RowNumber(*row), Role::Sent)
            });
            let unpacked: Vec<_> = unpack(&pack(&keyed.collect::<Vec<_>>()))
                .map(|(order, row)| (order.admin_number, order.sequence_number, row))
                .collect();
            prop_assert_eq!(unpacked, orders);
        }

        #[test]
        fn any_bytes_can_be_unpacked(bytes in prop::collection::vec(any::<u8>(), 0..50)) {
            prop_assert!(unpack(&bytes).count() <= bytes.len());
        }
    }
}
