//! A run is sealed when it comes to rest, and `verify` finds what was changed afterwards.
use std::fs;
use std::time::Duration;

use crate::common::postgres::{database, free_port};
use crate::common::{
    Behavior, ProgramOutput, ScriptedServer, TestEnv, TestSimulator, ended, json, kill, status,
    terminate, until, with_headers,
};
use cardcancel::simulator::{Latency, SimulatorSettings};
use rusqlite::Connection;
use serde_json::Value;

fn seals(env: &TestEnv) -> Vec<String> {
    let ledger = Connection::open(env.ledger()).unwrap();
    let mut find = ledger.prepare("SELECT text FROM seal ORDER BY number").unwrap();
    let texts = find.query_map([], |row| row.get(0)).unwrap();
    texts.map(Result::unwrap).collect()
}

fn change(env: &TestEnv, sql: &str) {
    let ledger = Connection::open(env.ledger()).unwrap();
    ledger.pragma_update(None, "foreign_keys", false).unwrap();
    let changed = ledger.execute(sql, []).unwrap();
    assert!(changed > 0, "{sql}");
}

fn verify(env: &TestEnv, flags: &[&str]) -> ProgramOutput {
    env.run(&[&["verify"], flags].concat())
}

fn line<'t>(seal: &'t str, name: &str) -> &'t str {
    seal.lines().find(|line| line.starts_with(name)).unwrap_or_default()
}

#[test]
fn a_run_that_ended_is_sealed_and_the_seal_is_shown_logged_and_verified() {
    let env = TestEnv::new();
    let core_card = TestSimulator::perfect();
    let flags = ["--reason", "batch sent twice", "--ticket", "CHG-4711"];
    let output = env.orders(3).cancel(&core_card.url(), &flags).exits(0);
    let sealed = seals(&env);
    let [seal] = &sealed[..] else { panic!("{sealed:?}") };
    assert_eq!(line(seal, "number"), "number 1");
    assert_eq!(line(seal, "state"), "state ended");
    assert_eq!(
        line(seal, "for"),
        "for \"batch sent twice\" requested by none, ticket \"CHG-4711\""
    );
    let results = cardcancel::hash::Digest::new(env.read("orders.results.csv"));
    assert_eq!(line(seal, "results"), format!("results {results} \"orders.results.csv\""));
    let digest = cardcancel::hash::Digest::new(seal).to_string();
    assert!(output.stdout.contains(&format!("Seal 1: {} ", &digest[..4])), "{}", output.stdout);
    assert!(output.stderr.contains("cardcancel-seal "), "{}", output.stderr);
    let verified = verify(&env, &[]).exits(0).stdout;
    assert_eq!(
        verified,
        format!(
            "Unchanged since seal 1, {digest}: 1 sealed run, 3 rows, 3 attempts.\nNot compared with a witness: say --witness.\n"
        )
    );
}

#[test]
fn a_run_that_goes_on_after_a_stop_says_that_what_was_sealed_is_as_it_was() {
    let env = TestEnv::new();
    env.orders(40);
    let latency = Latency::fixed(Duration::from_millis(20));
    let core_card =
        TestSimulator::new(SimulatorSettings { latency, ..SimulatorSettings::default() });
    let begun = env.begin_to_cancel(&core_card.url(), &["--concurrency", "2"]);
    until("some were sent", || core_card.requests() > 4);
    terminate(&begun);
    ended(begun).exits(4);
    verify(&env, &[]).exits(0);
    env.cancel(&core_card.url(), &[]).exits(0);
    let sealed = seals(&env);
    assert_eq!(sealed.len(), 2);
    assert_eq!(line(&sealed[0], "state"), "state stopped \"SIGNAL\"");
    assert_eq!(line(&sealed[1], "state"), "state ended");
    assert_eq!(line(&sealed[1], "continues"), "continues 1 as it was");
    verify(&env, &[]).exits(0);
}

/// Kills a run with calls in flight, and runs another file.
fn killed_and_another(core_card: &TestSimulator) -> TestEnv {
    let env = TestEnv::new();
    env.orders(20);
    let begun = env.begin_to_cancel(&core_card.url(), &["--concurrency", "2"]);
    until("some were sent", || core_card.requests() > 4);
    kill(begun);
    another(&env, core_card);
    env
}

fn another(env: &TestEnv, core_card: &TestSimulator) {
    env.file("other.csv", "admin,seq\n990001,1\n");
    let args =
        ["run", "other.csv", "--url", &core_card.url(), "--external-ip", "10.0.0.1", "--yes"];
    env.run(&args).exits(0);
}

