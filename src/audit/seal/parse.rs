//! Reading a seal's text. What is read is written again and compared, so that there is exactly
//! one text for each seal.

use std::str::FromStr;

use super::write::{FIRST_LINE, NONE};
use super::{
    Continued, Seal, SealedBy, SealedClock, SealedFile, SealedForgetting, SealedInput, SealedLines,
    SealedOffset, SealedProgram, SealedState, SealedUser,
};
use crate::ledger::Purpose;
use crate::model::{Counts, Status};

/// The text is not a seal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseSealError {
    /// Another version of the program wrote it, or it is no seal.
    #[error(
        "line 1 is not \"{FIRST_LINE}\": it is no seal, or a newer version of cardcancel made it"
    )]
    UnknownForm,
    /// A line is missing, or is not as it must be.
    #[error("line {number} is not a line \"{key} ...\" of a seal")]
    Line {
        /// The number of the line, from 1.
        number: usize,
        /// The word with which the line must begin.
        key: &'static str,
    },
    /// It has more lines, or a value is written in another way than this program writes it.
    #[error("line {number} is not written as in a seal")]
    NotCanonical {
        /// The number of the first such line, from 1.
        number: usize,
    },
}

impl FromStr for Seal {
    type Err = ParseSealError;

    /// Reads the text of a seal.
    ///
    /// # Errors
    /// If it is not, byte for byte, the text that [`Seal::to_text`] gives.
    fn from_str(text: &str) -> Result<Seal, ParseSealError> {
        let mut lines = Lines { lines: text.lines(), number: 1 };
        if lines.lines.next() != Some(FIRST_LINE) {
            return Err(ParseSealError::UnknownForm);
        }
        let seal = Seal {
            ledger: lines.read("ledger", |text| text.parse().ok())?,
            number: lines.read("number", |text| text.parse().ok())?,
            previous: lines.read("previous", |text| text.parse().ok())?,
            run: lines.read("run", |text| text.parse().ok())?,
            state: lines.read("state", state)?,
            continues: lines.read("continues", |text| optional(text, continued))?,
            input: lines.read("input", input)?,
            rows: lines.read("rows", sealed_lines)?,
            attempts: lines.read("attempts", sealed_lines)?,
            events: lines.read("events", sealed_lines)?,
            configuration: lines
                .read("configuration", |text| optional(text, |text| text.parse().ok()))?,
            results: lines.read("results", |text| optional(text, file))?,
            counts: lines.read("counts", counts)?,
            opened: lines.read("opened", |text| text.parse().ok())?,
            finished: lines.read("finished", |text| optional(text, |text| text.parse().ok()))?,
            by: lines.read("by", by)?,
            purpose: lines.read("for", purpose)?,
            clock: lines.read("clock", clock)?,
            program: lines.read("program", program)?,
        };
        let again = seal.to_text();
        if again == text {
            return Ok(seal);
        }
        let differs = |(ours, given): &(&str, &str)| ours != given;
        let same = again.split('\n').zip(text.split('\n')).take_while(|both| !differs(both));
        Err(ParseSealError::NotCanonical { number: same.count() + 1 })
    }
}

/// The lines that are left of a text.
struct Lines<'a> {
    lines: std::str::Lines<'a>,
    /// The number of the line before.
    number: usize,
}

