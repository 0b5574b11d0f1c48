//! The rules that decide whether another attempt may start, and when.
//!
//! # Architecture
//!
//! Every rule is a plain synchronous decision with the time passed in: no I/O, no clock, no
//! runtime, no randomness. The engine's [`Scheduler`](crate::engine::Scheduler) owns the rules,
//! reports every call that ends to them, and asks them before it claims or dispatches a row. The
//! [`Pacer`](pacer::Pacer) alone works inside the ledger's commit, because its
//! [`Budget`](crate::model::Budget) is shared by all processes.
//!
//! ```text
//!            commit                                          dispatch
//!  unsent ────────────▶ claimed, with a slot ───────────────────────────────▶ in flight
//!    ▲     pacer (slots)                       sliding_second · adaptive · lease   │
//!    │     circuit_breaker (probes)            retry_after · cut_off               │
//!    │     canary (first rows)                 credential_refresh                  │
//!    │                                                                             │
//!    └──── backoff ◀──── stop_rules · circuit_breaker · adaptive observe ◀─────────┘
//! ```
//!
//! | rule | question |
//! |---|---|
//! | [`pacer`] | which slots does the contract's rate leave? |
//! | `gcra`, `sliding_window` | the pacer's two algorithms: rates of a second, and of a minute, hour or day |
//! | [`pace`] | to which lower rate is a run held on request? |
//! | [`sliding_second`] | does the last closed second, as it was really sent, have room? |
//! | [`adaptive`] | how much does the server take of late (throttling, latency, slow start)? |
//! | [`circuit_breaker`] | is the server away, so that only probes are sent? |
//! | [`retry_after`] | has the server asked everyone to wait? |
//! | [`stop_rules`], [`canary`] | is the run going wrong, so that it must stop? |
//! | [`backoff`] | how long does what failed wait? |
//! | [`cut_off`], [`start_window`] | is it too late, or too early? |
//! | [`lease`] | does what was claimed still belong to this process? |
//! | [`credential_refresh`] | are the credentials good, or are new ones needed first? |

pub mod adaptive;
pub mod arrival_delay;
pub mod backoff;
pub mod canary;
pub mod circuit_breaker;
pub mod credential_refresh;
pub mod cut_off;
mod gcra;
pub mod lease;
pub mod max_failures;
pub mod pace;
pub mod pacer;
pub mod rate;
pub mod retry_after;
mod set_clock;
pub mod sliding_second;
mod sliding_window;
pub mod start_window;
pub mod stop_rules;
