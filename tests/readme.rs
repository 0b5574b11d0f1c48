//! The README tells the truth: every flag, code and setting is in it, and none
//! that there is not.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::process::Output;

use assert_cmd::Command;
use cardcancel::order::OwnCode;
use cardcancel::outcome::Status;
use tempfile::TempDir;

const README: &str = include_str!("../README.md");
const DEFAULTS: &str = include_str!("../src/config/default.toml");
const SAMPLE: &str = include_str!("../samples/cardcancel.toml");

/// Every flag of every command, with its dashes.
fn flags() -> BTreeSet<String> {
    let mut command = cardcancel::cli::command();
    command.build();
    let arguments = command.get_subcommands().flat_map(clap::Command::get_arguments);
    let flags = arguments.filter_map(|argument| argument.get_long());
    flags.map(|flag| format!("--{flag}")).collect()
}

/// The flags that a text speaks of; those of cargo are not ours.
fn flags_in(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| !line.contains("cargo "));
    let words =
        lines.flat_map(|line| line.split(|c: char| !matches!(c, 'a'..='z' | '0'..='9' | '-')));
    let flag = |word: &&str| {
        word.strip_prefix("--").is_some_and(|name| !name.trim_matches('-').is_empty())
    };
    words.filter(flag).map(str::to_owned).collect()
}

/// The README from one heading up to the next.
fn section(heading: &str) -> &'static str {
    let (_, rest) = README.split_once(&format!("\n{heading}\n")).expect(heading);
    rest.split("\n#").next().unwrap()
}

/// The first cell of each row of the tables in a text.
fn first_cells(text: &str) -> BTreeSet<&str> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| "));
    rows.filter_map(|row| row.split(" | ").next()).map(|cell| cell.trim_matches('`')).collect()
}

#[test]
fn every_flag_is_in_the_readme() {
    let told = flags_in(README);
    let missing: Vec<_> = flags().into_iter().filter(|flag| !told.contains(flag)).collect();
    assert!(missing.is_empty(), "not in the README: {missing:?}");
}

#[test]
fn every_flag_in_the_readme_exists() {
    let known = flags();
    let unknown: Vec<_> =
        flags_in(README).into_iter().filter(|flag| !known.contains(flag)).collect();
    assert!(unknown.is_empty(), "no such flags: {unknown:?}");
}

#[test]
fn the_flags_of_run_and_of_the_simulator_simulator_their_own_tables() {
    let command = cardcancel::cli::command();
    for (name, heading) in
        [("run", "## Flags"), ("rerun", "## Flags"), ("simulator", "## The simulator")]
    {
        let told = flags_in(section(heading));
        for argument in command.find_subcommand(name).unwrap().get_arguments() {
            let Some(flag) = argument.get_long() else { continue };
            assert!(told.contains(&format!("--{flag}")), "--{flag} of {name} is not in {heading}");
        }
    }
}

#[test]
fn every_command_is_in_the_readme() {
    for command in cardcancel::cli::command().get_subcommands() {
        let name = command.get_name();
        assert!(README.contains(&format!("cardcancel {name}")), "{name}");
    }
}

#[test]
fn every_error_code_of_our_own_is_listed_with_its_meaning() {
    let listed = section("### Error codes");
    for (code, meaning) in OwnCode::LIST {
        let row = format!("| `{code}` | {meaning} |");
        assert!(listed.contains(&row), "missing: {row}");
    }
    let codes: BTreeSet<String> = OwnCode::LIST.iter().map(|(code, _)| code.to_string()).collect();
    let others: Vec<_> =
        first_cells(listed).into_iter().filter(|cell| !codes.contains(*cell)).collect();
    assert_eq!(others, ["HTTP_nnn", "code"]);
}

#[test]
fn every_status_is_listed() {
    let listed = first_cells(section("## Results"));
    for status in Status::ALL {
        assert!(listed.contains(status.as_str()), "{status}");
    }
}

#[test]
fn every_exit_code_is_listed_and_no_other() {
    use cardcancel::exit_code::ExitCode;
    let mut expected: BTreeSet<String> = BTreeSet::from(["code".to_owned()]);
    for (exit, meaning) in ExitCode::LIST {
        let code = (exit as u8).to_string();
        let row = format!("| {code} | {meaning} |");
        assert!(section("### Exit codes").contains(&row), "missing: {row}");
        expected.insert(code);
    }
    let listed = first_cells(section("### Exit codes"));
    assert_eq!(listed.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), expected);
}

