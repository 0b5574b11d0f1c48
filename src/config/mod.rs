//! Settings: defaults < file < profile < environment < flags.

mod cli_options;
mod de;
mod default_file;
mod defaults;
mod effective_config;
mod endpoint;
mod env;
mod env_layer;
mod error_format;
mod file;
mod layers;
mod ledger_arg;
mod options;
mod paths;
mod secrets;
mod setting_name;
mod settings;
mod sourced;
mod suggest;
#[cfg(test)]
mod tests;
mod unknown_key;
mod values;

pub use cli_options::Given;
pub use default_file::DEFAULT_FILE;
pub use defaults::default_of;
pub use effective_config::InForce;
pub use env::Surroundings;
pub use error_format::Forms;
pub use ledger_arg::LedgerName;
pub use options::Options;
pub use secrets::Secret;
pub use setting_name::Names;
pub use settings::{CheckSettings, Input, Logs, RunsSettings, Settings, Target};
pub use sourced::{Origin, Word};
pub use suggest::nearest;
pub use values::bounded_duration::LengthOfTime;
pub use values::bounded_u32::UpTo;
pub use values::delimiter::Delimiter;
pub use values::log_format::LogFormat;
