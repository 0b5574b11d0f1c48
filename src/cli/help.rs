//! What help and the manual pages show of each command beside its flags: which flags matter at
//! a glance, examples, and exit codes.
//!
//! `-h` fits a screen: the flags of [`CommandHelp::at_a_glance`] and one example. `--help` and
//! the manual page of the command are complete.

use std::fmt::Write;

use clap::Command;

use crate::config::SettingName;
use crate::exit_code::ExitCode;

/// What is shown of one command.
#[derive(Debug, Clone, Copy)]
pub struct CommandHelp {
    /// The command's name below `cardcancel`, such as `config show`; empty for `cardcancel`.
    pub name: &'static str,
    /// The flags that `-h` shows, without their dashes.
    at_a_glance: &'static [&'static str],
    /// Flags that mean here something else than for `run`, and what.
    meanings: &'static [(&'static str, &'static str)],
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

const fn example(purpose: &'static str, line: &'static str) -> Example {
    Example { purpose, line }
}

/// The exit codes of commands that send nothing.
const PLAIN: &[(ExitCode, &str)] = &[
    (ExitCode::Done, "done"),
    (ExitCode::Refused, "the command line or the configuration was refused"),
    (ExitCode::LedgerFailed, "the ledger or the disk failed"),
];

/// What is shown of every command.
pub const COMMANDS: &[CommandHelp] = &[
    CommandHelp {
        name: "",
        at_a_glance: &[],
        meanings: &[],
        examples: &[
            example(
                "Rehearse: a whole run against a built-in simulator of CoreCARD",
                "cardcancel run orders.csv --rehearse",
            ),
            example("Write a configuration file to start from", "cardcancel config init"),
            example(
                "Report what is wrong with a file; nothing is sent",
                "cardcancel check orders.csv --profile production",
            ),
            example("Cancel its orders", "cardcancel run orders.csv --profile production"),
            example(
                "Send the rows again that are still open",
                "cardcancel rerun orders.results.csv --profile production",
            ),
            example("List what ran", "cardcancel runs"),
        ],
        exit_codes: &ExitCode::LIST,
        see_also: &[],
    },
    CommandHelp {
        name: "check",
        at_a_glance: &[
            "profile", "config", "url", "rate", "cut-off", "max-rows", "ledger", "json", "quiet",
        ],
        meanings: &[
            ("json", "Print the report as one JSON object"),
            ("quiet", "Do not list invalid rows and duplicates"),
        ],
        examples: &[
            example(
                "Report what is wrong with a file, and how long a run of it takes",
                "cardcancel check orders.csv --profile production",
            ),
            example(
                "See whether it can be sent before the embosser starts",
                "cardcancel check orders.csv --rate 50/s --cut-off '03:30[America/New_York]'",
            ),
            example(
                "Report it to a script",
                "cardcancel check orders.csv --profile production --json",
            ),
        ],
        exit_codes: &[
            (ExitCode::Done, "every row can be sent, or is a duplicate of one"),
            (ExitCode::Failures, "some rows are invalid; the others can be sent"),
            (
                ExitCode::Refused,
                "`run` would refuse the file, also because of --max-rows or the cut-off",
            ),
        ],
        see_also: &["run", "config show"],
    },
    CommandHelp {
        name: "run",
        at_a_glance: &[
            "profile",
            "config",
            "url",
            "rate",
            "cut-off",
            "max-failures",
            "yes",
            "rehearse",
            "results",
            "ledger",
        ],
        meanings: &[],
        examples: &[
            example(
                "Cancel the orders of a file; asks before it sends",
                "cardcancel run orders.csv --profile production",
            ),
            example(
                "Rehearse: a whole run against a built-in simulator of CoreCARD",
                "cardcancel run orders.csv --rehearse",
            ),
            example(
                "From a scheduler, without a question, until the embosser starts",
                "cardcancel run orders.csv --cut-off '03:30[America/New_York]' --yes",
            ),
            example(
                "A first night: 20 rows first, and stop if more than 5% fail",
                "cardcancel run orders.csv --canary 20 --max-failures 5%",
            ),
            example(
                "After a crash, a cut-off or a stop rule, resume: the same command again",
                "cardcancel run orders.csv --profile production",
            ),
        ],
        exit_codes: &ExitCode::LIST,
        see_also: &["check", "rerun", "runs", "config show"],
    },
    CommandHelp {
        name: "rerun",
        at_a_glance: &[
            "only",
            "profile",
            "config",
            "url",
            "rate",
            "cut-off",
            "max-failures",
            "yes",
            "rehearse",
            "results",
            "ledger",
        ],
        meanings: &[],
        examples: &[
            example(
                "Send the open rows of a results file again",
                "cardcancel rerun orders.results.csv --profile production",
            ),
            example(
                "Send only the rows in doubt, and those that were throttled",
                "cardcancel rerun orders.results.csv --only in_doubt,HTTP_429",
            ),
            example(
                "Name the new results file",
                "cardcancel rerun orders.results.csv -o orders.rerun.csv",
            ),
        ],
        exit_codes: &ExitCode::LIST,
        see_also: &["run", "runs"],
    },
    CommandHelp {
        name: "worker",
        at_a_glance: &[
            "profile",
            "config",
            "url",
            "concurrency",
            "attempts",
            "max-outage",
            "ledger",
            "lease",
            "log-file",
            "quiet",
        ],
        meanings: &[],
        examples: &[
            example(
                "Join every run that is open, until SIGTERM",
                "cardcancel worker --profile production",
            ),
            example(
                "Name the shared ledger; its password is in CARDCANCEL_LEDGER_PASSWORD",
                "cardcancel worker --ledger postgres://cardcancel@db.example.com/cardcancel",
            ),
        ],
        exit_codes: &[
            (ExitCode::Done, "stopped by a signal"),
            (ExitCode::Refused, "the command line or the configuration was refused"),
            (
                ExitCode::Stopped,
                "this process cannot continue; the runs are left to other processes",
            ),
            (ExitCode::LedgerFailed, "the ledger or the disk failed"),
        ],
        see_also: &["run", "runs"],
    },
    CommandHelp {
        name: "runs",
        at_a_glance: &["ledger", "rehearse", "json", "config", "profile"],
        meanings: &[
            ("rehearse", "Use the ledger of rehearsals"),
            ("json", "Print JSON: one object a line"),
        ],
        examples: &[
            example("List all runs, the newest first", "cardcancel runs"),
            example("Show one of them", "cardcancel runs 20261122-091020-6f4f"),
            example("List them for a script, one JSON object a line", "cardcancel runs --json"),
            example("List the rehearsals", "cardcancel runs --rehearse"),
        ],
        exit_codes: PLAIN,
        see_also: &["run", "ledger info"],
    },
    CommandHelp {
        name: "ledger",
        at_a_glance: &[],
        meanings: &[],
        examples: &[
            example("Show how large the ledger is", "cardcancel ledger info"),
            example("Check that nothing in it is damaged", "cardcancel ledger check"),
            example(
                "Copy it while runs continue",
                "cardcancel ledger backup /backup/ledger-2026-11-26.db",
            ),
        ],
        exit_codes: PLAIN,
        see_also: &["ledger info", "ledger check", "ledger backup"],
    },
    CommandHelp {
        name: "ledger info",
        at_a_glance: &["ledger", "rehearse", "json", "config", "profile"],
        meanings: &[
            ("rehearse", "Use the ledger of rehearsals"),
            ("json", "Print one JSON object"),
        ],
        examples: &[
            example("Show the size of the ledger", "cardcancel ledger info"),
            example("Show that of a backup", "cardcancel ledger info /backup/ledger-2026-11-26.db"),
        ],
        exit_codes: PLAIN,
        see_also: &["ledger check", "runs"],
    },
    CommandHelp {
        name: "ledger check",
        at_a_glance: &["ledger", "rehearse", "json", "config", "profile"],
        meanings: &[
            ("rehearse", "Use the ledger of rehearsals"),
            ("json", "Print one JSON object"),
        ],
        examples: &[
            example("Check the ledger", "cardcancel ledger check"),
            example("Check a backup", "cardcancel ledger check /backup/ledger-2026-11-26.db"),
        ],
        exit_codes: &[
            (ExitCode::Done, "nothing is damaged"),
            (ExitCode::Refused, "there is no such ledger, or it cannot be opened"),
            (ExitCode::LedgerFailed, "the ledger is damaged, or the disk failed"),
        ],
        see_also: &["ledger backup"],
    },
    CommandHelp {
        name: "ledger backup",
        at_a_glance: &["ledger", "rehearse", "json", "config", "profile"],
        meanings: &[
            ("rehearse", "Use the ledger of rehearsals"),
            ("json", "Print one JSON object"),
        ],
        examples: &[example(
            "Copy the ledger into a new file while runs continue",
            "cardcancel ledger backup /backup/ledger-2026-11-26.db",
        )],
        exit_codes: PLAIN,
        see_also: &["ledger check"],
    },
    CommandHelp {
        name: "simulator",
        at_a_glance: &[
            "port",
            "seed",
            "latency",
            "capacity",
            "printed",
            "drop-before",
            "drop-after",
            "throttle",
            "record",
        ],
        meanings: &[],
        examples: &[
            example(
                "Serve a CoreCARD without faults on a port of your choice",
                "cardcancel simulator --port 8080",
            ),
            example(
                "Lose one answer in a hundred; two orders in a hundred are printed",
                "cardcancel simulator --port 8080 --drop-after 1% --printed 2%",
            ),
            example(
                "Send to it, from another terminal; external_ip is set in the configuration",
                "cardcancel run orders.csv --url http://127.0.0.1:8080 --ledger test.db",
            ),
        ],
        exit_codes: PLAIN,
        see_also: &["run"],
    },
    CommandHelp {
        name: "config",
        at_a_glance: &[],
        meanings: &[],
        examples: &[
            example("Write a configuration file to start from", "cardcancel config init"),
            example(
                "Show the settings in force under a profile",
                "cardcancel config show --profile production",
            ),
        ],
        exit_codes: PLAIN,
        see_also: &["config init", "config show"],
    },
    CommandHelp {
        name: "config init",
        at_a_glance: &[],
        meanings: &[],
        examples: &[
            example("Write ./cardcancel.toml", "cardcancel config init"),
            example(
                "Write that of the user",
                "cardcancel config init ~/.config/cardcancel/config.toml",
            ),
        ],
        exit_codes: PLAIN,
        see_also: &["config show"],
    },
    CommandHelp {
        name: "config show",
        at_a_glance: &["profile", "config", "json"],
        meanings: &[("json", "Print the settings as one JSON object")],
        examples: &[
            example("Show the settings in force", "cardcancel config show"),
            example(
                "Show what a run with these flags would use",
                "cardcancel config show --profile production --rate 20/s",
            ),
        ],
        exit_codes: PLAIN,
        see_also: &["config init", "run"],
    },
    CommandHelp {
        name: "completions",
        at_a_glance: &[],
        meanings: &[],
        examples: &[
            example("For bash, in ~/.bashrc", "source <(cardcancel completions bash)"),
            example("For zsh, in ~/.zshrc", "source <(cardcancel completions zsh)"),
            example(
                "For fish, in ~/.config/fish/config.fish",
                "cardcancel completions fish | source",
            ),
        ],
        exit_codes: PLAIN,
        see_also: &[],
    },
    CommandHelp {
        name: "man",
        at_a_glance: &["out"],
        meanings: &[],
        examples: &[
            example("Read the page of a command", "cardcancel man run | man -l -"),
            example(
                "Write all pages into a directory",
                "cardcancel man --out ~/.local/share/man/man1",
            ),
        ],
        exit_codes: PLAIN,
        see_also: &[],
    },
];

