//! The configuration file: what it says, or where it is wrong.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::ops::Range;

use anyhow::anyhow;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Unexpected};
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue, ValueDeserializer};

use super::options::{OptionKind, Options};
use super::seal_settings::SealSettings;
use super::secrets;
use super::section::Section;
use super::setting_name::SettingName;
use super::sourced::{self, Source};
use super::suggest::suggest;
use super::unknown_key::UnknownKey;
use crate::simulator;

/// The tables beside the options.
const TABLES: [&str; 4] = ["auth", "codes", "rehearsal", "seal"];
/// The table of the profiles; no profile holds others.
const PROFILE: &str = "profile";
/// Flags that are no keys: they say what to read in the first place.
const NOT_KEYS: [&str; 2] = ["config", "profile"];

/// A configuration file, read and understood.
#[derive(Debug)]
pub struct ConfigFile {
    name: String,
    top: Section,
    profiles: BTreeMap<String, Section>,
}

impl ConfigFile {
    /// Understands the file's text; errors begin with its name and the line.
    pub fn parse(name: &str, text: &str) -> anyhow::Result<ConfigFile> {
        Reader { name, text }.file()
    }

    /// Whether a password stands in it, in a profile that is not used too.
    pub fn holds_password(&self) -> bool {
        let mut sections = std::iter::once(&self.top).chain(self.profiles.values());
        sections.any(|section| section.settings.holds_password())
    }

    /// What it says under a profile, or under none.
    pub fn section(mut self, profile: Option<&str>) -> anyhow::Result<Section> {
        let with_address =
            self.profiles.iter().filter(|(_, section)| section.settings.get("url").is_some());
        let profiles = with_address.map(|(name, _)| name.clone()).collect();
        let section = match profile {
            None => self.top,
            Some(profile) => match self.profiles.remove(profile) {
                Some(section) => section.or(self.top),
                None => return Err(self.unknown_profile(profile)),
            },
        };
        Ok(Section { profiles, ..section })
    }

    /// The names of its profiles, in order.
    pub fn into_profile_names(self) -> Vec<String> {
        self.profiles.into_keys().collect()
    }

    fn unknown_profile(&self, profile: &str) -> anyhow::Error {
        let known: Vec<&str> = self.profiles.keys().map(String::as_str).collect();
        let hint = match (suggest(profile, known.iter().copied()), known.is_empty()) {
            (Some(meant), _) => format!("did you mean \"{meant}\"?"),
            (None, true) => format!("it has none; add a table [profile.{profile}]"),
            (None, false) => format!("it has {}", known.join(", ")),
        };
        anyhow!("{} has no profile \"{profile}\": {hint}", self.name)
    }
}

/// The flags that are keys of the file too.
pub fn key_flags() -> Vec<String> {
    let flags = Options::flags().into_iter();
    flags.filter(|flag| !NOT_KEYS.contains(&flag.as_str())).collect()
}

struct Reader<'a> {
    name: &'a str,
    text: &'a str,
}

impl<'a> Reader<'a> {
    fn file(&self) -> anyhow::Result<ConfigFile> {
        let whole = DeTable::parse(self.text).map_err(|error| self.toml_error("", 0..0, &error))?;
        let mut top = Vec::new();
        let mut profiles = BTreeMap::new();
        for (key, value) in whole.into_inner() {
            if key.get_ref() != PROFILE {
                top.push((key, value));
                continue;
            }
            for (name, profile) in self.table(PROFILE, value)?.into_inner() {
                let keys = self.table(name.get_ref(), profile)?.into_inner();
                let name = name.get_ref().to_string();
                let section = self.section(keys, Some(&name))?;
                profiles.insert(name, section);
            }
        }
        Ok(ConfigFile { name: self.name.to_owned(), top: self.section(top, None)?, profiles })
    }

