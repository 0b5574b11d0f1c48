//! `runs.csv` of a bag.

use super::bag_path::table_path;
use super::files::BagFiles;
use super::finding::Findings;
use crate::audit::tables::AuditTable;

/// The position of columns in `runs.csv`.
const SEAL: usize = 1;
const COMMAND: usize = 4;
const ENDPOINT: usize = 7;
const ROWS: usize = 10;
const CONFIGURATION: usize = 28;
const PROGRAM: usize = 29;

/// A line of `runs.csv`.
pub(super) struct ListedRun {
    /// The number of the line.
    pub number: u64,
    /// The bytes of the line, with its LF.
    pub line: Vec<u8>,
    /// The first field as it is written, which each line of the other tables repeats.
    pub id: String,
    /// The number of its seal.
    pub seal: Option<u64>,
    /// The command, without its guard.
    pub command: String,
    /// The URL, without its guard.
    pub endpoint: String,
    /// The digest of the configuration; empty if it was not recorded.
    pub configuration: String,
    /// The program, without its guard.
    pub program: String,
    /// The fields that count lines and statuses.
    pub numbers: Vec<String>,
}

/// Reads the lines of `runs.csv`.
///
/// # Errors
/// If the file cannot be read.
pub(super) fn read_runs(
    files: &mut BagFiles<'_>,
    findings: &mut Findings,
) -> anyhow::Result<Vec<ListedRun>> {
    let path = table_path(AuditTable::Runs);
    let mut runs: Vec<ListedRun> = Vec::new();
    let Some(mut lines) = files.lines(&path)? else { return Ok(runs) };
    while let Some((line, number)) = lines.next_line()? {
        files.add(line.len());
        if number == 1 {
            if line != AuditTable::Runs.header().as_bytes() {
                findings.line(&path, 1, "is not the header of this table");
            }
            continue;
        }
        match listed_run(line, number) {
            Some(run) if runs.iter().any(|known| known.id == run.id) => {
                findings.line(&path, number, format!("run {} is listed twice", run.id));
            }
            Some(run) => runs.push(run),
            None => findings.line(&path, number, "is not a line of this table"),
        }
    }
    files.close(lines);
    Ok(runs)
}

fn listed_run(line: &[u8], number: u64) -> Option<ListedRun> {
    let text = std::str::from_utf8(line).ok()?;
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line);
    let record = reader.records().next()?.ok()?;
    if record.len() != AuditTable::Runs.columns().len() || !text.ends_with('\n') {
        return None;
    }
    let field = |at: usize| {
        let field = record.get(at)?;
        Some(field.strip_prefix('\'').unwrap_or(field).to_owned())
    };
    let seal = field(SEAL)?;
    let id = text.split(',').next()?.to_owned();
    // Only such a name can stand for a run in the lines of other tables and on a terminal.
    let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if id.is_empty() || !id.bytes().all(is_usual) {
        return None;
    }
    Some(ListedRun {
        number,
        line: line.to_owned(),
        id,
        seal: if seal.is_empty() { None } else { Some(seal.parse().ok()?) },
        command: field(COMMAND)?,
        endpoint: field(ENDPOINT)?,
        configuration: field(CONFIGURATION)?,
        program: field(PROGRAM)?,
        numbers: (ROWS..ROWS + 12).map(field).collect::<Option<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_are_where_they_are_read() {
        for (at, name) in [
            (SEAL, "seal"),
            (COMMAND, "command"),
            (ENDPOINT, "endpoint"),
            (ROWS, "rows"),
            (ROWS + 11, "rejected_with_doubt"),
            (CONFIGURATION, "configuration"),
            (PROGRAM, "program"),
        ] {
            assert_eq!(AuditTable::Runs.columns()[at].name, name);
        }
    }
}
