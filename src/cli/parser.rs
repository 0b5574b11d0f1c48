//! Parses the command line: which commands take which options, and what is refused.

use std::ffi::OsString;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, CommandFactory, FromArgMatches};

use super::{Cli, help};
use crate::config::{Options, SettingName, default_of};
use crate::model::card_numbers;

/// The command that takes options that it does not use, so that the command line of a `run` can be
/// checked as it is.
const ACCEPTS_ALL: &str = "check";
/// A command and an option that it refuses with the reason, and that `--rehearse=no` undoes where the
/// configuration has it.
const REFUSED_WITH_REASON: (&str, &str) = ("resolve", "rehearse");
/// The options that matter to `check`.
const CHECK_OPTIONS: [&str; 26] = [
    "proxy",
    "ca-file",
    "client-cert-file",
    "client-key-file",
    "external-ip",
    "url",
    "rate",
    "timeout",
    "cut-off",
    "start-window",
    "allow-partial",
    "max-rows",
    "again",
    "ledger",
    "delimiter",
    "admin-column",
    "sequence-column",
    "priority-column",
    "exempt-admin-column",
    "as-orders",
    "expect-rows",
    "expect-sha256",
    "quiet",
    "json",
    "config",
    "profile",
];
/// The options that matter to `resolve`.
const RESOLVE_OPTIONS: [&str; 22] = [
    "results",
    "reason",
    "requested-by",
    "ticket",
    "yes",
    "url",
    "ledger",
    "lease",
    "max-outage",
    "trust-results",
    "delimiter",
    "admin-column",
    "sequence-column",
    "exempt-admin-column",
    "expect-rows",
    "expect-sha256",
    "log-file",
    "log-format",
    "log-level",
    "json",
    "config",
    "profile",
];
/// The options that matter to `runs`.
const RUNS_OPTIONS: [&str; 5] = ["ledger", "rehearse", "json", "config", "profile"];
/// The options that matter to `stop` and `pace`.
const REQUEST_OPTIONS: [&str; 6] = ["reason", "ledger", "rehearse", "json", "config", "profile"];
/// The options that matter to `ledger forget`.
const FORGET_OPTIONS: [&str; 6] = ["yes", "ledger", "rehearse", "json", "config", "profile"];
/// The options that matter to `export`: `-o` names the new folder.
const EXPORT_OPTIONS: [&str; 6] = ["results", "ledger", "rehearse", "json", "config", "profile"];
/// The options that matter to `results`: `-o` names the new file.
const RESULTS_OPTIONS: [&str; 7] =
    ["results", "url", "ledger", "rehearse", "json", "config", "profile"];
/// The options that matter to `report`: `-o` names the new file.
const REPORT_OPTIONS: [&str; 5] = ["results", "ledger", "rehearse", "config", "profile"];
/// The options that `worker` does not take: what is run, how fast, until when and where
/// its results go was said where the run was opened.
pub(super) const OPTIONS_NOT_FOR_WORKER: [&str; 25] = [
    "reason",
    "requested-by",
    "ticket",
    "require-purpose",
    "ok-if",
    "rate",
    "cut-off",
    "start-window",
    "allow-partial",
    "max-rows",
    "again",
    "yes",
    "rehearse",
    "json",
    "delimiter",
    "admin-column",
    "sequence-column",
    "priority-column",
    "exempt-admin-column",
    "as-orders",
    "trust-results",
    "expect-rows",
    "expect-sha256",
    "results",
    "metrics-file",
];

/// Reads the command line, the program's name first. The error, which may be a
/// request for help, knows how to print itself and which exit code it deserves.
pub fn parse<I, T>(args: I) -> Result<Cli, clap::Error>
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let mut command = command();
    let matches = command.try_get_matches_from_mut(args).map_err(say_what_is_meant)?;
    refuse_options_of_the_run(&command, &matches)?;
    refuse_options_of_others(&command, &matches)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// Adds to an error of the parser what to write instead. What looks like a card number is left out.
fn say_what_is_meant(error: clap::Error) -> clap::Error {
    without_card_numbers(suggest_alternatives(suggest_our_flag(error)))
}

