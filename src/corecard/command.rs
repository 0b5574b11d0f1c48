//! A token from a command, as Kubernetes' exec plugins and gcloud print it.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use super::auth::BadAuth;
use super::carried::Carried;
use super::reply;
use super::token::{NoToken, Token};

/// How long the command may take, unless the table says otherwise.
const TIME_LIMIT: Duration = Duration::from_secs(30);
/// The most that is read of what it prints, in bytes.
const LONGEST_OUTPUT: u64 = 64 * 1024;
/// The most that is repeated of its complaints, in characters.
const LONGEST_COMPLAINT: usize = 300;

/// A command that prints a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenCommand {
    program: String,
    arguments: Vec<String>,
    /// How long a token lasts if the command does not say.
    lifetime: Option<Duration>,
    time_limit: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CommandTable {
    command: Vec<String>,
    lifetime: Option<String>,
    time_limit: Option<String>,
}

impl TokenCommand {
    pub(super) fn new(table: CommandTable) -> Result<TokenCommand, BadAuth> {
        let CommandTable { command, lifetime, time_limit } = table;
        let mut words = command.into_iter();
        let program = words.next().filter(|program| !program.is_empty()).ok_or_else(|| {
            BadAuth::Table("command is empty: write it as [\"program\", \"argument\"]".to_owned())
        })?;
        let lifetime = lifetime.map(|text| length("lifetime", &text)).transpose()?;
        let time_limit = time_limit.map(|text| length("time_limit", &text)).transpose()?;
        let time_limit = time_limit.unwrap_or(TIME_LIMIT);
        Ok(TokenCommand { program, arguments: words.collect(), lifetime, time_limit })
    }

    /// Runs the command, without a shell, and reads what it prints. What it
    /// prints is never repeated; what it complains about is, if it fails.
    pub(super) async fn fetch(&self) -> Result<Token, NoToken> {
        let child = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|cause| self.told(&format!("cannot be started: correct command: {cause}")))?;
        let output = tokio::time::timeout(self.time_limit, output(child));
        let (status, printed, complaint) = output
            .await
            .map_err(|_| {
                self.told(&format!(
                    "took longer than {:?}: raise time_limit if it may",
                    self.time_limit
                ))
            })?
            .map_err(|cause| self.told(&format!("cannot be run: {cause}")))?;
        if !status.success() {
            let said = reply::one_line(&complaint, LONGEST_COMPLAINT, &Carried::default());
            let said = if said.is_empty() { said } else { format!("; it said: {said}") };
            return Err(self.told(&format!("failed ({status}): run it by hand to see why{said}")));
        }
        let token = Token::read(&printed, Timestamp::now()).ok_or_else(|| {
            self.told("printed neither a token alone nor JSON with access_token or token: have it print one of these")
        })?;
        Ok(Token { lifetime: token.lifetime.or(self.lifetime), ..token })
    }

    fn told(&self, what: &str) -> NoToken {
        NoToken(format!("the command {} {what}", self.program))
    }
}

/// How it ended, what it printed and what it complained about.
async fn output(mut child: Child) -> std::io::Result<(ExitStatus, Vec<u8>, Vec<u8>)> {
    let (printed, complaint) = (child.stdout.take(), child.stderr.take());
    let (printed, complaint, status) =
        tokio::join!(beginning(printed), beginning(complaint), child.wait());
    Ok((status?, printed?, complaint?))
}

/// Closed after its beginning, so that no command prints without end.
async fn beginning(pipe: Option<impl AsyncRead + Unpin>) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(LONGEST_OUTPUT).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

fn length(name: &str, text: &str) -> Result<Duration, BadAuth> {
    let length: Option<SignedDuration> = text.parse().ok();
    let length = length.and_then(|length| Duration::try_from(length).ok());
    length.filter(|length| !length.is_zero()).ok_or_else(|| {
        BadAuth::Table(format!("{name}: \"{text}\" is not a length of time: write 10m or 30s"))
    })
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

    fn fetch(command: &TokenCommand) -> Result<Token, NoToken> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(command.fetch())
    }

    fn error(script: &str, more: &str) -> NoToken {
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
        assert_snapshot!(error("echo s3cret; echo 'log in' first >&2; exit 3", ""), @"the command sh failed (exit status: 3): run it by hand to see why; it said: log in first");
        assert_snapshot!(error("echo two words", ""), @"the command sh printed neither a token alone nor JSON with access_token or token: have it print one of these");
        assert_snapshot!(error("sleep 60", "time_limit = '50ms'"), @"the command sh took longer than 50ms: raise time_limit if it may");
        let table = toml::from_str("command = ['/no/such/program']").unwrap();
        assert_snapshot!(fetch(&TokenCommand::new(table).unwrap()).unwrap_err(), @"the command /no/such/program cannot be started: correct command: No such file or directory (os error 2)");
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
        assert_snapshot!(error("command = ['a']\nlifetime = '10'"), @r#"lifetime: "10" is not a length of time: write 10m or 30s"#);
    }
}
