//! May another attempt start now? Pace, the server's own limits, outages, cut-off, start window and
//! stop rule: plain decisions, with the time passed in.

pub mod adaptive;
pub mod canary;
pub mod circuit_breaker;
pub mod credential_refresh;
pub mod cut_off;
pub mod failures;
pub mod lateness;
pub mod lease;
pub mod pace;
pub mod rate;
mod same_code;
pub mod scatter;
pub mod second;
mod set_clock;
pub mod silence;
pub mod start_window;
pub mod stop_rules;
mod streak;
mod walk;
mod window;
