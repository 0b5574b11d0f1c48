//! May another attempt start now? Pace, the server's own limits, outages, cut-off, start window and
//! brake: plain decisions, with the time passed in.

pub mod adaptive;
pub mod brake;
pub mod canary;
pub mod capacity;
mod climb;
pub mod crowd;
pub mod cut_off;
pub mod failures;
pub mod in_flight;
pub mod lateness;
pub mod outage;
pub mod pace;
pub mod rate;
pub mod renewal;
mod same_code;
pub mod scatter;
pub mod second;
mod set_clock;
pub mod silence;
pub mod slowness;
pub mod start_window;
mod streak;
pub mod tenure;
mod walk;
mod window;
