//! The command line: the commands and their arguments.

mod command_help;
mod command_texts;
pub mod help;
mod parser;
#[cfg(test)]
mod tests;
mod values;

use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;

pub use parser::{command, parse};

use crate::config::Layer;
use crate::model::whole_number;
use crate::policy::pace::Pace;
use crate::simulator;

/// Cancels physical card orders at CoreCARD in bulk
///
/// Reads a CSV of physical card orders, asks CoreCARD to cancel each one, never faster than the
/// contract allows, and writes a results CSV with a status and an error code for every row.
///
/// Start with `cardcancel check ORDERS.csv`, which sends nothing, and `cardcancel run ORDERS.csv
/// --rehearse`, which sends nothing to CoreCARD.
#[derive(Debug, Parser)]
#[command(name = "cardcancel", version = crate::process::VERSION, max_term_width = 100, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Report what is wrong with a file of orders; sends nothing
    ///
    /// Accepts every option of `run`, so that the command line of a run can be checked, and uses
    /// those listed here. The file is compared with the ledger, which is not changed. Secrets that are
    /// not set are named, and none is read; that does not change the exit code, since the user who
    /// runs the file may have them. With --connect, the connection to CoreCARD is tried too, or alone
    /// if no file is named.
    Check(CheckArgs),
    /// Cancel every order of a file; started again, it resumes
    ///
    /// Every attempt is recorded in the ledger before it is made. After a crash, a cut-off or a
    /// signal, the same command on the same file resumes. A run that ended sends nothing more: its
    /// results are written again.
    Run(RunArgs),
    /// Send the open rows of a results file again
    ///
    /// A row is open if it is failed, in_doubt, not_sent, or rejected with doubt. The new results
    /// have every row again: those that were sent with their new result, the others unchanged.
    Rerun(RerunArgs),
    /// End doubt by evidence; sends nothing
    ///
    /// The evidence is any CSV with the two key columns, such as an embosser's list: every order in
    /// the list of --cancelled is cancelled, every order in that of --standing surely is not. Rows
    /// whose orders are in doubt and stand in a list are decided, and it is recorded by which list
    /// and by whom; all other rows stay as they are. Only one of the files can be standard input.
    ///
    /// The evidence must be newer than the last attempt for its orders. An order that --cancelled
    /// names wrongly is never sent again: its card is printed.
    Resolve(ResolveArgs),
    /// Join the runs of other machines on a shared ledger
    ///
    /// Joins every run that is open in the ledger at this address of CoreCARD, the oldest first,
    /// until SIGTERM. All processes that work on runs share the rate. A run keeps the rate and the
    /// cut-off that it was created with; everything else, credentials included, comes from the
    /// configuration of this process.
    Worker(WorkerArgs),
    /// List the runs in the ledger, or show one of them
    Runs(RunsArgs),
    /// Stop a run in progress, on whatever machine it is
    ///
    /// The processes that work on it start no new call, wait for those in flight, and write the
    /// results, as after SIGTERM. Rows that were not sent are not_sent with the code STOP_REQUESTED,
    /// and the same `run` command resumes. The request goes through the ledger, and who made it is
    /// recorded. It is waited for up to 2 minutes; ending this command does not take it back.
    Stop(StopArgs),
    /// Lower the rate of a run in progress, or restore it
    ///
    /// Holds for all machines that work on the run, within two seconds, and until it is changed: for
    /// a process that joins, and for a run that is started again. All rates that the run was started
    /// with still hold. Who changed it is recorded.
    Pace(PaceArgs),
    /// Write the results of a run again, or all open rows, from the ledger alone
    ///
    /// Needs neither the input nor the results file. The lines have the order and the result
    /// columns, but none of the other columns of the input. With --open they are the orders of all
    /// runs at this address of CoreCARD that still need work, the newest run first: those whose last
    /// row is failed, in_doubt, not_sent, or rejected with doubt.
    Results(ResultsArgs),
    /// Show all that ever happened to one order
    ///
    /// Every run that contained it, every attempt with CoreCARD's answer, who started the run and
    /// why, and whether an answer was lost. Times are UTC.
    History(HistoryArgs),
    /// Export the record of runs for an audit
    ///
    /// Writes a new folder: a BagIt bag with runs, rows, attempts and events as CSV, the settings in
    /// force, every seal, and VERIFY.md, which verifies all of it with stock tools. Whole runs only.
    Export(ExportArgs),
    /// Verify that nobody has changed the ledger, or an export
    ///
    /// Recomputes from the rows what every seal states, and reads the chain of seals. It ends with
    /// what held and what nobody checked: whoever can write the ledger can also seal anew, which only
    /// a witness shows. For cron: exit 0 only if all that was asked held.
    Verify(VerifyArgs),
    /// Write one page about a run, or about the runs of some days, for people
    ///
    /// A self-contained HTML file: whether it went well, what is left to do, calls and latency over
    /// time, error codes, the rows to look at, who started it and why, and the seal. It has no
    /// script and asks for nothing else, so that it can be sent and opened anywhere.
    Report(ReportArgs),
    /// Show, check or back up the ledger, or forget old runs
    Ledger(LedgerArgs),
    /// Serve a simulator of CoreCARD on this machine, for tests
    ///
    /// Prints its address on the first line, and what it did as one JSON object when it is stopped.
    /// Without flags it is a perfect CoreCARD that answers at once.
    Simulator(SimulatorArgs),
    /// Write a configuration file, or show the settings in force
    Config(ConfigArgs),
    /// Print the completions of this command line for a shell
    ///
    /// They complete commands, flags and files, profiles from the configuration and run ids from
    /// the ledger. Print them anew after an upgrade: the shell asks the program what fits.
    Completions(CompletionsArgs),
    /// Print a manual page, or write all of them
    Man(ManArgs),
}

