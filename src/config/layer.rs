//! What a source of settings sets: values as they are written, each with its source.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, Error, FromArgMatches};

use super::defaults::default_of;
use super::ledger_arg::LedgerArg;
use super::options::Options;
use super::sourced::{Source, SourcedValue};

/// The settings of one source, or of several on top of each other, by their flags.
///
/// As arguments of a command, it takes the flags of [`Options`]. It can hold a password.
#[derive(Clone, Default)]
pub struct Layer(BTreeMap<String, Setting>);

/// A setting's values, of which only lists have several, and their source.
#[derive(Clone)]
struct Setting {
    values: Vec<OsString>,
    source: Source,
}

impl Layer {
    /// Sets an option, by its flag without the dashes.
    ///
    /// # Errors
    /// What is wrong with the value. The option is not set then.
    pub fn set(&mut self, flag: &str, values: Vec<OsString>, source: Source) -> Result<(), String> {
        let alone = Layer([(flag.to_owned(), Setting { values, source })].into());
        alone.options()?;
        self.0.extend(alone.0);
        Ok(())
    }

    /// This layer on top of a lower one.
    pub fn or(self, mut lower: Layer) -> Layer {
        lower.0.extend(self.0);
        lower
    }

    /// The value of an option that is no list, by its flag; `None` if it is not set.
    pub fn get(&self, flag: &str) -> Option<&OsStr> {
        self.0.get(flag)?.values.first().map(OsString::as_os_str)
    }

    /// The value of an option that is no list, by its flag, if the command line has it.
    pub fn given(&self, flag: &str) -> Option<&OsStr> {
        let is_given = matches!(self.0.get(flag)?.source, Source::Flag { .. });
        self.get(flag).filter(|_| is_given)
    }

    /// Whether a password stands in the address of the ledger.
    pub fn holds_password(&self) -> bool {
        self.get("ledger").is_some_and(|name| LedgerArg::from(name).holds_password())
    }

    /// The value in force to show, without what must not be shown; `None` if it is not set and
    /// has no default.
    pub fn sourced(&self, flag: &str) -> Option<SourcedValue> {
        let Some(Setting { values, source }) = self.0.get(flag) else {
            return default_of(flag).map(|text| SourcedValue::new(text, Source::Default));
        };
        let texts: Vec<_> = values.iter().map(|value| value.to_string_lossy()).collect();
        Some(SourcedValue::new(&Options::plain(flag, &texts.join(",")), source.clone()))
    }

    /// All options, parsed, with the defaults of those that are not set.
    ///
    /// # Errors
    /// What is wrong with a value; with none of those that [`Layer::set`] took.
    pub fn options(&self) -> Result<Options, String> {
        let flags = self.0.iter().flat_map(|(flag, setting)| {
            setting.values.iter().map(move |value| {
                let mut arg = OsString::from(format!("--{flag}="));
                arg.push(value);
                arg
            })
        });
        Options::parse(flags)
    }
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Args for Layer {
    fn augment_args(command: Command) -> Command {
        Options::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Options::augment_args_for_update(command)
    }
}

impl FromArgMatches for Layer {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut layer = Layer::default();
        for arg in Options::command().get_arguments() {
            let (id, Some(flag)) = (arg.get_id().as_str(), arg.get_long()) else { continue };
            if matches.value_source(id) == Some(ValueSource::CommandLine) {
                let values = matches.get_raw(id).into_iter().flatten();
                let values = values.map(OsStr::to_owned).collect();
                let source = Source::Flag { flag: format!("--{flag}") };
                layer.0.insert(flag.to_owned(), Setting { values, source });
            }
        }
        Ok(layer)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Layer::from_arg_matches(matches)?;
        Ok(())
    }
}
