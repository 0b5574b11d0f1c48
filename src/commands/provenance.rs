//! Refuses a rerun of results that are not of this ledger and this address: what was cancelled
//! at a simulator or a sandbox is not cancelled here, and must not be kept as if it were. Nor
//! may an order be sent that an edited file holds, and no run.

use anyhow::bail;

use super::run_input::RunInput;
use super::target::Target;
use crate::config::Settings;
use crate::input::{PriorResult, RerunPlan};
use crate::ledger::{Ledger, OnRecord, Sqlite};
use crate::model::{Order, Row, RowNumber, Status};
use crate::output::rows;

/// How many rows are looked up at a time.
const BATCH_ROWS: usize = 1000;

/// Refuses the results of a rehearsal, those of another address, and those that are not known
/// to be of this ledger and this address. `--trust-results` allows the last two.
///
/// # Errors
/// When the results are refused, or the ledger or the file cannot be read.
pub fn refuse_foreign_results(
    input: &RunInput,
    target: &Target,
    settings: &Settings,
    ledger: &mut dyn Ledger,
) -> anyhow::Result<()> {
    match &input.plan {
        Some(plan) if !target.is_rehearsal() => {
            RerunResults { input, plan, target, settings }.refuse_foreign(ledger)
        }
        _ => Ok(()),
    }
}

/// A results file that is about to be run again.
struct RerunResults<'a> {
    input: &'a RunInput,
    plan: &'a RerunPlan,
    target: &'a Target,
    settings: &'a Settings,
}

impl RerunResults<'_> {
    fn refuse_foreign(&self, ledger: &mut dyn Ledger) -> anyhow::Result<()> {
        let (name, digest) = (self.input.input.name(), self.input.input.digest()?.to_string());
        if let Some(rehearsals) = self.settings.rehearsal_ledger.as_deref()
            && let Some(mut rehearsals) = Sqlite::open_existing(rehearsals)?
            && !rehearsals.results_of(&digest)?.is_empty()
        {
            bail!(
                "{name} holds the results of a rehearsal: nothing in it was cancelled; run the orders themselves"
            );
        }
        let endpoints = endpoints_of(&digest, ledger)?;
        if endpoints.contains(&self.target.name) {
            return Ok(());
        }
        match endpoints.first() {
            Some(other) => self.refuse_other_address(other),
            None if self.settings.input.trust_results => Ok(()),
            None => self.refuse_unknown(ledger),
        }
    }

    fn refuse_other_address(&self, other: &str) -> anyhow::Result<()> {
        let (name, here) = (self.input.input.name(), &self.target.name);
        if !self.settings.input.trust_results {
            bail!(
                "{name} holds the results of a run at {other}: rows that are cancelled there would be kept as cancelled, and not sent to {here}; run the orders themselves, or add --trust-results if it is the same CoreCARD under another name"
            );
        }
        tracing::warn!(
            "{name} holds the results of a run at {other}: rows that are cancelled there are kept as cancelled, and not sent to {here}"
        );
        Ok(())
    }

    /// Refuses a file that this program did not write as it is, if it contradicts the ledger.
    fn refuse_unknown(&self, ledger: &mut dyn Ledger) -> anyhow::Result<()> {
        let mut differences = Differences::default();
        let mut rows_read = self.input.input.rows(&self.input.columns)?;
        let mut in_file = Vec::new();
        while let Some(record) = rows_read.next()? {
            if let Row::Order(order) = record.content() {
                let prior = self.plan.prior(record.fields);
                let is_kept = !self.plan.selects(record.fields);
                in_file.push(RowInFile::new(record.row, order, &prior, is_kept));
            }
            if in_file.len() == BATCH_ROWS {
                self.compare(&mut in_file, ledger, &mut differences)?;
            }
        }
        self.compare(&mut in_file, ledger, &mut differences)?;
        let Some(first) = differences.first else { return Ok(()) };
        bail!(
            "{} is not the file that a run wrote, and in {} it differs from what the ledger {} has on record for {}: {first}. If these are the results of a rehearsal, of another address or of another ledger, rows would be taken as done that are not: give the right --url and --ledger, or run the orders themselves; if every row is surely right, add --trust-results",
            self.input.input.name(),
            rows(differences.rows),
            self.settings.ledger,
            self.target.name
        )
    }

    fn compare(
        &self,
        in_file: &mut Vec<RowInFile>,
        ledger: &mut dyn Ledger,
        differences: &mut Differences,
    ) -> anyhow::Result<()> {
        let orders: Vec<Order> = in_file.iter().map(|in_file| in_file.order).collect();
        let on_record = ledger.on_record(&self.target.name, &orders)?;
        for (in_file, on_record) in in_file.drain(..).zip(on_record) {
            if let Some(difference) = in_file.difference(&on_record) {
                differences.rows += 1;
                differences.first.get_or_insert(difference);
            }
        }
        Ok(())
    }
}

