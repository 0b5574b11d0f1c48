//! Programs that are run to be measured.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::BenchError;

/// The program under test.
pub const CARDCANCEL: &str = env!("CARGO_BIN_EXE_cardcancel");

/// Between two looks at a child's memory.
const LOOK: Duration = Duration::from_millis(20);

/// What a child took.
pub struct Took {
    /// From its start to its end.
    pub wall: Duration,
    /// User and system time of all its threads.
    pub cpu: Duration,
    /// The most memory it held, in bytes.
    pub memory: u64,
    /// What it printed.
    pub output: String,
}

impl Took {
    /// CPU time for each of so many, in microseconds.
    pub fn cpu_each(&self, count: u64) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / count as f64
    }

    /// So many a second.
    pub fn rate(&self, count: u64) -> f64 {
        count as f64 / self.wall.as_secs_f64()
    }
}

/// Runs a program to its end. One that ends other than the program under test may is a failure.
pub fn run(command: &mut Command) -> Result<Took, BenchError> {
    let before = children_cpu()?;
    let began = Instant::now();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let stdout = child.stdout.take().ok_or("no output")?;
    let reader = thread::spawn(move || std::io::read_to_string(stdout));
    let mut memory = 0;
    let status = loop {
        memory = peak_memory(child.id()).unwrap_or(memory);
        match child.try_wait()? {
            Some(status) => break status,
            None => thread::sleep(LOOK),
        }
    };
    let wall = began.elapsed();
    let output = reader.join().map_err(|_| "its output could not be read")??;
    if !matches!(status.code(), Some(0 | 1 | 4)) {
        return Err(format!("{command:?} ended with {status}: {output}").into());
    }
    Ok(Took { wall, cpu: children_cpu()? - before, memory, output })
}

/// The CPU time of every child that has ended.
fn children_cpu() -> Result<Duration, BenchError> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit(") ").next().unwrap_or_default();
    let ticks: u64 =
        after_name.split(' ').skip(13).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    // The kernel counts these in hundredths of a second, whatever its own tick.
    Ok(Duration::from_millis(ticks * 10))
}

fn peak_memory(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// Whether a peer is installed.
pub fn is_installed(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok()
}

/// `cardcancel run` of a file against a server, with a ledger in this directory.
pub fn cardcancel(directory: &Path, orders: &Path, url: &str, rate: &str, calls: u32) -> Command {
    let mut command = Command::new(CARDCANCEL);
    command
        .current_dir(directory)
        .env("XDG_STATE_HOME", directory)
        .arg("run")
        .arg(orders)
        .args(["--url", url, "--rate", rate, "--concurrency", &calls.to_string()])
        .args(["--external-ip", "192.0.2.10", "--yes", "--json", "--quiet"]);
    command
}

/// What a server did.
pub struct Served {
    /// What it counted.
    pub stats: Value,
    /// User and system time of all its threads.
    pub cpu: Duration,
}

/// A simulator of CoreCARD in a process of its own.
pub struct ServedSimulator {
    child: Child,
    /// Its base address.
    pub url: String,
}

impl ServedSimulator {
    /// Starts one with these flags.
    pub fn start(flags: &[&str]) -> Result<ServedSimulator, BenchError> {
        let mut child = Command::new(CARDCANCEL)
            .arg("simulator")
            .args(flags)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut url = String::new();
        let stdout = child.stdout.as_mut().ok_or("no output")?;
        BufReader::with_capacity(1, stdout).read_line(&mut url)?;
        Ok(ServedSimulator { child, url: url.trim().to_owned() })
    }

    /// Stops it.
    pub fn stop(self) -> Result<Served, BenchError> {
        let before = children_cpu()?;
        Command::new("kill").arg(self.child.id().to_string()).status()?;
        let output = self.child.wait_with_output()?;
        let stats = serde_json::from_slice(&output.stdout)?;
        Ok(Served { stats, cpu: children_cpu()? - before })
    }
}
