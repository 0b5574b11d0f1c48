//! Verifies an export from its bytes alone: nothing that the export says of itself is believed.
//!
//! 1. The manifests are read strictly, and held against the folder both ways.
//! 2. The chain of seals is read from number 1.
//! 3. Each table is read once, line by line: the digest of the file, the digests of each run's
//!    blocks, the order of the lines, and the totals are computed in the same pass.
//! 4. Each run is held against its seal, each line of `runs.csv` against both, `exceptions.csv`
//!    against `rows.csv`, the totals against `bag-info.txt`.
//!
//! Whoever can make seals anew passes all of this, as does a bag whose newest runs were cut off:
//! only a head that was kept elsewhere shows it. [`BagVerdict`] has what to compare with one.

mod bag_path;
mod files;
mod finding;
mod manifest;
mod run_lines;
mod seal_chain;
mod table_lines;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::bag::{BAGIT, BagTotals, RunLine, RunTotals};
use super::block_digest::{BlockList, LINES_PER_BLOCK};
use super::seal::{Seal, SealedLines, SealedState};
use super::tables::AuditTable;
use crate::hash::Digest;
use bag_path::{
    MANIFEST, SIGNATURE, TAG_FILES, TAG_MANIFEST, blocks_path, payload_files, seal_path, table_path,
};
use files::BagFiles;
pub use files::ReadProgress;
pub use finding::BagFinding;
use finding::Findings;
use manifest::{Listed, read_manifest};
use run_lines::{ListedRun, read_runs};
use seal_chain::SealChain;
use table_lines::{LinesOfRun, read_table};

/// What was found of a bag.
#[derive(Debug, Clone)]
pub struct BagVerdict {
    /// What is wrong. If it is empty, the bag is whole, and its sealed runs are as they were
    /// sealed.
    pub findings: Vec<BagFinding>,
    /// How many findings there are beyond those.
    pub more_findings: u64,
    /// What the lines add up to. The head in it is the bag's newest seal.
    pub totals: BagTotals,
    /// The digest of each seal, from number 1, to be compared with a witness.
    pub seals: Vec<Digest>,
    /// The runs that have no seal, or went on since: nothing shows whether their lines have
    /// changed.
    pub unsealed: Vec<String>,
    /// The digest of the seal of each run whose lines are as that seal states, by the run.
    pub sealed: BTreeMap<String, Digest>,
    /// The digest of manifest-sha256.txt.
    pub manifest: Digest,
    /// The bytes that a signature is over, as they were read.
    pub tag_manifest: Vec<u8>,
    /// Whether there is a signature, which
    /// [`verify_signature`](crate::audit::signature::verify_signature) verifies.
    pub has_signature: bool,
}

/// The longest manifest, which has a line for each seal.
const LONGEST_MANIFEST: u64 = 1 << 27;

/// The longest of the small files.
const LONGEST_TAG_FILE: u64 = 1 << 20;

/// Verifies the bag in a folder.
///
/// # Errors
/// If it cannot be checked: the folder or a file in it cannot be read.
pub fn verify_bag(folder: &Path, progress: ReadProgress<'_>) -> anyhow::Result<BagVerdict> {
    let mut findings = Findings::default();
    let mut files = BagFiles::list(folder, &mut findings, progress)?;
    let tag_manifest = files.read(TAG_MANIFEST, LONGEST_MANIFEST)?.unwrap_or_default();
    let tags = read_manifest(TAG_MANIFEST, &tag_manifest, false, &mut findings);
    let manifest = files.read(MANIFEST, LONGEST_MANIFEST)?.unwrap_or_default();
    let payload = read_manifest(MANIFEST, &manifest, true, &mut findings);
    check_files(&files, &tags, &payload, &mut findings);

    let runs = read_runs(&mut files, &mut findings)?;
    let ids: BTreeSet<&str> = runs.iter().map(|run| run.id.as_str()).collect();
    let chain = SealChain::read(&mut files, &ids, &mut findings)?;
    let mut totals = BagTotals { head: chain.head(), ..BagTotals::default() };
    runs.iter().for_each(|_| totals.add_line(AuditTable::Runs));
    let mut read = Vec::new();
    for table in SEALED_TABLES {
        read.push(read_table(table, &mut files, &runs, &mut totals, &mut findings)?);
    }
    let (mut unsealed, mut sealed) = (Vec::new(), BTreeMap::new());
    for (at, run) in runs.iter().enumerate() {
        let lines: Vec<&LinesOfRun> = read.iter().filter_map(|table| table.get(at)).collect();
        let seal = chain.newest.get(&run.id);
        check_run(run, seal, &lines, &mut files, &mut findings)?;
        totals.counts = lines.iter().fold(totals.counts, |sum, lines| sum.plus(lines.counts));
        match seal {
            Some(seal) if !has_gone_on(run, seal) => {
                let digest = usize::try_from(seal.number).ok().and_then(|n| n.checked_sub(1));
                let digest = digest.and_then(|at| chain.digests.get(at));
                sealed.extend(digest.map(|digest| (run.id.clone(), *digest)));
            }
            _ => unsealed.push(run.id.clone()),
        }
    }
    check_configurations(&runs, &mut files, &mut findings)?;
    check_receipts(&files, &chain, &mut findings);
    check_info(&mut files, &chain, &mut totals, &mut findings)?;
    check_digests(&mut files, &tags, &payload, &mut findings)?;
    let Findings { kept, more } = findings;
    Ok(BagVerdict {
        findings: kept,
        more_findings: more,
        totals,
        seals: chain.digests,
        unsealed,
        sealed,
        manifest: Digest::new(&manifest),
        tag_manifest,
        has_signature: files.sizes.contains_key(SIGNATURE),
    })
}

