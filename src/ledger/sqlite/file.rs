//! Which file the ledger is, whatever it is called: two names of it must lead to one
//! lock and one write-ahead log, and it must be there as long as it is used.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statfs, statx};

use super::super::LedgerError;
use super::super::misplaced::Misplaced;

/// The ledger's file.
#[derive(Debug)]
pub(super) struct SqliteFile {
    /// Its only name.
    real: PathBuf,
    device: u64,
    inode: u64,
}

impl SqliteFile {
    /// The file to which a path leads.
    ///
    /// # Errors
    /// When it has other names, or is mounted alone: SQLite's own files stand beside
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
        Ok(SqliteFile { real, device: file.dev(), inode: file.ino() })
    }

    /// An absolute path, which SQLite never takes for a URI.
    pub fn path(&self) -> &Path {
        &self.real
    }

    /// The folder it is in.
    pub fn folder(&self) -> &Path {
        self.real.parent().unwrap_or(Path::new("/"))
    }

    /// The write-ahead log beside it.
    pub fn log(&self) -> PathBuf {
        beside(&self.real, "-wal")
    }

    /// Where what it held is saved if it is removed while it is used.
    pub fn rescue(&self, at: Timestamp) -> PathBuf {
        beside(&self.real, &at.strftime(".saved-%Y%m%dT%H%M%SZ").to_string())
    }

    /// Whether it still has its name, and no other file has it.
    pub fn is_there(&self) -> bool {
        std::fs::metadata(&self.real).is_ok_and(|there| {
            (there.dev(), there.ino()) == (self.device, self.inode) && there.nlink() == 1
        })
    }

    /// The file whose lock says that a process works on the runs with this key. It is
    /// called by the ledger's number in its folder, which another name does not change.
    pub fn lock(&self, key: &str) -> PathBuf {
        let key = &key[..key.len().min(16)];
        self.real.with_file_name(format!(".cardcancel-{:x}-{key}.lock", self.inode))
    }
}

/// The file of this ending beside a ledger.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}

/// What is left of a ledger that has no file any more.
pub(super) fn left_of(path: &Path) -> Option<PathBuf> {
    let left = ["-wal", "-journal"].map(|ending| beside(path, ending));
    // An empty log holds nothing.
    let holds = |left: &PathBuf| std::fs::metadata(left).is_ok_and(|file| file.len() > 0);
    left.into_iter().find(holds)
}

/// Whether a file system is mounted right here. Systems too old to say so have it
/// taken for granted that none is.
fn is_mounted(path: &Path) -> bool {
    let found = statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty());
    found.is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

/// Refuses a folder that other machines may have mounted too, and tells of one of which
/// that is not known.
///
/// # Errors
/// On a network file system.
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

/// Who may have a file system mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileSystemKind {
    Local,
    Network(&'static str),
    /// It depends on what is behind it.
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

/// Whether nothing can be read in the folder because nothing is there.
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
    fn network_file_systems_are_told_from_local_ones() {
        const EXT4: i64 = 0xef53;
        assert_eq!(kind_of(EXT4), FileSystemKind::Local);
        assert_eq!(kind_of(0x6969), FileSystemKind::Network("NFS"));
        // Some systems give the number with a sign.
        assert_eq!(kind_of(0xff53_4d42_u32.cast_signed().into()), FileSystemKind::Network("CIFS"));
        assert_eq!(kind_of(0x6573_5546), FileSystemKind::Perhaps("FUSE"));
    }
}
