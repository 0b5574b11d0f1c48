//! Files that appear under their name only once they are complete: they are written beside it, under a
//! hidden name.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use tempfile::NamedTempFile;

use crate::private_file;

/// Whether a path can lead to nothing but a folder, whether it is there or not.
pub fn names_folder(path: &Path) -> bool {
    let bytes = path.as_os_str().as_encoded_bytes();
    path.file_name().is_none() || bytes.ends_with(b"/") || bytes.ends_with(b"/.")
}

/// Creates a temporary file beside a path, one for each process, with `tag` in its name. Removes those
/// of killed processes, which are not locked.
///
/// # Errors
/// If nothing can be written there.
pub fn create_temp_file(path: &Path, tag: &str) -> io::Result<NamedTempFile> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beginning = format!(".{name}.{tag}.");
    let folder = folder_of(path);
    // Where the folder cannot be listed, litter stays.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let other = entry.file_name().to_string_lossy().into_owned();
        if other.starts_with(&beginning) && other.ends_with(PARTIAL) {
            remove_unless_locked(&folder.join(other))?;
        }
    }
    let mut options = private_file::open_options();
    options.write(true).create_new(true);
    loop {
        let file = tempfile::Builder::new()
            .prefix(&beginning)
            .suffix(PARTIAL)
            .make_in(folder, |path| options.open(path))?;
        // Another process may take it for what a killed one left before it is locked.
        if file.as_file().try_lock().is_ok() && is_at(file.as_file(), file.path()) {
            return Ok(file);
        }
    }
}

/// How the name of a temporary file ends.
const PARTIAL: &str = ".partial";

/// Removes what a killed process left, or a trap: a link is removed itself.
fn remove_unless_locked(partial: &Path) -> io::Result<()> {
    let lock = private_file::open_options().write(true).open(partial);
    match lock.map(|file| (file.try_lock(), file)) {
        Ok((Err(TryLockError::WouldBlock), _)) => Ok(()),
        _ => match fs::remove_file(partial) {
            Err(absent) if absent.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        },
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

/// A rename outlives a power cut only once its folder is on the disk.
///
/// # Errors
/// If the disk fails.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}
