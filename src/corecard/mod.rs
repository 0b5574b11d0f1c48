//! CoreCARD's API: what a call says, how it proves who is calling, and what
//! comes back. One call; no retries here.

pub mod auth;
pub mod client;
mod connection;
mod failure;
mod reply;
pub mod request;
