//! A rate, as the server sees it kept and used.

use super::BenchError;
use super::child::{ServedSimulator, cardcancel, run};
use super::orders;

const SECONDS: u64 = 10;

/// Ten seconds at 10, 50, 500 and 2,000 calls a second, and at this rate.
pub fn measure(fastest: u64) -> Result<(), BenchError> {
    for rate in [10, 50, 500, 2_000, fastest] {
        let directory = tempfile::tempdir()?;
        let calls = rate * SECONDS;
        let orders = orders::write(directory.path(), calls, false)?;
        let server = ServedSimulator::start(&["--latency", "20ms"])?;
        // Twice what an answer after 20 ms needs.
        let in_flight = u32::try_from(rate / 12 + 256)?;
        let paced = format!("{rate}/s");
        run(&mut cardcancel(directory.path(), &orders, &server.url, &paced, in_flight))?;
        let stats = server.stop()?.stats;
        let at = |name: &str| stats[name].as_u64().ok_or("no tally");
        let seconds = (at("last_arrival_ns")? - at("first_arrival_ns")?) as f64 / 1e9;
        println!(
            "  {rate:>6}/s: at most {:>6} in any closed second, {:.2} % used",
            at("peak_any_second")?,
            (calls - 1) as f64 / seconds / rate as f64 * 100.0,
        );
    }
    Ok(())
}
