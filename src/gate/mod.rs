//! May another attempt start now? Pace, cut-off and the brake on failures.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod cut_off;
pub mod failures;
pub mod rate;
