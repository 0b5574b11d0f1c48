//! Calls without a pace: what the program costs beside a load generator that records nothing.

use std::process::Command;
use std::time::Duration;

use super::BenchError;
use super::child::{Served, ServedSimulator, Took, cardcancel, is_installed, run};
use super::orders;

/// Connections of the load generator.
const CONNECTIONS: u32 = 64;
/// Rows of ours under way, those included that are being recorded. As many are called at
/// the same time as bring more answers.
pub const IN_FLIGHT: u32 = 1000;
/// How often the programs are run in turn.
const ROUNDS: usize = 7;
const PATH: &str = "/api/CoreCredit/CardManagement/CancelPhysicalCardOrder";
/// A body like those that the program sends.
const BODY: &str = r#"{"Source":"WEB","IPAddress":null,"DateFormat":null,"CurrencyCode":null,"CurrencySymbolType":null,"Language":null,"ExternalIP":"192.0.2.10","SessionID":null,"APIVersion":"2.0","CallerID":null,"CalledID":null,"RequestTime":null,"AdminNumber":100000001,"CardSequenceNumber":1}"#;

/// So many calls of each program in turn, each time against a server that has just started.
/// A shared machine is not as fast in one minute as in the next, so what the server took
/// for the same calls is told too.
pub fn measure(calls: u64) -> Result<(), BenchError> {
    let has_peer = is_installed("oha");
    let (mut ours, mut peers) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        if has_peer {
            peers.push(Round::of(calls, oha)?);
        }
        ours.push(Round::of(calls, cancel)?);
    }
    say("cardcancel", &ours);
    if !has_peer {
        println!("  oha is not installed: no comparison");
        return Ok(());
    }
    say("oha", &peers);
    let ratio = |value: fn(&Round) -> f64| {
        median(ours.iter().zip(&peers).map(|(ours, peer)| value(ours) / value(peer)))
    };
    println!(
        "  cardcancel / oha: {:.2} of its calls a second, {:.2} of its CPU, {:.2} where the server's is the measure",
        ratio(|round| round.rate),
        ratio(|round| round.cpu),
        ratio(Round::of_the_servers),
    );
    Ok(())
}

/// Makes so many calls: what that took, and how long from the first call to the last; of
/// oha from its start, which is short, to its end.
type Program = fn(&ServedSimulator, u64) -> Result<(Took, Duration), BenchError>;

/// What the calls of one program took.
struct Round {
    /// Calls a second, from the first call to the last.
    rate: f64,
    /// CPU a call from the program's start to its end, in microseconds.
    cpu: f64,
    /// The server's CPU a call.
    server: f64,
    /// Bytes.
    memory: u64,
}

impl Round {
    fn of(calls: u64, program: Program) -> Result<Round, BenchError> {
        let server = ServedSimulator::start(&[])?;
        let (took, calling) = program(&server, calls)?;
        let Served { stats, cpu } = server.stop()?;
        // The load generator asks for one order again and again.
        let answered = ["ok", "already_cancelled"].map(|how| stats["answered"][how].as_u64());
        if answered.into_iter().flatten().sum::<u64>() != calls {
            return Err(format!("not every call was made and answered: {stats}").into());
        }
        Ok(Round {
            rate: calls as f64 / calling.as_secs_f64(),
            cpu: took.cpu_each(calls),
            server: cpu.as_secs_f64() * 1e6 / calls as f64,
            memory: took.memory,
        })
    }

    fn of_the_servers(&self) -> f64 {
        self.cpu / self.server
    }
}

fn say(program: &str, rounds: &[Round]) {
    println!(
        "  {program:<12} {:>8.0} calls/s {:>7.2} µs CPU a call, {:>5.2} of the server's {:>6} MB",
        median(rounds.iter().map(|round| round.rate)),
        median(rounds.iter().map(|round| round.cpu)),
        median(rounds.iter().map(Round::of_the_servers)),
        rounds.iter().map(|round| round.memory).max().unwrap_or_default() / 1_000_000,
    );
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn oha(server: &ServedSimulator, calls: u64) -> Result<(Took, Duration), BenchError> {
    let mut command = Command::new("oha");
    command
        .args(["--no-tui", "-n", &calls.to_string(), "-c", &CONNECTIONS.to_string()])
        .args(["-m", "POST", "-T", "application/json", "-d", BODY])
        .arg(format!("{}{PATH}", server.url));
    let took = run(&mut command)?;
    let calling = took.wall;
    Ok((took, calling))
}

fn cancel(server: &ServedSimulator, calls: u64) -> Result<(Took, Duration), BenchError> {
    let directory = tempfile::tempdir()?;
    let orders = orders::write(directory.path(), calls, false)?;
    let command = &mut cardcancel(directory.path(), &orders, &server.url, "unlimited", IN_FLIGHT);
    let took = run(command)?;
    let summary: serde_json::Value = serde_json::from_str(&took.output)?;
    let seconds = summary["seconds_now"].as_f64().ok_or("no summary")?;
    Ok((took, Duration::from_secs_f64(seconds)))
}
