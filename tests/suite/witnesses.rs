//! Seals are handed on to a witness file and to a command, and what could not be handed on is owed
//! to the next start.
use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::common::postgres::{Database, granted};
use crate::common::{
    Behavior, ProgramOutput, ScriptedServer, TestEnv, TestSimulator, contains, ended, json, kill,
    terminate, until,
};
use cardcancel::hash::Digest;
use cardcancel::simulator::{Latency, SimulatorSettings};
use rusqlite::Connection;
use serde_json::Value;

/// An environment with this table `[seal]`.
fn with_seal(table: &str) -> TestEnv {
    let env = TestEnv::with_orders(3);
    fs::create_dir(env.path("kept")).unwrap();
    seal(&env, table);
    env
}

fn seal(env: &TestEnv, table: &str) {
    env.file("cardcancel.toml", format!("[seal]\n{table}\n"));
}

/// Runs another file than `orders.csv`.
fn another(env: &TestEnv, url: &str, number: u32, flags: &[&str]) -> ProgramOutput {
    let name = format!("other{number}.csv");
    env.file(&name, format!("admin,seq\n{number},1\n"));
    let args = ["run", &name, "--url", url, "--external-ip", "10.0.0.1", "--yes"];
    env.run(&[&args[..], flags].concat())
}