/// `cardcancel check`
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("checked").args(["orders", "connect"]).required(true).multiple(true))]
pub struct CheckArgs {
    /// CSV file of orders, plain or .gz; - for standard input
    pub orders: Option<PathBuf>,
    /// Also try the connection to CoreCARD, and fetch a token; no order is sent
    ///
    /// Reads the secrets, resolves the name, connects, through the proxy if one is set, completes the
    /// TLS handshake, and fetches a token if `[auth]` asks for one. Stops at the first step that fails.
    #[arg(long)]
    pub connect: bool,
    /// The settings that stand on the command line.
    #[command(flatten)]
    pub options: Layer,
}

/// `cardcancel run`
#[derive(Debug, Args)]
pub struct RunArgs {
    /// CSV file of orders, plain or .gz; - for standard input
    pub orders: PathBuf,
    /// The settings that stand on the command line.
    #[command(flatten)]
    pub options: Layer,
}

/// `cardcancel rerun`
#[derive(Debug, Args)]
pub struct RerunArgs {
    /// Results file of an earlier run, plain or .gz; - for standard input
    #[arg(value_name = "RESULTS")]
    pub results_file: PathBuf,
    /// Send only rows with these statuses or error codes: failed,HTTP_429
    ///
    /// Without it, all open rows are sent. A word that is not a status is an error code, letter for
    /// letter. A code that no row has is an error; if no row has the status, nothing is sent.
    #[arg(long, value_name = "STATUS|CODE", value_delimiter = ',')]
    pub only: Option<Vec<String>>,
    /// The settings that stand on the command line.
    #[command(flatten)]
    pub options: Layer,
}

/// In one line it would be wider than a terminal.
const RESOLVE_USAGE: &str = "cardcancel resolve [OPTIONS] <RESULTS|--open>
         <--cancelled <FILE>|--standing <FILE>>";

/// `cardcancel resolve`
#[derive(Debug, Args)]
#[command(override_usage = RESOLVE_USAGE)]
#[command(group = ArgGroup::new("rows").args(["results_file", "open"]).required(true))]
#[command(group = ArgGroup::new("evidence").args(["cancelled", "standing"]).required(true).multiple(true))]
pub struct ResolveArgs {
    /// Results file with orders in doubt, plain or .gz; - for standard input
    #[arg(value_name = "RESULTS")]
    pub results_file: Option<PathBuf>,
    /// Take the open rows of all runs at this address instead of a file
    #[arg(long)]
    pub open: bool,
    /// List of orders that are cancelled: their rows become already_cancelled
    ///
    /// Plain or .gz; - for standard input. Be sure of all of it: none of its orders in doubt is sent again, and a card that was not
    /// cancelled is printed.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub cancelled: Option<PathBuf>,
    /// List of orders that still stand: their rows become failed, without doubt
    ///
    /// Plain or .gz; - for standard input.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub standing: Option<PathBuf>,
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
    /// The id of the run to show; without it, runs are listed, the newest first
    pub run: Option<String>,
    /// List the runs created on or after this day, in UTC: 2026-11-01
    #[arg(long, value_name = "DATE", value_parser = values::date, conflicts_with = "run")]
    pub since: Option<jiff::civil::Date>,
    /// List at most so many runs
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true, value_parser = whole_number::<usize>, conflicts_with = "run")]
    pub limit: Option<usize>,
    /// List only runs with open rows whose orders no later run has
    #[arg(long, conflicts_with = "run")]
    pub open: bool,
    /// Show how far the run is, as its own live line does, until it is at rest
    ///
    /// Once a second, and off a terminal a line every five seconds. A run at rest is shown at once.
    #[arg(long, requires = "run")]
    pub watch: bool,
    /// The settings that stand on the command line.
    #[command(flatten)]
    pub options: Layer,
}

