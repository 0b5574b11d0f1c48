//! What the program protects: secrets, card numbers, files and memory.
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Child;

use crate::common::{
    Behavior, CANCELLED, Request, ScriptedServer, TestEnv, TestSimulator, contains, ended, json,
    kill, terminate, until,
};

const CARD: &str = "4111111111111111";
const SECRET: &str = "s3cr3t-t0ken";
/// `me:s3cr3t-t0ken` in a Basic header.
const SECRET_IN_BASE64: &str = "bWU6czNjcjN0LXQwa2Vu";

/// Every file and folder below one, itself included.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() { found.extend(below(&entry)) } else { found.push(entry) }
    }
    found
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

/// What the system reports about a process to every user.
fn reported_by_the_system(child: &Child, file: &str) -> Vec<u8> {
    fs::read(format!("/proc/{}/{file}", child.id())).unwrap()
}

/// The partial results of a run that was killed.
fn partial(env: &TestEnv) -> PathBuf {
    let files = below(env.folder());
    files.into_iter().find(|path| path.extension().is_some_and(|end| end == "partial")).unwrap()
}

#[test]
fn whatever_is_made_is_its_owners_alone() {
    let server = ScriptedServer::always(Behavior::Hang);
    let env = TestEnv::with_orders(1);
    let (folder, program) = (env.folder().display(), env!("CARGO_BIN_EXE_cardcancel"));
    let line = format!(
        "umask 000; cd {folder}; exec {program} run - --yes --url {} --external-ip 10.0.0.1 --timeout 1s --attempts 1 < orders.csv",
        server.url()
    );
    let home = env.path("home");
    let mut shell = std::process::Command::new("sh");
    let shell = shell.args(["-c", &line]).env_clear().env("HOME", &home);
    let child = shell.stdout(std::process::Stdio::piped()).spawn().unwrap();
    until("the call is in flight", || server.requests().len() == 1);
    let made = |path: &PathBuf| *path != env.path("orders.csv") && *path != env.path("home");
    let check = |folder: &Path| {
        let files: Vec<_> = below(folder).into_iter().skip(1).filter(made).collect();
        for path in &files {
            assert_eq!(mode(path) & 0o077, 0, "{} has mode {:o}", path.display(), mode(path));
        }
        files.len()
    };
    // Ledger, -wal, -shm and lock with four folders, and the partial results.
    assert!(check(env.folder()) >= 8, "{:?}", below(env.folder()));
    ended(child).exits(3);
    assert_eq!(mode(&env.path("stdin.results.csv")), 0o600);
    check(env.folder());
}

/// An answer without a Status that repeats the credentials it was sent.
fn said_of(request: &Request) -> String {
    let value = request.header("authorization").or(request.header("x-api-key")).unwrap();
    let message = format!("the key {value} ({SECRET}) may not cancel {CARD}");
    serde_json::json!({ "ErrorCode": value, "Message": message }).to_string()
}

#[test]
fn no_kind_of_secret_and_no_card_number_is_anywhere() {
    let orders = format!("admin,seq,note\n1,1,\n2,1,{CARD}\n");
    for (table, variable) in [
        ("kind = 'bearer'", "CARDCANCEL_BEARER_TOKEN"),
        ("kind = 'basic'\nusername = 'me'", "CARDCANCEL_BASIC_PASSWORD"),
        ("kind = 'headers'\nnames = ['X-Api-Key']", "CARDCANCEL_HEADER_X_API_KEY"),
    ] {
        for in_file in [false, true] {
            // The first answers repeat the request, as servers do in messages and error pages.
            let server = ScriptedServer::new(|nth, request| match nth {
                0 => Behavior::Respond(json(&said_of(request))),
                1 => Behavior::Respond(json(&request.head.replace(['\r', '\n'], " "))),
                _ => Behavior::Hang,
            });
            let elsewhere = tempfile::NamedTempFile::new().unwrap();
            fs::write(elsewhere.path(), SECRET).unwrap();
            let env = TestEnv::new();
            env.file("orders.csv", &orders).file("cardcancel.toml", format!("[auth]\n{table}"));
            let url = server.url();
            let flags = ["--url", &url, "--external-ip", "10.0.0.1", "--yes", "--timeout", "500ms"];
            let files = ["--log-file=night.log", "--log-level=debug", "--metrics-file=night.prom"];
            let start = |words: &[&str]| {
                let mut command = env.command(&[words, &flags, &files].concat());
                if in_file {
                    command.env(format!("{variable}_FILE"), elsewhere.path())
                } else {
                    command.env(variable, SECRET)
                };
                command.env("RUST_LOG", "trace").spawn().unwrap()
            };
            let child = start(&["run", "orders.csv"]);
            until("a call is in flight", || server.requests().len() == 3);
            let line = reported_by_the_system(&child, "cmdline");
            let limits = reported_by_the_system(&child, "limits");
            let mut everywhere = env.everything_written();
            everywhere.extend(ended(child).exits(3).report().into_bytes());
            everywhere.extend(ended(start(&["config", "show"])).exits(0).report().into_bytes());
            everywhere.extend(env.everything_written());
            everywhere.extend(line);
            for never in [SECRET, SECRET_IN_BASE64, CARD] {
                assert!(!contains(&everywhere, never), "{never} with {table}");
            }
            for there in ["CARD_NUMBER", "[secret removed]", "cardcancel_run_info", "DEBUG"] {
                assert!(contains(&everywhere, there), "{there} with {table}");
            }
            let sent = format!("{:?}", server.requests());
            assert!(sent.contains(SECRET) || sent.contains(SECRET_IN_BASE64), "{sent}");
            let core = String::from_utf8(limits).unwrap();
            let core = core.lines().find(|line| line.starts_with("Max core file size")).unwrap();
            let core: Vec<&str> = core.split_whitespace().skip(4).collect();
            assert_eq!(core, ["0", "0", "bytes"]);
        }
    }
}

