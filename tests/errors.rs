//! Every error that a user can meet in the configuration and the input, as the
//! program says it. All of them stand in snapshots/errors__all.snap, so that they
//! can be read as one: each is to say what is wrong, where, and what to do.
//!
//! Not here, since no test can bring them about: a file that changes while it is
//! read, and one of more than four billion rows.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;

use common::Scene;

/// What leads to one error.
struct Trial {
    scene: Scene,
    args: Vec<String>,
    variables: Vec<(String, String)>,
    exit: i32,
}

/// A run that nothing is wrong with, about to be spoilt.
fn run() -> Trial {
    command("run orders.csv --yes --url https://127.0.0.1:9 --external-ip 10.120.0.0")
}

fn command(line: &str) -> Trial {
    let scene = Scene::new();
    scene.orders(1);
    let args = line.split(' ').map(str::to_owned).collect();
    Trial { scene, args, variables: Vec::new(), exit: 2 }
}

/// A run of this file.
fn orders(content: impl AsRef<[u8]>) -> Trial {
    let trial = run();
    trial.scene.file("orders.csv", content);
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
        self.scene.file(name, content);
        self
    }

    fn mode(self, name: &str, mode: u32) -> Trial {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(self.scene.path(name), mode).unwrap();
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

    fn said(&self) -> String {
        let args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        let mut command = self.scene.command(&args);
        command.envs(self.variables.iter().cloned());
        let outcome = common::Outcome::from(command.output().unwrap());
        assert_eq!(outcome.code, Some(self.exit), "{args:?}: {}", outcome.told());
        outcome.said()
    }
}

/// A listing, each error below what leads to it.
#[derive(Default)]
struct Listing(String);

impl Listing {
    fn chapter(&mut self, title: &str, trials: Vec<(&str, Trial)>) {
        let _ = writeln!(self.0, "# {title}\n");
        for (what, trial) in trials {
            let _ = writeln!(self.0, "{what}\n{}", indented(&trial.said()));
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
    listing.chapter("Who may write what decides", who_may_write());
    listing.chapter("The file of orders as a whole", files());
    listing.chapter("Columns", columns());
    listing.chapter("Rows", rows());
    listing.chapter("Results that are run again", reruns());
    listing.chapter("Where things go", places());
    let _guard = common::without_chance();
    insta::assert_snapshot!("all", listing.0);
}

fn what_must_be_set() -> Vec<(&'static str, Trial)> {
    let homeless = run().variable("HOME", "").variable("XDG_STATE_HOME", "");
    vec![
        ("neither address", command("run orders.csv")),
        ("no address of the end user", command("run orders.csv --url https://127.0.0.1:9")),
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
        ("a variable", run().variable("CARDCANCEL_RATE", "50")),
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
        ("an empty file", bearer("CARDCANCEL_BEARER_TOKEN_FILE", "token").file("token", "\n")),
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
        ("a damaged gzip file", orders(&packed[..packed.len() - 12])),
        ("a quote that is not closed", orders("admin,seq,note\n1,1,fine\n2,1,\"open\n3,1,lost\n")),
        ("a row without end", orders(long)),
    ]
}

fn columns() -> Vec<(&'static str, Trial)> {
    vec![
        ("no admin number", orders("Account,CardSequenceNumber\n1,1\n")),
        ("no sequence number", orders("AdminNumber,Card\n1,1\n")),
        ("one column only", orders("admin:seq\n1:1\n")),
        ("no header", orders("129409,1\n129410,1\n")),
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
    vec![(
        "each thing that can be wrong with a row",
        command("check orders.csv").file("orders.csv", bad).exits(1),
    )]
}

fn reruns() -> Vec<(&'static str, Trial)> {
    let rerun = |content: &str| {
        command("rerun r.csv --yes --url https://127.0.0.1:9 --external-ip 10.0.0.1")
            .file("r.csv", content)
    };
    vec![
        ("a file of orders", rerun("admin,seq\n1,1\n")),
        ("a row without a status", rerun("admin,seq,status\n1,1,failed\n2,1,\n")),
        ("a row with another status", rerun("admin,seq,status\n1,1,done\n")),
        ("two columns of the status", rerun("admin,seq,status,Status\n1,1,failed,failed\n")),
        (
            "no row of that kind",
            rerun("admin,seq,status\n1,1,cancelled\n").with(&["--only=failed"]),
        ),
    ]
}

fn places() -> Vec<(&'static str, Trial)> {
    let linked = run();
    std::os::unix::fs::symlink("elsewhere.csv", linked.scene.path("orders.results.csv")).unwrap();
    let no_ledger = run().file("letter.txt", "Dear Sir or Madam, this is no database at all.\n");
    vec![
        ("results in a folder that is not there", run().with(&["-o", "nowhere/results.csv"])),
        ("results over another file", run().file("orders.results.csv", "precious")),
        ("results through a link", linked),
        ("results for a folder", run().with(&["-o", "home"])),
        ("a ledger that is none", no_ledger.with(&["--ledger=letter.txt"])),
        ("a ledger below a file", run().with(&["--ledger=orders.csv/night.db"])),
        ("a ledger in PostgreSQL", run().with(&["--ledger=postgres://me:s3cret@host/db"])),
        ("a ledger at another address", run().with(&["--ledger=redis://me:s3cret@host/db"])),
        ("a run that there is not", command("runs 20260101-000000-abcd")),
        (
            "a configuration over another",
            command("config init").file("cardcancel.toml", "precious"),
        ),
        ("a configuration below a file", command("config init orders.csv/c.toml")),
    ]
}
