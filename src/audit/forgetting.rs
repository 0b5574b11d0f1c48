//! Forgets a run whose record is in an export: its rows leave the ledger, and a seal says where they
//! are.

use anyhow::Context as _;

use super::seal::{
    Continued, Seal, SealedBy, SealedClock, SealedFile, SealedForgetting, SealedLines,
    SealedProgram, SealedState,
};
use super::sealing::now_in_microseconds;
use crate::identity::Identity;
use crate::ledger::{KeptOrders, Ledger, NewForgetting, Run, SealRecord};

/// Forgets a run that is sealed as it is, with the export that has its rows. Returns the new seal;
/// `None` if the run is in progress, or was started or sealed meanwhile.
///
/// # Errors
/// If the ledger cannot be read or written.
pub fn forget_run(
    ledger: &mut dyn Ledger,
    run: &Run,
    export: &SealedFile,
    by: &Identity,
    program: &SealedProgram,
) -> anyhow::Result<Option<SealRecord>> {
    if !ledger.bring_to_rest(run)? {
        return Ok(None);
    }
    let sealed = ledger.last_seal(run)?;
    let sealed = sealed.with_context(|| format!("run {} is not sealed", run.id()))?;
    let seal: Seal = sealed.text.parse().with_context(|| format!("seal {}", sealed.number))?;
    let at = now_in_microseconds();
    let text = |number, previous, kept: KeptOrders| {
        let kept = SealedLines { lines: kept.orders, digest: kept.digest };
        let state = SealedState::Forgotten(SealedForgetting { at, kept, export: export.clone() });
        let continues = Some(Continued { number: sealed.number, as_it_was: true });
        let (by, program) = (SealedBy::from(by), program.clone());
        let clock = SealedClock::default();
        Seal { number, previous, state, continues, by, clock, program, ..seal.clone() }.to_text()
    };
    Ok(ledger.forget(run, &NewForgetting { sealed: &sealed, at, text: &text })?)
}

/// Where the rows of a forgotten run are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForgottenRun {
    /// The run.
    pub run: String,
    /// The seal that says so.
    pub seal: u64,
    /// When, and in which export.
    pub forgetting: SealedForgetting,
    /// Who forgot it.
    pub by: SealedBy,
}

impl ForgottenRun {
    /// Reads it from the newest seal of a run; `None` if that says that the run has its rows.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub fn read(ledger: &mut dyn Ledger, run: &Run) -> anyhow::Result<Option<ForgottenRun>> {
        if run.forgotten_at.is_none() {
            return Ok(None);
        }
        let seal = ledger.last_seal(run)?.and_then(|record| record.text.parse::<Seal>().ok());
        Ok(seal.and_then(|seal| ForgottenRun::from_seal(&seal)))
    }

    /// What a seal says; `None` if it is of a run that has its rows.
    pub fn from_seal(seal: &Seal) -> Option<ForgottenRun> {
        let SealedState::Forgotten(forgetting) = &seal.state else { return None };
        Some(ForgottenRun {
            run: seal.run.as_str().to_owned(),
            seal: seal.number,
            forgetting: forgetting.clone(),
            by: seal.by.clone(),
        })
    }
}

impl std::fmt::Display for ForgottenRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ForgottenRun { run, forgetting: SealedForgetting { at, export, .. }, .. } = self;
        let by = match &self.by {
            SealedBy::Process { user, host, .. } => format!("{} on {host}", user.name),
            SealedBy::Worker(worker) => worker.clone(),
        };
        write!(
            f,
            "the rows of run {run} are not in the ledger since {at}, by {by}: they are in the export {}, whose manifest-sha256.txt has the SHA-256 {}",
            export.name, export.digest
        )
    }
}
