//! Creates a file that gets its name once it is complete, and replaces no other file.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A private temporary file in the folder of `path`.
pub(super) fn begin(path: &Path) -> io::Result<NamedTempFile> {
    if path.file_name().is_none() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err(ErrorKind::IsADirectory.into());
    }
    tempfile::Builder::new().prefix(".cardcancel-new-").tempfile_in(folder_of(path)?)
}

/// Syncs the file and gives it its name. Returns false if the name is in use.
pub(super) fn put_in_place(new: NamedTempFile, path: &Path) -> io::Result<bool> {
    new.as_file().sync_all()?;
    match new.persist_noclobber(path) {
        Ok(_) => {
            // A new name survives a power failure only once its folder is synced.
            File::open(folder_of(path)?)?.sync_all()?;
            Ok(true)
        }
        Err(there) if there.error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(failed) => Err(failed.error),
    }
}

/// The canonical folder of `path`: SQLite interprets some relative paths as URIs.
pub(super) fn folder_of(path: &Path) -> io::Result<PathBuf> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    std::fs::canonicalize(folder.unwrap_or(Path::new(".")))
}
