//! The metrics file, read as a collector reads it.
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;

use crate::common::{Behavior, ScriptedServer, TestEnv, TestSimulator, ended, kill, status, until};
use cardcancel::simulator::{Share, SimulatorSettings};

/// Each sample, keyed by its name and labels as written.
type Samples = BTreeMap<String, f64>;

fn is_name(name: &str, with_colon: bool) -> bool {
    let first = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || (with_colon && c == ':');
    first && name.chars().all(fits)
}

/// Reads `a="x",b="y"`.
fn labels(text: &str) -> Vec<(String, String)> {
    let mut labels = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"").expect(text);
        assert!(is_name(name, false), "{text}");
        let (mut value, mut chars) = (String::new(), after.char_indices());
        let end = loop {
            match chars.next().expect("a label's value ends") {
                (at, '"') => break at,
                (_, '\\') => match chars.next().unwrap().1 {
                    'n' => value.push('\n'),
                    c @ ('\\' | '"') => value.push(c),
                    c => panic!("\\{c} is no escape: {text}"),
                },
                (_, c) => value.push(c),
            }
        };
        labels.push((name.to_owned(), value));
        rest = &after[end + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    labels
}

/// Reads the text format strictly: one HELP and one TYPE before the samples of a
/// metric, all of them together, no timestamp, no sample twice.
fn parse(text: &str) -> Samples {
    assert!(text.ends_with('\n'), "the last line must end");
    let (mut samples, mut families) = (Samples::new(), Vec::<(String, String)>::new());
    let mut helped = String::new();
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').unwrap();
            assert!(is_name(name, true) && !help.is_empty(), "{line}");
            name.clone_into(&mut helped);
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(name, helped, "the help comes first");
            assert!(["counter", "gauge"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            assert!(families.iter().all(|(known, _)| known != name), "{name} comes twice");
            families.push((name.to_owned(), kind.to_owned()));
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let name = series.split('{').next().unwrap();
            assert_eq!(name, families.last().unwrap().0, "{line}");
            if let Some((_, inside)) = series.split_once('{') {
                let names: Vec<_> = labels(inside.strip_suffix('}').unwrap());
                assert!(names.iter().all(|(name, _)| !name.starts_with("__")), "{line}");
            }
            let value = value.parse::<f64>().unwrap();
            assert!(samples.insert(series.to_owned(), value).is_none(), "{series} comes twice");
        }
    }
    samples
}

fn metrics(env: &TestEnv) -> Samples {
    parse(&env.text("run.prom"))
}

fn rows(samples: &Samples, status: &str) -> f64 {
    samples[&format!("cardcancel_run_rows{{status=\"{status}\"}}")]
}

const FLAGS: [&str; 2] = ["--metrics-file", "run.prom"];

#[test]
fn a_run_that_ended_is_complete_and_its_figures_are_those_of_the_results() {
    let core_card = TestSimulator::new(SimulatorSettings {
        printed: Share::ALL,
        ..SimulatorSettings::default()
    });
    let env = TestEnv::new();
    env.file("orders.csv", "admin,seq\n1001,1\n1002,1\nx,1\n1001,1\n");
    env.cancel(&core_card.url(), &FLAGS).exits(1);
    let samples = metrics(&env);
    let counts = ["rejected", "invalid", "duplicate", "not_sent"].map(|s| rows(&samples, s));
    assert_eq!(counts, [2.0, 1.0, 1.0, 0.0]);
    let of = |name: &str| samples[&format!("cardcancel_run_{name}")];
    assert_eq!((of("complete"), of("exit_code"), of("attempts_total")), (1.0, 1.0, 2.0));
    assert_eq!((of("in_flight"), of("rows_left"), of("input_rows")), (0.0, 0.0, 4.0));
    assert!(of("started_timestamp_seconds") <= of("ended_timestamp_seconds"));
    assert!(of("started_timestamp_seconds") > 1.7e9);
}

#[test]
fn a_run_that_stopped_is_not_complete_and_says_why() {
    let server = ScriptedServer::always(Behavior::Respond(status("401 Unauthorized")));
    let env = TestEnv::new();
    let flags = [&FLAGS[..], &["--concurrency", "1"]].concat();
    env.orders(5).cancel(&server.url(), &flags).exits(4);
    let samples = metrics(&env);
    assert_eq!(samples["cardcancel_run_stopped{reason=\"CREDENTIALS\"}"], 1.0);
    assert_eq!(samples["cardcancel_run_complete"], 0.0);
    assert_eq!(samples["cardcancel_run_exit_code"], 4.0);
    assert_eq!(samples["cardcancel_run_rows_left"], 5.0);
    assert_eq!(rows(&samples, "not_sent"), 5.0);
}

