//! May another attempt start now? Pace, cut-off and brake: plain decisions, with
//! the time passed in.

pub mod brake;
pub mod canary;
pub mod cut_off;
pub mod failures;
pub mod lateness;
pub mod pace;
pub mod rate;
pub mod renewal;
mod same_code;
pub mod second;
mod streak;
mod walk;
mod window;
