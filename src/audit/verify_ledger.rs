//! Verifies a ledger: recomputes from its rows what every seal states, and reads the chain of
//! seals from number 1.
//!
//! Whoever can write the ledger can make seals anew, cut off the newest runs or put an older copy
//! back: only a head that was kept elsewhere shows it. [`LedgerVerdict::seals`] is what to compare
//! with one.

use std::collections::BTreeMap;

use super::block_digest::{BlockList, LINES_PER_BLOCK};
use super::forgetting::ForgottenRun;
use super::run_digest::{BlockedLines, RunDigest, RunDigests};
use super::seal::{Seal, SealedBy, SealedLines};
use super::sealing;
use super::tables::AuditTable;
use crate::hash::Digest;
use crate::ledger::{Ledger, LostRow, Run, SealRecord, StartRecord};
use crate::model::Counts;

/// The most findings that are kept.
const MOST: usize = 1000;

/// What was found of a ledger.
#[derive(Debug, Clone, Default)]
pub struct LedgerVerdict {
    /// What is wrong, each as a sentence without a point. If it is empty, the sealed runs are as
    /// they were sealed.
    pub findings: Vec<String>,
    /// The number of sealed runs.
    pub sealed_runs: u64,
    /// The number of their rows.
    pub rows: u64,
    /// The number of their attempts.
    pub attempts: u64,
    /// The digest of each seal, from number 1.
    pub seals: Vec<Digest>,
    /// The runs at rest that have no seal for their last start: nothing shows whether they have
    /// changed since.
    pub unsealed: Vec<String>,
    /// The runs in progress, which are not verified beyond what is sealed of them.
    pub in_progress: Vec<String>,
    /// The runs whose rows are not in the ledger any more.
    pub forgotten: Vec<ForgottenRun>,
}

/// Verifies the whole ledger. `progress` is called with the number of rows read so far.
///
/// # Errors
/// If the ledger cannot be read.
pub fn verify_ledger(
    ledger: &mut dyn Ledger,
    progress: &mut dyn FnMut(u64),
) -> anyhow::Result<LedgerVerdict> {
    let mut check = LedgerVerifier { verdict: LedgerVerdict::default(), progress };
    let seals = ledger.seals()?;
    let parsed = check.chain(&ledger.ledger_id()?, &seals);
    let mut newest = BTreeMap::new();
    for (record, seal) in seals.iter().zip(&parsed) {
        newest.insert(record.run.clone(), (record, seal));
    }
    for (id, (record, seal)) in newest {
        let Some(run) = ledger.run(&id)? else {
            check.add(format!("run {id}: it is missing, and seal {} covers it", record.number));
            continue;
        };
        if let Some(forgotten) = seal.as_ref().and_then(ForgottenRun::from_seal) {
            check.forgotten(ledger, &run, forgotten, &parsed)?;
            continue;
        }
        check.verdict.sealed_runs += 1;
        if run.forgotten_at.is_some() {
            check.add(format!("run {id}: its rows are marked as removed, and no seal says so"));
        } else if let Some(seal) = seal {
            check.run(ledger, &run, record, seal)?;
        }
    }
    check.configurations(ledger)?;
    for run in ledger.unsealed()? {
        let is_in_progress = ledger.is_locked(&run.opened.key)?;
        if is_in_progress {
            check.verdict.in_progress.push(run.id().to_owned());
        } else {
            check.unsealed(ledger, &run)?;
            check.verdict.unsealed.push(run.id().to_owned());
        }
    }
    Ok(check.verdict)
}

struct LedgerVerifier<'p> {
    verdict: LedgerVerdict,
    progress: &'p mut dyn FnMut(u64),
}

