//! Adds to the help of each command which flags matter at a glance, examples, and exit codes.
//!
//! `-h` fits a screen: the flags of `CommandHelp::at_a_glance` and one example. `--help` and
//! the manual page of the command are complete.

use std::fmt::Write;

use clap::Command;

pub use super::command_help::{CommandHelp, Example};
pub use super::command_texts::COMMANDS;
use crate::config::SettingName;

impl CommandHelp {
    /// What is shown of the command with this name below `cardcancel`.
    pub fn find(name: &str) -> Option<&'static CommandHelp> {
        COMMANDS.iter().find(|command| command.name == name)
    }

    /// The text at the end of `-h`.
    fn short(&self, heading: &dyn Fn(&str) -> String) -> String {
        let mut text = String::new();
        if let Some(example) = self.examples.first() {
            let _ = write!(text, "{}\n  {}\n\n", heading("Example:"), example.line);
        }
        let more = match self.name {
            "" => "See `cardcancel COMMAND -h` for a command, --help for exit codes and examples.",
            _ => "See --help for all options, examples and exit codes.",
        };
        text + more
    }

    /// The text at the end of `--help`.
    fn long(&self, heading: &dyn Fn(&str) -> String) -> String {
        let mut text = format!("{}\n", heading("EXIT CODES:"));
        for (code, meaning) in self.exit_codes {
            let _ = writeln!(text, "  {}  {}", *code as u8, wrapped(meaning));
        }
        let _ = write!(text, "\n{}", heading("EXAMPLES:"));
        for Example { purpose, line } in self.examples {
            let _ = write!(text, "\n  {purpose}:\n    {line}\n");
        }
        text
    }
}

/// The meaning of an exit code in lines of at most 80 columns, each below the first word.
fn wrapped(meaning: &str) -> String {
    const INDENT: usize = 5;
    let mut text = String::new();
    let mut column = INDENT;
    for word in meaning.split(' ') {
        if column + 1 + word.len() > 80 {
            let _ = write!(text, "\n{:INDENT$}", "");
            column = INDENT;
        } else if column > INDENT {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += word.len();
    }
    text
}

/// Adds it to a command and to all below it.
pub(super) fn add(command: Command, name: &str) -> Command {
    let below: Vec<String> = command.get_subcommands().map(|of| of.get_name().to_owned()).collect();
    let command = below.iter().fold(command, |command, child| {
        let name = format!("{name} {child}");
        command.mut_subcommand(child, |command| add(command, name.trim_start()))
    });
    let Some(help) = CommandHelp::find(name) else { return command };
    let style = *command.get_styles().get_header();
    let heading = |text: &str| format!("{style}{text}{style:#}");
    let (short, long) = (help.short(&heading), help.long(&heading));
    command.after_help(short).after_long_help(long).mut_args(|arg| {
        let Some(flag) = arg.get_long().map(str::to_owned) else { return arg };
        let arg = arg.hide_short_help(!help.at_a_glance.contains(&&*flag));
        match help.meanings.iter().find(|(of, _)| *of == flag) {
            Some((_, meaning)) => arg
                .help(*meaning)
                .long_help(format!("{meaning}\n\n[env: {}]", SettingName(&flag).variable())),
            None => arg,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit_code::ExitCode;

    /// Every command's name below `cardcancel`, that one's included.
    fn names(command: &Command, name: &str) -> Vec<String> {
        let below = command.get_subcommands();
        let below =
            below.flat_map(|of| names(of, format!("{name} {}", of.get_name()).trim_start()));
        std::iter::once(name.to_owned()).chain(below).collect()
    }

    #[test]
    fn every_command_has_help_and_no_other() {
        let mut known: Vec<&str> = COMMANDS.iter().map(|command| command.name).collect();
        let mut there = names(&crate::cli::command(), "");
        known.sort_unstable();
        there.sort_unstable();
        assert_eq!(known, there);
    }

    #[test]
    fn what_is_shown_at_a_glance_and_beside_a_command_exists() {
        for help in COMMANDS {
            let command = help
                .name
                .split_whitespace()
                .fold(crate::cli::command(), |of, name| of.find_subcommand(name).unwrap().clone());
            for flag in help.at_a_glance {
                let arg = command.get_arguments().find(|arg| arg.get_long() == Some(flag));
                assert!(arg.is_some_and(|arg| !arg.is_hide_set()), "--{flag} of {}", help.name);
            }
            for other in help.see_also {
                assert!(CommandHelp::find(other).is_some(), "{other} of {}", help.name);
            }
            assert!(!help.examples.is_empty(), "{}", help.name);
            // Every command can be given a wrong command line, and lose its standard output.
            for code in [ExitCode::Done, ExitCode::Refused, ExitCode::LedgerFailed] {
                assert!(
                    help.exit_codes.iter().any(|(of, _)| *of == code),
                    "{code:?} of {}",
                    help.name
                );
            }
        }
    }

    #[test]
    fn every_example_is_understood() {
        for example in COMMANDS.iter().flat_map(|help| help.examples) {
            let line = example.line.split(" | ").next().unwrap_or_default();
            let line = line.trim_start_matches("source <(").trim_end_matches(')');
            // What stands in quotes is one word.
            let words = line.split('\'').enumerate().flat_map(|(at, part)| match at % 2 {
                0 => part.split_whitespace().collect(),
                _ => vec![part],
            });
            if let Err(error) = crate::cli::parse(words) {
                panic!("{line}: {error}");
            }
        }
    }
}
