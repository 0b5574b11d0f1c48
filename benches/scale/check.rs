//! Reading a file through: time and memory.

use std::process::Command;

use super::BenchError;
use super::child::{CARDCANCEL, is_installed, run};
use super::orders;

/// `check` of so many rows, 2 % of them duplicates.
pub fn measure(rows: u64) -> Result<(), BenchError> {
    let directory = tempfile::tempdir()?;
    let orders = orders::write(directory.path(), rows, true)?;
    let mut check = Command::new(CARDCANCEL);
    check.current_dir(&directory).env("XDG_STATE_HOME", directory.path());
    check.args(["check", "--json", "--external-ip", "192.0.2.10", "--rehearse"]).arg(&orders);
    let ours = run(&mut check)?;
    println!(
        "  cardcancel check  {:>6.2} s {:>6.2} s CPU {:>5} MB, {:.1} bytes a row",
        ours.wall.as_secs_f64(),
        ours.cpu.as_secs_f64(),
        ours.memory / 1_000_000,
        ours.memory as f64 / rows as f64,
    );
    if !is_installed("qsv") {
        println!("  qsv is not installed: no comparison");
        return Ok(());
    }
    let mut extdedup = Command::new("qsv");
    extdedup.current_dir(&directory).arg("extdedup").arg(&orders).arg("distinct.csv");
    let peer = run(&mut extdedup)?;
    println!(
        "  qsv extdedup      {:>6.2} s {:>6.2} s CPU {:>5} MB",
        peer.wall.as_secs_f64(),
        peer.cpu.as_secs_f64(),
        peer.memory / 1_000_000
    );
    println!("  cardcancel / qsv  {:>6.2}", ours.wall.as_secs_f64() / peer.wall.as_secs_f64());
    Ok(())
}