#[test]
fn a_run_that_was_killed_with_calls_in_flight_is_sealed_once_it_has_gone_on() {
    let latency = Latency::fixed(Duration::from_millis(20));
    let core_card =
        TestSimulator::new(SimulatorSettings { latency, ..SimulatorSettings::default() });
    let env = killed_and_another(&core_card);
    assert_eq!(seals(&env).len(), 1);
    let verified = verify(&env, &[]).exits(0).stdout;
    assert!(verified.contains("Not sealed yet, and not verified: "), "{verified}");
    // What was in flight may have been cancelled, and is rejected then.
    env.cancel(&core_card.url(), &[]);
    assert_eq!(seals(&env).len(), 2);
    let verified = verify(&env, &[]).exits(0).stdout;
    assert!(verified.starts_with("Unchanged since seal 2, "), "{verified}");
    assert!(!verified.contains("Not sealed yet"), "{verified}");
}

#[test]
fn a_run_that_nobody_sealed_is_sealed_late_by_the_next_run() {
    let env = TestEnv::new();
    let core_card = TestSimulator::perfect();
    env.orders(3).cancel(&core_card.url(), &[]).exits(0);
    change(&env, "DELETE FROM seal");
    another(&env, &core_card);
    let sealed = seals(&env);
    assert_eq!(sealed.len(), 2);
    assert_eq!(line(&sealed[0], "counts"), "counts cancelled 3");
    assert_eq!(line(&sealed[0], "events"), line(&sealed[0], "events 4"));
    // The results that the process wrote before it died.
    let results = cardcancel::hash::Digest::new(env.read("orders.results.csv"));
    assert_eq!(line(&sealed[0], "results"), format!("results {results} \"orders.results.csv\""));
    let verified = verify(&env, &[]).exits(0).stdout;
    assert!(verified.starts_with("Unchanged since seal 2, "), "{verified}");
}

#[test]
fn a_run_with_several_results_is_sealed_late_without_a_guess_which_was_the_last() {
    let env = TestEnv::new();
    let core_card = TestSimulator::perfect();
    env.orders(3).cancel(&core_card.url(), &[]).exits(0);
    let digest = cardcancel::hash::Digest::new("other results").to_string();
    let noted =
        format!("INSERT INTO results (mark, run, path) VALUES ('{digest}', 1, 'other.csv')");
    change(&env, &noted);
    change(&env, "DELETE FROM seal");
    another(&env, &core_card);
    assert_eq!(line(&seals(&env)[0], "results"), "results none");
    verify(&env, &[]).exits(0);
}

