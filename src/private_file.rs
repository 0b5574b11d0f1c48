//! Files that are their owner's alone: made so, and refused where others may have written them.
//! The rules are those of ssh for its own configuration.

use std::fs::{DirBuilder, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::process::geteuid;

/// Options to open a file with: one that is made is for its owner alone (mode 0600), and no
/// symbolic link is followed, since the file it leads to would be emptied or written.
pub fn open_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    options
}

/// Makes a folder for its owner alone (mode 0700), with those above it, unless it is there.
///
/// # Errors
/// When it cannot be made, or something else has its name.
pub fn create_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Where this machine lists its users and groups.
const USERS: &str = "/etc/passwd";
const GROUPS: &str = "/etc/group";

/// A file that others may have written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PermissionError {
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
/// it. A group that nobody but its owner is in, as Debian and others make one for each
/// person, is the owner.
pub fn check_not_writable_by_others(path: &Path, file: &Metadata) -> Result<(), PermissionError> {
    // A device such as /dev/null holds what the system makes of it.
    if file.file_type().is_char_device() {
        return Ok(());
    }
    let is_private = || {
        // Groups that are kept elsewhere, as in LDAP, are not known to be private.
        let list = |path| std::fs::read_to_string(path).unwrap_or_default();
        is_private(file.gid(), file.uid(), &list(USERS), &list(GROUPS))
    };
    judge(path, geteuid().as_raw(), file.uid(), file.mode() & 0o7777, is_private)
}

fn judge(
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

/// Whether nobody but the owner is in the group, by the lists of this machine.
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

/// Whether others can read a file that holds a secret. One of root's may be shared with a
/// group, as those are that a system hands to a service.
pub fn is_exposed(file: &Metadata) -> bool {
    let others = if file.uid() == 0 { 0o027 } else { 0o077 };
    // What comes through a pipe or from a device is kept by whoever sends it.
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
        judge(Path::new("file"), user, owner, mode, is_private).is_ok()
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
        assert!(!is_trusted(2000, 2000, 2000, 0o664), "nobody says who is in it");
    }
}
