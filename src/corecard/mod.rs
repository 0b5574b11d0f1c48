//! CoreCARD's API: what a call says, and how it proves who is calling.

pub mod auth;
pub mod request;
