//! The ledger's file: its identity, and which files are refused in its place.
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::common::{ProgramOutput, TestEnv, TestSimulator, ended, until};
use cardcancel::simulator::{Latency, SimulatorSettings};
use rustix::process::{Pid, Signal, kill_process};

/// The files whose names begin with the ledger's.
fn beside(env: &TestEnv) -> Vec<String> {
    let names = fs::read_dir(env.folder()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.starts_with("l.db")).collect();
    names.sort();
    names
}

/// Cancels three orders in the ledger `l.db`.
fn cancelled(core_card: &TestSimulator) -> TestEnv {
    let env = TestEnv::new();
    env.orders(3).cancel(&core_card.url(), &["--ledger", "l.db"]).exits(0);
    env
}

fn slow() -> TestSimulator {
    let latency = Latency::fixed(Duration::from_millis(20));
    TestSimulator::new(SimulatorSettings { latency, ..SimulatorSettings::default() })
}

#[test]
fn a_file_that_this_program_has_not_just_made_is_never_taken_for_a_new_ledger() {
    let core_card = TestSimulator::perfect();
    let env = cancelled(&core_card);
    env.file("empty.db", "").file("emptied.db", "");
    rusqlite::Connection::open(env.path("emptied.db")).unwrap().execute("VACUUM", []).unwrap();
    for ledger in ["empty.db", "emptied.db"] {
        let flags = ["--ledger", ledger, "-o", "again.csv"];
        let refused = env.cancel(&core_card.url(), &flags).exits(2);
        let reported = format!("error: the ledger {ledger} is empty: ");
        assert!(refused.stderr.starts_with(&reported), "{}", refused.stderr);
        let refused = env.run(&["runs", "--ledger", ledger]).exits(2);
        assert!(refused.stderr.starts_with(&reported), "{}", refused.stderr);
    }
    assert_eq!(core_card.requests(), 3);
    assert_eq!(env.read("empty.db"), b"");
}

#[test]
fn a_rehearsals_own_ledger_of_an_older_version_is_set_aside_and_begun_anew() {
    let env = TestEnv::new();
    let rehearse = |results: &str, ledger: &str| {
        let flags = ["--rehearse", "--rate", "unlimited", "--ledger", ledger, "-o", results];
        env.run(&[&["run", "orders.csv"], &flags[..]].concat())
    };
    env.orders(3);
    rehearse("first.csv", "l.db");
    let rehearsals = env.path("l.rehearsal.db");
    let older = |path: PathBuf| {
        let ledger = rusqlite::Connection::open(path).unwrap();
        ledger.pragma_update(None, "user_version", 1).unwrap();
    };
    older(rehearsals.clone());
    let before = fs::read(&rehearsals).unwrap();
    let begun = rehearse("next.csv", "l.db");
    assert!(matches!(begun.code, Some(0 | 1 | 3)), "{}", begun.report());
    assert!(begun.stderr.contains("is of an older version: it is now"), "{}", begun.report());
    assert_ne!(fs::read(&rehearsals).unwrap(), before);
    let mut aside = fs::read_dir(env.folder()).unwrap().map(|entry| entry.unwrap().path());
    let aside = aside.find(|path| path.to_str().unwrap().contains("l.rehearsal.db.older-"));
    assert_eq!(fs::read(aside.unwrap()).unwrap(), before);

    // One that holds real runs is never begun anew.
    let core_card = TestSimulator::perfect();
    env.cancel(&core_card.url(), &["--ledger", "l.db"]).exits(0);
    older(env.path("l.db"));
    let refused = env.cancel(&core_card.url(), &["--ledger", "l.db"]).exits(2);
    assert!(refused.stderr.contains("has version 1"), "{}", refused.report());
}

#[test]
fn a_ledger_that_was_copied_without_the_log_beside_it_still_has_its_runs() {
    let core_card = slow();
    let env = TestEnv::new();
    let flags = ["--ledger", "l.db", "--concurrency", "2"];
    let begun = env.orders(100).begin_to_cancel(&core_card.url(), &flags);
    until("some were sent", || core_card.requests() > 4);
    fs::copy(env.path("l.db"), env.path("copy.db")).unwrap();
    ended(begun).exits(0);
    assert_eq!(beside(&env), ["l.db"], "the log went into the file");
    fs::copy(env.path("l.db"), env.path("late.db")).unwrap();
    for copy in ["copy.db", "late.db"] {
        let runs = env.run(&["runs", "--ledger", copy]).exits(0);
        assert_eq!(runs.stdout.lines().count(), 2, "{copy}: {}", runs.report());
    }
}

