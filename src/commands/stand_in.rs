//! `stand-in`: the stand-in for CoreCARD as a server of its own.

use anyhow::Context;

use super::signals;
use crate::exit::Exit;
use crate::output::say;
use crate::stand_in::{self, Settings};

/// Serves until SIGINT or SIGTERM, then prints what it did as one JSON object.
pub fn serve(settings: Settings) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(async {
        let mut told = signals::listen().context("cannot listen for signals")?;
        let stand_in = stand_in::start(settings).await?;
        // On standard output, so that a script can wait for it and read the port.
        say::print(stand_in.url());
        let _ = told.wait_for(|told| *told).await;
        let tally = stand_in.stop().await;
        say::print(serde_json::to_string(&tally)?);
        Ok(Exit::Done)
    })
}
