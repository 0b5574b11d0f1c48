//! The operator's rules for reading answers: what CoreCARD's error codes mean, and which HTTP
//! statuses prove that nothing was done.

use std::str::FromStr;

/// What the operator configured a CoreCARD error code on a rejection to mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeMapping {
    /// The order was cancelled before.
    AlreadyCancelled,
    /// The card is printed: the order is rejected, as with a code that is not listed.
    Printed,
    /// CoreCARD does not know the order: it is rejected, as with a code that is not listed.
    NotFound,
    /// The order was not cancelled; another attempt may succeed.
    Retry,
    /// The order was not cancelled, and the run must stop.
    Stop,
}

/// The configured meanings of CoreCARD's error codes. A pattern that ends in `*` matches every
/// code with that prefix; the longest matching pattern decides, and an exact match beats all of
/// them.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(transparent)]
pub struct CodeMap(pub std::collections::BTreeMap<String, CodeMapping>);

impl CodeMap {
    /// The configured meaning of a code, or `None` if no pattern matches it.
    pub fn get(&self, code: &str) -> Option<CodeMapping> {
        let matches = |pattern: &str| match pattern.strip_suffix('*') {
            Some(prefix) => code.starts_with(prefix),
            None => code == pattern,
        };
        self.0
            .iter()
            .filter(|(pattern, _)| matches(pattern))
            .max_by_key(|(pattern, _)| (!pattern.ends_with('*'), pattern.len()))
            .map(|(_, verdict)| *verdict)
    }
}

/// The HTTP statuses (400 to 599) that prove that a request was not processed, whatever gateways
/// it passed: a gateway gives them before it forwards anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotProcessed(Vec<u16>);

/// The text contains something other than an HTTP status from 400 to 599.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not an HTTP status from 400 to 599, nor none")]
pub struct ParseNotProcessedError(String);

impl NotProcessed {
    /// Joins these lists into one.
    pub fn all(lists: Vec<NotProcessed>) -> NotProcessed {
        NotProcessed(lists.into_iter().flat_map(|list| list.0).collect())
    }

    /// Whether the list contains this status.
    pub fn contains(&self, http_status: u16) -> bool {
        self.0.contains(&http_status)
    }
}

impl Default for NotProcessed {
    /// 429 only: a rate limiter refuses a request before anything is done.
    fn default() -> NotProcessed {
        NotProcessed(vec![429])
    }
}

impl FromStr for NotProcessed {
    type Err = ParseNotProcessedError;

    /// Parses statuses separated by commas, or `none` for an empty list.
    fn from_str(text: &str) -> Result<Self, ParseNotProcessedError> {
        if text.trim() == "none" {
            return Ok(NotProcessed(Vec::new()));
        }
        let status = |word: &str| match word.trim().parse() {
            Ok(status @ 400..=599) => Ok(status),
            _ => Err(ParseNotProcessedError(word.trim().to_owned())),
        };
        text.split(',').map(status).collect::<Result<_, _>>().map(NotProcessed)
    }
}

/// The operator's rules for reading answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnswerRules {
    /// What CoreCARD's error codes mean.
    pub codes: CodeMap,
    /// Which HTTP statuses prove that nothing was done.
    pub not_processed: NotProcessed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_matching_pattern_gives_a_code_its_meaning() {
        let codes = [
            ("ERR*", CodeMapping::Retry),
            ("ERR01*", CodeMapping::Stop),
            ("ERR0116", CodeMapping::AlreadyCancelled),
        ];
        let codes = CodeMap(codes.map(|(code, verdict)| (code.to_owned(), verdict)).into());
        assert_eq!(codes.get("ERR0116"), Some(CodeMapping::AlreadyCancelled));
        assert_eq!(codes.get("ERR01160"), Some(CodeMapping::Stop));
        assert_eq!(codes.get("ERR9"), Some(CodeMapping::Retry));
        assert_eq!(codes.get("OTHER"), None);
    }
}
