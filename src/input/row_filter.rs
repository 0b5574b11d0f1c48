//! Which rows of a results file are to be run again.

use crate::model::Status;

use super::prior_result::PriorResult;

/// Which rows of a results file are to be run again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFilter {
    statuses: Vec<Status>,
    codes: Vec<String>,
    rejected_with_doubt: bool,
}

impl Default for RowFilter {
    /// The rows that are open: `failed`, `in_doubt`, `not_sent`, or rejected with doubt.
    fn default() -> Self {
        RowFilter {
            statuses: vec![Status::Failed, Status::InDoubt, Status::NotSent],
            codes: Vec::new(),
            rejected_with_doubt: true,
        }
    }
}

impl RowFilter {
    /// The rows with one of these statuses or error codes. A word that is a status
    /// means the status; any other is an error code, letter for letter.
    pub fn parse<W: AsRef<str>>(words: impl IntoIterator<Item = W>) -> Self {
        let mut filter =
            RowFilter { statuses: Vec::new(), codes: Vec::new(), rejected_with_doubt: false };
        for word in words {
            let word = word.as_ref().trim();
            match word.parse() {
                Ok(status) => filter.statuses.push(status),
                Err(_) if word.is_empty() => {}
                Err(_) => filter.codes.push(word.to_owned()),
            }
        }
        filter
    }

    /// Whether a row that stood so is to be run again.
    pub fn selects(&self, prior: &PriorResult<'_>) -> bool {
        self.matches(prior.status, prior.doubt == Some(true), &prior.error_code)
    }

    /// Whether it has rows with this status, doubt and error code.
    pub fn matches(&self, status: Option<Status>, doubt: bool, error_code: &str) -> bool {
        status.is_some_and(|status| self.statuses.contains(&status))
            || self.codes.iter().any(|code| code == error_code)
            || (self.rejected_with_doubt && doubt && status == Some(Status::Rejected))
    }

    /// The error codes that it was given.
    pub fn codes(&self) -> &[String] {
        &self.codes
    }
}
