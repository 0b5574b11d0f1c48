//! Cancels physical card orders at CoreCARD in bulk: rows in, paced calls out,
//! one honest result a row. The modules are rooms; each uses only those above it.

// A sum of times that panics costs what is in flight: clippy.toml leaves numbers alone.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod model;

pub mod hash;

pub mod private_file;

pub mod process;

pub mod input;

pub mod ledger;

pub mod corecard;

pub mod policy;

pub mod engine;

pub mod exit_code;

pub mod output;

pub mod simulator;

pub mod config;

pub mod cli;

pub mod commands;
