//! Why a request is refused before its order is looked at.

use std::borrow::Cow;

use super::head::{LOGIN_PATH, MAX_BODY, MAX_HEAD, PATH, ParseError, RequestTarget};
use super::labels::Answer;

/// Why a request is refused: its answer and message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) answer: Answer,
    pub(super) message: Cow<'static, str>,
}

impl Refusal {
    fn new(answer: Answer, message: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal { answer, message: message.into() }
    }

    /// For a body that is not what the API takes.
    pub(super) fn body(message: String) -> Refusal {
        Refusal::new(Answer::BadRequest, message)
    }

    /// For a token that does not hold, or none where there must be one.
    pub(super) fn token() -> Refusal {
        Refusal::new(Answer::Unauthorized, "log in first, or again")
    }

    /// For a target other than those that are served.
    pub(super) fn target(target: RequestTarget) -> Option<Refusal> {
        match target {
            RequestTarget::Cancel | RequestTarget::LogIn => None,
            RequestTarget::WrongMethod => {
                Some(Refusal::new(Answer::WrongMethod, "only POST is served here"))
            }
            RequestTarget::NotFound => {
                let served = format!("only POST {PATH} and {LOGIN_PATH} are served");
                Some(Refusal::new(Answer::NotFound, served))
            }
        }
    }
}

impl From<ParseError> for Refusal {
    fn from(error: ParseError) -> Refusal {
        match error {
            ParseError::Malformed => {
                Refusal::new(Answer::BadRequest, "the request is not HTTP/1.1")
            }
            ParseError::Chunked => {
                Refusal::new(Answer::LengthRequired, "a body must come with its Content-Length")
            }
            ParseError::BodyTooLarge => {
                Refusal::new(Answer::BodyTooLarge, format!("the body is over {MAX_BODY} bytes"))
            }
            ParseError::HeadTooLarge => Refusal::new(
                Answer::HeadTooLarge,
                format!("the head is over {MAX_HEAD} bytes, or has too many lines"),
            ),
        }
    }
}
