//! What cardcancel costs beside its peers, measured in one run on one machine:
//! `cargo bench`, or `cargo bench -- calls 400000` for one piece of work at one size.

mod calls;
mod check;
mod child;
mod growth;
mod known;
mod ledger;
mod orders;
mod pace;

use std::process::ExitCode;

/// One piece of work: its name, what is measured, its usual size, how it is done.
type Benchmark = (&'static str, &'static str, u64, fn(u64) -> Result<(), BenchError>);

/// Why a measurement could not be taken.
type BenchError = Box<dyn std::error::Error>;

const WORKS: [Benchmark; 6] = [
    ("calls", "calls a second and CPU a call, unthrottled, beside oha", 400_000, calls::measure),
    ("check", "time and memory of check, beside qsv extdedup", 10_000_000, check::measure),
    ("known", "check against a ledger that knows every order", 10_000_000, known::measure),
    ("ledger", "first call, first call again, results", 1_000_000, ledger::measure),
    ("growth", "CPU a row from ten thousand rows up", 1_000_000, growth::measure),
    ("pace", "use and peak of a rate, as the server counts them", 20_000, pace::measure),
];

fn main() -> ExitCode {
    // Cargo adds --bench.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let name = words.first().map(String::as_str);
    let size = words.get(1).map(|size| size.parse::<u64>());
    let chosen = WORKS.iter().filter(|(work, ..)| name.is_none_or(|name| name == *work));
    let (mut count, mut failed) = (0, false);
    for (work, what, usual, measure) in chosen {
        count += 1;
        println!("\n{work}: {what}");
        let size = match &size {
            Some(Ok(size)) => *size,
            Some(Err(_)) => return usage(),
            None => *usual,
        };
        if let Err(why) = measure(size) {
            println!("  not measured: {why}");
            failed = true;
        }
    }
    match (count, failed) {
        (0, _) => usage(),
        (_, true) => ExitCode::FAILURE,
        (_, false) => ExitCode::SUCCESS,
    }
}

fn usage() -> ExitCode {
    println!("cargo bench -- [WORK [SIZE]], where WORK is one of:");
    for (work, what, usual, _) in WORKS {
        println!("  {work:<8} {what} (usual size: {usual})");
    }
    ExitCode::from(2)
}
