//! The options of a command line, together with their values as they were given.

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, Error, FromArgMatches};

use super::options::Options;
use super::setting_name::SettingName;
use super::sourced::{Source, SourcedValue, SourcedValues};

/// The options of a command line, and their values as given.
#[derive(Debug, Clone)]
pub struct CliOptions {
    /// The parsed values.
    pub options: Options,
    /// The values as text, by key, each with its flag as the source.
    pub sourced: SourcedValues,
}

impl Args for CliOptions {
    fn augment_args(command: Command) -> Command {
        Options::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Options::augment_args_for_update(command)
    }
}

impl FromArgMatches for CliOptions {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        Ok(CliOptions { options: Options::from_arg_matches(matches)?, sourced: sourced(matches) })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = CliOptions::from_arg_matches(matches)?;
        Ok(())
    }
}

fn sourced(matches: &ArgMatches) -> SourcedValues {
    let mut sourced = SourcedValues::default();
    for arg in Options::command().get_arguments() {
        let (id, Some(flag)) = (arg.get_id().as_str(), arg.get_long()) else { continue };
        if matches.value_source(id) != Some(ValueSource::CommandLine) {
            continue;
        }
        let values = matches.get_raw(id).into_iter().flatten();
        let values: Vec<_> = values.map(|value| value.to_string_lossy()).collect();
        let text = Options::plain(flag, &values.join(","));
        let value = SourcedValue::new(&text, Source::Flag { flag: format!("--{flag}") });
        sourced.settings.insert(SettingName(flag).key(), value);
    }
    sourced
}
