//! The lock on a run, which the system releases when the process dies.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use crate::{private_file, process};

/// This process's lock on a run. Dropping it releases the lock.
#[derive(Debug)]
pub struct RunLock {
    _file: Option<LockFile>,
}

/// A lock file that this process has locked.
#[derive(Debug)]
struct LockFile {
    path: PathBuf,
    _lock: File,
}

/// How long a process that only checks the lock may hold it, and how often that is waited for.
const LOOKED_AT: Duration = Duration::from_millis(20);
const TRIES: u32 = 5;

impl RunLock {
    /// For a shared ledger, where no process locks a run.
    pub(super) fn shared() -> RunLock {
        RunLock { _file: None }
    }

    /// Locks the file at `path`. The inner error describes the process that holds it.
    pub(super) fn lock(path: &Path) -> io::Result<Result<RunLock, String>> {
        let mut tries = 0;
        loop {
            let mut lock = open(path)?;
            match lock.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) if tries < TRIES => {
                    tries += 1;
                    std::thread::sleep(LOOKED_AT);
                    continue;
                }
                Err(TryLockError::WouldBlock) => return Ok(Err(holder(&mut lock))),
                Err(TryLockError::Error(cause)) => return Err(cause),
            }
            // The previous holder removes the file when it ends, and a lock on a removed file
            // excludes nobody.
            if is_still_at(&lock, path) {
                lock.set_len(0)?;
                lock.write_all(introduction().as_bytes())?;
                let file = LockFile { path: path.to_owned(), _lock: lock };
                return Ok(Ok(RunLock { _file: Some(file) }));
            }
        }
    }

    /// Whether a living process has locked the file at `path`.
    pub(super) fn is_locked(path: &Path) -> io::Result<bool> {
        let lock = private_file::open_options().read(true).open(path);
        match lock.map(|lock| lock.try_lock_shared()) {
            Ok(Ok(())) => Ok(false),
            Ok(Err(TryLockError::WouldBlock)) => Ok(true),
            Err(absent) if absent.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(denied) if denied.kind() == io::ErrorKind::PermissionDenied => is_listed(path),
            Ok(Err(TryLockError::Error(cause))) | Err(cause) => Err(cause),
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    private_file::open_options().read(true).write(true).create(true).truncate(false).open(path)
}

/// Whether the kernel lists a lock on a file that this user may not open.
fn is_listed(path: &Path) -> io::Result<bool> {
    let inode = std::fs::metadata(path)?.ino();
    Ok(has_lock_on(&std::fs::read_to_string("/proc/locks")?, inode))
}

/// Whether a list of locks as in `/proc/locks` has one of ours on this inode. The device is not
/// compared: for some file systems, it is not that of the file's metadata.
fn has_lock_on(locks: &str, inode: u64) -> bool {
    locks.lines().any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, _, _, file, ..] = fields[..] else { return false };
        file.rsplit(':').next() == Some(&inode.to_string())
    })
}

impl Drop for LockFile {
    fn drop(&mut self) {
        // The lock is still held, so this cannot be another process's file.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn is_still_at(lock: &File, path: &Path) -> bool {
    match (lock.metadata(), std::fs::metadata(path)) {
        (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

fn introduction() -> String {
    let host = process::host();
    let since = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ");
    format!("process {} on {host} since {since}", std::process::id())
}

fn holder(lock: &mut File) -> String {
    let mut text = String::new();
    match lock.rewind().and_then(|()| lock.read_to_string(&mut text)) {
        Ok(_) if !text.is_empty() => text,
        _ => "another process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_found_in_the_kernels_list() {
        let locks = "1: POSIX  ADVISORY  READ 812 08:01:131 128 128\n\
            2: FLOCK  ADVISORY  WRITE 708 00:17:1043 0 EOF\n2: -> FLOCK  ADVISORY  WRITE 9 00:17:77 0 EOF\n";
        assert!(has_lock_on(locks, 1043));
        assert!(!has_lock_on(locks, 131) && !has_lock_on(locks, 77) && !has_lock_on(locks, 43));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let lock = RunLock::lock(&path).unwrap().unwrap();
        assert!(is_listed(&path).unwrap() && RunLock::is_locked(&path).unwrap());
        drop(lock);
        std::fs::write(&path, "").unwrap();
        assert!(!is_listed(&path).unwrap() && !RunLock::is_locked(&path).unwrap());
    }
}
