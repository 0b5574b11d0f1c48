//! Maintenance of the ledger, and the format of errors.
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use crate::common::{ProgramOutput, TestEnv, TestSimulator, ended, until};
use cardcancel::simulator::{Latency, SimulatorSettings};
use serde_json::Value;

#[test]
fn a_backup_of_a_running_ledger_is_whole_and_goes_on_where_it_was() {
    let latency = Latency::fixed(Duration::from_millis(20));
    let core_card =
        TestSimulator::new(SimulatorSettings { latency, ..SimulatorSettings::default() });
    let env = TestEnv::new();
    let begun = env.orders(60).begin_to_cancel(&core_card.url(), &["--concurrency", "1"]);
    until("some were sent", || core_card.requests() > 5);
    env.run(&["ledger", "backup", "copy.db"]).exits(0);
    ended(begun).exits(0);
    let mode = env.path("copy.db").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let whole = env.run(&["ledger", "check", "copy.db"]).exits(0);
    assert_eq!(whole.stdout, "copy.db is whole\n");
    let info = env.run(&["ledger", "info", "copy.db", "--json"]).exits(0);
    let info: Value = serde_json::from_str(&info.stdout).unwrap();
    assert_eq!((&info["runs"], &info["rows"]), (&1.into(), &60.into()));
    assert!(info["attempts"].as_u64().unwrap() > 0, "{info}");

    let before = core_card.requests();
    let flags = ["--ledger", "copy.db", "-o", "again.csv"];
    let again = env.cancel(&core_card.url(), &flags);
    assert!(again.stdout.contains("resumed and ended"), "{}", again.report());
    assert!(core_card.requests() < before + 60, "it was begun anew");
}

#[test]
fn a_backup_is_never_written_over_what_is_there() {
    let env = TestEnv::new();
    env.orders(1).cancel(&TestSimulator::perfect().url(), &[]).exits(0);
    env.file("precious.db", "precious");
    let refused = env.run(&["ledger", "backup", "precious.db"]).exits(2);
    assert!(refused.stderr.contains("the copy precious.db cannot be written"));
    assert_eq!(env.text("precious.db"), "precious");
}

#[test]
fn where_there_is_no_ledger_the_error_says_how_another_is_named() {
    let env = TestEnv::new();
    let refused = |args: &[&str]| env.run(args).exits(2).stderr;
    let by_settings = "error: there is no ledger at none.db: the first run creates it; if runs were recorded in another \
        one, name that with --ledger, or give the --profile or --config of those runs\n";
    assert_eq!(refused(&["ledger", "check", "--ledger", "none.db"]), by_settings);
    assert_eq!(refused(&["ledger", "backup", "copy.db", "--ledger", "none.db"]), by_settings);
    assert_eq!(refused(&["history", "1", "1", "--ledger", "none.db"]), by_settings);
    let by_argument = "error: there is no ledger at none.db: check the path, or leave it out for the ledger of --ledger\n";
    for command in ["check", "info"] {
        assert_eq!(refused(&["ledger", command, "none.db"]), by_argument);
    }
}

#[test]
fn a_damaged_ledger_is_found() {
    let env = TestEnv::new();
    env.orders(200).cancel(&TestSimulator::perfect().url(), &[]).exits(0);
    fs::copy(env.ledger(), env.path("hurt.db")).unwrap();
    let hurt = rusqlite::Connection::open(env.path("hurt.db")).unwrap();
    let index = "UPDATE sqlite_schema SET sql = replace(sql, 'doubt = 1', 'doubt = 0')
                 WHERE name = 'row_with_more'";
    hurt.pragma_update(None, "writable_schema", true).unwrap();
    assert_eq!(hurt.execute(index, []).unwrap(), 1);
    drop(hurt);
    let reported = env.run(&["ledger", "check", "hurt.db"]).exits(5);
    assert!(reported.stdout.starts_with("hurt.db IS DAMAGED"), "{}", reported.report());
    assert!(reported.stdout.contains("row_with_more"), "{}", reported.report());
}

