//! Who runs this process. User, login, host and unit come from the kernel and the user
//! database. Anyone can set environment variables such as `USER` or `SUDO_USER`.

use std::fmt;
use std::fs;

use nix::unistd::{Uid, User, getuid};

use crate::process;

/// The kernel's value of a login uid that was never set.
const NO_LOGIN: u32 = u32::MAX;

/// The longest stored text that comes from outside of this program, in characters.
const LONGEST: usize = 200;

/// A process, and the people and services behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The real user id.
    pub uid: u32,
    /// The user's name by the user database; empty if it knows none.
    pub user: String,
    /// The user id of the login that began the session, which neither `su` nor `sudo` changes;
    /// `None` outside of a login session, or if the kernel does not keep it.
    pub login_uid: Option<u32>,
    /// The name of that user; empty if it is not known.
    pub login: String,
    /// The host name.
    pub host: String,
    /// The process id.
    pub process: u32,
    /// The systemd unit, by the control group; empty outside of a unit.
    pub unit: String,
    /// Client and server of the ssh session, as `SSH_CONNECTION` has it; empty outside of one.
    /// It comes from the environment, so it is a hint and no proof.
    pub ssh_connection: String,
}

impl Identity {
    /// The identity of this process.
    pub fn of_this_process() -> Identity {
        let uid = getuid().as_raw();
        let login_uid = fs::read_to_string("/proc/self/loginuid").ok();
        let login_uid = login_uid.and_then(|text| parse_login_uid(&text));
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Identity {
            uid,
            user: user_name(uid),
            login_uid,
            login: login_uid.map(user_name).unwrap_or_default(),
            host: process::host(),
            process: std::process::id(),
            unit: one_line(unit(&groups).unwrap_or_default()),
            ssh_connection: one_line(&std::env::var("SSH_CONNECTION").unwrap_or_default()),
        }
    }

    /// The user, and the login if it is another user's, without host and process.
    pub fn user_text(&self) -> String {
        let user = named(&self.user, self.uid);
        match self.login_uid {
            Some(login_uid) if login_uid != self.uid => {
                format!("{user}, login {}", named(&self.login, login_uid))
            }
            _ => user,
        }
    }
}

impl fmt::Display for Identity {
    /// The short form, by which a worker is named in messages: user, host and process.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.user.is_empty() {
            write!(f, "uid {}", self.uid)?;
        } else {
            write!(f, "{}", self.user)?;
        }
        write!(f, " on {}, process {}", self.host, self.process)
    }
}

/// A user's name followed by the number, which alone is certain.
fn named(name: &str, uid: u32) -> String {
    if name.is_empty() { format!("uid {uid}") } else { format!("{name} (uid {uid})") }
}

/// The name that the user database has for this number; empty if it has none.
fn user_name(uid: u32) -> String {
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    user.map(|user| one_line(&user.name)).unwrap_or_default()
}

fn parse_login_uid(text: &str) -> Option<u32> {
    text.trim().parse().ok().filter(|uid| *uid != NO_LOGIN)
}

/// The innermost systemd unit of a process with these control groups.
fn unit(groups: &str) -> Option<&str> {
    let path = groups.lines().find_map(|line| {
        line.strip_prefix("0::").or_else(|| line.split_once(":name=systemd:").map(|(_, path)| path))
    })?;
    path.rsplit('/').find(|part| {
        part.rsplit_once('.').is_some_and(|(_, kind)| matches!(kind, "service" | "scope"))
    })
}

/// The text as one line of at most [`LONGEST`] characters.
fn one_line(text: &str) -> String {
    text.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_is_the_innermost_service_or_scope_of_the_control_group() {
        let unit = |path: &str| unit(&format!("0::{path}\n")).map(str::to_owned);
        assert_eq!(unit("/system.slice/cardcancel.service").as_deref(), Some("cardcancel.service"));
        assert_eq!(
            unit("/user.slice/user-1004.slice/session-3.scope").as_deref(),
            Some("session-3.scope")
        );
        assert_eq!(unit("/system.slice/cron.service/payload").as_deref(), Some("cron.service"));
        assert_eq!(unit("/"), None);
    }

    #[test]
    fn the_unit_is_found_in_a_hierarchy_of_version_1_too() {
        let groups = "12:cpu:/\n1:name=systemd:/system.slice/cron.service\n";
        assert_eq!(unit(groups), Some("cron.service"));
    }

    #[test]
    fn a_login_that_was_never_set_is_none() {
        assert_eq!(parse_login_uid("4294967295"), None);
        assert_eq!(parse_login_uid("1004\n"), Some(1004));
        assert_eq!(parse_login_uid(""), None);
    }

    #[test]
    fn the_login_is_named_only_where_it_is_another_user() {
        let mut identity = Identity {
            uid: 0,
            user: "root".to_owned(),
            login_uid: Some(1004),
            login: "jdoe".to_owned(),
            host: "batch1".to_owned(),
            process: 12,
            unit: String::new(),
            ssh_connection: String::new(),
        };
        assert_eq!(identity.user_text(), "root (uid 0), login jdoe (uid 1004)");
        identity.login_uid = Some(0);
        assert_eq!(identity.user_text(), "root (uid 0)");
        identity.user.clear();
        assert_eq!(identity.user_text(), "uid 0");
        assert_eq!(identity.to_string(), "uid 0 on batch1, process 12");
    }

    #[test]
    fn a_user_is_known_by_number_and_not_by_the_environment() {
        let identity = Identity::of_this_process();
        assert_eq!(identity.uid, getuid().as_raw());
        assert_eq!(user_name(0), "root");
    }
}
