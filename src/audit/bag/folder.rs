//! The folder of a bag while it is written: hidden, and renamed when it is complete.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rustix::fs::{CWD, RenameFlags, renameat_with, syncfs};
use tempfile::TempDir;

use crate::hash::{Digest, Hasher};
use crate::private_file;

/// How the name of a folder ends that is not complete.
const PARTIAL: &str = ".partial";

/// A bag that is being written, beside where it will be.
pub(super) struct BagFolder {
    target: PathBuf,
    folder: TempDir,
    /// Locked, so that no other process takes the folder for one that a killed process left.
    lock: File,
    /// The files written, by their paths in the bag.
    files: BTreeMap<String, BagEntry>,
}

/// A file in a bag.
#[derive(Debug, Clone, Copy)]
pub(super) struct BagEntry {
    pub digest: Digest,
    pub bytes: u64,
}

impl BagFolder {
    /// Creates the hidden folder.
    ///
    /// # Errors
    /// If something exists at `target`, or nothing can be written beside it.
    pub fn create(target: &Path) -> anyhow::Result<BagFolder> {
        let shown = target.display();
        let Some(name) = target.file_name() else {
            bail!("{shown} names no new folder: name one for the export with -o");
        };
        if fs::symlink_metadata(target).is_ok() {
            bail!("{shown} already exists: name another folder for the export with -o");
        }
        let beginning = format!(".{}.", name.to_string_lossy());
        let create = || -> io::Result<BagFolder> {
            let parent = parent(target);
            remove_abandoned(parent, &beginning)?;
            loop {
                let folder = tempfile::Builder::new()
                    .prefix(&beginning)
                    .suffix(PARTIAL)
                    .permissions(fs::Permissions::from_mode(0o700))
                    .tempdir_in(parent)?;
                let lock = File::open(folder.path())?;
                // Another process may have removed it before it was locked.
                if lock.try_lock().is_ok() && folder.path().exists() {
                    let (target, files) = (target.to_owned(), BTreeMap::new());
                    return Ok(BagFolder { target, folder, lock, files });
                }
            }
        };
        create().with_context(|| {
            format!("the export cannot be written to {shown}: name another folder with -o")
        })
    }

    /// Where the files are until the bag is complete.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Creates a file in the bag, and its folder.
    pub fn create_file(&self, path: &str) -> io::Result<BagFile> {
        private_file::create_folder(parent(&self.path().join(path)))?;
        let mut options = private_file::open_options();
        let file = options.write(true).create_new(true).open(self.path().join(path))?;
        let (hasher, buffer) = (Hasher::default(), Vec::with_capacity(2 * BUFFER_BYTES));
        Ok(BagFile { path: path.to_owned(), file, hasher, buffer, bytes: 0 })
    }

    /// Notes a file that is complete, so that a manifest lists it.
    pub fn close(&mut self, file: BagFile) -> io::Result<()> {
        let (path, entry) = file.finish()?;
        self.files.insert(path, entry);
        Ok(())
    }

    /// Writes a whole file.
    pub fn add(&mut self, path: &str, content: &[u8]) -> io::Result<()> {
        let mut file = self.create_file(path)?;
        file.write(content)?;
        self.close(file)
    }

    /// The files of the payload, or the others, by path.
    pub fn files(&self, is_payload: bool) -> impl Iterator<Item = (&str, BagEntry)> {
        let files = self.files.iter().map(|(path, entry)| (path.as_str(), *entry));
        files.filter(move |(path, _)| path.starts_with("data/") == is_payload)
    }

    /// The manifest of the payload, or of the others, as `sha256sum` reads it.
    pub fn manifest(&self, is_payload: bool) -> String {
        let line = |(path, entry): (&str, BagEntry)| format!("{}  {path}\n", entry.digest);
        self.files(is_payload).map(line).collect()
    }

    /// Makes the bag durable and gives it its name.
    ///
    /// # Errors
    /// If something has taken the name meanwhile, or the disk fails.
    pub fn publish(self) -> anyhow::Result<PathBuf> {
        let BagFolder { target, folder, lock, .. } = self;
        let publish = || -> io::Result<()> {
            // One call for thousands of small files and their folders.
            syncfs(&lock)?;
            rename_to_new(folder.path(), &target)?;
            File::open(parent(&target))?.sync_all()
        };
        publish().with_context(|| {
            format!(
                "the export could not be put at {}: name another folder with -o",
                target.display()
            )
        })?;
        // It has another name now.
        let _ = folder.keep();
        Ok(target)
    }
}

/// How many bytes to hash and write at a time.
const BUFFER_BYTES: usize = 1 << 16;

/// A file of a bag that is being written.
pub(super) struct BagFile {
    path: String,
    file: File,
    hasher: Hasher,
    buffer: Vec<u8>,
    bytes: u64,
}

impl BagFile {
    /// Appends bytes.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all(&self.buffer)?;
        self.hasher.update(&self.buffer);
        self.bytes += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<(String, BagEntry)> {
        self.flush()?;
        Ok((self.path, BagEntry { digest: self.hasher.finish(), bytes: self.bytes }))
    }
}

/// Renames without replacing anything, not even an empty folder.
fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            // The file system cannot do it in one step.
            if fs::symlink_metadata(to).is_ok() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            fs::rename(from, to)
        }
        renamed => renamed.map_err(io::Error::from),
    }
}

/// Removes the folders that killed exports to the same target left. They are not locked.
fn remove_abandoned(parent: &Path, beginning: &str) -> io::Result<()> {
    // Where the folder cannot be listed, they stay.
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if !is_folder || !name.starts_with(beginning) || !name.ends_with(PARTIAL) {
            continue;
        }
        let Ok(folder) = File::open(entry.path()) else { continue };
        if !matches!(folder.try_lock(), Err(TryLockError::WouldBlock)) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

fn parent(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}
