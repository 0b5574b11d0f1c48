//! The README and the pages of docs/ are true and complete: every flag, code, setting and
//! key is in them, and none that does not exist.

mod commands;
mod configuration;
mod design;
mod flags;
mod install;
mod json;
mod ledger;
mod links;
mod rehearsal;
mod results;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A page of Markdown.
struct Page {
    /// Its path, from the top of the project.
    path: String,
    text: String,
}

impl Page {
    /// The page at this path.
    fn at(path: &str) -> Page {
        let text = fs::read_to_string(in_project(path)).unwrap();
        Page { path: path.to_owned(), text }
    }

    /// The text between a heading and the next one.
    fn section(&self, heading: &str) -> &str {
        let (_, rest) = self.text.split_once(&format!("\n{heading}\n")).expect(heading);
        rest.split("\n#").next().unwrap()
    }

    /// Its blocks of code in a language.
    fn blocks<'a>(&'a self, language: &'a str) -> impl Iterator<Item = &'a str> {
        let code = self.text.split("```").skip(1).step_by(2);
        code.filter_map(move |block| block.strip_prefix(language)?.strip_prefix('\n'))
    }

    /// The targets of its links, except for those to other hosts.
    fn links(&self) -> impl Iterator<Item = &str> {
        let links = self.text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        links.filter(|link| !link.contains("://"))
    }

    /// The anchors of its headings, as GitHub makes them.
    fn anchors(&self) -> BTreeSet<String> {
        let mut is_code = false;
        let headings = self.text.lines().filter(|line| {
            is_code ^= line.starts_with("```");
            !is_code && line.starts_with('#')
        });
        headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
    }
}

fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

fn in_project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The README and every page of docs/.
fn pages() -> Vec<Page> {
    let docs = fs::read_dir(in_project("docs")).unwrap();
    let mut names: Vec<String> =
        docs.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let docs = names.iter().map(|name| Page::at(&format!("docs/{name}")));
    std::iter::once(Page::at("README.md")).chain(docs).collect()
}

/// All of them as one text.
fn all_text() -> String {
    pages().iter().map(|page| format!("{}\n", page.text)).collect()
}

/// The flags that a text mentions, except for those of cargo.
fn flags_in(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| !line.contains("cargo "));
    let words =
        lines.flat_map(|line| line.split(|c: char| !matches!(c, 'a'..='z' | '0'..='9' | '-')));
    let flag = |word: &&str| {
        word.strip_prefix("--").is_some_and(|name| !name.trim_matches('-').is_empty())
    };
    words.filter(flag).map(str::to_owned).collect()
}

/// The first cell of each row of the tables in a text.
fn first_cells(text: &str) -> BTreeSet<&str> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| "));
    rows.filter_map(|row| row.split(" | ").next()).map(|cell| cell.trim_matches('`')).collect()
}
