//! Settings: defaults < file < profile < environment < flags.

mod default_file;
mod defaults;
mod delimiter;
mod endpoint;
mod environment;
mod file;
mod forms;
mod given;
mod in_force;
mod layers;
mod ledger_name;
mod length_of_time;
mod logging;
mod names;
mod nearest;
mod off_or;
mod options;
mod places;
mod secrets;
mod settings;
mod surroundings;
#[cfg(test)]
mod tests;
mod text;
mod unknown;
mod up_to;
mod words;

pub use default_file::DEFAULT_FILE;
pub use defaults::default_of;
pub use delimiter::Delimiter;
pub use forms::Forms;
pub use given::Given;
pub use in_force::InForce;
pub use ledger_name::LedgerName;
pub use length_of_time::LengthOfTime;
pub use logging::LogFormat;
pub use names::Names;
pub use nearest::nearest;
pub use options::Options;
pub use secrets::Secret;
pub use settings::{CheckSettings, Input, Logs, RunsSettings, Settings, Target};
pub use surroundings::Surroundings;
pub use up_to::UpTo;
pub use words::{Origin, Word};
