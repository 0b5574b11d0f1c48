//! What is changed in a ledger behind the program's back: what `verify` finds by itself, and what
//! only a witness shows.
use std::fs;
use std::process::Stdio;

use crate::common::postgres::{Database, database};
use crate::common::{
    Behavior, ProgramOutput, ScriptedServer, TestEnv, change_ledger, json, with_headers,
};

/// A ledger with two sealed runs.
struct Recorded {
    env: TestEnv,
    /// Where the ledger is, unless it is the user's own file.
    database: Option<Database>,
    copies: u32,
}

/// A copy of a ledger.
enum LedgerCopy {
    File(Vec<u8>),
    Database(String),
}

impl Recorded {
    /// In a file, or in a database.
    fn new(database: Option<Database>) -> Recorded {
        let recorded = Recorded { env: TestEnv::new(), database, copies: 0 };
        let env = &recorded.env;
        env.file("cardcancel.toml", "[seal]\nwitness = 'seals'\ncommand = ['echo', 'kept']\n");
        let server = ScriptedServer::new(|count, _| match count {
            0 => Behavior::Close,
            1 => Behavior::Respond(json(r#"{"Status":false,"ErrorCode":"X1","Message":"no"}"#)),
            2 => Behavior::Respond(with_headers("429 Wait", &["Retry-After: 1"], "")),
            _ => Behavior::Respond(json(r#"{"Status":true}"#)),
        });
        // Row 6 is invalid, row 7 a duplicate.
        env.file("orders.csv", "admin,seq\n1,1\n2,1\n3,1\n4,1\n5,1\nx,1\n5,1\n");
        env.file("second.csv", "admin,seq\n21,1\n22,1\n");
        for (file, code) in [("orders.csv", 1), ("second.csv", 0)] {
            let run = ["run", file, "--url", &server.url(), "--external-ip", "10.0.0.1", "--yes"];
            let more = ["--concurrency", "1", "--rate", "unlimited", "--reason", "r"];
            recorded.run(&[&run[..], &more].concat()).exits(code);
        }
        recorded
    }

    fn run(&self, args: &[&str]) -> ProgramOutput {
        let mut command = self.env.command(args);
        if let Some(database) = &self.database {
            command.env("CARDCANCEL_LEDGER", database.url());
        }
        command.stdin(Stdio::null()).output().unwrap().into()
    }

    fn change(&self, sql: &str) {
        change_ledger(&self.env, self.database.as_ref(), sql);
    }

    fn copy(&mut self) -> LedgerCopy {
        match &self.database {
            Some(database) => {
                self.copies += 1;
                let name = format!("{}_{}", database.name, self.copies);
                let create = format!("CREATE DATABASE {name} TEMPLATE {}", database.name);
                maintenance(database).batch_execute(&create).unwrap();
                LedgerCopy::Database(name)
            }
            None => LedgerCopy::File(fs::read(self.env.ledger()).unwrap()),
        }
    }

    /// Puts a copy in the place of the ledger.
    fn put_back(&mut self, copy: &LedgerCopy) {
        match (copy, &mut self.database) {
            (LedgerCopy::File(bytes), None) => fs::write(self.env.ledger(), bytes).unwrap(),
            (LedgerCopy::Database(name), Some(database)) => {
                self.copies += 1;
                let new = format!("{name}_{}", self.copies);
                let create = format!("CREATE DATABASE {new} TEMPLATE {name}");
                maintenance(database).batch_execute(&create).unwrap();
                database.name = new;
            }
            _ => panic!("the copy is of another kind"),
        }
    }
}

/// A connection to another database of the same server.
fn maintenance(database: &Database) -> postgres::Client {
    Database { name: "postgres".to_owned(), ..database.clone() }.client()
}

/// The words of the SQL below in which the two ledgers differ: in a file, and in a database.
const WORDS: [(&str, &str, &str); 6] = [
    ("{start}", "start", "worker"),
    ("{answer}", "outcome", "attempt"),
    ("{counts}", "progress", "run"),
    ("{its run}", "run", "number"),
    ("{a microsecond}", "1", "interval '1 microsecond'"),
    ("{yes}", "1", "true"),
];

const ROWS: &str = "run RUN: block 1 of its lines in rows.csv has changed (lines 1 to 7)";
const ATTEMPTS: &str = "run RUN: block 1 of its lines in attempts.csv has changed (lines 1 to 7)";
const EVENTS: &str = "run RUN: block 1 of its lines in events.csv has changed (lines 1 to 4)";

/// What is changed, and what is said of it. RUN is the first run.
const CHANGES: [(&str, &str); 66] = [
    // Attempts, and the answers that several share in a file.
    ("UPDATE attempt SET claimed_at = claimed_at + {a microsecond} WHERE row = 3", ATTEMPTS),
    ("UPDATE attempt SET sent_at = sent_at + {a microsecond} WHERE row = 4", ATTEMPTS),
    ("UPDATE attempt SET ended_at = ended_at - {a microsecond} WHERE row = 5", ATTEMPTS),
    ("UPDATE attempt SET {start} = {start} + 1 WHERE row = 4", ATTEMPTS),
    ("DELETE FROM attempt WHERE row = 2", ATTEMPTS),
    ("DELETE FROM attempt WHERE row = 1 AND attempt = 1", ATTEMPTS),
    ("UPDATE {answer} SET error_code = 'X2' WHERE error_code = 'X1'", ATTEMPTS),
    ("UPDATE {answer} SET message = 'yes' WHERE error_code = 'X1'", ATTEMPTS),
    ("UPDATE {answer} SET http_status = 500 WHERE error_code = 'X1'", ATTEMPTS),
    ("UPDATE {answer} SET verdict = 1 WHERE error_code = 'X1'", ATTEMPTS),
    ("UPDATE {answer} SET status = 0 WHERE error_code = 'X1'", ROWS),
    // Rows.
    ("UPDATE row SET admin_number = admin_number + 100 WHERE row = 5", ROWS),
    ("UPDATE row SET sequence_number = 9 WHERE row = 5", ROWS),
    ("UPDATE row SET doubt = {yes} WHERE row = 5", ROWS),
    ("UPDATE row SET status = 7 WHERE row = 6", ROWS),
    ("UPDATE row SET message = 'other' WHERE row = 6", ROWS),
    ("UPDATE row SET error_code = 'OTHER' WHERE row = 6", ROWS),
    ("DELETE FROM row WHERE row = 7", ""),
    ("DELETE FROM row WHERE row = 4", ""),
    // Events.
    ("UPDATE event SET at = at + {a microsecond} WHERE kind = 'asked_to_wait'", EVENTS),
    ("UPDATE event SET detail = 'x' WHERE kind = 'asked_to_wait'", EVENTS),
    ("UPDATE event SET kind = 'signal' WHERE kind = 'asked_to_wait'", EVENTS),
    ("DELETE FROM event WHERE kind = 'asked_to_wait'", EVENTS),
    ("UPDATE event SET run = 2 WHERE kind = 'asked_to_wait'", EVENTS),
    // Starts.
    ("UPDATE {start} SET started_at = started_at + {a microsecond} WHERE run = 1", EVENTS),
    ("UPDATE {start} SET finished_at = finished_at + {a microsecond} WHERE run = 1", EVENTS),
    ("UPDATE {start} SET started_by = 'x' WHERE run = 1", EVENTS),
    ("UPDATE {start} SET uid = 77 WHERE run = 1", "run RUN: who started it is not that of seal 1"),
    ("UPDATE {start} SET user_name = 'x' WHERE run = 1", "run RUN: who started it"),
    ("UPDATE {start} SET login_uid = 77 WHERE run = 1", "run RUN: who started it"),
    ("UPDATE {start} SET host = 'x' WHERE run = 1", "run RUN: who started it"),
    ("UPDATE {start} SET unit = 'x' WHERE run = 1", "run RUN: who started it"),
    ("UPDATE {start} SET process = 7 WHERE run = 1", "run RUN: who started it"),
    ("UPDATE {start} SET ssh_connection = 'x' WHERE run = 1", EVENTS),
    ("UPDATE {start} SET reason = 'x' WHERE run = 1", "run RUN: its purpose is not that of seal 1"),
    ("UPDATE {start} SET requested_by = 'x' WHERE run = 1", "run RUN: its purpose"),
    ("UPDATE {start} SET ticket = 'x' WHERE run = 1", "run RUN: its purpose"),
    ("UPDATE {start} SET stop = 'SIGNAL' WHERE run = 1", EVENTS),
    ("UPDATE {start} SET program = 'x' WHERE run = 1", EVENTS),
    ("UPDATE {start} SET rates = 'x' WHERE run = 1", EVENTS),
    ("UPDATE {start} SET cut_off = started_at WHERE run = 1", EVENTS),
    ("UPDATE {start} SET configuration = NULL WHERE run = 1", "run RUN: its configuration"),
    ("DELETE FROM {start} WHERE run = 1", EVENTS),
    // The run.
    (
        "UPDATE run SET opened_at = opened_at - {a microsecond} WHERE number = 1",
        "run RUN: the time at which it was opened",
    ),
    (
        "UPDATE run SET input_name = 'x' WHERE number = 1",
        "run RUN: its input is not that of seal 1",
    ),
    ("UPDATE run SET input_digest = 'x' WHERE number = 1", "run RUN: its input"),
    ("UPDATE run SET endpoint = 'https://other' WHERE number = 1", ATTEMPTS),
    ("UPDATE run SET command = 'rerun' WHERE number = 1", EVENTS),
    ("UPDATE run SET program = 'x' WHERE number = 1", EVENTS),
    ("UPDATE run SET id = 'x' WHERE number = 1", "seal 1: its text is that of another seal"),
    ("UPDATE run SET rows = rows + 1 WHERE number = 1", ""),
    (
        "UPDATE {counts} SET cancelled = cancelled + 1 WHERE {its run} = 1",
        "run RUN: the recorded counts are not those of its rows",
    ),
    (
        "UPDATE {counts} SET rejected_with_doubt = rejected_with_doubt + 1 WHERE {its run} = 1",
        "run RUN: the recorded counts",
    ),
    (
        "UPDATE {counts} SET attempts = attempts + 1 WHERE {its run} = 1",
        "run RUN: the recorded number of attempts",
    ),
    ("DELETE FROM run WHERE number = 1", "seal 1: it is missing; the next one is 2"),
    (
        "UPDATE results SET mark = mark || 'x' WHERE run = 1",
        "run RUN: its results file is not that of seal 1",
    ),
    // What is in force, and the seals.
    ("UPDATE configuration SET text = text || 'x'", "its configuration "),
    ("DELETE FROM configuration", "its configuration "),
    (
        "UPDATE seal SET text = replace(text, 'ended', 'stopped') WHERE number = 1",
        "seal 1: it cannot be read: line 6",
    ),
    (
        "UPDATE seal SET text = replace(text, 'cancelled 4', 'cancelled 5') WHERE number = 1",
        "seal 1: its text does not have the digest",
    ),
    (
        "UPDATE seal SET digest = previous || 'x' WHERE number = 2",
        "seal 2: its text does not have the digest",
    ),
    (
        "UPDATE seal SET previous = 'x' WHERE number = 2",
        "seal 2: the seal before it is not the one",
    ),
    (
        "UPDATE seal SET start = start + 5 WHERE number = 2",
        "seal 2: it covers a start that the run does not have",
    ),
    ("UPDATE seal SET number = 3 WHERE number = 2", "seal 2: it is missing; the next one is 3"),
    ("DELETE FROM seal WHERE number = 1", "seal 1: it is missing; the next one is 2"),
    ("UPDATE ledger SET id = 'other'", "seal 1: it is of another ledger"),
];

/// Makes every change in turn, each in a copy of the ledger, and verifies it.
fn every_change_is_found(mut recorded: Recorded) {
    let is_database = recorded.database.is_some();
    let runs = recorded.run(&["runs", "--json"]).exits(0).stdout;
    let first: serde_json::Value = serde_json::from_str(runs.lines().last().unwrap()).unwrap();
    let first = first["run"].as_str().unwrap();
    recorded.run(&["verify", "--witness", "seals", "--require", "witnessed"]).exits(0);
    let whole = recorded.copy();
    for (change, named) in CHANGES {
        let mut sql = change.to_owned();
        for (word, in_file, in_database) in WORDS {
            sql = sql.replace(word, if is_database { in_database } else { in_file });
        }
        if sql.contains("row = ") {
            sql.push_str(" AND run = 1");
        }
        recorded.put_back(&whole);
        recorded.change(&sql);
        let verified = recorded.run(&["verify"]).exits(1).stdout;
        // A file has lost a row; a database has fewer.
        let lost = [&*format!("has lost row 4 of run {first}"), "has lost row 7", "has lost row 8"];
        let is_named = match named.replace("RUN", first) {
            named if named.is_empty() && is_database => {
                verified.contains(&format!("run {first}: "))
            }
            named if named.is_empty() => lost.iter().any(|lost| verified.contains(lost)),
            named => verified.contains(&named),
        };
        assert!(is_named, "{sql}: {named}: {verified}");
        assert!(verified.contains("ALTERED: "), "{sql}: {verified}");
    }
}

#[test]
fn every_change_of_a_ledger_in_a_file_is_found_and_named() {
    every_change_is_found(Recorded::new(None));
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn every_change_of_a_ledger_in_a_database_is_found_and_named() {
    every_change_is_found(Recorded::new(Some(database())));
}

/// What `verify` says by itself, and with the witness.
fn only_the_witness_finds(recorded: &Recorded, found: &str) {
    let verified = recorded.run(&["verify"]).exits(0).stdout;
    assert!(verified.starts_with("Unchanged since seal "), "{verified}");
    assert!(verified.contains("\nNot compared with a witness: say --witness.\n"), "{verified}");
    let verified = recorded.run(&["verify", "--witness", "kept"]).exits(1).stdout;
    assert!(verified.contains(found), "{verified}");
    assert!(verified.contains("ALTERED: "), "{verified}");
}

/// What no chain of seals can show by itself.
fn only_a_witness_shows_what_was_sealed_anew_cut_off_or_put_back(mut recorded: Recorded) {
    recorded.env.file("kept", recorded.env.read("seals"));
    let yesterday = recorded.copy();
    let server = ScriptedServer::always(Behavior::Respond(json(r#"{"Status":true}"#)));
    let third = |recorded: &Recorded, file: &str| {
        recorded.env.file(file, "admin,seq\n31,1\n");
        let run = ["run", file, "--url", &server.url(), "--external-ip", "10.0.0.1", "--yes"];
        recorded.run(&run).exits(0)
    };
    // All seals are made anew by the program itself, of what was edited before.
    let rows = "UPDATE row SET admin_number = admin_number + 100 WHERE row = 5 AND run = 1";
    recorded.change(&format!("{rows}; DELETE FROM receipt; DELETE FROM seal"));
    let run = third(&recorded, "third.csv");
    let differs = "the witness seals has seals that this ledger does not have";
    assert!(run.stderr.contains(differs), "{}", run.stderr);
    only_the_witness_finds(&recorded, "seal 1 is not the one that was witnessed at ");

    // The newest run is cut off.
    recorded.put_back(&yesterday);
    let starts = if recorded.database.is_some() { "worker" } else { "start" };
    let counts = if recorded.database.is_some() { "results" } else { "progress" };
    for table in ["receipt WHERE seal", "seal WHERE number"] {
        recorded.change(&format!("DELETE FROM {table} = 2"));
    }
    for table in ["attempt", "row", "event", "results", counts, starts] {
        recorded.change(&format!("DELETE FROM {table} WHERE run = 2"));
    }
    recorded.change("DELETE FROM run WHERE number = 2");
    only_the_witness_finds(&recorded, "seal 2 was witnessed at ");

    // Yesterday's copy is put back.
    recorded.put_back(&yesterday);
    third(&recorded, "fourth.csv");
    recorded.env.file("kept", recorded.env.read("seals"));
    recorded.run(&["verify", "--witness", "kept"]).exits(1);
    let newest = recorded.env.text("seals").lines().last().unwrap().to_owned() + "\n";
    recorded.env.file("kept", newest);
    recorded.run(&["verify", "--witness", "kept", "--require", "witnessed"]).exits(0);
    recorded.put_back(&yesterday);
    only_the_witness_finds(&recorded, "seal 3 was witnessed at ");
}

#[test]
fn in_a_file_only_a_witness_shows_what_was_sealed_anew_cut_off_or_put_back() {
    only_a_witness_shows_what_was_sealed_anew_cut_off_or_put_back(Recorded::new(None));
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn in_a_database_only_a_witness_shows_what_was_sealed_anew_cut_off_or_put_back() {
    only_a_witness_shows_what_was_sealed_anew_cut_off_or_put_back(Recorded::new(Some(database())));
}
