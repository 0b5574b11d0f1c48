//! One file for each command: they put the modules together.

mod caller;
mod check;
mod column_report;
mod completions;
mod config;
mod confirm;
mod connection_check;
mod ended_doubts;
mod error;
mod estimate;
mod export;
mod forget;
mod history;
mod known_orders;
mod ledger;
mod logging;
mod man;
mod only_filter;
mod open_rows;
mod own_files;
mod pace;
mod provenance;
mod read_only;
mod rehearsal;
mod report;
mod requests;
mod rerun_command;
mod resolve;
mod results;
mod run;
mod run_input;
mod run_list;
mod run_record;
mod run_requests;
mod run_selection;
mod run_state;
mod run_table;
mod run_watch;
mod runs;
mod sealing;
mod session;
mod settled_doubts;
mod shutdown;
mod simulator;
mod start_report;
mod stop;
mod target;
mod verify;
mod witnesses;
mod worker;

use std::ffi::OsString;
use std::io::IsTerminal;

use crate::cli::{self, Cli, Command, ConfigArgs, ConfigCommand};
use crate::config::{Env, ErrorFormat};
use crate::exit_code::ExitCode;
use crate::output::console;
use crate::output::standard_output::ReaderLeft;

/// Does what the command line asks for, and reports errors in the format that it asks for.
pub fn main(args: Vec<OsString>) -> ExitCode {
    if completions::answer(&args) {
        return ExitCode::Done;
    }
    let env = Env::from_process();
    let exit = match cli::parse(args.iter().cloned()) {
        Ok(cli) => {
            let format = error_format(&cli.command, &env);
            console::set_json_lines(format.json_lines);
            execute(cli).unwrap_or_else(|error| {
                if ReaderLeft::is_cause_of(&error) {
                    return ExitCode::Done;
                }
                let exit = error::exit_code_of(&error);
                fail(&format!("{error:#}"), exit, format);
                exit
            })
        }
        Err(usage) if usage.use_stderr() => {
            let format = ErrorFormat::from_raw_args(&args, &env);
            console::set_json_lines(format.json_lines);
            let text = usage.render().to_string();
            fail(text.trim_start_matches("error: ").trim_end(), ExitCode::Refused, format);
            ExitCode::Refused
        }
        Err(help) => {
            let help = help.render();
            if std::io::stdout().is_terminal() {
                console::print_line(help.ansi().to_string().trim_end());
            } else {
                console::print_line(help.to_string().trim_end());
            }
            ExitCode::Done
        }
    };
    match console::stdout_error() {
        None => exit,
        Some(cause) => {
            console::eprint_error(format_args!("standard output cannot be written: {cause}"));
            exit.max(ExitCode::LedgerFailed)
        }
    }
}

fn fail(error: &str, exit: ExitCode, format: ErrorFormat) {
    console::eprint_error(error);
    // A summary that was printed has it already.
    if format.json && !console::has_printed() {
        let state = if exit == ExitCode::Refused { "refused" } else { "failed" };
        console::print_line(serde_json::json!({
            "version": 1, "run": null, "state": state, "exit_code": exit as u8, "error": error,
        }));
    }
}

/// The format in which a command's errors are reported.
fn error_format(command: &Command, env: &Env) -> ErrorFormat {
    let options = match command {
        Command::Check(check) => &check.options,
        Command::Run(run) => &run.options,
        Command::Rerun(rerun) => &rerun.options,
        Command::Resolve(resolve) => &resolve.options,
        Command::Worker(work) => &work.options,
        Command::Runs(runs) => &runs.options,
        Command::Stop(stop) => &stop.options,
        Command::Pace(pace) => &pace.options,
        Command::Results(results) => &results.options,
        Command::History(history) => &history.options,
        Command::Export(export) => &export.options,
        Command::Verify(verify) => &verify.options,
        Command::Report(report) => &report.options,
        Command::Ledger(ledger) => ledger.options(),
        Command::Config(ConfigArgs { command: ConfigCommand::Show(show) }) => &show.options,
        _ => return ErrorFormat::default(),
    };
    ErrorFormat::new(options, env)
}

/// Does what the command line asks for.
///
/// # Errors
/// What was refused before anything was sent, or a [`error::LedgerFailed`].
fn execute(cli: Cli) -> anyhow::Result<ExitCode> {
    let env = Env::from_process();
    match cli.command {
        Command::Check(args) => check::check(args, &env),
        Command::Run(run) => run::run(&run.orders, None, run.options, &env),
        Command::Rerun(rerun) => {
            let only = rerun.only.unwrap_or_default();
            run::run(&rerun.results_file, Some(&only), rerun.options, &env)
        }
        Command::Resolve(args) => resolve::resolve(args, &env),
        Command::Worker(work) => worker::work(work.options, &env),
        Command::Runs(runs) => runs::runs(runs, &env),
        Command::Stop(args) => stop::stop(args, &env),
        Command::Pace(args) => pace::pace(args, &env),
        Command::Results(args) => results::results(args, &env),
        Command::History(args) => history::history(args, &env),
        Command::Export(args) => export::export(args, &env),
        Command::Verify(args) => verify::verify(args, &env),
        Command::Report(args) => report::report(args, &env),
        Command::Ledger(command) => {
            let (care, named, options) = command.into_action();
            ledger::care(&care, named, options, &env)
        }
        Command::Config(config) => match config.command {
            ConfigCommand::Init(init) => config::init(&init.path),
            ConfigCommand::Show(show) => config::show(show.options, &env),
        },
        Command::Completions(wanted) => completions::completions(wanted.shell),
        Command::Man(wanted) => man::man(&wanted),
        Command::Simulator(simulator) => simulator::serve(simulator.settings),
    }
}
