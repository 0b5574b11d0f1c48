//! Settings and their defaults, and the example configurations.

use std::fs;
use std::process::Output;

use assert_cmd::Command;
use tempfile::TempDir;

use super::{Page, all_text, flags_in, pages};

const DEFAULTS: &str = include_str!("../../../src/config/default.toml");
const SAMPLE: &str = include_str!("../../../samples/cardcancel.toml");

#[test]
fn every_key_of_the_default_configuration_is_in_the_pages() {
    let (page, text) = (Page::at("docs/configuration.md"), all_text());
    let (options, tables) = DEFAULTS.split_once("\n#[auth]\n").unwrap();
    let keys = |text: &'static str| {
        let lines = text.lines().filter_map(|line| line.trim_start_matches('#').split_once(" = "));
        lines
            .map(|(key, _)| key)
            .filter(|key| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
    };
    let listed = flags_in(page.section("## Flags"));
    for key in keys(options) {
        let flag = format!("--{}", key.replace('_', "-"));
        assert!(listed.contains(&flag), "{key}, which is {flag}");
    }
    for key in keys(tables) {
        assert!(
            text.contains(&format!("`{key}`")) || text.contains(&format!("\n{key} = ")),
            "{key}"
        );
    }
}

#[test]
fn every_default_in_the_pages_is_the_default() {
    let (page, mut seen) = (Page::at("docs/configuration.md"), 0);
    for line in page.section("## Flags").lines() {
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

/// Everything is read and checked as for a real run, up to the confirmation. There is no terminal
/// to confirm on, so nothing is sent.
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
    let guide = Page::at("docs/guide.md");
    let shown = guide.blocks("toml").next().unwrap();
    for configuration in [shown, SAMPLE] {
        for (profile, host) in [
            ("sandbox", "https://sandbox.corecard.example.com/"),
            ("production", "https://corecard.example.com/"),
        ] {
            let output = up_to_the_question(configuration, profile);
            let printed = String::from_utf8(output.stderr).unwrap();
            assert!(
                printed.contains(&format!("About to cancel 1 order of orders.csv at {host}")),
                "{printed}"
            );
            assert_eq!(output.status.code(), Some(2));
        }
    }
}

#[test]
fn every_piece_of_a_configuration_that_is_shown_is_accepted() {
    let mut seen = 0;
    for page in pages() {
        for block in page.blocks("toml") {
            let home = TempDir::new().unwrap();
            fs::write(home.path().join("cardcancel.toml"), block).unwrap();
            let mut show = Command::cargo_bin("cardcancel").unwrap();
            show.current_dir(&home).env_clear().env("HOME", home.path()).args(["config", "show"]);
            show.assert().success();
            seen += 1;
        }
    }
    assert!(seen >= 3, "only {seen} were found");
}
