//! Simulations from a seed in which everything goes wrong: on one ledger, runs of files that
//! share orders, two at once, killed and started again, with damaged files, against a server
//! that loses answers. Their [`history`] is checked against [`rules`].
//!
//! [`simulated`] ones are in virtual time, with the real reader, scheduler, pacer and ledger;
//! [`real`] ones start the program itself against the simulator. `SIMULATION_SEED=17` replays
//! one, `SIMULATIONS=500` runs many.

mod files;
mod given;
mod history;
mod real;
mod rules;
mod simulated;

use crate::common::Rng;

/// Runs these simulations, two at a time, and reports what breaks a rule with its seed.
fn run_all(what: &str, simulations: u64, simulation: impl Fn(Rng, u64) -> history::History + Sync) {
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seeds: Vec<u64> = match (number("SIMULATION_SEED"), number("SIMULATIONS")) {
        (Some(seed), _) => vec![seed],
        (None, wanted) => (1..=wanted.unwrap_or(simulations)).collect(),
    };
    let live = |seed: &u64| {
        let lived = std::panic::AssertUnwindSafe(|| simulation(Rng::from(*seed), *seed));
        match std::panic::catch_unwind(lived) {
            Ok(history) => rules::broken_in(&history),
            Err(_) => vec!["panicked, as reported above".to_owned()],
        }
        .into_iter()
        .map(|broken| format!("{what} simulation, SIMULATION_SEED={seed}: {broken}"))
        // The first fault is reported before the last simulation ends.
        .inspect(|broken| eprintln!("{broken}"))
        .collect::<Vec<_>>()
    };
    let (one, other) = seeds.split_at(seeds.len() / 2);
    let broken: Vec<String> = std::thread::scope(|scope| {
        let one = scope.spawn(|| one.iter().flat_map(live).collect::<Vec<_>>());
        let other: Vec<_> = other.iter().flat_map(live).collect();
        one.join().unwrap().into_iter().chain(other).collect()
    });
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// A folder for the files of a simulation: in memory, where that can be had.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

#[test]
fn every_simulation_in_virtual_time_keeps_to_the_rules() {
    run_all("simulated", 60, simulated::live);
}

#[test]
fn every_simulation_with_the_program_itself_keeps_to_the_rules() {
    run_all("real", 8, real::live);
}
