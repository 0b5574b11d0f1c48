//! The command that sends the open rows of a results file again.

use std::path::Path;

use crate::config::FlagsToRepeat;
use crate::input::shown;

/// The command line for these results, as a shell takes it, with the flags of the command that wrote
/// them. So it finds the same address, credentials and ledger.
pub fn rerun_command(results: &Path, flags: &FlagsToRepeat, is_rehearsal: bool) -> String {
    let mut command = format!("cardcancel rerun {}", quoted(&results.display().to_string()));
    for (flag, value) in flags.iter() {
        command.push_str(&format!(" --{flag} {}", quoted(value)));
    }
    if is_rehearsal {
        command.push_str(" --rehearse");
    }
    command
}

/// A word of a command, quoted if it needs to be.
fn quoted(word: &str) -> String {
    let word = shown(word);
    // What is shown has no NUL, which alone cannot be quoted.
    shlex::try_quote(&word).map(Into::into).unwrap_or(word)
}