fn endpoints_of(digest: &str, ledger: &mut dyn Ledger) -> anyhow::Result<Vec<String>> {
    let mut endpoints = Vec::new();
    for id in ledger.results_of(digest)? {
        endpoints.extend(ledger.run(&id)?.map(|run| run.opened.endpoint));
    }
    Ok(endpoints)
}

/// How many rows differ from what is on record, and how the first does.
#[derive(Default)]
struct Differences {
    rows: u64,
    first: Option<String>,
}

/// A row of the file.
#[derive(Debug, Clone, Copy)]
struct RowInFile {
    /// Its place in the file.
    place: RowNumber,
    order: Order,
    /// The row's number in the input of its run, if the file has it.
    row: Option<RowNumber>,
    status: Option<Status>,
    is_kept: bool,
}

impl RowInFile {
    fn new(place: RowNumber, order: Order, prior: &PriorResult<'_>, is_kept: bool) -> RowInFile {
        let (row, status) = (prior.row.map(RowNumber), prior.status);
        RowInFile { place, order, row, status, is_kept }
    }

    /// How it differs from what is on record, if it does: an order that is to be sent must
    /// stand in its row, and a status that is kept must be how it ended.
    fn difference(self, on_record: &[OnRecord]) -> Option<String> {
        let RowInFile { place, order, row, is_kept, .. } = self;
        let status = self.status?;
        // A row that was never sent is on record in no run; it may have been corrected.
        if status == Status::Invalid {
            return None;
        }
        if on_record.is_empty() {
            return Some(format!("row {place}: order {order} is not on record"));
        }
        if matches!(status, Status::Duplicate | Status::AlreadyCancelled) && !is_kept {
            return None;
        }
        let is_so = |its: &OnRecord| {
            if is_kept { agrees(status, its.status) } else { row.is_none_or(|row| row == its.row) }
        };
        if on_record.iter().any(is_so) {
            return None;
        }
        let its = on_record.first()?;
        Some(if is_kept {
            format!(
                "row {place}: order {order} is {status} in the file, and {} on record",
                its.status.map_or("not ended", Status::as_str)
            )
        } else {
            format!("row {place}: order {order} is on record in row {}", its.row)
        })
    }
}

/// Whether the status in the file agrees with how the row ended.
fn agrees(in_file: Status, ended: Option<Status>) -> bool {
    match in_file {
        Status::Duplicate => true,
        Status::NotSent | Status::InDoubt if ended.is_none() => true,
        in_file => ended.is_some_and(|ended| {
            in_file == ended || (in_file.is_cancelled() && ended.is_cancelled())
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: Order = Order { admin_number: 1, sequence_number: 1 };

    fn in_file(status: Status, row: u32, is_kept: bool) -> RowInFile {
        let (place, row) = (RowNumber(7), Some(RowNumber(row)));
        RowInFile { place, order: ORDER, row, status: Some(status), is_kept }
    }

    fn on_record(row: u32, status: Option<Status>) -> [OnRecord; 1] {
        let row = RowNumber(row);
        [OnRecord { run: 1, row, carried_over: false, status, leaves_doubt: false, start: 1 }]
    }

    #[test]
    fn a_status_that_is_kept_is_the_one_on_record() {
        let kept = |status, ended| in_file(status, 3, true).difference(&on_record(3, ended));
        assert_eq!(kept(Status::Cancelled, Some(Status::Cancelled)), None);
        assert_eq!(kept(Status::AlreadyCancelled, Some(Status::Cancelled)), None);
        assert_eq!(kept(Status::NotSent, None), None);
        assert_eq!(kept(Status::Duplicate, Some(Status::Failed)), None);
        let difference = kept(Status::Cancelled, Some(Status::Failed)).unwrap();
        assert_eq!(difference, "row 7: order 1/1 is cancelled in the file, and failed on record");
        let difference = kept(Status::Rejected, None).unwrap();
        assert_eq!(difference, "row 7: order 1/1 is rejected in the file, and not ended on record");
    }

    #[test]
    fn an_order_that_is_sent_stands_in_its_row_on_record() {
        let sent = |row| in_file(Status::Failed, 3, false).difference(&on_record(row, None));
        assert_eq!(sent(3), None);
        assert_eq!(sent(4).unwrap(), "row 7: order 1/1 is on record in row 4");
        let unknown = in_file(Status::Failed, 3, false).difference(&[]);
        assert_eq!(unknown.unwrap(), "row 7: order 1/1 is not on record");
    }

    #[test]
    fn a_row_that_was_invalid_is_on_record_nowhere() {
        assert_eq!(in_file(Status::Invalid, 3, false).difference(&[]), None);
    }
}
