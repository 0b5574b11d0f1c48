//! CoreCARD's API: what a call says, how it proves who is calling, and what
//! comes back. One call; no retries here.

pub mod auth;
pub mod body_template;
pub mod client;
mod connection;
pub mod connector;
mod error;
pub mod proxy;
pub mod request_fields;
mod response;
pub mod tls;
pub mod url_policy;
