//! The layers together, as a command sees them.

use std::ffi::OsString;
use std::time::Duration;

use clap::FromArgMatches;
use insta::assert_snapshot;

use super::*;
use crate::corecard::auth::Auth;
use crate::ledger::LedgerLocation;
use crate::model::{CodeMapping, OnDoubt, Order, RowNumber};
use crate::policy::stop_rules::StopRuleSettings;

/// A directory with files in it, an environment and a command line.
struct Sources {
    directory: tempfile::TempDir,
    variables: Vec<(&'static str, OsString)>,
    flags: Vec<&'static str>,
}

impl Sources {
    fn new() -> Sources {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().as_os_str().to_owned();
        Sources { directory, variables: vec![("HOME", home)], flags: vec![] }
    }

    /// One in which nothing that must be set is missing.
    fn complete() -> Sources {
        Sources::new().flags(&["--url=https://api.example.com", "--external-ip=192.0.2.1"])
    }

    fn file(self, name: &str, text: &str) -> Sources {
        let path = self.directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// The file that is found without being named.
    fn here(self, text: &str) -> Sources {
        self.file("work/cardcancel.toml", text)
    }

    fn variable(mut self, name: &'static str, value: &str) -> Sources {
        self.variables.push((name, value.into()));
        self
    }

    fn flags(mut self, flags: &[&'static str]) -> Sources {
        self.flags.extend(flags);
        self
    }

    fn load<T>(
        &self,
        from_sources: impl Fn(Layer, &Env) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let lookup = |name: &str| {
            let mut found = self.variables.iter().filter(|(known, _)| *known == name);
            found.next().map(|(_, value)| value.clone())
        };
        let directory = self.directory.path().join("work");
        let matches = Options::command().try_get_matches_from(&self.flags).unwrap();
        let flags = Layer::from_arg_matches(&matches).unwrap();
        let names = || self.variables.iter().map(|(name, _)| name.into()).collect();
        let (lookup, names) = (&lookup, &names);
        let (directory, etc) = (&*directory, &*self.directory.path().join("etc"));
        from_sources(flags, &Env { lookup, names, directory, etc })
    }

    fn settings(&self) -> Settings {
        self.load(Settings::load).unwrap()
    }
}

fn body(settings: &Settings) -> String {
    let order = Order { admin_number: 129409, sequence_number: 1 };
    let now = "2026-07-04T05:06:07Z".parse().unwrap();
    String::from_utf8(settings.body.render(order, "night-1", RowNumber(7), 2, now)).unwrap()
}

#[test]
fn with_only_what_must_be_set_everything_else_has_its_default() {
    let sources = Sources::complete();
    let settings = sources.settings();
    assert_eq!(
        settings.target,
        TargetSettings::CoreCard("https://api.example.com".parse().unwrap())
    );
    assert_eq!(settings.rates.to_string(), "10/s");
    assert_eq!(settings.concurrency, 256);
    assert_eq!(settings.timeout, Duration::from_secs(30));
    assert_eq!(settings.attempts, 3);
    assert_eq!(settings.on_doubt, OnDoubt::Retry);
    assert_eq!((settings.cut_off.clone(), settings.max_rows), (None, None));
    assert_eq!(
        settings.stop_rules,
        StopRuleSettings { consecutive_doubts: Some(1000), ..StopRuleSettings::default() }
    );
    assert!(matches!(settings.auth, Auth::None));
    let home = sources.directory.path();
    assert_eq!(
        settings.ledger,
        LedgerLocation::File(home.join(".local/state/cardcancel/ledger.db"))
    );
    assert_eq!(settings.results, None);
    let switches = [settings.again, settings.yes, settings.quiet, settings.json];
    assert_eq!(switches, [false; 4]);
    assert_snapshot!(body(&settings), @r#"{"Source":"WEB","IPAddress":null,"DateFormat":null,"CurrencyCode":null,"CurrencySymbolType":null,"Language":null,"ExternalIP":"192.0.2.1","SessionID":null,"APIVersion":"2.0","CallerID":null,"CalledID":null,"RequestTime":null,"AdminNumber":129409,"CardSequenceNumber":1}"#);
}

#[test]
fn a_flag_beats_a_variable_beats_a_profile_beats_the_file_beats_the_default() {
    let rate = |sources: &Sources| sources.settings().rates.to_string();
    let mut sources = Sources::complete();
    assert_eq!(rate(&sources), "10/s");
    sources = sources.here("rate = '20/s'\n[profile.p]\nrate = '30/s'");
    assert_eq!(rate(&sources), "20/s");
    sources = sources.flags(&["--profile=p"]);
    assert_eq!(rate(&sources), "30/s");
    sources = sources.variable("CARDCANCEL_RATE", "40/s,400/m");
    assert_eq!(rate(&sources), "40/s,400/m");
    sources = sources.flags(&["--rate=50/s", "--rate", "500/m"]);
    assert_eq!(rate(&sources), "50/s,500/m");
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let sources = Sources::complete().here("rate = '20/s'").variable("CARDCANCEL_RATE", "");
    assert_eq!(sources.settings().rates.to_string(), "20/s");
}

#[test]
fn a_switch_can_be_turned_on_and_off_from_everywhere() {
    for (word, is_on) in [("1", true), ("true", true), ("YES", true), ("0", false), ("no", false)] {
        let sources = Sources::complete().here("yes = true").variable("CARDCANCEL_YES", word);
        assert_eq!(sources.settings().yes, is_on, "{word}");
    }
    let sources = Sources::complete().variable("CARDCANCEL_YES", "false");
    assert!(sources.flags(&["--yes"]).settings().yes);
    let sources = Sources::complete().here("yes = true").flags(&["--yes=no"]);
    assert!(!sources.settings().yes);
}

#[test]
fn the_file_is_the_named_one_else_the_one_here_else_the_users_else_the_machines() {
    let attempts = |sources: &Sources| sources.settings().attempts;
    let sources = Sources::complete().file("etc/cardcancel/cardcancel.toml", "attempts = 6");
    assert_eq!(attempts(&sources), 6);
    let sources = sources.file(".config/cardcancel/config.toml", "attempts = 7");
    assert_eq!(attempts(&sources), 7);
    let sources = sources.here("attempts = 8");
    assert_eq!(attempts(&sources), 8);
    let sources = sources.file("named.toml", "attempts = 9");
    let named = sources.directory.path().join("named.toml").display().to_string();
    assert_eq!(attempts(&sources.variable("CARDCANCEL_CONFIG", &named)), 9);
}

#[test]
fn the_tables_of_the_file_are_read() {
    let text = "[codes]\nERR01161 = 'already_cancelled'\n[auth]\nkind = 'bearer'";
    let sources = Sources::complete().here(text).variable("CARDCANCEL_BEARER_TOKEN", "s3cret");
    let settings = sources.settings();
    assert_eq!(settings.codes.get("ERR01161"), Some(CodeMapping::AlreadyCancelled));
    assert_eq!(settings.auth.headers().len(), 1);
    assert!(!format!("{settings:?}").contains("s3cret"));
}

#[test]
fn a_rehearsal_needs_nothing_and_touches_nothing_real() {
    let text = "url = 'https://api.example.com'\n[auth]\nkind = 'bearer'\n[rehearsal]\nseed = 4";
    let sources = Sources::new().here(text).flags(&["--rehearse"]);
    let settings = sources.settings();
    let TargetSettings::Rehearsal(Some(table)) = &settings.target else { unreachable!() };
    assert_eq!(table["seed"].as_integer(), Some(4));
    assert!(matches!(settings.auth, Auth::None));
    assert!(settings.ledger.to_string().ends_with("/rehearsal.db"));
    assert!(body(&settings).contains(r#""ExternalIP":"127.0.0.1""#));
    let named = sources.flags(&["--ledger=/srv/night.db"]).settings();
    assert_eq!(named.ledger, LedgerLocation::File("/srv/night.rehearsal.db".into()));
}

#[test]
fn a_check_needs_nothing_to_be_set() {
    let sources = Sources::new().flags(&["--admin-column=Admin No", "--delimiter=tab"]);
    let settings = sources.load(CheckSettings::load).unwrap();
    assert_eq!(settings.rates.to_string(), "10/s");
    assert_eq!(settings.input.admin_column.as_deref(), Some("Admin No"));
    assert_eq!(settings.input.delimiter.map(Delimiter::byte), Some(b'\t'));
}

#[test]
fn the_list_of_runs_needs_a_ledger_only() {
    let list = |sources: &Sources| sources.load(RunsSettings::load).unwrap();
    let sources = Sources::new().flags(&["--ledger=night.db"]);
    assert_eq!(list(&sources).ledger, LedgerLocation::File("night.db".into()));
    let rehearsal = list(&sources.flags(&["--rehearse"]));
    assert_eq!(rehearsal.ledger, LedgerLocation::File("night.rehearsal.db".into()));
}
