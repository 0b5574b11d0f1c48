//! CoreCARD's API: what a call says, how it proves who is calling, and what
//! comes back. One call; no retries here.

pub mod address;
pub mod auth;
mod carried;
pub mod client;
mod command;
mod connection;
pub mod credentials;
mod failure;
mod header;
pub mod network;
mod oauth2;
pub mod proxy;
mod reply;
pub mod request;
mod route;
pub mod secret;
pub mod tls;
pub mod token;
