//! What docs/design.md states about the source.

use std::collections::BTreeSet;
use std::fs;

use super::{Page, in_project};

/// The code spans of a text.
fn spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn the_table_of_the_source_lists_each_file_and_folder_of_it() {
    let page = Page::at("docs/design.md");
    let rows = page.section("## The source").lines().filter_map(|line| line.strip_prefix("| "));
    let cells = rows.filter_map(|row| row.split(" | ").next());
    let listed: BTreeSet<String> = cells.flat_map(spans).map(str::to_owned).collect();
    let entries = fs::read_dir(in_project("src")).unwrap().map(|entry| entry.unwrap());
    // A folder beside a file of its name belongs to that.
    let entries = entries
        .filter(|entry| !entry.path().with_extension("rs").is_file() || entry.path().is_file());
    let names = entries.map(|entry| {
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() { format!("{name}/") } else { name }
    });
    let is_root = |name: &String| ["lib.rs", "main.rs"].contains(&name.as_str());
    let names: BTreeSet<String> = names.filter(|name| !is_root(name)).collect();
    assert_eq!(listed, names);
}

#[test]
fn every_path_that_is_named_exists() {
    let page = Page::at("docs/design.md");
    let prose = page.text.split("```").step_by(2);
    let paths = prose.flat_map(spans).map(|span| span.split_whitespace().last().unwrap_or(span));
    let mut seen = 0;
    for path in paths.map(|path| path.trim_start_matches("./")) {
        if ["src/", "tests/", "samples/", "benches/"].iter().any(|top| path.starts_with(top)) {
            assert!(in_project(path).exists(), "{path}");
            seen += 1;
        }
    }
    assert!(seen > 2, "only {seen} were found");
}
