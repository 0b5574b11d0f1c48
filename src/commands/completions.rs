//! `completions`: prints what a shell needs to complete this command line, and answers the shell
//! while a line is being typed.
//!
//! The script that a shell loads starts the program with [`REQUEST`] in its environment and the
//! words of the line behind `--`. clap_complete's engine finds the commands, the flags and the
//! files that fit; [`with_values`] adds what only this program knows. Answering a shell reads
//! files and nothing else: it makes no ledger, connects to no database, and gives up after
//! [`TIME_LIMIT`].

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use clap::{Arg, ArgMatches, Command, FromArgMatches};
use clap_complete::env::Shells;
use clap_complete::{
    ArgValueCandidates, ArgValueCompleter, CompleteEnv, CompletionCandidate, PathCompleter, Shell,
};

use super::read_only::READ_ONLY_TIMEOUTS;
use crate::cli;
use crate::cli::help::COMMANDS;
use crate::config::{self, Env, Layer, RunsSettings};
use crate::exit_code::ExitCode;
use crate::ledger::{LedgerLocation, Run};
use crate::model::{ReasonCode, Status};
use crate::output::console;

/// The variable in which a shell's script names the shell. It does not begin with CARDCANCEL_, as
/// settings do.
const REQUEST: &str = "_CARDCANCEL_COMPLETE";

/// How long the person who types waits for values.
const TIME_LIMIT: Duration = Duration::from_secs(1);

/// How many runs are offered, the newest first.
const RUNS: usize = 100;

/// Prints the script that a shell loads.
///
/// # Errors
/// If there is no script for the shell.
pub fn completions(shell: Shell) -> anyhow::Result<ExitCode> {
    let name = shell.to_string();
    let shells = Shells::builtins();
    let completer =
        shells.completer(&name).with_context(|| format!("no completions for {name}"))?;
    let mut script = Vec::new();
    completer.write_registration(REQUEST, "cardcancel", "cardcancel", "cardcancel", &mut script)?;
    let mut script = String::from_utf8(script)?;
    if shell == Shell::Zsh {
        // Loaded by zsh at the first completion, the file has to answer that one as well.
        script.push_str("if [ \"$funcstack[1]\" = _cardcancel ]; then\n");
        script.push_str("    _clap_dynamic_completer_cardcancel \"$@\"\nfi\n");
    }
    console::print_line(script.trim());
    Ok(ExitCode::Done)
}

/// Answers a shell that asks what completes a line. Returns false if no shell asks: `args` is then
/// an ordinary command line.
pub fn answer(args: &[OsString]) -> bool {
    // A variable that stayed in the environment must not keep a run from being started.
    if args.get(1).is_none_or(|arg| arg != "--") {
        return false;
    }
    let line = args.get(2..).unwrap_or_default().to_vec();
    let command = || with_values(cli::command(), &line);
    let directory = std::env::current_dir().ok();
    let answered = CompleteEnv::with_factory(command)
        .var(REQUEST)
        .try_complete(args.iter().cloned(), directory.as_deref());
    // There is nobody to report an error to: a line that cannot be completed is not.
    answered.unwrap_or(true)
}

/// Adds the values that complete the arguments of a command and of all below it.
fn with_values(command: Command, line: &[OsString]) -> Command {
    let below: Vec<String> = command.get_subcommands().map(|of| of.get_name().to_owned()).collect();
    let command = below.iter().fold(command, |command, name| {
        command.mut_subcommand(name, |command| with_values(command, line))
    });
    command.mut_args(|arg| with_value(arg, line))
}

