//! What every test needs: an environment to run the program in, and servers to run it
//! against.

mod authority;
mod browser;
mod connect_proxy;
mod denying_server;
mod faketime;
mod faulty_proxy;
mod ledger;
mod pgbouncer;
pub mod postgres;
mod results;
mod rng;
mod scripted_server;
mod terminal;
mod test_simulator;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

pub use authority::{Authority, CertKeyPair};
pub use browser::{Browser, Look};
pub use connect_proxy::ConnectProxy;
pub use denying_server::DenyingServer;
pub use faketime::{clocks_can_be_set, with_its_clock_set};
pub use faulty_proxy::{Cut, FaultyProxy};
pub use ledger::{change_ledger, create_run, new_run, records};
pub use pgbouncer::PgBouncer;
pub use results::{ResultRow, rows};
pub use rng::Rng;
pub use scripted_server::{
    Behavior, CANCELLED, Request, ScriptedServer, json, silent, status, with_headers,
};
pub use terminal::Terminal;
pub use test_simulator::TestSimulator;

/// How long to wait for something that is certain to happen.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A temporary directory and environment in which the program sees nothing of the machine.
pub struct TestEnv {
    folder: tempfile::TempDir,
}

/// What the program printed, and its exit code.
#[derive(Debug)]
pub struct ProgramOutput {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl TestEnv {
    pub fn new() -> TestEnv {
        TestEnv::within(tempfile::tempdir().unwrap())
    }

    /// One with a file of this many orders.
    pub fn with_orders(count: u32) -> TestEnv {
        let env = TestEnv::new();
        env.orders(count);
        env
    }

    /// The same in this directory.
    pub fn within(folder: tempfile::TempDir) -> TestEnv {
        let env = TestEnv { folder };
        std::fs::create_dir(env.path("home")).unwrap();
        env
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        std::fs::write(self.path(name), content).unwrap();
        self
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    pub fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).unwrap()
    }

    /// Writes `orders.csv` with so many orders: 1001/1, 1002/1 and so on.
    pub fn orders(&self, count: u32) -> &Self {
        let lines: String = (1..=count).map(|row| format!("{},1\n", 1000 + row)).collect();
        self.file("orders.csv", format!("AdminNumber,CardSequenceNumber\n{lines}"))
    }

    /// The program, about to be started here.
    pub fn command(&self, args: &[&str]) -> Command {
        let home = self.path("home");
        let mut command = Command::new(env!("CARGO_BIN_EXE_cardcancel"));
        command
            .args(args)
            .current_dir(self.folder())
            .env_clear()
            .env("HOME", &home)
            .env("XDG_STATE_HOME", home.join("state"))
            .env("XDG_CONFIG_HOME", home.join("config"))
            .env("TZ", "UTC")
            // A name that does not exist does not exist soon, whatever the network.
            .env("RES_OPTIONS", "timeout:1 attempts:1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, args: &[&str]) -> ProgramOutput {
        self.command(args).output().unwrap().into()
    }

    /// `cardcancel run orders.csv` against this address, without asking and as
    /// fast as it goes, with these flags.
    pub fn cancel(&self, url: &str, flags: &[&str]) -> ProgramOutput {
        self.cancelling(url, flags).output().unwrap().into()
    }

    /// The same as [`TestEnv::cancel`], about to be started.
    pub fn cancelling(&self, url: &str, flags: &[&str]) -> Command {
        self.command(&[&["run", "orders.csv"], &sending(url)[..], flags].concat())
    }

    /// The same as [`TestEnv::cancel`], with these environment variables.
    pub fn cancel_with(
        &self,
        url: &str,
        flags: &[&str],
        variables: &[(&str, &str)],
    ) -> ProgramOutput {
        self.cancelling(url, flags).envs(variables.iter().copied()).output().unwrap().into()
    }

    /// `cardcancel rerun` of this results file, likewise.
    pub fn rerun(&self, results: &str, url: &str, flags: &[&str]) -> ProgramOutput {
        self.run(&[&["rerun", results], &sending(url)[..], flags].concat())
    }

    /// The same as [`TestEnv::cancel`], still running.
    pub fn begin_to_cancel(&self, url: &str, flags: &[&str]) -> Child {
        self.cancelling(url, flags).spawn().unwrap()
    }

    /// The rows of `orders.results.csv`.
    pub fn results(&self) -> Vec<ResultRow> {
        rows(&self.read("orders.results.csv"))
    }

    /// Where the ledger is.
    pub fn ledger(&self) -> PathBuf {
        self.path("home/state/cardcancel/ledger.db")
    }

    /// Every byte that the program left behind, the ledger and its log included.
    pub fn everything_written(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut folders = vec![self.folder().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if !path.ends_with("orders.csv") {
                    bytes.extend(std::fs::read(path).unwrap());
                }
            }
        }
        bytes
    }
}

