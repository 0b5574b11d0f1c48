//! What the page of a run is made of: read from the ledger in one pass over its rows, in memory that
//! does not grow with them.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::error_codes::{CodeLine, ErrorCodes};
use super::exceptions::{ExceptionLine, Exceptions};
use super::seal_check::SealCheck;
use super::time_line::{DOUBT, Latencies, TimeLine, TimeSeries};
use crate::audit::RunDigest;
use crate::ledger::{EventRecord, Ledger, Run, StartRecord};
use crate::model::{Counts, Status};
use crate::policy::rate::{Rate, Rates};

/// What the ledger has on a run.
pub(super) struct ReportFacts {
    pub run: Run,
    pub starts: Vec<StartRecord>,
    pub events: Vec<EventRecord>,
    /// The settings in force by their digest, as TOML.
    pub configurations: BTreeMap<String, String>,
    /// The results files: digest or mark, and path.
    pub results: Vec<(String, String)>,
    /// The runs that wrote the input.
    pub continues: Vec<String>,
    /// The newest seal, held against what was read; `None` if there is none.
    pub seal: Option<SealCheck>,
    /// The rows by status, as they were read.
    pub counts: Counts,
    /// The attempts, as they were read.
    pub attempts: u64,
    /// Those that were sent.
    pub sent: u64,
    /// Those of which surely nothing was sent.
    pub unsent: u64,
    /// Those whose answer was lost.
    pub lost: u64,
    /// Those that are recorded without an end.
    pub in_flight: u64,
    /// Rows for whose order an answer was lost, by status.
    pub doubts: BTreeMap<Status, u64>,
    /// The attempts of each start.
    pub attempts_by_start: BTreeMap<i64, u64>,
    pub series: TimeSeries,
    /// The rate that is drawn as a line.
    pub contract: Option<Rate>,
    pub latencies: Option<Latencies>,
    /// The most frequent codes, and the numbers of those left out: of codes, and of their rows.
    pub codes: (Vec<CodeLine>, usize, u64),
    /// The first rows that a person must look at, and how many there are.
    pub exceptions: (Vec<ExceptionLine>, u64),
}

impl ReportFacts {
    /// Reads a run.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub fn read(ledger: &mut dyn Ledger, run: &Run) -> anyhow::Result<ReportFacts> {
        // Read first: one that is made meanwhile may cover more than is read here.
        let seal = ledger.last_seal(run)?;
        let starts = ledger.starts(run)?;
        let events = ledger.events(run)?;
        let mut configurations = BTreeMap::new();
        for digest in starts.iter().filter_map(|start| start.configuration.as_ref()) {
            if !configurations.contains_key(digest)
                && let Some(text) = ledger.configuration(digest)?
            {
                configurations.insert(digest.clone(), text);
            }
        }
        let mut continues = ledger.results_of(&run.opened.input_digest)?;
        continues.retain(|id| id != run.id());
        let results = ledger.results_files(run)?;

        let rates = rates(&starts);
        let mut line = TimeLine::new(rates.first().map_or(1, seconds));
        starts
            .iter()
            .flat_map(|start| [Some(start.started_at), start.finished_at])
            .flatten()
            .for_each(|at| line.touch(at));
        let opened = &run.opened;
        let mut digest = RunDigest::new(&opened.id, &opened.endpoint, &starts, None);
        let mut latencies = Latencies::new();
        let (mut codes, mut exceptions) = (ErrorCodes::default(), Exceptions::default());
        let (mut attempts, mut sent, mut unsent) = (0, 0, 0);
        let (mut lost, mut in_flight) = (0, 0);
        let mut doubts = BTreeMap::new();
        let mut attempts_by_start = BTreeMap::new();
        ledger.rows_with_attempts(run, &mut |row, made| {
            digest.add_row(row, made);
            codes.add(row);
            exceptions.add(row);
            if row.doubt {
                *doubts.entry(row.status).or_default() += 1;
            }
            for attempt in made {
                attempts += 1;
                sent += u64::from(attempt.sent_at.is_some());
                let is_lost = attempt.verdict == DOUBT;
                let is_unsent = attempt.sent_at.is_none() && attempt.ended_at.is_some() && !is_lost;
                unsent += u64::from(is_unsent);
                lost += u64::from(is_lost);
                in_flight += u64::from(attempt.ended_at.is_none());
                if let Some(start) = attempt.start {
                    *attempts_by_start.entry(start).or_default() += 1;
                }
                line.add(attempt);
                if let Some(latencies) = &mut latencies {
                    latencies.add(attempt);
                }
            }
            Ok(())
        })?;
        events.iter().for_each(|event| digest.add_event(event));
        let digests = digest.finish();
        let resumed: Vec<Timestamp> = starts.iter().skip(1).map(|start| start.started_at).collect();
        let series = line.finish(&resumed);
        let contract = rates.iter().rev().find(|rate| seconds(rate) <= series.width).copied();
        let last_starts = ledger.starts(run)?;
        let seal = match seal {
            Some(seal) => {
                let receipt = ledger.receipt(seal.number)?;
                Some(SealCheck::new(seal, receipt.as_deref(), &last_starts, &digests))
            }
            None => None,
        };
        Ok(ReportFacts {
            run: run.clone(),
            starts,
            events,
            configurations,
            results,
            continues,
            seal,
            counts: digests.counts,
            attempts,
            sent,
            unsent,
            lost,
            in_flight,
            doubts,
            attempts_by_start,
            series,
            contract,
            latencies,
            codes: codes.finish(),
            exceptions: exceptions.finish(),
        })
    }

    /// When the run came to rest; `None` if its last process died.
    pub fn finished_at(&self) -> Option<Timestamp> {
        self.run.finished_at
    }
}

/// The rates of the last start that recorded them, the shortest window first.
fn rates(starts: &[StartRecord]) -> Vec<Rate> {
    let recorded = starts.iter().rev().find_map(|start| start.rates.as_ref());
    let rates = recorded.and_then(|rates| rates.parse::<Rates>().ok());
    rates.map_or_else(Vec::new, |rates| rates.binding())
}

fn seconds(rate: &Rate) -> i64 {
    rate.period.duration().as_secs().try_into().unwrap_or(1)
}
