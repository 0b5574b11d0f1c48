//! The results file: the input's columns, in their order, then ours. One line
//! for every row, in input order, written whole or not at all.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use tempfile::NamedTempFile;

use super::background_writer::write_in_background;
use super::hashing_writer::HashingWriter;
use super::results_writer::{Misnamed, ResultsInput, RowTally, write_lines};
use super::row_prefetch::RowObserver;
use super::temp_file::{create_temp_file, names_folder, sync_folder};
use crate::ledger::Ledger;
use crate::model::Counts;

/// A results file that is about to be written. Its temporary file is created beside its
/// final path before anything is sent, so that a run cannot end in "permission denied".
#[derive(Debug)]
pub struct ResultsFile {
    path: PathBuf,
    /// Where it is put if another run has put a file at the path meanwhile.
    others: Vec<PathBuf>,
    temp_file: NamedTempFile,
    replace: Replace,
}

/// A results file that is complete.
#[derive(Debug)]
pub struct WrittenResults {
    /// Where it is.
    pub path: PathBuf,
    /// The SHA-256 of its bytes, in hexadecimal.
    pub digest: String,
    /// The rows by status.
    pub counts: Counts,
    /// Of these, the rows that have ended.
    pub ended: Counts,
    /// Whether the last line of the input may be cut short.
    pub may_be_cut_short: bool,
    /// Rows for which the ledger has another order than the input, if there are any.
    pub misnamed: Option<Misnamed>,
    /// Whether the input changed while the run went on; what it was is in the results.
    pub input_changed: bool,
}

impl WrittenResults {
    /// Whether every row in it has ended.
    pub fn have_ended(&self) -> bool {
        self.left() == 0
    }

    /// How many rows have not ended.
    pub fn left(&self) -> u64 {
        self.counts.total().saturating_sub(self.ended.total())
    }
}

/// Which files a run may replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replace {
    /// A file that this program wrote for this run.
    OwnResults,
    /// Any results file in this ledger: rehearsals leave nothing worth keeping.
    AnyResults,
}

impl ResultsFile {
    /// Creates the temporary file for the results at `path`, or, if another run has put a file there
    /// by the time they are complete, at the first of `others`, in the same folder, that is free.
    ///
    /// # Errors
    /// When something else is there and there are no others, or nothing can be written there.
    pub fn create(
        path: PathBuf,
        others: Vec<PathBuf>,
        run: &str,
        replace: Replace,
        ledger: &mut dyn Ledger,
    ) -> anyhow::Result<ResultsFile> {
        if names_folder(&path) {
            let path = path.display();
            bail!("{path} names a folder: name a file in it for the results with -o");
        }
        // One that another run takes meanwhile, even now, is passed over if there are others.
        if others.is_empty() {
            may_replace(&path, run, replace, ledger)?;
        }
        let temp_file = create_temp_file(&path, run).with_context(|| {
            let path = path.display();
            format!("the results cannot be written to {path}: choose another file with -o")
        })?;
        Ok(ResultsFile { path, others, temp_file, replace })
    }

    /// Writes every row of the run, shows each to `observer`, and puts the file in its place.
    ///
    /// # Errors
    /// When the disk fails, or the input is no longer what the run was opened with.
    /// Nothing is lost by that: the same command writes the results again.
    pub fn write(
        self,
        source: &ResultsInput<'_>,
        ledger: &mut dyn Ledger,
        observer: RowObserver<'_>,
    ) -> anyhow::Result<WrittenResults> {
        let (digest, tally) = self.write_to_temp(source, ledger, observer).with_context(|| {
            let path = self.path.display();
            format!("the results could not be written to {path}; the ledger has them all: correct the cause and start the same command again")
        })?;
        let path = self.put_in_place(&digest, source, ledger)?;
        let RowTally { ended, open, may_be_cut_short, misnamed } = tally;
        let counts = ended.plus(open);
        let input_changed = source.input.has_changed();
        Ok(WrittenResults {
            path,
            digest,
            counts,
            ended,
            may_be_cut_short,
            misnamed,
            input_changed,
        })
    }

