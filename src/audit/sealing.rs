//! Seals a run that came to rest, from its records as they are read back.

use anyhow::Context as _;
use jiff::Timestamp;

use super::run_digest::{RunDigest, RunDigests};
use super::seal::{
    Continued, Seal, SealWord, SealedBy, SealedClock, SealedFile, SealedInput, SealedProgram,
    SealedState,
};
use crate::hash::Digest;
use crate::ledger::{
    AttemptRecord, BlockTexts, EventKind, EventRecord, Ledger, NewEvent, NewSeal, Purpose,
    RowRecord, Run, SealRecord, StartRecord, timeline,
};

/// What is known when a run is sealed beside its records.
#[derive(Debug, Clone)]
pub struct SealingContext {
    /// The results file that this process wrote; `None` if it wrote none.
    pub results: Option<SealedFile>,
    /// The state of the clock.
    pub clock: SealedClock,
    /// This program.
    pub program: SealedProgram,
}

/// A run's rows and attempts for its next seal. Whoever reads all of them anyway, as the results
/// are written, adds them here, so that sealing need not read them again.
pub struct SealedRecords {
    digest: RunDigest,
    /// The run's last start.
    last_start: i64,
    /// The last start that the seal before covers.
    covered: Option<i64>,
}

impl SealedRecords {
    /// Begins the next seal of the run; `None` if the run was never started, or is sealed as it
    /// is.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub fn begin(ledger: &mut dyn Ledger, run: &Run) -> anyhow::Result<Option<SealedRecords>> {
        let covered = ledger.last_seal(run)?.map(|before| before.start);
        let begun = SealedRecords::new(run, &ledger.starts(run)?, covered);
        Ok(begun.filter(|begun| covered.is_none_or(|covered| covered < begun.last_start)))
    }

    fn new(run: &Run, starts: &[StartRecord], covered: Option<i64>) -> Option<SealedRecords> {
        let last_start = starts.last()?.number;
        let digest = RunDigest::new(run.id(), &run.opened.endpoint, starts, covered);
        Some(SealedRecords { digest, last_start, covered })
    }

    /// Adds the next row of the run, by number, with its attempts.
    pub fn add_row(&mut self, row: &RowRecord, attempts: &[AttemptRecord]) {
        self.digest.add_row(row, attempts);
    }

    /// The digests with those of the events.
    fn finish(mut self, events: &[EventRecord]) -> RunDigests {
        events.iter().for_each(|event| self.digest.add_event(event));
        self.digest.finish()
    }
}

/// Seals a run at rest. Returns the seal that covers its last start, which may be an earlier one;
/// `None` if the run was never started, other processes work on it, or its process died with calls
/// in flight: only the next start of the run records what these came to. `records` are all rows of
/// the run, if they were read since it came to rest.
///
/// # Errors
/// If the ledger cannot be read or written.
pub fn seal_run(
    ledger: &mut dyn Ledger,
    run: &Run,
    context: &SealingContext,
    records: Option<SealedRecords>,
) -> anyhow::Result<Option<SealRecord>> {
    seal_with_event(ledger, run, context, None, records)
}

fn seal_with_event(
    ledger: &mut dyn Ledger,
    run: &Run,
    context: &SealingContext,
    event: Option<NewEvent>,
    records: Option<SealedRecords>,
) -> anyhow::Result<Option<SealRecord>> {
    if !ledger.bring_to_rest(run)? {
        return Ok(None);
    }
    // A process that worked on it with others knows the run by its own end, not by the last one.
    let run = &ledger.run(run.id())?.with_context(|| format!("run {} is gone", run.id()))?;
    let starts = ledger.starts(run)?;
    let Some(last) = starts.last() else { return Ok(None) };
    let before = ledger.last_seal(run)?;
    if let Some(before) = &before
        && before.start >= last.number
    {
        return Ok(Some(before.clone()));
    }
    let covered = before.as_ref().map(|before| before.start);
    let mut events = ledger.events(run)?;
    if let Some(NewEvent { at, kind, detail }) = &event {
        let (kind, detail) = (kind.to_string(), detail.clone());
        events.push(EventRecord { at: *at, kind, start: None, detail });
        timeline::sort(&mut events);
    }
    let of_this_seal =
        |read: &SealedRecords| (read.last_start, read.covered) == (last.number, covered);
    let records = match records.filter(of_this_seal) {
        Some(records) => Some(records),
        None => read(ledger, run, &starts, covered)?,
    };
    let Some(digests) = records.map(|records| records.finish(&events)) else { return Ok(None) };
    let results = match &context.results {
        Some(results) => Some(results.clone()),
        None => recorded_results(ledger, run)?,
    };
    let seal = Seal {
        ledger: word(&ledger.ledger_id()?)?,
        number: 0,
        previous: Digest::ZERO,
        run: word(run.id())?,
        state: state(run, last),
        continues: before.as_ref().map(|before| continued(before, &digests)),
        input: SealedInput {
            digest: run.opened.input_digest.parse().unwrap_or(Digest::ZERO),
            rows: run.rows,
            name: run.opened.input_name.clone(),
        },
        rows: digests.rows.sealed(),
        attempts: digests.attempts.sealed(),
        events: digests.events.sealed(),
        configuration: last.configuration.as_deref().and_then(|digest| digest.parse().ok()),
        results,
        counts: digests.counts,
        opened: run.opened.opened_at,
        finished: run.finished_at,
        by: SealedBy::from(last),
        purpose: purpose(&starts),
        clock: context.clock,
        program: context.program.clone(),
    };
    let blocks = BlockTexts {
        rows: digests.rows.blocks.to_text(),
        attempts: digests.attempts.blocks.to_text(),
        events: digests.events.blocks.to_text(),
    };
    let text = |number, previous| Seal { number, previous, ..seal.clone() }.to_text();
    let new = NewSeal { start: last.number, blocks, event, text: &text };
    Ok(ledger.append_seal(run, &new)?)
}