impl<'a> Lines<'a> {
    /// Reads the next line, which must begin with this word.
    fn read<T>(
        &mut self,
        key: &'static str,
        value: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<T, ParseSealError> {
        self.number += 1;
        let line = self.lines.next().and_then(|line| line.strip_prefix(key)?.strip_prefix(' '));
        line.and_then(value).ok_or(ParseSealError::Line { number: self.number, key })
    }
}

/// Reads a value that may be absent. The outer `None` is a text that is no value.
fn optional<'a, T>(text: &'a str, read: impl FnOnce(&'a str) -> Option<T>) -> Option<Option<T>> {
    if text == NONE { Some(None) } else { read(text).map(Some) }
}

/// Takes a string in JSON quotes off the beginning.
fn take_quoted(text: &str) -> Option<(String, &str)> {
    let mut strings = serde_json::Deserializer::from_str(text).into_iter::<String>();
    let string = strings.next()?.ok()?;
    Some((string, text.get(strings.byte_offset()..)?))
}

/// Takes a string in JSON quotes, or the word for none, off the beginning.
fn take_optional_quoted(text: &str) -> Option<(Option<String>, &str)> {
    match text.strip_prefix(NONE) {
        Some(rest) => Some((None, rest)),
        None => take_quoted(text).map(|(string, rest)| (Some(string), rest)),
    }
}

/// A string in JSON quotes with nothing behind it.
fn only_quoted(text: &str) -> Option<String> {
    take_quoted(text).filter(|(_, rest)| rest.is_empty()).map(|(string, _)| string)
}

fn state(text: &str) -> Option<SealedState> {
    match text {
        "ended" => Some(SealedState::Ended),
        "interrupted" => Some(SealedState::Interrupted),
        _ => match text.strip_prefix("forgotten ") {
            Some(rest) => forgetting(rest).map(SealedState::Forgotten),
            None => only_quoted(text.strip_prefix("stopped ")?).map(SealedState::Stopped),
        },
    }
}

fn forgetting(text: &str) -> Option<SealedForgetting> {
    let (at, rest) = text.split_once(" kept ")?;
    let (kept, export) = rest.split_once(" export ")?;
    Some(SealedForgetting {
        at: at.parse().ok()?,
        kept: sealed_lines(kept)?,
        export: file(export)?,
    })
}

fn continued(text: &str) -> Option<Continued> {
    let (number, rest) = text.split_once(' ')?;
    let as_it_was = rest == "as it was";
    let is_known = as_it_was || rest == "DIFFERENT";
    is_known.then_some(Continued { number: number.parse().ok()?, as_it_was })
}

fn input(text: &str) -> Option<SealedInput> {
    let (digest, rest) = text.split_once(' ')?;
    let (rows, name) = rest.split_once(" rows ")?;
    Some(SealedInput {
        digest: digest.parse().ok()?,
        rows: rows.parse().ok()?,
        name: only_quoted(name)?,
    })
}

fn sealed_lines(text: &str) -> Option<SealedLines> {
    let (lines, digest) = text.split_once(' ')?;
    Some(SealedLines { lines: lines.parse().ok()?, digest: digest.parse().ok()? })
}

fn file(text: &str) -> Option<SealedFile> {
    let (digest, name) = text.split_once(' ')?;
    Some(SealedFile { digest: digest.parse().ok()?, name: only_quoted(name)? })
}

fn counts(text: &str) -> Option<Counts> {
    let mut counts = Counts::default();
    if text == NONE {
        return Some(counts);
    }
    let mut words = text.split(' ');
    while let Some(status) = words.next() {
        let status: Status = status.parse().ok()?;
        let rows: u64 = words.next()?.parse().ok()?;
        // A sum beyond 64 bits is no count of rows.
        counts.total().checked_add(rows)?;
        counts.add(status, rows);
    }
    Some(counts)
}

fn by(text: &str) -> Option<SealedBy> {
    if let Some(worker) = text.strip_prefix("worker ") {
        return only_quoted(worker).map(SealedBy::Worker);
    }
    let (user, rest) = take_user(text.strip_prefix("uid ")?)?;
    let rest = rest.strip_prefix(", login ")?;
    let (login, rest) = match rest.strip_prefix(NONE) {
        Some(rest) => (None, rest),
        None => take_user(rest).map(|(login, rest)| (Some(login), rest))?,
    };
    let (host, rest) = take_quoted(rest.strip_prefix(", host ")?)?;
    let unit = only_quoted(rest.strip_prefix(", unit ")?)?;
    Some(SealedBy::Process { user, login, host, unit })
}

fn take_user(text: &str) -> Option<(SealedUser, &str)> {
    let (uid, rest) = text.split_once(' ')?;
    let (name, rest) = take_quoted(rest)?;
    Some((SealedUser { uid: uid.parse().ok()?, name }, rest))
}

fn purpose(text: &str) -> Option<Purpose> {
    let (reason, rest) = take_optional_quoted(text)?;
    let (requested_by, rest) = take_optional_quoted(rest.strip_prefix(" requested by ")?)?;
    let (ticket, rest) = take_optional_quoted(rest.strip_prefix(", ticket ")?)?;
    rest.is_empty().then_some(Purpose { reason, requested_by, ticket })
}

fn clock(text: &str) -> Option<SealedClock> {
    let (state, offset) = text.split_once(", ")?;
    let is_synchronized = match state {
        "synchronized" => Some(true),
        "not synchronized" => Some(false),
        "not known to be synchronized" => None,
        _ => return None,
    };
    if offset == "not compared with the server's Date" {
        return Some(SealedClock { is_synchronized, offset: None });
    }
    let (offset, within) = match offset.split_once(", give or take ") {
        Some((offset, within)) => (offset, Some(within)),
        None => (offset, None),
    };
    let (ahead, side) = offset.strip_suffix(" the server's Date")?.split_once(" s ")?;
    let ahead = i64::try_from(tenths(ahead)?).ok()?;
    let ahead_tenths = if side == "behind" { ahead.checked_neg()? } else { ahead };
    let within_tenths = match within {
        Some(within) => Some(tenths(within.strip_suffix(" s")?)?),
        None => None,
    };
    Some(SealedClock {
        is_synchronized,
        offset: Some(SealedOffset { ahead_tenths, within_tenths }),
    })
}

/// Reads seconds with one decimal place.
fn tenths(text: &str) -> Option<u64> {
    let (whole, tenths) = text.split_once('.')?;
    let (whole, tenths): (u64, u64) = (whole.parse().ok()?, tenths.parse().ok()?);
    whole.checked_mul(10)?.checked_add(tenths)
}

fn program(text: &str) -> Option<SealedProgram> {
    let (version, digest) = text.strip_prefix("cardcancel ")?.split_once(" sha256 ")?;
    let executable = optional(digest, |digest| digest.parse().ok())?;
    Some(SealedProgram { version: version.parse().ok()?, executable })
}