/// The tables that a seal covers, in its order.
const SEALED_TABLES: [AuditTable; 3] = [AuditTable::Rows, AuditTable::Attempts, AuditTable::Events];

/// Holds the list of files against the manifests, both ways.
fn check_files(files: &BagFiles<'_>, tags: &Listed, payload: &Listed, findings: &mut Findings) {
    for path in files.sizes.keys() {
        let is_listed = tags.contains_key(path) || payload.contains_key(path);
        if !is_listed && path != TAG_MANIFEST && path != SIGNATURE {
            findings.file(path, "is in no manifest");
        }
    }
    let listed = tags.keys().chain(payload.keys());
    for path in listed.filter(|path| !files.sizes.contains_key(*path)) {
        findings.file(path, "is missing, and a manifest lists it");
    }
    for (manifest, listed, needed) in [
        (TAG_MANIFEST, tags, TAG_FILES.map(str::to_owned).to_vec()),
        (MANIFEST, payload, payload_files()),
    ] {
        if !files.sizes.contains_key(manifest) {
            findings.file(manifest, "is missing");
        }
        for path in needed.iter().filter(|path| !listed.contains_key(*path)) {
            findings.file(manifest, format!("does not list {path}"));
        }
    }
}

/// Reads the files that nothing has read yet, and compares all digests with the manifests.
fn check_digests(
    files: &mut BagFiles<'_>,
    tags: &Listed,
    payload: &Listed,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    for (manifest, listed) in [(TAG_MANIFEST, tags), (MANIFEST, payload)] {
        for (path, (digest, line)) in listed {
            if !files.sizes.contains_key(path) {
                continue;
            }
            if !files.digests.contains_key(path) {
                files.digest(path)?;
            }
            if files.digests.get(path) != Some(digest) {
                let what =
                    format!("was changed: its digest is not that of {manifest}, line {line}");
                findings.file(path, what);
            }
        }
    }
    Ok(())
}

/// Whether a run has gone on since its newest seal. One that ended never does.
fn has_gone_on(run: &ListedRun, seal: &Seal) -> bool {
    run.seal.is_none() && seal.state != SealedState::Ended
}

/// Holds a run against its seal, and its line in `runs.csv` against both.
fn check_run(
    run: &ListedRun,
    seal: Option<&Seal>,
    lines: &[&LinesOfRun],
    files: &mut BagFiles<'_>,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let runs = table_path(AuditTable::Runs);
    let [rows, attempts, events] = lines else { return Ok(()) };
    let totals = RunTotals {
        rows: rows.lines.lines,
        attempts: attempts.lines.lines,
        events: events.lines.lines,
        counts: rows.counts,
    };
    if run.numbers != totals.fields() {
        let what = format!("run {}: its numbers are not those of its lines", run.id);
        findings.line(&runs, run.number, what);
    }
    let Some(seal) = seal.filter(|seal| !has_gone_on(run, seal)) else {
        if let Some(number) = run.seal {
            let what = format!("run {}: {} is not a seal of it", run.id, seal_path(number));
            findings.line(&runs, run.number, what);
        }
        return Ok(());
    };
    let expected = RunLine::sealed(seal, &run.command, &run.endpoint, &run.program);
    if expected.format(&totals) != run.line {
        let seal = seal_path(seal.number);
        findings.line(&runs, run.number, format!("run {}: is not as {seal} states", run.id));
    }
    if attempts.endpoint.as_ref().is_some_and(|endpoint| *endpoint != run.endpoint) {
        let what = format!("run {}: its endpoint is not that of its attempts", run.id);
        findings.line(&runs, run.number, what);
    }
    if !seal.has_counts(&rows.counts) {
        let what = format!("run {}: its rows by status are not those of its seal", run.id);
        findings.file(&table_path(AuditTable::Rows), what);
    }
    let sealed = [seal.rows, seal.attempts, seal.events];
    for ((table, sealed), lines) in
        SEALED_TABLES.into_iter().zip(sealed).zip([rows, attempts, events])
    {
        check_lines(run, seal, table, sealed, lines, files, findings)?;
    }
    Ok(())
}