impl CommandHelp {
    /// What is shown of the command with this name below `cardcancel`.
    pub fn of(name: &str) -> Option<&'static CommandHelp> {
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
    let Some(help) = CommandHelp::of(name) else { return command };
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
        let mut there = names(&super::super::command(), "");
        known.sort_unstable();
        there.sort_unstable();
        assert_eq!(known, there);
    }

    #[test]
    fn what_is_shown_at_a_glance_and_beside_a_command_exists() {
        for help in COMMANDS {
            let command = help.name.split_whitespace().fold(super::super::command(), |of, name| {
                of.find_subcommand(name).unwrap().clone()
            });
            for flag in help.at_a_glance {
                let arg = command.get_arguments().find(|arg| arg.get_long() == Some(flag));
                assert!(arg.is_some_and(|arg| !arg.is_hide_set()), "--{flag} of {}", help.name);
            }
            for other in help.see_also {
                assert!(CommandHelp::of(other).is_some(), "{other} of {}", help.name);
            }
            assert!(!help.examples.is_empty() && !help.exit_codes.is_empty(), "{}", help.name);
        }
    }

    #[test]
    fn every_example_is_understood() {
        for example in COMMANDS.iter().flat_map(|help| help.examples) {
            let line = example.line.split(" | ").next().unwrap_or_default();
            let line = line.trim_start_matches("source <(").trim_end_matches(')');
            let words = line.split_whitespace().map(|word| word.trim_matches('\''));
            if let Err(error) = super::super::parse(words) {
                panic!("{line}: {error}");
            }
        }
    }
}
