//! Cancels physical card orders at CoreCARD in bulk: reads a CSV file, sends one rate-limited
//! call per row, and writes a results file with one line per row.
//!
//! # Architecture
//!
//! Each module uses only those declared above it.
//!
//! ```text
//! CSV ─▶ input ─▶ ledger (create_run) ─▶ engine ─▶ corecard (one call per claimed row)
//!                   ▲                      │ ▲           │
//!                   └── commit ────────────┘ └─ outcome ─┘        policy decides when, model what
//!                   └─▶ output (results, summary, metrics)
//! ```
//!
//! [`engine`] holds the main loop, [`ledger`] the durable record, [`policy`] the rules that
//! decide whether a call may start. [`model`] has the types that all of them share.

// Overflow must not panic: a panic loses the answers in flight. clippy.toml exempts plain integers.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod model;

pub mod hash;

pub mod private_file;

pub mod process;

pub mod child_command;

pub mod identity;

pub mod tls;

pub mod input;

pub mod ledger;

pub mod corecard;

pub mod policy;

pub mod engine;

pub mod audit;

pub mod exit_code;

pub mod output;

pub mod simulator;

pub mod config;

pub mod report;

pub mod cli;

pub mod commands;
