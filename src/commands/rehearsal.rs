//! A rehearsal: a whole run against the built-in simulator, and the comparison of
//! the two records afterwards.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use anyhow::Context;
use jiff::Timestamp;

use crate::ledger::{Ledger, LedgerError, LedgerLocation, RowRecord, Run, SharedLedgerTimeouts};
use crate::model::{Order, Status};
use crate::output::human_count;
use crate::simulator::{InitialState, OrderState, Simulator, SimulatorSettings, Stats};

/// The seed of a rehearsal when the configuration names none.
const SEED: u64 = 1;

/// The settings of the simulator: those of the `[rehearsal]` table, without any fault that it
/// does not name; without a table, some faults of most kinds.
pub fn settings(table: Option<toml::Table>) -> anyhow::Result<SimulatorSettings> {
    let Some(table) = table else { return Ok(SimulatorSettings::default_faults(SEED)) };
    table.try_into().context("the [rehearsal] table of the configuration")
}

/// Opens the ledger of the rehearsals. One that an older version of the program wrote is set aside,
/// and a new one begun: nothing in it is worth keeping, and nobody named it.
///
/// # Errors
/// If the ledger cannot be used for another reason, or cannot be set aside.
pub fn open_ledger(
    location: &LedgerLocation,
    timeouts: SharedLedgerTimeouts,
) -> Result<Box<dyn Ledger>, LedgerError> {
    match (location, location.open(timeouts)) {
        (LedgerLocation::File(path), Err(LedgerError::Older { .. })) => {
            let aside = set_aside(path, Timestamp::now())
                .map_err(|cause| LedgerError::Open { path: path.display().to_string(), cause })?;
            tracing::warn!(
                "the ledger of rehearsals {} is of an older version: it is now {}, and a new one is begun",
                path.display(),
                aside.display()
            );
            location.open(timeouts)
        }
        (_, opened) => opened,
    }
}

/// Renames a ledger and the files beside it. Returns its new path.
fn set_aside(path: &Path, at: Timestamp) -> io::Result<PathBuf> {
    let named = |ending: &str| {
        let mut name = OsString::from(path);
        name.push(ending);
        PathBuf::from(name)
    };
    let aside = at.strftime(".older-%Y%m%dT%H%M%SZ").to_string();
    // The ledger itself comes last: without it, the files beside it would be refused.
    for beside in ["-wal", "-shm", ""] {
        match std::fs::rename(named(beside), named(&format!("{aside}{beside}"))) {
            Err(absent) if absent.kind() == ErrorKind::NotFound && !beside.is_empty() => {}
            renamed => renamed?,
        }
    }
    Ok(named(&aside))
}

/// The simulator's record beside the results.
pub struct Comparison {
    stats: Stats,
    cancelled: u64,
    untrue: Vec<String>,
}

/// Stops the simulator and holds every row of the run against its record.
pub async fn compare(
    simulator: Simulator,
    run: &Run,
    ledger: &mut dyn Ledger,
) -> anyhow::Result<Comparison> {
    let orders = simulator.orders();
    let stats = simulator.stop().await;
    let mut comparison = Comparison { stats, cancelled: 0, untrue: Vec::new() };
    let rows = ledger.orders(run)?;
    ledger.rows(run, &mut |record| {
        comparison.hold_against(record, rows.get(&record.row), &orders);
        Ok(())
    })?;
    Ok(comparison)
}

impl Comparison {
    fn hold_against(
        &mut self,
        record: &RowRecord,
        order: Option<&Order>,
        orders: &BTreeMap<Order, OrderState>,
    ) {
        if record.carried_over {
            // It was sent to another server.
            return;
        }
        self.cancelled += u64::from(record.status == Status::Cancelled);
        let Some(order) = order else { return };
        let state = orders.get(order);
        let cancelled = state.is_some_and(|state| state.cancelled);
        let before =
            state.is_some_and(|state| state.initial_state == InitialState::CancelledBefore);
        let is_true = match record.status {
            Status::Cancelled => cancelled,
            Status::AlreadyCancelled => cancelled || before,
            Status::Rejected | Status::Failed | Status::NotSent => !cancelled || record.doubt,
            Status::InDoubt | Status::Invalid | Status::Duplicate => true,
        };
        if !is_true {
            self.untrue.push(format!("row {}: {}, order {order}", record.row, record.status));
        }
    }

    /// The comparison in words.
    pub fn text(&self) -> String {
        let stats = &self.stats;
        let faulted: u64 = stats.faults.values().sum();
        let mut lines = vec![
            format!(
                "Simulator: {} calls received, {} orders cancelled; {} calls lost, failed or refused on purpose",
                human_count(stats.requests),
                human_count(stats.orders_cancelled),
                human_count(faulted)
            ),
            format!("Results:  {} orders cancelled", human_count(self.cancelled)),
        ];
        let more = stats.orders_cancelled.saturating_sub(self.cancelled);
        if more > 0 {
            lines.push(format!(
                "          and {} by a call whose answer was lost: the results have doubt there",
                human_count(more)
            ));
        }
        if self.untrue.is_empty() {
            lines.push("Every result agrees with the simulator's own record".to_owned());
        } else {
            lines.push("RESULTS THAT DISAGREE WITH THE SIMULATOR'S RECORD:".to_owned());
            lines.extend(self.untrue.iter().map(|row| format!("  {row}")));
        }
        lines.join("\n")
    }

    /// The comparison for programs.
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({ "simulator": self.stats, "disagreeing_rows": self.untrue })
    }
}
