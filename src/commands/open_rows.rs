//! The rows that still need work, over all runs at one address.

use std::collections::{BTreeSet, HashSet};

use anyhow::bail;
use url::Url;

use super::target::name_of;
use crate::input::shown;
use crate::ledger::{Ledger, OnRecord, RowRecord, Run};
use crate::model::Order;
use crate::output::rows;

/// How many orders are looked up at a time.
const BATCH_ROWS: usize = 1000;

/// The open rows of all runs at one address.
pub struct OpenRows {
    endpoint: String,
    /// If it is set, this run and later ones do not count.
    before: Option<Box<Run>>,
}

impl OpenRows {
    /// Those at the address with this name.
    pub fn of(endpoint: String) -> OpenRows {
        OpenRows { endpoint, before: None }
    }

    /// Those that were open before this run was created, as far as the runs before it are unchanged.
    pub fn before(self, run: Run) -> OpenRows {
        OpenRows { before: Some(Box::new(run)), ..self }
    }

    /// Those at this address; without one, at the only address that the ledger has runs of.
    ///
    /// # Errors
    /// If the ledger cannot be read, or has runs of several addresses and none is given.
    pub fn at(ledger: &mut dyn Ledger, url: Option<&Url>) -> anyhow::Result<OpenRows> {
        if let Some(url) = url {
            return Ok(OpenRows::of(name_of(url)));
        }
        let mut endpoints = endpoints(&ledger.runs()?);
        if endpoints.len() > 1 {
            bail!(
                "the ledger has runs at several addresses, {}: name one with --url or --profile",
                names(&endpoints)
            )
        }
        Ok(OpenRows::of(endpoints.pop_first().unwrap_or_default()))
    }

    /// Says at which addresses the ledger has runs, if it has none at this one.
    fn no_run_remark(&self, runs: &[Run]) -> Option<String> {
        let endpoints = endpoints(runs);
        if endpoints.is_empty() || endpoints.contains(&self.endpoint) {
            return None;
        }
        let (here, there) = (shown(&self.endpoint), names(&endpoints));
        Some(format!("the ledger has no run at {here}; it has runs at {there}"))
    }

    /// Calls `each` with every open row and its run, the newest run first. Returns what was left
    /// out, and whether there is no run, as sentences without a point. `lookups` is the same ledger,
    /// opened once more.
    ///
    /// # Errors
    /// Those of the ledger and of `each`.
    pub fn read(
        &self,
        ledger: &mut dyn Ledger,
        lookups: &mut dyn Ledger,
        each: &mut dyn FnMut(&RowRecord, &Run) -> anyhow::Result<()>,
    ) -> anyhow::Result<Vec<String>> {
        let mut remarks = Vec::new();
        let mut runs = ledger.runs()?;
        remarks.extend(self.no_run_remark(&runs));
        let counts = |run: &Run| self.before.as_ref().is_none_or(|before| run.is_before(before));
        runs.retain(|run| run.opened.endpoint == self.endpoint && counts(run));
        let mut latest = LatestRows { before: self.before.clone(), ..LatestRows::default() };
        for run in &runs {
            if latest.of_run(run, ledger, lookups, each)? {
                let (id, left) = (run.id(), rows(run.rows.saturating_sub(run.counts.total())));
                remarks.push(format!(
                    "run {id} is in progress: the {left} that have not ended are not listed"
                ));
            }
        }
        Ok(remarks)
    }
}

/// The addresses of these runs.
fn endpoints(runs: &[Run]) -> BTreeSet<String> {
    runs.iter().map(|run| run.opened.endpoint.clone()).collect()
}

fn names(endpoints: &BTreeSet<String>) -> String {
    endpoints.iter().map(|name| shown(name)).collect::<Vec<_>>().join(", ")
}

/// Finds the open rows after which nothing else is on record of their order. The runs are given to
/// it from the newest to the oldest.
#[derive(Default)]
pub struct LatestRows {
    /// The orders of rows that a rerun carried over, with their endpoints, in the runs so far.
    carried_over: HashSet<(String, Order)>,
    /// If it is set, what this run and later ones have on record does not count.
    before: Option<Box<Run>>,
}

impl LatestRows {
    /// Calls `each` with those of a run. Returns whether a process works on it: then rows that have
    /// not ended are left out. `lookups` is the same ledger, opened once more.
    ///
    /// # Errors
    /// Those of the ledger and of `each`.
    pub fn of_run(
        &mut self,
        run: &Run,
        ledger: &mut dyn Ledger,
        lookups: &mut dyn Ledger,
        each: &mut dyn FnMut(&RowRecord, &Run) -> anyhow::Result<()>,
    ) -> anyhow::Result<bool> {
        if run.forgotten_at.is_some() {
            return Ok(false);
        }
        let is_in_progress = !run.has_ended() && ledger.is_locked(&run.opened.key)?;
        let mut batch = Vec::new();
        ledger.open_rows(run, &mut |row| {
            if row.has_ended || !is_in_progress {
                batch.push(row.clone());
            }
            if batch.len() == BATCH_ROWS {
                self.of(run, &mut batch, lookups, each)?;
            }
            Ok(())
        })?;
        self.of(run, &mut batch, lookups, each)?;
        Ok(is_in_progress)
    }

    /// Calls `each` with those of the batch, and empties it.
    fn of(
        &mut self,
        run: &Run,
        batch: &mut Vec<RowRecord>,
        lookups: &mut dyn Ledger,
        each: &mut dyn FnMut(&RowRecord, &Run) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let endpoint = &run.opened.endpoint;
        // A row without an order is invalid, and not open.
        batch.retain(|row| row.order.is_some());
        let orders: Vec<Order> = batch.iter().filter_map(|row| row.order).collect();
        let on_record = lookups.on_record(endpoint, &orders)?;
        for ((row, order), mut on_record) in batch.drain(..).zip(orders).zip(on_record) {
            if let Some(before) = &self.before {
                on_record.retain(|its| its.is_before(before));
            }
            let is_copy = row.carried_over && !self.carried_over.insert((endpoint.clone(), order));
            if !is_copy && is_latest(run, &row, &on_record) {
                each(&row, run)?;
            }
        }
        Ok(())
    }
}

/// Whether a run's open row tells how its order stands: no row on record ranks above it. A row that
/// was carried over is a copy of another one, unless that one is on record nowhere.
fn is_latest(run: &Run, row: &RowRecord, on_record: &[OnRecord]) -> bool {
    let sent = on_record.iter().filter(|its| !its.carried_over);
    let Some(latest) = sent.max_by_key(|its| its.rank()) else { return true };
    latest.is_of(run) && !row.carried_over
}
