//! A run with many faults at full speed: every result agrees with the simulator's own record.
use std::collections::{BTreeMap, BTreeSet};

use crate::common::{ResultRow, TestEnv, TestSimulator};
use cardcancel::simulator::{InitialState, Order, Share, SimulatorSettings};

const ROWS: u32 = 2000;

fn with_faults(record: std::path::PathBuf) -> SimulatorSettings {
    SimulatorSettings {
        seed: 11,
        capacity: Some(400),
        latency: "1ms..10ms".parse().unwrap(),
        printed: Share::per_mille(20),
        unknown: Share::per_mille(20),
        cancelled_before: Share::per_mille(20),
        drop_before: Share::per_mille(20),
        drop_after: Share::per_mille(20),
        reset_before: Share::per_mille(20),
        reset_after: Share::per_mille(20),
        error_before: Share::per_mille(10),
        error_after: Share::per_mille(10),
        html: Share::per_mille(10),
        no_status: Share::per_mille(10),
        truncated: Share::per_mille(10),
        hang: Share::per_mille(5),
        record: Some(record),
        ..SimulatorSettings::default()
    }
}

/// The simulator's record of each order: the number of requests for it, whether it was cancelled,
/// and whether one of the answers was faulted.
#[derive(Debug, Default)]
struct Recorded {
    asked: u32,
    cancelled: bool,
    spoilt: bool,
}

fn recorded(csv: &[u8]) -> BTreeMap<i64, Recorded> {
    let mut orders: BTreeMap<i64, Recorded> = BTreeMap::new();
    for line in crate::common::rows(csv) {
        let order = orders.entry(line.get("admin_number").parse().unwrap()).or_default();
        order.asked += 1;
        order.cancelled |= line.get("did") == "cancelled";
        let plain = ["ok", "printed", "unknown", "already_cancelled", "429"];
        order.spoilt |= !plain.contains(&line.get("answer"));
    }
    orders
}

#[test]
fn every_result_of_a_run_with_faults_agrees_with_the_servers_record() {
    let env = TestEnv::new();
    env.orders(ROWS).file(
        "cardcancel.toml",
        "[codes]\nSIMULATOR_UNKNOWN = 'not_found'\nSIMULATOR_PRINTED = 'printed'",
    );
    let core_card = TestSimulator::new(with_faults(env.path("record.csv")));
    let flags = ["--concurrency", "32", "--timeout", "1s", "--attempts", "2", "--json"];
    let outcome = env.cancel(&core_card.url(), &flags);
    let initial_states: BTreeMap<Order, InitialState> =
        core_card.orders().into_iter().map(|(order, state)| (order, state.initial_state)).collect();
    let stats = core_card.stop();
    assert_eq!((stats.record_error, stats.orders_cancelled_again), (None, 0));
    let record = recorded(&env.read("record.csv"));

    let results = env.results();
    assert_eq!(results.len(), ROWS as usize);
    for (row, number) in results.iter().zip(1..) {
        assert_eq!(row.get("row"), i32::to_string(&number));
        assert_eq!(row.get("AdminNumber"), (1000 + number).to_string());
        let admin = i64::from(1000 + number);
        let before = initial_states[&Order { admin_number: admin, sequence_number: 1 }];
        agrees(row, &record[&admin], before);
    }
    add_up(&results, &outcome, stats.requests);
}

fn agrees(row: &ResultRow, there: &Recorded, before: InitialState) {
    let reported = format!("{row:?} but there {there:?}, {before}");
    match row.status() {
        "cancelled" => assert!(there.cancelled, "{reported}"),
        "rejected" if row.doubt() => {}
        "rejected" => {
            assert!(!there.cancelled && before != InitialState::Cancellable, "{reported}");
            assert!(row.code().starts_with("SIMULATOR_"), "{reported}");
        }
        "failed" => assert!(!there.cancelled && !row.doubt(), "{reported}"),
        "in_doubt" => assert!(row.doubt(), "{reported}"),
        _ => panic!("{reported}"),
    }
    // If the machine stalls for a second, a good answer may come too late.
    assert!(row.doubt() || !there.spoilt, "{reported}");
    assert!(row.attempts() >= there.asked, "{reported}");
}

/// The summary, the results and the exit code agree.
fn add_up(results: &[ResultRow], outcome: &crate::common::ProgramOutput, requests: u64) {
    let summary: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for row in results {
        *counts.entry(row.status()).or_default() += 1;
    }
    for (status, reported) in summary["counts"].as_object().unwrap() {
        let counted = counts.get(status.as_str()).copied().unwrap_or(0);
        assert_eq!(reported.as_u64(), Some(counted), "{status}");
    }
    let attempts: u64 = results.iter().map(|row| u64::from(row.attempts())).sum();
    assert!(attempts >= requests);
    assert_eq!(summary["attempts"], attempts);
    assert_eq!(summary["calls_this_start"], attempts);
    let found: BTreeSet<&str> = counts.keys().copied().collect();
    assert!(found.is_superset(&["cancelled", "rejected", "in_doubt"].into()), "{counts:?}");
    assert_eq!(outcome.code, Some(3), "{}", outcome.report());
    assert_eq!(summary["exit_code"], 3);
    let doubts = results.iter().filter(|row| row.doubt()).count();
    assert!(doubts > 100, "hardly a bad night: {doubts} rows with doubt");
}