#[test]
fn a_ledger_with_a_page_that_cannot_be_read_is_damaged() {
    const PAGE: usize = 4096;
    let env = TestEnv::new();
    env.orders(20).cancel(&TestSimulator::perfect().url(), &[]).exits(0);
    let ledger = rusqlite::Connection::open(env.ledger()).unwrap();
    let root = "SELECT rootpage FROM sqlite_schema WHERE name = 'attempt'";
    let root: usize = ledger.query_row(root, [], |row| row.get(0)).unwrap();
    drop(ledger);
    let mut bytes = fs::read(env.ledger()).unwrap();
    assert_eq!(bytes[16..18], [(PAGE >> 8) as u8, 0], "the size of a page");
    bytes[(root - 1) * PAGE..][8..40].fill(0xff);
    fs::write(env.ledger(), &bytes).unwrap();
    let reported = env.run(&["ledger", "check"]).exits(5);
    assert!(reported.stdout.contains(" IS DAMAGED: restore a backup"), "{}", reported.report());
    assert!(reported.stdout.contains("malformed"), "{}", reported.report());
    let failed = env.cancel(&TestSimulator::perfect().url(), &["--again", "-o", "a.csv"]).exits(5);
    assert!(failed.stderr.contains("is damaged (database disk image is malformed)"));
    // What is gone from the middle moves all pages after it.
    bytes.drain(PAGE + 100..PAGE + 200);
    fs::write(env.ledger(), &bytes).unwrap();
    let reported = env.run(&["ledger", "check", "--json"]).exits(5);
    assert!(reported.stdout.contains("\"whole\":false"), "{}", reported.report());
}

