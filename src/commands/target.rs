//! Where the calls go: CoreCARD, or in a rehearsal the simulator.

use anyhow::Context;
use jiff::Timestamp;
use url::Url;

use super::rehearsal;
use crate::config::TargetSettings;
use crate::ledger::Run;
use crate::simulator::{self, Simulator};

/// Where the calls go.
pub struct Target {
    /// The base URL.
    pub url: Url,
    /// Its name in the ledger: what was cancelled counts only at the same one.
    pub name: String,
    /// The simulator, in a rehearsal.
    pub simulator: Option<Simulator>,
}

/// How the names of simulators in the ledger begin.
const SIMULATOR_OF: &str = "simulator of ";

/// Whether a run is a rehearsal.
pub fn is_rehearsal(run: &Run) -> bool {
    run.opened.endpoint.starts_with(SIMULATOR_OF)
}

/// The name in the ledger of CoreCARD at this address.
pub fn name_of(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

impl Target {
    /// Determines the target; in a rehearsal, starts the simulator.
    pub async fn open(target: TargetSettings) -> anyhow::Result<Target> {
        match target {
            TargetSettings::CoreCard(url) => {
                let name = name_of(&url);
                Ok(Target { url, name, simulator: None })
            }
            TargetSettings::Rehearsal(table) => {
                let simulator = simulator::start(rehearsal::settings(table)?).await;
                let simulator =
                    simulator.context("the rehearsal cannot start: check [rehearsal]")?;
                // Each simulator is a new one, on whatever port it listens.
                let name = format!("{SIMULATOR_OF}{}", Timestamp::now());
                Ok(Target { url: simulator.url().parse()?, name, simulator: Some(simulator) })
            }
        }
    }

    /// Whether nothing real can happen there.
    pub fn is_rehearsal(&self) -> bool {
        self.simulator.is_some()
    }
}