/// The flags that a run cannot do without here.
pub fn sending(url: &str) -> [&str; 7] {
    ["--url", url, "--external-ip", "10.120.0.0", "--yes", "--rate", "unlimited"]
}

impl From<Output> for ProgramOutput {
    fn from(output: Output) -> ProgramOutput {
        ProgramOutput {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl ProgramOutput {
    /// The exit code and all output, for messages.
    pub fn report(&self) -> String {
        format!("exit {:?}\n{}{}", self.code, self.stdout, self.stderr)
    }

    /// Standard output and standard error.
    pub fn all_output(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    #[track_caller]
    pub fn exits(self, code: i32) -> ProgramOutput {
        assert_eq!(self.code, Some(code), "{}", self.report());
        self
    }
}

/// Waits until this is so.
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Ends a program as `kill -9` does.
#[track_caller]
pub fn kill(mut child: Child) {
    assert_eq!(child.try_wait().unwrap(), None, "it had ended before it could be killed");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Asks a program to stop, as a service manager does.
pub fn terminate(child: &Child) {
    let id = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
}

/// Waits until a program ends.
pub fn ended(child: Child) -> ProgramOutput {
    child.wait_with_output().unwrap().into()
}

/// Whether this text is anywhere in these bytes.
pub fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// From here on, snapshots do not show what differs between test runs.
pub fn redact_varying() -> insta::internals::SettingsBindDropGuard {
    let mut settings = insta::Settings::clone_current();
    for (varying, name) in [
        (r"/\S+/home/state", "[here]/home/state"),
        (r"\d{8}-\d{6}-[0-9a-f]{4}", "[run]"),
        (r"STARTED +BY +PROFILE +", "STARTED  BY  PROFILE  "),
        (r"\[run\]  \d{4}-\d\d-\d\d \d\d:\d\d  \S+ +", "[run]  [time]  [user]  "),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[time]"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)? UTC", "[time]"),
        (r"127\.0\.0\.1:\d+", "127.0.0.1:[port]"),
        (r"(calls?) in [^;\n]*, \S+ a second", "$1 in [a while], [so many] a second"),
        (r"; [^;]* to spare", "; [some time] to spare"),
        (r#""(seconds_now|[a-z_]+_seconds)": [0-9][0-9.e-]*"#, r#""$1": [seconds]"#),
        (r"cut-off starts in [^;:\n]+", "cut-off starts in [some time]"),
        (r"\[time\], in [^;:\n]+", "[time], in [some time]"),
        (r"\[time\], [^;:\n]+ ago", "[time], [some time] ago"),
        (r"(\d{4}-\d\d-\d\dT)?\d\d:\d\d:\d\d(-\d\d:\d\d:\d\d)?\[UTC\]", "[clock]"),
        (r"verification time \d+ (.*) \(\d+ seconds ago\)", "verification time [now] $1"),
        (r"process \d+ on \S+", "process [id] on [host]"),
        (r"by (uid \d+|[\w.-]+ \(uid \d+\))(, login [^,]+)? on [\w.-]+", "by [user] on [host]"),
        (r#""user": "[\w.-]+""#, r#""user": "[user]""#),
        (r", unit \S+\.(service|scope)", ""),
        (r", ssh [0-9a-f.: ]+", ""),
        (r"Seal \d+:( [0-9a-f]{4}){16}", "Seal [number]: [digest]"),
        (r#""seal_sha256": "[0-9a-f]{64}""#, r#""seal_sha256": "[digest]""#),
        (r"(onfiguration +|  SHA-256 +)[0-9a-f]{64}", "$1[digest]"),
        (r"cardcancel \d+\.\d+\.\d+", "cardcancel [version]"),
    ] {
        settings.add_filter(varying, name);
    }
    settings.bind_to_scope()
}