    fn section<K: AsRef<str>>(
        &self,
        keys: impl IntoIterator<Item = (Spanned<K>, Spanned<DeValue<'a>>)>,
        profile: Option<&str>,
    ) -> anyhow::Result<Section> {
        let flags = key_flags();
        let mut section = Section { file: Some(self.name.to_owned()), ..Section::default() };
        let source = |span: &Range<usize>| self.source(profile, span);
        let mut seen: Vec<String> = Vec::new();
        // In the file's order, so that the first mistake in it is the one named.
        let mut keys: Vec<_> = keys.into_iter().collect();
        keys.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in keys {
            let (span, written) = (key.span(), key.get_ref().as_ref());
            // cut-off is as good as cut_off.
            let name = written.replace('-', "_");
            if seen.contains(&name) {
                return Err(self.error(span, format!("{name} is set twice; keep one of them")));
            }
            if TABLES.contains(&name.as_str()) && !value.get_ref().is_table() {
                let remedy = format!("{name} must be a table: write its settings under [{name}]");
                return Err(self.error(value.span(), remedy));
            }
            if let DeValue::Table(table) = value.get_ref() {
                section.tables.insert(name.clone(), sourced::table(table, source));
            }
            match name.as_str() {
                "auth" => {
                    let place = format!("{}:{}: [auth]", self.name, self.line(&span));
                    section.auth = Some((self.auth(value, &span)?, place));
                }
                "codes" => section.codes = Some(self.value(&name, value)?),
                "rehearsal" => section.rehearsal = Some(self.rehearsal(value)?),
                "seal" => section.seal = Some(self.seal(value, &span)?),
                _ => match flags.iter().find(|flag| SettingName(flag).key() == name) {
                    Some(flag) => {
                        let set = values(Options::kind(flag), value.get_ref())
                            .and_then(|values| section.settings.set(flag, values, source(&span)));
                        set.map_err(|why| self.error(value.span(), format!("{name}: {why}")))?;
                    }
                    None => return Err(self.unknown(span, written, &flags)),
                },
            }
            seen.push(name);
        }
        Ok(section)
    }

    /// The table `[auth]`, found to be in order but for the secrets.
    fn auth(&self, value: Spanned<DeValue<'a>>, at: &Range<usize>) -> anyhow::Result<toml::Table> {
        let keys = keys_of(&value);
        let table = self.value("auth", value)?;
        match secrets::required_secret_variables(&table) {
            Ok(_) => Ok(table),
            Err(wrong) => Err(self.table_error("auth", &keys, at, &wrong.to_string())),
        }
    }

    /// The table `[seal]`.
    fn seal(&self, value: Spanned<DeValue<'a>>, at: &Range<usize>) -> anyhow::Result<SealSettings> {
        let keys = keys_of(&value);
        SealSettings::new(self.value("seal", value)?)
            .map_err(|wrong| self.table_error("seal", &keys, at, &wrong))
    }

    /// The table `[rehearsal]`, found to be in order.
    fn rehearsal(&self, value: Spanned<DeValue<'a>>) -> anyhow::Result<toml::Table> {
        let (keys, whole) = (keys_of(&value), value.span());
        match simulator::SimulatorSettings::deserialize(ValueDeserializer::from(value.clone())) {
            Ok(_) => self.value("rehearsal", value),
            Err(wrong) => {
                let at = wrong.span().unwrap_or(whole);
                Err(self.table_error("rehearsal", &keys, &at, wrong.message()))
            }
        }
    }

    /// What a table's own room says against it; of an unknown key, where it stands.
    fn table_error(
        &self,
        table: &str,
        keys: &[(String, Range<usize>)],
        at: &Range<usize>,
        message: &str,
    ) -> anyhow::Error {
        let Some(unknown) = UnknownKey::from_message(message) else {
            let missing = message.strip_prefix("missing field `").and_then(|m| m.strip_suffix('`'));
            return self.error(
                at.clone(),
                match missing {
                    Some(key) => format!("[{table}]: {key} is missing: set it"),
                    None => format!("[{table}]: {}", in_words(message)),
                },
            );
        };
        let place = keys.iter().find(|(key, _)| *key == unknown.found);
        let at = place.map_or(at, |(_, at)| at);
        self.error(at.clone(), unknown.explain(table))
    }

    fn value<T: DeserializeOwned>(
        &self,
        key: &str,
        value: Spanned<DeValue<'a>>,
    ) -> anyhow::Result<T> {
        let span = value.span();
        let deserializer = ValueDeserializer::from(value);
        T::deserialize(deserializer).map_err(|error| self.toml_error(key, span, &error))
    }

    fn table(
        &self,
        key: &str,
        value: Spanned<DeValue<'a>>,
    ) -> anyhow::Result<Spanned<DeTable<'a>>> {
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(table) => Ok(Spanned::new(span, table)),
            _ => Err(self.error(
                span,
                format!("{key} must be a table: write its settings under [profile.NAME]"),
            )),
        }
    }

    fn unknown(&self, span: Range<usize>, key: &str, flags: &[String]) -> anyhow::Error {
        let known: Vec<String> = flags.iter().map(|flag| SettingName(flag).key()).collect();
        let tables = TABLES.iter().copied().chain([PROFILE]);
        let meant = suggest(key, known.iter().map(String::as_str).chain(tables));
        let hint = match meant {
            Some(meant) => format!("; did you mean \"{meant}\"?"),
            None => "; `cardcancel config show` lists all settings".to_owned(),
        };
        self.error(span, format!("there is no setting \"{key}\"{hint}"))
    }

    /// An error of the TOML library, without the line itself: that may hold what
    /// must not be shown.
    fn toml_error(&self, key: &str, span: Range<usize>, error: &toml::de::Error) -> anyhow::Error {
        let span = error.span().unwrap_or(span);
        let message = match error.message() {
            "duplicate key" => "this key appears twice; keep one of them".to_owned(),
            message => in_words(message),
        };
        match key {
            "" => self.error(span, message),
            key => self.error(span, format!("{key}: {message}")),
        }
    }

    fn source(&self, profile: Option<&str>, span: &Range<usize>) -> Source {
        let (file, line) = (self.name.to_owned(), self.line(span));
        match profile {
            Some(profile) => Source::Profile { profile: profile.to_owned(), file, line },
            None => Source::File { file, line },
        }
    }

    fn error(&self, span: Range<usize>, message: String) -> anyhow::Error {
        anyhow!("{}:{}: {message}", self.name, self.line(&span))
    }

    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.as_bytes().iter().take(span.start);
        before.filter(|byte| **byte == b'\n').count() + 1
    }
}

