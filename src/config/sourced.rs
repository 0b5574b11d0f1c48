//! Values of settings as text, each with the source that set it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use serde::Serialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use url::Url;

use crate::model::card_numbers;

/// Where a setting was set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "source", rename_all = "lowercase")]
pub enum Source {
    /// Nowhere: it is the default.
    Default,
    /// In the file, before its profiles.
    File {
        /// Its path.
        file: String,
        /// The line, from 1.
        line: usize,
    },
    /// In a profile of the file.
    Profile {
        /// The profile's name.
        profile: String,
        /// The file's path.
        file: String,
        /// The line, from 1.
        line: usize,
    },
    /// In the environment.
    #[serde(rename = "variable")]
    Env {
        /// Its name.
        variable: String,
    },
    /// On the command line.
    Flag {
        /// The flag, with its dashes.
        flag: String,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => f.write_str("default"),
            Source::File { file, line } => write!(f, "{file}:{line}"),
            Source::Profile { profile, file, line } => {
                write!(f, "{file}:{line}, profile {profile}")
            }
            Source::Env { variable } => f.write_str(variable),
            Source::Flag { flag } => f.write_str(flag),
        }
    }
}

/// The value of a setting as text, and its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourcedValue {
    /// The value; nothing in it that must not be shown.
    pub value: String,
    /// Where it was set.
    #[serde(flatten)]
    pub source: Source,
}

impl SourcedValue {
    /// The value as written, with passwords in addresses and card numbers hidden.
    pub fn new(text: &str, source: Source) -> SourcedValue {
        let value = if holds_secret(text) {
            "[hidden: an address with more in it than host and path]".to_owned()
        } else {
            card_numbers::redact(text).into_owned()
        };
        SourcedValue { value, source }
    }
}

/// The tables of the file, each with its settings by their keys.
pub type SourcedTables = BTreeMap<String, BTreeMap<String, SourcedValue>>;

/// The settings of a table of the file, in order.
pub(super) fn table(
    table: &DeTable,
    source_at: impl Fn(&Range<usize>) -> Source,
) -> BTreeMap<String, SourcedValue> {
    let entry = |(key, value): (&Spanned<Cow<str>>, &Spanned<DeValue>)| {
        let value = SourcedValue::new(&text(value.get_ref()), source_at(&key.span()));
        (key.get_ref().to_string(), value)
    };
    table.iter().map(entry).collect()
}

/// A value of the file as a flag would have it.
fn text(value: &DeValue) -> String {
    match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(true) => "yes".to_owned(),
        DeValue::Boolean(false) => "no".to_owned(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(list) => {
            let texts: Vec<String> = list.iter().map(|value| text(value.get_ref())).collect();
            texts.join(",")
        }
        DeValue::Table(table) => {
            let pair = |(key, value): (&Spanned<_>, &Spanned<DeValue>)| {
                format!("{} = {}", AsRef::<str>::as_ref(key.get_ref()), text(value.get_ref()))
            };
            table.iter().map(pair).collect::<Vec<_>>().join(", ")
        }
    }
}

/// Whether the text is an address with a place in it where passwords and keys stand.
fn holds_secret(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        let user = !url.username().is_empty() || url.password().is_some();
        url.has_host() && (user || url.query().is_some() || url.fragment().is_some())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        SourcedValue::new(text, Source::Default).value
    }

    #[test]
    fn an_address_that_may_hold_a_secret_is_not_shown() {
        for address in
            ["https://me:s3cret@a.example", "https://s3cret@a.example", "postgres://me:s3cret@h/d"]
        {
            assert!(!shown(address).contains("s3cret"), "{address}");
        }
        assert!(!shown("https://a.example/?key=s3cret").contains("s3cret"));
        assert_eq!(shown("https://a.example/base"), "https://a.example/base");
        assert_eq!(shown("{run}-{row}"), "{run}-{row}");
    }

    #[test]
    fn a_card_number_is_not_shown() {
        assert_eq!(shown("4111111111111111"), "[card number removed]");
    }
}
