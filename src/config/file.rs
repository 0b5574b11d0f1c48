//! The configuration file: what it says, or where it is wrong.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::ops::Range;

use anyhow::anyhow;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Unexpected};
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue, ValueDeserializer};

use super::layer::Layer;
use super::options::{Kind, Options};
use super::secrets;
use super::setting_name::SettingName;
use super::sourced::{self, Source, SourcedTables};
use super::suggest::suggest;
use super::unknown_key::UnknownKey;
use crate::model::CodeMap;
use crate::simulator;

/// The tables beside the options.
const TABLES: [&str; 3] = ["auth", "codes", "rehearsal"];
/// The table of the profiles; no profile holds others.
const PROFILE: &str = "profile";
/// Flags that are no keys: they say what to read in the first place.
const NOT_KEYS: [&str; 2] = ["config", "profile"];

/// What a file says, or one of its profiles.
#[derive(Debug, Default, Clone)]
pub struct Section {
    /// The keys that are options too.
    pub settings: Layer,
    /// `[auth]`, and where it stands.
    pub auth: Option<(toml::Table, String)>,
    /// `[codes]`
    pub codes: Option<CodeMap>,
    /// `[rehearsal]`
    pub rehearsal: Option<toml::Table>,
    /// The tables as text, each value with its line.
    pub tables: SourcedTables,
    /// The file's name.
    pub file: Option<String>,
    /// The file's profiles that have an address.
    pub profiles: Vec<String>,
}

