//! The client of CoreCARD's API: requests, credentials, connections and responses. It makes
//! one call at a time and never retries.

pub mod auth;
pub mod body_template;
pub mod client;
mod connection;
pub mod connector;
mod error;
mod http_date;
pub mod probe;
pub mod proxy;
pub mod request_fields;
mod response;
mod retry_after;
pub mod server_date;
pub mod tls;
pub mod url_policy;
