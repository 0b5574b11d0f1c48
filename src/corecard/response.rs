//! Reading an answer of CoreCARD: its body and its Retry-After.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::auth::auth_headers::AuthHeaders;
use crate::model::{ResponseBody, card_numbers};

/// Longest `ErrorCode` that is kept, in characters.
const LONGEST_CODE: usize = 64;
/// Longest message that is kept, in characters.
const LONGEST_MESSAGE: usize = 300;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The fields of an answer that count.
#[derive(Default)]
struct RawResponse {
    status: Option<Value>,
    error_code: Option<Value>,
    message: Option<Value>,
    /// Whether a field of nearly the same name has the opposite value of `Status`.
    contradicts_itself: bool,
}

/// The name of a field, as far as it counts.
enum FieldName {
    Status,
    ErrorCode,
    Message,
    /// `Status` in other letters.
    LikeStatus,
    Other,
}

impl<'de> Deserialize<'de> for FieldName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;

        impl Visitor<'_> for NameVisitor {
            type Value = FieldName;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a field")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<FieldName, E> {
                Ok(match name {
                    "Status" => FieldName::Status,
                    "ErrorCode" => FieldName::ErrorCode,
                    "Message" => FieldName::Message,
                    _ if name.eq_ignore_ascii_case("Status") => FieldName::LikeStatus,
                    _ => FieldName::Other,
                })
            }
        }

        deserializer.deserialize_identifier(NameVisitor)
    }
}

impl<'de> Deserialize<'de> for RawResponse {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WireVisitor;

        impl<'de> Visitor<'de> for WireVisitor {
            type Value = RawResponse;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<RawResponse, A::Error> {
                let mut raw = RawResponse::default();
                let mut like_status = None;
                while let Some(name) = fields.next_key()? {
                    let field = match name {
                        FieldName::Status => &mut raw.status,
                        FieldName::ErrorCode => &mut raw.error_code,
                        FieldName::Message => &mut raw.message,
                        FieldName::LikeStatus => {
                            if let Some(value) = boolean(&fields.next_value()?) {
                                raw.contradicts_itself |=
                                    like_status.replace(value) == Some(!value);
                            }
                            continue;
                        }
                        FieldName::Other => {
                            fields.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    if field.replace(fields.next_value()?).is_some() {
                        return Err(A::Error::custom("a field that counts is there twice"));
                    }
                }
                let status = raw.status.as_ref().and_then(boolean);
                raw.contradicts_itself |= status.zip(like_status).is_some_and(|(a, b)| a != b);
                Ok(raw)
            }
        }

        deserializer.deserialize_map(WireVisitor)
    }
}

/// JSON without the byte order mark that some put before it.
pub(super) fn json(body: &[u8]) -> &[u8] {
    body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body)
}

