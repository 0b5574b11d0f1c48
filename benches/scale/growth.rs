//! Whole runs of more and more rows: what each row costs must stay the same.

use super::BenchError;
use super::calls::IN_FLIGHT;
use super::child::{ServedSimulator, cardcancel, run};
use super::orders;

/// Runs of few rows are repeated until there were so many.
const REPEATED_TO: u64 = 300_000;

/// Whole runs of ten thousand rows and of ten times as many, up to so many. Short ones are
/// repeated: what one of them takes is little beside what else the machine does. So that
/// long ones can be compared, what the server took meanwhile is told too.
pub fn measure(most: u64) -> Result<(), BenchError> {
    let mut rows = 10_000;
    while rows <= most {
        let runs = (REPEATED_TO / rows).max(1);
        let (mut ours, mut servers, mut memory) = (0.0, 0.0, 0);
        for _ in 0..runs {
            let directory = tempfile::tempdir()?;
            let orders = orders::write(directory.path(), rows, false)?;
            let server = ServedSimulator::start(&[])?;
            let command =
                &mut cardcancel(directory.path(), &orders, &server.url, "unlimited", IN_FLIGHT);
            let took = run(command)?;
            servers += server.stop()?.cpu.as_secs_f64() * 1e6 / (rows * runs) as f64;
            ours += took.cpu_each(rows) / runs as f64;
            memory = memory.max(took.memory / 1_000_000);
        }
        println!(
            "  {rows:>10} rows {ours:>7.2} µs CPU a row, {:.2} of the server's {servers:.2} µs \
             {memory:>6} MB  (runs: {runs})",
            ours / servers
        );
        rows *= 10;
    }
    Ok(())
}
