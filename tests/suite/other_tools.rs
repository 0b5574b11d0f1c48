//! Tools of other people read an export: validators, databases, and the samples for audits.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cardcancel::ledger::{Ledger, Sqlite};
use serde_json::Value;

use crate::common::{Behavior, ProgramOutput, ScriptedServer, TestEnv, json, postgres};

/// Error codes and messages that tools change: leading zeros, formulas, quotes, other scripts.
const ANSWERS: [(&str, &str); 8] = [
    ("0012", "Cancelled, thanks"),
    ("ERR01160", "=1+1"),
    ("0013", "'quoted'"),
    ("E9", "＝full \"width\""),
    ("0014", "-5"),
    ("0015", "Żółć ✓"),
    ("7", "@sum(a1)"),
    ("0016", "two, three\ttab"),
];

/// A text as it was before it was guarded against spreadsheets.
fn unguarded(text: &str) -> &str {
    text.strip_prefix('\'').unwrap_or(text)
}

/// An export in `audit` of a run with hostile answers and the largest order there can be, and the
/// error code and message of each row as the ledger has them.
fn exported() -> (TestEnv, Vec<(String, String)>) {
    let env = TestEnv::new();
    let mut orders = "AdminNumber,CardSequenceNumber\n9223372036854775807,2147483647\n".to_owned();
    (2..=40).for_each(|row| orders += &format!("{},1\n", 1000 + row));
    env.file("orders.csv", orders);
    let server = ScriptedServer::new(|nth, _| {
        let (code, message) = ANSWERS[nth % ANSWERS.len()];
        let body = serde_json::json!({
            "Status": nth % 3 == 0, "ErrorCode": code, "ErrorMessage": message,
        });
        Behavior::Respond(json(&body.to_string()))
    });
    env.cancel(&server.url(), &["--reason", "=1+1"]).exits(1);
    env.run(&["export", "--since", "2020-01-01", "-o", "audit"]).exits(0);
    let mut ledger = Sqlite::open_existing(&env.ledger()).unwrap().unwrap();
    let run = ledger.runs().unwrap().remove(0);
    let mut texts = Vec::new();
    let mut add = |row: &mut cardcancel::ledger::RowRecord| {
        texts.push((row.error_code.clone(), row.message.clone()));
        Ok(())
    };
    ledger.rows(&run, &mut add).unwrap();
    assert_eq!(texts.len(), 40);
    (env, texts)
}

/// The tools that tests/run installs.
fn tools() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/validators/bin")
}

/// Runs a line of shell in a folder.
fn shell(folder: &Path, line: &str) -> ProgramOutput {
    let path = format!("{}:{}", tools().display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).current_dir(folder).env("PATH", path).env("LC_ALL", "C.UTF-8");
    shell.stdin(Stdio::null()).output().unwrap().into()
}

/// The command for a database that stands in the comments of `load.sql`.
fn load_command(env: &TestEnv, database: &str) -> String {
    let text = env.text("audit/data/load.sql");
    let lines = text.lines().filter_map(|line| line.strip_prefix("--   "));
    let mut commands = lines.filter(|line| line.contains(database));
    commands.next().unwrap().to_owned()
}

#[test]
#[ignore = "needs bagit.py and frictionless: tests/run brings them"]
fn validators_of_bags_and_of_data_packages_accept_an_export() {
    let (env, _) = exported();
    let valid = shell(&env.path("audit"), "bagit.py --validate .").exits(0);
    assert!(valid.all_output().contains("is valid"), "{}", valid.all_output());
    shell(&env.path("audit"), "frictionless validate data/datapackage.json").exits(0);
    // They would not accept another one.
    let changed = env.text("audit/data/rows.csv").replacen(",rejected,", ",unheard,", 1);
    env.file("audit/data/rows.csv", changed);
    shell(&env.path("audit"), "bagit.py --validate .").exits(1);
    shell(&env.path("audit"), "frictionless validate data/datapackage.json").exits(1);
}

#[test]
#[ignore = "needs DuckDB: tests/run brings it"]
fn duckdb_loads_an_export_and_makes_events_for_a_siem_of_it() {
    let (env, texts) = exported();
    let data = env.path("audit/data");
    let load = load_command(&env, "duckdb");
    shell(&data, &load).exits(0);
    let ask =
        "select admin_number, card_sequence_number, error_code, message from rows order by row";
    let found = shell(&data, &format!("duckdb -json audit.duckdb '{ask}'")).exits(0).stdout;
    let found: Vec<Value> = serde_json::from_str(&found).unwrap();
    assert_eq!(found[0]["admin_number"], i64::MAX);
    assert_eq!(texts_of(&found), texts);

    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/samples/audit/ocsf.sql");
    let events = shell(&data, &format!("duckdb audit.duckdb < {sample}")).exits(0).stdout;
    let events: Vec<Value> =
        events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), 40);
    for event in &events {
        assert_eq!((&event["class_uid"], &event["type_uid"]), (&6003.into(), &600_304.into()));
        assert!(event["time"].as_i64().unwrap() > 1_700_000_000_000, "{event}");
    }
    let succeeded = events.iter().filter(|event| event["status_id"] == 1).count();
    let failed = events.iter().filter(|event| event["status_id"] == 2).count();
    assert_eq!((succeeded, failed), (14, 26));
    assert_eq!(events[0]["resources"][0]["uid"], "9223372036854775807/2147483647");
}

#[test]
#[ignore = "needs sqlite3: tests/run brings it"]
fn sqlite_loads_an_export() {
    let (env, texts) = exported();
    let data = env.path("audit/data");
    let load = load_command(&env, "sqlite3");
    shell(&data, &load).exits(0);
    let ask = "select admin_number, error_code, message from rows order by row";
    let found = shell(&data, &format!("sqlite3 -json audit.sqlite '{ask}'")).exits(0).stdout;
    let found: Vec<Value> = serde_json::from_str(&found).unwrap();
    assert_eq!(found[0]["admin_number"], i64::MAX);
    assert_eq!(texts_of(&found), texts);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn psql_loads_an_export() {
    let (env, texts) = exported();
    let database = postgres::database();
    let load = format!("{} {}", load_command(&env, "psql"), database.url_of("test"));
    shell(&env.path("audit/data"), &load).exits(0);
    let ask = "select coalesce(error_code, ''), coalesce(message, '') from rows order by row";
    let found = database.client().query(ask, &[]).unwrap();
    let found = found.iter().map(|row| (row.get::<_, &str>(0), row.get::<_, &str>(1)));
    let found: Vec<(String, String)> =
        found.map(|(code, message)| (unguarded(code).into(), unguarded(message).into())).collect();
    assert_eq!(found, texts);
    assert_eq!(database.asked::<i64>("select max(admin_number) from rows"), i64::MAX);
}

fn texts_of(rows: &[Value]) -> Vec<(String, String)> {
    let text = |value: &Value| unguarded(value.as_str().unwrap_or_default()).to_owned();
    rows.iter().map(|row| (text(&row["error_code"]), text(&row["message"]))).collect()
}