#[test]
fn a_card_number_is_kept_nowhere_however_its_digits_are_parted() {
    for note in [
        "4111\u{a0}1111\u{202f}1111\u{2009}1111",
        "4111.1111.1111.1111",
        "4111_1111/1111–1111",
        "\"4111\n1111\n1111\n1111\"",
        "\"4111,1111,1111,1111\"",
        "4111\u{200b}1111\u{feff}11111111",
        "４１１１１１１１１１１１１１１１",
        "41111111111111111227",
        "4111,1111,1111,1111",
    ] {
        let env = TestEnv::new();
        let orders = format!("admin,seq,a,b,c,d\n1,1,{note},,,\n2,1,{note}\n3,1,,,,\n");
        let orders =
            if note == "4111,1111,1111,1111" { orders.replace(",,,\n", "\n") } else { orders };
        env.file("orders.csv", orders);
        let core_card = TestSimulator::perfect();
        let reported = env.cancel(&core_card.url(), &["--log-level=debug"]).exits(1).report();
        let check = env.run(&["check", "orders.csv"]).exits(1).report();
        assert_eq!(core_card.requests(), 1, "{note}: {reported}");
        fs::remove_file(env.path("orders.csv")).unwrap();
        let everything =
            [env.everything_written(), reported.into_bytes(), check.into_bytes()].concat();
        let parts = note.trim_matches('"');
        assert!(!contains(&everything, parts), "{parts:?}");
        assert!(contains(&everything, "[card number removed]"), "{parts:?}");
        assert_eq!(env.text("orders.results.csv").matches("CARD_NUMBER").count(), 2, "{parts:?}");
    }
}

#[test]
fn a_number_that_may_be_a_card_mistyped_is_not_quoted() {
    let env = TestEnv::new();
    env.file("orders.csv", "admin,seq\n-4111111111111112,1\n4111111111111112 x,1\n1,4111111111111112\n4111111111111112,1,x\n");
    let check = env.run(&["check", "orders.csv"]).exits(1).report();
    assert!(!check.contains("1111111"), "{check}");
    assert!(check.contains("the admin number, with 16 digits, has a sign"), "{check}");
}

#[test]
fn a_link_planted_where_the_results_are_prepared_leads_nowhere() {
    let server = ScriptedServer::sequence(vec![Behavior::Hang, Behavior::Respond(json(CANCELLED))]);
    let env = TestEnv::with_orders(1);
    let child = env.begin_to_cancel(&server.url(), &[]);
    until("the call is in flight", || server.requests().len() == 1);
    kill(child);
    let partial = partial(&env);
    fs::remove_file(&partial).unwrap();
    env.file("precious.txt", "precious");
    symlink("precious.txt", &partial).unwrap();
    env.cancel(&server.url(), &[]).exits(0);
    assert_eq!(env.text("precious.txt"), "precious");
    assert!(fs::symlink_metadata(env.path("orders.results.csv")).unwrap().is_file());
}

#[test]
fn a_link_planted_for_the_results_during_a_run_is_not_followed() {
    let server = ScriptedServer::always(Behavior::Hang);
    let env = TestEnv::new();
    env.orders(1).file("precious.txt", "precious");
    let child = env.begin_to_cancel(&server.url(), &["--timeout", "1s", "--attempts", "1"]);
    until("the call is in flight", || server.requests().len() == 1);
    symlink("precious.txt", env.path("orders.results.csv")).unwrap();
    terminate(&child);
    let outcome = ended(child);
    assert!(
        outcome.stderr.contains("orders.results.csv is not a plain file"),
        "{}",
        outcome.report()
    );
    assert_eq!(env.text("precious.txt"), "precious");
}

#[test]
fn a_ledger_that_others_may_write_is_refused_for_looking_too() {
    let env = TestEnv::new();
    env.orders(1).cancel(&TestSimulator::perfect().url(), &[]).exits(0);
    fs::set_permissions(env.ledger(), fs::Permissions::from_mode(0o666)).unwrap();
    let outcome = env.run(&["runs"]).exits(2);
    assert!(outcome.stderr.contains("others can write"), "{}", outcome.stderr);
    fs::set_permissions(env.ledger(), fs::Permissions::from_mode(0o600)).unwrap();
    env.run(&["runs"]).exits(0);
}