#[test]
fn the_pages_list_every_metric_and_no_other() {
    let server = ScriptedServer::always(Behavior::Respond(status("401 Unauthorized")));
    let env = TestEnv::new();
    env.orders(1).cancel(&server.url(), &FLAGS).exits(4);
    let samples = metrics(&env);
    let mut names: BTreeSet<&str> =
        samples.keys().map(|name| name.split('{').next().unwrap()).collect();
    // This one is there only while a run is held to a pace.
    names.insert("cardcancel_run_pace");
    let rows = include_str!("../../docs/night.md").lines();
    let listed = rows.filter_map(|row| row.strip_prefix("| `cardcancel_run_")?.split('`').next());
    let listed: Vec<String> = listed.map(|name| format!("cardcancel_run_{name}")).collect();
    assert_eq!(listed.iter().map(String::as_str).collect::<BTreeSet<_>>(), names);
}

#[test]
fn a_run_that_was_killed_has_begun_and_never_ended() {
    let core_card =
        TestSimulator::new(SimulatorSettings { hang: Share::ALL, ..SimulatorSettings::default() });
    let env = TestEnv::new();
    env.orders(5).file("cardcancel.toml", "[profile.'odd \"one\\']\n");
    let flags = [&FLAGS[..], &["--profile", r#"odd "one\"#]].concat();
    let begun = env.begin_to_cancel(&core_card.url(), &flags);
    until("it was sending", || core_card.requests() >= 1);
    kill(begun);
    let samples = metrics(&env);
    let names: Vec<_> = samples.keys().map(|s| s.split('{').next().unwrap()).collect();
    assert!(!names.contains(&"cardcancel_run_exit_code"), "{samples:?}");
    assert_eq!(samples[r#"cardcancel_run_complete{profile="odd \"one\\"}"#], 0.0);
}

#[test]
fn any_user_may_read_it_and_no_partial_file_is_left() {
    let env = TestEnv::new();
    std::fs::create_dir(env.path("textfile")).unwrap();
    let flags = ["--metrics-file", "textfile/run.prom"];
    env.orders(2).cancel(&TestSimulator::perfect().url(), &flags).exits(0);
    let files: Vec<_> = std::fs::read_dir(env.path("textfile")).unwrap().collect();
    assert_eq!(files.len(), 1);
    let mode = std::fs::metadata(env.path("textfile/run.prom")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
}

#[test]
fn a_metrics_file_that_cannot_be_written_is_found_before_anything_is_sent() {
    let core_card = TestSimulator::perfect();
    let env = TestEnv::new();
    let flags = ["--metrics-file", "no/run.prom"];
    let refused = env.orders(3).cancel(&core_card.url(), &flags).exits(2);
    let said = "error: the metrics cannot be written to no/run.prom: name another --metrics-file: ";
    assert!(refused.stderr.contains(said), "{}", refused.stderr);
    assert_eq!(core_card.requests(), 0);
    assert_eq!(env.run(&["runs"]).stdout, "", "a run was opened");
}

#[test]
fn a_metrics_file_that_cannot_be_written_any_more_does_not_stop_a_run() {
    let latency = cardcancel::simulator::Latency::fixed(std::time::Duration::from_millis(150));
    let core_card =
        TestSimulator::new(SimulatorSettings { latency, ..SimulatorSettings::default() });
    let env = TestEnv::new();
    std::fs::create_dir(env.path("textfile")).unwrap();
    let flags = ["--metrics-file", "textfile/run.prom", "--concurrency", "1"];
    let begun = env.orders(4).begin_to_cancel(&core_card.url(), &flags);
    until("it was sending", || core_card.requests() >= 1);
    std::fs::remove_dir_all(env.path("textfile")).unwrap();
    let outcome = ended(begun).exits(0);
    assert!(outcome.stderr.contains(" WARN "), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("the metrics cannot be written to textfile/run.prom"));
}

#[test]
fn a_run_that_had_ended_before_is_complete() {
    let core_card = TestSimulator::perfect();
    let env = TestEnv::new();
    env.orders(2).cancel(&core_card.url(), &[]).exits(0);
    env.cancel(&core_card.url(), &FLAGS).exits(0);
    let samples = metrics(&env);
    assert_eq!(samples["cardcancel_run_complete"], 1.0);
    assert_eq!(rows(&samples, "cancelled"), 2.0);
}

#[test]
fn a_rehearsal_writes_none() {
    let env = TestEnv::new();
    let args = ["run", "orders.csv", "--rehearse", "--rate", "unlimited"];
    env.orders(2).run(&[&args[..], &FLAGS].concat());
    assert!(!env.path("run.prom").exists());
}
