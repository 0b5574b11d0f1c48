//! Calls without a pace: what the program costs beside a load generator that records nothing.

use std::process::Command;

use super::Failed;
use super::child::{Server, Took, cardcancel, children_cpu, is_installed, run};
use super::orders;

/// Connections of the load generator.
const CONNECTIONS: u32 = 64;
/// Rows of ours under way, those included that are being recorded. As many are called at
/// the same time as bring more answers.
const IN_FLIGHT: u32 = 1000;
/// Runs of few rows are repeated until there were so many.
const REPEATED_TO: u64 = 300_000;
const PATH: &str = "/api/CoreCredit/CardManagement/CancelPhysicalCardOrder";
/// A body like those that the program sends.
const BODY: &str = r#"{"Source":"WEB","IPAddress":null,"DateFormat":null,"CurrencyCode":null,"CurrencySymbolType":null,"Language":null,"ExternalIP":"192.0.2.10","SessionID":null,"APIVersion":"2.0","CallerID":null,"CalledID":null,"RequestTime":null,"AdminNumber":100000001,"CardSequenceNumber":1}"#;

/// So many calls of each program against the same server.
pub fn measure(calls: u64) -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let orders = orders::write(directory.path(), calls, false)?;
    let server = Server::start(&[])?;
    let peer = match is_installed("oha") {
        true => Some(oha(&server, calls)?),
        false => None,
    };
    let ours =
        run(&mut cardcancel(directory.path(), &orders, &server.url, "unlimited", IN_FLIGHT))?;
    let tally = server.stop()?;
    println!(
        "  server: {} requests, peak {} in a second",
        tally["requests"], tally["peak_any_second"]
    );
    let summary: serde_json::Value = serde_json::from_str(&ours.output)?;
    let sending = summary["seconds_now"].as_f64().ok_or("no summary")?;
    say("cardcancel", &ours, calls);
    println!("  cardcancel while it calls    {:>9.0} calls/s", calls as f64 / sending);
    if let Some(peer) = peer {
        say("oha", &peer, calls);
        println!(
            "  cardcancel / oha             {:>9.2} calls/s, {:.2} CPU a call",
            calls as f64 / sending / peer.rate(calls),
            ours.cpu_each(calls) / peer.cpu_each(calls),
        );
    } else {
        println!("  oha is not installed: no comparison");
    }
    Ok(())
}

fn oha(server: &Server, calls: u64) -> Result<Took, Failed> {
    let mut command = Command::new("oha");
    command
        .args(["--no-tui", "-n", &calls.to_string(), "-c", &CONNECTIONS.to_string()])
        .args(["-m", "POST", "-T", "application/json", "-d", BODY])
        .arg(format!("{}{PATH}", server.url));
    run(&mut command)
}

fn say(program: &str, took: &Took, calls: u64) {
    println!(
        "  {program:<12} from start to end {:>8.0} calls/s {:>7.2} µs CPU a call {:>6} MB",
        took.rate(calls),
        took.cpu_each(calls),
        took.memory / 1_000_000,
    );
}

/// Whole runs of ten thousand rows and of ten times as many, up to so many. Short ones are
/// repeated: what one of them takes is little beside what else the machine does. So that
/// long ones can be compared, what the server took meanwhile is told too.
pub fn growth(most: u64) -> Result<(), Failed> {
    let mut rows = 10_000;
    while rows <= most {
        let runs = (REPEATED_TO / rows).max(1);
        let (mut ours, mut servers, mut memory) = (0.0, 0.0, 0);
        for _ in 0..runs {
            let directory = tempfile::tempdir()?;
            let orders = orders::write(directory.path(), rows, false)?;
            let server = Server::start(&[])?;
            let command =
                &mut cardcancel(directory.path(), &orders, &server.url, "unlimited", IN_FLIGHT);
            let took = run(command)?;
            let before = children_cpu()?;
            server.stop()?;
            servers += (children_cpu()? - before).as_secs_f64() * 1e6 / (rows * runs) as f64;
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