/// Arguments of which one must be given, as clap shows them, and what they are.
const ALTERNATIVES: [(&str, &str); 5] = [
    (
        "<ORDERS|--connect>",
        "give ORDERS, the file to check, or --connect for the connection to CoreCARD, or both",
    ),
    (
        "<RESULTS|--open>",
        "give RESULTS, a results file, or --open for the open rows of all runs at the address",
    ),
    (
        "<--cancelled <FILE>|--standing <FILE>>",
        "give a list of cancelled orders with --cancelled, one of orders that still stand with --standing, \
         or both",
    ),
    (
        "<RUN|--open>",
        "give RUN, the id of a run, or --open for the open rows of all runs at the address",
    ),
    (
        "<RUN|--since <DATE>>",
        "give RUN, the id of a run, or --since for the runs created on or after a day",
    ),
];

/// Says in words between what there is a choice.
fn suggest_alternatives(mut error: clap::Error) -> clap::Error {
    if error.kind() != ErrorKind::MissingRequiredArgument {
        return error;
    }
    let Some(ContextValue::Strings(missing)) = error.get(ContextKind::InvalidArg) else {
        return error;
    };
    let is_missing = |shown: &str| missing.iter().any(|arg| arg == shown);
    let tips = ALTERNATIVES.iter().filter(|(shown, _)| is_missing(shown));
    let tips: Vec<StyledStr> = tips.map(|(_, tip)| (*tip).into()).collect();
    if !tips.is_empty() {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
    }
    error
}

/// Removes what looks like a card number from what an error repeats of the command line.
fn without_card_numbers(mut error: clap::Error) -> clap::Error {
    for kind in [ContextKind::InvalidArg, ContextKind::InvalidValue] {
        if let Some(ContextValue::String(text)) = error.get(kind) {
            let clean = card_numbers::redact(text).into_owned();
            error.insert(kind, ContextValue::String(clean));
        }
    }
    error
}

/// Flags that other programs have, and what does here what they do there.
const FLAGS_OF_OTHER_PROGRAMS: [(&[&str], &str); 2] = [
    (
        &["--dry-run", "--dryrun"],
        "`cardcancel check ORDERS.csv` reports what would happen and sends nothing; `cardcancel run \
         ORDERS.csv --rehearse` is a whole run against a built-in simulator of CoreCARD",
    ),
    (&["--force"], "--again runs a file again whose run has ended; --yes sends without asking"),
];

/// Names what is meant by a flag that other programs have.
fn suggest_our_flag(mut error: clap::Error) -> clap::Error {
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else { return error };
    let word = FLAGS_OF_OTHER_PROGRAMS.iter().find(|(flags, _)| flags.contains(&flag.as_str()));
    if let Some((_, tip)) = word {
        error.remove(ContextKind::SuggestedArg);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![(*tip).into()]));
    }
    error
}

/// Who works on a run cannot change it.
fn refuse_options_of_the_run(
    command: &clap::Command,
    matches: &ArgMatches,
) -> Result<(), clap::Error> {
    let Some(("worker", given)) = matches.subcommand() else { return Ok(()) };
    let is_given = |flag: &&&str| {
        given.value_source(&SettingName(flag).key()) == Some(ValueSource::CommandLine)
    };
    match OPTIONS_NOT_FOR_WORKER.iter().find(is_given) {
        None => Ok(()),
        Some(flag) => {
            let why =
                format!("`worker` does not accept --{flag}: it joins runs as they were created");
            let mut work = command.find_subcommand("worker").cloned().unwrap_or_default();
            Err(work.error(ErrorKind::UnknownArgument, why))
        }
    }
}

/// An option that a command does not use is refused as one that does not exist, so that nobody takes
/// it to have been followed. The environment and the configuration file are there for all commands.
fn refuse_options_of_others(
    command: &clap::Command,
    matches: &ArgMatches,
) -> Result<(), clap::Error> {
    let (mut command, mut given) = (command, matches);
    while let Some((name, below)) = given.subcommand() {
        let Some(found) = command.find_subcommand(name) else { return Ok(()) };
        (command, given) = (found, below);
    }
    if command.get_name() == ACCEPTS_ALL {
        return Ok(());
    }
    let is_given = |arg: &&Arg| {
        let flag = (command.get_name(), arg.get_long().unwrap_or_default());
        arg.is_hide_set()
            && flag != REFUSED_WITH_REASON
            && given.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine)
    };
    let Some(flag) = command.get_arguments().find(is_given).and_then(Arg::get_long) else {
        return Ok(());
    };
    let mut error = clap::Error::new(ErrorKind::UnknownArgument).with_cmd(command);
    error.insert(ContextKind::InvalidArg, ContextValue::String(format!("--{flag}")));
    let usage = command.clone().render_usage();
    error.insert(ContextKind::Usage, ContextValue::StyledStr(usage));
    Err(error)
}

