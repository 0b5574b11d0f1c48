//! Writes a bag.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::data_package::data_package;
use super::folder::{BagFile, BagFolder};
use super::info::{BAGIT, bag_info};
use super::load_sql::load_sql;
use super::run_line::{RunLine, RunTotals};
use super::source::{BagOptions, BagSource, BaggedRun, BaggedSeal, SealedBlocks};
use super::totals::{BagTotals, is_exception};
use crate::audit::block_digest::BlockDigest;
use crate::audit::record_lines::RunLines;
use crate::audit::run_digest::{BlockedLines, RunDigests};
use crate::audit::seal::Seal;
use crate::audit::tables::AuditTable;
use crate::hash::Digest;
use crate::model::Counts;

/// How to verify the bag with stock tools.
const VERIFY: &str = include_str!("VERIFY.md");

/// The manifest of the files that are not payload. It can be signed.
const TAG_MANIFEST: &str = "tagmanifest-sha256.txt";

/// A bag that is complete but has not got its name.
pub struct UnpublishedBag {
    folder: BagFolder,
    written: WrittenBag,
}

/// What was written into a bag.
#[derive(Debug, Clone)]
pub struct WrittenBag {
    /// What its lines add up to.
    pub totals: BagTotals,
    /// The runs that have no seal.
    pub unsealed: Vec<String>,
    /// Where the ledger differs from its seals, as sentences. The bag shows the same.
    pub differences: Vec<String>,
    /// The digest of the payload's manifest. It is the same for every export of the same runs.
    pub manifest: Digest,
}

impl UnpublishedBag {
    /// What was written.
    pub fn written(&self) -> &WrittenBag {
        &self.written
    }

    /// The file to sign. The signature stands beside it, under its name with `.sig` behind.
    pub fn tag_manifest(&self) -> PathBuf {
        self.folder.path().join(TAG_MANIFEST)
    }

    /// Makes the bag durable and gives it its name.
    ///
    /// # Errors
    /// If something has taken the name meanwhile, or the disk fails. Then nothing is left.
    pub fn publish(self) -> anyhow::Result<(PathBuf, WrittenBag)> {
        Ok((self.folder.publish()?, self.written))
    }
}

/// Writes a bag beside `target`, under a hidden name.
///
/// # Errors
/// If something exists at `target`, or the ledger or the disk fails. Then nothing is left.
pub fn write_bag(
    source: &mut dyn BagSource,
    target: &Path,
    options: &BagOptions,
) -> anyhow::Result<UnpublishedBag> {
    let folder = BagFolder::create(target)?;
    let shown = || format!("the export to {} failed; nothing of it is left", target.display());
    write(source, folder, options).with_context(shown)
}

fn write(
    source: &mut dyn BagSource,
    mut folder: BagFolder,
    options: &BagOptions,
) -> anyhow::Result<UnpublishedBag> {
    let runs = source.runs()?;
    let mut seen = BTreeSet::new();
    if let Some(twice) = runs.iter().find(|run| !seen.insert(&run.opened.id)) {
        bail!("run {} is named twice: name each run once", twice.opened.id);
    }
    let mut differences = Vec::new();
    let mut totals = BagTotals { ledger: source.ledger()?, ..BagTotals::default() };
    let seals = write_seals(source, &runs, &mut folder, &mut totals, &mut differences)?;

    let mut tables = TableFiles::create(&folder)?;
    let mut unsealed = Vec::new();
    for run in &runs {
        let digests = tables.write_run(source, run, &mut totals)?;
        let sealed = run.seal.and_then(|number| seals.get(&number));
        match sealed {
            Some(sealed) => {
                let before = differences.len();
                sealed.compare(&digests, &mut differences);
                let found = differences.iter_mut().skip(before);
                found.for_each(|found| *found = format!("run {}: {found}", run.opened.id));
            }
            None => unsealed.push(run.opened.id.clone()),
        }
        tables.write_run_line(run, sealed, &digests)?;
        totals.add_line(AuditTable::Runs);
    }
    write_configurations(source, &runs, &seals, &mut folder)?;
    tables.close(&mut folder)?;
    for run in &runs {
        let id = &run.opened.id;
        if let Some(page) = source.report(id)? {
            folder.add(&format!("data/report-{id}.html"), page.as_bytes())?;
        }
    }
    folder.add("data/load.sql", load_sql().as_bytes())?;
    let described = AuditTable::ALL.map(|table| (table, path(table)));
    let described: Vec<_> = described
        .iter()
        .filter_map(|(table, path)| {
            let mut files = folder.files(true);
            files.find(|(file, _)| file == path).map(|(_, entry)| (*table, entry))
        })
        .collect();
    folder.add("data/datapackage.json", data_package(&described).as_bytes())?;
    let manifest = write_tags(&mut folder, options, &totals)?;
    Ok(UnpublishedBag { folder, written: WrittenBag { totals, unsealed, differences, manifest } })
}

