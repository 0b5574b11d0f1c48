//! The layer of environment variables.

use anyhow::{anyhow, bail};

use super::env::Env;
use super::layer::Layer;
use super::options::Options;
use super::secrets;
use super::setting_name::{PREFIX, SettingName};
use super::sourced::Source;
use super::suggest::suggest;

/// The options that are set in the environment; an empty variable is not set.
pub fn env_layer(env: &Env) -> anyhow::Result<Layer> {
    refuse_unknown(env)?;
    let mut layer = Layer::default();
    for flag in Options::flags() {
        let variable = SettingName(&flag).variable();
        if let Some(value) = env.get(&variable) {
            let source = Source::Env { variable: variable.clone() };
            layer.set(&flag, vec![value], source).map_err(|why| anyhow!("{variable}: {why}"))?;
        }
    }
    Ok(layer)
}

/// Refuses variables with our prefix that are no setting: a misspelt one would be ignored.
fn refuse_unknown(env: &Env) -> anyhow::Result<()> {
    let known: Vec<String> =
        Options::flags().iter().map(|flag| SettingName(flag).variable()).collect();
    let is_known =
        |name: &str| known.iter().any(|known| known == name) || secrets::is_secret_variable(name);
    let mut unknown: Vec<String> = (env.names)()
        .into_iter()
        .map(|name| name.to_string_lossy().into_owned())
        .filter(|name| name.starts_with(PREFIX) && !is_known(name))
        .filter(|name| env.get(name).is_some())
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    unknown.sort();
    let explained = unknown.iter().map(|name| {
        // Without the prefix, in which all are alike.
        let bare = |name: &str| name.strip_prefix(PREFIX).unwrap_or(name).to_ascii_lowercase();
        let words: Vec<String> =
            known.iter().map(|name| bare(name)).chain(secrets::VARIABLES.map(bare)).collect();
        match suggest(&bare(name), words.iter().map(String::as_str)) {
            Some(meant) => format!("{name}; did you mean {PREFIX}{}?", meant.to_ascii_uppercase()),
            None => format!("{name}; unset it, or see `cardcancel config show` for all settings"),
        }
    });
    bail!("there is no setting {}", explained.collect::<Vec<_>>().join("\nthere is no setting "))
}