impl LedgerVerifier<'_> {
    fn add(&mut self, finding: String) {
        if self.verdict.findings.len() < MOST {
            self.verdict.findings.push(finding);
        }
    }

    /// Reads the chain of seals. Returns each seal that can be read.
    fn chain(&mut self, ledger: &str, seals: &[SealRecord]) -> Vec<Option<Seal>> {
        let mut previous = Digest::ZERO;
        let mut parsed = Vec::new();
        for (expected, record) in (1..).zip(seals) {
            let number = record.number;
            let digest = Digest::new(&record.text);
            if number != expected {
                self.add(format!("seal {expected}: it is missing; the next one is {number}"));
            }
            if record.digest != digest.to_string() {
                self.add(format!(
                    "seal {number}: its text does not have the digest {}",
                    record.digest
                ));
            }
            let seal: Option<Seal> = match record.text.parse() {
                Ok(seal) => Some(seal),
                Err(cause) => {
                    self.add(format!("seal {number}: it cannot be read: {cause}"));
                    None
                }
            };
            if record.previous != previous.to_string() {
                self.add(format!(
                    "seal {number}: the seal before it is not the one recorded with it"
                ));
            }
            if let Some(seal) = &seal {
                if seal.number != number || seal.run.as_str() != record.run {
                    self.add(format!("seal {number}: its text is that of another seal"));
                }
                if seal.previous != previous {
                    self.add(format!("seal {number}: it does not follow the seal before it"));
                }
                if seal.ledger.as_str() != ledger {
                    self.add(format!("seal {number}: it is of another ledger, {}", seal.ledger));
                }
            }
            previous = digest;
            self.verdict.seals.push(digest);
            parsed.push(seal);
        }
        parsed
    }

    /// Holds what stays of a forgotten run against the seal that says so, and that seal against the one
    /// before it of the run.
    fn forgotten(
        &mut self,
        ledger: &mut dyn Ledger,
        run: &Run,
        forgotten: ForgottenRun,
        seals: &[Option<Seal>],
    ) -> anyhow::Result<()> {
        let (id, number) = (run.id(), forgotten.seal);
        if run.forgotten_at != Some(forgotten.forgetting.at) {
            self.add(format!(
                "run {id}: seal {number} says that its rows are removed, and its record does not"
            ));
        }
        let kept = ledger.kept_orders(run)?;
        let kept = SealedLines { lines: kept.orders, digest: kept.digest };
        if kept != forgotten.forgetting.kept {
            self.add(format!(
                "run {id}: the orders that it is known to have cancelled are not those of seal {number}"
            ));
        }
        let of = |number: u64| {
            seals.iter().flatten().find(|seal| seal.number == number && seal.run.as_str() == id)
        };
        let seal = of(number);
        let before = seal.and_then(|seal| of(seal.continues?.number));
        let same = |seal: &Seal, before: &Seal| {
            let lines = |seal: &Seal| (seal.rows, seal.attempts, seal.events, seal.input.clone());
            lines(seal) == lines(before) && seal.has_counts(&before.counts)
        };
        if !seal.zip(before).is_some_and(|(seal, before)| same(seal, before)) {
            self.add(format!(
                "run {id}: seal {number} does not state what the seal before it does"
            ));
        }
        self.verdict.forgotten.push(forgotten);
        Ok(())
    }

    /// Holds the recorded counts of a run at rest that has no seal yet against its rows.
    fn unsealed(&mut self, ledger: &mut dyn Ledger, run: &Run) -> anyhow::Result<()> {
        let starts = ledger.starts(run)?;
        let (_, ended) = match self.read(ledger, run, &starts, 0) {
            Ok(read) => read,
            Err(cause) if cause.is::<LostRow>() => {
                self.add(cause.to_string());
                return Ok(());
            }
            Err(cause) => return Err(cause),
        };
        let now = ledger.run(run.id())?;
        let goes_on = ledger.starts(run)?.len() > starts.len();
        if !goes_on && now.is_some_and(|now| ended != now.counts) {
            let id = run.id();
            self.add(format!("run {id}: the recorded counts are not those of its rows"));
        }
        Ok(())
    }

    /// Holds a run against its newest seal.
    fn run(
        &mut self,
        ledger: &mut dyn Ledger,
        run: &Run,
        record: &SealRecord,
        seal: &Seal,
    ) -> anyhow::Result<()> {
        let starts = ledger.starts(run)?;
        if !starts.iter().any(|start| start.number == record.start) {
            self.add(format!(
                "seal {}: it covers a start that the run does not have",
                record.number
            ));
        }
        if let Some(results) = &seal.results {
            let digest = results.digest.to_string();
            if !ledger.results_files(run)?.iter().any(|(mark, _)| *mark == digest) {
                let number = record.number;
                self.add(format!(
                    "run {}: its results file is not that of seal {number}",
                    run.id()
                ));
            }
        }
        let (digests, ended) = match self.read(ledger, run, &starts, record.start) {
            Ok(read) => read,
            Err(cause) if cause.is::<LostRow>() => {
                self.add(cause.to_string());
                return Ok(());
            }
            Err(cause) => return Err(cause),
        };
        // Looked up afterwards: it may have been started again while it was read.
        let last = ledger.starts(run)?.last().map(|last| last.number);
        let goes_on = last.is_some_and(|last| last > record.start);
        let id = run.id();
        if goes_on {
            // It was started again: what it did before is as it was sealed, or not.
            if digests.attempts_before != Some(seal.attempts.digest) {
                self.add(format!("run {id}: its attempts are not those of seal {}", record.number));
            }
            return Ok(());
        }
        for (table, lines, sealed, blocks) in [
            (AuditTable::Rows, &digests.rows, seal.rows, &record.blocks.rows),
            (AuditTable::Attempts, &digests.attempts, seal.attempts, &record.blocks.attempts),
            (AuditTable::Events, &digests.events, seal.events, &record.blocks.events),
        ] {
            self.table(id, table, lines, sealed, blocks);
        }
        if !seal.has_counts(&digests.counts) {
            self.add(format!("run {id}: its counts are not those of seal {}", record.number));
        }
        if ended != run.counts {
            self.add(format!("run {id}: the recorded counts are not those of its rows"));
        }
        if digests.attempts.lines != run.attempts {
            self.add(format!("run {id}: the recorded number of attempts is not that of its rows"));
        }
        for what in differences(run, &starts, seal) {
            self.add(format!("run {id}: {what} is not that of seal {}", record.number));
        }
        Ok(())
    }

    /// Reads a run, and counts the rows that have ended.
    fn read(
        &mut self,
        ledger: &mut dyn Ledger,
        run: &Run,
        starts: &[StartRecord],
        before: i64,
    ) -> anyhow::Result<(RunDigests, Counts)> {
        let digest = RunDigest::new(run.id(), &run.opened.endpoint, starts, Some(before));
        let mut digest = digest.in_background();
        let mut ended = Counts::default();
        let mut twice = Vec::new();
        let LedgerVerdict { rows, attempts: calls, .. } = &mut self.verdict;
        let progress = &mut self.progress;
        ledger.rows_with_attempts(run, &mut |row, attempts| {
            digest.add_row(row, attempts);
            // An attempt with a status ended the row, and is the last one then.
            if attempts.iter().filter(|attempt| attempt.status.is_some()).count() > 1 {
                twice.push(format!("run {}: row {} has two results", run.id(), row.row));
            }
            if row.has_ended {
                ended.add_row(row.status, row.doubt);
            }
            *rows += 1;
            *calls += attempts.len() as u64;
            if rows.is_multiple_of(LINES_PER_BLOCK) {
                progress(*rows);
            }
            Ok(())
        })?;
        twice.into_iter().take(MOST).for_each(|finding| self.add(finding));
        ledger.events(run)?.iter().for_each(|event| digest.add_event(event));
        Ok((digest.finish(), ended))
    }

    /// Holds the lines of a run in one table against its seal, and names what differs.
    fn table(
        &mut self,
        id: &str,
        table: AuditTable,
        lines: &BlockedLines,
        sealed: SealedLines,
        blocks: &str,
    ) {
        if lines.sealed() == sealed {
            return;
        }
        let name = format!("{}.csv", table.name());
        let Some(known) =
            blocks.parse::<BlockList>().ok().filter(|known| known.digest() == sealed.digest)
        else {
            self.add(format!("run {id}: its lines in {name} have changed; the list of blocks that would tell where has too"));
            return;
        };
        for block in lines.blocks.differing(&known) {
            let first = (block as u64).saturating_mul(LINES_PER_BLOCK).saturating_add(1);
            let last = first.saturating_add(LINES_PER_BLOCK - 1).min(sealed.lines.max(lines.lines));
            let block = block + 1;
            self.add(format!(
                "run {id}: block {block} of its lines in {name} has changed (lines {first} to {last})"
            ));
        }
    }

    /// Holds each configuration against its digest.
    fn configurations(&mut self, ledger: &mut dyn Ledger) -> anyhow::Result<()> {
        let mut digests = BTreeMap::new();
        for run in ledger.runs()? {
            for start in ledger.starts(&run)? {
                if let Some(digest) = start.configuration {
                    digests.entry(digest).or_insert_with(|| run.id().to_owned());
                }
            }
        }
        for (digest, run) in digests {
            match ledger.configuration(&digest)? {
                Some(text) if Digest::new(&text).to_string() == digest => {}
                Some(_) => self.add(format!("run {run}: its configuration {digest} has changed")),
                None => self.add(format!("run {run}: its configuration {digest} is missing")),
            }
        }
        Ok(())
    }
}

