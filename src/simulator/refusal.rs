//! Why a request is turned back before its order is looked at.

use std::borrow::Cow;

use super::head::{Fault, MAX_BODY, MAX_HEAD, PATH, Target};
use super::labels::Answer;

/// Why a request is turned back, as the client is told.
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

    /// For a target other than the one that is served.
    pub(super) fn target(target: Target) -> Option<Refusal> {
        match target {
            Target::Cancel => None,
            Target::WrongMethod => {
                Some(Refusal::new(Answer::WrongMethod, "only POST is served here"))
            }
            Target::NotFound => {
                Some(Refusal::new(Answer::NotFound, format!("only POST {PATH} is served")))
            }
        }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Refusal {
        match fault {
            Fault::Malformed => Refusal::new(Answer::BadRequest, "the request is not HTTP/1.1"),
            Fault::Chunked => {
                Refusal::new(Answer::LengthRequired, "a body must come with its Content-Length")
            }
            Fault::BodyTooLarge => {
                Refusal::new(Answer::BodyTooLarge, format!("the body is over {MAX_BODY} bytes"))
            }
            Fault::HeadTooLarge => Refusal::new(
                Answer::HeadTooLarge,
                format!("the head is over {MAX_HEAD} bytes, or has too many lines"),
            ),
        }
    }
}