/// Writes what is not payload. Returns the digest of the payload's manifest.
fn write_tags(
    folder: &mut BagFolder,
    options: &BagOptions,
    totals: &BagTotals,
) -> anyhow::Result<Digest> {
    let (bytes, files) = folder
        .files(true)
        .fold((0, 0), |(bytes, files), (_, entry)| (bytes + entry.bytes, files + 1));
    folder.add("bagit.txt", BAGIT.as_bytes())?;
    folder.add("bag-info.txt", bag_info(options, totals, bytes, files).as_bytes())?;
    folder.add("VERIFY.md", VERIFY.as_bytes())?;
    let manifest = folder.manifest(true);
    folder.add("manifest-sha256.txt", manifest.as_bytes())?;
    let tags = folder.manifest(false);
    folder.add(TAG_MANIFEST, tags.as_bytes())?;
    Ok(Digest::new(manifest))
}

/// The seal that covers an exported run.
struct CoveringSeal {
    seal: Seal,
    blocks: Option<SealedBlocks>,
}

/// Writes every seal with its receipt. Returns the seals that cover the exported runs, by number.
fn write_seals(
    source: &mut dyn BagSource,
    runs: &[BaggedRun],
    folder: &mut BagFolder,
    totals: &mut BagTotals,
    differences: &mut Vec<String>,
) -> anyhow::Result<BTreeMap<u64, CoveringSeal>> {
    let covering: BTreeSet<(u64, &str)> =
        runs.iter().filter_map(|run| Some((run.seal?, run.opened.id.as_str()))).collect();
    let mut kept = BTreeMap::new();
    let mut previous = Digest::ZERO;
    source.seals(&mut |stored: BaggedSeal| {
        let number = stored.number;
        folder.add(&format!("data/seals/{number:06}.seal"), stored.text.as_bytes())?;
        if let Some(receipt) = &stored.receipt {
            folder.add(&format!("data/receipts/{number:06}"), receipt)?;
        }
        match stored.text.parse::<Seal>() {
            Ok(seal) => {
                if seal.number != number || seal.previous != previous {
                    differences.push(format!("the chain of seals breaks at seal {number}"));
                }
                if covering.contains(&(number, seal.run.as_str())) {
                    kept.insert(number, CoveringSeal { seal, blocks: stored.blocks });
                }
            }
            Err(cause) => differences.push(format!("seal {number} was changed: {cause}")),
        }
        previous = Digest::new(&stored.text);
        totals.head = Some((number, previous));
        Ok(())
    })?;
    for (number, CoveringSeal { blocks, .. }) in &kept {
        let Some(SealedBlocks { rows, attempts, events }) = blocks else { continue };
        for (table, list) in [("rows", rows), ("attempts", attempts), ("events", events)] {
            let path = format!("data/blocks/{number:06}-{table}.txt");
            folder.add(&path, list.to_text().as_bytes())?;
        }
    }
    Ok(kept)
}

impl CoveringSeal {
    /// Adds a sentence for each table that is not as it was sealed.
    fn compare(&self, digests: &RunDigests, differences: &mut Vec<String>) {
        let Self { seal, blocks } = self;
        let blocks = blocks.as_ref();
        for (table, sealed, now, list) in [
            (AuditTable::Rows, seal.rows, &digests.rows, blocks.map(|blocks| &blocks.rows)),
            (
                AuditTable::Attempts,
                seal.attempts,
                &digests.attempts,
                blocks.map(|blocks| &blocks.attempts),
            ),
            (AuditTable::Events, seal.events, &digests.events, blocks.map(|blocks| &blocks.events)),
        ] {
            if now.sealed() == sealed {
                continue;
            }
            let block = list.and_then(|list| list.differing(&now.blocks).next());
            let place =
                block.map_or_else(String::new, |block| format!(", first in block {}", block + 1));
            differences.push(format!(
                "its {} are not those of seal {}: {} lines were sealed, {} are recorded{place}",
                table.name(),
                seal.number,
                sealed.lines,
                now.lines
            ));
        }
        if !seal.has_counts(&digests.counts) {
            differences.push(format!("its rows by status are not those of seal {}", seal.number));
        }
    }
}

