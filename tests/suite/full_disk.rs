//! A full disk: nothing sent is lost, and the same command resumes.
use std::process::Command;
use std::time::Duration;

use crate::common::{ProgramOutput, TestEnv, TestSimulator};
use cardcancel::simulator::{Latency, SimulatorSettings};

/// Runs the program with a limit on the size of files: writes fail as on a full disk, with
/// another error number.
pub fn cancel_on_a_disk_with(
    kilobytes: u32,
    env: &TestEnv,
    url: &str,
    flags: &[&str],
) -> ProgramOutput {
    on_a_disk_with(kilobytes, env, &env.cancelling(url, flags))
}

/// Runs this command likewise.
pub fn on_a_disk_with(kilobytes: u32, env: &TestEnv, whole: &Command) -> ProgramOutput {
    let blocks = kilobytes * 2;
    let mut limited = Command::new("sh");
    limited
        .args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"")])
        .arg(whole.get_program())
        .args(whole.get_args())
        .current_dir(env.folder())
        .env_clear()
        .envs(whole.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .stdin(std::process::Stdio::null());
    limited.output().unwrap().into()
}

#[test]
fn results_that_find_no_room_are_written_by_the_next_start_without_a_call() {
    const ROWS: u64 = 100;
    let env = TestEnv::new();
    // The input fits; with the columns added to each of its lines it does not.
    let note = "x".repeat(10_190);
    let lines: String = (0..ROWS).map(|row| format!("{note},{},1\n", 1000 + row)).collect();
    env.file("orders.csv", format!("Note,AdminNumber,CardSequenceNumber\n{lines}"));
    let core_card = TestSimulator::perfect();

    let failed = cancel_on_a_disk_with(1000, &env, &core_card.url(), &[]).exits(5);
    assert!(failed.stderr.contains("the results could not be written to"), "{}", failed.report());
    assert!(failed.stderr.contains("File too large"), "{}", failed.report());
    assert_eq!(core_card.requests(), ROWS);
    let left = std::fs::read_dir(env.folder()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(!left.into_iter().any(|name| name.to_string_lossy().contains("results")));

    env.cancel(&core_card.url(), &[]).exits(0);
    assert_eq!(core_card.requests(), ROWS);
    let results = env.results();
    assert_eq!(results.len() as u64, ROWS);
    assert!(results.iter().all(|row| row.status() == "cancelled" && row.get("Note") == note));
}

#[test]
fn a_ledger_that_finds_no_room_stops_the_calls_until_the_next_start() {
    const ROWS: u32 = 2000;
    let env = TestEnv::new();
    env.orders(ROWS)
        .file("cardcancel.toml", "[codes]\nSIMULATOR_ALREADY_CANCELLED = 'already_cancelled'");
    let latency = Latency::fixed(Duration::from_millis(10));
    let core_card =
        TestSimulator::new(SimulatorSettings { latency, ..SimulatorSettings::default() });
    let flags = ["--concurrency", "8"];

    let failed = cancel_on_a_disk_with(1000, &env, &core_card.url(), &flags).exits(5);
    assert!(failed.stderr.contains("ledger.db failed (disk I/O error)"), "{}", failed.report());
    let sent = core_card.requests();
    assert!(0 < sent && sent < u64::from(ROWS), "{sent} were sent");

    env.cancel(&core_card.url(), &flags).exits(0);
    let asked = core_card.requests_by_order();
    let results = env.results();
    assert_eq!(results.len() as u32, ROWS);
    for row in results {
        let admin: i64 = row.get("AdminNumber").parse().unwrap();
        assert!(asked[&admin] == 1 || row.doubt(), "{admin} was asked for {} times", asked[&admin]);
    }
}

#[test]
fn an_export_and_a_backup_that_find_no_room_leave_nothing_and_exit_as_a_failing_disk() {
    let env = TestEnv::new();
    env.orders(2000).cancel(&TestSimulator::perfect().url(), &[]).exits(0);
    let names = |env: &TestEnv| {
        let names = std::fs::read_dir(env.folder()).unwrap();
        let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = names(&env);
    let today = ["export", "--since", "2000-01-01", "-o", "audit"];
    for (args, remedy) in [
        (&today[..], "the export to audit failed; nothing of it is left"),
        (&["ledger", "backup", "copy.db"], ""),
    ] {
        let failed = on_a_disk_with(100, &env, &env.command(args)).exits(5);
        assert!(failed.stderr.contains(remedy), "{}", failed.report());
        assert_eq!(names(&env), before, "{args:?}");
    }
    // Where another name would help, nothing has failed.
    env.file("audit", "").file("copy.db", "");
    env.run(&today).exits(2);
    env.run(&["ledger", "backup", "copy.db"]).exits(2);
    env.run(&["ledger", "backup", "missing/copy.db"]).exits(2);
    // To verify needs no room.
    on_a_disk_with(0, &env, &env.command(&["verify"])).exits(0);
}
