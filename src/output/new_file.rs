//! A file that appears under its name once it is complete, and replaces nothing.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use tempfile::NamedTempFile;

use super::temp_file::{create_temp_file, names_folder, sync_folder};

/// What the hidden name has in place of a run.
const NEW: &str = "new";

/// A file that is being written under a hidden name.
pub struct NewFile {
    path: PathBuf,
    file: NamedTempFile,
}

impl NewFile {
    /// Begins a file of this name, private to its owner.
    ///
    /// # Errors
    /// If something has the name, or nothing can be written beside it.
    pub fn create(path: &Path) -> anyhow::Result<NewFile> {
        let shown = path.display();
        if names_folder(path) {
            bail!("{shown} names a folder: name a file in it with -o");
        }
        if fs::symlink_metadata(path).is_ok() {
            bail!("{shown} already exists: name another file with -o");
        }
        let file = create_temp_file(path, NEW)
            .with_context(|| format!("{shown} cannot be written: name another file with -o"))?;
        Ok(NewFile { path: path.to_owned(), file })
    }

    /// Where to write.
    pub fn file(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    /// Makes it durable and gives it its name.
    ///
    /// # Errors
    /// If something has taken the name meanwhile, or the disk fails. Then nothing is left.
    pub fn publish(self) -> io::Result<PathBuf> {
        let NewFile { path, file } = self;
        file.as_file().sync_all()?;
        file.persist_noclobber(&path)?;
        sync_folder(&path)?;
        Ok(path)
    }
}
