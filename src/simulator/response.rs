//! The responses, byte for byte, and what happens to the connection after each.

use std::io::Write;

use super::fault::Fault;
use super::labels::{Answer, ProcessResult};
use super::orders::SimOutcome;
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

/// The response to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Response {
    /// The order was decided.
    Decided(SimOutcome, ErrorStatus),
    /// The order was not looked at, for this reason.
    Refused(Refusal),
    /// There was no room for it.
    OverCapacity,
    /// It was a login, answered with this status and body.
    Login(&'static str, String),
}

/// The status that an answer has if it is to be a server error.
pub(super) type ErrorStatus = u16;

/// What happens to the connection after a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionAction {
    /// The next request is waited for.
    KeepAlive,
    /// It is closed once the client has had the response.
    Close,
    /// It is closed at once.
    Drop,
    /// It is reset.
    Reset,
    /// Nothing more is sent.
    Hang,
}

/// Appends the response, if there is one, and returns what happens to the connection.
pub(super) fn write_response(
    out: &mut Vec<u8>,
    response: &Response,
    close: bool,
) -> ConnectionAction {
    let mut writer = ResponseWriter { out, close };
    match response {
        Response::Decided(SimOutcome::Answered(result), _) => writer.result(*result, true),
        Response::Decided(SimOutcome::Faulted(fault, result), status) => {
            return writer.faulted(*fault, *result, *status);
        }
        Response::Refused(refusal) => writer.refusal(refusal),
        Response::Login(status, body) => writer.write(status, JSON, body),
        Response::OverCapacity => writer.write("429 Too Many Requests", JSON_RETRY, OVER_CAPACITY),
    }
    writer.action()
}

/// Writes responses in HTTP/1.1.
struct ResponseWriter<'a> {
    out: &'a mut Vec<u8>,
    close: bool,
}

impl ResponseWriter<'_> {
    fn action(&self) -> ConnectionAction {
        if self.close { ConnectionAction::Close } else { ConnectionAction::KeepAlive }
    }

    fn result(&mut self, result: ProcessResult, with_status: bool) {
        self.write("200 OK", JSON, result_json(result, with_status));
    }

    fn faulted(
        &mut self,
        fault: Fault,
        result: Option<ProcessResult>,
        status: ErrorStatus,
    ) -> ConnectionAction {
        match (fault, result) {
            (Fault::DropBefore | Fault::DropAfter, _) => return ConnectionAction::Drop,
            (Fault::ResetBefore | Fault::ResetAfter, _) => return ConnectionAction::Reset,
            (Fault::Hang, _) => return ConnectionAction::Hang,
            (Fault::Unavailable, _) => {
                self.write("503 Service Unavailable", JSON_RETRY, UNAVAILABLE);
            }
            (Fault::Throttle, _) => self.write("429 Too Many Requests", JSON_RETRY, THROTTLED),
            (Fault::ErrorBefore | Fault::ErrorAfter, _) => self.server_error(status),
            (Fault::Html, _) => self.write("200 OK", HTML, LOGIN_PAGE),
            (Fault::NoStatus, Some(result)) => self.result(result, false),
            (Fault::Truncated, Some(result)) => {
                let body = result_json(result, true);
                self.head("200 OK", JSON, body.len());
                self.out.extend_from_slice(&body.as_bytes()[..body.len() / 2]);
                return ConnectionAction::Drop;
            }
            // Both process the order, so there is a result; without one, there is no response.
            (Fault::NoStatus | Fault::Truncated, None) => return ConnectionAction::Drop,
        }
        self.action()
    }

    fn server_error(&mut self, status: ErrorStatus) {
        match status {
            502 => self.write("502 Bad Gateway", TEXT, "Bad Gateway\n"),
            504 => self.write("504 Gateway Timeout", TEXT, "Gateway Timeout\n"),
            _ => self.write("500 Internal Server Error", TEXT, "Internal Server Error\n"),
        }
    }

    fn refusal(&mut self, refusal: &Refusal) {
        let (status, headers, code) = match refusal.answer {
            Answer::Unauthorized => ("401 Unauthorized", JSON, "SIMULATOR_UNAUTHORIZED"),
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
        self.write(status, headers, &body.to_string());
    }

    fn write(&mut self, status: &str, headers: &str, body: &str) {
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
fn result_json(result: ProcessResult, with_status: bool) -> &'static str {
    match (result, with_status) {
        (ProcessResult::Cancelled, true) => {
            r#"{"Message":"Order Canceled Successfully","Status":true,"ErrorCode":"ERR01160","ResponseData":null}"#
        }
        (ProcessResult::Printed, true) => {
            r#"{"Message":"Order Already Printed","Status":false,"ErrorCode":"SIMULATOR_PRINTED","ResponseData":null}"#
        }
        (ProcessResult::Unknown, true) => {
            r#"{"Message":"No Such Order","Status":false,"ErrorCode":"SIMULATOR_UNKNOWN","ResponseData":null}"#
        }
        (ProcessResult::AlreadyCancelled, true) => {
            r#"{"Message":"Order Already Canceled","Status":false,"ErrorCode":"SIMULATOR_ALREADY_CANCELLED","ResponseData":null}"#
        }
        (ProcessResult::Cancelled, false) => {
            r#"{"Message":"Order Canceled Successfully","ErrorCode":"ERR01160","ResponseData":null}"#
        }
        (ProcessResult::Printed, false) => {
            r#"{"Message":"Order Already Printed","ErrorCode":"SIMULATOR_PRINTED","ResponseData":null}"#
        }
        (ProcessResult::Unknown, false) => {
            r#"{"Message":"No Such Order","ErrorCode":"SIMULATOR_UNKNOWN","ResponseData":null}"#
        }
        (ProcessResult::AlreadyCancelled, false) => {
            r#"{"Message":"Order Already Canceled","ErrorCode":"SIMULATOR_ALREADY_CANCELLED","ResponseData":null}"#
        }
    }
}
