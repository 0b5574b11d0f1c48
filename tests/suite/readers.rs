//! The commands that only read open the ledger of another user too, and write nothing beside it;
//! in PostgreSQL, the role for auditors of the samples is enough for them.
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::common::postgres::granted;
use crate::common::{Behavior, ProgramOutput, ScriptedServer, TestEnv, TestSimulator, kill, until};

/// Whom the ledger belongs to, and who reads it.
const OWNER: u32 = 65_533;
const READER: u32 = 65_534;

/// Whether this process may become another user. If not, the test is reported as not run.
fn can_be_another(test: &str) -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        println!("NOT RUN: {test}, since it needs root");
    }
    is_root
}

/// An environment with orders and a folder for the ledger that belong to its owner, and one in
/// which anybody may write.
fn shared_env() -> TestEnv {
    let env = TestEnv::with_orders(3);
    // Copied by another process: one that another test starts meanwhile would keep it open for
    // writing, and it could not be started.
    let mut copy = Command::new("cp");
    copy.arg(env!("CARGO_BIN_EXE_cardcancel")).arg(env.path("program"));
    assert!(copy.status().unwrap().success());
    for (name, owner, mode) in [("shelf", OWNER, 0o755), ("out", OWNER, 0o777)] {
        fs::create_dir(env.path(name)).unwrap();
        std::os::unix::fs::chown(env.path(name), Some(owner), Some(owner)).unwrap();
        allow(&env.path(name), mode);
    }
    allow(env.folder(), 0o755);
    allow(&env.path("program"), 0o755);
    env
}

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The program as this user, not yet started.
fn as_user(env: &TestEnv, user: u32, args: &[&str]) -> Command {
    let mut command = Command::new(env.path("program"));
    command.args(args).args(["--ledger", "../shelf/l.db"]).current_dir(env.path("out"));
    command.env_clear().env("HOME", "/nonexistent").stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).uid(user).gid(user);
    command
}

/// A run of the orders as the ledger's owner, not yet started.
fn run(env: &TestEnv, url: &str) -> Command {
    let flags = ["--url", url, "--external-ip", "10.120.0.0", "--yes", "--rate", "unlimited"];
    as_user(env, OWNER, &[&["run", "../orders.csv", "-o", "r.csv"], &flags[..]].concat())
}

/// The names of the files in the ledger's folder, but for locks.
fn beside(env: &TestEnv) -> Vec<String> {
    let names = fs::read_dir(env.path("shelf")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.starts_with('l')).collect();
    names.sort();
    names
}

/// Reads the ledger with every command that reads. Returns what `verify` and `runs` print.
#[track_caller]
fn all_read(env: &TestEnv, user: u32, has_sealed_run: bool) -> String {
    let before = (beside(env), fs::read(env.path("shelf/l.db")).unwrap());
    let read = |args: &[&str]| ProgramOutput::from(as_user(env, user, args).output().unwrap());
    let runs = read(&["runs", "--json"]).exits(0).stdout;
    let id = serde_json::from_str::<serde_json::Value>(runs.lines().next().unwrap()).unwrap();
    let id = id["run"].as_str().unwrap();
    read(&["runs", id]).exits(0);
    let history = read(&["history", "1001", "1"]).exits(0).stdout;
    assert!(history.contains(id), "{history}");
    let verified = read(&["verify"]).exits(0).stdout;
    if has_sealed_run {
        let folder = format!("audit-{user}");
        read(&["export", id, "-o", &folder]).exits(0);
        let page = format!("report-{user}.html");
        read(&["report", id, "-o", &page]).exits(0);
        read(&["report", "--since", "2000-01-01", "-o", &format!("all-{page}")]).exits(0);
        assert!(read(&["results", id]).exits(0).stdout.contains("cancelled"));
        read(&["results", "--open", "-o", &format!("open-{user}.csv")]).exits(0);
        let mut verify = Command::new(env.path("program"));
        verify.args(["verify", &folder]).current_dir(env.path("out")).env_clear().env("HOME", "/");
        ProgramOutput::from(verify.output().unwrap()).exits(0);
    }
    assert!((beside(env), fs::read(env.path("shelf/l.db")).unwrap()) == before, "it was written");
    format!("{runs}{verified}")
}

