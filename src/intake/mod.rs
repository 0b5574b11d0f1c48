//! From a CSV file to rows: reading, validation, duplicates, the card-number
//! guard, and a results file read again. Everything streams.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod excerpt;
pub mod guard;
mod number;
