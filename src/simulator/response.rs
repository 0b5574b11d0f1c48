//! The wording of every answer, and how the connection goes on after it.

use std::io::Write;

use super::labels::{Answer, Fault, Verdict};
use super::orders::Outcome;
use super::refusal::Refusal;

const JSON: &str = "Content-Type: application/json; charset=utf-8\r\n";
const JSON_RETRY: &str = "Content-Type: application/json; charset=utf-8\r\nRetry-After: 1\r\n";
const JSON_ALLOW: &str = "Content-Type: application/json; charset=utf-8\r\nAllow: POST\r\n";
const TEXT: &str = "Content-Type: text/plain; charset=utf-8\r\n";
const HTML: &str = "Content-Type: text/html; charset=utf-8\r\n";

const OVER_CAPACITY: &str = r#"{"Message":"Too Many Requests","Status":false,"ErrorCode":"SIMULATOR_OVER_CAPACITY","ResponseData":null}"#;
const THROTTLED: &str = r#"{"Message":"Too Many Requests","Status":false,"ErrorCode":"SIMULATOR_THROTTLED","ResponseData":null}"#;
const UNAVAILABLE: &str = r#"{"Message":"Service Unavailable","Status":false,"ErrorCode":"SIMULATOR_UNAVAILABLE","ResponseData":null}"#;

const LOGIN_PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head>\
<body><h1>Your session has ended</h1><form method=\"post\" action=\"/login\">\
<input name=\"user\"><input name=\"password\" type=\"password\"><button>Sign in</button>\
</form></body></html>\n";

/// What is to be said to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Speech {
    /// The order was decided.
    Decided(Outcome, ErrorStatus),
    /// The order was not looked at, for this reason.
    Refused(Refusal),
    /// There was no room for it.
    OverCapacity,
}

/// The status that an answer has if it is to be a server error.
pub(super) type ErrorStatus = u16;

/// How the connection goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The next request is waited for.
    KeepAlive,
    /// It is closed once the client has had what was said.
    Close,
    /// It is closed at once.
    Drop,
    /// It is reset.
    Reset,
    /// Nothing more is ever said.
    Hang,
}

/// Appends what is to be said, if anything, and says how the connection goes on.
pub(super) fn compose(out: &mut Vec<u8>, speech: &Speech, close: bool) -> Ending {
    let mut voice = Voice { out, close };
    match speech {
        Speech::Decided(Outcome::Answered(verdict), _) => voice.verdict(*verdict, true),
        Speech::Decided(Outcome::Faulted(faults, verdict), status) => {
            return voice.spoilt(*faults, *verdict, *status);
        }
        Speech::Refused(refusal) => voice.refusal(refusal),
        Speech::OverCapacity => voice.say("429 Too Many Requests", JSON_RETRY, OVER_CAPACITY),
    }
    voice.ending()
}

/// Says things in HTTP.
struct Voice<'a> {
    out: &'a mut Vec<u8>,
    close: bool,
}

