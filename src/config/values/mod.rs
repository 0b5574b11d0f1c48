//! Types of single settings: each reads and checks one value.

pub(super) mod bounded_duration;
pub(super) mod bounded_u32;
pub(super) mod delimiter;
pub(super) mod log_format;
pub(super) mod or_off;
pub(super) mod purpose;