/// `cardcancel stop`
#[derive(Debug, Args)]
pub struct StopArgs {
    /// The id of the run
    pub run: String,
    /// Do not wait until the run has stopped
    #[arg(long)]
    pub no_wait: bool,
    /// The settings that stand on the command line.
    #[command(flatten)]
    pub options: Layer,
}

/// `cardcancel pace`
#[derive(Debug, Args)]
pub struct PaceArgs {
    /// The id of the run
    pub run: String,
    /// The rate: 20/s, 600/m or 900/h; restore for the one that the run was started with
    #[arg(value_name = "RATE")]
    pub pace: Pace,
    /// The settings that stand on the command line.
    #[command(flatten)]
    pub options: Layer,
}

/// `cardcancel results`
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("rows").args(["run", "open"]).required(true))]
pub struct ResultsArgs {
    /// The id of the run
    pub run: Option<String>,
    /// Write the open rows of all runs at this address
    #[arg(long)]
    pub open: bool,
    /// Write only rows with these statuses or error codes: failed,HTTP_429
    ///
    /// A word that is not a status is an error code, letter for letter. A code that no row has is
    /// an error.
    #[arg(long, value_name = "STATUS|CODE", value_delimiter = ',')]
    pub only: Option<Vec<String>>,
    /// The settings that stand on the command line.
    #[command(flatten)]
    pub options: Layer,
}

/// `cardcancel history`
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// The admin number of the order
    #[arg(value_name = "ADMIN", allow_negative_numbers = true, value_parser = values::admin_number)]
    pub admin_number: i64,
    /// The card sequence number of the order
    #[arg(value_name = "SEQUENCE", allow_negative_numbers = true, value_parser = values::sequence_number)]
    pub card_sequence_number: i32,
    /// The settings that stand on the command line.
    #[command(flatten)]
    pub options: Layer,
}

/// What `verify --require` can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum VerifyRequirement {
    /// Every run has a seal.
    Sealed,
    /// A signature of the named signer was verified.
    Signed,
    /// The newest seal was compared with a witness.
    Witnessed,
}

/// `cardcancel export`
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("exported").args(["runs", "since"]).required(true))]
pub struct ExportArgs {
    /// The ids of the runs
    #[arg(value_name = "RUN")]
    pub runs: Vec<String>,
    /// Export the runs created on or after this day, in UTC: 2026-11-01
    #[arg(long, value_name = "DATE", value_parser = values::date)]
    pub since: Option<jiff::civil::Date>,
    /// Export the runs created before this day, in UTC
    #[arg(long, value_name = "DATE", value_parser = values::date, requires = "since", conflicts_with = "runs")]
    pub until: Option<jiff::civil::Date>,
    /// Sign the export with this key, through ssh-keygen
    ///
    /// A private key, or a public key whose private key an agent or a token holds.
    #[arg(long, value_name = "KEY", value_hint = ValueHint::FilePath)]
    pub sign: Option<PathBuf>,
    /// Put a page for people about each run into the export, as `report` writes it
    #[arg(long)]
    pub report: bool,
    /// The settings that stand on the command line.
    #[command(flatten)]
    pub options: Layer,
}

