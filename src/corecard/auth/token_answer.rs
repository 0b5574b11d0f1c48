//! The answer to a request for a token, read within limits of time and size.

use std::time::Duration;

use reqwest::{RequestBuilder, Response};

use super::token::TokenError;
use crate::corecard::error::root;

/// How long the server may take.
const TIME_LIMIT: Duration = Duration::from_secs(30);
/// The longest answer that is read, in bytes.
const LONGEST_ANSWER: usize = 64 * 1024;

/// Who is asked for a token, for messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct TokenServer {
    /// How an error begins.
    pub name: &'static str,
    /// Which setting to check.
    pub check: &'static str,
}

impl TokenServer {
    /// Sends the request, once. Returns the HTTP status and the whole answer.
    ///
    /// # Errors
    /// When there is no answer, or one that is too long. No message repeats the address.
    pub async fn answer(&self, request: RequestBuilder) -> Result<(u16, Vec<u8>), TokenError> {
        let response = request.timeout(TIME_LIMIT).send().await;
        let response = response.map_err(|cause| self.failed(&cause))?;
        Ok((response.status().as_u16(), self.read(response).await?))
    }

    async fn read(&self, mut response: Response) -> Result<Vec<u8>, TokenError> {
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|cause| self.failed(&cause))? {
            if answer.len() + chunk.len() > LONGEST_ANSWER {
                let what = format!("answered with more than 64 KiB: check {}", self.check);
                return Err(self.for_good(&what));
            }
            answer.extend_from_slice(&chunk);
        }
        Ok(answer)
    }

    fn failed(&self, cause: &reqwest::Error) -> TokenError {
        let (why, check) = (root(cause), self.check);
        self.for_now(&match cause {
            _ if cause.is_timeout() => {
                format!("did not answer within {TIME_LIMIT:?}: check {check}")
            }
            _ if cause.is_connect() => format!("cannot be reached: check {check}: {why}"),
            _ => format!("did not answer: check {check}: {why}"),
        })
    }

    /// What only people can put right.
    pub fn for_good(&self, what: &str) -> TokenError {
        TokenError::for_good(format!("{} {what}", self.name))
    }

    /// What may pass.
    pub fn for_now(&self, what: &str) -> TokenError {
        TokenError::for_now(format!("{} {what}", self.name))
    }
}

/// Whether an answer with this HTTP status says that another try may succeed.
pub(super) fn may_pass(http_status: u16) -> bool {
    matches!(http_status, 408 | 429 | 500..)
}
