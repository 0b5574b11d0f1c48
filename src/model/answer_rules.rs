//! What the operator says of the server's answers: the meaning of CoreCARD's codes, and the
//! HTTP statuses after which nothing was done.

use std::str::FromStr;

/// What the operator says a CoreCARD code on a rejection means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeMapping {
    /// The order was cancelled before.
    AlreadyCancelled,
    /// The card is printed: rejected, like a code nobody listed.
    Printed,
    /// CoreCARD does not know the order: rejected, like a code nobody listed.
    NotFound,
    /// Not done, worth another attempt.
    Retry,
    /// Not done, and the run must stop.
    Stop,
}

/// The configured meanings of CoreCARD's codes. A code ending in `*` stands for
/// every code that begins so; the longest match decides.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(transparent)]
pub struct CodeMap(pub std::collections::BTreeMap<String, CodeMapping>);

impl CodeMap {
    /// The configured meaning of a code, if any.
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

/// The HTTP statuses that say of a request that it was not carried out, however it
/// looked on its way: those that a gateway gives before it passes anything on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotProcessed(Vec<u16>);

/// The text holds something that is not such a status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not an HTTP status from 400 to 599, nor none")]
pub struct ParseNotProcessedError(String);

impl NotProcessed {
    /// All the statuses of these lists.
    pub fn all(lists: Vec<NotProcessed>) -> NotProcessed {
        NotProcessed(lists.into_iter().flat_map(|list| list.0).collect())
    }

    /// Whether it is one of them.
    pub fn contains(&self, http_status: u16) -> bool {
        self.0.contains(&http_status)
    }
}

impl Default for NotProcessed {
    /// What limits a rate does so before anything is done.
    fn default() -> NotProcessed {
        NotProcessed(vec![429])
    }
}

impl FromStr for NotProcessed {
    type Err = ParseNotProcessedError;

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

/// What the operator says of the server's answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnswerRules {
    /// What CoreCARD's codes mean.
    pub codes: CodeMap,
    /// Which HTTP statuses mean that nothing was done.
    pub not_processed: NotProcessed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_means_what_the_longest_pattern_that_fits_it_says() {
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
