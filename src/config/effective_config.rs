//! The settings in force, and the source of each.

use serde::Serialize;

use super::env::Env;
use super::file::key_flags;
use super::layer::Layer;
use super::merge::{candidates, merged};
use super::paths::LEDGER_PASSWORD;
use super::resolve::ledger;
use super::secrets::{self, Secret};
use super::section::Section;
use super::setting_name::SettingName;
use super::sourced::{Source, SourcedValue};
use crate::corecard::proxy;
use crate::ledger::LedgerLocation;

/// The settings in force, in the order of the flags, each with its source.
#[derive(Debug, Clone, Serialize)]
pub struct EffectiveConfig {
    /// The configuration file; `None` if there is none.
    pub file: Option<String>,
    /// Where a file was looked for, in order; the first that is there counts.
    pub looked_for: Vec<String>,
    /// The file's profile, if one was named.
    pub profile: Option<String>,
    /// Every setting by its key; `None` if it is not set.
    pub settings: Vec<(String, Option<SourcedValue>)>,
    /// Every table of the file that counts, with its settings.
    pub tables: Vec<(String, Vec<(String, SourcedValue)>)>,
    /// The secrets that these settings require.
    pub secrets: Vec<Secret>,
    /// Whether the answer is wanted as JSON.
    #[serde(skip)]
    pub json: bool,
}

impl EffectiveConfig {
    /// Reads every source of settings; an error says what to change, and where.
    /// What must be set for a run may be missing.
    pub fn load(flags: Layer, env: &Env) -> anyhow::Result<EffectiveConfig> {
        let (mut options, section) = merged(flags, env)?;
        let Section { settings, auth, tables, file, .. } = section;
        let rehearse = options.rehearse == Some(true);
        let auth = auth.filter(|_| !rehearse).map(|(table, _)| table);
        let mut secret_variables =
            auth.as_ref().map(secrets::required_secret_variables).transpose()?.unwrap_or_default();
        if options.proxy.is_some() {
            secret_variables.extend([proxy::USERNAME, proxy::PASSWORD].map(str::to_owned));
        }
        let looked_for = candidates(options.config.as_deref(), env);
        let (json, profile) = (options.json == Some(true), options.profile.take());
        let is_named = options.ledger.is_some();
        let location = match ledger(&mut options, env) {
            Ok(location) => {
                if matches!(&location, LedgerLocation::Database(address) if !address.has_password())
                {
                    secret_variables.push(LEDGER_PASSWORD.to_owned());
                }
                Some(location)
            }
            Err(error) if is_named => return Err(error),
            // No home, no ledger: a command that needs one reports it then.
            Err(_) => None,
        };
        let in_force = |flag: &String| match (flag.as_str(), &location) {
            // What it resolves to, which holds no secret.
            ("ledger", Some(location)) => {
                let source = settings.sourced(flag).map_or(Source::Default, |set| set.source);
                Some(SourcedValue { value: location.to_string(), source })
            }
            _ => settings.sourced(flag),
        };
        let setting = |flag: String| (SettingName(&flag).key(), in_force(&flag));
        Ok(EffectiveConfig {
            file,
            looked_for: looked_for.iter().map(|path| path.display().to_string()).collect(),
            profile,
            settings: key_flags().into_iter().map(setting).collect(),
            tables: tables.into_iter().map(|(name, of)| (name, of.into_iter().collect())).collect(),
            secrets: secret_variables.into_iter().map(|name| secrets::locate(name, env)).collect(),
            json,
        })
    }
}