/// The whole command line, with its help.
pub fn command() -> clap::Command {
    let options = Options::flags();
    let is_option = |arg: &Arg| options.iter().any(|flag| arg.get_long() == Some(flag));
    let named = |arg: Arg| if is_option(&arg) { with_names(arg) } else { arg };
    let only = |arg: Arg, shown: &[&str]| {
        let is_shown = !is_option(&arg) || arg.get_long().is_some_and(|flag| shown.contains(&flag));
        named(arg).hide(!is_shown)
    };
    let command = Cli::command()
        .mut_subcommand("check", |check| check.mut_args(|arg| only(arg, &CHECK_OPTIONS)))
        .mut_subcommand("run", |run| run.mut_args(named))
        .mut_subcommand("rerun", |rerun| rerun.mut_args(named))
        .mut_subcommand("resolve", |resolve| resolve.mut_args(|arg| only(arg, &RESOLVE_OPTIONS)))
        .mut_subcommand("worker", |work| {
            work.mut_args(|arg| {
                let is_taken =
                    arg.get_long().is_none_or(|flag| !OPTIONS_NOT_FOR_WORKER.contains(&flag));
                named(arg).hide(!is_taken)
            })
        })
        .mut_subcommand("runs", |runs| runs.mut_args(|arg| only(arg, &RUNS_OPTIONS)))
        .mut_subcommand("stop", |stop| stop.mut_args(|arg| only(arg, &REQUEST_OPTIONS)))
        .mut_subcommand("pace", |pace| pace.mut_args(|arg| only(arg, &REQUEST_OPTIONS)))
        .mut_subcommand("results", |results| results.mut_args(|arg| only(arg, &RESULTS_OPTIONS)))
        .mut_subcommand("history", |history| history.mut_args(|arg| only(arg, &RUNS_OPTIONS)))
        .mut_subcommand("export", |export| export.mut_args(|arg| only(arg, &EXPORT_OPTIONS)))
        .mut_subcommand("verify", |verify| verify.mut_args(|arg| only(arg, &RUNS_OPTIONS)))
        .mut_subcommand("report", |report| report.mut_args(|arg| only(arg, &REPORT_OPTIONS)))
        .mut_subcommand("ledger", |ledger| {
            let ledger = ["info", "check", "backup"].into_iter().fold(ledger, |ledger, name| {
                ledger.mut_subcommand(name, |of| of.mut_args(|arg| only(arg, &RUNS_OPTIONS)))
            });
            ledger.mut_subcommand("forget", |of| of.mut_args(|arg| only(arg, &FORGET_OPTIONS)))
        })
        .mut_subcommand("config", |config| {
            config.mut_subcommand("show", |show| show.mut_args(named))
        });
    help::add(command, "")
}

/// Adds an option's default and its variable to its help.
fn with_names(arg: Arg) -> Arg {
    let Some(flag) = arg.get_long().map(str::to_owned) else {
        return arg;
    };
    let text = |help: Option<&StyledStr>| help.map(ToString::to_string);
    let short = text(arg.get_help()).unwrap_or_default();
    let long = text(arg.get_long_help()).unwrap_or_else(|| short.clone());
    let variable = format!("[env: {}]", SettingName(&flag).variable());
    match default_of(&flag) {
        // Of a switch it goes without saying.
        Some("no") | None => arg.long_help(format!("{long}\n\n{variable}")),
        Some(default) => {
            let default = format!("[default: {default}]");
            arg.help(format!("{short} {default}"))
                .long_help(format!("{long}\n\n{default} {variable}"))
        }
    }
}
