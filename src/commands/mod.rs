//! One file a command: each puts the rooms together.

mod calls;
mod check;
mod completions;
mod config;
mod confirm;
mod estimate;
mod foreign;
mod job;
mod known;
mod logs;
mod manual;
mod only;
mod open_files;
mod own_files;
mod rehearsal;
mod run;
mod runs;
mod send;
mod server;
mod signals;
mod stand_in;
mod taken;
mod work;

use crate::cli::{Cli, Command, ConfigCommand};
use crate::config::Surroundings;
use crate::exit::Exit;
use crate::ledger::LedgerError;

/// Does what the command line asks for.
///
/// # Errors
/// What was refused before anything was sent, or a [`LedgerFailed`].
pub fn execute(cli: Cli) -> anyhow::Result<Exit> {
    let surroundings = Surroundings::of_this_process();
    match cli.command {
        Command::Check(check) => check::check(&check.orders, check.options, &surroundings),
        Command::Run(run) => run::run(&run.orders, None, run.options, &surroundings),
        Command::Rerun(rerun) => {
            let only = rerun.only.unwrap_or_default();
            run::run(&rerun.results_file, Some(&only), rerun.options, &surroundings)
        }
        Command::Work(work) => work::work(work.options, &surroundings),
        Command::Runs(runs) => runs::runs(runs.run.as_deref(), runs.options, &surroundings),
        Command::Config(config) => match config.command {
            ConfigCommand::Init(init) => config::init(&init.path),
            ConfigCommand::Show(show) => config::show(show.given, &surroundings),
        },
        Command::Completions(wanted) => Ok(completions::completions(wanted.shell)),
        Command::Man => manual::manual(),
        Command::StandIn(stand_in) => stand_in::serve(stand_in.settings),
    }
}

/// The ledger or the disk failed after the run was opened: what was done is
/// recorded, and the same command goes on.
#[derive(Debug, thiserror::Error)]
#[error("the ledger or the disk failed")]
pub struct LedgerFailed;

/// The exit code that an error deserves.
pub fn exit_of(error: &anyhow::Error) -> Exit {
    let failed = error.downcast_ref::<LedgerFailed>().is_some();
    match error.downcast_ref::<LedgerError>() {
        Some(
            LedgerError::Full { .. }
            | LedgerError::Database { .. }
            | LedgerError::Away { .. }
            | LedgerError::Gone { .. },
        ) => Exit::LedgerFailed,
        _ if failed => Exit::LedgerFailed,
        _ => Exit::Refused,
    }
}
