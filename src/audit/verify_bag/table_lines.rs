//! The lines of `rows.csv`, `attempts.csv`, `events.csv` and `exceptions.csv` of a bag.

use super::bag_path::table_path;
use super::files::{BagFiles, HashedLines};
use super::finding::{Findings, shown};
use super::run_lines::ListedRun;
use crate::audit::bag::{BagTotals, is_exception};
use crate::audit::block_digest::BlockDigest;
use crate::audit::run_digest::BlockedLines;
use crate::audit::tables::AuditTable;
use crate::model::{Counts, Order, Status};

/// The position of the column `endpoint` in `attempts.csv`.
const ENDPOINT: usize = 6;

/// The lines of one run in one table.
#[derive(Debug, Default)]
pub(super) struct LinesOfRun {
    /// The number of the first line in the file.
    pub first_line: u64,
    /// The number of lines and their digests.
    pub lines: BlockedLines,
    /// The rows by status, of `rows.csv`.
    pub counts: Counts,
    /// The URL that the first attempt names, without its guard, of `attempts.csv`.
    pub endpoint: Option<String>,
}

/// Reads a table: the lines of each run, in the order of `runs.csv`.
///
/// # Errors
/// If the file cannot be read.
pub(super) fn read_table(
    table: AuditTable,
    files: &mut BagFiles<'_>,
    runs: &[ListedRun],
    totals: &mut BagTotals,
    findings: &mut Findings,
) -> anyhow::Result<Vec<LinesOfRun>> {
    let path = table_path(table);
    let mut reader = TableReader {
        table,
        path: &path,
        read: runs.iter().map(|_| LinesOfRun::default()).collect(),
        digests: runs.iter().map(|_| None).collect(),
        current: None,
        stray: Vec::new(),
        before: (0, 0),
    };
    let Some(mut lines) = files.lines(&path)? else { return Ok(reader.read) };
    let mut exceptions = match table {
        AuditTable::Rows => ExceptionLines::open(files)?,
        _ => None,
    };
    while let Some((line, number)) = lines.next_line()? {
        files.add(line.len());
        if number == 1 {
            if line != table.header().as_bytes() {
                findings.line(&path, 1, "is not the header of this table");
            }
            continue;
        }
        totals.add_line(table);
        let status = reader.line(line, number, runs, totals, findings);
        if let (Some(exceptions), true) = (&mut exceptions, status.is_some_and(is_exception)) {
            exceptions.expect(line, number, files, totals, findings)?;
        }
    }
    files.close(lines);
    if let Some(exceptions) = exceptions {
        exceptions.finish(files, totals, findings)?;
    }
    Ok(reader.finish())
}

struct TableReader<'a> {
    table: AuditTable,
    path: &'a str,
    read: Vec<LinesOfRun>,
    digests: Vec<Option<BlockDigest>>,
    /// The index of the run of the line before.
    current: Option<usize>,
    /// The first field of the last line that belongs to no run.
    stray: Vec<u8>,
    /// The row and the attempt of the line before in the same run.
    before: (u64, u64),
}

impl TableReader<'_> {
    /// Takes a line. Returns the status of a row.
    fn line(
        &mut self,
        line: &[u8],
        number: u64,
        runs: &[ListedRun],
        totals: &mut BagTotals,
        findings: &mut Findings,
    ) -> Option<Status> {
        let text = std::str::from_utf8(line).ok();
        let text =
            text.and_then(|text| text.strip_suffix('\n')).filter(|text| !text.contains('\r'));
        let Some(text) = text else {
            findings.line(self.path, number, "is not UTF-8 text that ends with LF alone");
            return None;
        };
        let mut fields = text.split(',');
        let run = self.run(fields.next().unwrap_or_default(), number, runs, findings)?;
        let digest = self.digests.get_mut(run)?.get_or_insert_default();
        digest.add_line(line);
        if self.table == AuditTable::Attempts && digest.lines() == 1 {
            self.read.get_mut(run)?.endpoint = endpoint(line);
        }
        if self.table == AuditTable::Events {
            return None;
        }
        let row = fields.next().and_then(|row| row.parse::<u64>().ok());
        let (status, key) = if self.table == AuditTable::Rows {
            let order = order(fields.next(), fields.next());
            let status = fields.next().and_then(|status| status.parse::<Status>().ok());
            let doubt = text.rsplit(',').nth(2);
            let (Some(order), Some(status), Some(doubt @ ("true" | "false"))) =
                (order, status, doubt)
            else {
                findings.line(self.path, number, "is not a line of this table");
                return None;
            };
            totals.add_order(order);
            self.read.get_mut(run)?.counts.add_row(status, doubt == "true");
            (Some(status), row.map(|row| (row, 0)))
        } else {
            let attempt = fields.next().and_then(|attempt| attempt.parse::<u64>().ok());
            (None, row.zip(attempt))
        };
        match key {
            Some(key) if key > self.before => self.before = key,
            _ => findings.line(self.path, number, "is out of order or stands there twice"),
        }
        status
    }

    /// The index of the run of a line.
    fn run(
        &mut self,
        id: &str,
        number: u64,
        runs: &[ListedRun],
        findings: &mut Findings,
    ) -> Option<usize> {
        let is_current = |run: &usize| runs.get(*run).is_some_and(|run| run.id == id);
        if let Some(run) = self.current.filter(is_current) {
            return Some(run);
        }
        let next = self.current.map_or(0, |run| run + 1);
        let found = runs.iter().skip(next).position(|run| run.id == id).map(|run| next + run);
        if let Some(run) = found {
            (self.current, self.before) = (Some(run), (0, 0));
            self.read.get_mut(run)?.first_line = number;
        } else if self.stray != id.as_bytes() {
            self.stray = id.as_bytes().to_owned();
            let what = format!("run {} is not in runs.csv, or not in this order", shown(id));
            findings.line(self.path, number, what);
        }
        found
    }

    fn finish(mut self) -> Vec<LinesOfRun> {
        for (lines, digest) in self.read.iter_mut().zip(self.digests) {
            lines.lines = digest.unwrap_or_default().into();
        }
        self.read
    }
}

