//! The identity of the ledger's file. Two names of it must lead to one lock and one write-ahead
//! log, and it must not be removed or replaced while it is used.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statfs, statx};
use rustix::process::geteuid;

use crate::ledger::LedgerError;
use crate::ledger::misplaced::Misplaced;

/// The ledger's file.
#[derive(Debug)]
pub(super) struct SqliteFile {
    /// Its canonical path.
    real: PathBuf,
    device: u64,
    inode: u64,
    owner: u32,
}

/// What changes of a file once a process writes to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileState {
    /// Its size, and when it was last written; `None` if it is not there.
    written: Option<(u64, i64, i64)>,
    /// Whether there is a log beside it that is not empty.
    has_log: bool,
}

impl SqliteFile {
    /// The file to which a path leads.
    ///
    /// # Errors
    /// If it has several hard links, or is itself a mount point: SQLite's other files are beside
    /// the name by which it was opened.
    pub fn at(path: &Path) -> Result<SqliteFile, LedgerError> {
        let name = || path.display().to_string();
        let unopened = |cause| LedgerError::Open { path: name(), cause };
        let real = std::fs::canonicalize(path).map_err(unopened)?;
        let file = std::fs::metadata(&real).map_err(unopened)?;
        if file.nlink() > 1 {
            return Err(Misplaced::Linked { path: name(), links: file.nlink() }.into());
        }
        if is_mounted(&real) {
            return Err(Misplaced::Mounted { path: name() }.into());
        }
        Ok(SqliteFile { real, device: file.dev(), inode: file.ino(), owner: file.uid() })
    }

    /// The canonical path, which is absolute and therefore never interpreted as a URI by SQLite.
    pub fn path(&self) -> &Path {
        &self.real
    }

    /// The folder that contains it.
    pub fn folder(&self) -> &Path {
        self.real.parent().unwrap_or(Path::new("/"))
    }

    /// Whether it belongs to this user.
    pub fn is_own(&self) -> bool {
        geteuid().as_raw() == self.owner
    }

    /// Whether it is in use, or its last process died: then the index of its log is beside it.
    pub fn has_index(&self) -> bool {
        beside(&self.real, "-shm").exists()
    }

    /// Its state now.
    pub fn state(&self) -> FileState {
        let written = std::fs::metadata(&self.real).ok();
        let written = written.map(|file| (file.len(), file.mtime(), file.mtime_nsec()));
        FileState { written, has_log: left_of(&self.real).is_some() }
    }

    /// The write-ahead log beside it.
    pub fn log(&self) -> PathBuf {
        beside(&self.real, "-wal")
    }

    /// Where its content is saved if it is removed while it is used.
    pub fn rescue(&self, at: Timestamp) -> PathBuf {
        beside(&self.real, &at.strftime(".saved-%Y%m%dT%H%M%SZ").to_string())
    }

    /// Whether its path still leads to it.
    pub fn is_there(&self) -> bool {
        std::fs::metadata(&self.real).is_ok_and(|there| {
            (there.dev(), there.ino()) == (self.device, self.inode) && there.nlink() == 1
        })
    }

    /// The lock file of the runs with this key. Its name contains the ledger's inode number,
    /// which is the same whatever the ledger is called.
    pub fn lock(&self, key: &str) -> PathBuf {
        let key = &key[..key.len().min(16)];
        self.real.with_file_name(format!(".cardcancel-{:x}-{key}.lock", self.inode))
    }
}

/// The file with this suffix beside a ledger.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}

/// A log without its ledger, if there is one.
pub(super) fn left_of(path: &Path) -> Option<PathBuf> {
    let left = ["-wal", "-journal"].map(|ending| beside(path, ending));
    // An empty log holds nothing.
    let holds = |left: &PathBuf| std::fs::metadata(left).is_ok_and(|file| file.len() > 0);
    left.into_iter().find(holds)
}

/// Whether a file system is mounted at this path. Returns false on kernels that do not report it.
fn is_mounted(path: &Path) -> bool {
    let found = statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty());
    found.is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

/// Refuses a folder that other machines may have mounted, and warns about one for which that is
/// not known.
///
/// # Errors
/// If the folder is on a network file system.
pub(super) fn refuse_network(folder: &Path, name: &Path) -> Result<(), LedgerError> {
    let Ok(found) = statfs(folder) else { return Ok(()) };
    match kind_of(found.f_type) {
        FileSystemKind::Local => Ok(()),
        FileSystemKind::Network(kind) => {
            Err(Misplaced::Network { path: name.display().to_string(), kind }.into())
        }
        FileSystemKind::Perhaps(kind) => {
            tracing::warn!(
                "the ledger {} is on a file system of the kind {kind}: if other machines mount it too, only one of them may use this ledger at a time",
                name.display()
            );
            Ok(())
        }
    }
}

/// Whether several machines can mount a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileSystemKind {
    Local,
    Network(&'static str),
    /// It depends on the file system behind it.
    Perhaps(&'static str),
}

/// The numbers are those of statfs(2) and of the Linux sources.
fn kind_of(magic: i64) -> FileSystemKind {
    match magic & 0xffff_ffff {
        0x6969 => FileSystemKind::Network("NFS"),
        0x517b => FileSystemKind::Network("SMB"),
        0xff53_4d42 => FileSystemKind::Network("CIFS"),
        0xfe53_4d42 => FileSystemKind::Network("SMB2"),
        0x5346_414f | 0x6b41_4653 => FileSystemKind::Network("AFS"),
        0x7375_7245 => FileSystemKind::Network("Coda"),
        0x00c3_6400 => FileSystemKind::Network("Ceph"),
        0x0bd0_0bd0 => FileSystemKind::Network("Lustre"),
        0x4750_4653 => FileSystemKind::Network("GPFS"),
        0x1983_0326 => FileSystemKind::Network("BeeGFS"),
        0x0116_1970 => FileSystemKind::Network("GFS2"),
        0x7461_636f => FileSystemKind::Network("OCFS2"),
        0x6573_5546 => FileSystemKind::Perhaps("FUSE"),
        0x0102_1997 => FileSystemKind::Perhaps("9p"),
        0x786f_4256 => FileSystemKind::Perhaps("vboxsf"),
        0xbacb_acbc => FileSystemKind::Perhaps("vmhgfs"),
        _ => FileSystemKind::Local,
    }
}

/// Whether there is no file at this path.
pub(super) fn is_absent(path: &Path) -> Result<bool, LedgerError> {
    match std::fs::metadata(path) {
        Ok(_) => Ok(false),
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(true),
        Err(cause) => Err(LedgerError::Open { path: path.display().to_string(), cause }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_file_system_is_mounted_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        assert!(is_mounted(Path::new("/")) && !is_mounted(folder.path()));
    }

    #[test]
    fn network_file_systems_are_distinguished_from_local_ones() {
        const EXT4: i64 = 0xef53;
        assert_eq!(kind_of(EXT4), FileSystemKind::Local);
        assert_eq!(kind_of(0x6969), FileSystemKind::Network("NFS"));
        // Some systems give the number with a sign.
        assert_eq!(kind_of(0xff53_4d42_u32.cast_signed().into()), FileSystemKind::Network("CIFS"));
        assert_eq!(kind_of(0x6573_5546), FileSystemKind::Perhaps("FUSE"));
    }
}