    /// Gives the file its name. Returns its path.
    fn put_in_place(
        self,
        digest: &str,
        source: &ResultsInput<'_>,
        ledger: &mut dyn Ledger,
    ) -> anyhow::Result<PathBuf> {
        let ResultsFile { mut path, others, mut temp_file, replace } = self;
        let marks = [digest.to_owned(), fingerprint(&temp_file.as_file().metadata()?)];
        let note = |ledger: &mut dyn Ledger, path: &Path| {
            let shown = path.display().to_string();
            marks.iter().try_for_each(|mark| ledger.note_results(source.run, mark, &shown))
        };
        let failed = |path: &Path| format!("the results could not be put at {}", path.display());
        let mut others = others.into_iter();
        // A name that another run could take too is taken only if it is free, which is one step with
        // the taking of it.
        while !others.as_slice().is_empty()
            && !is_replaceable(&path, source.run.id(), replace, ledger)?
        {
            match temp_file.persist_noclobber(&path) {
                Ok(_) => {
                    note(ledger, &path)?;
                    sync_folder(&path).with_context(|| failed(&path))?;
                    return Ok(path);
                }
                Err(taken) if taken.error.kind() == io::ErrorKind::AlreadyExists => {
                    temp_file = taken.file;
                    path = others.next().unwrap_or(path);
                }
                Err(cause) => return Err(cause.error).with_context(|| failed(&path)),
            }
        }
        // Another may have been put there while the run went on.
        may_replace(&path, source.run.id(), replace, ledger)?;
        note(ledger, &path)?;
        temp_file
            .persist(&path)
            .map_err(io::Error::from)
            .and_then(|_| sync_folder(&path))
            .with_context(|| failed(&path))?;
        Ok(path)
    }

    fn write_to_temp(
        &self,
        source: &ResultsInput<'_>,
        ledger: &mut dyn Ledger,
        observer: RowObserver<'_>,
    ) -> anyhow::Result<(String, RowTally)> {
        let file = self.temp_file.as_file();
        let written =
            write_in_background(file, |file| write_lines(source, ledger, observer, file))?;
        source.input.verify()?;
        file.sync_all()?;
        Ok(written)
    }
}

fn may_replace(
    path: &Path,
    run: &str,
    replace: Replace,
    ledger: &mut dyn Ledger,
) -> anyhow::Result<()> {
    match fs::symlink_metadata(path) {
        Err(absent) if absent.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(cause) => {
            return Err(cause).with_context(|| format!("cannot look at {}", path.display()));
        }
        Ok(there) if !there.is_file() => bail!(
            "{} is not a plain file: name another file for the results with -o",
            path.display()
        ),
        Ok(_) => {}
    }
    if is_replaceable(path, run, replace, ledger)? {
        return Ok(());
    }
    bail!(
        "{} already exists and was not written by this run: move it away, or name another file with -o",
        path.display()
    );
}

/// Whether a plain file is at a path that the run may replace.
///
/// # Errors
/// If the file or the ledger cannot be read.
pub fn is_replaceable(
    path: &Path,
    run: &str,
    replace: Replace,
    ledger: &mut dyn Ledger,
) -> anyhow::Result<bool> {
    let Ok(there) = fs::symlink_metadata(path) else { return Ok(false) };
    let ours = |runs: Vec<String>| match replace {
        Replace::OwnResults => runs.iter().any(|id| id == run),
        Replace::AnyResults => !runs.is_empty(),
    };
    // A file that nobody touched since need not be read.
    Ok(there.is_file()
        && (ours(ledger.results_of(&fingerprint(&there))?)
            || ours(ledger.results_of(&digest_of(path)?)?)))
}

/// Identifies a file that nobody has touched since: device, inode, size and time of the
/// last write.
fn fingerprint(file: &Metadata) -> String {
    format!(
        "device {} inode {} size {} written {}.{:09}",
        file.dev(),
        file.ino(),
        file.size(),
        file.mtime(),
        file.mtime_nsec()
    )
}

fn digest_of(path: &Path) -> anyhow::Result<String> {
    let mut hash = HashingWriter::new(io::sink());
    File::open(path)
        .and_then(|mut file| io::copy(&mut file, &mut hash))
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(hash.digest().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Sqlite;

    #[test]
    fn a_name_that_another_run_takes_is_passed_over_where_there_are_others() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Sqlite::open(&folder.path().join("ledger.db")).unwrap();
        let [taken, next] = ["taken.csv", "next.csv"].map(|name| folder.path().join(name));
        fs::write(&taken, "of another run").unwrap();
        let mut create = |others| {
            ResultsFile::create(taken.clone(), others, "run", Replace::OwnResults, &mut ledger)
        };
        assert!(create(vec![next]).is_ok());
        let refused = create(Vec::new()).unwrap_err().to_string();
        assert!(refused.contains("already exists"), "{refused}");
    }
}