impl Section {
    /// This section, and where it says nothing, the lower one. Tables count as a
    /// whole: a profile's `[codes]` replaces the file's.
    fn or(self, mut lower: Section) -> Section {
        lower.tables.extend(self.tables);
        Section {
            settings: self.settings.or(lower.settings),
            auth: self.auth.or(lower.auth),
            codes: self.codes.or(lower.codes),
            rehearsal: self.rehearsal.or(lower.rehearsal),
            tables: lower.tables,
            file: self.file.or(lower.file),
            profiles: self.profiles,
        }
    }
}

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
                    None => format!("[{table}]: {message}"),
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
            None => "; `cardcancel config show` lists those that there are".to_owned(),
        };
        self.error(span, format!("there is no setting \"{key}\"{hint}"))
    }

    /// An error of the TOML library, without the line itself: that may hold what
    /// must not be shown.
    fn toml_error(&self, key: &str, span: Range<usize>, error: &toml::de::Error) -> anyhow::Error {
        let span = error.span().unwrap_or(span);
        let message = match error.message() {
            "duplicate key" => "the same key stands here a second time; keep one of them",
            message => message,
        };
        match key {
            "" => self.error(span, message.to_owned()),
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
fn values(kind: Kind, value: &DeValue) -> Result<Vec<OsString>, String> {
    match value {
        DeValue::Array(list) if kind == Kind::List && list.is_empty() => {
            Err("the list is empty; write a value, or leave the key out".to_owned())
        }
        DeValue::Array(list) if kind == Kind::List => {
            list.iter().map(|value| scalar(Kind::Scalar, value.get_ref())).collect()
        }
        value => scalar(kind, value).map(|value| vec![value]),
    }
}

fn decimal(number: &DeInteger) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

fn scalar(kind: Kind, value: &DeValue) -> Result<OsString, String> {
    let found = match value {
        DeValue::Boolean(true) if kind == Kind::Switch => return Ok("yes".into()),
        DeValue::Boolean(false) if kind == Kind::Switch => return Ok("no".into()),
        DeValue::String(text) if kind != Kind::Switch => return Ok(text.as_ref().into()),
        DeValue::Integer(number) if matches!(kind, Kind::Scalar | Kind::List) => {
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
        Kind::Switch => "a boolean",
        Kind::Text => "a string",
        Kind::Scalar => "a text in quotes",
        Kind::List => "a text in quotes, or a list of them",
    };
    Err(format!("invalid type: {found}, expected {expected}"))
}

/// The keys of a table, if it is one, and where they stand.
fn keys_of(value: &Spanned<DeValue>) -> Vec<(String, Range<usize>)> {
    let table = value.get_ref().as_table();
    let keys = table.into_iter().flat_map(|table| table.keys());
    keys.map(|key| (key.get_ref().to_string(), key.span())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    fn section(text: &str, profile: Option<&str>) -> Section {
        ConfigFile::parse("night.toml", text).unwrap().section(profile).unwrap()
    }

    fn error(text: &str) -> String {
        ConfigFile::parse("night.toml", text).unwrap_err().to_string()
    }

    fn options(text: &str, profile: Option<&str>) -> Options {
        section(text, profile).settings.options().unwrap()
    }

    #[test]
    fn keys_are_read_with_underscores_or_hyphens() {
        let options = options("cut_off = '03:30'\nexternal-ip = '10.0.0.1'", None);
        assert_eq!(options.cut_off, Some("03:30".parse().unwrap()));
        assert_eq!(options.external_ip.as_deref(), Some("10.0.0.1"));
    }

    #[test]
    fn values_read_as_flags_do_and_plain_numbers_need_no_quotes() {
        let text = "rate = ['50/s', '1000/m']\nmax_failures = 25\ntimeout = '500ms'\nyes = true\n\
            max_rows = 0x1_0";
        let set = options(text, None);
        assert_eq!(set.rate.unwrap().len(), 2);
        assert_eq!(set.max_failures, Some("25".parse().unwrap()));
        assert_eq!(set.yes, Some(true));
        assert_eq!(set.max_rows, Some("16".parse().unwrap()));
        assert_eq!(options("rate = '50/s,1000/m'", None).rate.unwrap()[0].as_slice().len(), 2);
    }

    #[test]
    fn a_profile_overrides_the_top_level_and_leaves_the_rest() {
        let text = "rate = '50/s'\nattempts = 5\n[profile.sandbox]\nrate = '1/s'\n[profile.b]";
        let sandbox = options(text, Some("sandbox"));
        assert_eq!(sandbox.rate, Some(vec!["1/s".parse().unwrap()]));
        assert_eq!(sandbox.attempts, Some("5".parse().unwrap()));
        assert_eq!(options(text, None).rate, Some(vec!["50/s".parse().unwrap()]));
    }

    #[test]
    fn a_profiles_table_replaces_the_top_levels_whole() {
        let text = "[codes]\nA = 'retry'\n[auth]\nkind = 'basic'\nusername = 'me'\n\
            [profile.p.codes]\nB = 'stop'\n[profile.p.auth]\nkind = 'none'";
        let profile = section(text, Some("p"));
        assert_eq!(profile.codes.unwrap().0.into_keys().collect::<Vec<_>>(), ["B"]);
        let (auth, place) = profile.auth.unwrap();
        assert_eq!(auth.len(), 1);
        assert_eq!(place, "night.toml:8: [auth]");
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest_known_one() {
        assert_snapshot!(error("yes = true\n\nratee = '50/s'"), @r#"night.toml:3: there is no setting "ratee"; did you mean "rate"?"#);
        assert_snapshot!(error("[profile.p]\ncutoff = '03:30'"), @r#"night.toml:2: there is no setting "cutoff"; did you mean "cut_off"?"#);
        assert_snapshot!(error("[code]"), @r#"night.toml:1: there is no setting "code"; did you mean "codes"?"#);
        assert_snapshot!(error("zzz = 1"), @r#"night.toml:1: there is no setting "zzz"; `cardcancel config show` lists those that there are"#);
        assert_snapshot!(error("config = 'a.toml'"), @r#"night.toml:1: there is no setting "config"; `cardcancel config show` lists those that there are"#);
    }

    #[test]
    fn a_bad_value_is_named_with_its_line() {
        assert_snapshot!(error("\nrate = 50"), @"night.toml:2: rate: 50 calls in what time? Write 50/s, 50/m or 50/h");
        assert_snapshot!(error("attempts = -1"), @r#"night.toml:1: attempts: "-1" is not a whole number from 1 to 100"#);
        assert_snapshot!(error("yes = 'on'"), @r#"night.toml:1: yes: invalid type: string "on", expected a boolean"#);
        assert_snapshot!(error("on_doubt = 'ask'"), @"night.toml:1: on_doubt: write retry or leave");
        assert_snapshot!(error("rate = []"), @"night.toml:1: rate: the list is empty; write a value, or leave the key out");
        assert_snapshot!(error("rate = ['50/s', true]"), @"night.toml:1: rate: invalid type: boolean `true`, expected a text in quotes");
        assert_snapshot!(error("concurrency = 1.5"), @"night.toml:1: concurrency: invalid type: floating point `1.5`, expected a text in quotes");
        assert_snapshot!(error("caller_id = 7204454214"), @"night.toml:1: caller_id: invalid type: integer `7204454214`, expected a string");
        assert_snapshot!(error("results = ''"), @"night.toml:1: results: the value is empty");
        assert_snapshot!(error("[codes]\nA = 'retry'\nB = 'maybe'"), @"night.toml:3: codes: unknown variant `maybe`, expected one of `already_cancelled`, `printed`, `not_found`, `retry`, `stop`");
        assert_snapshot!(error("profile = 'sandbox'"), @"night.toml:1: profile must be a table: write its settings under [profile.NAME]");
        assert_snapshot!(error("cut_off = '03:30'\ncut-off = '04:30'"), @"night.toml:2: cut_off is set twice; keep one of them");
    }

    #[test]
    fn what_is_not_toml_is_named_with_its_line() {
        assert_snapshot!(error("yes = true\nurl = https://a"), @"night.toml:2: string values must be quoted, expected literal string");
        assert_snapshot!(error("yes = true\nyes = true"), @"night.toml:2: the same key stands here a second time; keep one of them");
    }

    #[test]
    fn an_unknown_profile_is_named_with_those_that_there_are() {
        let error = |text: &str, profile: &str| {
            ConfigFile::parse("night.toml", text)
                .unwrap()
                .section(Some(profile))
                .unwrap_err()
                .to_string()
        };
        let text = "[profile.sandbox]\n[profile.production]";
        assert_snapshot!(error(text, "sandbx"), @r#"night.toml has no profile "sandbx": did you mean "sandbox"?"#);
        assert_snapshot!(error(text, "x"), @r#"night.toml has no profile "x": it has production, sandbox"#);
        assert_snapshot!(error("", "x"), @r#"night.toml has no profile "x": it has none; add a table [profile.x]"#);
    }
}
