//! `config`: a configuration file to start from, and what is in force.

use std::fmt::Write as _;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use anyhow::{Context, bail};
use serde_json::{Map, Value, json};

use crate::config::{DEFAULT_FILE, Given, InForce, Secret, Surroundings, Word};
use crate::exit_code::ExitCode;
use crate::output::say;

/// Writes the default configuration, readable by its owner alone and never over
/// a file that is there.
pub fn init(path: &Path) -> anyhow::Result<ExitCode> {
    let name = path.display();
    let unwritten = || format!("{name} could not be written: name another place");
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).with_context(unwritten)?;
    }
    let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(there) if there.kind() == ErrorKind::AlreadyExists => {
            bail!(
                "{name} is there already and is left as it is: name another place, or move it away"
            )
        }
        file => file.with_context(unwritten)?,
    };
    file.write_all(DEFAULT_FILE.as_bytes())
        .and_then(|()| file.sync_all())
        .with_context(unwritten)?;
    say::print(format_args!(
        "Wrote {name}, with every setting commented out. A run needs two of them: url and external_ip"
    ));
    Ok(ExitCode::Done)
}

/// Prints every setting in force, and where it was made.
pub fn show(given: Given, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
    let in_force = InForce::load(given, surroundings)?;
    match in_force.json {
        true => say::print(json(&in_force)?),
        false => say::print(text(&in_force).trim_end()),
    }
    Ok(ExitCode::Done)
}

fn text(in_force: &InForce) -> String {
    let mut text = match &in_force.file {
        Some(file) => format!("Configuration file: {file}\n"),
        None => format!("Configuration file: none ({})\n", in_force.looked_for.join(", else ")),
    };
    if let Some(profile) = &in_force.profile {
        let _ = writeln!(text, "Profile: {profile}");
    }
    text.push('\n');
    for (key, word) in &in_force.settings {
        match word {
            Some(Word { text: value, origin }) => line(&mut text, key, value, origin),
            None => line(&mut text, key, "", "not set"),
        }
    }
    for (table, settings) in &in_force.tables {
        let _ = writeln!(text, "\n[{table}]");
        settings.iter().for_each(|(key, word)| line(&mut text, key, &word.text, &word.origin));
    }
    if !in_force.secrets.is_empty() {
        text.push_str("\nSecrets\n");
        in_force.secrets.iter().for_each(|secret| secret_line(&mut text, secret));
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

fn json(in_force: &InForce) -> anyhow::Result<Value> {
    let unset = json!({ "value": null, "source": null });
    let setting = |(key, word): &(String, Option<Word>)| {
        let value = word.as_ref().map_or(Ok(unset.clone()), serde_json::to_value)?;
        Ok((key.clone(), value))
    };
    let settings: serde_json::Result<Map<_, _>> = in_force.settings.iter().map(setting).collect();
    let table = |(name, settings): &(String, Vec<(String, Word)>)| {
        let pair = |(key, word): &(String, Word)| Ok((key.clone(), serde_json::to_value(word)?));
        let settings: serde_json::Result<Map<_, _>> = settings.iter().map(pair).collect();
        Ok((name.clone(), Value::Object(settings?)))
    };
    let tables: serde_json::Result<Map<_, _>> = in_force.tables.iter().map(table).collect();
    Ok(json!({
        "file": in_force.file,
        "looked_for": in_force.looked_for,
        "profile": in_force.profile,
        "settings": settings?,
        "tables": tables?,
        "secrets": in_force.secrets,
    }))
}
