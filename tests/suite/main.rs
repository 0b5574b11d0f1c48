//! All tests of the program from outside and of the library's modules together. They are one
//! program, so that it links once and shares one database server. `cargo test --test suite
//! rerun::` runs one module. Tests that need PostgreSQL are ignored unless `tests/run` provides
//! it.

#![allow(clippy::unwrap_used, clippy::panic)]

mod audit_exports;
mod care;
mod chaos;
mod claims;
mod classification;
mod cli_snapshots;
mod clocks;
mod common;
mod completions;
mod config;
mod conformance;
mod credentials;
mod end_to_end_faults;
mod errors;
mod executor;
mod full_disk;
mod given_orders;
mod help;
mod history;
mod house;
mod input;
mod ledger;
mod ledger_file;
mod limits;
mod logs;
mod man;
mod metrics;
mod multi_machine;
mod nights;
mod orders;
mod other_tools;
mod outage;
mod own_files;
mod pages;
mod panics;
mod plan;
mod priority;
mod privacy;
mod reconciliation;
mod record;
mod request;
mod rerun;
mod results;
mod resume;
mod samples;
mod seals;
mod simulation;
mod stop_rules;
mod terminal;
mod upgrade;
mod whole;
