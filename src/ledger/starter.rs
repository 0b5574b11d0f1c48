//! Who works on a run, for the auditor, and for whoever waits for it.

const SESSION: &str = "cardcancel ";

/// This process, by user, host and number.
pub(super) fn name() -> String {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    let user = user.unwrap_or_else(|_| format!("uid {}", rustix::process::getuid().as_raw()));
    format!("{user} on {}, process {}", host(), std::process::id())
}

/// The name of this process's sessions of a database, which cuts long ones short.
pub(super) fn session() -> String {
    format!("{SESSION}{} on {}", std::process::id(), host())
}

/// The process whose session has this name, and its host.
pub(super) fn of_session(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix(SESSION)?.split_once(" on ")
}

fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
