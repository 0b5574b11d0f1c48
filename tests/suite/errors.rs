//! Every error about the configuration and the input, as the program prints it. All of them are
//! in snapshots/suite__errors__all.snap, so that they can be read together: each must say what is
//! wrong, where, and what to do.
//!
//! Two cannot be caused by a test: a file that changes while it is read, and one of more than
//! four billion rows.
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;

use jiff::{SignedDuration, Timestamp};

use crate::common::{
    Authority, Behavior, CertKeyPair, ConnectProxy, ScriptedServer, Terminal, TestEnv, json,
    status, with_headers,
};

/// The cause of one error.
struct Trial {
    env: TestEnv,
    args: Vec<String>,
    variables: Vec<(String, String)>,
    exit: i32,
    /// What a person types at the question, if there is one.
    answer: Option<&'static str>,
    /// What must be kept alive while the program runs.
    _servers: Vec<ScriptedServer>,
}

/// A valid run, to be made invalid.
fn run() -> Trial {
    command("run orders.csv --yes --url https://127.0.0.1:9 --external-ip 10.120.0.0")
}

fn command(line: &str) -> Trial {
    let env = TestEnv::with_orders(1);
    let args = line.split(' ').map(str::to_owned).collect();
    Trial { env, args, variables: Vec::new(), exit: 2, answer: None, _servers: Vec::new() }
}

/// A run of this file.
fn orders(content: impl AsRef<[u8]>) -> Trial {
    let trial = run();
    trial.env.file("orders.csv", content);
    trial
}

/// A run with this configuration.
fn config(text: &str) -> Trial {
    run().file("cardcancel.toml", text)
}

/// A run whose `[auth]` is this, and with this variable.
fn auth(table: &str, variable: &str, value: &str) -> Trial {
    config(&format!("[auth]\n{table}")).variable(variable, value)
}

impl Trial {
    fn file(self, name: &str, content: impl AsRef<[u8]>) -> Trial {
        self.env.file(name, content);
        self
    }

    fn mode(self, name: &str, mode: u32) -> Trial {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(self.env.path(name), mode).unwrap();
        self
    }

