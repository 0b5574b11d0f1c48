//! The words of `rerun --only`: statuses, and error codes that the file has.

use std::collections::BTreeSet;

use anyhow::bail;

use crate::config::suggest;
use crate::input::{ColumnMap, Input, RerunPlan};
use crate::model::{Status, card_numbers};

/// How many error codes a message lists.
const CODES_SHOWN: usize = 20;

/// Refuses words that are neither a status nor the error code of a row: a
/// misspelt one would leave out the rows that were meant. A status that no row has is no mistake.
///
/// # Errors
/// With the nearest word and the codes that the file has.
pub fn refuse_unknown(
    words: &[String],
    input: &Input,
    columns: &ColumnMap,
    plan: &RerunPlan,
) -> anyhow::Result<()> {
    let words = words.iter().map(|word| word.trim());
    let mut unknown: Vec<&str> =
        words.filter(|word| !word.is_empty() && word.parse::<Status>().is_err()).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let mut codes = BTreeSet::new();
    let mut rows = input.rows(columns)?;
    while let Some(record) = rows.next()? {
        let prior = plan.prior(record.fields);
        unknown.retain(|word| *word != prior.error_code);
        if unknown.is_empty() {
            return Ok(());
        }
        if !prior.error_code.is_empty() && !codes.contains(&*prior.error_code) {
            codes.insert(prior.error_code.into_owned());
        }
    }
    let name = input.name();
    let words = unknown.iter().map(|word| match meant(word, &codes) {
        Some(meant) => format!("\"{}\" (did you mean {meant}?)", shown(word)),
        None => format!("\"{}\"", shown(word)),
    });
    bail!(
        "--only: no row of {name} has the status or error code {}; statuses are {}; {}",
        words.collect::<Vec<_>>().join(" or "),
        Status::ALL.map(Status::as_str).join(", "),
        listed(&codes)
    )
}

/// The known word that is most like this one.
fn meant(word: &str, codes: &BTreeSet<String>) -> Option<String> {
    let statuses = Status::ALL.map(Status::as_str);
    let known = statuses.into_iter().chain(codes.iter().map(String::as_str));
    let small = word.to_ascii_lowercase();
    let status = || match small.parse::<Status>() {
        Ok(status) => Some(status.as_str().to_owned()),
        Err(_) => suggest(&small, statuses),
    };
    suggest(word, known).or_else(status).map(|meant| shown(&meant))
}

fn listed(codes: &BTreeSet<String>) -> String {
    if codes.is_empty() {
        return "the file has no error codes".to_owned();
    }
    let first: Vec<String> = codes.iter().take(CODES_SHOWN).map(|code| shown(code)).collect();
    let more = match codes.len().saturating_sub(CODES_SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("its error codes are {}{more}", first.join(", "))
}

/// A word from the outside, fit to be shown.
fn shown(word: &str) -> String {
    card_numbers::redact(word).escape_debug().to_string()
}