fn with_value(arg: Arg, line: &[OsString]) -> Arg {
    let line = line.to_vec();
    match arg.get_id().as_str() {
        "orders" | "results_file" => {
            arg.add(ArgValueCompleter::new(files(&["csv", "gz", "txt"]).stdio()))
        }
        "results" | "record" => arg.add(ArgValueCompleter::new(files(&["csv"]))),
        "config" | "path" => arg.add(ArgValueCompleter::new(files(&["toml"]))),
        "metrics_file" => arg.add(ArgValueCompleter::new(files(&["prom"]))),
        "ledger" | "file" => arg.add(ArgValueCompleter::new(files(&["db"]))),
        "ca_file" | "client_cert_file" => {
            arg.add(ArgValueCompleter::new(files(&["pem", "crt", "cer"])))
        }
        "client_key_file" => arg.add(ArgValueCompleter::new(files(&["pem", "key"]))),
        "log_file" | "to" => arg.add(ArgValueCompleter::new(PathCompleter::file())),
        "profile" => arg.add(ArgValueCandidates::new(move || within(&line, profiles))),
        "run" => arg.add(ArgValueCandidates::new(move || within(&line, runs))),
        "only" => arg.add(ArgValueCandidates::new(statuses_and_codes)),
        "words" => arg.add(ArgValueCandidates::new(commands)),
        _ => match fixed_words(&arg) {
            words if words.is_empty() => arg,
            words => arg.add(ArgValueCandidates::new(move || {
                words.iter().map(CompletionCandidate::new).collect()
            })),
        },
    }
}

/// Files with one of these extensions, and the directories on the way to them.
fn files(extensions: &'static [&'static str]) -> PathCompleter {
    PathCompleter::any().filter(move |path: &Path| {
        let extension = path.extension().and_then(|extension| extension.to_str());
        extension.is_some_and(|extension| extensions.contains(&extension)) && !path.is_dir()
    })
}

/// The words that stand in the name of a value for themselves, such as `off` in `ROWS|off`.
fn fixed_words(arg: &Arg) -> Vec<String> {
    let names = arg.get_value_names().unwrap_or_default();
    let words = names.iter().flat_map(|name| name.split('|'));
    let words = words.filter(|word| word.bytes().all(|byte| byte.is_ascii_lowercase()));
    words.map(str::to_owned).collect()
}

/// The candidates that `find` knows, or none where they cannot be had in time. The line is read
/// as far as it goes: its --config, --profile and --ledger count.
fn within(line: &[OsString], find: fn(Layer) -> Option<Candidates>) -> Candidates {
    let options = options(line);
    let (send, found) = mpsc::channel();
    thread::spawn(move || send.send(find(options)));
    found.recv_timeout(TIME_LIMIT).ok().flatten().unwrap_or_default()
}

type Candidates = Vec<CompletionCandidate>;

/// The options that a line has so far.
fn options(line: &[OsString]) -> Layer {
    fn innermost(matches: &ArgMatches) -> &ArgMatches {
        matches.subcommand().map_or(matches, |(_, below)| innermost(below))
    }
    let matches = cli::command().ignore_errors(true).try_get_matches_from(line);
    let options = matches.map(|matches| Layer::from_arg_matches(innermost(&matches)));
    options.ok().and_then(Result::ok).unwrap_or_default()
}

/// The profiles of the configuration.
fn profiles(options: Layer) -> Option<Candidates> {
    let names = config::profiles(options, &Env::from_process()).ok()?;
    Some(names.into_iter().map(CompletionCandidate::new).collect())
}

/// The runs of a ledger in a file. A database is not asked: that takes a connection, and a
/// password, for every key that is pressed.
fn runs(options: Layer) -> Option<Candidates> {
    let settings = RunsSettings::load(options, &Env::from_process()).ok()?;
    let location @ LedgerLocation::File(_) = settings.ledger else { return None };
    let runs = location.open_existing(READ_ONLY_TIMEOUTS).ok()??.runs().ok()?;
    let candidate = |(place, run): (usize, &Run)| {
        let input = run.opened.input_name.clone();
        CompletionCandidate::new(run.id()).help(Some(input.into())).display_order(Some(place))
    };
    Some(runs.iter().take(RUNS).enumerate().map(candidate).collect())
}

/// The statuses and the error codes of this program.
fn statuses_and_codes() -> Candidates {
    let statuses = Status::ALL.map(|status| status.as_str().to_owned());
    let codes = ReasonCode::ALL.iter().map(|(code, _)| code.to_string());
    statuses.into_iter().chain(codes).map(CompletionCandidate::new).collect()
}

/// The words of the commands' names.
fn commands() -> Candidates {
    let words = COMMANDS.iter().flat_map(|command| command.name.split_whitespace());
    words.collect::<BTreeSet<_>>().into_iter().map(CompletionCandidate::new).collect()
}
