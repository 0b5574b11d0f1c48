//! The format in which errors are reported.

use std::ffi::{OsStr, OsString};

use super::env::Env;
use super::layers::layered;
use super::options::Options;
use super::setting_name::SettingName;
use super::values::log_format::LogFormat;

/// Which of the outputs a program reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ErrorFormat {
    /// A program reads standard output: an error is an object there too.
    pub json: bool,
    /// A program reads standard error: each line is one object.
    pub json_lines: bool,
}

impl ErrorFormat {
    /// The format that is set. If the configuration cannot be read, the flags and the
    /// variables count alone.
    pub fn new(flags: &Options, env: &Env) -> ErrorFormat {
        let options = match layered(flags.clone(), env) {
            Ok(section) => section.options,
            Err(_) => ["json", "log-format"].iter().fold(flags.clone(), |options, flag| {
                let value = env.get(&SettingName(flag).variable());
                let one = value.and_then(|value| Options::one(flag, &value).ok());
                options.or(one.unwrap_or_default())
            }),
        };
        ErrorFormat {
            json: options.json == Some(true),
            json_lines: options.log_format == Some(LogFormat::Json),
        }
    }

    /// The format that an invalid command line asks for.
    pub fn from_raw_args(args: &[OsString], env: &Env) -> ErrorFormat {
        let mut flags = Options::default();
        let mut take = |flag: &str, value: &OsStr| {
            if let Ok(one) = Options::one(flag, value) {
                flags = one.or(std::mem::take(&mut flags));
            }
        };
        for (at, arg) in args.iter().enumerate() {
            let text = arg.to_string_lossy();
            match text.split_once('=') {
                Some(("--json", value)) => take("json", OsStr::new(value)),
                Some(("--log-format", value)) => take("log-format", OsStr::new(value)),
                None if text == "--json" => take("json", OsStr::new("yes")),
                None if text == "--log-format" => {
                    args.get(at + 1).iter().for_each(|value| take("log-format", value));
                }
                _ => {}
            }
        }
        ErrorFormat::new(&flags, env)
    }
}
