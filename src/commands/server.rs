//! Where the calls go: CoreCARD, or in a rehearsal the stand-in.

use anyhow::Context;
use jiff::Timestamp;
use url::Url;

use super::rehearsal;
use crate::config::Target;
use crate::stand_in::{self, StandIn};

/// Where the calls go.
pub struct Server {
    /// The base URL.
    pub url: Url,
    /// Its name in the ledger: what was cancelled counts only at the same one.
    pub name: String,
    /// The stand-in, in a rehearsal.
    pub stand_in: Option<StandIn>,
}

/// The name in the ledger of CoreCARD at this address.
pub fn name_of(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

impl Server {
    /// Finds the target; in a rehearsal, starts the stand-in.
    pub async fn open(target: Target) -> anyhow::Result<Server> {
        match target {
            Target::CoreCard(url) => {
                let name = name_of(&url);
                Ok(Server { url, name, stand_in: None })
            }
            Target::Rehearsal(table) => {
                let stand_in = stand_in::start(rehearsal::settings(table)?).await;
                let stand_in = stand_in.context("the rehearsal cannot begin: see [rehearsal]")?;
                // Each stand-in is a new one, on whatever port it listens.
                let name = format!("stand-in of {}", Timestamp::now());
                Ok(Server { url: stand_in.url().parse()?, name, stand_in: Some(stand_in) })
            }
        }
    }

    /// Whether nothing real can happen there.
    pub fn is_rehearsal(&self) -> bool {
        self.stand_in.is_some()
    }
}
