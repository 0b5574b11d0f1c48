//! May another attempt start now? Pace, the server's own limits, outages, cut-off, start window and
//! stop rule: plain decisions, with the time passed in.

pub mod adaptive;
pub mod arrival_delay;
pub mod canary;
pub mod circuit_breaker;
pub mod credential_refresh;
pub mod cut_off;
pub mod failures;
mod gcra;
pub mod lease;
pub mod pacer;
pub mod rate;
mod same_code;
pub mod scatter;
mod set_clock;
pub mod silence;
pub mod sliding_log;
mod sliding_window;
pub mod start_window;
pub mod stop_rules;
mod streak;
