//! The table `[seal]`: where seals are kept outside of the ledger.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::values::bounded_duration::{BoundedDuration, HOUR};
use crate::audit::SealCommand;

/// How long the command may take for one seal, unless the table sets another limit.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Where seals are kept outside of the ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SealSettings {
    /// The witness file.
    pub witness: Option<PathBuf>,
    /// The command that is given each seal.
    pub command: Option<SealCommand>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SealTable {
    witness: Option<PathBuf>,
    command: Option<Vec<String>>,
    time_limit: Option<String>,
}

impl SealSettings {
    /// Reads the table.
    ///
    /// # Errors
    /// If it has another key, or a value that cannot be used.
    pub(super) fn new(table: toml::Table) -> Result<SealSettings, String> {
        let table = SealTable::deserialize(table).map_err(|cause| cause.message().to_owned())?;
        let SealTable { witness, command, time_limit } = table;
        if witness.as_ref().is_some_and(|path| path.as_os_str().is_empty()) {
            return Err("witness is empty: name a file, or leave it out".to_owned());
        }
        let time_limit = time_limit.map(|text| {
            let limit: Result<BoundedDuration<1, HOUR>, _> = text.parse();
            limit.map(BoundedDuration::get).map_err(|cause| format!("time_limit: {cause}"))
        });
        let time_limit = time_limit.transpose()?.unwrap_or(TIME_LIMIT);
        let empty = || "command is empty: write it as [\"program\", \"argument\"]".to_owned();
        let command = command
            .map(|words| SealCommand::new(words, time_limit).ok_or_else(empty))
            .transpose()?;
        Ok(SealSettings { witness, command })
    }
}
