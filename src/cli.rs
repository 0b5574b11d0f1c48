//! The command line.

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;

use crate::config::{Layer, Options, SettingName, default_of};
use crate::simulator;

/// The options that matter to `check`; it takes the others too, so that the
/// command line of a `run` can be checked as it is.
const CHECK_OPTIONS: [&str; 21] = [
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
/// The options that matter to `runs`.
const RUNS_OPTIONS: [&str; 5] = ["ledger", "rehearse", "json", "config", "profile"];
/// The options that `worker` does not take: what is run, how fast, until when and where
/// its results go was said where the run was opened.
const OPTIONS_NOT_FOR_WORKER: [&str; 20] = [
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

/// Cancels physical card orders at CoreCARD in bulk
///
/// Reads a CSV of physical card orders, asks CoreCARD to cancel each one, never faster than the
/// contract allows, and writes a results CSV with a status and an error code for every row.
///
/// Begin with `cardcancel check ORDERS.csv`, which sends nothing, and `cardcancel run ORDERS.csv
/// --rehearse`, which sends nothing to CoreCARD.
#[derive(Debug, Parser)]
#[command(name = "cardcancel", version, max_term_width = 100, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say what is wrong with a file of orders; nothing is sent
    ///
    /// Takes every option of `run`, and uses those shown here.
    Check(CheckArgs),
    /// Cancel every order of a file; started again, it goes on where it stopped
    ///
    /// Every attempt is recorded in the ledger before it is made. After a crash, a cut-off or a
    /// signal, the same command on the same file goes on; a run that ended is only reported again.
    Run(RunArgs),
    /// Try the rows of a results file once more that are still open
    Rerun(RerunArgs),
    /// Help with the runs of other machines, on a ledger that they share
    ///
    /// Joins every run that is open in the ledger at this address of CoreCARD, the oldest first,
    /// until it is told to stop (SIGTERM). All who work on runs share their rate. The run's rate and
    /// cut-off are those it was opened with; all else, credentials above all, is this process's own.
    Worker(WorkerArgs),
    /// List what ran and what is running, or show how far one run is
    Runs(RunsArgs),
    /// Look after the ledger: what it is, whether it is whole, a copy of it
    Ledger(LedgerArgs),
    /// Serve a simulator of CoreCARD on this machine, to test against
    Simulator(SimulatorArgs),
    /// Write a configuration file to start from, or show what is in force
    Config(ConfigArgs),
    /// Print what a shell needs to complete this command line
    Completions(CompletionsArgs),
    /// Print the manual page, in the form that man reads
    Man,
}

/// `cardcancel check`
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The CSV file of orders; - for standard input
    pub orders: PathBuf,
    /// The settings that stand on the command line.
    #[command(flatten)]
    pub options: Layer,
}

/// `cardcancel run`
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The CSV file of orders, as it is or as .gz; - for standard input
    pub orders: PathBuf,
    /// The settings that stand on the command line.
    #[command(flatten)]
    pub options: Layer,
}

/// `cardcancel rerun`
#[derive(Debug, Args)]
pub struct RerunArgs {
    /// The results file of an earlier run
    #[arg(value_name = "RESULTS")]
    pub results_file: PathBuf,
    /// Only rows with these statuses or error codes, with commas between them
    ///
    /// Without it, the rows that are open: failed, in_doubt, not_sent, and rejected with doubt. A
    /// word that is none of the statuses is taken as an error code, letter for letter: --only
    /// HTTP_429,rejected. A code that no row has is an error; where no row has the status, there
    /// is nothing to do.
    #[arg(long, value_name = "STATUS|CODE", value_delimiter = ',')]
    pub only: Option<Vec<String>>,
    /// The settings that stand on the command line.
    #[command(flatten)]
    pub options: Layer,
}

/// `cardcancel worker`
#[derive(Debug, Args)]
pub struct WorkerArgs {
    /// The settings that stand on the command line.
    #[command(flatten)]
    pub options: Layer,
}

/// `cardcancel runs`
#[derive(Debug, Args)]
pub struct RunsArgs {
    /// The run to show; all of them are listed if none is named
    pub run: Option<String>,
    /// The settings that stand on the command line.
    #[command(flatten)]
    pub options: Layer,
}

/// `cardcancel ledger`
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub struct LedgerArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: LedgerCommand,
}

/// What to do with the ledger.
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Say what the ledger's file is, and how much is in it
    Info(LedgerFileArgs),
    /// Read the whole file, and say what is damaged; exit code 5 if anything is
    Check(LedgerFileArgs),
    /// Copy the ledger into a new file, as it is at one moment; runs go on meanwhile
    ///
    /// The copy needs no other file beside it. It is never written over a file that is there. A copy
    /// made with cp while a run goes on may lack what stands in the file -wal beside the ledger.
    Backup(LedgerBackupArgs),
}

