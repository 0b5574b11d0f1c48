//! What stands between a file and its first call, and between its last call and the results.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, SystemTime};

use super::BenchError;
use super::child::{ServedSimulator, cardcancel, run};
use super::orders;

const CONNECTIONS: u32 = 64;

/// A run of so many rows: stopped half way, gone on with, and its results written again.
pub fn measure(rows: u64) -> Result<(), BenchError> {
    let directory = tempfile::tempdir()?;
    let orders = orders::write(directory.path(), rows, false)?;
    let record = directory.path().join("record.csv");
    let command = |server: &ServedSimulator| {
        cardcancel(directory.path(), &orders, &server.url, "unlimited", CONNECTIONS)
    };
    let port = free_port()?;
    let flags = ["--port", &port, "--record", &record.display().to_string()];

    let server = ServedSimulator::start(&flags)?;
    let began = SystemTime::now();
    let mut first = command(&server).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let mut requests = File::open(&record)?;
    let mut received = 0;
    while received < rows / 2 {
        if first.try_wait()?.is_some() {
            return Err("the run ended before half its rows were sent".into());
        }
        let mut new = Vec::new();
        requests.read_to_end(&mut new)?;
        received += new.iter().filter(|byte| **byte == b'\n').count() as u64;
        thread::sleep(Duration::from_millis(100));
    }
    Command::new("kill").arg(first.id().to_string()).status()?;
    first.wait()?;
    server.stop()?;
    println!("  start to first call               {:>7.2} s", until_first(&record, began)?);

    let server = ServedSimulator::start(&flags)?;
    let began = SystemTime::now();
    let rest = run(&mut command(&server))?;
    println!("  the same, started again half done {:>7.2} s", until_first(&record, began)?);
    println!("  memory, started again             {:>7} MB", rest.memory / 1_000_000);

    let results = run(&mut command(&server))?;
    server.stop()?;
    println!(
        "  results written again             {:>7.2} s, {:.0} rows/s, all in",
        results.wall.as_secs_f64(),
        results.rate(rows)
    );
    Ok(())
}

/// The same address for both servers makes it the same run.
fn free_port() -> Result<String, BenchError> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    Ok(listener.local_addr()?.port().to_string())
}

/// Seconds from then to the first request that the server received.
fn until_first(record: &std::path::Path, began: SystemTime) -> Result<f64, BenchError> {
    let mut lines = BufReader::new(File::open(record)?).lines();
    let line = lines.nth(1).ok_or("nothing was received")??;
    let at: u64 = line.split(',').next().unwrap_or_default().parse()?;
    let at = SystemTime::UNIX_EPOCH + Duration::from_nanos(at);
    Ok(at.duration_since(began)?.as_secs_f64())
}
