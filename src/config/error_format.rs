//! In which form errors are told.

use std::ffi::{OsStr, OsString};

use super::env::Surroundings;
use super::layers::layered;
use super::options::Options;
use super::setting_name::Names;
use super::values::log_format::LogFormat;

/// Who reads what is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forms {
    /// A program reads standard output: an error is an object there too.
    pub json: bool,
    /// A program reads standard error: each line is one object.
    pub json_lines: bool,
}

impl Forms {
    /// The forms that are set. Where the configuration cannot be read, the flags and the
    /// variables count alone.
    pub fn of(flags: &Options, surroundings: &Surroundings) -> Forms {
        let options = match layered(flags.clone(), surroundings) {
            Ok(section) => section.options,
            Err(_) => ["json", "log-format"].iter().fold(flags.clone(), |options, flag| {
                let value = surroundings.set_variable(&Names(flag).variable());
                let one = value.and_then(|value| Options::one(flag, &value).ok());
                options.or(one.unwrap_or_default())
            }),
        };
        Forms {
            json: options.json == Some(true),
            json_lines: options.log_format == Some(LogFormat::Json),
        }
    }

    /// The forms that a command line asks for that is no proper one.
    pub fn of_words(words: &[OsString], surroundings: &Surroundings) -> Forms {
        let mut flags = Options::default();
        let mut take = |flag: &str, value: &OsStr| {
            if let Ok(one) = Options::one(flag, value) {
                flags = one.or(std::mem::take(&mut flags));
            }
        };
        for (at, word) in words.iter().enumerate() {
            let text = word.to_string_lossy();
            match text.split_once('=') {
                Some(("--json", value)) => take("json", OsStr::new(value)),
                Some(("--log-format", value)) => take("log-format", OsStr::new(value)),
                None if text == "--json" => take("json", OsStr::new("yes")),
                None if text == "--log-format" => {
                    words.get(at + 1).iter().for_each(|value| take("log-format", value));
                }
                _ => {}
            }
        }
        Forms::of(&flags, surroundings)
    }
}