/// Holds the lines of a run in a table against its seal, and names the blocks that changed.
fn check_lines(
    run: &ListedRun,
    seal: &Seal,
    table: AuditTable,
    sealed: SealedLines,
    lines: &LinesOfRun,
    files: &mut BagFiles<'_>,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let path = blocks_path(seal.number, table);
    let list = files.read(&path, LONGEST_MANIFEST)?;
    let list = list.map(|text| String::from_utf8_lossy(&text).parse::<BlockList>());
    let blocks = match list {
        Some(Ok(list)) if list.digest() == sealed.digest => Some(list),
        Some(_) => {
            findings
                .file(&path, format!("is not the list of blocks that seal {} has", seal.number));
            None
        }
        None => None,
    };
    if lines.lines.sealed() == sealed {
        return Ok(());
    }
    let file = table_path(table);
    let counts = if lines.lines.lines == sealed.lines {
        String::new()
    } else {
        format!(": {} lines were sealed, {} are there", sealed.lines, lines.lines.lines)
    };
    let what = format!("run {}: its lines are not those of seal {}{counts}", run.id, seal.number);
    let Some(blocks) = blocks else {
        findings.file(&file, what);
        return Ok(());
    };
    for block in blocks.differing(&lines.lines.blocks) {
        let first = lines.first_line.max(2) + block as u64 * LINES_PER_BLOCK;
        let last = first + LINES_PER_BLOCK - 1;
        let block = block + 1;
        findings.line(
            &file,
            first,
            format!("{what}; block {block}, up to line {last}, was changed"),
        );
    }
    Ok(())
}

/// Configurations are named by their digests, and each run's is there.
fn check_configurations(
    runs: &[ListedRun],
    files: &mut BagFiles<'_>,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let folder = "data/configuration/";
    let there: Vec<String> =
        files.sizes.keys().filter(|path| path.starts_with(folder)).cloned().collect();
    for path in there {
        files.digest(&path)?;
        let digest = files.digests.get(&path);
        if digest.is_none_or(|digest| path != format!("{folder}{digest}.toml")) {
            findings.file(&path, "was changed: its name is not its digest");
        }
    }
    for run in runs.iter().filter(|run| !run.configuration.is_empty()) {
        let path = format!("{folder}{}.toml", run.configuration);
        if !files.sizes.contains_key(&path) {
            let what = format!("run {}: its configuration is not in the export", run.id);
            findings.line(&table_path(AuditTable::Runs), run.number, what);
        }
    }
    Ok(())
}

/// Each receipt is one for a seal.
fn check_receipts(files: &BagFiles<'_>, chain: &SealChain, findings: &mut Findings) {
    for path in files.sizes.keys() {
        let Some(number) = path.strip_prefix("data/receipts/") else { continue };
        let number = number.parse::<usize>().unwrap_or(usize::MAX);
        if number > chain.digests.len() {
            findings.file(path, "there is no seal with this number");
        }
    }
}

/// Holds `bagit.txt` and the control totals of `bag-info.txt` against what was read.
fn check_info(
    files: &mut BagFiles<'_>,
    chain: &SealChain,
    totals: &mut BagTotals,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let bagit = files.read("bagit.txt", LONGEST_TAG_FILE)?.unwrap_or_default();
    if bagit != BAGIT.as_bytes() {
        findings.file("bagit.txt", "is not the declaration of a bag");
    }
    let path = "bag-info.txt";
    let info = files.read(path, LONGEST_TAG_FILE)?.unwrap_or_default();
    let info = String::from_utf8_lossy(&info).into_owned();
    let value = |label: &str| {
        let mut lines = info.lines().zip(1..);
        lines.find_map(|(line, number)| {
            Some((line.strip_prefix(label)?.strip_prefix(": ")?, number))
        })
    };
    totals.ledger = value("External-Identifier").map(|(id, _)| id.to_owned()).unwrap_or_default();
    let payload = files.sizes.iter().filter(|(path, _)| path.starts_with("data/"));
    let (bytes, count) =
        payload.fold((0, 0), |(bytes, count), (_, size)| (bytes + size, count + 1));
    let mut labels = totals.labels();
    labels.push(("Payload-Oxum", format!("{bytes}.{count}")));
    labels.extend(chain.ledger.clone().map(|ledger| ("External-Identifier", ledger)));
    for (label, counted) in labels {
        match value(label) {
            Some((stated, number)) if stated.trim_end() != counted => {
                let what = format!("{label} is {counted} by the files, and not {stated:?}");
                findings.line(path, number, what);
            }
            Some(_) => {}
            None => findings.file(path, format!("{label} is missing")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
