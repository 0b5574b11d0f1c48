//! A stand-in for CoreCARD: how it is to behave, and the words for what it does.

mod latency;
mod settings;
mod share;
mod words;

pub use latency::{Latency, LatencyError};
pub use settings::{Settings, SettingsError};
pub use share::{Share, ShareError};
pub use words::{Answer, Fate, Mischief, Verdict};
