//! A whole file held against a ledger that knows all of its orders.

use std::path::Path;
use std::process::Command;

use cardcancel::input::{Input, ReadOptions, planned_rows, scan};
use cardcancel::ledger::{Ledger, NewRun, Sqlite};
use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::BenchError;
use super::child::{CARDCANCEL, Took, run};
use super::orders;

/// Nobody is called there.
const URL: &str = "http://127.0.0.1:9";
/// How often each is run, in turn.
const TIMES: usize = 5;

/// `check` of so many rows, alone and against a run that cancelled them all.
pub fn measure(rows: u64) -> Result<(), BenchError> {
    let directory = tempfile::tempdir()?;
    let orders = orders::write(directory.path(), rows, false)?;
    let ledger = directory.path().join("ledger.db");
    record(&orders, &ledger, directory.path())?;
    let nothing = directory.path().join("none.db");
    let (mut alone, mut against) = (Vec::new(), Vec::new());
    for _ in 0..TIMES {
        alone.push(check(&orders, &nothing)?);
        against.push(check(&orders, &ledger)?);
    }
    let known = format!("{rows} were cancelled by earlier runs");
    let told = against.iter().all(|took| took.output.replace(',', "").contains(&known));
    if !told {
        return Err(format!("{known}: check does not say so").into());
    }
    let (alone, against) = (median(alone), median(against));
    println!("  check alone       {alone:>6.2} s");
    println!("  check, all known  {against:>6.2} s");
    println!("  all known / alone {:>6.2}", against / alone);
    Ok(())
}

fn median(mut took: Vec<Took>) -> f64 {
    took.sort_by_key(|took| took.wall);
    took[took.len() / 2].wall.as_secs_f64()
}

fn check(orders: &Path, ledger: &Path) -> Result<Took, BenchError> {
    let mut check = Command::new(CARDCANCEL);
    check.args(["check", "--url", URL, "--ledger"]).arg(ledger).arg(orders);
    run(&mut check)
}

/// Records a run of the file that ended well.
fn record(orders: &Path, ledger: &Path, spool: &Path) -> Result<(), BenchError> {
    let input = Input::open(orders, spool)?;
    let columns = input.columns(&ReadOptions::default())?;
    let survey = scan(&input, &columns, None, 0)?;
    let new = NewRun {
        id: "before".to_owned(),
        key: "before".to_owned(),
        command: "run".to_owned(),
        input_name: "orders.csv".to_owned(),
        input_digest: "before".to_owned(),
        endpoint: URL.to_owned(),
        program: "bench".to_owned(),
        opened_at: Timestamp::now(),
    };
    let mut rows = planned_rows(&input, &columns, &survey, None)?;
    Sqlite::open(ledger)?.create_run(new, &mut rows, &survey.orders)?;
    // Every row was claimed, and none ended otherwise than well.
    Connection::open(ledger)?.execute(
        "UPDATE progress SET first_fresh = ?1 + 1, cancelled = ?1",
        params![survey.rows],
    )?;
    Ok(())
}
