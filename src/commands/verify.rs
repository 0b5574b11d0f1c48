//! `verify`: is the ledger, or an export, whole and unaltered?

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::json;

use super::read_only::open_ledger;
use crate::audit::seal::SealedForgetting;
use crate::audit::signature::{SignatureVerdict, verify_signature};
use crate::audit::verify_bag::{BagVerdict, verify_bag};
use crate::audit::witness::{WitnessVerdict, compare_with_witness};
use crate::audit::{AuditTable, ForgottenRun, LedgerVerdict, verify_ledger};
use crate::cli::{VerifyArgs, VerifyRequirement};
use crate::config::{Env, Layer, RunsSettings};
use crate::exit_code::ExitCode;
use crate::hash::Digest;
use crate::input::shown;
use crate::output::{console, human_count, plural, rows};

/// A forgotten run for programs.
pub fn forgotten_json(forgotten: &ForgottenRun) -> serde_json::Value {
    let SealedForgetting { at, export, .. } = &forgotten.forgetting;
    json!({
        "run": forgotten.run,
        "forgotten_at": at.to_string(),
        "export": export.name,
        "manifest_sha256": export.digest.to_string(),
    })
}

/// The signature of a bag, beside the file that it is over.
const SIGNATURE: &str = "tagmanifest-sha256.txt.sig";

/// Verifies the ledger, or the export in a folder.
///
/// # Errors
/// If the ledger, the export, the signers or the witness cannot be read: then nothing is verified.
pub fn verify(args: VerifyArgs, env: &Env) -> anyhow::Result<ExitCode> {
    let VerifyArgs { export, signers, signer, require, witness, options } = args;
    let mut witness = witness.as_deref().map(open_witness).transpose()?;
    let witness = witness.as_mut().map(|witness| witness as &mut dyn BufRead);
    let is_json = RunsSettings::json(options.clone(), env)?;
    let mut verified = match &export {
        Some(folder) => of_export(folder, signers.zip(signer), witness)?,
        None => of_ledger(options, env, witness)?,
    };
    verified.unmet = verified.unmet(&require);
    if is_json {
        console::print_line(verified.json());
    } else {
        console::print_line(verified.text().trim_end());
    }
    Ok(if verified.holds() { ExitCode::Done } else { ExitCode::Failures })
}

fn open_witness(path: &Path) -> anyhow::Result<BufReader<File>> {
    let file = File::open(path)
        .with_context(|| format!("the witness {} cannot be read", path.display()))?;
    Ok(BufReader::new(file))
}

/// What was found, and what was compared.
struct Verified {
    /// What was verified, for people.
    name: String,
    /// What is wrong.
    findings: Vec<String>,
    sealed_runs: u64,
    rows: u64,
    attempts: u64,
    /// The digest of each seal, from number 1.
    seals: Vec<Digest>,
    unsealed: Vec<String>,
    in_progress: Vec<String>,
    /// The runs whose rows are not in the ledger any more.
    forgotten: Vec<ForgottenRun>,
    /// What the witness shows; `None` without a witness.
    witness: Option<WitnessVerdict>,
    /// Who signed the export; `None` if no signature was verified.
    signed_by: Option<String>,
    /// Whether it is an export with a signature.
    has_signature: Option<bool>,
    /// What `--require` asks for and does not hold.
    unmet: Vec<&'static str>,
}

fn of_ledger(
    options: Layer,
    env: &Env,
    witness: Option<&mut dyn BufRead>,
) -> anyhow::Result<Verified> {
    let settings = RunsSettings::load(options, env)?;
    let mut ledger = open_ledger(&settings.ledger)?;
    let id = ledger.ledger_id()?;
    let LedgerVerdict {
        findings,
        sealed_runs,
        rows,
        attempts,
        seals,
        unsealed,
        in_progress,
        forgotten,
    } = verify_ledger(ledger.as_mut(), &mut |_| {})?;
    let name = settings.ledger.to_string();
    let (signed_by, has_signature, unmet) = (None, None, Vec::new());
    Verified {
        name,
        findings,
        sealed_runs,
        rows,
        attempts,
        seals,
        unsealed,
        in_progress,
        forgotten,
        witness: None,
        signed_by,
        has_signature,
        unmet,
    }
    .compared(&id, witness)
}

fn of_export(
    folder: &Path,
    signer: Option<(PathBuf, String)>,
    witness: Option<&mut dyn BufRead>,
) -> anyhow::Result<Verified> {
    let BagVerdict {
        findings,
        more_findings,
        totals,
        seals,
        unsealed,
        tag_manifest,
        has_signature,
        ..
    } = verify_bag(folder, &mut |_, _| ())?;
    let mut findings: Vec<String> = findings.iter().map(ToString::to_string).collect();
    if more_findings > 0 {
        findings.push(format!("and {} more", human_count(more_findings)));
    }
    let mut signed_by = None;
    if let Some((signers, signer)) = signer {
        if has_signature {
            let signature = folder.join(SIGNATURE);
            match verify_signature(&tag_manifest, &signature, &signers, &signer)? {
                SignatureVerdict::Good => signed_by = Some(signer),
                SignatureVerdict::Bad(why) => findings.push(format!("{SIGNATURE}: {why}")),
            }
        } else {
            findings.push(format!("{SIGNATURE}: it is missing, so {signer} did not sign"));
        }
    }
    let runs = totals.lines(AuditTable::Runs);
    let ledger = totals.ledger.clone();
    Verified {
        name: folder.display().to_string(),
        findings,
        sealed_runs: runs.saturating_sub(unsealed.len() as u64),
        rows: totals.lines(AuditTable::Rows),
        attempts: totals.lines(AuditTable::Attempts),
        seals,
        unsealed,
        in_progress: Vec::new(),
        forgotten: Vec::new(),
        witness: None,
        signed_by,
        has_signature: Some(has_signature),
        unmet: Vec::new(),
    }
    .compared(&ledger, witness)
}