/// The URL that an attempt called, without its guard.
fn endpoint(line: &[u8]) -> Option<String> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line);
    let record = reader.records().next()?.ok()?;
    let field = record.get(ENDPOINT)?;
    Some(field.strip_prefix('\'').unwrap_or(field).to_owned())
}

/// The order of a row: none if both fields are empty. The outer `None` is what is no order.
#[expect(clippy::option_option, reason = "no order and no such line are not the same")]
fn order(admin: Option<&str>, sequence: Option<&str>) -> Option<Option<Order>> {
    let (admin, sequence) = (admin?, sequence?);
    if admin.is_empty() && sequence.is_empty() {
        return Some(None);
    }
    let (admin_number, sequence_number) = (admin.parse().ok()?, sequence.parse().ok()?);
    Some(Some(Order { admin_number, sequence_number }))
}

/// Holds `exceptions.csv` against `rows.csv`, from which every line of it comes.
struct ExceptionLines {
    lines: HashedLines,
    /// Whether a line was missing or too many, so that the rest cannot be compared.
    is_lost: bool,
}

impl ExceptionLines {
    fn open(files: &BagFiles<'_>) -> anyhow::Result<Option<ExceptionLines>> {
        let lines = files.lines(&table_path(AuditTable::Exceptions))?;
        Ok(lines.map(|lines| ExceptionLines { lines, is_lost: false }))
    }

    /// Takes the next line, which must be this one of `rows.csv`.
    fn expect(
        &mut self,
        row: &[u8],
        row_number: u64,
        files: &mut BagFiles<'_>,
        totals: &mut BagTotals,
        findings: &mut Findings,
    ) -> anyhow::Result<()> {
        if self.is_lost {
            return Ok(());
        }
        let path = self.lines.path().to_owned();
        let next = next_after_header(&mut self.lines, files, totals, findings)?;
        if next.is_none_or(|(line, _)| line != row) {
            let what = format!("line {row_number} of data/rows.csv does not follow here");
            match next {
                Some((_, number)) => findings.line(&path, number, what),
                None => findings.file(&path, what),
            }
            self.is_lost = true;
        }
        Ok(())
    }

    /// Reads what is left.
    fn finish(
        mut self,
        files: &mut BagFiles<'_>,
        totals: &mut BagTotals,
        findings: &mut Findings,
    ) -> anyhow::Result<()> {
        let path = self.lines.path().to_owned();
        while let Some((_, number)) = next_after_header(&mut self.lines, files, totals, findings)? {
            if !self.is_lost {
                findings.line(&path, number, "is not a line of data/rows.csv that belongs here");
                self.is_lost = true;
            }
        }
        files.close(self.lines);
        Ok(())
    }
}

/// The next line behind the header.
fn next_after_header<'a>(
    lines: &'a mut HashedLines,
    files: &mut BagFiles<'_>,
    totals: &mut BagTotals,
    findings: &mut Findings,
) -> anyhow::Result<Option<(&'a [u8], u64)>> {
    if lines.is_at_beginning() {
        let path = lines.path().to_owned();
        let header = lines.next_line()?;
        files.add(header.map_or(0, |(line, _)| line.len()));
        if header.is_none_or(|(line, _)| line != AuditTable::Exceptions.header().as_bytes()) {
            findings.line(&path, 1, "is not the header of this table");
        }
    }
    let next = lines.next_line()?;
    if let Some((line, _)) = next {
        files.add(line.len());
        totals.add_line(AuditTable::Exceptions);
    }
    Ok(next)
}