#[test]
fn every_result_column_is_listed_in_order() {
    let columns = section("## Results");
    let mut rest = columns;
    for name in cardcancel::input::columns::RESULTS {
        let (_, after) = rest.split_once(&format!("\n| `{name}` |")).expect(name);
        rest = after;
    }
}

#[test]
fn every_key_of_the_default_configuration_is_in_the_readme() {
    let (options, tables) = DEFAULTS.split_once("\n#[auth]\n").unwrap();
    let keys = |text: &'static str| {
        let lines = text.lines().filter_map(|line| line.trim_start_matches('#').split_once(" = "));
        lines
            .map(|(key, _)| key)
            .filter(|key| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
    };
    let told = flags_in(section("## Flags"));
    for key in keys(options) {
        let flag = format!("--{}", key.replace('_', "-"));
        assert!(told.contains(&flag), "{key}, which is {flag}");
    }
    for key in keys(tables) {
        assert!(
            README.contains(&format!("`{key}`")) || README.contains(&format!("\n{key} = ")),
            "{key}"
        );
    }
}

#[test]
fn every_default_in_the_readme_is_the_default() {
    let mut seen = 0;
    for line in section("## Flags").lines() {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [flag, default, ..] = cells[..] else { continue };
        let Some(key) = flag.strip_prefix("`--").and_then(|flag| flag.strip_suffix('`')) else {
            continue;
        };
        let key = key.replace('-', "_");
        let Some(value) = default.strip_prefix('`').and_then(|default| default.strip_suffix('`'))
        else {
            continue;
        };
        if key == "only" {
            continue;
        }
        let text = DEFAULTS.contains(&format!("\n#{key} = \"{value}\"\n"));
        let number = DEFAULTS.contains(&format!("\n#{key} = {value}\n"));
        let list = DEFAULTS.contains(&format!("\n#{key} = [{value}]\n"));
        assert!(text || number || list, "{key} is not {value} by default");
        seen += 1;
    }
    assert!(seen > 5, "only {seen} defaults were found");
}

/// Everything is read and checked as for a real run, up to the question whether
/// to send; nobody can be asked, so nothing is sent.
fn up_to_the_question(configuration: &str, profile: &str) -> Output {
    let home = TempDir::new().unwrap();
    fs::write(home.path().join("cardcancel.toml"), configuration).unwrap();
    fs::write(home.path().join("orders.csv"), "admin,seq\n129409,1\n").unwrap();
    Command::cargo_bin("cardcancel")
        .unwrap()
        .current_dir(&home)
        .env_clear()
        .env("HOME", home.path())
        .env("CARDCANCEL_BEARER_TOKEN", "not-a-token")
        .env("CARDCANCEL_HEADER_X_API_KEY", "not-a-key")
        .args(["run", "orders.csv", "--cut-off", "2999-12-31T23:59[UTC]", "--profile", profile])
        .output()
        .unwrap()
}

#[test]
fn the_configurations_that_are_shown_can_be_used() {
    let (_, rest) = README.split_once("```toml\n").unwrap();
    let (shown, _) = rest.split_once("```").unwrap();
    for configuration in [shown, SAMPLE] {
        for (profile, host) in [
            ("sandbox", "https://sandbox.corecard.example.com/"),
            ("production", "https://corecard.example.com/"),
        ] {
            let output = up_to_the_question(configuration, profile);
            let told = String::from_utf8(output.stderr).unwrap();
            assert!(
                told.contains(&format!("About to cancel 1 order of orders.csv at {host}")),
                "{told}"
            );
            assert_eq!(output.status.code(), Some(2));
        }
    }
}

#[test]
fn every_file_that_is_linked_is_there() {
    for text in [README, include_str!("../samples/README.md")] {
        let folder = if text == README { "" } else { "samples/" };
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with('#') || link.contains("://") {
                continue;
            }
            let path = format!("{}/{folder}{link}", env!("CARGO_MANIFEST_DIR"));
            assert!(fs::exists(&path).unwrap(), "{link}");
        }
    }
}