fn seals(env: &TestEnv) -> Vec<String> {
    let ledger = Connection::open(env.ledger()).unwrap();
    let mut find = ledger.prepare("SELECT text FROM seal ORDER BY number").unwrap();
    find.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn receipts(env: &TestEnv) -> Vec<(u64, Vec<u8>)> {
    let ledger = Connection::open(env.ledger()).unwrap();
    let mut find = ledger.prepare("SELECT seal, answer FROM receipt ORDER BY seal").unwrap();
    let found = find.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    found.map(Result::unwrap).collect()
}

/// The numbers of the seals in the witness file.
fn witnessed(env: &TestEnv) -> Vec<u64> {
    let text = env.text("kept/seals");
    text.lines().map(|line| line.split(' ').nth(2).unwrap().parse().unwrap()).collect()
}

#[test]
fn a_seal_is_handed_to_the_file_and_to_the_command_and_its_receipt_is_exported() {
    let env = with_seal("witness = 'kept/seals'\ncommand = ['sh', '-c', 'cat; echo received']");
    let core_card = TestSimulator::perfect();
    let output = env.cancel(&core_card.url(), &[]).exits(0);
    assert!(!output.all_output().contains("WITNESSED"), "{}", output.report());
    let sealed = seals(&env);
    let ledger: String = Connection::open(env.ledger())
        .unwrap()
        .query_row("SELECT id FROM ledger", [], |row| row.get(0))
        .unwrap();
    let head = format!("cardcancel-seal {ledger} 1 {} ", Digest::new(&sealed[0]));
    assert!(env.text("kept/seals").starts_with(&head), "{}", env.text("kept/seals"));
    assert!(output.stderr.contains(&head), "{}", output.stderr);
    let receipt = format!("{}received\n", sealed[0]).into_bytes();
    assert_eq!(receipts(&env), [(1, receipt.clone())]);

    let flags = ["verify", "--witness", "kept/seals", "--require", "sealed,witnessed"];
    let verified = env.run(&flags).exits(0).stdout;
    assert!(verified.ends_with("The witness confirms the seals up to 1.\n"), "{verified}");
    let runs = env.run(&["runs", "--json"]).exits(0).stdout;
    let run: Value = serde_json::from_str(runs.trim()).unwrap();
    let id = run["run"].as_str().unwrap();
    let shown = env.run(&["runs", id]).exits(0).stdout;
    assert!(shown.contains("\nSeal 1\n  SHA-256 "), "{shown}");
    assert!(shown.contains("\n  receipt  "), "{shown}");
    env.run(&["export", id, "-o", "audit"]).exits(0);
    assert_eq!(env.read("audit/data/receipts/000001"), receipt);
    env.run(&["verify", "audit", "--witness", "kept/seals"]).exits(0);
    env.file("audit/data/receipts/000001", "another");
    let altered = env.run(&["verify", "audit"]).exits(1).stdout;
    assert!(altered.contains("data/receipts/000001"), "{altered}");
}

#[test]
fn a_rehearsal_is_witnessed_nowhere() {
    let env = with_seal("witness = 'missing/seals'\ncommand = ['/no/such/program']");
    env.run(&["run", "orders.csv", "--rehearse", "--rate", "unlimited"]).exits(0);
}

#[test]
fn a_witness_that_cannot_be_written_refuses_the_run_before_anything_is_sent() {
    let core_card = TestSimulator::perfect();
    let env = with_seal("");
    env.file("letter", "Dear Sir\n");
    symlink("kept/new", env.path("link")).unwrap();
    for (table, why) in [
        ("witness = 'missing/seals'", "the witness missing/seals cannot be written: No such file"),
        ("witness = 'kept'", "the witness kept cannot be written: Is a directory"),
        ("witness = 'link'", "the witness link cannot be written: Too many levels"),
        ("witness = 'letter'", "its first line is not the line of a seal"),
        ("witness = '/dev/null'", "it is not a plain file"),
        ("witness = 'orders.csv'", "the input and witness in [seal] are both orders.csv"),
        ("command = ['no-such-program']", "there is no program no-such-program"),
    ] {
        seal(&env, table);
        let refused = env.cancel(&core_card.url(), &[]).exits(2);
        assert!(refused.stderr.contains(why), "{table}: {}", refused.stderr);
    }
    assert_eq!(core_card.requests(), 0);
    assert!(!env.path("kept/new").exists());
    assert_eq!(env.text("letter"), "Dear Sir\n");
}

/// Runs the program after this script, in a mount namespace of its own; `None` if this user may
/// not make one.
fn with_mounts(env: &TestEnv, script: &str, url: &str, flags: &[&str]) -> Option<ProgramOutput> {
    let may = Command::new("unshare").args(["-m", "true"]).stderr(Stdio::null()).status();
    if !may.is_ok_and(|status| status.success()) {
        return None;
    }
    let program = env.cancelling(url, flags);
    let mut command = Command::new("unshare");
    command
        .args(["-m", "sh", "-ec", &format!("{script}; exec \"$0\" \"$@\"")])
        .arg(program.get_program())
        .args(program.get_args())
        .current_dir(env.folder())
        .env_clear()
        .envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::null());
    Some(command.output().unwrap().into())
}

#[test]
fn a_witness_on_a_full_or_read_only_disk_refuses_the_run_before_anything_is_sent() {
    let core_card = TestSimulator::perfect();
    let env = with_seal("witness = 'kept/seals'");
    for (script, why) in [
        (
            "mount -t tmpfs -o size=64k none kept; cat /dev/zero > kept/filler 2> /dev/null || true",
            "No space left on device",
        ),
        ("mount -t tmpfs none kept; mount -o remount,ro none kept", "Read-only file system"),
    ] {
        let Some(refused) = with_mounts(&env, script, &core_card.url(), &[]) else {
            println!("NOT RUN: a_witness_on_a_full_or_read_only_disk: no mounts for this user");
            return;
        };
        let refused = refused.exits(2);
        let expected = format!("the witness kept/seals cannot be written: {why}");
        assert!(refused.stderr.contains(&expected), "{}", refused.stderr);
    }
    assert_eq!(core_card.requests(), 0);
}