/// The values of a key as its flag would have them; an error says what it should be.
fn values(kind: OptionKind, value: &DeValue) -> Result<Vec<OsString>, String> {
    match value {
        DeValue::Array(list) if kind == OptionKind::List && list.is_empty() => {
            Err("the list is empty; write a value, or leave the key out".to_owned())
        }
        DeValue::Array(list) if kind == OptionKind::List => {
            list.iter().map(|value| scalar(OptionKind::Scalar, value.get_ref())).collect()
        }
        value => scalar(kind, value).map(|value| vec![value]),
    }
}

fn decimal(number: &DeInteger) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

fn scalar(kind: OptionKind, value: &DeValue) -> Result<OsString, String> {
    let found = match value {
        DeValue::Boolean(true) if kind == OptionKind::Switch => return Ok("yes".into()),
        DeValue::Boolean(false) if kind == OptionKind::Switch => return Ok("no".into()),
        DeValue::String(text) if kind != OptionKind::Switch => return Ok(text.as_ref().into()),
        DeValue::Integer(number) if matches!(kind, OptionKind::Scalar | OptionKind::List) => {
            return Ok(decimal(number).map_or(number.to_string(), |n| n.to_string()).into());
        }
        DeValue::String(text) => Unexpected::Str(text),
        DeValue::Integer(number) => {
            decimal(number).map_or(Unexpected::Other("integer"), Unexpected::Signed)
        }
        DeValue::Float(number) => {
            number.as_str().parse().map_or(Unexpected::Other("float"), Unexpected::Float)
        }
        DeValue::Boolean(on) => Unexpected::Bool(*on),
        DeValue::Array(_) => Unexpected::Seq,
        DeValue::Table(_) => Unexpected::Map,
        other => Unexpected::Other(other.type_str()),
    };
    let expected = match kind {
        OptionKind::Switch => "a boolean",
        OptionKind::Text => "a string",
        OptionKind::Scalar => "a text in quotes",
        OptionKind::List => "a text in quotes, or a list of them",
    };
    Err(format!("invalid type: {found}, expected {expected}"))
}

/// A message with what is expected in words instead of as a type of this program.
fn in_words(message: &str) -> String {
    const TYPES: [(&str, &str); 4] = [
        ("u16", "a whole number from 0 to 65535"),
        ("u32", "a whole number from 0 to 4294967295"),
        ("u64", "a whole number, 0 or more"),
        ("f64", "a number"),
    ];
    let found = TYPES.iter().find_map(|(name, words)| {
        let before = message.strip_suffix(name)?.strip_suffix("expected ")?;
        Some(format!("{before}expected {words}"))
    });
    found.unwrap_or_else(|| message.to_owned())
}

/// The keys of a table, if it is one, and where they stand.
fn keys_of(value: &Spanned<DeValue>) -> Vec<(String, Range<usize>)> {
    let table = value.get_ref().as_table();
    let keys = table.into_iter().flat_map(|table| table.keys());
    keys.map(|key| (key.get_ref().to_string(), key.span())).collect()
}
