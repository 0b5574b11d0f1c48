//! Reading an answer of CoreCARD: its body and its Retry-After.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use serde::Deserialize;
use serde_json::Value;

use super::carried::Carried;
use crate::intake::guard;
use crate::outcome::Body;

/// Longest `ErrorCode` that is kept, in characters.
const LONGEST_CODE: usize = 64;
/// Longest message that is kept, in characters.
const LONGEST_MESSAGE: usize = 300;
/// Longest wait that a server may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wire {
    status: Option<Value>,
    error_code: Option<Value>,
    message: Option<Value>,
}

/// What a complete body says, but for what the call carried.
pub(super) fn read(body: &[u8], carried: &Carried) -> Body {
    // serde would take an array for an object, field by field.
    let is_object = body.trim_ascii_start().starts_with(b"{");
    match serde_json::from_slice::<Wire>(body) {
        Ok(wire) if is_object => Body::Answer {
            status: wire.status.as_ref().and_then(boolean),
            error_code: wire.error_code.and_then(|code| text(code, LONGEST_CODE, carried)),
            message: wire.message.and_then(|message| text(message, LONGEST_MESSAGE, carried)),
        },
        _ if body.is_empty() => Body::Unreadable("the answer was empty".to_owned()),
        _ => Body::Unreadable(format!(
            "the answer was not a JSON object but {}",
            look(body, carried)
        )),
    }
}

/// A boolean, or what plainly is one.
fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::Number(number) if number.as_i64() == Some(1) => Some(true),
        Value::Number(number) if number.as_i64() == Some(0) => Some(false),
        Value::String(word) => match word.trim().to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

fn text(value: Value, longest: usize, carried: &Carried) -> Option<String> {
    let text = match value {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    let text = clean(&text, longest, carried);
    (!text.is_empty()).then_some(text)
}

/// Text from a server, made fit to be kept: one line, no control characters, no
/// secrets, no card numbers, not too long.
fn clean(text: &str, longest: usize, carried: &Carried) -> String {
    let hidden = carried.hide(text);
    let guarded = guard::redact(&hidden);
    let is_plain = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
    if guarded.len() <= longest && guarded.as_bytes().iter().all(is_plain) {
        return guarded.trim().to_owned();
    }
    let one_line: String =
        guarded.chars().map(|c| if c.is_control() { ' ' } else { c }).take(longest).collect();
    one_line.trim().to_owned()
}

/// The beginning of a body that could not be read, for the operator.
fn look(body: &[u8], carried: &Carried) -> String {
    format!("\"{}\"", one_line(body, 60, carried))
}

/// The beginning of what another program said, made fit to be shown.
pub(super) fn one_line(said: &[u8], longest: usize, carried: &Carried) -> String {
    let beginning = String::from_utf8_lossy(&said[..said.len().min(4096)]);
    let words: Vec<&str> = beginning.split_whitespace().collect();
    clean(&words.join(" "), longest, carried)
}

/// How long a Retry-After header asks to wait: seconds, or until a date.
pub(super) fn retry_after(header: &str, now: Timestamp) -> Option<Duration> {
    let header = header.trim();
    let wait = match header.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let until = rfc2822::parse(header).ok()?.timestamp();
            Duration::try_from(until.duration_since(now)).unwrap_or_default()
        }
    };
    Some(wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &[u8]) -> Body {
        super::read(body, &Carried::default())
    }

    fn status(body: &str) -> Option<bool> {
        match read(body.as_bytes()) {
            Body::Answer { status, .. } => status,
            Body::Unreadable(_) => None,
        }
    }

    #[test]
    fn a_status_is_read_when_it_is_plainly_a_boolean() {
        for yes in ["true", "\"true\"", "\"True\"", "1", "\"1\""] {
            assert_eq!(status(&format!("{{\"Status\":{yes}}}")), Some(true), "{yes}");
        }
        for no in ["false", "\"false\"", "\"FALSE\"", "0", "\"0\""] {
            assert_eq!(status(&format!("{{\"Status\":{no}}}")), Some(false), "{no}");
        }
        for neither in ["null", "2", "\"ok\"", "[]", "{}", "1.5", "\"\""] {
            assert_eq!(status(&format!("{{\"Status\":{neither}}}")), None, "{neither}");
        }
        assert_eq!(status("{}"), None);
    }

    #[test]
    fn a_status_given_twice_is_not_believed() {
        assert!(matches!(read(br#"{"Status":true,"Status":false}"#), Body::Unreadable(_)));
    }

    #[test]
    fn an_array_is_no_answer_whatever_it_holds() {
        assert!(matches!(read(b"[true,null,null]"), Body::Unreadable(_)));
    }

    #[test]
    fn text_of_a_server_is_kept_on_one_line_without_card_numbers() {
        let Body::Answer { message, error_code, .. } =
            read(br#"{"Message":"card\n4111 1111 1111 1111\tgone","ErrorCode":"ERR\u0007 01"}"#)
        else {
            panic!("not an answer")
        };
        assert_eq!(message.as_deref(), Some("card [card number removed] gone"));
        assert_eq!(error_code.as_deref(), Some("ERR  01"));
    }

    #[test]
    fn an_answer_that_is_not_json_is_shown_by_its_beginning() {
        let Body::Unreadable(why) = read(b"<html>\n<title>Log in</title>") else {
            panic!("it was read")
        };
        assert_eq!(why, "the answer was not a JSON object but \"<html> <title>Log in</title>\"");
    }

    #[test]
    fn retry_after_is_understood_as_seconds_and_as_a_date() {
        let now: Timestamp = "2026-11-22T01:00:00Z".parse().unwrap();
        assert_eq!(retry_after(" 7 ", now), Some(Duration::from_secs(7)));
        let date = "Sun, 22 Nov 2026 01:02:00 GMT";
        assert_eq!(retry_after(date, now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Sat, 21 Nov 2026 01:02:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
        assert_eq!(retry_after("99999999999", now), Some(LONGEST_WAIT));
    }
}
