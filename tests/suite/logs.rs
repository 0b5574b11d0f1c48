//! Log lines, for people and for programs.
use std::os::unix::fs::PermissionsExt;

use crate::common::{Behavior, ScriptedServer, TestEnv, TestSimulator, json, status};
use serde_json::Value;

/// The run's id, from its summary.
fn run_of(summary: &str) -> String {
    summary.strip_prefix("Run ").unwrap().split(' ').next().unwrap().to_owned()
}

#[test]
fn off_a_terminal_every_line_has_its_time_and_the_runs_id() {
    let env = TestEnv::new();
    let outcome = env.orders(3).cancel(&TestSimulator::perfect().url(), &[]).exits(0);
    let run = format!(" INFO run{{id={}}}: ", run_of(&outcome.stdout));
    assert_eq!(outcome.stderr.lines().count(), 4, "{}", outcome.stderr);
    for line in outcome.stderr.lines() {
        let (time, said) = line.split_once(' ').unwrap();
        assert!(time.parse::<jiff::Timestamp>().is_ok(), "{line}");
        assert!(format!(" {}", said.trim_start()).starts_with(&run), "{line}");
    }
}

#[test]
fn a_line_for_programs_is_one_json_object() {
    let env = TestEnv::new();
    let server = ScriptedServer::always(Behavior::Respond(status("429 Too Many Requests")));
    let flags = ["--log-format", "json", "--log-level", "debug", "--attempts", "1"];
    let outcome = env.orders(3).cancel(&server.url(), &flags).exits(1);
    let run = run_of(&outcome.stdout);
    let lines: Vec<Value> =
        outcome.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 7, "{}", outcome.stderr);
    for line in &lines {
        assert_eq!(line["span"]["id"], run, "{line}");
        assert!(line["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    }
    let mut rows: Vec<_> = lines.iter().filter_map(|line| line["row"].as_u64()).collect();
    rows.sort_unstable();
    assert_eq!(rows, [1, 2, 3]);
}

#[test]
fn a_log_file_is_added_to_and_is_its_owners_alone() {
    let env = TestEnv::new();
    let core_card = TestSimulator::perfect();
    let flags = ["--log-file", "run.log", "--quiet"];
    let first = env.orders(3).cancel(&core_card.url(), &flags).exits(0);
    assert_eq!(first.stderr, "");
    let before = env.text("run.log");
    assert!(before.contains("3 of 3 rows to send") && before.contains("exit code 0: 3 cancelled"));
    let again = [&flags[..], &["--again", "-o", "again.csv"]].concat();
    env.cancel(&TestSimulator::perfect().url(), &again).exits(0);
    assert!(env.text("run.log").starts_with(&before));
    let mode = std::fs::metadata(env.path("run.log")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn what_ended_the_program_is_in_the_log_file_too() {
    let env = TestEnv::new();
    let core_card = TestSimulator::perfect();
    let flags = ["--log-file", "run.log", "--max-rows", "2"];
    let refused = env.orders(3).cancel(&core_card.url(), &flags).exits(2);
    assert!(refused.stderr.starts_with("error: orders.csv: 3 rows to send"), "{}", refused.stderr);
    assert!(env.text("run.log").contains("ERROR run{id="), "{}", env.text("run.log"));
}

#[test]
fn a_log_file_that_cannot_be_written_is_found_before_anything_is_sent() {
    let env = TestEnv::new();
    let core_card = TestSimulator::perfect();
    let refused = env.orders(3).cancel(&core_card.url(), &["--log-file", "no/run.log"]).exits(2);
    insta::assert_snapshot!(refused.stderr, @"error: the log cannot be written to no/run.log: name another --log-file: No such file or directory (os error 2)");
    assert_eq!(core_card.requests(), 0);
}

#[test]
fn how_many_lines_there_are_can_be_said() {
    let env = TestEnv::new();
    let core_card = TestSimulator::perfect();
    let levels = |flags: &[&str], rows| {
        env.orders(rows).cancel(&core_card.url(), flags).exits(0).stderr.lines().count()
    };
    assert_eq!(levels(&["-o", "a.csv"], 3), 4);
    assert_eq!(levels(&["-o", "b.csv", "--log-level", "warn"], 4), 0);
    assert_eq!(levels(&["-o", "c.csv", "--quiet"], 5), 0);
}

#[test]
fn no_secret_and_no_card_number_is_logged() {
    let env = TestEnv::new();
    let card = "4111111111111111";
    let said = format!(r#"{{"Status":false,"ErrorCode":"E1","Message":"card {card}"}}"#);
    let server = ScriptedServer::new(move |nth, _| match nth {
        0 => Behavior::Respond(status("429 Too Many Requests")),
        _ => Behavior::Respond(json(&said)),
    });
    env.file("orders.csv", format!("admin,seq,note\n1001,1,\n1002,1,{card}\n1003,1,\n"))
        .file("cardcancel.toml", "[auth]\nkind = 'bearer'\n");
    let url = server.url();
    let args = ["run", "orders.csv", "--external-ip", "10.120.0.0", "--yes", "--url", &url];
    let flags = ["--log-level", "debug", "--log-file", "run.log"];
    let mut command = env.command(&[&args[..], &flags].concat());
    command.env("CARDCANCEL_BEARER_TOKEN", "s3cret-t0ken").output().unwrap();
    let log = env.text("run.log");
    assert!(log.contains("row=1 attempt=1"), "{log}");
    assert!(!log.contains(card) && !log.contains("s3cret"), "{log}");
}
