//! A token from a command, as Kubernetes' exec plugins and gcloud print it.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use super::error::AuthError;
use super::token::{Token, TokenError};
use super::values::duration;
use crate::child_command::{ChildCommand, ChildError};

/// How long the command may take, unless the table sets another limit.
const TIME_LIMIT: Duration = Duration::from_secs(30);
/// The most that is read of what it prints, in bytes.
const LONGEST_OUTPUT: u64 = 64 * 1024;

/// A command that prints a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenCommand {
    command: ChildCommand,
    /// How long a token lasts if the command does not print it.
    lifetime: Option<Duration>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CommandTable {
    command: Vec<String>,
    lifetime: Option<String>,
    time_limit: Option<String>,
}

impl TokenCommand {
    pub(super) fn new(table: CommandTable) -> Result<TokenCommand, AuthError> {
        let CommandTable { command, lifetime, time_limit } = table;
        let lifetime = lifetime.map(|text| duration("lifetime", &text)).transpose()?;
        let time_limit = time_limit.map(|text| duration("time_limit", &text)).transpose()?;
        let command = ChildCommand::new(command, time_limit.unwrap_or(TIME_LIMIT));
        let command = command.ok_or_else(|| {
            AuthError::Table("command is empty: write it as [\"program\", \"argument\"]".to_owned())
        })?;
        Ok(TokenCommand { command, lifetime })
    }

    /// Runs the command, without a shell, and reads what it prints. What it
    /// prints is never repeated; what it complains about is, if it fails.
    pub(super) async fn fetch(&self) -> Result<Token, TokenError> {
        let output = self.command.run(&[], LONGEST_OUTPUT).await.map_err(|cause| {
            let what = self.describe(&cause.to_string());
            match cause {
                ChildError::Start(_) => TokenError::for_good(what),
                ChildError::TooLong(_) | ChildError::Run(_) => TokenError::for_now(what),
            }
        })?;
        if let Some(why) = output.failure() {
            return Err(TokenError::for_now(self.describe(&why)));
        }
        let token = Token::read(&output.printed, Timestamp::now()).ok_or_else(|| {
            TokenError::for_good(self.describe("printed neither a token alone nor JSON with access_token or token: have it print one of these"))
        })?;
        Ok(Token { lifetime: token.lifetime.or(self.lifetime), ..token })
    }

    fn describe(&self, what: &str) -> String {
        format!("the command {} {what}", self.command.program())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;
    use secrecy::ExposeSecret;

    fn shell(script: &str, more: &str) -> TokenCommand {
        let table = format!("command = ['sh', '-c', '''{script}''']\n{more}");
        TokenCommand::new(toml::from_str(&table).unwrap()).unwrap()
    }

    fn fetch(command: &TokenCommand) -> Result<Token, TokenError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(command.fetch())
    }

    fn error(script: &str, more: &str) -> TokenError {
        fetch(&shell(script, more)).unwrap_err()
    }

    #[test]
    fn what_it_prints_is_the_token_and_what_it_says_of_its_lifetime_counts() {
        let token = fetch(&shell("echo t0ken", "lifetime = '10m'")).unwrap();
        assert_eq!(token.text.expose_secret(), "t0ken");
        assert_eq!(token.lifetime, Some(Duration::from_secs(600)));
        let json = shell(r#"echo '{"token":"t0ken","expires_in":60}'"#, "lifetime = '10m'");
        assert_eq!(fetch(&json).unwrap().lifetime, Some(Duration::from_secs(60)));
    }

    #[test]
    fn it_runs_without_a_shell() {
        let table = "command = ['echo', '$HOME;t0ken']";
        let command = TokenCommand::new(toml::from_str(table).unwrap()).unwrap();
        assert_eq!(fetch(&command).unwrap().text.expose_secret(), "$HOME;t0ken");
    }

    #[test]
    fn a_failure_repeats_its_complaint_and_never_its_output() {
        assert_snapshot!(error("echo s3cret; echo 'log in' first >&2; exit 3", ""), @"the command sh failed (exit status: 3): run it by hand to see why; it wrote: log in first");
        assert_snapshot!(error("echo two words", ""), @"the command sh printed neither a token alone nor JSON with access_token or token: have it print one of these");
        assert_snapshot!(error("sleep 60", "time_limit = '50ms'"), @"the command sh took longer than 50ms: raise time_limit if that is expected");
        let table = toml::from_str("command = ['/no/such/program']").unwrap();
        assert_snapshot!(fetch(&TokenCommand::new(table).unwrap()).unwrap_err(), @"the command /no/such/program cannot be started: correct command: No such file or directory (os error 2)");
    }

    #[test]
    fn a_command_that_takes_too_long_is_ended_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        let script =
            format!("mkfifo '{0}'; (exec 9> '{0}'; sleep 600) & exec sleep 600", fifo.display());
        let command = shell(&script, "time_limit = '1s'");
        let reading = std::thread::spawn(move || {
            while !fifo.exists() {
                std::thread::yield_now();
            }
            // It ends when nobody holds the other end any more.
            std::fs::read(fifo)
        });
        assert!(fetch(&command).is_err());
        assert_eq!(reading.join().unwrap().unwrap(), b"");
    }

    #[test]
    fn no_command_prints_without_end() {
        assert!(fetch(&shell("while echo aaaaaaaaaaaaaaaa; do :; done", "")).is_err());
    }

    #[test]
    fn a_bad_table_is_refused() {
        let error = |table: &str| {
            TokenCommand::new(toml::from_str(table).unwrap()).unwrap_err().to_string()
        };
        assert_snapshot!(error("command = []"), @r#"command is empty: write it as ["program", "argument"]"#);
        assert_snapshot!(error("command = ['a']\nlifetime = '10'"), @r#"lifetime: "10" is not a duration: write 10m or 30s"#);
    }
}
