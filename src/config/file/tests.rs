//! What is read from a file, and what is wrong with one.

use super::*;
use insta::assert_snapshot;

fn section(text: &str, profile: Option<&str>) -> Section {
    ConfigFile::parse("night.toml", text).unwrap().section(profile).unwrap()
}

fn error(text: &str) -> String {
    ConfigFile::parse("night.toml", text).unwrap_err().to_string()
}

fn options(text: &str, profile: Option<&str>) -> Options {
    section(text, profile).settings.options().unwrap()
}

#[test]
fn keys_are_read_with_underscores_or_hyphens() {
    let options = options("cut_off = '03:30'\nexternal-ip = '10.0.0.1'", None);
    assert_eq!(options.cut_off, Some("03:30".parse().unwrap()));
    assert_eq!(options.external_ip.as_deref(), Some("10.0.0.1"));
}

#[test]
fn values_read_as_flags_do_and_plain_numbers_need_no_quotes() {
    let text = "rate = ['50/s', '1000/m']\nmax_failures = 25\ntimeout = '500ms'\nyes = true\n\
        max_rows = 0x1_0";
    let set = options(text, None);
    assert_eq!(set.rate.unwrap().len(), 2);
    assert_eq!(set.max_failures, Some("25".parse().unwrap()));
    assert_eq!(set.yes, Some(true));
    assert_eq!(set.max_rows, Some("16".parse().unwrap()));
    assert_eq!(options("rate = '50/s,1000/m'", None).rate.unwrap()[0].as_slice().len(), 2);
}

#[test]
fn a_profile_overrides_the_top_level_and_leaves_the_rest() {
    let text = "rate = '50/s'\nattempts = 5\n[profile.sandbox]\nrate = '1/s'\n[profile.b]";
    let sandbox = options(text, Some("sandbox"));
    assert_eq!(sandbox.rate, Some(vec!["1/s".parse().unwrap()]));
    assert_eq!(sandbox.attempts, Some("5".parse().unwrap()));
    assert_eq!(options(text, None).rate, Some(vec!["50/s".parse().unwrap()]));
}

