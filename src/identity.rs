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
    /// The systemd unit, by the control group; empty outside of a unit. A unit of a user's own
    /// systemd stands behind the name of that, as in `user@1004.service/nightly.service`.
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
            unit: one_line(&unit(&groups).unwrap_or_default()),
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

/// The systemd unit of a process with these control groups. It is the outermost one: a service may
/// have control groups of its own below its unit, and name them as it likes.
fn unit(groups: &str) -> Option<String> {
    let path = groups.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':');
        match (fields.next()?, fields.next()?, fields.next()?) {
            (_, "name=systemd", path) | ("0", "", path) => Some(path),
            _ => None,
        }
    })?;
    let mut units = path.split('/').filter(|part| {
        part.rsplit_once('.').is_some_and(|(_, kind)| matches!(kind, "service" | "scope"))
    });
    let unit = units.next()?;
    // Below it are the units of a user, who names them.
    let of_user = units.next().filter(|_| unit.starts_with("user@"));
    Some(of_user.map_or(unit.to_owned(), |of_user| format!("{unit}/{of_user}")))
}

/// The text as one line of at most [`LONGEST`] characters.
fn one_line(text: &str) -> String {
    text.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_a_template_instance_and_a_login_are_told_apart() {
        for (path, expected) in [
            ("/system.slice/cardcancel.service", "cardcancel.service"),
            (
                "/system.slice/system-cardcancel.slice/cardcancel@nightly.service",
                "cardcancel@nightly.service",
            ),
            ("/system.slice/cron.service", "cron.service"),
            ("/system.slice/run-u42.service", "run-u42.service"),
            ("/system.slice/run-rc1b2.scope", "run-rc1b2.scope"),
            ("/user.slice/user-1004.slice/session-3.scope", "session-3.scope"),
        ] {
            assert_eq!(unit(&format!("0::{path}\n")).as_deref(), Some(expected), "{path}");
        }
    }

    #[test]
    fn a_unit_that_a_user_named_is_not_taken_for_one_of_the_system() {
        let of_user = "0::/user.slice/user-1004.slice/user@1004.service/app.slice";
        assert_eq!(
            unit(&format!("{of_user}/cardcancel.service\n")).as_deref(),
            Some("user@1004.service/cardcancel.service")
        );
        assert_eq!(
            unit(&format!("{of_user}/run-u7.scope\n")).as_deref(),
            Some("user@1004.service/run-u7.scope")
        );
        assert_eq!(
            unit("0::/user.slice/user-1004.slice/user@1004.service/init.scope/x.service\n"),
            Some("user@1004.service/init.scope".to_owned())
        );
        assert_eq!(
            unit("0::/system.slice/delegated.service/cardcancel.service\n").as_deref(),
            Some("delegated.service")
        );
    }

    #[test]
    fn the_unit_is_found_in_hierarchies_of_version_1_and_of_both_versions() {
        let version_1 = "12:cpu,cpuacct:/system.slice/cron.service\n\
            4:memory:/system.slice/cron.service\n1:name=systemd:/system.slice/cron.service\n";
        assert_eq!(unit(version_1).as_deref(), Some("cron.service"));
        let hybrid = format!("{version_1}0::/system.slice/cron.service\n");
        assert_eq!(unit(&hybrid).as_deref(), Some("cron.service"));
        assert_eq!(unit("4:memory:/other.service\n"), None);
    }

    #[test]
    fn a_container_has_the_unit_that_its_host_shows_it_or_none() {
        let id = "4f5b2f6f0b8e4e1c8f4f5b2f6f0b8e4e1c8f4f5b2f6f0b8e4e1c8f4f5b2f6f0b";
        for (groups, expected) in [
            // With a namespace of control groups of its own.
            ("9:name=systemd:/\n0::/\n".to_owned(), None),
            (format!("0::/system.slice/docker-{id}.scope\n"), Some(format!("docker-{id}.scope"))),
            (format!("1:name=systemd:/docker/{id}\n"), None),
            (
                format!(
                    "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod6f1c_7d11.slice/cri-containerd-{id}.scope\n"
                ),
                Some(format!("cri-containerd-{id}.scope")),
            ),
            (format!("0::/kubepods/burstable/pod6f1c-7d11/{id}\n"), None),
            (String::new(), None),
        ] {
            assert_eq!(unit(&groups), expected, "{groups}");
        }
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