/// `cardcancel verify`
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The folder of an export; without it, the ledger is verified
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub export: Option<PathBuf>,
    /// Verify the export's signature: the signers you trust, in ssh-keygen's format
    ///
    /// The list must not come from the export.
    #[arg(long, value_name = "FILE", requires_all = ["signer", "export"], value_hint = ValueHint::FilePath)]
    pub signers: Option<PathBuf>,
    /// Who must have signed the export, as the list of signers names them
    #[arg(long, value_name = "WHO", requires = "signers")]
    pub signer: Option<String>,
    /// Fail unless all of these hold: sealed, signed, witnessed
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    pub require: Vec<VerifyRequirement>,
    /// Compare the seals with the lines cardcancel-seal in this file
    ///
    /// A witness file, or a log of the runs, kept where whoever can write the ledger cannot.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub witness: Option<PathBuf>,
    /// The settings that stand on the command line.
    #[command(flatten)]
    pub options: Layer,
}

/// `cardcancel report`
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("reported").args(["run", "since"]).required(true))]
pub struct ReportArgs {
    /// The id of the run
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// Report on the runs created on or after this day, in UTC: 2026-11-01
    #[arg(long, value_name = "DATE", value_parser = values::date)]
    pub since: Option<jiff::civil::Date>,
    /// Report on the runs created before this day, in UTC
    #[arg(long, value_name = "DATE", value_parser = values::date, requires = "since", conflicts_with = "run")]
    pub until: Option<jiff::civil::Date>,
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
    /// Show where the ledger is, how large it is, and what is in it
    Info(LedgerFileArgs),
    /// Read the whole ledger and report what is damaged
    ///
    /// The file is checked for damage, and the record for what does not agree: counts, results, seals.
    Check(LedgerFileArgs),
    /// Copy the ledger into a new file while runs continue
    ///
    /// The copy is consistent and needs no other file beside it. An existing file is never
    /// overwritten. A copy made with cp during a run can lack what is in the -wal file beside the
    /// ledger.
    Backup(LedgerBackupArgs),
    /// Remove the rows of old runs that are in an export
    ///
    /// Removes rows, attempts, events and results files of whole runs that are sealed, and that one
    /// of the exports has as they were sealed. It keeps which orders they cancelled, so that no file
    /// sends them again, doubts, the runs themselves, and all seals. A run with open rows whose orders
    /// no later run has is kept. A new seal records who forgot each run, when, and in which export it is.
    Forget(LedgerForgetArgs),
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
    /// To remove the rows of runs.
    Forget {
        /// Those created before this day, in UTC.
        before: jiff::civil::Date,
        /// Those that one of these folders has.
        exports: Vec<PathBuf>,
    },
}

/// `cardcancel ledger info`, `cardcancel ledger check`
#[derive(Debug, Args)]
pub struct LedgerFileArgs {
    /// A ledger's file, such as a backup; without it, that of --ledger
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

/// `cardcancel ledger forget`
#[derive(Debug, Args)]
pub struct LedgerForgetArgs {
    /// Forget runs created before this day, in UTC: 2026-01-01
    #[arg(long, value_name = "DATE", value_parser = values::date)]
    pub before: jiff::civil::Date,
    /// The folders of exports that have the runs
    ///
    /// Each is verified as `verify DIR` does. A run that none of them has is kept.
    #[arg(long, value_name = "DIR", num_args = 1.., required = true, value_hint = ValueHint::DirPath)]
    pub export: Vec<PathBuf>,
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
            LedgerCommand::Forget(forget) => {
                let LedgerForgetArgs { before, export: exports, options } = forget;
                (LedgerAction::Forget { before, exports }, None, options)
            }
        }
    }

    /// The settings that stand on the command line.
    pub fn options(&self) -> &Layer {
        match &self.command {
            LedgerCommand::Info(of) | LedgerCommand::Check(of) => &of.options,
            LedgerCommand::Backup(backup) => &backup.options,
            LedgerCommand::Forget(forget) => &forget.options,
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
    /// Only its owner can read it. An existing file is never overwritten.
    Init(ConfigInitArgs),
    /// Show every setting in force and where it was made
    ///
    /// Accepts every option of `run`, and shows what a run with these options would use. Secrets
    /// are neither read nor shown: only whether they are set, and where.
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

/// `cardcancel man`
#[derive(Debug, Args)]
pub struct ManArgs {
    /// The command whose page to print, such as `config show`
    #[arg(value_name = "COMMAND", conflicts_with = "out")]
    pub words: Vec<String>,
    /// Write the pages of all commands into this directory
    ///
    /// One file for each page, such as cardcancel-run.1. The directory is made if it does not
    /// exist. Pages of this program are replaced, other files are not.
    #[arg(long, value_name = "DIRECTORY", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,
}