/// Writes the configuration of every start, each once.
fn write_configurations(
    source: &mut dyn BagSource,
    runs: &[BaggedRun],
    seals: &BTreeMap<u64, CoveringSeal>,
    folder: &mut BagFolder,
) -> anyhow::Result<()> {
    let starts = runs.iter().flat_map(|run| &run.starts);
    let mut digests: BTreeSet<String> =
        starts.filter_map(|start| start.configuration.clone()).collect();
    let sealed = seals.values().filter_map(|sealed| sealed.seal.configuration);
    digests.extend(sealed.map(|digest| digest.to_string()));
    for digest in digests {
        // A digest is the name of a file here, and it comes from the ledger.
        let Ok(name) = digest.parse::<Digest>() else { continue };
        if let Some(text) = source.configuration(&digest)? {
            folder.add(&format!("data/configuration/{name}.toml"), text.as_bytes())?;
        }
    }
    Ok(())
}

/// Where a table is in a bag.
fn path(table: AuditTable) -> String {
    format!("data/{}.csv", table.name())
}

/// The files of the tables, which are all written at once.
struct TableFiles {
    runs: BagFile,
    rows: BagFile,
    attempts: BagFile,
    events: BagFile,
    exceptions: BagFile,
}

impl TableFiles {
    fn create(folder: &BagFolder) -> anyhow::Result<TableFiles> {
        let create = |table: AuditTable| -> anyhow::Result<BagFile> {
            let mut file = folder.create_file(&path(table))?;
            file.write(table.header().as_bytes())?;
            Ok(file)
        };
        Ok(TableFiles {
            runs: create(AuditTable::Runs)?,
            rows: create(AuditTable::Rows)?,
            attempts: create(AuditTable::Attempts)?,
            events: create(AuditTable::Events)?,
            exceptions: create(AuditTable::Exceptions)?,
        })
    }

    /// Writes the lines of a run, but for its own line in `runs.csv`.
    fn write_run(
        &mut self,
        source: &mut dyn BagSource,
        run: &BaggedRun,
        totals: &mut BagTotals,
    ) -> anyhow::Result<RunDigests> {
        let id = &run.opened.id;
        let mut lines = RunLines::new(id, &run.opened.endpoint, &run.starts);
        let [mut rows, mut attempts] = [(); 2].map(|()| BlockDigest::in_background());
        let mut events = BlockDigest::default();
        let mut counts = Counts::default();
        source.rows_with_attempts(id, &mut |row, made| {
            let line = lines.row(row);
            self.rows.write(line)?;
            rows.add_line(line);
            totals.add_line(AuditTable::Rows);
            if is_exception(row.status) {
                self.exceptions.write(line)?;
                totals.add_line(AuditTable::Exceptions);
            }
            counts.add_row(row.status, row.doubt);
            totals.add_order(row.order);
            for attempt in made {
                let line = lines.attempt(attempt);
                self.attempts.write(line)?;
                attempts.add_line(line);
                totals.add_line(AuditTable::Attempts);
            }
            Ok(())
        })?;
        for event in source.events(id)? {
            let line = lines.event(&event);
            self.events.write(line)?;
            events.add_line(line);
            totals.add_line(AuditTable::Events);
        }
        totals.counts = totals.counts.plus(counts);
        let [rows, attempts, events] = [rows, attempts, events].map(BlockedLines::from);
        Ok(RunDigests { rows, attempts, events, attempts_before: None, counts })
    }

    fn write_run_line(
        &mut self,
        run: &BaggedRun,
        sealed: Option<&CoveringSeal>,
        digests: &RunDigests,
    ) -> anyhow::Result<()> {
        let opened = &run.opened;
        let line = match sealed {
            Some(CoveringSeal { seal, .. }) => {
                RunLine::sealed(seal, &opened.command, &opened.endpoint, &opened.program)
            }
            None => RunLine::unsealed(run),
        };
        let totals = RunTotals {
            rows: digests.rows.lines,
            attempts: digests.attempts.lines,
            events: digests.events.lines,
            counts: digests.counts,
        };
        self.runs.write(&line.format(&totals))?;
        Ok(())
    }

    fn close(self, folder: &mut BagFolder) -> anyhow::Result<()> {
        for file in [self.runs, self.rows, self.attempts, self.events, self.exceptions] {
            folder.close(file)?;
        }
        Ok(())
    }
}
