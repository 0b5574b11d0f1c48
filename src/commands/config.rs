//! `config`: a configuration file to start from, and what is in force.

use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use anyhow::{Context, bail};
use serde_json::{Map, Value, json};

use crate::config::{DEFAULT_FILE, EffectiveConfig, Env, Layer, Secret, SourcedValue};
use crate::exit_code::ExitCode;
use crate::output::console;
use crate::private_file;

/// Writes the default configuration, readable by its owner alone and never over
/// a file that is there.
pub fn init(path: &Path) -> anyhow::Result<ExitCode> {
    let name = path.display();
    let unwritten = || format!("{name} cannot be written: choose another path");
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        private_file::create_folder(folder).with_context(unwritten)?;
    }
    let mut file = match private_file::open_options().write(true).create_new(true).open(path) {
        Err(there) if there.kind() == ErrorKind::AlreadyExists => {
            bail!("{name} already exists and was not changed: choose another path, or move it away")
        }
        file => file.with_context(unwritten)?,
    };
    file.write_all(DEFAULT_FILE.as_bytes())
        .and_then(|()| file.sync_all())
        .with_context(unwritten)?;
    console::print_line(format_args!(
        "Wrote {name}, with every setting commented out. A run needs two of them: url and external_ip"
    ));
    Ok(ExitCode::Done)
}

/// Prints every setting in force, and its source.
pub fn show(options: Layer, env: &Env) -> anyhow::Result<ExitCode> {
    let config = EffectiveConfig::load(options, env)?;
    if config.json {
        console::print_line(json(&config)?);
    } else {
        console::print_line(text(&config).trim_end());
    }
    Ok(ExitCode::Done)
}

fn text(config: &EffectiveConfig) -> String {
    let mut text = match &config.file {
        Some(file) => format!("Configuration file: {file}\n"),
        None => format!("Configuration file: none ({})\n", config.looked_for.join(", else ")),
    };
    if let Some(profile) = &config.profile {
        let _ = writeln!(text, "Profile: {profile}");
    }
    text.push('\n');
    for (key, value) in &config.settings {
        match value {
            Some(SourcedValue { value, source }) => line(&mut text, key, value, source),
            None => line(&mut text, key, "", "not set"),
        }
    }
    for (table, settings) in &config.tables {
        let _ = writeln!(text, "\n[{table}]");
        settings.iter().for_each(|(key, set)| line(&mut text, key, &set.value, &set.source));
    }
    if !config.secrets.is_empty() {
        text.push_str("\nSecrets\n");
        config.secrets.iter().for_each(|secret| secret_line(&mut text, secret));
    }
    text
}

fn line(text: &mut String, key: &str, value: &str, place: impl ToString) {
    let _ = writeln!(text, "  {key:<27} {value:<35} {}", place.to_string());
}

fn secret_line(text: &mut String, secret: &Secret) {
    let Secret { variable, set, file } = secret;
    match file {
        Some(file) => line(text, variable, "set", format!("file {file}, named by {variable}_FILE")),
        None if *set => line(text, variable, "set", "environment"),
        None => line(text, variable, "", "not set"),
    }
}

fn json(config: &EffectiveConfig) -> anyhow::Result<Value> {
    let unset = json!({ "value": null, "source": null });
    let setting = |(key, value): &(String, Option<SourcedValue>)| {
        let value = value.as_ref().map_or(Ok(unset.clone()), serde_json::to_value)?;
        Ok((key.clone(), value))
    };
    let settings: serde_json::Result<Map<_, _>> = config.settings.iter().map(setting).collect();
    let table = |(name, settings): &(String, Vec<(String, SourcedValue)>)| {
        let pair =
            |(key, value): &(String, SourcedValue)| Ok((key.clone(), serde_json::to_value(value)?));
        let settings: serde_json::Result<Map<_, _>> = settings.iter().map(pair).collect();
        Ok((name.clone(), Value::Object(settings?)))
    };
    let tables: serde_json::Result<Map<_, _>> = config.tables.iter().map(table).collect();
    Ok(json!({
        "file": config.file,
        "looked_for": config.looked_for,
        "profile": config.profile,
        "settings": settings?,
        "tables": tables?,
        "secrets": config.secrets,
    }))
}