impl Verified {
    /// Compares the seals with a witness, if there is one.
    fn compared(
        mut self,
        ledger: &str,
        witness: Option<&mut dyn BufRead>,
    ) -> anyhow::Result<Verified> {
        let compare = |witness| compare_with_witness(ledger, &self.seals, witness);
        let witness = witness.map(compare).transpose().context("the witness cannot be read")?;
        self.findings.extend(witness.iter().flat_map(|witness| witness.findings.clone()));
        Ok(Verified { witness, ..self })
    }

    /// What is required and does not hold.
    fn unmet(&self, required: &[VerifyRequirement]) -> Vec<&'static str> {
        let newest = self.seals.len() as u64;
        let witnessed = self.witness.as_ref().and_then(|witness| witness.witnessed);
        let unmet = |required: &VerifyRequirement| match required {
            VerifyRequirement::Sealed => (self.sealed_runs == 0 && self.forgotten.is_empty()
                || !self.unsealed.is_empty())
            .then_some("not every run is sealed"),
            VerifyRequirement::Signed => {
                self.signed_by.is_none().then_some("no signature was verified")
            }
            VerifyRequirement::Witnessed => (newest == 0 || witnessed != Some(newest))
                .then_some("no witness confirms the newest seal"),
        };
        required.iter().filter_map(unmet).collect()
    }

    fn holds(&self) -> bool {
        self.findings.is_empty() && self.unmet.is_empty()
    }

    fn text(&self) -> String {
        let mut lines: Vec<String> = self.findings.iter().map(|finding| shown(finding)).collect();
        let runs = plural(self.sealed_runs, "sealed run", "sealed runs");
        let (read, calls) = (rows(self.rows), plural(self.attempts, "attempt", "attempts"));
        let wrong = self.findings.len() as u64;
        lines.push(match (wrong, self.seals.last()) {
            (0, None) => format!("{} has no seal: nothing was verified.", shown(&self.name)),
            (0, Some(head)) => {
                let number = human_count(self.seals.len() as u64);
                format!("Unchanged since seal {number}, {head}: {runs}, {read}, {calls}.")
            }
            _ => format!(
                "ALTERED: {}; {runs}, {read}, {calls} were read.",
                plural(wrong, "thing is wrong", "things are wrong")
            ),
        });
        if let Some(signer) = &self.signed_by {
            lines.push(format!("Signed by {}.", shown(signer)));
        }
        lines.extend(self.unverified());
        lines.extend(self.unmet.iter().map(|what| format!("REQUIRED, and does not hold: {what}.")));
        lines.join("\n")
    }

    /// What nobody checked.
    fn unverified(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.unsealed.is_empty() {
            lines.push(format!("Not sealed yet, and not verified: {}.", self.unsealed.join(", ")));
        }
        if !self.in_progress.is_empty() {
            lines.push(format!("In progress, and not verified: {}.", self.in_progress.join(", ")));
        }
        for forgotten in &self.forgotten {
            let text = shown(&forgotten.to_string());
            lines.push(format!("Forgotten, and not verified: {text}."));
        }
        match (self.has_signature, &self.signed_by) {
            (Some(false), _) => lines.push("Not signed.".to_owned()),
            (Some(true), None) => {
                lines
                    .push("The signature was not verified: say --signers and --signer.".to_owned());
            }
            (Some(true), Some(_)) | (None, _) => {}
        }
        lines.push(match &self.witness {
            None => "Not compared with a witness: say --witness.".to_owned(),
            Some(WitnessVerdict { witnessed: None, .. }) => {
                "The witness confirms no seal of this ledger.".to_owned()
            }
            Some(WitnessVerdict { witnessed: Some(number), .. }) => {
                format!("The witness confirms the seals up to {number}.")
            }
        });
        lines
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "version": 1,
            "holds": self.holds(),
            "findings": self.findings,
            "unmet": self.unmet,
            "sealed_runs": self.sealed_runs,
            "rows": self.rows,
            "attempts": self.attempts,
            "seals": self.seals.len(),
            "head": self.seals.last().map(ToString::to_string),
            "unsealed": self.unsealed,
            "in_progress": self.in_progress,
            "forgotten": self.forgotten.iter().map(forgotten_json).collect::<Vec<_>>(),
            "signed_by": self.signed_by,
            "witnessed": self.witness.as_ref().and_then(|witness| witness.witnessed),
        })
    }
}
