//! The command that sends the open rows of a results file again.

use std::path::Path;

use crate::input::shown;

/// The command line for these results, with the profile that they were made with, so that it finds
/// the same address, credentials and ledger.
pub fn rerun_command(results: &Path, profile: Option<&str>, is_rehearsal: bool) -> String {
    let mut command = format!("cardcancel rerun {}", shown(&results.display().to_string()));
    if let Some(profile) = profile {
        command.push_str(&format!(" --profile {}", shown(profile)));
    }
    if is_rehearsal {
        command.push_str(" --rehearse");
    }
    command
}