#[test]
fn every_change_of_the_record_is_found_and_named() {
    let server = ScriptedServer::new(|count, _| match count {
        0 => Behavior::Close,
        1 => Behavior::Respond(json(r#"{"Status":false,"ErrorCode":"X1"}"#)),
        _ => Behavior::Respond(json(r#"{"Status":true}"#)),
    });
    let env = TestEnv::new();
    env.orders(5).cancel(&server.url(), &["--reason", "r", "--concurrency", "1"]).exits(1);
    let whole = fs::read(env.ledger()).unwrap();
    for (sql, named) in [
        (
            "UPDATE attempt SET ended_at = ended_at + 1 WHERE row = 3",
            "block 1 of its lines in attempts.csv",
        ),
        (
            "UPDATE attempt SET sent_at = sent_at - 1 WHERE row = 4",
            "block 1 of its lines in attempts.csv",
        ),
        ("DELETE FROM attempt WHERE row = 2", "block 1 of its lines in attempts.csv"),
        (
            "UPDATE outcome SET error_code = 'X2' WHERE error_code = 'X1'",
            "block 1 of its lines in attempts.csv",
        ),
        (
            "UPDATE row SET admin_number = admin_number + 1 WHERE row = 5",
            "block 1 of its lines in rows.csv",
        ),
        ("UPDATE row SET doubt = 1 WHERE row = 5", "block 1 of its lines in rows.csv"),
        ("UPDATE start SET uid = 77", "who started it"),
        ("UPDATE start SET reason = 'other'", "its purpose"),
        ("UPDATE start SET finished_at = finished_at + 1", "the time at which it finished"),
        ("UPDATE run SET opened_at = opened_at - 1", "the time at which it was opened"),
        ("UPDATE run SET input_name = 'x.csv'", "its input"),
        ("UPDATE run SET endpoint = 'https://other'", "block 1 of its lines in attempts.csv"),
        ("UPDATE configuration SET text = text || 'x'", "its configuration"),
        ("DELETE FROM configuration", "its configuration"),
        ("UPDATE progress SET cancelled = cancelled + 1", "counts"),
        (
            "INSERT INTO event (run, at, kind, detail) VALUES (1, 0, 'signal', '')",
            "block 1 of its lines in events.csv",
        ),
        ("UPDATE seal SET text = replace(text, 'ended', 'stopped')", "seal 1: "),
        ("UPDATE seal SET number = 2", "seal 1: it is missing"),
        ("UPDATE seal SET rows = ''", ""),
        ("UPDATE ledger SET id = 'other'", "seal 1: it is of another ledger"),
        ("DELETE FROM seal", ""),
    ] {
        fs::write(env.ledger(), &whole).unwrap();
        change(&env, sql);
        let verified = verify(&env, &[]);
        // Without its list of blocks, a change cannot be named by its block; nothing else changes.
        if named.is_empty() {
            let verified = verified.exits(0).stdout;
            let is_known =
                verified.starts_with("Unchanged since seal 1") || verified.contains("has no seal");
            assert!(is_known, "{sql}: {verified}");
            continue;
        }
        let verified = verified.exits(1).stdout;
        assert!(verified.contains(named), "{sql}: {verified}");
        assert!(verified.contains("ALTERED: "), "{sql}: {verified}");
    }
}

#[test]
fn only_a_witness_shows_that_the_newest_runs_were_cut_off() {
    let env = TestEnv::new();
    let core_card = TestSimulator::perfect();
    let first = env.orders(2).cancel(&core_card.url(), &[]).exits(0);
    let yesterday = fs::read(env.ledger()).unwrap();
    env.file("other.csv", "admin,seq\n990001,1\n");
    let args =
        ["run", "other.csv", "--url", &core_card.url(), "--external-ip", "10.0.0.1", "--yes"];
    let second = env.run(&args).exits(0);
    // The log is a witness.
    env.file("witness", format!("{}{}", first.stderr, second.stderr));
    let verified = verify(&env, &["--witness", "witness"]).exits(0).stdout;
    assert!(verified.ends_with("The witness confirms the seals up to 2.\n"), "{verified}");
    fs::write(env.ledger(), yesterday).unwrap();
    let verified = verify(&env, &[]).exits(0).stdout;
    assert!(verified.contains("Not compared with a witness"), "{verified}");
    let verified = verify(&env, &["--witness", "witness", "--json"]).exits(1).stdout;
    let verified: Value = serde_json::from_str(&verified).unwrap();
    assert_eq!(verified["holds"], false);
    assert!(verified["findings"][0].as_str().unwrap().starts_with("seal 2"), "{verified}");
    verify(&env, &["--witness", "missing"]).exits(2);
}

#[test]
fn a_run_that_stopped_before_its_first_call_is_sealed_too() {
    let env = TestEnv::new();
    let server = ScriptedServer::always(Behavior::Respond(status("401 Unauthorized")));
    env.orders(3).cancel(&server.url(), &["--concurrency", "1"]).exits(4);
    assert_eq!(line(&seals(&env)[0], "state"), "state stopped \"CREDENTIALS\"");
    verify(&env, &[]).exits(0);
}

#[test]
fn the_clock_is_compared_with_the_dates_of_the_answers_and_says_how_closely() {
    let env = TestEnv::new();
    let server = ScriptedServer::new(|_, _| {
        let behind = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(5);
        let date = behind.strftime("Date: %a, %d %b %Y %H:%M:%S GMT").to_string();
        let answer = with_headers("200 OK", &[&date], r#"{"Status":true}"#);
        // Calls at different parts of a second bound the offset from both sides.
        std::thread::sleep(Duration::from_millis(70));
        Behavior::Respond(answer)
    });
    env.orders(30).cancel(&server.url(), &["--concurrency", "1"]).exits(0);
    let sealed = seals(&env);
    let clock = line(&sealed[0], "clock").split_once(", ").unwrap().1;
    let (ahead, rest) = clock.split_once(" s ahead of the server's Date, give or take ").unwrap();
    let (ahead, within): (f64, f64) =
        (ahead.parse().unwrap(), rest.strip_suffix(" s").unwrap().parse().unwrap());
    assert!((ahead - 5.0).abs() <= within && within < 0.5, "{clock}");
    verify(&env, &[]).exits(0);
}

/// Runs into an outage that stops the run, and goes on into another.
fn stopped_by_outages_and_verified(ledger: Option<&str>) {
    let env = TestEnv::with_orders(6);
    let run = |args: &[&str]| {
        let mut command = env.command(args);
        command.envs(ledger.map(|ledger| ("CARDCANCEL_LEDGER", ledger)));
        ProgramOutput::from(command.output().unwrap())
    };
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let args = ["run", "orders.csv", "--url", &nobody, "--external-ip", "10.0.0.1", "--yes"];
    let more = ["--max-outage", "1s", "--attempts", "2", "--concurrency", "3"];
    for seal in 1..=2 {
        run(&[&args[..], &more].concat()).exits(4);
        let verified = run(&["verify"]).exits(0).stdout;
        assert!(verified.starts_with(&format!("Unchanged since seal {seal}, ")), "{verified}");
    }
}

#[test]
fn a_run_that_outages_stopped_has_the_attempts_that_it_counted() {
    stopped_by_outages_and_verified(None);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_run_in_a_database_that_outages_stopped_has_the_attempts_that_it_counted() {
    stopped_by_outages_and_verified(Some(&database().url()));
}
