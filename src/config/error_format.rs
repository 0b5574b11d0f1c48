//! The format in which errors are reported.

use std::ffi::{OsStr, OsString};

use super::env::Env;
use super::layer::Layer;
use super::merge::merged;
use super::setting_name::SettingName;
use super::sourced::Source;
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
    pub fn new(flags: &Layer, env: &Env) -> ErrorFormat {
        let options = match merged(flags.clone(), env) {
            Ok((options, _)) => options,
            Err(_) => {
                let mut variables = Layer::default();
                for flag in ["json", "log-format"] {
                    let variable = SettingName(flag).variable();
                    if let Some(value) = env.get(&variable) {
                        // One that is invalid is the error, or one of several.
                        let _ = variables.set(flag, vec![value], Source::Env { variable });
                    }
                }
                flags.clone().or(variables).options().unwrap_or_default()
            }
        };
        ErrorFormat {
            json: options.json == Some(true),
            json_lines: options.log_format == Some(LogFormat::Json),
        }
    }

    /// The format that an invalid command line asks for.
    pub fn from_raw_args(args: &[OsString], env: &Env) -> ErrorFormat {
        let mut flags = Layer::default();
        let mut take = |flag: &str, value: &OsStr| {
            // What is invalid asks for nothing.
            let source = Source::Flag { flag: format!("--{flag}") };
            let _ = flags.set(flag, vec![value.to_owned()], source);
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
