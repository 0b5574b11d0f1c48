//! `simulator`: serves the simulator of CoreCARD to other programs.

use anyhow::Context;

use super::shutdown::{self, ShutdownNotices};
use crate::exit_code::ExitCode;
use crate::output::console;
use crate::simulator::{self, SimulatorSettings};

/// Serves until SIGINT or SIGTERM, then prints what it did as one JSON object.
pub fn serve(settings: SimulatorSettings) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(async {
        let shutdown =
            shutdown::listen(ShutdownNotices::SIMULATOR).context("cannot listen for signals")?;
        let simulator = simulator::start(settings).await?;
        // On standard output, so that a script can wait for it and read the port.
        console::print_line(simulator.url());
        shutdown.cancelled().await;
        let stats = simulator.stop().await;
        console::print_line(serde_json::to_string(&stats)?);
        Ok(ExitCode::Done)
    })
}
