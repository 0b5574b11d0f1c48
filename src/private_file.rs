//! Files that only their owner may read or write: creates them so, and refuses files that other
//! users could have written. The rules are those of ssh for its own configuration.

use std::fs::{DirBuilder, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::process::geteuid;

/// Options to open a file: a new file is private to its owner (mode 0600), and symbolic links are
/// not followed, since the target would be truncated or overwritten.
pub fn open_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    options
}

/// Creates a folder and its parents, private to the owner (mode 0700), unless it exists.
///
/// # Errors
/// If it cannot be created, or another kind of file has its name.
pub fn create_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// The lists of users and groups on this machine.
const USERS: &str = "/etc/passwd";
const GROUPS: &str = "/etc/group";

/// The file may have been written by another user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PermissionError {
    /// Its mode lets other users write.
    #[error(
        "others can write {path} (mode {mode:04o}), and so decide what is sent: check its content, then run `chmod go-w {path}`"
    )]
    Writable {
        /// Its path.
        path: String,
        /// Its mode: the permission bits.
        mode: u32,
    },
    /// It belongs to another user.
    #[error(
        "{path} belongs to another user (uid {owner}), who can change it: use your own copy, or change its owner with chown"
    )]
    Foreign {
        /// Its path.
        path: String,
        /// Its owner's user id.
        owner: u32,
    },
}

/// Refuses a file that other users could have written.
///
/// # Errors
/// If it belongs to neither this user nor root, or its mode lets other users write it. A group
/// with no other member than the owner, as Debian creates one for each user, counts as the owner.
pub fn check_not_writable_by_others(path: &Path, file: &Metadata) -> Result<(), PermissionError> {
    check_file(path, file, geteuid().as_raw())
}

/// Refuses a file that users other than its owner could have written, whoever the owner is.
///
/// # Errors
/// If its mode lets other users write it.
pub fn check_only_owner_writes(path: &Path, file: &Metadata) -> Result<(), PermissionError> {
    check_file(path, file, file.uid())
}

fn check_file(path: &Path, file: &Metadata, user: u32) -> Result<(), PermissionError> {
    // The content of a device such as /dev/null is decided by the kernel.
    if file.file_type().is_char_device() {
        return Ok(());
    }
    let is_private = || {
        // A group that is defined elsewhere, as in LDAP, counts as shared.
        let list = |path| std::fs::read_to_string(path).unwrap_or_default();
        is_private(file.gid(), file.uid(), &list(USERS), &list(GROUPS))
    };
    check(path, user, file.uid(), file.mode() & 0o7777, is_private)
}

fn check(
    path: &Path,
    user: u32,
    owner: u32,
    mode: u32,
    is_private: impl FnOnce() -> bool,
) -> Result<(), PermissionError> {
    let path = path.display().to_string();
    if owner != user && owner != 0 {
        return Err(PermissionError::Foreign { path, owner });
    }
    match mode & 0o022 {
        0 => Ok(()),
        0o020 if is_private() => Ok(()),
        _ => Err(PermissionError::Writable { path, mode }),
    }
}

/// Whether the group has no other member than the owner, by the lists of this machine.
fn is_private(group: u32, owner: u32, users: &str, groups: &str) -> bool {
    let field = |line: &str, at: usize| line.split(':').nth(at).map(str::to_owned);
    let number = |line: &str, at| field(line, at).and_then(|text| text.parse::<u32>().ok());
    let own: Vec<&str> = users.lines().filter(|line| number(line, 2) == Some(owner)).collect();
    let own_names: Vec<String> = own.iter().filter_map(|line| field(line, 0)).collect();
    let is_owners = own.iter().any(|line| number(line, 3) == Some(group));
    let mut others = users
        .lines()
        .filter(|line| number(line, 3) == Some(group) && number(line, 2) != Some(owner));
    let mut named = groups.lines().filter(|line| number(line, 2) == Some(group));
    let has_no_members = |line: &str| {
        let members = field(line, 3).unwrap_or_default();
        let mut members = members.split(',').map(str::trim).filter(|name| !name.is_empty());
        members.all(|name| own_names.iter().any(|own| own == name))
    };
    let (first, second) = (named.next(), named.next());
    is_owners && others.next().is_none() && second.is_none() && first.is_some_and(has_no_members)
}

/// Whether other users can read a file that contains a secret. A file of root may be readable by
/// its group, because systems hand secrets to services that way.
pub fn is_exposed(file: &Metadata) -> bool {
    let others = if file.uid() == 0 { 0o027 } else { 0o077 };
    // A pipe or a device has no content at rest that another user could read.
    file.is_file() && file.mode() & others != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const USERS: &str = "root:x:0:0::/root:/bin/sh\nops:x:1000:1000::/home/ops:/bin/sh\n\
        eve:x:1001:1001::/:/bin/sh\nbob:x:100:100::/:/bin/sh\ntom:x:1002:100::/:/bin/sh\n";
    const GROUPS: &str = "root:x:0:\nops:x:1000:ops\neve:x:1001:ops\nusers:x:100:\n";

    fn is_trusted(user: u32, owner: u32, group: u32, mode: u32) -> bool {
        let is_private = || is_private(group, owner, USERS, GROUPS);
        check(Path::new("file"), user, owner, mode, is_private).is_ok()
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
    fn a_group_is_its_owner_only_where_nobody_else_is_in_it() {
        assert!(is_trusted(1000, 1000, 1000, 0o664));
        assert!(is_trusted(1000, 0, 0, 0o664));
        assert!(!is_trusted(1001, 1001, 1001, 0o664), "ops is in eve's group");
        assert!(!is_trusted(100, 100, 100, 0o664), "tom's group is bob's");
        assert!(!is_trusted(1000, 1000, 1001, 0o664), "it is another's");
        assert!(!is_trusted(2000, 2000, 2000, 0o664), "its members are not known");
    }
}
