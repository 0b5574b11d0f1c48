//! Whole nights from a seed, in which everything goes wrong: a ledger lives through runs of
//! files that share orders, two at once, killed and started again, of files that were damaged on
//! their way, against a server that loses answers. What happened is held against [`rules`].
//!
//! [`simulated`] nights are in virtual time, with the real reader, scheduler, pace and ledger;
//! [`real`] ones are the program itself against the simulator. `NIGHT_SEED=17` replays one night,
//! `NIGHTS=500` lives through many.

mod files;
mod given;
mod history;
mod real;
mod rules;
mod simulated;

use crate::common::Rng;

/// Lives through these nights, two at a time; what breaks a rule is told with its seed.
fn live_through(what: &str, nights: u64, night: impl Fn(Rng, u64) -> history::History + Sync) {
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seeds: Vec<u64> = match (number("NIGHT_SEED"), number("NIGHTS")) {
        (Some(seed), _) => vec![seed],
        (None, nights_wanted) => (1..=nights_wanted.unwrap_or(nights)).collect(),
    };
    let live = |seed: &u64| {
        let lived = std::panic::AssertUnwindSafe(|| night(Rng::from(*seed), *seed));
        match std::panic::catch_unwind(lived) {
            Ok(history) => rules::broken_in(&history),
            Err(_) => vec!["panicked, as is told above".to_owned()],
        }
        .into_iter()
        .map(|broken| format!("{what} night, NIGHT_SEED={seed}: {broken}"))
        // Of many nights the first fault is told before the last is over.
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

/// A folder for what a night writes: in memory, where that can be had.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

#[test]
fn every_simulated_night_keeps_to_the_rules() {
    live_through("simulated", 60, simulated::live);
}

#[test]
fn every_night_of_the_program_itself_keeps_to_the_rules() {
    live_through("real", 8, real::live);
}
