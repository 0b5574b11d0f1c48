//! The body of a request: which order it asks to cancel, and whether it may.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};

use crate::model::Order;

/// What is checked of a body. Texts are measured, not kept.
#[derive(Debug, serde::Deserialize)]
#[serde(default, rename_all = "PascalCase")]
#[derive(Default)]
struct CancelRequest {
    source: TextLength,
    #[serde(rename = "IPAddress")]
    ip_address: TextLength,
    date_format: TextLength,
    currency_code: TextLength,
    currency_symbol_type: TextLength,
    language: TextLength,
    #[serde(rename = "ExternalIP")]
    external_ip: TextLength,
    #[serde(rename = "SessionID")]
    session_id: TextLength,
    #[serde(rename = "APIVersion")]
    api_version: TextLength,
    #[serde(rename = "CallerID")]
    caller_id: TextLength,
    #[serde(rename = "CalledID")]
    called_id: TextLength,
    request_time: TimeIsValid,
    admin_number: Option<i64>,
    card_sequence_number: Option<i32>,
}

/// Parses the order that a body asks to cancel, or returns what is wrong with it. The
/// message never repeats a value.
pub(super) fn read(body: &[u8]) -> Result<Order, String> {
    // Serde would take an array for an object whose names were left out.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err("the body is not a JSON object".to_owned());
    }
    let body: CancelRequest = serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        if error.is_data() {
            format!("a field has a value of the wrong type: line {line}, column {column}")
        } else {
            format!("the body is not JSON: line {line}, column {column}")
        }
    })?;
    body.check_texts()?;
    let admin_number = body.admin_number.filter(|number| *number >= 0);
    let sequence_number = body.card_sequence_number.filter(|number| *number >= 0);
    Ok(Order {
        admin_number: admin_number.ok_or("AdminNumber is missing or negative")?,
        sequence_number: sequence_number.ok_or("CardSequenceNumber is missing or negative")?,
    })
}

/// What a login asks for a token with.
#[derive(Debug)]
pub(super) enum LoginRequest {
    Password,
    Refresh(String),
}

/// The fields of a login beside those of every request.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LoginFields {
    #[serde(rename = "UserID")]
    user_id: String,
    password: Option<String>,
    grant_type: String,
    refresh_token: Option<String>,
}

/// Parses a login, or returns what is wrong with it. The message never repeats a value.
pub(super) fn read_login(body: &[u8]) -> Result<LoginRequest, String> {
    let malformed = |_| "the body is not that of a login".to_owned();
    serde_json::from_slice::<CancelRequest>(body).map_err(malformed)?.check_texts()?;
    let login: LoginFields = serde_json::from_slice(body).map_err(malformed)?;
    let fits = |text: &str, limit| (1..=limit).contains(&text.chars().count());
    let password = login.password.is_some_and(|password| fits(&password, 32));
    match (login.grant_type.as_str(), login.refresh_token) {
        _ if !fits(&login.user_id, 40) => Err("UserID is missing or too long".to_owned()),
        ("AccessToken", _) if password => Ok(LoginRequest::Password),
        ("AccessToken", _) => Err("Password is missing or too long".to_owned()),
        ("RefreshToken", Some(token)) => Ok(LoginRequest::Refresh(token)),
        ("RefreshToken", None) => Err("RefreshToken is missing".to_owned()),
        _ => Err("GrantType is neither AccessToken nor RefreshToken".to_owned()),
    }
}

impl CancelRequest {
    /// Checks the texts against the API's allowable lengths.
    fn check_texts(&self) -> Result<(), String> {
        let mandatory = [
            ("Source", &self.source),
            ("ExternalIP", &self.external_ip),
            ("APIVersion", &self.api_version),
        ];
        for (name, TextLength(length)) in mandatory {
            if *length == 0 {
                return Err(format!("{name} is mandatory"));
            }
        }
        let limits = [
            ("Source", &self.source, 50),
            ("IPAddress", &self.ip_address, 15),
            ("DateFormat", &self.date_format, 25),
            ("CurrencyCode", &self.currency_code, 10),
            ("CurrencySymbolType", &self.currency_symbol_type, 10),
            ("Language", &self.language, 10),
            ("ExternalIP", &self.external_ip, 50),
            ("SessionID", &self.session_id, 100),
            ("APIVersion", &self.api_version, 10),
            ("CallerID", &self.caller_id, 20),
            ("CalledID", &self.called_id, 20),
        ];
        for (name, TextLength(length), limit) in limits {
            if *length > limit {
                return Err(format!("{name} is longer than {limit} characters"));
            }
        }
        match self.request_time {
            TimeIsValid(true) => Ok(()),
            TimeIsValid(false) => Err("RequestTime is not MM/dd/yyyy HH:mm:ss".to_owned()),
        }
    }
}

/// The length of a text in characters; 0 if absent or null.
#[derive(Debug, Default)]
struct TextLength(usize);

/// Whether a time is one; so it is if absent or null.
#[derive(Debug)]
struct TimeIsValid(bool);

impl Default for TimeIsValid {
    fn default() -> TimeIsValid {
        TimeIsValid(true)
    }
}

impl From<&str> for TextLength {
    fn from(text: &str) -> TextLength {
        TextLength(text.chars().count())
    }
}

