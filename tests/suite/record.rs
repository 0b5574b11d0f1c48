//! What is recorded of a run beside its rows: who started it, why, with which settings, and what
//! happened on the way.
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::common::{Behavior, ScriptedServer, TestEnv, TestSimulator, json, status, with_headers};
use serde_json::Value;

/// The record of the only run.
fn record(env: &TestEnv) -> Value {
    let runs = env.run(&["runs", "--json"]).exits(0).stdout;
    let run: Value = serde_json::from_str(runs.lines().next().unwrap()).unwrap();
    let record = env.run(&["runs", run["run"].as_str().unwrap(), "--json"]).exits(0).stdout;
    serde_json::from_str(&record).unwrap()
}

fn kinds(record: &Value) -> Vec<String> {
    let events = record["events"].as_array().unwrap();
    events.iter().map(|event| event["kind"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_user_is_who_the_kernel_says_and_not_who_the_environment_says() {
    let env = TestEnv::with_orders(1);
    let core_card = TestSimulator::perfect();
    let mut command: Command = env.cancelling(&core_card.url(), &[]);
    command.env("USER", "alice").env("LOGNAME", "alice").env("SUDO_USER", "bob");
    assert!(command.output().unwrap().status.success());
    let record = record(&env);
    let by = &record["starts"][0]["by"];
    assert_eq!(by["uid"], rustix::process::getuid().as_raw());
    let text = record.to_string();
    assert!(!text.contains("alice") && !text.contains("bob"), "{text}");
}

#[test]
fn another_user_is_recorded_as_that_user() {
    // Only root can become another user.
    if !rustix::process::getuid().is_root() {
        println!("NOT RUN: another_user_is_recorded_as_that_user, since it needs root");
        return;
    }
    let env = TestEnv::with_orders(1);
    Command::new("chown").args(["-R", "65534", "."]).current_dir(env.folder()).status().unwrap();
    let core_card = TestSimulator::perfect();
    let mut command: Command = env.cancelling(&core_card.url(), &[]);
    command.env("USER", "root").uid(65534);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut shown = env.command(&["runs", "--json"]);
    let runs = shown.uid(65534).output().unwrap();
    let run: Value = serde_json::from_slice(&runs.stdout).unwrap();
    let mut shown = env.command(&["runs", run["run"].as_str().unwrap(), "--json"]);
    let record: Value = serde_json::from_slice(&shown.uid(65534).output().unwrap().stdout).unwrap();
    assert_eq!(record["starts"][0]["by"]["uid"], 65534);
    assert_eq!(record["starts"][0]["by"]["user"], "nobody");
}

/// Who started the only run of an environment that belongs to this user, where a shell of root's
/// starts the program as `"$@"` by these commands.
fn started_by(user: &str, commands: &str) -> Value {
    let env = TestEnv::with_orders(1);
    let mut copy = Command::new("cp");
    let program = env.path("program");
    copy.arg(env!("CARGO_BIN_EXE_cardcancel")).arg(&program);
    assert!(copy.status().unwrap().success());
    let mut own = Command::new("chown");
    own.args(["-R", user, "."]).current_dir(env.folder()).status().unwrap();
    let core_card = TestSimulator::perfect();
    let whole = env.cancelling(&core_card.url(), &["--ledger", "l.db"]);
    let mut shell = Command::new("sh");
    shell.args(["-c", commands, "sh"]).arg(&program).args(whole.get_args());
    shell.current_dir(env.folder()).env("HOME", env.folder());
    let output = shell.env("USER", "alice").env("SUDO_USER", "bob").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let runs = env.run(&["runs", "--json", "--ledger", "l.db"]).exits(0).stdout;
    let run: Value = serde_json::from_str(runs.lines().next().unwrap()).unwrap();
    let run = run["run"].as_str().unwrap();
    let record = env.run(&["runs", run, "--json", "--ledger", "l.db"]).exits(0).stdout;
    let record: Value = serde_json::from_str(&record).unwrap();
    record["starts"][0]["by"].clone()
}

/// Whether root can do this on this machine. If not, the test is reported as not run.
fn can(test: &str, commands: &str) -> bool {
    let is_root = rustix::process::getuid().is_root();
    let can = is_root && Command::new("sh").args(["-c", commands]).status().unwrap().success();
    if !can {
        println!("NOT RUN: {test}, since this does not work: {commands}");
    }
    can
}

#[test]
fn a_user_who_came_by_sudo_is_that_user_with_the_login_behind_it() {
    let test = "a_user_who_came_by_sudo_is_that_user_with_the_login_behind_it";
    let login = "echo 65533 > /proc/self/loginuid";
    if !can(test, &format!("{login} && sudo -n -u nobody true")) {
        return;
    }
    let by = started_by("nobody", &format!("{login} && exec sudo -n -u nobody \"$@\""));
    assert_eq!((by["uid"].clone(), by["user"].clone()), (65_534.into(), "nobody".into()), "{by}");
    assert_eq!(by["login_uid"], 65_533, "{by}");
    let alone = started_by("nobody", "exec sudo -n -u nobody \"$@\"");
    assert_eq!(alone["uid"], 65_534, "{alone}");
    assert_ne!(alone["login_uid"], 65_533, "{alone}");
}

#[test]
fn a_user_who_logged_in_is_that_login() {
    let login = "echo 65534 > /proc/self/loginuid";
    if !can("a_user_who_logged_in_is_that_login", login) {
        return;
    }
    let become_nobody = "exec setpriv --reuid 65534 --regid 65534 --clear-groups";
    let by = started_by("nobody", &format!("{login} && {become_nobody} \"$@\""));
    assert_eq!((by["uid"].clone(), by["login_uid"].clone()), (65_534.into(), 65_534.into()));
    assert_eq!(by["user"], by["login"], "{by}");
}

#[test]
fn every_start_is_recorded_with_its_reason_and_its_settings() {
    let env = TestEnv::with_orders(3);
    let away = ScriptedServer::always(Behavior::Respond(status("401 Unauthorized")));
    let url = away.url();
    let flags = ["--attempts", "2", "--reason", "batch sent twice", "--ticket", "CHG-1"];
    env.cancel(&url, &flags).exits(4);
    env.cancel(&url, &["--attempts", "4", "--requested-by", "J. Doe"]).exits(4);
    let record = record(&env);
    let starts = record["starts"].as_array().unwrap();
    assert_eq!(starts.len(), 2);
    assert_eq!(starts[0]["reason"], "batch sent twice");
    assert_eq!(starts[0]["ticket"], "CHG-1");
    assert_eq!(
        (&starts[1]["reason"], &starts[1]["requested_by"]),
        (&Value::Null, &"J. Doe".into())
    );
    assert_eq!(starts[0]["rates"], "unlimited");
    let settings = |start: &Value| {
        let digest = start["configuration_sha256"].as_str().unwrap();
        record["configurations"][digest].as_str().unwrap().to_owned()
    };
    assert!(settings(&starts[0]).contains("attempts = \"2\""), "{}", settings(&starts[0]));
    assert!(settings(&starts[1]).contains("attempts = \"4\""));
    assert!(settings(&starts[0]).contains(&format!("url = \"{url}\"")));
}

#[test]
fn a_purpose_that_the_profile_requires_must_be_given_before_anything_is_sent() {
    let env = TestEnv::with_orders(1);
    let core_card = TestSimulator::perfect();
    let refused =
        env.cancel(&core_card.url(), &["--require-purpose", "reason,ticket", "--reason", "x"]);
    let refused = refused.exits(2).stderr;
    assert!(
        refused.starts_with("error: the configuration requires --ticket for every run: set "),
        "{refused}"
    );
    assert_eq!(core_card.requests(), 0);
    let flags = ["--require-purpose", "reason,ticket", "--reason", "x", "--ticket", "CHG-1"];
    env.cancel(&core_card.url(), &flags).exits(0);
}

#[test]
fn a_purpose_with_a_card_number_or_a_line_break_is_refused() {
    let env = TestEnv::with_orders(1);
    for wrong in ["card 4111 1111 1111 1111", "two\nlines", ""] {
        let refused = env.cancel("http://127.0.0.1:9", &["--reason", wrong]).exits(2).stderr;
        assert!(!refused.contains("4111"), "{refused}");
        assert!(refused.contains("--reason"), "{refused}");
    }
}

#[test]
fn a_wait_that_the_server_asked_for_and_the_end_are_events() {
    let env = TestEnv::with_orders(2);
    let server = ScriptedServer::new(|count, _| match count {
        0 => Behavior::Respond(with_headers("429 Too Many Requests", &["Retry-After: 1"], "")),
        _ => Behavior::Respond(json(r#"{"Status":true}"#)),
    });
    env.cancel(&server.url(), &["--concurrency", "1"]).exits(0);
    let record = record(&env);
    assert_eq!(kinds(&record), ["opened", "started", "asked_to_wait", "finished"]);
}

#[test]
fn a_stop_rule_is_an_event_with_what_set_it_off() {
    let env = TestEnv::with_orders(9);
    let server =
        ScriptedServer::always(Behavior::Respond(json(r#"{"Status":false,"ErrorCode":"X1"}"#)));
    let flags = ["--concurrency", "1", "--max-consecutive-same-code", "3"];
    env.cancel(&server.url(), &flags).exits(4);
    let record = record(&env);
    assert_eq!(kinds(&record), ["opened", "started", "stop_rule", "stopped"]);
    let detail = record["events"][2]["detail"].as_str().unwrap();
    assert!(detail.starts_with("SAME_CODE: ") && detail.contains("X1"), "{detail}");
}

#[test]
fn the_run_that_a_rerun_continues_and_the_results_with_their_digests_are_shown() {
    let env = TestEnv::with_orders(2);
    let away =
        ScriptedServer::always(Behavior::Respond(json(r#"{"Status":false,"ErrorCode":"X1"}"#)));
    env.cancel(&away.url(), &[]).exits(1);
    let first = record(&env);
    let digest = first["results"][0]["sha256"].as_str().unwrap();
    let file = env.read("orders.results.csv");
    assert_eq!(digest, cardcancel::hash::Digest::new(&file).to_string());
    env.rerun("orders.results.csv", &away.url(), &["--only", "X1"]).exits(1);
    let second = record(&env);
    assert_eq!(second["continues"][0], first["run"]);
}
