//! What is wrong with a bag.

use std::fmt;

/// One thing that is wrong with a bag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BagFinding {
    /// The path of the file in the bag.
    pub file: String,
    /// The line in the file, from 1, where one can be named.
    pub line: Option<u64>,
    /// What is wrong, as a sentence without a point.
    pub what: String,
}

impl fmt::Display for BagFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BagFinding { file, line, what } = self;
        match line {
            Some(line) => write!(f, "{file}, line {line}: {what}"),
            None => write!(f, "{file}: {what}"),
        }
    }
}

/// The most findings that are kept. A bag that is wrong everywhere would fill the memory.
const MOST: usize = 1000;

/// Collects findings.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub kept: Vec<BagFinding>,
    /// How many there are beyond those that are kept.
    pub more: u64,
}

impl Findings {
    /// Adds a finding about a file as a whole.
    pub fn file(&mut self, file: &str, what: impl Into<String>) {
        self.add(file, None, what.into());
    }

    /// Adds a finding about a line, counted from 1.
    pub fn line(&mut self, file: &str, line: u64, what: impl Into<String>) {
        self.add(file, Some(line), what.into());
    }

    fn add(&mut self, file: &str, line: Option<u64>, what: String) {
        if self.kept.len() < MOST {
            self.kept.push(BagFinding { file: shown(file), line, what });
        } else {
            self.more += 1;
        }
    }
}

/// A name or a text of a bag as it can be shown on a terminal: in quotes with escapes unless it
/// is plain.
pub(super) fn shown(text: &str) -> String {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_plain { text.to_owned() } else { format!("{text:?}") }
}
