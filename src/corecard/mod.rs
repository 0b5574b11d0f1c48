//! CoreCARD's API: what a call says, and how it proves who is calling.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod auth;
pub mod request;
