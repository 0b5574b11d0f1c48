//! The settings in force as they are recorded with every start, so that an audit can tell with
//! which a call was made.

use toml::{Table, Value};

use super::defaults::default_of;
use super::file::key_flags;
use super::section::Section;
use super::setting_name::SettingName;
use crate::ledger::LedgerLocation;

/// Settings of one start rather than of the configuration. Without them, nights with the same
/// configuration have the same text, and so the same digest.
const OF_ONE_START: [&str; 10] = [
    "reason",
    "requested-by",
    "ticket",
    "expect-rows",
    "expect-sha256",
    "results",
    "yes",
    "quiet",
    "json",
    "again",
];

/// The settings in force as TOML text, in the order of their names. Secrets are not settings: the
/// text has none.
pub(super) fn recorded(
    section: &Section,
    profile: Option<&str>,
    ledger: &LedgerLocation,
) -> String {
    let mut text = Table::new();
    let mut add = |key: String, value: String| text.insert(key, Value::String(value));
    for flag in key_flags().iter().filter(|flag| !OF_ONE_START.contains(&flag.as_str())) {
        let value = match flag.as_str() {
            "ledger" => Some(ledger.to_string()),
            _ => section.settings.sourced(flag).map(|set| set.value),
        };
        if let Some(value) = value {
            add(SettingName(flag).key(), value);
        }
    }
    if let Some(profile) = profile {
        add("profile".to_owned(), profile.to_owned());
    }
    for (name, settings) in &section.tables {
        let settings =
            settings.iter().map(|(key, set)| (key.clone(), Value::String(set.value.clone())));
        text.insert(name.clone(), Value::Table(settings.collect()));
    }
    text.to_string()
}

/// The settings of a recorded text that are not the defaults, tables included, as names and values.
pub fn changed_settings(settings: &str) -> Vec<(String, String)> {
    let Ok(table) = settings.parse::<Table>() else { return Vec::new() };
    let mut changed = Vec::new();
    for (key, value) in table {
        match value {
            Value::Table(table) => changed
                .extend(table.iter().map(|(name, value)| (format!("{key}.{name}"), plain(value)))),
            value => {
                let value = plain(&value);
                if default_of(&key.replace('_', "-")) != Some(&value) {
                    changed.push((key, value));
                }
            }
        }
    }
    changed
}

/// A value without the quotes of a text.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
