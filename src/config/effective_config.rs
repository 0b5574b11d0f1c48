//! What is in force, and where each setting was made.

use serde::Serialize;

use super::cli_options::Given;
use super::env::Surroundings;
use super::file::{Section, option_keys};
use super::layers::{candidates, layered};
use super::paths::LEDGER_PASSWORD;
use super::secrets::{self, Secret};
use super::settings::ledger;
use super::sourced::{Origin, Word, Words};
use super::{defaults, env_layer};
use crate::corecard::proxy;
use crate::ledger::Location;

/// The settings in force, in the order of the flags, with where each was made.
#[derive(Debug, Clone, Serialize)]
pub struct InForce {
    /// The configuration file; none where there is none.
    pub file: Option<String>,
    /// Where a file was looked for, in order; the first that is there counts.
    pub looked_for: Vec<String>,
    /// The file's profile, if one was named.
    pub profile: Option<String>,
    /// Every setting by its key; none where it is not set.
    pub settings: Vec<(String, Option<Word>)>,
    /// Every table of the file that counts, with its settings.
    pub tables: Vec<(String, Vec<(String, Word)>)>,
    /// The secrets that are called for.
    pub secrets: Vec<Secret>,
    /// Whether the answer is wanted as JSON.
    #[serde(skip)]
    pub json: bool,
}

impl InForce {
    /// Reads every source of settings; an error says what to change, and where.
    /// What must be set for a run may be missing.
    pub fn load(given: Given, surroundings: &Surroundings) -> anyhow::Result<InForce> {
        let above = given.words.or(env_layer::words(surroundings));
        let Section { mut options, auth, words, file, .. } = layered(given.options, surroundings)?;
        let mut words = above.or(words).or(defaults::words());
        let rehearse = options.rehearse == Some(true);
        let auth = auth.filter(|_| !rehearse).map(|(table, _)| table);
        let mut called_for =
            auth.as_ref().map(secrets::called_for).transpose()?.unwrap_or_default();
        if options.proxy.is_some() {
            called_for.extend([proxy::USERNAME, proxy::PASSWORD].map(str::to_owned));
        }
        let looked_for = candidates(options.config.as_deref(), surroundings);
        let (json, profile) = (options.json == Some(true), options.profile.take());
        let is_named = options.ledger.is_some();
        match ledger(&mut options, surroundings) {
            Ok(location) => {
                if matches!(&location, Location::Database(address) if !address.has_password()) {
                    called_for.push(LEDGER_PASSWORD.to_owned());
                }
                in_place_of(&mut words, "ledger", location.to_string());
            }
            Err(error) if is_named => return Err(error),
            // No home, no ledger: whoever needs one is told then.
            Err(_) => {}
        }
        Ok(InForce {
            file,
            looked_for: looked_for.iter().map(|path| path.display().to_string()).collect(),
            profile,
            settings: settings(&mut words),
            tables: words
                .tables
                .into_iter()
                .map(|(name, of)| (name, of.into_iter().collect()))
                .collect(),
            secrets: called_for.into_iter().map(|name| secrets::find(name, surroundings)).collect(),
            json,
        })
    }
}

/// What a setting comes to, in place of how it was said. It holds no secret.
fn in_place_of(words: &mut Words, key: &str, text: String) {
    let origin = words.settings.remove(key).map_or(Origin::Default, |word| word.origin);
    words.settings.insert(key.to_owned(), Word { text, origin });
}

fn settings(words: &mut Words) -> Vec<(String, Option<Word>)> {
    let with_word = |key: String| {
        let word = words.settings.remove(&key);
        (key, word)
    };
    option_keys().into_iter().map(with_word).collect()
}
