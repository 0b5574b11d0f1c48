//! The options of a command line, together with the words they were given in.

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, Error, FromArgMatches};

use super::options::Options;
use super::setting_name::Names;
use super::sourced::{Origin, Word, Words};

/// The options of a command line, and how they stood there.
#[derive(Debug, Clone)]
pub struct Given {
    /// What they say.
    pub options: Options,
    /// How they say it.
    pub words: Words,
}

impl Args for Given {
    fn augment_args(command: Command) -> Command {
        Options::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Options::augment_args_for_update(command)
    }
}

impl FromArgMatches for Given {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        Ok(Given { options: Options::from_arg_matches(matches)?, words: words(matches) })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Given::from_arg_matches(matches)?;
        Ok(())
    }
}

fn words(matches: &ArgMatches) -> Words {
    let mut words = Words::default();
    for arg in Options::command().get_arguments() {
        let (id, Some(flag)) = (arg.get_id().as_str(), arg.get_long()) else { continue };
        if matches.value_source(id) != Some(ValueSource::CommandLine) {
            continue;
        }
        let values = matches.get_raw(id).into_iter().flatten();
        let values: Vec<_> = values.map(|value| value.to_string_lossy()).collect();
        let text = Options::plain(flag, &values.join(","));
        let word = Word::new(&text, Origin::Flag { flag: format!("--{flag}") });
        words.settings.insert(Names(flag).key(), word);
    }
    words
}
