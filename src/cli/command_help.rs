//! What help and the manual pages show of a command beside its flags.

use crate::exit_code::ExitCode;

/// What is shown of one command.
#[derive(Debug, Clone, Copy)]
pub struct CommandHelp {
    /// The command's name below `cardcancel`, such as `config show`; empty for `cardcancel`.
    pub name: &'static str,
    /// The flags that `-h` shows, without their dashes.
    pub(super) at_a_glance: &'static [&'static str],
    /// Flags that mean here something else than for `run`, and what.
    pub(super) meanings: &'static [(&'static str, &'static str)],
    /// What the command is used for, and how; `-h` shows the first.
    pub examples: &'static [Example],
    /// How it ends.
    pub exit_codes: &'static [(ExitCode, &'static str)],
    /// The commands, by their names as above, whose pages have more.
    pub see_also: &'static [&'static str],
}

/// A use of a command.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// What it is for.
    pub purpose: &'static str,
    /// The line of shell.
    pub line: &'static str,
}

pub(super) const fn example(purpose: &'static str, line: &'static str) -> Example {
    Example { purpose, line }
}