#[test]
fn the_log_of_a_ledger_whose_file_is_gone_is_not_taken_into_a_new_one() {
    let core_card = TestSimulator::perfect();
    let env = cancelled(&core_card);
    fs::rename(env.path("l.db"), env.path("l.db-wal")).unwrap();
    let flags = ["--ledger", "l.db", "-o", "again.csv"];
    let refused = env.cancel(&core_card.url(), &flags).exits(2);
    assert!(refused.stderr.contains("there is no ledger l.db, but l.db-wal exists"));
    env.run(&["runs", "--ledger", "l.db"]).exits(2);
    assert_eq!((core_card.requests(), beside(&env)), (3, vec!["l.db-wal".to_owned()]));
}

#[test]
fn a_ledger_with_two_names_is_refused_under_both() {
    let core_card = TestSimulator::perfect();
    let env = cancelled(&core_card);
    fs::hard_link(env.path("l.db"), env.path("other.db")).unwrap();
    for ledger in ["l.db", "other.db"] {
        let flags = ["--ledger", ledger, "-o", "again.csv"];
        let refused = env.cancel(&core_card.url(), &flags).exits(2);
        assert!(refused.stderr.contains("has 2 names (hard links)"), "{}", refused.stderr);
    }
    assert_eq!(core_card.requests(), 3);
    fs::remove_file(env.path("other.db")).unwrap();
    env.cancel(&core_card.url(), &["--ledger", "l.db"]).exits(0);
}

#[test]
fn a_ledger_that_is_renamed_keeps_its_lock() {
    let core_card = slow();
    let env = TestEnv::new();
    let flags = ["--ledger", "l.db", "--concurrency", "1"];
    let begun = env.orders(200).begin_to_cancel(&core_card.url(), &flags);
    until("some were sent", || core_card.requests() > 2);
    symlink("l.db", env.path("link.db")).unwrap();
    for ledger in ["./l.db", "link.db"] {
        let refused = env.cancel(&core_card.url(), &["--ledger", ledger]).exits(2);
        assert!(refused.stderr.contains("this file is in use"), "{}", refused.stderr);
    }
    let first = Pid::from_child(&begun);
    kill_process(first, Signal::STOP).unwrap();
    fs::rename(env.path("l.db"), env.path("moved.db")).unwrap();
    let moved = env.cancel(&core_card.url(), &["--ledger", "moved.db"]);
    kill_process(first, Signal::CONT).unwrap();
    assert!(moved.stderr.contains("this file is in use"), "{}", moved.report());
    ended(begun).exits(5);
}

#[test]
fn a_run_whose_ledger_is_removed_stops_and_saves_what_it_held() {
    let core_card = slow();
    let env = TestEnv::new();
    let flags = ["--ledger", "l.db", "--concurrency", "2"];
    let begun = env.orders(300).begin_to_cancel(&core_card.url(), &flags);
    until("some were sent", || core_card.requests() > 10);
    beside(&env).iter().for_each(|name| fs::remove_file(env.path(name)).unwrap());
    let stopped = ended(begun).exits(5);
    assert!(stopped.stderr.contains("the ledger l.db was removed, moved or replaced"));
    let sent = core_card.requests();
    assert!(sent < 300, "{sent} were sent");
    let saved = beside(&env).into_iter().find(|name| name.contains(".saved-")).unwrap();
    assert!(stopped.stderr.contains(&saved), "{}", stopped.stderr);

    fs::rename(env.path(&saved), env.path("l.db")).unwrap();
    env.cancel(&core_card.url(), &["--ledger", "l.db"]);
    let (asked, results) = (core_card.requests_by_order(), env.results());
    assert_eq!(results.len(), 300);
    for row in results {
        let admin: i64 = row.get("AdminNumber").parse().unwrap();
        assert!(asked[&admin] == 1 || row.doubt(), "{admin} was sent {} times", asked[&admin]);
    }
}

