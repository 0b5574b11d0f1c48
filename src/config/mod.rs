//! Settings: defaults < file < profile < environment < flags.

mod check_settings;
mod default_file;
mod defaults;
mod effective_config;
mod endpoint;
mod env;
mod env_layer;
mod error_format;
mod file;
mod layer;
mod ledger_arg;
mod merge;
mod options;
mod paths;
mod recorded;
mod resolve;
mod secrets;
mod section;
mod setting_name;
mod settings;
mod sourced;
mod suggest;
#[cfg(test)]
mod tests;
mod unknown_key;
mod values;

pub use check_settings::{CheckSettings, RunsSettings};
pub use default_file::DEFAULT_FILE;
pub use defaults::default_of;
pub use effective_config::EffectiveConfig;
pub use env::Env;
pub use error_format::ErrorFormat;
pub use layer::Layer;
pub use ledger_arg::LedgerArg;
pub use merge::profiles;
pub use options::Options;
pub use secrets::Secret;
pub use setting_name::SettingName;
pub use settings::{InputSettings, LogSettings, Settings, TargetSettings};
pub use sourced::{Source, SourcedValue};
pub use suggest::suggest;
pub use values::bounded_duration::BoundedDuration;
pub use values::bounded_u32::BoundedU32;
pub use values::delimiter::Delimiter;
pub use values::log_format::LogFormat;