/// What to do with the ledger, without the options.
#[derive(Debug, Clone)]
pub enum LedgerAction {
    /// What it is.
    Info,
    /// Whether it is whole.
    Check,
    /// A copy of it, here.
    BackUp(PathBuf),
}

/// `cardcancel ledger info`, `cardcancel ledger check`
#[derive(Debug, Args)]
pub struct LedgerFileArgs {
    /// The ledger's file, such as a backup; without it, that of --ledger
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The settings that stand on the command line.
    #[command(flatten)]
    pub options: Layer,
}

/// `cardcancel ledger backup`
#[derive(Debug, Args)]
pub struct LedgerBackupArgs {
    /// Where to write the copy
    #[arg(value_name = "FILE")]
    pub to: PathBuf,
    /// The settings that stand on the command line.
    #[command(flatten)]
    pub options: Layer,
}

impl LedgerArgs {
    /// What is asked, of which file if one is named, with which settings.
    pub fn into_action(self) -> (LedgerAction, Option<PathBuf>, Layer) {
        match self.command {
            LedgerCommand::Info(of) => (LedgerAction::Info, of.file, of.options),
            LedgerCommand::Check(of) => (LedgerAction::Check, of.file, of.options),
            LedgerCommand::Backup(backup) => {
                (LedgerAction::BackUp(backup.to), None, backup.options)
            }
        }
    }

    /// The settings that stand on the command line.
    pub fn options(&self) -> &Layer {
        match &self.command {
            LedgerCommand::Info(of) | LedgerCommand::Check(of) => &of.options,
            LedgerCommand::Backup(backup) => &backup.options,
        }
    }
}

/// `cardcancel simulator`
#[derive(Debug, Args)]
pub struct SimulatorArgs {
    /// How it is to behave.
    #[command(flatten)]
    pub settings: simulator::SimulatorSettings,
}

/// `cardcancel config`
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub struct ConfigArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Write a configuration file with every setting, all commented out
    ///
    /// It is readable by its owner alone, and never written over a file that is there.
    Init(ConfigInitArgs),
    /// Show every setting in force, and where it was made; secrets are not shown
    ///
    /// Takes every option of `run`, and shows what it would be run with. Of secrets it says whether
    /// they are set, and where; none is read.
    Show(Box<ConfigShowArgs>),
}

/// `cardcancel config init`
#[derive(Debug, Args)]
pub struct ConfigInitArgs {
    /// Where to write it
    #[arg(value_name = "FILE", default_value = "cardcancel.toml")]
    pub path: PathBuf,
}

/// `cardcancel config show`
#[derive(Debug, Args)]
pub struct ConfigShowArgs {
    /// The settings that stand on the command line.
    #[command(flatten)]
    pub options: Layer,
}

/// `cardcancel completions`
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: Shell,
}

/// Reads the command line, the program's name first. The error, which may be a
/// request for help, knows how to print itself and which exit code it deserves.
pub fn parse<I, T>(args: I) -> Result<Cli, clap::Error>
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let mut command = command();
    let matches = command.try_get_matches_from_mut(args).map_err(suggest_our_flag)?;
    refuse_options_of_the_run(&command, &matches)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// Flags that other programs have, and what does here what they do there.
const FLAGS_OF_OTHER_PROGRAMS: [(&[&str], &str); 2] = [
    (
        &["--dry-run", "--dryrun"],
        "`cardcancel check ORDERS.csv` says what would happen and sends nothing; `cardcancel run \
         ORDERS.csv --rehearse` does all of it against a built-in simulator of CoreCARD",
    ),
    (
        &["--force"],
        "--again sends a file once more whose run has ended; --yes sends without asking",
    ),
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
            let why = format!("`worker` takes no --{flag}: it joins runs as they were opened");
            let mut work = command.find_subcommand("worker").cloned().unwrap_or_default();
            Err(work.error(ErrorKind::UnknownArgument, why))
        }
    }
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
    Cli::command()
        .mut_subcommand("check", |check| check.mut_args(|arg| only(arg, &CHECK_OPTIONS)))
        .mut_subcommand("run", |run| run.mut_args(named))
        .mut_subcommand("rerun", |rerun| rerun.mut_args(named))
        .mut_subcommand("worker", |work| {
            work.mut_args(|arg| {
                let is_taken =
                    arg.get_long().is_none_or(|flag| !OPTIONS_NOT_FOR_WORKER.contains(&flag));
                named(arg).hide(!is_taken)
            })
        })
        .mut_subcommand("runs", |runs| runs.mut_args(|arg| only(arg, &RUNS_OPTIONS)))
        .mut_subcommand("ledger", |ledger| {
            ["info", "check", "backup"].into_iter().fold(ledger, |ledger, name| {
                ledger.mut_subcommand(name, |of| of.mut_args(|arg| only(arg, &RUNS_OPTIONS)))
            })
        })
        .mut_subcommand("config", |config| {
            config.mut_subcommand("show", |show| show.mut_args(named))
        })
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
