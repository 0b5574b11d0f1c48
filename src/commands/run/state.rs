//! The run of a file: one that exists in the ledger, or one that is still to be created.

use anyhow::anyhow;
use jiff::Timestamp;

use crate::commands::run_input::RunInput;
use crate::commands::run_selection::refuse_forgotten;
use crate::commands::target::Target;
use crate::config::Settings;
use crate::input::{InputSummary, Warning, planned_rows};
use crate::ledger::{CreateRunError, Ledger, NewRun, Run};

/// What the command works with, whatever the state of the run.
pub struct Context<'a> {
    /// The settings.
    pub settings: &'a Settings,
    /// The file.
    pub input: RunInput,
    /// Where the calls go.
    pub target: Target,
}

/// The run of the file.
pub enum RunState {
    /// An earlier start of this command, here or on another machine, created it.
    Existing(Run),
    /// It is not in the ledger yet.
    New(NewRun, InputSummary),
}

impl RunState {
    /// Looks the run up in the ledger. A new run is not created yet, but its file is read.
    ///
    /// # Errors
    /// When the ledger or the input cannot be read, or `--only` selects nothing that exists.
    pub fn find(context: &Context, ledger: &mut dyn Ledger) -> anyhow::Result<RunState> {
        let Context { settings, input, target } = context;
        let found =
            ledger.find_by_key(&input.key)?.filter(|run| !(settings.again && run.has_ended()));
        if let Some(run) = &found {
            let again =
                "--again would send all of its orders once more, also those that were cancelled";
            let name = input.input.name();
            refuse_forgotten(ledger, run).map_err(|why| {
                anyhow!("nothing was sent: {name} was run before, and {why}; {again}")
            })?;
        }
        Ok(match found {
            Some(run) => RunState::Existing(run),
            None => RunState::New(input.new_run(target)?, input.scan_new()?),
        })
    }

    /// The run's identifier.
    pub fn id(&self) -> &str {
        match self {
            RunState::Existing(run) => run.id(),
            RunState::New(new, _) => &new.id,
        }
    }

    /// All rows.
    pub fn rows(&self) -> u64 {
        match self {
            RunState::Existing(run) => run.rows,
            RunState::New(_, summary) => summary.rows.into(),
        }
    }

    /// When it was opened, if it exists.
    pub fn opened_at(&self) -> Option<Timestamp> {
        match self {
            RunState::Existing(run) => Some(run.opened.opened_at),
            RunState::New(..) => None,
        }
    }

    /// What suggests that the file does not hold the orders that were meant.
    pub fn warnings(&self) -> &[Warning] {
        match self {
            RunState::Existing(_) => &[],
            RunState::New(_, summary) => &summary.warnings,
        }
    }

    /// Rows that have ended, if it exists.
    pub fn ended_before(&self) -> Option<u64> {
        match self {
            RunState::Existing(run) => Some(run.counts.total()),
            RunState::New(..) => None,
        }
    }

    /// Rows that may still be sent.
    pub fn left(&self) -> u64 {
        match self {
            RunState::Existing(run) => run.left(),
            RunState::New(_, summary) => summary.to_send.into(),
        }
    }

    /// Creates the run if it is new: records every row before anything is sent.
    ///
    /// # Errors
    /// When the input or the ledger fails.
    pub fn create(self, input: &RunInput, ledger: &mut dyn Ledger) -> anyhow::Result<Run> {
        let (new, summary) = match self {
            RunState::Existing(run) => return Ok(run),
            RunState::New(new, summary) => (new, summary),
        };
        let plan = input.plan.as_ref();
        let mut rows = planned_rows(&input.input, &input.columns, &summary, plan)?;
        ledger.create_run(new, &mut rows, &summary.orders).map_err(|failed| match failed {
            CreateRunError::Input(cause) => cause.into(),
            CreateRunError::Ledger(cause) => cause.into(),
        })
    }
}
