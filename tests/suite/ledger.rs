//! The ledger's content: how runs are created, and what readers see.
use std::io::BufRead;
use std::path::PathBuf;
use std::time::Duration;

use crate::common::{TestEnv, TestSimulator, kill, until};
use cardcancel::input::{Disposition, Input, InputError, OrderKey, PlannedRow, Role};
use cardcancel::ledger::{CreateRunError, Ledger, NewRun, Run, Sqlite};
use cardcancel::model::{Order, RowNumber, Status};
use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior};

/// More than a few transactions of the creation of a run.
const ROWS: u32 = 70_000;
const KEY: &str = "0123456789abcdef";

struct LedgerReader {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl LedgerReader {
    fn new() -> LedgerReader {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        LedgerReader { _folder: folder, path }
    }

    fn ledger(&self) -> Sqlite {
        Sqlite::open(&self.path).unwrap()
    }

    fn asked<T: rusqlite::types::FromSql>(&self, sql: &str) -> T {
        let ledger = Connection::open(&self.path).unwrap();
        ledger.query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

fn new_run(id: &str, program: &str) -> NewRun {
    let (id, key, program) = (id.to_owned(), KEY.to_owned(), program.to_owned());
    NewRun { id, key, program, ..crate::common::new_run(Timestamp::UNIX_EPOCH) }
}

fn order(row: u32) -> Order {
    Order { admin_number: i64::from(row % 1000), sequence_number: row as i32 }
}

/// Every tenth row is the duplicate of the one before, every eleventh in doubt.
fn planned(row: u32) -> PlannedRow {
    let disposition = match row % 10 {
        0 => Disposition::Duplicate { first: RowNumber(row - 1) },
        _ => Disposition::ToSend { doubt: row.is_multiple_of(11) },
    };
    PlannedRow {
        row: RowNumber(row),
        line: row.into(),
        order: Some(order(row - u32::from(row.is_multiple_of(10)))),
        disposition,
        place: row,
    }
}

fn by_order() -> Vec<OrderKey> {
    let mut keys: Vec<OrderKey> =
        (1..=ROWS).map(|row| OrderKey::new(order(row), RowNumber(row), Role::Sent)).collect();
    keys.sort();
    keys
}

fn broken() -> InputError {
    Input::open("nowhere/orders.csv".as_ref(), "nowhere".as_ref()).unwrap_err()
}

/// Begins to create a run and breaks off near the end.
fn cut_short(ledger: &mut Sqlite, program: &str) {
    let mut rows = (1..=ROWS).map(|row| match row {
        65_000 => Err(broken()),
        _ => Ok(planned(row)),
    });
    let refused = ledger.create_run(new_run("first", program), &mut rows, &by_order());
    assert!(matches!(refused, Err(CreateRunError::Input(_))));
}

fn created(ledger: &mut Sqlite, program: &str) -> Run {
    let mut rows = (1..=ROWS).map(|row| Ok(planned(row)));
    ledger.create_run(new_run("second", program), &mut rows, &by_order()).unwrap()
}

fn assert_whole(ledger: &mut Sqlite, run: &Run) {
    assert_eq!((run.rows, run.counts.total()), (ROWS.into(), u64::from(ROWS / 10)));
    assert_eq!(run.counts.get(Status::Duplicate), u64::from(ROWS / 10));
    let records = crate::common::records(ledger, run);
    assert_eq!(records.len(), ROWS as usize);
    let orders = ledger.orders(run).unwrap();
    for (record, row) in records.iter().zip(1..) {
        let PlannedRow { order, disposition, .. } = planned(row);
        assert_eq!((record.row, orders.get(&record.row)), (RowNumber(row), order.as_ref()));
        let doubt = disposition == Disposition::ToSend { doubt: true };
        assert_eq!(record.doubt, doubt, "{record:?}");
        assert_eq!(record.status == Status::Duplicate, row % 10 == 0, "{record:?}");
    }
}

#[test]
fn a_run_is_nobodys_until_every_row_is_recorded() {
    let file = LedgerReader::new();
    let mut ledger = file.ledger();
    cut_short(&mut ledger, "test 1");
    assert!(file.asked::<u32>("SELECT count(*) FROM row") > 0, "nothing was recorded");
    assert_eq!(ledger.find_by_key(KEY).unwrap(), None);
    assert_eq!(ledger.run("first").unwrap(), None);
    assert_eq!(ledger.runs().unwrap(), []);
}

#[test]
fn the_creation_of_a_run_that_was_cut_short_goes_on() {
    let file = LedgerReader::new();
    cut_short(&mut file.ledger(), "test 1");
    let mut ledger = file.ledger();
    let run = created(&mut ledger, "test 1");
    assert_eq!((run.id(), ledger.runs().unwrap().len()), ("second", 1));
    assert_whole(&mut ledger, &run);
    assert_eq!(file.asked::<u32>("SELECT count(*) FROM row"), ROWS);
    assert_eq!(file.asked::<u32>("SELECT count(*) FROM row_by_order"), ROWS);
}

#[test]
fn the_creation_of_a_run_by_places_that_was_cut_short_goes_on() {
    let file = LedgerReader::new();
    // The last row is sent first; the hundred before it are at their own positions.
    let planned = |row: u32| {
        let place = if row <= 100 { row } else { ROWS + 101 - row };
        PlannedRow { place, ..planned(row) }
    };
    for end in [65_000, ROWS + 1] {
        let mut rows =
            (1..=ROWS).map(|row| if row == end { Err(broken()) } else { Ok(planned(row)) });
        let created = file.ledger().create_run(new_run("run", "test"), &mut rows, &[]);
        assert_eq!(created.is_ok(), end > ROWS);
    }
    let placed = "SELECT count(*) FROM place JOIN row USING (run, row) WHERE status IS NULL";
    assert_eq!(file.asked::<u32>(placed), ROWS - ROWS / 10);
    assert_eq!(file.asked::<u32>("SELECT row FROM place WHERE place = 100"), 100);
    assert_eq!(file.asked::<u32>("SELECT row FROM place WHERE place = 102"), ROWS - 1);
}

#[test]
fn the_creation_of_a_run_that_another_program_cut_short_begins_again() {
    let file = LedgerReader::new();
    cut_short(&mut file.ledger(), "test 1");
    let mut ledger = file.ledger();
    let run = created(&mut ledger, "test 2");
    assert_eq!(ledger.runs().unwrap().len(), 1);
    assert_whole(&mut ledger, &run);
}

#[test]
fn a_run_that_is_enrolled_leaves_the_ledger_to_others_again_and_again() {
    let file = LedgerReader::new();
    let mut ledger = file.ledger();
    let mut other = Connection::open(&file.path).unwrap();
    other.busy_timeout(Duration::ZERO).unwrap();
    let mut seen: Vec<u32> = Vec::new();
    let mut rows = (1..=ROWS).map(|row| {
        if row % 1000 == 1
            && let Ok(had) = other.transaction_with_behavior(TransactionBehavior::Immediate)
        {
            let recorded = had.query_row("SELECT count(*) FROM row", [], |row| row.get(0));
            seen.push(recorded.unwrap());
        }
        Ok(planned(row))
    });
    let run = ledger.create_run(new_run("one", "test"), &mut rows, &[]).unwrap();
    seen.dedup();
    assert!(seen.len() >= 3, "others saw it at {seen:?} rows only");
    assert_whole(&mut ledger, &run);
}

#[test]
fn a_process_killed_while_it_creates_the_run_has_sent_nothing_and_the_next_goes_on() {
    const DUPLICATES: usize = 100_000;
    let core_card = TestSimulator::perfect();
    let env = TestEnv::new();
    let orders = "7,1\n".repeat(DUPLICATES) + "8,1\n";
    env.file("orders.csv", format!("AdminNumber,CardSequenceNumber\n{orders}"));
    let begun = env.begin_to_cancel(&core_card.url(), &[]);
    let recorded = || -> Option<u32> {
        let ledger =
            Connection::open_with_flags(env.ledger(), rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY);
        ledger.ok()?.query_row("SELECT count(*) FROM row", [], |row| row.get(0)).ok()
    };
    until("rows are recorded", || recorded().is_some_and(|rows| rows > 0));
    kill(begun);
    assert!(recorded().unwrap() < DUPLICATES as u32, "it was killed too late");
    assert_eq!(core_card.requests(), 0);
    assert_eq!(env.run(&["runs"]).exits(0).stdout, "");

    env.cancel(&core_card.url(), &[]).exits(0);
    let results = env.results();
    assert_eq!(results.len(), DUPLICATES + 1);
    assert_eq!((results[0].status(), results[1].status()), ("cancelled", "duplicate"));
    assert_eq!(results[DUPLICATES].status(), "cancelled");
    assert_eq!(core_card.requests(), 2);
    assert_eq!(env.run(&["runs"]).exits(0).stdout.lines().count(), 2, "headings and a run");
}

#[test]
fn the_ledger_can_be_read_in_words() {
    let core_card = TestSimulator::perfect();
    let env = TestEnv::new();
    env.file("orders.csv", "admin,seq\n1,1\n1,1\n").cancel(&core_card.url(), &[]).exits(0);
    let ledger = Connection::open(env.ledger()).unwrap();
    let reported = |sql: &str| -> String { ledger.query_row(sql, [], |row| row.get(0)).unwrap() };
    let call =
        "SELECT concat_ws(' ', row, admin_number, attempt, verdict, status, error_code) FROM call";
    assert_eq!(reported(call), "1 1 1 cancelled cancelled ERR01160");
    assert_eq!(
        reported("SELECT concat_ws(' ', row, status, error_code) FROM decided"),
        "2 duplicate DUPLICATE"
    );
    let sent_at = reported("SELECT sent_at FROM call");
    assert_eq!(sent_at, env.results()[0].get("first_sent_at"));
}

#[test]
fn a_ledger_that_another_program_has_locked_is_reported_and_waited_for() {
    let env = TestEnv::new();
    let core_card = TestSimulator::perfect();
    env.orders(1).cancel(&core_card.url(), &[]).exits(0);
    let mut other = Connection::open(env.ledger()).unwrap();
    let locked = other.transaction_with_behavior(TransactionBehavior::Exclusive).unwrap();
    let mut run = env.orders(2).begin_to_cancel(&core_card.url(), &["--quiet", "-o", "b.csv"]);
    let mut said = std::io::BufReader::new(run.stderr.take().unwrap()).lines();
    let reported = said.find(|line| line.as_ref().unwrap().contains("the ledger is locked"));
    assert!(reported.is_some());
    drop(locked);
    crate::common::ended(run).exits(0);
}