/// Reads a complete body, and removes the credentials of the call from it.
pub(super) fn read(body: &[u8], auth_headers: &AuthHeaders) -> ResponseBody {
    let body = json(body);
    match serde_json::from_slice::<RawResponse>(body) {
        Ok(raw) if raw.contradicts_itself => ResponseBody::Unreadable(
            "the answer contradicts itself: it has Status twice, in different case and with different values"
                .to_owned(),
        ),
        Ok(raw) => ResponseBody::Api {
            status: raw.status.as_ref().and_then(boolean),
            error_code: raw.error_code.and_then(|code| text(code, LONGEST_CODE, auth_headers)),
            message: raw.message.and_then(|message| text(message, LONGEST_MESSAGE, auth_headers)),
        },
        _ if body.is_empty() => ResponseBody::Unreadable("the answer was empty".to_owned()),
        _ => ResponseBody::Unreadable(format!(
            "the answer was not a JSON object but {}",
            excerpt(body, auth_headers)
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

fn text(value: Value, longest: usize, auth_headers: &AuthHeaders) -> Option<String> {
    let text = match value {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    let text = clean(&text, longest, auth_headers);
    (!text.is_empty()).then_some(text)
}

/// Text from a server, made fit to be kept: one line, no control characters, no
/// secrets, no card numbers, not too long.
fn clean(text: &str, longest: usize, auth_headers: &AuthHeaders) -> String {
    let hidden = auth_headers.redact(text);
    let guarded = card_numbers::redact(&hidden);
    let is_plain = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
    if guarded.len() <= longest && guarded.as_bytes().iter().all(is_plain) {
        return guarded.trim().to_owned();
    }
    let single_line: String =
        guarded.chars().map(|c| if c.is_control() { ' ' } else { c }).take(longest).collect();
    single_line.trim().to_owned()
}

/// The beginning of a body that could not be read, for the operator.
fn excerpt(body: &[u8], auth_headers: &AuthHeaders) -> String {
    format!("\"{}\"", single_line(body, 60, auth_headers))
}

/// The beginning of another program's output, made fit to be shown.
fn single_line(text: &[u8], longest: usize, auth_headers: &AuthHeaders) -> String {
    let beginning = String::from_utf8_lossy(&text[..text.len().min(4096)]);
    // Before blanks are taken together: a secret may hold some.
    let hidden = auth_headers.redact(&beginning);
    let words: Vec<&str> = hidden.split_whitespace().collect();
    clean(&words.join(" "), longest, auth_headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &[u8]) -> ResponseBody {
        super::read(body, &AuthHeaders::default())
    }

    fn status(body: &str) -> Option<bool> {
        match read(body.as_bytes()) {
            ResponseBody::Api { status, .. } => status,
            ResponseBody::Unreadable(_) => None,
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
        assert!(matches!(read(br#"{"Status":true,"Status":false}"#), ResponseBody::Unreadable(_)));
    }

    #[test]
    fn a_status_that_is_denied_in_other_letters_is_not_believed() {
        for denied in [
            r#"{"Status":true,"status":false}"#,
            r#"{"STATUS":"false","Status":"true"}"#,
            r#"{"Status":1,"Message":"x","status":0}"#,
            r#"{"status":true,"STATUS":false}"#,
        ] {
            assert!(matches!(read(denied.as_bytes()), ResponseBody::Unreadable(_)), "{denied}");
        }
        for plain in [
            r#"{"Status":true,"status":true}"#,
            r#"{"Status":true,"status":"OK"}"#,
            r#"{"Status":true,"ResponseData":{"Status":false}}"#,
        ] {
            assert_eq!(status(plain), Some(true), "{plain}");
        }
        assert_eq!(status(r#"{"status":true}"#), None);
    }

    #[test]
    fn a_byte_order_mark_before_an_answer_is_no_part_of_it() {
        assert_eq!(status("\u{feff}{\"Status\":true}"), Some(true));
    }

    #[test]
    fn a_secret_with_blanks_is_not_shown_because_they_were_taken_together() {
        let name = http::HeaderName::from_static("x-api-key");
        let value = http::HeaderValue::from_static("s3cr3t  with  blanks");
        let auth_headers = AuthHeaders::new([(name, value)], None);
        let shown = single_line(b"the key\n s3cr3t  with  blanks is bad", 100, &auth_headers);
        assert_eq!(shown, "the key [secret removed] is bad");
    }

    #[test]
    fn an_array_is_no_answer_whatever_it_holds() {
        assert!(matches!(read(b"[true,null,null]"), ResponseBody::Unreadable(_)));
    }

    #[test]
    fn text_of_a_server_is_kept_on_one_line_without_card_numbers() {
        let ResponseBody::Api { message, error_code, .. } =
            read(br#"{"Message":"card\n4111 1111 1111 1111\tgone","ErrorCode":"ERR\u0007 01"}"#)
        else {
            panic!("not an answer")
        };
        assert_eq!(message.as_deref(), Some("card [card number removed] gone"));
        assert_eq!(error_code.as_deref(), Some("ERR  01"));
    }

    #[test]
    fn an_answer_that_is_not_json_is_shown_by_its_beginning() {
        let ResponseBody::Unreadable(why) = read(b"<html>\n<title>Log in</title>") else {
            panic!("it was read")
        };
        assert_eq!(why, "the answer was not a JSON object but \"<html> <title>Log in</title>\"");
    }
}
