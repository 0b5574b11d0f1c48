//! What happens when nobody reads standard output any more, as after `| head`, and what other
//! terminals show of a run that is under way.

use std::fs::File;
use std::process::{Child, Command};

use serde_json::Value;

use crate::common::{
    Behavior, ProgramOutput, ScriptedServer, TestEnv, TestSimulator, ended, json, until,
};

/// The output of a command whose reader has left before it starts.
fn without_reader(mut command: Command) -> ProgramOutput {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    command.stdout(writer);
    command.output().unwrap().into()
}

fn only_run(env: &TestEnv) -> Value {
    let listed = env.run(&["runs", "--json"]);
    serde_json::from_str(listed.stdout.lines().next().unwrap_or("null")).unwrap()
}

/// A run that goes on for long, its address and its id.
fn slow_run(env: &TestEnv, url: &str) -> (Child, String) {
    let flags = ["--url", url, "--external-ip", "10.0.0.1", "--yes", "--rate", "2/s"];
    let child = env.command(&[&["run", "orders.csv"][..], &flags].concat()).spawn().unwrap();
    let mut run = Value::Null;
    until("the run is in progress", || {
        run = only_run(env);
        run["state"] == "running"
    });
    (child, run["run"].as_str().unwrap().to_owned())
}

#[test]
fn a_command_whose_reader_has_left_ends_quietly() {
    let env = TestEnv::with_orders(2);
    let core_card = TestSimulator::perfect();
    env.cancel(&core_card.url(), &[]).exits(0);
    let id = only_run(&env)["run"].as_str().unwrap().to_owned();
    let all: [&[&str]; 12] = [
        &["results", &id],
        &["results", "--open"],
        &["history", "1001", "1"],
        &["runs"],
        &["runs", &id, "--json"],
        &["man"],
        &["completions", "bash"],
        &["config", "show"],
        &["ledger", "info"],
        &["--help"],
        &["help", "run"],
        &["run", "--help"],
    ];
    for args in all {
        let quiet = without_reader(env.command(args)).exits(0);
        assert_eq!(quiet.stderr, "", "{args:?}");
    }
    // A disk is not a reader.
    let mut full = env.command(&["results", &id]);
    full.stdout(File::options().write(true).open("/dev/full").unwrap());
    let full = ProgramOutput::from(full.output().unwrap()).exits(5);
    assert!(full.stderr.contains("No space left on device"), "{}", full.stderr);
}

#[test]
fn a_run_whose_summary_nobody_reads_keeps_its_exit_code_and_its_results() {
    let rejected = r#"{"Status": false, "ErrorCode": "0042", "ErrorMessage": "printed"}"#;
    let server = ScriptedServer::new(move |_, _| Behavior::Respond(json(rejected)));
    let env = TestEnv::with_orders(2);
    let run = without_reader(env.cancelling(&server.url(), &["--log-level", "error"])).exits(1);
    assert_eq!(run.stderr, "");
    assert_eq!(env.results().len(), 2);
    let again = without_reader(env.cancelling(&server.url(), &["--max-rows", "1", "--again"]));
    assert!(again.exits(2).stderr.starts_with("error: "));
}

#[test]
fn a_run_that_is_under_way_is_shown_as_such_everywhere() {
    let env = TestEnv::with_orders(400);
    let core_card = TestSimulator::perfect();
    let url = core_card.url();
    let (child, id) = slow_run(&env, &url);
    let watch = ["runs", &id, "--watch", "--json"];
    without_reader(env.command(&watch)).exits(0);
    assert_eq!(only_run(&env)["state"], "running", "who watched waited for the run");
    let watching = env.command(&watch).spawn().unwrap();
    let written = env.run(&["results", &id, "-o", "now.csv"]).exits(0).stdout;
    let warning = format!("run {id} is in progress: ");
    let remark = written.lines().find(|line| line.starts_with(&warning)).unwrap();
    assert!(remark.ends_with(" have not ended yet; do not rerun this file while the run goes on"));
    let printed = env.run(&["results", &id]).exits(0).stderr;
    assert!(printed.starts_with(&warning), "{printed}");
    env.run(&["pace", &id, "1/s"]).exits(0);
    env.run(&["stop", &id]).exits(0);
    let log = ended(child).exits(4).stderr;
    assert!(log.contains(" sets the rate of this run ") && log.contains(" stops this run"));
    for line in log.lines() {
        assert!(line.contains(&format!(" run{{id={id}}}: ")), "{line}");
    }
    let written = env.run(&["results", &id, "-o", "then.csv"]).exits(0).stdout;
    assert!(written.contains(&format!("run {id} stopped early: 3")), "{written}");
    let objects = ended(watching).exits(0).stdout;
    let objects: Vec<Value> =
        objects.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let keys = |run: &Value| run.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let [first, .., last] = &objects[..] else { panic!("{objects:?}") };
    assert_eq!((&first["state"], &last["state"]), (&"running".into(), &"stopped".into()));
    assert_eq!(keys(first), keys(last));
    assert_eq!(first["exit_code"], Value::Null);
}

#[test]
fn the_plan_stands_before_the_refusal_to_go_on_without_a_terminal() {
    let env = TestEnv::with_orders(2);
    let url = ["--url", "http://127.0.0.1:9", "--external-ip", "10.0.0.1"];
    let refused = env.run(&[&["run", "orders.csv"][..], &url].concat()).exits(2).stderr;
    let plan = refused.find("About to cancel 2 orders of orders.csv").unwrap();
    let error = refused.find("error: not a terminal").unwrap();
    assert!(plan < error, "{refused}");
    assert!(refused.trim_end().ends_with("pass --yes to send without asking"), "{refused}");
}

#[test]
fn open_rows_at_an_address_without_runs_are_not_said_to_be_none() {
    let env = TestEnv::with_orders(2);
    let core_card = TestSimulator::perfect();
    let url = core_card.url();
    env.cancel(&url, &[]).exits(0);
    env.file("cardcancel.toml", "[profile.sandbox]\nurl = 'https://sandbox.example/api'\n");
    let open = ["results", "--open", "--profile", "sandbox"];
    let remark = format!(
        "the ledger has no run at https://sandbox.example/api; it has runs at {}",
        url.trim_end_matches('/')
    );
    assert_eq!(env.run(&open).exits(0).stderr.trim_end(), remark);
    let written = env.run(&[&open[..], &["-o", "open.csv"]].concat()).exits(0).stdout;
    assert!(written.starts_with(&remark), "{written}");
}

#[test]
fn a_rehearsal_that_was_stopped_is_not_said_to_be_resumed() {
    let env = TestEnv::with_orders(400);
    let rehearse = ["run", "orders.csv", "--rehearse", "--rate", "5/s"];
    let child = env.command(&rehearse).spawn().unwrap();
    let mut run = Value::Null;
    until("the rehearsal is in progress", || {
        let listed = env.run(&["runs", "--json", "--rehearse"]).stdout;
        run = serde_json::from_str(listed.lines().next().unwrap_or("null")).unwrap();
        run["state"] == "running"
    });
    let id = run["run"].as_str().unwrap();
    let stopped = env.run(&["stop", id, "--rehearse"]).exits(0).stdout;
    let shown = env.run(&["runs", id, "--rehearse"]).exits(0).stdout;
    let refused = env.run(&["stop", id, "--rehearse"]).exits(2).stderr;
    let summary = ended(child).exits(4).stdout;
    for text in [&stopped, &shown, &refused, &summary] {
        assert!(!text.contains("resume") || text.contains("rehearsal is not resumed"), "{text}");
        assert!(text.contains("new"), "{text}");
    }
}