impl Voice<'_> {
    fn ending(&self) -> Ending {
        if self.close { Ending::Close } else { Ending::KeepAlive }
    }

    fn verdict(&mut self, verdict: Verdict, with_status: bool) {
        self.say("200 OK", JSON, verdict_json(verdict, with_status));
    }

    fn spoilt(&mut self, faults: Fault, verdict: Option<Verdict>, status: ErrorStatus) -> Ending {
        match (faults, verdict) {
            (Fault::DropBefore | Fault::DropAfter, _) => return Ending::Drop,
            (Fault::ResetBefore | Fault::ResetAfter, _) => return Ending::Reset,
            (Fault::Hang, _) => return Ending::Hang,
            (Fault::Unavailable, _) => {
                self.say("503 Service Unavailable", JSON_RETRY, UNAVAILABLE);
            }
            (Fault::Throttle, _) => self.say("429 Too Many Requests", JSON_RETRY, THROTTLED),
            (Fault::ErrorBefore | Fault::ErrorAfter, _) => self.server_error(status),
            (Fault::Html, _) => self.say("200 OK", HTML, LOGIN_PAGE),
            (Fault::NoStatus, Some(verdict)) => self.verdict(verdict, false),
            (Fault::Truncated, Some(verdict)) => {
                let body = verdict_json(verdict, true);
                self.head("200 OK", JSON, body.len());
                self.out.extend_from_slice(&body.as_bytes()[..body.len() / 2]);
                return Ending::Drop;
            }
            // Both act, so there is a verdict; were there none, there is nothing to say.
            (Fault::NoStatus | Fault::Truncated, None) => return Ending::Drop,
        }
        self.ending()
    }

    fn server_error(&mut self, status: ErrorStatus) {
        match status {
            502 => self.say("502 Bad Gateway", TEXT, "Bad Gateway\n"),
            504 => self.say("504 Gateway Timeout", TEXT, "Gateway Timeout\n"),
            _ => self.say("500 Internal Server Error", TEXT, "Internal Server Error\n"),
        }
    }

    fn refusal(&mut self, refusal: &Refusal) {
        let (status, headers, code) = match refusal.answer {
            Answer::NotFound => ("404 Not Found", JSON, "SIMULATOR_NOT_FOUND"),
            Answer::WrongMethod => ("405 Method Not Allowed", JSON_ALLOW, "SIMULATOR_WRONG_METHOD"),
            Answer::LengthRequired => ("411 Length Required", JSON, "SIMULATOR_LENGTH_REQUIRED"),
            Answer::BodyTooLarge => ("413 Content Too Large", JSON, "SIMULATOR_BODY_TOO_LARGE"),
            Answer::HeadTooLarge => {
                ("431 Request Header Fields Too Large", JSON, "SIMULATOR_HEAD_TOO_LARGE")
            }
            _ => ("400 Bad Request", JSON, "SIMULATOR_BAD_REQUEST"),
        };
        let body = serde_json::json!({
            "Message": refusal.message, "Status": false, "ErrorCode": code, "ResponseData": null
        });
        self.say(status, headers, &body.to_string());
    }

    fn say(&mut self, status: &str, headers: &str, body: &str) {
        self.head(status, headers, body.len());
        self.out.extend_from_slice(body.as_bytes());
    }

    fn head(&mut self, status: &str, headers: &str, length: usize) {
        let connection = if self.close { "Connection: close\r\n" } else { "" };
        // Writing to memory cannot fail.
        let _ = write!(
            self.out,
            "HTTP/1.1 {status}\r\n{headers}{connection}Content-Length: {length}\r\n\r\n"
        );
    }
}

/// The bodies that most requests get, ready made.
fn verdict_json(verdict: Verdict, with_status: bool) -> &'static str {
    match (verdict, with_status) {
        (Verdict::Cancelled, true) => {
            r#"{"Message":"Order Canceled Successfully","Status":true,"ErrorCode":"ERR01160","ResponseData":null}"#
        }
        (Verdict::Printed, true) => {
            r#"{"Message":"Order Already Printed","Status":false,"ErrorCode":"SIMULATOR_PRINTED","ResponseData":null}"#
        }
        (Verdict::Unknown, true) => {
            r#"{"Message":"No Such Order","Status":false,"ErrorCode":"SIMULATOR_UNKNOWN","ResponseData":null}"#
        }
        (Verdict::AlreadyCancelled, true) => {
            r#"{"Message":"Order Already Canceled","Status":false,"ErrorCode":"SIMULATOR_ALREADY_CANCELLED","ResponseData":null}"#
        }
        (Verdict::Cancelled, false) => {
            r#"{"Message":"Order Canceled Successfully","ErrorCode":"ERR01160","ResponseData":null}"#
        }
        (Verdict::Printed, false) => {
            r#"{"Message":"Order Already Printed","ErrorCode":"SIMULATOR_PRINTED","ResponseData":null}"#
        }
        (Verdict::Unknown, false) => {
            r#"{"Message":"No Such Order","ErrorCode":"SIMULATOR_UNKNOWN","ResponseData":null}"#
        }
        (Verdict::AlreadyCancelled, false) => {
            r#"{"Message":"Order Already Canceled","ErrorCode":"SIMULATOR_ALREADY_CANCELLED","ResponseData":null}"#
        }
    }
}