#[test]
fn a_disk_that_fills_up_during_the_run_has_the_room_for_its_seal() {
    let latency = Latency::fixed(Duration::from_millis(200));
    let core_card =
        TestSimulator::new(SimulatorSettings { latency, ..SimulatorSettings::default() });
    let env = with_seal("witness = 'kept/seals'");
    let fill = "mount -t tmpfs -o size=64k none kept
        (while [ ! -e kept/seals ] || [ ! -e home/state/cardcancel/ledger.db-wal ]; do sleep 0.02; done
         sleep 0.2; cat /dev/zero > kept/filler || touch filled) > /dev/null 2>&1 &";
    let fill = format!("{fill} true");
    let Some(run) = with_mounts(&env, &fill, &core_card.url(), &["--concurrency", "1"]) else {
        println!("NOT RUN: a_disk_that_fills_up_during_the_run: no mounts for this user");
        return;
    };
    let run = run.exits(0);
    assert!(env.path("filled").exists());
    assert!(!run.stdout.contains("NOT WITNESSED"), "{}", run.report());
}

#[test]
fn a_witness_that_is_away_at_the_end_is_a_warning_and_the_next_start_hands_on() {
    let env = with_seal("witness = 'kept/seals'");
    let (from, to) = (env.path("kept"), env.path("away"));
    let server = ScriptedServer::new(move |count, _| {
        if count == 0 {
            fs::rename(&from, &to).unwrap();
        }
        Behavior::Respond(json(r#"{"Status":true}"#))
    });
    let output = env.cancel(&server.url(), &["--json"]).exits(0);
    let why = "the witness kept/seals cannot be written: No such file or directory (os error 2)";
    let summary: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(summary["witness_error"], why);
    let warning = format!("{why}: the next start hands on the seals");
    assert!(output.stderr.contains(&warning), "{}", output.stderr);
    let again = env.cancel(&server.url(), &[]).exits(0).stdout;
    assert!(again.contains(&format!("\nNOT WITNESSED: {warning}\n")), "{again}");
    another(&env, &server.url(), 7, &[]).exits(2);
    env.run(&["verify"]).exits(0);

    fs::rename(env.path("away"), env.path("kept")).unwrap();
    another(&env, &server.url(), 8, &[]).exits(0);
    assert_eq!(witnessed(&env), [1, 2]);
    env.run(&["verify", "--witness", "kept/seals", "--require", "witnessed"]).exits(0);
}

#[test]
fn what_a_run_that_was_killed_did_not_hand_on_is_owed_to_the_next_start() {
    let core_card = TestSimulator::perfect();
    let env = with_seal("command = ['sh', '-c', 'touch begun; exec sleep 5']");
    let begun = env.begin_to_cancel(&core_card.url(), &[]);
    until("the command was begun", || env.path("begun").exists());
    kill(begun);
    assert_eq!((seals(&env).len(), receipts(&env).len()), (1, 0));
    // The next start hands on before it sends anything.
    seal(&env, "witness = 'kept/seals'\ncommand = ['cat']");
    let server = ScriptedServer::always(Behavior::Hang);
    let flags = ["--timeout", "1s", "--attempts", "1"];
    env.file("other1.csv", "admin,seq\n1,1\n");
    let args = ["run", "other1.csv", "--url", &server.url(), "--external-ip", "10.0.0.1", "--yes"];
    let begun = env.command(&[&args[..], &flags].concat()).spawn().unwrap();
    until("a call is in flight", || server.requests().len() == 1);
    assert_eq!(witnessed(&env), [1]);
    assert_eq!(receipts(&env), [(1, seals(&env)[0].clone().into_bytes())]);
    ended(begun).exits(3);
    assert_eq!(witnessed(&env), [1, 2]);
    assert_eq!(receipts(&env).len(), 2);
}

/// Whether a process with this word on its command line is there.
fn is_running(word: &str) -> bool {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes.into_iter().any(|process| {
        fs::read(process.path().join("cmdline")).is_ok_and(|line| contains(&line, word))
    })
}

#[test]
fn a_command_that_gives_no_receipt_is_a_warning_and_is_asked_again_by_the_next_start() {
    let core_card = TestSimulator::perfect();
    for (script, why) in [
        (
            "echo refused >&2; exit 7",
            "failed (exit status: 7): run it by hand to see why; it wrote: refused",
        ),
        ("head -c 1000000 /dev/zero", "printed more than 16 KiB"),
        ("sleep 612.7", "took longer than 500ms"),
        ("sleep 612.7 & echo done", "took longer than 500ms"),
    ] {
        let env = with_seal(&format!("command = ['sh', '-c', '{script}']\ntime_limit = '500ms'"));
        let output = env.cancel(&core_card.url(), &["--again"]);
        assert!(matches!(output.code, Some(0 | 1)), "{}", output.report());
        let expected = format!("NOT WITNESSED: no receipt for seal 1: the command sh {why}");
        assert!(output.stdout.contains(&expected), "{script}: {}", output.stdout);
        assert!(!is_running("612.7"), "{script}");
        assert_eq!(receipts(&env), []);
        env.run(&["verify"]).exits(0);
        // It fails again, which refuses nothing.
        another(&env, &core_card.url(), 1, &[]);
        seal(&env, "command = ['true']");
        another(&env, &core_card.url(), 2, &[]);
        // Seal 2 names seal 1. A command that prints nothing has the seal all the same.
        assert_eq!(receipts(&env), [(2, vec![]), (3, vec![])], "{script}");
        let exported = env.run(&["export", "--since", "2020-01-01", "-o", "audit"]).exits(0);
        assert!(env.read("audit/data/receipts/000003").is_empty(), "{}", exported.report());
        env.run(&["verify", "audit"]).exits(0);
    }
}

#[test]
fn no_secret_and_no_card_number_is_in_a_seal_its_line_its_receipt_or_an_export() {
    const CARD: &str = "4111111111111111";
    const SECRET: &str = "s3cr3t-t0ken";
    let answer = format!(r#"{{"Status":false,"ErrorCode":"X1","Message":"{SECRET} {CARD}"}}"#);
    let server = ScriptedServer::always(Behavior::Respond(json(&answer)));
    let env = with_seal("witness = 'kept/seals'\ncommand = ['sh', '-c', 'env; cat']");
    let table = env.text("cardcancel.toml");
    env.file("cardcancel.toml", format!("caller_id = '{CARD}'\n{table}[auth]\nkind = 'bearer'\n"));
    let orders = format!("AdminNumber,CardSequenceNumber,note\n1,1,\n2,1,{CARD}\n");
    env.file(&format!("{CARD}.csv"), &orders).file("orders.csv", &orders);
    let output = env.cancel_with(
        &server.url(),
        &["--session-id", CARD],
        &[
            ("CARDCANCEL_BEARER_TOKEN", SECRET),
            ("CARDCANCEL_PROXY_PASSWORD", SECRET),
            ("CARDCANCEL_LEDGER_PASSWORD", SECRET),
            ("CARDCANCEL_CALLED_ID", CARD),
        ],
    );
    let output = output.exits(1);
    env.run(&["export", "--since", "2020-01-01", "-o", "audit"]).exits(0);
    let [(1, receipt)] = &receipts(&env)[..] else { panic!("{:?}", receipts(&env)) };
    assert!(contains(receipt, "HOME="), "{}", String::from_utf8_lossy(receipt));
    let mut everything =
        [&receipt[..], &env.read("kept/seals"), seals(&env)[0].as_bytes()].concat();
    everything.extend(output.report().into_bytes());
    let mut folders = vec![env.path("audit")];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            everything.extend(path.to_string_lossy().as_bytes());
            if path.is_dir() {
                folders.push(path)
            } else {
                everything.extend(fs::read(path).unwrap())
            }
        }
    }
    for never in [SECRET, CARD] {
        assert!(!contains(&everything, never), "{never}");
    }
    assert!(contains(&everything, "[card number removed]"));
}

/// A machine whose user may do no more with the database than the samples grant.
fn on(database: &Database, env: &TestEnv, args: &[&str]) -> Command {
    let mut command = env.command(args);
    command.env("CARDCANCEL_LEDGER", database.url());
    command
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn runs_that_come_to_rest_together_are_all_in_one_file_and_have_their_receipts() {
    const RUNS: u32 = 4;
    let (database, core_card) = (granted(), TestSimulator::perfect());
    let url = core_card.url();
    let env = with_seal("witness = 'kept/seals'\ncommand = ['sh', '-c', 'head -n 3; sleep 0.2']");
    let run = |name: &str, orders: std::ops::Range<u32>| {
        let lines: String = orders.map(|order| format!("{order},1\n")).collect();
        env.file(name, format!("admin,seq\n{lines}"));
        let args = ["run", name, "--url", &url, "--external-ip", "10.0.0.1", "--yes"];
        on(&database, &env, &[&args[..], &["--rate", "unlimited"]].concat()).spawn().unwrap()
    };
    ended(run("first.csv", 1..2)).exits(0);
    let begun: Vec<_> =
        (1..=RUNS).map(|file| run(&format!("{file}.csv"), file * 100..file * 100 + 20)).collect();
    begun.into_iter().for_each(|run| drop(ended(run).exits(0)));
    ended(run("last.csv", 9..10)).exits(0);

    let mut numbers = witnessed(&env);
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers, (1..=u64::from(RUNS) + 2).collect::<Vec<_>>());
    let verify = ["verify", "--witness", "kept/seals", "--require", "sealed,witnessed"];
    ended(on(&database, &env, &verify).spawn().unwrap()).exits(0);
    let lines = env.text("kept/seals");
    env.file("kept/seals", lines.lines().rev().map(|line| format!("{line}\n")).collect::<String>());
    ended(on(&database, &env, &verify).spawn().unwrap()).exits(0);
    // On another machine, which runs nothing, a file is whole after its first run.
    fs::remove_file(env.path("kept/seals")).unwrap();
    ended(run("more.csv", 50..51)).exits(0);
    assert_eq!(witnessed(&env), (1..=u64::from(RUNS) + 3).collect::<Vec<_>>());

    let export = ["export", "--since", "2020-01-01", "-o", "audit"];
    ended(on(&database, &env, &export).spawn().unwrap()).exits(0);
    for number in 1..=RUNS + 3 {
        let seal = env.text(&format!("audit/data/seals/{number:06}.seal"));
        let receipt = env.text(&format!("audit/data/receipts/{number:06}"));
        assert!(seal.starts_with(&receipt) && receipt.lines().count() == 3, "{receipt}");
    }
    env.run(&["verify", "audit"]).exits(0);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_worker_hands_on_too_and_does_not_begin_without_its_witness() {
    let (database, core_card) = (granted(), TestSimulator::perfect());
    let url = core_card.url();
    let env = with_seal("witness = 'kept/seals'");
    let needed = ["--url", &url, "--external-ip", "10.0.0.1"];
    let run = ["run", "orders.csv", "--yes"];
    ended(on(&database, &env, &[&run[..], &needed].concat()).spawn().unwrap()).exits(0);
    assert_eq!(witnessed(&env), [1]);
    fs::remove_file(env.path("kept/seals")).unwrap();
    let worker = || on(&database, &env, &[&["worker"], &needed[..]].concat()).spawn().unwrap();
    let working = worker();
    until("the seal is handed on", || {
        fs::read_to_string(env.path("kept/seals")).is_ok_and(|text| text.ends_with('\n'))
    });
    assert_eq!(witnessed(&env), [1]);
    terminate(&working);
    ended(working);
    fs::rename(env.path("kept"), env.path("away")).unwrap();
    let refused = ended(worker()).exits(2);
    assert!(
        refused.stderr.contains("the witness kept/seals cannot be written"),
        "{}",
        refused.stderr
    );
}
