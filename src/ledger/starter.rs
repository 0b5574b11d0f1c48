//! Who works on a run, for the auditor.

/// This process, by user, host and number.
pub(super) fn name() -> String {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    let user = user.unwrap_or_else(|_| format!("uid {}", rustix::process::getuid().as_raw()));
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{user} on {host}, process {}", std::process::id())
}