impl From<&str> for TimeIsValid {
    fn from(text: &str) -> TimeIsValid {
        let time = jiff::civil::DateTime::strptime("%m/%d/%Y %H:%M:%S", text);
        // The format also takes digits left out.
        TimeIsValid(text.len() == 19 && time.is_ok())
    }
}

/// Validates a text in place, so that nothing is allocated for it.
struct Validate<T>(std::marker::PhantomData<T>);

impl<T: Default + for<'a> From<&'a str>> Visitor<'_> for Validate<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a text or null")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        Ok(text.into())
    }

    fn visit_unit<E: de::Error>(self) -> Result<T, E> {
        Ok(T::default())
    }
}

impl<'de> Deserialize<'de> for TextLength {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<TextLength, D::Error> {
        deserializer.deserialize_any(Validate(std::marker::PhantomData))
    }
}

impl<'de> Deserialize<'de> for TimeIsValid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<TimeIsValid, D::Error> {
        deserializer.deserialize_any(Validate(std::marker::PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// The sample of the API's document.
    fn sample() -> Value {
        json!({
            "Source": "Web", "IPAddress": "10.120.0.1", "DateFormat": null, "CurrencyCode": null,
            "CurrencySymbolType": null, "Language": null, "ExternalIP": "10.120.0.0",
            "SessionID": null, "APIVersion": "2.0", "CallerID": null, "CalledID": null,
            "RequestTime": null, "AdminNumber": 129409, "CardSequenceNumber": 1
        })
    }

    fn with(field: &str, value: Value) -> Result<Order, String> {
        let mut body = sample();
        body[field] = value;
        read(body.to_string().as_bytes())
    }

    #[test]
    fn the_sample_names_its_order() {
        let order = Order { admin_number: 129_409, sequence_number: 1 };
        assert_eq!(read(sample().to_string().as_bytes()), Ok(order));
    }

    #[test]
    fn mandatory_fields_must_be_there_and_not_null_or_empty() {
        for field in ["Source", "ExternalIP", "APIVersion", "AdminNumber", "CardSequenceNumber"] {
            assert!(with(field, Value::Null).unwrap_err().contains(field));
            let mut body = sample();
            body.as_object_mut().unwrap().remove(field);
            assert!(read(body.to_string().as_bytes()).unwrap_err().contains(field));
        }
        assert!(with("Source", json!("")).unwrap_err().contains("Source"));
    }

    #[test]
    fn a_text_may_be_as_long_as_the_document_allows_and_no_longer() {
        for (field, limit) in [
            ("Source", 50),
            ("IPAddress", 15),
            ("DateFormat", 25),
            ("CurrencyCode", 10),
            ("CurrencySymbolType", 10),
            ("Language", 10),
            ("ExternalIP", 50),
            ("SessionID", 100),
            ("APIVersion", 10),
            ("CallerID", 20),
            ("CalledID", 20),
        ] {
            assert!(with(field, json!("é".repeat(limit))).is_ok(), "{field}");
            let error = with(field, json!("é".repeat(limit + 1))).unwrap_err();
            assert!(error.contains(field) && error.contains(&limit.to_string()), "{error}");
        }
    }

    #[test]
    fn numbers_must_be_whole_not_negative_and_fit() {
        assert!(with("AdminNumber", json!(i64::MAX)).is_ok());
        assert!(with("CardSequenceNumber", json!(i32::MAX)).is_ok());
        for value in [json!(-1), json!("1"), json!(1.5), json!(u64::MAX), json!(true)] {
            assert!(with("AdminNumber", value.clone()).is_err(), "{value}");
            assert!(with("CardSequenceNumber", value.clone()).is_err(), "{value}");
        }
    }

    #[test]
    fn a_request_time_must_be_in_the_documented_format() {
        assert!(with("RequestTime", json!("01/15/2020 10:05:23")).is_ok());
        for time in ["2020-01-15T10:05:23Z", "15/01/2020 10:05:23", "1/15/2020 10:05:23", ""] {
            assert!(
                with("RequestTime", json!(time)).unwrap_err().contains("RequestTime"),
                "{time}"
            );
        }
    }

    #[test]
    fn what_is_no_json_object_is_refused() {
        let array = "[\"Web\",null,null,null,null,null,\"x\",null,\"2.0\",null,null,null,1,1]";
        for body in ["", "{", "null", "cancel it", "{}{}", "\u{feff}{}", array, "{\"Source\":7}"] {
            assert!(read(body.as_bytes()).is_err(), "{body}");
        }
        assert!(read(&[0xff, 0xfe]).is_err());
        let nested = "[".repeat(60_000);
        assert!(read(format!("{{\"Source\":{nested}").as_bytes()).is_err());
    }

    #[test]
    fn the_message_about_a_bad_value_does_not_repeat_it() {
        let error = with("AdminNumber", json!("4111111111111111")).unwrap_err();
        assert!(!error.contains("4111"), "{error}");
    }

    proptest::proptest! {
        #[test]
        fn no_body_is_too_strange(body in ".{0,200}", at in 0usize..300, byte: u8) {
            assert!(read(body.as_bytes()).is_err());
            let mut damaged = sample().to_string().into_bytes();
            let at = at % damaged.len();
            damaged[at] = byte;
            if let Ok(order) = read(&damaged) {
                assert!(order.admin_number >= 0 && order.sequence_number >= 0);
            }
        }
    }
}
