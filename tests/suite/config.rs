//! `config`: what it writes and shows.
use std::os::unix::fs::PermissionsExt;

use crate::common::{ProgramOutput, TestEnv};
use insta::assert_snapshot;
use serde_json::Value;

const NIGHT: &str = "external_ip = '192.0.2.10'\nrate = ['50/s', '100000/h']\nattempts = 5\n\n\
    [profile.production]\nurl = 'https://corecard.example.com'\nattempts = 4\n\n\
    [profile.production.auth]\nkind = 'headers'\nnames = ['X-Api-Key', 'X-Client']\n\n\
    [profile.production.codes]\nEXAMPLE01 = 'printed'\n";

/// A directory with a configuration, and the output of `config show` there.
fn shown(flags: &[&str], variables: &[(&str, &str)]) -> ProgramOutput {
    let env = TestEnv::new();
    env.file("cardcancel.toml", NIGHT);
    let mut command = env.command(&[&["config", "show"], flags].concat());
    ProgramOutput::from(command.envs(variables.iter().copied()).output().unwrap()).exits(0)
}

#[test]
fn a_new_configuration_is_the_default_one_and_private() {
    let env = TestEnv::new();
    let outcome = env.run(&["config", "init"]).exits(0);
    assert_snapshot!(outcome.stdout, @"Wrote cardcancel.toml, with every setting commented out. A run needs two of them: url and external_ip");
    assert_eq!(env.text("cardcancel.toml"), cardcancel::config::DEFAULT_FILE);
    let mode = std::fs::metadata(env.path("cardcancel.toml")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    env.orders(1).run(&["check", "orders.csv"]).exits(0);
}

#[test]
fn a_database_is_shown_without_its_password_wherever_that_was_set() {
    let parameters = "db.example.com/night?sslmode=verify-full";
    let address = format!("postgres://me@{parameters}");
    let variable = "CARDCANCEL_LEDGER_PASSWORD";
    for (flags, variables) in [
        (vec![], vec![("CARDCANCEL_LEDGER", format!("postgres://me:s3cret@{parameters}"))]),
        (vec!["--ledger", &address], vec![(variable, "s3cret".to_owned())]),
    ] {
        let variables: Vec<_> =
            variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        for flags in [flags.clone(), [flags, vec!["--json"]].concat()] {
            let outcome = shown(&flags, &variables);
            assert!(!outcome.all_output().contains("s3cret"), "{}", outcome.report());
            assert!(outcome.stdout.contains(&address), "{}", outcome.stdout);
            let is_apart = variables[0].0 == variable;
            assert_eq!(outcome.stdout.contains(variable), is_apart, "{}", outcome.stdout);
        }
    }
}

#[test]
fn a_new_configuration_can_be_put_where_it_is_found_from_everywhere() {
    let env = TestEnv::new();
    env.run(&["config", "init", "home/config/cardcancel/config.toml"]).exits(0);
    let shown = env.run(&["config", "show"]).exits(0);
    assert!(shown.stdout.contains("home/config/cardcancel/config.toml\n"), "{}", shown.stdout);
}

#[test]
fn a_configuration_that_is_there_is_left_as_it_is() {
    let env = TestEnv::new();
    env.file("cardcancel.toml", "quiet = true\n");
    env.run(&["config", "init"]).exits(2);
    std::os::unix::fs::symlink("elsewhere.toml", env.path("link.toml")).unwrap();
    env.run(&["config", "init", "link.toml"]).exits(2);
    assert_eq!(env.text("cardcancel.toml"), "quiet = true\n");
    assert!(!env.path("elsewhere.toml").exists());
}

#[test]
fn every_setting_in_force_is_shown_with_where_it_was_made() {
    let outcome = shown(
        &["--profile", "production", "--rate", "5/s", "--rate=100/m", "--quiet"],
        &[
            ("CARDCANCEL_CUT_OFF", "03:30[UTC]"),
            ("CARDCANCEL_YES", "1"),
            ("CARDCANCEL_HEADER_X_API_KEY", "s3cr3t"),
        ],
    );
    assert!(!outcome.all_output().contains("s3cr3t"));
    let made = |line: &&str| !line.ends_with(" default") && !line.ends_with("  not set");
    let made: Vec<&str> = outcome.stdout.lines().filter(made).collect();
    assert_snapshot!(made.join("\n"), @r#"
    Configuration file: cardcancel.toml
    Profile: production

      url                         https://corecard.example.com        cardcancel.toml:6, profile production
      rate                        5/s,100/m                           --rate
      attempts                    4                                   cardcancel.toml:7, profile production
      cut_off                     03:30[UTC]                          CARDCANCEL_CUT_OFF
      yes                         yes                                 CARDCANCEL_YES
      quiet                       yes                                 --quiet
      external_ip                 192.0.2.10                          cardcancel.toml:1

    [auth]
      kind                        headers                             cardcancel.toml:10, profile production
      names                       X-Api-Key,X-Client                  cardcancel.toml:11, profile production

    [codes]
      EXAMPLE01                   printed                             cardcancel.toml:14, profile production

    Secrets
      CARDCANCEL_HEADER_X_API_KEY set                                 environment
    "#);
    assert!(outcome.stdout.contains("  CARDCANCEL_HEADER_X_CLIENT "), "{}", outcome.stdout);
}

#[test]
fn the_order_of_the_sources_is_that_of_a_run() {
    let attempts = |flags: &[&str], variables: &[(&str, &str)]| {
        let json = shown(&[&["--json"], flags].concat(), variables).stdout;
        let shown: Value = serde_json::from_str(&json).unwrap();
        let word = &shown["settings"]["attempts"];
        format!("{} {}", word["value"].as_str().unwrap(), word["source"].as_str().unwrap())
    };
    let (profile, variable) = (["--profile=production"], [("CARDCANCEL_ATTEMPTS", "6")]);
    assert_eq!(attempts(&["--config=/dev/null"], &[]), "3 default");
    assert_eq!(attempts(&[], &[]), "5 file");
    assert_eq!(attempts(&profile, &[]), "4 profile");
    assert_eq!(attempts(&profile, &variable), "6 variable");
    assert_eq!(attempts(&[profile[0], "--attempts=7"], &variable), "7 flag");
}

#[test]
fn the_file_is_the_named_one_else_the_one_here_else_the_users() {
    let env = TestEnv::new();
    let file = || {
        let shown: Value =
            serde_json::from_str(&env.run(&["config", "show", "--json"]).exits(0).stdout).unwrap();
        shown["file"].as_str().map(str::to_owned)
    };
    assert_eq!(file(), None);
    std::fs::create_dir_all(env.path("home/config/cardcancel")).unwrap();
    env.file("home/config/cardcancel/config.toml", "");
    assert!(file().unwrap().ends_with("home/config/cardcancel/config.toml"));
    env.file("cardcancel.toml", "");
    assert_eq!(file().unwrap(), "cardcancel.toml");
    env.file("night.toml", "");
    let named = env.run(&["config", "show", "--config", "night.toml"]).exits(0);
    assert!(named.stdout.starts_with("Configuration file: night.toml\n"), "{}", named.stdout);
}

#[test]
fn programs_can_read_it_and_every_option_is_in_it() {
    let token = ("CARDCANCEL_HEADER_X_CLIENT_FILE", "/run/client");
    let json = shown(&["--json", "--profile=production"], &[token]).stdout;
    let shown: Value = serde_json::from_str(&json).unwrap();
    assert_snapshot!(shown["settings"]["url"], @r#"{"file":"cardcancel.toml","line":6,"profile":"production","source":"profile","value":"https://corecard.example.com"}"#);
    assert_snapshot!(shown["settings"]["cut_off"], @r#"{"source":null,"value":null}"#);
    assert_snapshot!(shown["secrets"], @r#"[{"file":null,"set":false,"variable":"CARDCANCEL_HEADER_X_API_KEY"},{"file":"/run/client","set":true,"variable":"CARDCANCEL_HEADER_X_CLIENT"}]"#);
    let options = cardcancel::config::Options::flags();
    let keys = options.iter().filter(|flag| !["config", "profile"].contains(&flag.as_str()));
    for key in keys.map(|flag| flag.replace('-', "_")) {
        assert!(shown["settings"].get(&key).is_some(), "{key}");
    }
}

#[test]
fn a_password_in_an_address_is_not_shown() {
    let outcome = shown(&["--url", "https://me:s3cr3t@a.example"], &[]);
    assert!(!outcome.all_output().contains("s3cr3t"), "{}", outcome.report());
}

#[test]
fn what_the_build_hands_to_the_program_is_taken_for_no_setting() {
    let build = include_str!("../../build.rs");
    assert!(build.contains("cargo::rustc-env=") && !build.contains("rustc-env=CARDCANCEL_"));
}