/// The results file that another process wrote for the run; `None` if several are recorded, since
/// which was the last is not.
fn recorded_results(ledger: &mut dyn Ledger, run: &Run) -> anyhow::Result<Option<SealedFile>> {
    let mut recorded = None;
    for (mark, path) in ledger.results_files(run)? {
        // The other mark of a file is none of its content.
        let Ok(digest) = mark.parse::<Digest>() else { continue };
        let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
        if recorded.replace(SealedFile { digest, name }).is_some() {
            return Ok(None);
        }
    }
    Ok(recorded)
}

/// Seals the runs that are at rest and whose processes died before they sealed them, but not the
/// run with the identifier `except`. Runs that a process works on are left to it.
///
/// # Errors
/// If the ledger cannot be read or written.
pub fn seal_late(
    ledger: &mut dyn Ledger,
    except: &str,
    context: &SealingContext,
) -> anyhow::Result<Vec<SealRecord>> {
    let mut sealed = Vec::new();
    for run in ledger.unsealed()? {
        let key = run.opened.key.clone();
        if run.id() == except || ledger.is_locked(&key)? {
            continue;
        }
        // The lock keeps another process from starting the run meanwhile.
        let Ok(_lock) = ledger.lock_run(&key) else { continue };
        let event = NewEvent {
            at: now_in_microseconds(),
            kind: EventKind::SealedLate,
            detail: String::new(),
        };
        sealed.extend(seal_with_event(ledger, &run, context, Some(event), None)?);
    }
    Ok(sealed)
}

/// Reads the rows and attempts of a run for its next seal.
///
/// # Errors
/// If the ledger cannot be read.
fn read(
    ledger: &mut dyn Ledger,
    run: &Run,
    starts: &[StartRecord],
    covered: Option<i64>,
) -> anyhow::Result<Option<SealedRecords>> {
    let records = SealedRecords::new(run, starts, covered);
    let in_background = |records: SealedRecords| SealedRecords {
        digest: records.digest.in_background(),
        ..records
    };
    let mut records = records.map(in_background);
    if let Some(records) = &mut records {
        ledger.rows_with_attempts(run, &mut |row, attempts| {
            records.add_row(row, attempts);
            Ok(())
        })?;
    }
    Ok(records)
}

/// Whether the attempts that the seal before covers are as they were.
fn continued(before: &SealRecord, digests: &RunDigests) -> Continued {
    // The text is what is sealed; the lists of blocks beside it are not.
    let sealed = before.text.parse::<Seal>();
    let as_it_was =
        sealed.is_ok_and(|sealed| digests.attempts_before == Some(sealed.attempts.digest));
    Continued { number: before.number, as_it_was }
}

/// How the run came to rest.
pub(super) fn state(run: &Run, last: &StartRecord) -> SealedState {
    match &last.stop {
        _ if run.has_ended() => SealedState::Ended,
        Some(code) => SealedState::Stopped(code.clone()),
        None => SealedState::Interrupted,
    }
}

/// The purpose of the newest start that has one.
pub(super) fn purpose(starts: &[StartRecord]) -> Purpose {
    let has_one = |start: &&StartRecord| start.purpose != Purpose::default();
    starts.iter().rev().find(has_one).map(|start| start.purpose.clone()).unwrap_or_default()
}

/// The time in the resolution of both ledgers, so that it is read back as it was sealed.
pub(super) fn now_in_microseconds() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
}

fn word(text: &str) -> anyhow::Result<SealWord> {
    text.parse().with_context(|| format!("\"{text}\" cannot stand in a seal"))
}
