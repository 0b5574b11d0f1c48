//! The layer of environment variables.

use anyhow::anyhow;

use super::names::Names;
use super::options::Options;
use super::surroundings::Surroundings;
use super::words::{Origin, Word, Words};

/// The options that are set in the environment; an empty variable is not set.
pub fn environment(surroundings: &Surroundings) -> anyhow::Result<Options> {
    Options::flags().iter().try_fold(Options::default(), |options, flag| {
        let variable = Names(flag).variable();
        let Some(value) = surroundings.set_variable(&variable) else {
            return Ok(options);
        };
        let one = Options::one(flag, &value).map_err(|why| anyhow!("{variable}: {why}"))?;
        Ok(one.or(options))
    })
}

/// What is set in the environment, as it stands there.
pub fn words(surroundings: &Surroundings) -> Words {
    let mut words = Words::default();
    for flag in Options::flags() {
        let names = Names(&flag);
        let variable = names.variable();
        if let Some(value) = surroundings.set_variable(&variable) {
            let text = Options::plain(&flag, &value.to_string_lossy());
            words.settings.insert(names.key(), Word::new(&text, Origin::Variable { variable }));
        }
    }
    words
}
