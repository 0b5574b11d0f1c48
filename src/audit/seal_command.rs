//! The command that hands a seal to a witness and prints a receipt for it.

use std::path::Path;
use std::time::Duration;

use anyhow::{anyhow, bail};
use rustix::fs::{Access, access};

use crate::child_command::ChildCommand;

/// The longest receipt that is kept, in bytes.
const LONGEST_RECEIPT: u64 = 16 * 1024;

/// Where the system looks for programs if `PATH` is not set.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// The command that is given the text of each seal on standard input. What it prints is the
/// receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealCommand(ChildCommand);

impl SealCommand {
    /// A command by its words; `None` if the first one, which is the program, is missing or empty.
    pub fn new(words: Vec<String>, time_limit: Duration) -> Option<SealCommand> {
        ChildCommand::new(words, time_limit).map(SealCommand)
    }

    /// Whether there is such a program. It is not run.
    ///
    /// # Errors
    /// If it is not found, or this user cannot execute it.
    pub fn check(&self) -> anyhow::Result<()> {
        let program = self.0.program();
        let is_there = |path: &Path| path.is_file() && access(path, Access::EXEC_OK).is_ok();
        let is_found = if program.contains('/') {
            is_there(Path::new(program))
        } else {
            let folders = std::env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into());
            std::env::split_paths(&folders).any(|folder| is_there(&folder.join(program)))
        };
        if is_found {
            return Ok(());
        }
        bail!("there is no program {program} that this user can execute: correct command in [seal]")
    }

    /// Gives it the text of a seal. Returns the receipt, which may be empty.
    ///
    /// # Errors
    /// If it cannot be started, takes too long, fails, or prints more than 16 KiB.
    pub async fn receipt(&self, seal: &str) -> anyhow::Result<Vec<u8>> {
        let describe = |what: &str| anyhow!("the command {} {what}", self.0.program());
        let output = self.0.run(seal.as_bytes(), LONGEST_RECEIPT.saturating_add(1)).await;
        let output = output.map_err(|cause| describe(&cause.to_string()))?;
        if output.printed.len() as u64 > LONGEST_RECEIPT {
            bail!(describe("printed more than 16 KiB: have it print a shorter receipt"));
        }
        match output.failure() {
            Some(why) => Err(describe(&why)),
            None => Ok(output.printed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, time_limit: Duration) -> SealCommand {
        let words = ["sh", "-c", script].map(str::to_owned).to_vec();
        SealCommand::new(words, time_limit).unwrap()
    }

    fn receipt(script: &str) -> Result<Vec<u8>, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let command = shell(script, Duration::from_secs(1));
        runtime.block_on(command.receipt("seal\n")).map_err(|cause| format!("{cause:#}"))
    }

    #[test]
    fn what_it_prints_is_the_receipt_byte_for_byte() {
        assert_eq!(receipt("cat; printf '\\0\\377'").unwrap(), b"seal\n\0\xff");
        assert_eq!(receipt("exit 0").unwrap(), b"", "it need neither read nor print");
        assert_eq!(receipt("head -c 16384 /dev/zero").unwrap().len(), 16_384);
    }

    #[test]
    fn a_command_that_fails_hangs_or_prints_too_much_gives_no_receipt() {
        let failed = "the command sh failed (exit status: 3): run it by hand to see why; it wrote: no [card number removed]";
        assert_eq!(receipt("echo no 4111 1111 1111 1111 >&2; exit 3").unwrap_err(), failed);
        let late = "the command sh took longer than 1s: raise time_limit if that is expected";
        assert_eq!(receipt("sleep 600").unwrap_err(), late);
        assert_eq!(
            receipt("sleep 600 & echo done").unwrap_err(),
            late,
            "what it left has its output"
        );
        let long = "the command sh printed more than 16 KiB: have it print a shorter receipt";
        assert_eq!(receipt("head -c 1000000 /dev/zero").unwrap_err(), long);
        assert_eq!(receipt("head -c 16385 /dev/zero").unwrap_err(), long);
    }

    #[test]
    fn a_program_that_is_not_there_is_found_out_without_running_it() {
        let check = |program: &str| {
            SealCommand::new(vec![program.to_owned()], Duration::from_secs(1)).unwrap().check()
        };
        check("sh").unwrap();
        check("/bin/sh").unwrap();
        for missing in ["no-such-program", "/no/such/program", "/etc/passwd", "/bin"] {
            let refused = check(missing).unwrap_err().to_string();
            assert!(refused.starts_with(&format!("there is no program {missing} ")), "{refused}");
        }
    }
}
