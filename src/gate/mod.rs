//! May another attempt start now? Pace, cut-off and the brake on failures.

pub mod cut_off;
pub mod failures;
pub mod rate;