#[test]
fn a_ledger_is_a_path_whatever_it_looks_like() {
    let core_card = TestSimulator::perfect();
    let env = TestEnv::with_orders(2);
    for name in ["file:x.db?mode=memory", "file:x.db", ":memory:"] {
        let out = format!("{}.csv", name.len());
        env.cancel(&core_card.url(), &["--ledger", name, "-o", &out]);
        assert!(env.path(name).metadata().unwrap().len() > 0, "{name}");
        let runs = env.run(&["runs", "--ledger", name]).exits(0);
        assert_eq!(runs.stdout.lines().count(), 2, "{name}");
        let before = core_card.requests();
        env.cancel(&core_card.url(), &["--ledger", name, "-o", &out]);
        assert_eq!(core_card.requests(), before, "{name} was forgotten");
    }
}

#[test]
fn runs_says_whether_there_is_no_ledger_or_none_that_can_be_read() {
    let env = TestEnv::new();
    env.file("text.db", "not a database, and longer than a header of one would be".repeat(9));
    fs::create_dir(env.path("folder")).unwrap();
    let reported = |ledger: &str| env.run(&["runs", "--ledger", ledger]).exits(2).stderr;
    insta::assert_snapshot!(reported("no.db"), @"error: there is no ledger at no.db: the first run creates it; if runs were recorded in another one, name that with --ledger, or give the --profile or --config of those runs");
    insta::assert_snapshot!(reported("text.db"), @"error: text.db is not a cardcancel ledger: name another file with --ledger");
    insta::assert_snapshot!(reported("text.db/no.db"), @"error: cannot open the ledger text.db/no.db (Not a directory (os error 20)): correct that, or name another file with --ledger");
    assert!(reported("folder").starts_with("error: "));
}

/// The program as a user without write access to the folder `shelf`, not yet started.
fn reader(env: &TestEnv, args: &[&str]) -> Command {
    let mut command = env.command(args);
    if rustix::process::geteuid().is_root() {
        // Root may write anywhere, and no other user can reach the program where it was built.
        let program = env.path("program");
        fs::copy(command.get_program(), &program).unwrap();
        for path in [env.folder().to_owned(), program.clone()] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let mut other = Command::new(program);
        other.args(args).current_dir(env.folder()).env_clear().env("HOME", "/");
        other.uid(65_534).gid(65_534);
        command = other;
    }
    command
}

#[test]
fn a_ledger_where_nothing_can_be_written_can_be_read() {
    let env = TestEnv::with_orders(3);
    let shelf: PathBuf = env.path("shelf");
    fs::create_dir(&shelf).unwrap();
    let core_card = TestSimulator::perfect();
    env.cancel(&core_card.url(), &["--ledger", "shelf/a l%.db"]).exits(0);
    let may = |path: &PathBuf, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    may(&shelf.join("a l%.db"), 0o444);
    may(&shelf, 0o555);
    let args = ["runs", "--ledger", "shelf/a l%.db"];
    let read: ProgramOutput = reader(&env, &args).output().unwrap().into();
    may(&shelf, 0o755);
    assert!(read.exits(0).stdout.contains("orders.csv"));
    let names: Vec<_> = fs::read_dir(&shelf).unwrap().collect();
    assert_eq!(names.len(), 1, "nothing was made beside it");
}

#[test]
fn what_another_machine_stored_cannot_act_on_the_terminal() {
    let core_card = TestSimulator::perfect();
    let env = cancelled(&core_card);
    let ledger = rusqlite::Connection::open(env.path("l.db")).unwrap();
    let scripted = "a\u{1b}[2J\u{202e}b\u{9b}31m";
    let columns = ["id", "command", "input_name", "input_digest", "endpoint", "program"];
    let set = columns.map(|column| format!("{column} = ?1")).join(", ");
    ledger.execute(&format!("UPDATE run SET {set}"), [scripted]).unwrap();
    let listed = env.run(&["runs", "--ledger", "l.db"]).exits(0).stdout;
    let detail = env.run(&["runs", scripted, "--ledger", "l.db"]).exits(0).stdout;
    for reported in [&listed, &detail] {
        let acts = |char: char| char != '\n' && (char.is_control() || char == '\u{202e}');
        assert!(!reported.contains(acts), "{reported:?}");
    }
    let escaped = r"a\u{1b}[2J\u{202e}b\u{9b}31m";
    assert_eq!(listed.matches(escaped).count(), 2, "{listed}");
    assert_eq!(detail.matches(escaped).count(), columns.len(), "{detail}");
}
