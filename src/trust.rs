//! Whether a file can be trusted: nobody but its user may have written it. The
//! rules are those of ssh for its own configuration.

use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use rustix::process::geteuid;

/// The first number that Debian and its kin give to a person, and to the group
/// that they make for each person alone.
const FIRST_PERSON: u32 = 1000;

/// A file that others may have written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// Its mode lets others write.
    #[error(
        "others may write {path} (mode {mode:04o}), and so decide what is sent: run `chmod go-w {path}` once you are sure of what is in it"
    )]
    Writable {
        /// Where it is.
        path: String,
        /// Its permissions.
        mode: u32,
    },
    /// Another user has it.
    #[error(
        "{path} belongs to another user (number {owner}), who may change it: use a copy of your own, or have it given to you with chown"
    )]
    Foreign {
        /// Where it is.
        path: String,
        /// Its owner's number.
        owner: u32,
    },
}

/// Refuses a file that others may have written.
///
/// # Errors
/// When it belongs to neither this user nor root, or its mode lets others write
/// it. A group with the number of the user, as each person has one on Debian, is
/// the user.
pub fn refuse_shared(path: &Path, file: &Metadata) -> Result<(), Untrusted> {
    // A device such as /dev/null holds what the system makes of it.
    if file.file_type().is_char_device() {
        return Ok(());
    }
    judge(path, geteuid().as_raw(), file.uid(), file.gid(), file.mode() & 0o7777)
}

fn judge(path: &Path, user: u32, owner: u32, group: u32, mode: u32) -> Result<(), Untrusted> {
    let path = path.display().to_string();
    if owner != user && owner != 0 {
        return Err(Untrusted::Foreign { path, owner });
    }
    let own_group = group == owner && (owner >= FIRST_PERSON || owner == 0);
    let others = if own_group { 0o002 } else { 0o022 };
    match mode & others {
        0 => Ok(()),
        _ => Err(Untrusted::Writable { path, mode }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_trusted(user: u32, owner: u32, group: u32, mode: u32) -> bool {
        judge(Path::new("file"), user, owner, group, mode).is_ok()
    }

    #[test]
    fn ones_own_file_and_roots_are_trusted() {
        assert!(is_trusted(1000, 1000, 100, 0o600));
        assert!(is_trusted(1000, 1000, 100, 0o644));
        assert!(is_trusted(1000, 0, 0, 0o644));
        assert!(!is_trusted(1000, 1001, 1001, 0o600));
        assert!(!is_trusted(0, 1001, 1001, 0o600));
    }

    #[test]
    fn what_others_may_write_is_not() {
        assert!(!is_trusted(1000, 1000, 100, 0o666));
        assert!(!is_trusted(1000, 1000, 100, 0o660));
        assert!(!is_trusted(1000, 1000, 1000, 0o602));
    }

    #[test]
    fn a_persons_own_group_is_the_person() {
        assert!(is_trusted(1000, 1000, 1000, 0o664));
        assert!(!is_trusted(1000, 1000, 1001, 0o664));
        assert!(!is_trusted(100, 100, 100, 0o664));
    }
}