    fn with(mut self, flags: &[&str]) -> Trial {
        self.args.extend(flags.iter().map(|&flag| flag.to_owned()));
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Trial {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    fn exits(self, exit: i32) -> Trial {
        Trial { exit, ..self }
    }

    fn answers(self, answer: &'static str) -> Trial {
        Trial { answer: Some(answer), ..self }
    }

    /// The server lives as long as the trial.
    fn at(mut self, server: ScriptedServer) -> Trial {
        self._servers.push(server);
        self
    }

    fn all_output(&self) -> String {
        let args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        let mut command = self.env.command(&args);
        command.envs(self.variables.iter().cloned());
        if let Some(answer) = self.answer {
            let mut terminal = Terminal::with(command);
            terminal.sees("Type yes to send:\n").types(answer);
            let (code, seen) = terminal.ends();
            assert_eq!(code, Some(self.exit), "{args:?}: {seen}");
            return seen;
        }
        let outcome = crate::common::ProgramOutput::from(command.output().unwrap());
        assert_eq!(outcome.code, Some(self.exit), "{args:?}: {}", outcome.report());
        outcome.all_output()
    }
}

/// A listing with each error below its cause.
#[derive(Default)]
struct Listing(String);

impl Listing {
    fn chapter(&mut self, title: &str, trials: Vec<(&str, Trial)>) {
        let _ = writeln!(self.0, "# {title}\n");
        for (what, trial) in trials {
            let _ = writeln!(self.0, "{what}\n{}", indented(&trial.all_output()));
        }
    }
}

fn indented(text: &str) -> String {
    let line = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") };
    text.lines().map(line).collect()
}

fn gzipped(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn every_error_says_what_is_wrong_and_where_and_what_to_do() {
    let mut listing = Listing::default();
    listing.chapter("What must be set", what_must_be_set());
    listing.chapter("Values", values());
    listing.chapter("The configuration file", the_configuration_file());
    listing.chapter("Tables of the configuration file", tables());
    listing.chapter("Secrets", secrets());
    listing.chapter("Tokens", tokens());
    listing.chapter("Certificates", certificates());
    listing.chapter("The proxy", proxies());
    listing.chapter("What is found out with the first call", first_calls());
    listing.chapter("What is asked before anything is sent", questions());
    listing.chapter("Who may write what decides", who_may_write());
    listing.chapter("The file of orders as a whole", files());
    listing.chapter("Columns", columns());
    listing.chapter("Rows", rows());
    listing.chapter("Results that are run again", reruns());
    listing.chapter("Where things go", places());
    listing.chapter("A ledger that several machines share", databases());
    let _guard = crate::common::redact_varying();
    insta::assert_snapshot!("all", listing.0);
}

fn what_must_be_set() -> Vec<(&'static str, Trial)> {
    let profiles = "[profile.production]\nurl = 'https://a.example'\n\
        [profile.sandbox]\nurl = 'https://b.example'\n[profile.slow]\nrate = '1/s'\n";
    let homeless = run().variable("HOME", "").variable("XDG_STATE_HOME", "");
    vec![
        ("neither address", command("run orders.csv")),
        ("no address of the end user", command("run orders.csv --url https://127.0.0.1:9")),
        (
            "no profile where there are some",
            command("run orders.csv --external-ip 10.0.0.1").file("cardcancel.toml", profiles),
        ),
        (
            "nobody to ask",
            command("run orders.csv --url https://127.0.0.1:9 --external-ip 10.0.0.1"),
        ),
        ("no home", homeless),
        ("no command", command("runn orders.csv")),
        ("no file", command("run")),
    ]
}

fn values() -> Vec<(&'static str, Trial)> {
    let flag = |flag: &str| run().with(&[flag]);
    let address =
        |url: &str| command(&format!("run orders.csv --yes --external-ip 10.120.0.0 --url={url}"));
    vec![
        ("a flag that there is not", flag("--cutoff=03:30")),
        ("a rate without its time", flag("--rate=50")),
        ("a rate of nothing", flag("--rate=0/s")),
        ("unlimited beside a rate", run().with(&["--rate=unlimited", "--rate=5/s"])),
        ("no calls at the same time", flag("--concurrency=0")),
        ("a length of time without its unit", flag("--timeout=30")),
        ("no time at all", flag("--timeout=0s")),
        ("too many attempts", flag("--attempts=101")),
        ("a word for a number", flag("--attempts=many")),
        ("neither of two words", flag("--on-doubt=ask")),
        ("no time of day", flag("--cut-off=25:00")),
        ("no time zone", flag("--cut-off=03:30[Mars]")),
        ("a system's time zone that is none", flag("--cut-off=03:30").variable("TZ", "Mars")),
        ("a date that is over", flag("--cut-off=2026-01-31T03:30[UTC]")),
        ("one time for a window", flag("--start-window=22:00")),
        ("a window of no time", flag("--start-window=22:00-22:00")),
        ("a window in no time zone", flag("--start-window=22:00-03:00[Mars]")),
        ("no number of failures", flag("--max-failures=few")),
        ("a share of nothing", flag("--max-failures=0%")),
        ("neither yes nor no", flag("--quiet=maybe")),
        ("more than one character", flag("--delimiter=;;")),
        ("a time zone that there is not", flag("--request-time=Mars")),
        ("a field that is too long", flag("--language=far-too-long")),
        ("a placeholder that there is not", flag("--session-id={night}")),
        ("http to another machine", address("http://a.example")),
        ("no address", address("a.example")),
        ("another scheme", address("ftp://a.example")),
        ("a password in the address", address("https://me:s3cret@a.example")),
        ("a query in the address", address("https://a.example/?key=s3cret")),
        ("too long a time", flag("--timeout=2h")),
        ("an outage without its unit", flag("--max-outage=15")),
        ("no outage at all", flag("--max-outage=0s")),
        ("too long an outage", flag("--max-outage=1000h")),
        ("no rows at all", flag("--max-rows=0")),
        ("no number of failures in a row", flag("--max-consecutive-failures=0")),
        ("no number of the same code", flag("--max-consecutive-same-code=some")),
        ("no number of lost answers", flag("--max-consecutive-doubts=-1")),
        ("no first rows", flag("--canary=0")),
        ("no number of rows", flag("--expect-rows=all")),
        ("no SHA-256", flag("--expect-sha256=abc")),
        ("another look of log lines", flag("--log-format=xml")),
        ("another importance of log lines", flag("--log-level=loud")),
        ("a variable", run().variable("CARDCANCEL_RATE", "50")),
        ("a variable that there is not", run().variable("CARDCANCEL_CUTOFF", "03:30")),
        ("a variable like no other", run().variable("CARDCANCEL_ZZZ", "03:30")),
        ("a flag of other programs", flag("--dry-run")),
        ("another flag of other programs", flag("--force")),
        ("a switch of the environment", run().variable("CARDCANCEL_QUIET", "maybe")),
    ]
}

fn the_configuration_file() -> Vec<(&'static str, Trial)> {
    let profile = |text: &str| config(text).with(&["--profile=sandbx"]);
    vec![
        ("a file that is not there", run().with(&["--config=night.toml"])),
        ("a folder", run().with(&["--config=home"])),
        ("a profile without a file", run().with(&["--profile=sandbox"])),
        ("a profile by nearly its name", profile("[profile.sandbox]")),
        ("a profile by another name", profile("[profile.production]")),
        ("a profile where there is none", profile("")),
        ("what is not TOML", config("quiet = true\nurl = https://a")),
        ("text that is not UTF-8", config("").file("cardcancel.toml", b"url = '\xff'")),
        ("the same key twice", config("quiet = true\nquiet = true")),
        ("the same key, written otherwise", config("cut_off = '03:30'\ncut-off = '04:30'")),
        ("a key that there is not", config("quiet = true\n\nratee = '50/s'")),
        ("a key like no other", config("zzz = 1")),
        ("a key that is a flag only", config("config = 'night.toml'")),
        ("a profile without its name", config("profile = 'sandbox'")),
        ("a profile that is no table", config("[profile]\nsandbox = 1")),
        ("a bad value", config("\nrate = 50")),
        ("a bad value within a list", config("rate = ['50/s', '9']")),
        ("a value of another kind", config("quiet = 'on'")),
        ("neither of two words", config("on_doubt = 'ask'")),
        ("a bad key in a profile that is not used", config("[profile.p]\nrat = '5/s'")),
        ("a bad value in a profile that is not used", config("[profile.p]\n\nrate = 5")),
    ]
}

fn tables() -> Vec<(&'static str, Trial)> {
    let rehearsal = |text: &str| config(text).with(&["--rehearse"]);
    vec![
        ("a table that there is not", config("[code]")),
        ("[auth] without its kind", config("\n[auth]\nusername = 'me'")),
        ("[auth] of another kind", config("[auth]\nkind = 'digest'")),
        ("[auth] lacks a key", config("[auth]\nkind = 'basic'")),
        ("[auth] has a key by nearly its name", config("[auth]\nkind = 'basic'\nusernam = 'me'")),
        ("[auth] holds a secret", config("[auth]\nkind = 'bearer'\ntoken = 's3cret'")),
        (
            "[auth] of a profile that is not used",
            config("[profile.p.auth]\nkind = 'headers'\n\nname = ['A']"),
        ),
        ("[auth] names no header", config("[auth]\nkind = 'headers'\nnames = []")),
        (
            "[auth] names a header that cannot be",
            config("[auth]\nkind = 'headers'\nnames = ['a b']"),
        ),
        (
            "[auth] names a header of the client's own",
            config("[auth]\nkind = 'headers'\nnames = ['Host']"),
        ),
        ("[auth] names a header twice", config("[auth]\nkind = 'headers'\nnames = ['A', 'a']")),
        (
            "[auth] with a colon in the user's name",
            config("[auth]\nkind = 'basic'\nusername = 'a:b'"),
        ),
        ("[auth] that is no table", config("auth = 'bearer'")),
        ("[codes] with another meaning", config("[codes]\nA = 'retry'\nB = 'maybe'")),
        (
            "[rehearsal] has a key by nearly its name",
            rehearsal("[rehearsal]\nseed = 1\nlatancy = '1ms'"),
        ),
        ("[rehearsal] has a key like no other", config("[rehearsal]\nzzz = 1")),
        (
            "[rehearsal] of a profile that is not used",
            config("[profile.p.rehearsal]\nprinte = '1%'"),
        ),
        ("[rehearsal] with a bad value", rehearsal("[rehearsal]\nseed = 1\nprinted = 'some'")),
        ("[rehearsal] with too much", rehearsal("[rehearsal]\nprinted = '60%'\nunknown = '60%'")),
    ]
}

fn secrets() -> Vec<(&'static str, Trial)> {
    let bearer = |variable, value| auth("kind = 'bearer'", variable, value);
    let twice = bearer("CARDCANCEL_BEARER_TOKEN", "s3cret");
    vec![
        ("no token", config("[auth]\nkind = 'bearer'")),
        ("no password", config("\n[auth]\nkind = 'basic'\nusername = 'me'")),
        (
            "one of two headers",
            auth("kind = 'headers'\nnames = ['A', 'B-C']", "CARDCANCEL_HEADER_A", "s3cret"),
        ),
        ("an empty variable", bearer("CARDCANCEL_BEARER_TOKEN", "")),
        ("in two places", twice.variable("CARDCANCEL_BEARER_TOKEN_FILE", "token")),
        ("a line break in it", bearer("CARDCANCEL_BEARER_TOKEN", "s3\ncret")),
        ("a file that is not there", bearer("CARDCANCEL_BEARER_TOKEN_FILE", "token")),
        (
            "a file that others can read",
            bearer("CARDCANCEL_BEARER_TOKEN_FILE", "token").file("token", "x").mode("token", 0o644),
        ),
        (
            "an empty file",
            bearer("CARDCANCEL_BEARER_TOKEN_FILE", "token")
                .file("token", "\n")
                .mode("token", 0o600),
        ),
        ("a folder for a file", bearer("CARDCANCEL_BEARER_TOKEN_FILE", "home")),
        (
            "a file that is no text",
            bearer("CARDCANCEL_BEARER_TOKEN_FILE", "token")
                .file("token", b"\xff")
                .mode("token", 0o600),
        ),
        (
            "no secret for the token server",
            config("[auth]\nkind = 'oauth2'\ntoken_url = 'https://127.0.0.1:9'\nclient_id = 'me'"),
        ),
    ]
}

/// A run with a token from this address.
fn oauth2(token_url: &str) -> Trial {
    auth(
        &format!("kind = 'oauth2'\ntoken_url = '{token_url}'\nclient_id = 'me'"),
        "CARDCANCEL_OAUTH2_CLIENT_SECRET",
        "s3cret",
    )
}

/// A run with a token from a server with this answer.
fn token_server(answer: Vec<u8>) -> Trial {
    let server = ScriptedServer::always(Behavior::Respond(answer));
    oauth2(&format!("{}/token", server.url())).at(server)
}

fn tokens() -> Vec<(&'static str, Trial)> {
    let refusal =
        |error: &str| with_headers("400 Bad Request", &[], &format!(r#"{{"error":"{error}"}}"#));
    let command = |words: &str| config(&format!("[auth]\nkind = 'command'\ncommand = {words}"));
    let shell = |script: &str| command(&format!("['sh', '-c', '{script}']"));
    vec![
        ("a token server without an address", config("[auth]\nkind = 'oauth2'\nclient_id = 'me'")),
        ("no address", oauth2("id.example.com")),
        ("http to another machine", oauth2("http://id.example.com")),
        ("a password in the address", oauth2("https://me:s3cret@id.example.com")),
        ("nobody there", oauth2("https://127.0.0.1:9")),
        ("another secret", token_server(refusal("invalid_client"))),
        ("another scope", token_server(refusal("invalid_scope"))),
        ("words of its own", token_server(refusal("s3cret is wrong"))),
        ("nothing there", token_server(status("404 Not Found"))),
        (
            "elsewhere",
            token_server(with_headers("302 Found", &["Location: https://a.example"], "")),
        ),
        ("no JSON", token_server(with_headers("200 OK", &[], "<html>"))),
        ("no token", token_server(json("{}"))),
        ("another kind of token", token_server(json(r#"{"access_token":"t","token_type":"mac"}"#))),
        ("an answer without end", token_server(json(&"x".repeat(100_000)))),
        ("no command", command("[]")),
        ("a command that is not there", command("['no-such-command']")),
        ("a command that fails", shell("echo log in first >&2; exit 3")),
        ("a command that prints more than a token", shell("echo this is no token")),
        ("a command that prints nothing", shell("true")),
        ("a command that takes long", command("['sleep', '60']\ntime_limit = '50ms'")),
        ("a lifetime without its unit", command("['date']\nlifetime = '10'")),
    ]
}

fn certificates() -> Vec<(&'static str, Trial)> {
    let with_papers = || {
        let (trial, authority) = (run(), Authority::new());
        authority.issue().write(trial.env.folder(), "ours");
        authority.issue().write(trial.env.folder(), "other");
        trial.file("text.pem", "no PEM at all").mode("text.pem", 0o600)
    };
    let ca = |file: &str| with_papers().with(&["--ca-file", file]);
    let ours = |certificate: &str, key: &str| {
        with_papers().with(&["--client-cert-file", certificate, "--client-key-file", key])
    };
    vec![
        ("authorities that are not there", ca("gone.pem")),
        ("authorities that are none", ca("text.pem")),
        ("authorities in a folder", ca("home")),
        ("a certificate without its key", with_papers().with(&["--client-cert-file", "ours.pem"])),
        ("a certificate that is not there", ours("gone.pem", "ours.key")),
        ("a certificate that is none", ours("text.pem", "ours.key")),
        ("a key that is not there", ours("ours.pem", "gone.key")),
        ("a key that is none", ours("ours.pem", "text.pem")),
        ("the key of another", ours("ours.pem", "other.key")),
        ("a key that others can read", ours("ours.pem", "ours.key").mode("ours.key", 0o644)),
    ]
}

fn proxies() -> Vec<(&'static str, Trial)> {
    let proxy = |address: &str| run().with(&["--proxy", address]);
    let named =
        |name: &str| proxy("http://127.0.0.1:9").variable("CARDCANCEL_PROXY_USERNAME", name);
    let passing = ConnectProxy::requiring("Basic nobody");
    let absent = proxy("http://127.0.0.1:9").exits(4);
    absent.env.orders(10);
    let soon = ["--quiet", "--concurrency=1", "--rate=unlimited", "--max-outage=10ms"];
    vec![
        ("no address", proxy("proxy:3128")),
        ("another scheme", proxy("https://proxy:3128")),
        ("a password in the address", proxy("http://me:s3cret@proxy:3128")),
        ("a user without a password", named("me")),
        (
            "a colon in the user's name",
            named("a:b").variable("CARDCANCEL_PROXY_PASSWORD", "s3cret"),
        ),
        ("a proxy that wants a password", proxy(&passing.url()).with(&["--quiet"]).exits(4)),
        ("a proxy that is not there", absent.with(&soon)),
    ]
}

/// A run of twenty orders, one after another, at a server with this answer.
fn answered(answer: Vec<u8>) -> Trial {
    let server = ScriptedServer::always(Behavior::Respond(answer));
    let url = server.url();
    let trial = command(&format!("run orders.csv --yes --external-ip 10.120.0.0 --url {url}"));
    trial.env.orders(20);
    trial.with(&["--quiet", "--concurrency=1", "--rate=unlimited"]).exits(4).at(server)
}

/// A run of one order at a server with this certificate, which may require one of its client.
fn over_tls(certificate: &CertKeyPair, clients: Option<&Authority>) -> Trial {
    let server = ScriptedServer::over_tls(certificate.server(clients), |_, _| Behavior::Close);
    let url = server.https_url();
    let trial = command(&format!("run orders.csv --yes --external-ip 10.120.0.0 --url {url}"));
    trial.with(&["--quiet"]).exits(4).at(server)
}

fn first_calls() -> Vec<(&'static str, Trial)> {
    let code = r#"{"Status":false,"ErrorCode":"ERR9","Message":"the night's work is over"}"#;
    let authority = Authority::new();
    let trusting = |trial: Trial| trial.file("ca.pem", authority.pem()).with(&["--ca-file=ca.pem"]);
    let expired = over_tls(&authority.issue(), Some(&authority));
    authority.issue_expired().write(expired.env.folder(), "ours");
    vec![
        ("credentials that are refused", answered(status("401 Unauthorized"))),
        ("an address that may not be called", answered(status("403 Forbidden"))),
        ("an address where CoreCARD is not", answered(status("404 Not Found"))),
        ("an address that leads elsewhere", answered(status("302 Found"))),
        (
            "a code that stops the run",
            answered(json(code)).file("cardcancel.toml", "[codes]\nERR9 = 'stop'"),
        ),
        ("a certificate of nobody known", over_tls(&authority.issue(), None)),
        (
            "a certificate for another",
            trusting(over_tls(&authority.issue_for_another_host(), None)),
        ),
        ("a certificate of the past", trusting(over_tls(&authority.issue_expired(), None))),
        ("no certificate of our own", trusting(over_tls(&authority.issue(), Some(&authority)))),
        (
            "a certificate of our own of the past",
            trusting(expired).with(&["--client-cert-file=ours.pem", "--client-key-file=ours.key"]),
        ),
    ]
}

/// This time, or a second later: a full minute is shown without its seconds.
fn between_minutes(time: Timestamp) -> Timestamp {
    let is_full_minute = time.as_second() % 60 == 0;
    time + SignedDuration::from_secs(is_full_minute.into())
}

fn questions() -> Vec<(&'static str, Trial)> {
    let asked = || command("run orders.csv --url https://127.0.0.1:9 --external-ip 10.0.0.1");
    let in_ten_hours = between_minutes(Timestamp::now() + SignedDuration::from_hours(10));
    let cut_off = format!("--cut-off={}[UTC]", in_ten_hours.strftime("%FT%T"));
    let late = || run().with(&["--rate=1/h", &cut_off]);
    let just_passed = between_minutes(Timestamp::now() - SignedDuration::from_secs(2));
    let over = run().with(&[&just_passed.strftime("--cut-off=%T[UTC]").to_string()]);
    let closed = between_minutes(Timestamp::now() + SignedDuration::from_hours(3));
    let closed =
        format!("--start-window={}-{}[UTC]", closed.strftime("%T"), in_ten_hours.strftime("%T"));
    let many = run().with(&["--max-rows=2"]);
    many.env.orders(3);
    let too_many_for_the_night = late();
    too_many_for_the_night.env.orders(100);
    vec![
        ("more rows than expected", many),
        ("an answer that is not yes", asked().answers("y")),
        ("more rows than there is time for", too_many_for_the_night),
        ("a cut-off that has just passed", over),
        ("a start outside of the hours for it", run().with(&[&closed])),
    ]
}

fn who_may_write() -> Vec<(&'static str, Trial)> {
    let ledger = || run().file("night.db", "").with(&["--ledger=night.db"]);
    vec![
        ("everyone may write the configuration", config("").mode("cardcancel.toml", 0o646)),
        ("everyone may write the ledger", ledger().mode("night.db", 0o666)),
        (
            "everyone may write the ledger's log",
            ledger().file("night.db-wal", "").mode("night.db-wal", 0o666),
        ),
    ]
}

fn files() -> Vec<(&'static str, Trial)> {
    let packed = gzipped(b"admin,seq\n1,1\n2,1\n");
    let long = format!("admin,seq,note\n1,1,{}", "x".repeat(2_000_000));
    let spool = command("check -").variable("TMPDIR", "/dev/null/tmp");
    vec![
        ("no such file", command("check night.csv")),
        ("a folder", command("check home")),
        ("a path through a file", command("check orders.csv/night.csv")),
        ("a file that fails as it is read", command("check /proc/self/mem")),
        ("no room to put standard input aside", spool),
        ("an empty file", orders("")),
        ("nothing but blank lines", orders("\n\n")),
        ("a header alone", orders("admin,seq\n")),
        ("NUL bytes", orders(b"admin,seq\n1,\0\0\0\n")),
        ("a workbook", orders(b"PK\x03\x04 and so on")),
        ("UTF-16", orders(b"\xff\xfea\0d\0m\0i\0n\0")),
        ("CR alone", orders("admin,seq\r1,1\r2,1\r")),
        ("a web page", orders("<!DOCTYPE html>\n<html></html>\n")),
        ("JSON", orders("[{\"AdminNumber\":1}]\n")),
        ("another compression", orders(b"\x28\xb5\x2f\xfd\x01\x01")),
        ("a damaged gzip file", orders(&packed[..packed.len() - 12])),
        ("a quote that is not closed", orders("admin,seq,note\n1,1,fine\n2,1,\"open\n3,1,lost\n")),
        ("a row without end", orders(long)),
        ("another number of rows", run().with(&["--expect-rows=20000"])),
        ("another SHA-256", run().with(&["--expect-sha256", &"0".repeat(64)])),
        ("another SHA-256 beside it", run().file("orders.csv.sha256", "0".repeat(64))),
        ("a checksum that is none", run().file("orders.csv.sha256", "to do\n")),
    ]
}

fn columns() -> Vec<(&'static str, Trial)> {
    let row = |row: u32| format!("{row},{}\n", 129_409 + row);
    let counted = format!("seq,admin\n{}", (1..=20).map(row).collect::<String>());
    let rounded = "admin,seq\n991214063350642000,1\n881214063350713000,1\n";
    vec![
        ("no admin number", orders("Account,CardSequenceNumber\n1,1\n")),
        ("no sequence number", orders("AdminNumber,Card\n1,1\n")),
        ("one column only", orders("admin:seq\n1:1\n")),
        ("no header", orders("129409,1\n129410,1\n")),
        ("a title above the header", orders("Orders of 25 November\nadmin,seq\n1,1\n")),
        ("another header among the rows", orders("admin,seq\n1,1\nseq,admin\n1,2\n")),
        ("a name that says little", orders("Sequence,Admin,Card Seq No\n1,1,1\n")),
        ("a column that counts the rows", orders(counted)),
        ("numbers that a spreadsheet rounded", orders(rounded)),
        ("two admin numbers", orders("admin,AdminNumber,seq\n1,1,1\n")),
        ("the same name twice", orders("admin,admin,seq\n1,1,1\n")),
        ("a name that there is not", run().with(&["--admin-column=Account"])),
        ("no such priority", run().with(&["--priority-column=Urgency"])),
        (
            "two that may say the priority",
            orders("admin,seq,Due,due\n1,1,1,1\n").with(&["--priority-column=DUE"]),
        ),
        (
            "one column for both",
            orders("key,b\n1,1\n").with(&["--admin-column=key", "--sequence-column=key"]),
        ),
        ("a card number for a name", orders("admin,seq,4111111111111111\n1,1,1\n")),
    ]
}

fn rows() -> Vec<(&'static str, Trial)> {
    let bad = "admin,seq,note\n,1,\n1,,\n+4,1,\n-4,1,\n5.0,1,\n\"6,000\",1,\n7 000,1,\n8e3,1,\n\
        9223372036854775808,1,\nten,1,\n'11,1,\n12,2147483648,\n13,1.5,\n14,1\n15,1,a,b\n\
        16,1,4111111111111111\n17,1,first\n17,01,again\n";
    let damaged = "admin,seq,note\n\"1\"1,1,\n2,\"1\"2,\n3,1,\0\n4,1,\"open\n5,1,closed\"\n,,\n6,1";
    let check = || command("check orders.csv").exits(1);
    vec![
        ("each thing that can be wrong with a row", check().file("orders.csv", bad)),
        ("each kind of damage", check().file("orders.csv", damaged)),
    ]
}

fn reruns() -> Vec<(&'static str, Trial)> {
    let rerun = |content: &str| {
        command("rerun r.csv --yes --url https://127.0.0.1:9 --external-ip 10.0.0.1")
            .file("r.csv", content)
    };
    vec![
        ("a file of orders", rerun("admin,seq\n1,1\n")),
        ("a row without a status", rerun("admin,seq,status,doubt\n1,1,failed,\n2,1,,\n")),
        ("a row with another status", rerun("admin,seq,status,doubt\n1,1,done,\n")),
        (
            "a doubt that is neither",
            rerun("admin,seq,status,doubt\n1,1,not_sent,FALSCH\n2,1,failed,perhaps\n"),
        ),
        ("a status column of another program", rerun("admin,seq,Status\n1,1,Failed\n")),
        (
            "results that no run of this ledger wrote",
            rerun("admin,seq,status,doubt\n1,1,cancelled,\n2,1,failed,\n"),
        ),
        (
            "results that are to be run",
            run().file("orders.csv", "admin,seq,status,doubt\n1,1,cancelled,\n2,1,failed,\n"),
        ),
        ("two columns of the status", rerun("admin,seq,status,Status\n1,1,failed,failed\n")),
        (
            "a word that is neither a status nor a code",
            rerun("admin,seq,status,doubt,error_code\n1,1,cancelled,,ERR1\n")
                .with(&["--only=faild,ERR9"]),
        ),
    ]
}

fn databases() -> Vec<(&'static str, Trial)> {
    let at = |address: &str| run().variable("CARDCANCEL_LEDGER", address);
    let work = |flags: &str| {
        let needed = "worker --url https://127.0.0.1:9 --external-ip 10.120.0.0";
        command(&format!("{needed} {flags}"))
    };
    let nobody = "postgres://me@127.0.0.1:9/night";
    let secret = |trial: Trial| trial.variable("CARDCANCEL_LEDGER_PASSWORD", "s3cret");
    vec![
        ("a password on the command line", run().with(&["--ledger=postgres://me:s3cret@h/db"])),
        (
            "a password among the parameters on the command line",
            run().with(&["--ledger=postgres://h/db?password=s3cret"]),
        ),
        ("a password that is not written as it must be", at("postgres://me:s3@cret@h/db")),
        ("a password among the parameters", at("postgres://h/db?password=s3cret")),
        ("two passwords", secret(at("postgres://me:s3cret@h/db"))),
        (
            "a password's file that is not there",
            at(nobody).variable("CARDCANCEL_LEDGER_PASSWORD_FILE", "password"),
        ),
        ("a database of another kind", run().with(&["--ledger=redis://me:s3cret@host/db"])),
        ("no database in the address", at("postgres://me@host")),
        ("encryption that is none", at("postgres://me@host/db?sslmode=prefer")),
        ("authorities that are not there", at("postgres://me@host/db?sslrootcert=/nowhere/ca.pem")),
        ("a database that is not there", secret(at(nobody)).exits(5)),
        (
            "the runs of a database that is not there",
            secret(command("runs").with(&["--ledger", nobody])).exits(5),
        ),
        ("a lease that is too short", run().with(&["--lease=1s"])),
        ("work on a file", work("--ledger night.db")),
        ("work on no ledger", work("--concurrency 5")),
        ("work that rehearses", work("--ledger night.db").variable("CARDCANCEL_REHEARSE", "yes")),
        ("work at another pace", work("--rate 5/s")),
        ("work until another time", work("--cut-off 03:30")),
        ("work on a file of orders", work("orders.csv")),
    ]
}

fn places() -> Vec<(&'static str, Trial)> {
    let linked = run();
    std::os::unix::fs::symlink("elsewhere.csv", linked.env.path("orders.results.csv")).unwrap();
    let no_ledger = run().file("letter.txt", "Dear Sir or Madam, this is no database at all.\n");
    vec![
        ("results in a folder that is not there", run().with(&["-o", "nowhere/results.csv"])),
        ("results over another file", run().file("orders.results.csv", "precious")),
        ("results through a link", linked),
        ("results for a folder", run().with(&["-o", "home"])),
        ("a log in a folder that is not there", run().with(&["--log-file=nowhere/night.log"])),
        ("a log for a folder", run().with(&["--log-file=home"])),
        ("metrics in a folder that is not there", run().with(&["--metrics-file=nowhere/m.prom"])),
        ("metrics for a folder", run().with(&["--metrics-file=home"])),
        ("a ledger that is none", no_ledger.with(&["--ledger=letter.txt"])),
        ("a ledger below a file", run().with(&["--ledger=orders.csv/night.db"])),
        ("a run that there is not", command("runs 20260101-000000-abcd")),
        (
            "a configuration over another",
            command("config init").file("cardcancel.toml", "precious"),
        ),
        ("a configuration below a file", command("config init orders.csv/c.toml")),
    ]
}
