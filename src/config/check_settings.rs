//! The settings of `check` and `runs`, which need fewer than a run.

use std::time::Duration;

use anyhow::Context;
use url::Url;

use super::endpoint::endpoint;
use super::env::Env;
use super::flags_to_repeat::FlagsToRepeat;
use super::layer::Layer;
use super::merge::merged;
use super::resolve::{
    cut_off, max_rows, place, rates, reason, required, start_window, unlocked_ledger,
};
use super::secrets::{locate, required_secret_variables};
use super::settings::InputSettings;
use crate::ledger::LedgerLocation;
use crate::policy::cut_off::CutOff;
use crate::policy::rate::Rates;
use crate::policy::start_window::StartWindow;

/// All that `check` needs.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckSettings {
    /// Where the calls would go, if it is set; `None` in a rehearsal.
    pub url: Option<Url>,
    /// Where the ledger is; `None` if there is no home folder to keep one in.
    pub ledger: Option<LedgerLocation>,
    /// Whether a file would be run once more whose run has ended.
    pub again: bool,
    /// How the input is read.
    pub input: InputSettings,
    /// The pace.
    pub rates: Rates,
    /// How long one call may take: 1 ms to 1 h.
    pub timeout: Duration,
    /// When no new attempt starts any more.
    pub cut_off: Option<CutOff>,
    /// In which hours a run may be started; `None` means at any time.
    pub start_window: Option<StartWindow>,
    /// The most rows that `run` would send; `None` means any number.
    pub max_rows: Option<u64>,
    /// Whether `run` would start though not all rows can be sent before the cut-off.
    pub allow_partial: bool,
    /// The variables of secrets that `[auth]` requires and that are not set; none of them is read.
    pub missing_secrets: Vec<String>,
    /// Whether to show no progress.
    pub quiet: bool,
    /// Whether the summary is JSON on standard output.
    pub json: bool,
}

/// All that `runs` needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunsSettings {
    /// Where the ledger is; in a rehearsal, the file of rehearsals.
    pub ledger: LedgerLocation,
    /// Whether it is the ledger of rehearsals.
    pub is_rehearsal: bool,
    /// Whether the answer is JSON.
    pub json: bool,
    /// CoreCARD's base address; `None` if it is not set, or this is a rehearsal.
    pub url: Option<Url>,
    /// The profile, if one is used.
    pub profile: Option<String>,
    /// The flags with which a later command finds the same configuration, address and ledger.
    pub flags_to_repeat: FlagsToRepeat,
    /// Why what the command does is done, in the words of the person (`--reason`).
    pub reason: Option<String>,
    /// Whether to do without asking what cannot be undone.
    pub yes: bool,
}

impl CheckSettings {
    /// Reads every source of settings; an error says what to change, and where.
    pub fn load(flags: Layer, env: &Env) -> anyhow::Result<CheckSettings> {
        let (mut options, section) = merged(flags, env)?;
        let is_rehearsal = options.rehearse == Some(true);
        let auth = section.auth.filter(|_| !is_rehearsal);
        let url = options.url.take().filter(|_| !is_rehearsal);
        let is_named = options.ledger.is_some();
        Ok(CheckSettings {
            url: url.map(|url| endpoint(&url)).transpose().with_context(|| place("url"))?,
            ledger: match unlocked_ledger(&mut options, env) {
                Ok(ledger) => Some(ledger),
                Err(error) if is_named => return Err(error),
                // No home, no ledger.
                Err(_) => None,
            },
            again: options.again == Some(true),
            rates: rates(options.rate.take())?,
            timeout: required("timeout", options.timeout)?.get(),
            cut_off: cut_off(&mut options, env)?,
            start_window: start_window(&mut options, env)?,
            max_rows: max_rows(&options),
            allow_partial: options.allow_partial == Some(true),
            missing_secrets: auth.map_or(Ok(Vec::new()), |auth| missing_secrets(auth, env))?,
            quiet: options.quiet == Some(true),
            json: options.json == Some(true),
            input: InputSettings::from(options),
        })
    }
}

/// The variables of the secrets that an `[auth]` table, which stands at this place, requires and that
/// are not set.
fn missing_secrets(
    (table, place): (toml::Table, String),
    env: &Env,
) -> anyhow::Result<Vec<String>> {
    let required = required_secret_variables(&table).context(place)?.into_iter();
    let secrets = required.map(|variable| locate(variable, env));
    Ok(secrets.filter(|secret| !secret.set).map(|secret| secret.variable).collect())
}

impl RunsSettings {
    /// Whether the answer is JSON, for a command that uses no ledger.
    ///
    /// # Errors
    /// What to change in the settings, and where.
    pub fn json(flags: Layer, env: &Env) -> anyhow::Result<bool> {
        let (options, _) = merged(flags, env)?;
        Ok(options.json == Some(true))
    }

    /// Reads every source of settings; an error says what to change, and where.
    pub fn load(flags: Layer, env: &Env) -> anyhow::Result<RunsSettings> {
        let (mut options, section) = merged(flags, env)?;
        let flags_to_repeat = FlagsToRepeat::of(&section.settings);
        let json = options.json == Some(true);
        let is_rehearsal = options.rehearse == Some(true);
        let url = options.url.take().filter(|_| !is_rehearsal);
        // Most of these commands have no use for it, and none sends anything there.
        let url = url.and_then(|url| endpoint(&url).ok());
        let reason = reason(&mut options)?;
        let ledger = unlocked_ledger(&mut options, env)?;
        let (yes, profile) = (options.yes == Some(true), options.profile);
        Ok(RunsSettings { ledger, is_rehearsal, json, url, profile, flags_to_repeat, reason, yes })
    }
}