#[test]
fn a_profiles_table_replaces_the_top_levels_whole() {
    let text = "[codes]\nA = 'retry'\n[auth]\nkind = 'basic'\nusername = 'me'\n\
        [profile.p.codes]\nB = 'stop'\n[profile.p.auth]\nkind = 'none'";
    let profile = section(text, Some("p"));
    assert_eq!(profile.codes.unwrap().0.into_keys().collect::<Vec<_>>(), ["B"]);
    let (auth, place) = profile.auth.unwrap();
    assert_eq!(auth.len(), 1);
    assert_eq!(place, "night.toml:8: [auth]");
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_known_one() {
    assert_snapshot!(error("yes = true\n\nratee = '50/s'"), @r#"night.toml:3: there is no setting "ratee"; did you mean "rate"?"#);
    assert_snapshot!(error("[profile.p]\ncutoff = '03:30'"), @r#"night.toml:2: there is no setting "cutoff"; did you mean "cut_off"?"#);
    assert_snapshot!(error("[code]"), @r#"night.toml:1: there is no setting "code"; did you mean "codes"?"#);
    assert_snapshot!(error("zzz = 1"), @r#"night.toml:1: there is no setting "zzz"; `cardcancel config show` lists all settings"#);
    assert_snapshot!(error("config = 'a.toml'"), @r#"night.toml:1: there is no setting "config"; `cardcancel config show` lists all settings"#);
}

#[test]
fn what_a_number_can_be_is_said_in_words() {
    assert_snapshot!(error("[rehearsal]\ntoken_lifetime = '2'"), @r#"night.toml:2: [rehearsal]: invalid type: string "2", expected a whole number from 0 to 4294967295"#);
    assert_snapshot!(error("[rehearsal]\nseed = -1"), @"night.toml:2: [rehearsal]: invalid value: integer `-1`, expected a whole number, 0 or more");
}

#[test]
fn a_bad_value_is_named_with_its_line() {
    assert_snapshot!(error("\nrate = 50"), @"night.toml:2: rate: the rate 50 has no unit: write 50/s, 50/m or 50/h");
    assert_snapshot!(error("attempts = -1"), @r#"night.toml:1: attempts: "-1" is not a whole number from 1 to 100"#);
    assert_snapshot!(error("yes = 'on'"), @r#"night.toml:1: yes: invalid type: string "on", expected a boolean"#);
    assert_snapshot!(error("on_doubt = 'ask'"), @"night.toml:1: on_doubt: write retry or leave");
    assert_snapshot!(error("rate = []"), @"night.toml:1: rate: the list is empty; write a value, or leave the key out");
    assert_snapshot!(error("rate = ['50/s', true]"), @"night.toml:1: rate: invalid type: boolean `true`, expected a text in quotes");
    assert_snapshot!(error("concurrency = 1.5"), @"night.toml:1: concurrency: invalid type: floating point `1.5`, expected a text in quotes");
    assert_snapshot!(error("caller_id = 7204454214"), @"night.toml:1: caller_id: invalid type: integer `7204454214`, expected a string");
    assert_snapshot!(error("results = ''"), @"night.toml:1: results: the value is empty");
    assert_snapshot!(error("[codes]\nA = 'retry'\nB = 'maybe'"), @"night.toml:3: codes: unknown variant `maybe`, expected one of `already_cancelled`, `printed`, `not_found`, `retry`, `stop`");
    assert_snapshot!(error("profile = 'sandbox'"), @"night.toml:1: profile must be a table: write its settings under [profile.NAME]");
    assert_snapshot!(error("cut_off = '03:30'\ncut-off = '04:30'"), @"night.toml:2: cut_off is set twice; keep one of them");
}

#[test]
fn what_is_not_toml_is_named_with_its_line() {
    assert_snapshot!(error("yes = true\nurl = https://a"), @"night.toml:2: string values must be quoted, expected literal string");
    assert_snapshot!(error("yes = true\nyes = true"), @"night.toml:2: this key appears twice; keep one of them");
}

#[test]
fn an_unknown_profile_is_named_with_those_that_there_are() {
    let error = |text: &str, profile: &str| {
        ConfigFile::parse("night.toml", text)
            .unwrap()
            .section(Some(profile))
            .unwrap_err()
            .to_string()
    };
    let text = "[profile.sandbox]\n[profile.production]";
    assert_snapshot!(error(text, "sandbx"), @r#"night.toml has no profile "sandbx": did you mean "sandbox"?"#);
    assert_snapshot!(error(text, "x"), @r#"night.toml has no profile "x": it has production, sandbox"#);
    assert_snapshot!(error("", "x"), @r#"night.toml has no profile "x": it has none; add a table [profile.x]"#);
}

#[test]
fn the_table_of_seals_names_a_file_and_a_command() {
    let section =
        section("[seal]\nwitness = 'seals'\ncommand = ['stamp', '-q']\n[profile.p.seal]", None);
    let seal = section.seal.unwrap();
    assert_eq!(seal.witness.as_deref(), Some(std::path::Path::new("seals")));
    assert!(seal.command.is_some());
    let profile = self::section("[seal]\nwitness = 'seals'\n[profile.p.seal]", Some("p"));
    assert_eq!(profile.seal, Some(SealSettings::default()));
    assert_snapshot!(error("[seal]\nwitnes = 'seals'"), @r#"night.toml:2: there is no setting "witnes" in [seal]; did you mean "witness"?"#);
    assert_snapshot!(error("[seal]\nwitness = ''"), @"night.toml:1: [seal]: witness is empty: name a file, or leave it out");
    assert_snapshot!(error("[seal]\ncommand = []"), @r#"night.toml:1: [seal]: command is empty: write it as ["program", "argument"]"#);
    assert_snapshot!(error("[seal]\ncommand = 'stamp'"), @r#"night.toml:1: [seal]: invalid type: string "stamp", expected a sequence"#);
    assert_snapshot!(error("[seal]\ncommand = ['stamp']\ntime_limit = '2h'"), @r#"night.toml:1: [seal]: time_limit: "2h" is too long: write 1h or less"#);
    assert_snapshot!(error("seal = 'seals'"), @"night.toml:1: seal must be a table: write its settings under [seal]");
}