#[test]
fn the_views_need_no_new_version_of_sqlite_to_show_times() {
    let env = TestEnv::new();
    env.orders(1).cancel(&TestSimulator::perfect().url(), &[]).exits(0);
    let ledger = rusqlite::Connection::open(env.ledger()).unwrap();
    let sql: String = ledger
        .query_row("SELECT group_concat(sql) FROM sqlite_schema WHERE type = 'view'", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert!(sql.contains("strftime('%Y-%m-%dT%H:%M:%fZ'"));
    // SQLite knows these from 3.46 on.
    for new in ["%F", "%R", "%T", "%e", "%k", "%I", "%l", "%p", "%P", "%u", "%G", "%g", "%U", "%V"]
    {
        assert!(!sql.contains(new), "{new}");
    }
}

/// The program with a standard output that cannot be written.
fn without_output(env: &TestEnv, args: &[&str]) -> ProgramOutput {
    let mut command: Command = env.command(args);
    command.stdout(fs::File::options().write(true).open("/dev/full").unwrap());
    command.output().unwrap().into()
}

#[test]
fn output_that_is_lost_is_an_error() {
    let env = TestEnv::new();
    let url = TestSimulator::perfect();
    let url = url.url();
    env.orders(1).cancel(&url, &[]).exits(0);
    let run = ["run", "orders.csv", "--url", &url, "--external-ip", "10.0.0.1", "--yes", "--json"];
    let all: [&[&str]; 9] = [
        &["check", "orders.csv"],
        &["runs"],
        &["man"],
        &["completions", "bash"],
        &["config", "show"],
        &["ledger", "info"],
        &["--help"],
        &["--version"],
        &run,
    ];
    for args in all {
        let lost = without_output(&env, args).exits(5);
        let reported = "error: standard output cannot be written: No space left on device";
        assert!(lost.stderr.contains(reported), "{args:?}: {}", lost.stderr);
    }
}

#[test]
fn an_error_is_an_object_where_a_program_reads() {
    let env = TestEnv::with_orders(3);
    let url = ["--url", "http://127.0.0.1:9", "--external-ip", "10.0.0.1", "--yes"];
    let run = [&["run", "orders.csv"][..], &url].concat();
    let refusals: [(&[&str], &str); 5] = [
        (&["--max-rows", "2"], "3 rows to send"),
        (&["--ledger", "orders.csv"], "orders.csv"),
        (&["--rate", "50"], "the rate 50 has no unit"),
        (&["--no-such-flag"], "unexpected argument"),
        (&["--profile", "none"], "--profile names a table"),
    ];
    for (flags, why) in refusals {
        let asked = [&run[..], flags, &["--json", "--log-format", "json"]].concat();
        let refused = env.run(&asked).exits(2);
        let summary: Value = serde_json::from_str(&refused.stdout).unwrap();
        assert_eq!((&summary["exit_code"], &summary["state"]), (&2.into(), &"refused".into()));
        assert!(summary["error"].as_str().unwrap().contains(why), "{summary}");
        let lines = refused.stderr.lines().map(serde_json::from_str);
        let lines: Vec<Value> = lines.collect::<Result<_, _>>().unwrap();
        let last = lines.last().unwrap();
        assert_eq!(last["level"], "ERROR");
        assert!(last["message"].as_str().unwrap().contains(why), "{last}");
        assert!(last["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    }
    env.file("cardcancel.toml", "json = true\nlog_format = 'json'\n");
    let refused = env.run(&["runs", "--ledger", "none.db"]).exits(2);
    let summary: Value = serde_json::from_str(&refused.stdout).unwrap();
    assert!(summary["error"].as_str().unwrap().starts_with("there is no ledger at"));
    assert!(refused.stderr.starts_with('{'), "{}", refused.stderr);
}

#[test]
fn a_secret_that_others_can_read_is_refused() {
    let core_card = TestSimulator::perfect();
    let env = TestEnv::new();
    env.orders(1).file("token", "s3cret").file("cardcancel.toml", "[auth]\nkind = 'bearer'\n");
    let may = |name: &str, mode| {
        fs::set_permissions(env.path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    let run =
        || env.cancel_with(&core_card.url(), &[], &[("CARDCANCEL_BEARER_TOKEN_FILE", "token")]);
    may("token", 0o604);
    let refused = run().exits(2);
    assert!(refused.stderr.contains("others can read token, which CARDCANCEL_BEARER_TOKEN_FILE"));
    may("token", 0o600);
    run().exits(0);

    env.file("cardcancel.toml", "[profile.p]\nledger = 'postgres://me:s3cret@127.0.0.1:9/db'\n");
    may("cardcancel.toml", 0o644);
    let refused = env.run(&["check", "orders.csv"]).exits(2);
    assert!(refused.stderr.contains("the ledger's password is in it"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("s3cret"));
    may("cardcancel.toml", 0o600);
    env.run(&["check", "orders.csv"]).exits(0);
}

#[test]
fn a_file_name_cannot_act_on_a_terminal_or_make_two_lines_of_one() {
    let core_card = TestSimulator::perfect();
    let env = TestEnv::new();
    let name = "a\u{1b}[31m\nb\u{202e}.csv";
    env.file(name, "admin,seq\n1,1\n");
    let flags = ["--url", &core_card.url(), "--external-ip", "10.0.0.1", "--yes"];
    let ran = env.run(&[&["run", name][..], &flags].concat()).exits(0);
    let shown = "a\\u{1b}[31m\\nb\\u{202e}";
    assert!(ran.stdout.contains(&format!(" of {shown}.csv, 1 row: ended\n")), "{}", ran.stdout);
    let runs = env.run(&["runs"]).exits(0);
    assert_eq!(runs.stdout.lines().count(), 2, "headings and a run");
    for said in [ran.all_output(), runs.all_output()] {
        assert!(said.contains(shown) && !said.contains(['\u{1b}', '\u{202e}']), "{said:?}");
    }
    let missing = env.run(&["check", "no\u{1b}[31m.csv"]).exits(2);
    assert!(missing.stderr.contains("no\\u{1b}[31m.csv: no such file"), "{}", missing.stderr);
}

#[test]
fn a_limit_too_low_for_any_call_is_not_answered_with_no_calls() {
    let env = TestEnv::new();
    let whole = env.orders(1).cancelling("http://127.0.0.1:9", &[]);
    let limited = |files: u32| -> ProgramOutput {
        let mut limited = Command::new("sh");
        limited
            .args(["-c", &format!("ulimit -n {files}; exec \"$0\" \"$@\"")])
            .arg(whole.get_program())
            .args(whole.get_args())
            .current_dir(env.folder())
            .env_clear()
            .envs(whole.get_envs().filter_map(|(name, value)| Some((name, value?))));
        limited.output().unwrap().into()
    };
    let none = limited(64).exits(2);
    assert!(!none.stderr.contains("lower it") && none.stderr.contains("raise the limit"));
    assert!(limited(80).exits(2).stderr.contains("lower it to 16, or raise the limit"));
}
