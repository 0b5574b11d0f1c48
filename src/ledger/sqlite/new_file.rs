//! A file that is whole before it has its name, and takes that of no other.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A private file beside where it is to be.
pub(super) fn begin(path: &Path) -> io::Result<NamedTempFile> {
    if path.file_name().is_none() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err(ErrorKind::IsADirectory.into());
    }
    tempfile::Builder::new().prefix(".cardcancel-new-").tempfile_in(folder_of(path)?)
}

/// Gives it its name once it is on the disk. Whether the name was free.
pub(super) fn put_in_place(new: NamedTempFile, path: &Path) -> io::Result<bool> {
    new.as_file().sync_all()?;
    match new.persist_noclobber(path) {
        Ok(_) => {
            // A name outlives a power cut only once its folder is on the disk.
            File::open(folder_of(path)?)?.sync_all()?;
            Ok(true)
        }
        Err(there) if there.error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(failed) => Err(failed.error),
    }
}

/// The folder that it is in, as an absolute path: SQLite takes some others for URIs.
pub(super) fn folder_of(path: &Path) -> io::Result<PathBuf> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    std::fs::canonicalize(folder.unwrap_or(Path::new(".")))
}