/// A run that waits for an answer that never comes, with the calls that were made.
fn begun(env: &TestEnv) -> (ScriptedServer, Child) {
    let server = ScriptedServer::new(|count, _| match count {
        0 => Behavior::Respond(crate::common::json(r#"{"Status":true}"#)),
        _ => Behavior::Hang,
    });
    let run = run(env, &server.url()).args(["--concurrency", "1"]).spawn().unwrap();
    until("it waits for an answer", || server.requests().len() > 1);
    allow(&env.path("shelf/l.db"), 0o644);
    for ending in ["wal", "shm"] {
        allow(&env.path(&format!("shelf/l.db-{ending}")), 0o644);
    }
    (server, run)
}

#[test]
fn a_ledger_of_another_user_is_read_while_nobody_uses_it() {
    if !can_be_another("a_ledger_of_another_user_is_read_while_nobody_uses_it") {
        return;
    }
    let env = shared_env();
    let core_card = TestSimulator::perfect();
    ProgramOutput::from(run(&env, &core_card.url()).output().unwrap()).exits(0);
    allow(&env.path("shelf/l.db"), 0o644);
    assert_eq!(beside(&env), ["l.db"]);
    for user in [READER, OWNER, 0] {
        let shown = all_read(&env, user, true);
        assert!(shown.contains("Unchanged since seal 1"), "{shown}");
        assert_eq!(beside(&env), ["l.db"], "user {user}");
    }
    allow(&env.path("shelf"), 0o555);
    all_read(&env, READER, false);
}

#[test]
fn a_ledger_of_another_user_is_read_while_a_run_uses_it_and_after_that_was_killed() {
    if !can_be_another(
        "a_ledger_of_another_user_is_read_while_a_run_uses_it_and_after_that_was_killed",
    ) {
        return;
    }
    let env = shared_env();
    let (_server, run) = begun(&env);
    for user in [READER, 0] {
        let shown = all_read(&env, user, false);
        assert!(shown.contains("\"state\":\"running\""), "{shown}");
        assert!(shown.contains("In progress, and not verified: "), "{shown}");
    }
    kill(run);
    assert_eq!(beside(&env), ["l.db", "l.db-shm", "l.db-wal"]);
    for user in [READER, 0] {
        let shown = all_read(&env, user, false);
        assert!(shown.contains("\"state\":\"died\""), "{shown}");
        assert!(shown.contains("Not sealed yet, and not verified: "), "{shown}");
    }
    // Without the index, the log could only be read by writing one.
    fs::remove_file(env.path("shelf/l.db-shm")).unwrap();
    for user in [READER, 0] {
        let refused = ProgramOutput::from(as_user(&env, user, &["verify"]).output().unwrap());
        assert!(refused.exits(2).stderr.contains("read it as its owner, or copy both files"));
    }
    let shown = ProgramOutput::from(as_user(&env, OWNER, &["verify"]).output().unwrap()).exits(0);
    assert!(shown.stdout.contains("Not sealed yet"), "{}", shown.report());
}

#[test]
fn a_ledger_that_others_may_write_is_refused_whoever_reads_it() {
    if !can_be_another("a_ledger_that_others_may_write_is_refused_whoever_reads_it") {
        return;
    }
    let env = shared_env();
    let core_card = TestSimulator::perfect();
    ProgramOutput::from(run(&env, &core_card.url()).output().unwrap()).exits(0);
    allow(&env.path("shelf/l.db"), 0o666);
    for user in [READER, OWNER, 0] {
        for args in [&["runs"][..], &["verify"], &["history", "1001", "1"]] {
            let refused = ProgramOutput::from(as_user(&env, user, args).output().unwrap());
            let refused = refused.exits(2).stderr;
            assert!(refused.contains("others can write ../shelf/l.db (mode 0666)"), "{refused}");
            assert!(refused.contains("chmod go-w ../shelf/l.db"), "{refused}");
        }
    }
    // Another user reads, and does not run.
    allow(&env.path("shelf/l.db"), 0o644);
    let url = core_card.url();
    let args = ["run", "../orders.csv", "--url", &url, "--external-ip", "10.120.0.0", "--yes"];
    let refused = ProgramOutput::from(as_user(&env, READER, &args).output().unwrap());
    assert!(refused.exits(2).stderr.contains("belongs to another user (uid 65533)"));
}

#[test]
fn a_ledger_on_a_read_only_file_system_is_read() {
    let test = "a_ledger_on_a_read_only_file_system_is_read";
    if !can_be_another(test) {
        return;
    }
    let env = shared_env();
    let core_card = TestSimulator::perfect();
    ProgramOutput::from(run(&env, &core_card.url()).output().unwrap()).exits(0);
    // In a namespace of its own, so that nobody else sees the mount.
    let read_only = "mount --bind ../shelf ../shelf && mount -o remount,bind,ro ../shelf";
    let on_read_only = |args: &[&str], commands: &str| -> ProgramOutput {
        let mut shell = Command::new("unshare");
        let commands = format!("{read_only} && {commands}");
        shell.args(["--mount", "sh", "-c", &commands, "sh"]).args(args);
        shell.args(["--ledger", "../shelf/l.db"]).current_dir(env.path("out"));
        shell.env("HOME", "/nonexistent").output().unwrap().into()
    };
    if on_read_only(&[], "! touch ../shelf/new").code != Some(0) {
        println!("NOT RUN: {test}, since nothing can be mounted here");
        return;
    }
    let as_owner = "exec setpriv --reuid 65533 --regid 65533 --clear-groups ../program \"$@\"";
    for commands in ["exec ../program \"$@\"", as_owner] {
        let verified = on_read_only(&["verify"], commands).exits(0).stdout;
        assert!(verified.starts_with("Unchanged since seal 1"), "{verified}");
        on_read_only(&["runs"], commands).exits(0);
        on_read_only(&["history", "1001", "1"], commands).exits(0);
    }
    on_read_only(&["export", "--since", "2000-01-01", "-o", "audit"], as_owner).exits(0);
    assert_eq!(beside(&env), ["l.db"]);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn the_role_for_auditors_is_enough_for_every_command_that_reads() {
    let (database, core_card) = (granted(), TestSimulator::perfect());
    let env = TestEnv::with_orders(3);
    let ledger = database.url();
    env.cancel_with(&core_card.url(), &[], &[("CARDCANCEL_LEDGER", &ledger)]).exits(0);
    let ledger = database.url_of("cardcancel_auditor");
    let read = |args: &[&str]| {
        let mut command = env.command(args);
        ProgramOutput::from(command.env("CARDCANCEL_LEDGER", &ledger).output().unwrap())
    };
    let runs = read(&["runs", "--json"]).exits(0).stdout;
    let run: serde_json::Value = serde_json::from_str(runs.lines().next().unwrap()).unwrap();
    let run = run["run"].as_str().unwrap();
    read(&["runs", run]).exits(0);
    assert!(read(&["history", "1001", "1"]).exits(0).stdout.contains(run));
    let verified = read(&["verify"]).exits(0).stdout;
    assert!(verified.starts_with("Unchanged since seal 1"), "{verified}");
    read(&["export", run, "-o", "audit"]).exits(0);
    env.run(&["verify", "audit"]).exits(0);
    read(&["report", run, "-o", "report.html"]).exits(0);
    read(&["report", "--since", "2000-01-01", "-o", "all.html"]).exits(0);
    assert!(read(&["results", run]).exits(0).stdout.contains("cancelled"));
    read(&["results", "--open", "-o", "open.csv"]).exits(0);
    let auditor = postgres::Client::connect(&ledger, postgres::NoTls);
    let changed = auditor.unwrap().execute("DELETE FROM cardcancel.seal", &[]).unwrap_err();
    let denied = postgres::error::SqlState::INSUFFICIENT_PRIVILEGE;
    assert_eq!(changed.code(), Some(&denied), "{changed}");
}