/// What a run and its starts have that differs from the seal.
fn differences(run: &Run, starts: &[StartRecord], seal: &Seal) -> Vec<&'static str> {
    let last = starts.last();
    let input = (seal.input.digest.to_string(), seal.input.rows, seal.input.name.as_str());
    let state = last.map(|last| sealing::state(run, last));
    let configuration = last.and_then(|last| last.configuration.as_deref()?.parse().ok());
    // The text has the process too, which is no part of the seal.
    let is_named =
        |start: &StartRecord| start.by.as_ref().is_none_or(|by| by.to_string() == start.worker);
    let are_named = starts.iter().all(is_named);
    let checks = [
        ("its input", input == (run.opened.input_digest.clone(), run.rows, &run.opened.input_name)),
        ("its state", state.as_ref() == Some(&seal.state)),
        ("the time at which it was opened", run.opened.opened_at == seal.opened),
        ("the time at which it finished", run.finished_at == seal.finished),
        ("its configuration", configuration == seal.configuration),
        ("who started it", last.map(SealedBy::from).as_ref() == Some(&seal.by) && are_named),
        ("its purpose", sealing::purpose(starts) == seal.purpose),
    ];
    checks.into_iter().filter(|(_, agrees)| !agrees).map(|(what, _)| what).collect()
}
