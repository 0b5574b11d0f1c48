//! The layer of environment variables.

use anyhow::anyhow;

use super::names::Names;
use super::options::Options;
use super::surroundings::Surroundings;

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
