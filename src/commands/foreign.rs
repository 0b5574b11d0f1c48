//! Results of another server: what was cancelled at a stand-in or a sandbox is
//! not cancelled at this one, and must not be kept as if it were.

use std::path::Path;

use anyhow::bail;

use super::server::Server;
use crate::intake::Input;
use crate::ledger::{Ledger, Sqlite};

/// Refuses the results of a rehearsal, and warns of those of a run at another
/// endpoint, which may be the same server under another name. A file that was
/// edited since this program wrote it is not recognised.
pub fn refuse(
    input: &Input,
    server: &Server,
    rehearsals: Option<&Path>,
    ledger: &mut dyn Ledger,
) -> anyhow::Result<()> {
    if server.is_rehearsal() {
        return Ok(());
    }
    let (name, digest) = (input.name(), input.digest()?.to_string());
    if let Some(rehearsals) = rehearsals
        && let Some(mut rehearsals) = Sqlite::open_existing(rehearsals)?
        && !rehearsals.results_of(&digest)?.is_empty()
    {
        bail!(
            "{name} holds the results of a rehearsal: nothing of it was cancelled; run the orders themselves"
        );
    }
    let endpoints = endpoints_of(&digest, ledger)?;
    if let Some(other) = endpoints.first().filter(|_| !endpoints.contains(&server.name)) {
        tracing::warn!(
            "{name} holds the results of a run at {other}: rows that are cancelled there are kept as cancelled, and not sent to {}",
            server.name
        );
    }
    Ok(())
}

fn endpoints_of(digest: &str, ledger: &mut dyn Ledger) -> anyhow::Result<Vec<String>> {
    let mut endpoints = Vec::new();
    for id in ledger.results_of(digest)? {
        endpoints.extend(ledger.run(&id)?.map(|run| run.opened.endpoint));
    }
    Ok(endpoints)
}
