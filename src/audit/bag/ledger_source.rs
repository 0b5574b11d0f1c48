//! Reads what is exported from a ledger.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};

use super::source::{BagSource, BaggedRun, BaggedSeal, SealedBlocks};
use crate::hash::ParseDigestError;
use crate::ledger::{
    AttemptRecord, BlockTexts, EventRecord, Ledger, RowRecord, Run, SealRecord, StartRecord,
};

/// How often the progress is reported, in rows.
const REPORTED_ROWS: u64 = 10_000;

/// Makes the page about a run.
type PageMaker<'l> = &'l mut dyn FnMut(&mut dyn Ledger, &Run) -> anyhow::Result<String>;

/// Whole runs of a ledger.
pub struct LedgerSource<'l> {
    ledger: &'l mut dyn Ledger,
    runs: Vec<Run>,
    /// The last start of each run as the export began.
    last_starts: BTreeMap<String, Option<i64>>,
    rows: u64,
    progress: &'l mut dyn FnMut(u64),
    report: Option<PageMaker<'l>>,
}

impl<'l> LedgerSource<'l> {
    /// These runs, oldest first. `progress` is called with the number of rows read so far.
    pub fn new(
        ledger: &'l mut dyn Ledger,
        runs: Vec<Run>,
        progress: &'l mut dyn FnMut(u64),
    ) -> LedgerSource<'l> {
        let last_starts = BTreeMap::new();
        LedgerSource { ledger, runs, last_starts, rows: 0, progress, report: None }
    }

    /// The same with a page about each run.
    pub fn with_reports(self, report: PageMaker<'l>) -> LedgerSource<'l> {
        LedgerSource { report: Some(report), ..self }
    }

    fn find(&self, id: &str) -> anyhow::Result<&Run> {
        let run = self.runs.iter().find(|run| run.id() == id);
        run.with_context(|| format!("run {id} is not exported"))
    }
}

impl BagSource for LedgerSource<'_> {
    fn ledger(&mut self) -> anyhow::Result<String> {
        Ok(self.ledger.ledger_id()?)
    }

    fn runs(&mut self) -> anyhow::Result<Vec<BaggedRun>> {
        let mut runs = Vec::new();
        for run in &self.runs {
            let starts = self.ledger.starts(run)?;
            let last = last_number(&starts);
            self.last_starts.insert(run.id().to_owned(), last);
            // A seal that covers fewer starts says nothing of what the later ones did.
            let covers = |seal: &SealRecord| last.is_some_and(|last| seal.start >= last);
            runs.push(BaggedRun {
                opened: run.opened.clone(),
                has_ended: run.has_ended(),
                stop: run.stop.clone(),
                finished_at: run.finished_at,
                seal: self.ledger.last_seal(run)?.filter(covers).map(|seal| seal.number),
                starts,
            });
        }
        Ok(runs)
    }

    fn rows_with_attempts(
        &mut self,
        run: &str,
        each: &mut dyn FnMut(&RowRecord, &[AttemptRecord]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let run = self.find(run)?.clone();
        let LedgerSource { ledger, rows, progress, .. } = self;
        ledger.rows_with_attempts(&run, &mut |row, attempts| {
            each(row, attempts)?;
            *rows += 1;
            if rows.is_multiple_of(REPORTED_ROWS) {
                progress(*rows);
            }
            Ok(())
        })
    }

    fn events(&mut self, run: &str) -> anyhow::Result<Vec<EventRecord>> {
        let run = self.find(run)?.clone();
        let events = self.ledger.events(&run)?;
        // If it was started again meanwhile, its rows, which were read before, may be of both starts.
        let last = last_number(&self.ledger.starts(&run)?);
        if self.last_starts.get(run.id()).is_some_and(|began| *began != last) {
            bail!(
                "run {} was started again while it was read: export it once it has finished",
                run.id()
            );
        }
        Ok(events)
    }

    fn configuration(&mut self, digest: &str) -> anyhow::Result<Option<String>> {
        Ok(self.ledger.configuration(digest)?)
    }

    fn report(&mut self, run: &str) -> anyhow::Result<Option<String>> {
        let run = self.find(run)?.clone();
        let LedgerSource { ledger, report, .. } = self;
        report.as_mut().map(|report| report(*ledger, &run)).transpose()
    }

    fn seals(
        &mut self,
        each: &mut dyn FnMut(BaggedSeal) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let heads = self.ledger.seal_heads()?.into_iter();
        let with_receipt: BTreeSet<u64> =
            heads.filter(|head| head.receipt_at.is_some()).map(|head| head.number).collect();
        for SealRecord { number, text, blocks, .. } in self.ledger.seals()? {
            let receipt =
                if with_receipt.contains(&number) { self.ledger.receipt(number)? } else { None };
            each(BaggedSeal { number, text, receipt, blocks: sealed_blocks(&blocks).ok() })?;
        }
        Ok(())
    }
}

fn last_number(starts: &[StartRecord]) -> Option<i64> {
    starts.last().map(|start| start.number)
}

/// The digests of the blocks; an error if they have been altered.
fn sealed_blocks(texts: &BlockTexts) -> Result<SealedBlocks, ParseDigestError> {
    Ok(SealedBlocks {
        rows: texts.rows.parse()?,
        attempts: texts.attempts.parse()?,
        events: texts.events.parse()?,
    })
}
