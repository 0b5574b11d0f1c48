//! The body of `CancelPhysicalCardOrder`: a template, made once for each run.

use std::io::Write;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::request_fields::{FieldError, RequestFields};
use crate::model::{Order, RowNumber};

/// The longest a run's name may be, in characters, where `{run}` stands for it.
pub const LONGEST_RUN: usize = 36;

/// The most digits of a row number or an attempt, where a placeholder stands for it.
const LONGEST_NUMBER: usize = u32::MAX.ilog10() as usize + 1;

/// How `RequestTime` is written: `MM/dd/yyyy HH:mm:ss`.
const REQUEST_TIME: &str = "%m/%d/%Y %H:%M:%S";

/// The body of every request: its fields are checked, and rendered as far as they are the
/// same for all.
#[derive(Debug, Clone)]
pub struct BodyTemplate {
    segments: Vec<Segment>,
    /// The fields before the order, which every request to CoreCARD has; without a closing brace.
    envelope: Vec<Segment>,
    request_time: TimeZone,
    /// Bytes of a body, so that it is allocated once.
    capacity: usize,
}

/// A segment of the body.
#[derive(Debug, Clone)]
enum Segment {
    /// JSON that is the same in every request.
    Constant(String),
    /// The run's name, within a string.
    Run,
    Row,
    Attempt,
    /// The time of the attempt, within a string.
    Time,
    AdminNumber,
    SequenceNumber,
}

impl BodyTemplate {
    /// Checks the values against the API document's lengths.
    pub fn new(values: &RequestFields) -> Result<BodyTemplate, FieldError> {
        let mut template = TemplateBuilder::default();
        template.text("Source", 50, Some(&values.source))?;
        template.text("IPAddress", 15, values.ip_address.as_deref())?;
        template.text("DateFormat", 25, values.date_format.as_deref())?;
        template.text("CurrencyCode", 10, values.currency_code.as_deref())?;
        template.text("CurrencySymbolType", 10, values.currency_symbol_type.as_deref())?;
        template.text("Language", 10, values.language.as_deref())?;
        template.text("ExternalIP", 50, Some(&values.external_ip))?;
        template.session_id("SessionID", 100, values.session_id.as_deref())?;
        template.text("APIVersion", 10, Some(&values.api_version))?;
        template.text("CallerID", 20, values.caller_id.as_deref())?;
        template.text("CalledID", 20, values.called_id.as_deref())?;
        template.request_time(values.request_time.is_some());
        let envelope = template.segments.clone();
        template.number("AdminNumber", Segment::AdminNumber);
        template.number("CardSequenceNumber", Segment::SequenceNumber);
        template.constant("}");
        Ok(BodyTemplate {
            capacity: template.segments.iter().map(Segment::longest).sum(),
            segments: template.segments,
            envelope,
            request_time: values.request_time.clone().unwrap_or(TimeZone::UTC),
        })
    }

    /// The body of one attempt: compact JSON, all 14 fields in the API
    /// document's order. `run` is at most [`LONGEST_RUN`] characters.
    pub fn render(
        &self,
        order: Order,
        run: &str,
        row: RowNumber,
        attempt: u32,
        now: Timestamp,
    ) -> Vec<u8> {
        self.render_segments(&self.segments, order, run, row, attempt, now)
    }

    /// The fields of a request that is about no order, as the beginning of an object: further
    /// fields and the closing brace are to be appended. `{row}` and `{attempt}` are 0.
    pub fn render_envelope(&self, run: &str, now: Timestamp) -> Vec<u8> {
        let no_order = Order { admin_number: 0, sequence_number: 0 };
        self.render_segments(&self.envelope, no_order, run, RowNumber(0), 0, now)
    }

    fn render_segments(
        &self,
        segments: &[Segment],
        order: Order,
        run: &str,
        row: RowNumber,
        attempt: u32,
        now: Timestamp,
    ) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.capacity);
        for segment in segments {
            match segment {
                Segment::Constant(json) => body.extend_from_slice(json.as_bytes()),
                Segment::Run => body.extend_from_slice(within_string(run).as_bytes()),
                Segment::Row => push_number(&mut body, row.0),
                Segment::Attempt => push_number(&mut body, attempt),
                Segment::Time => {
                    let time = self.request_time.to_datetime(now);
                    // A vector takes all that is written.
                    let _ = write!(body, "{}", time.strftime(REQUEST_TIME));
                }
                Segment::AdminNumber => push_number(&mut body, order.admin_number),
                Segment::SequenceNumber => push_number(&mut body, order.sequence_number),
            }
        }
        body
    }
}

fn push_number(body: &mut Vec<u8>, number: impl itoa::Integer) {
    body.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// The text as it stands between a JSON string's quotes.
fn within_string(text: &str) -> std::borrow::Cow<'_, str> {
    let plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        return text.into();
    }
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned().into()
}

impl Segment {
    /// The most bytes that it takes.
    fn longest(&self) -> usize {
        match self {
            Segment::Constant(json) => json.len(),
            Segment::Run => LONGEST_RUN,
            Segment::Row | Segment::Attempt | Segment::SequenceNumber => LONGEST_NUMBER,
            Segment::Time => "01/15/2020 10:05:23".len(),
            Segment::AdminNumber => i64::MAX.ilog10() as usize + 1,
        }
    }
}

/// A body in the making.
#[derive(Default)]
struct TemplateBuilder {
    segments: Vec<Segment>,
}

impl TemplateBuilder {
    /// A text that is the same in every request.
    fn text(
        &mut self,
        field: &'static str,
        limit: usize,
        value: Option<&str>,
    ) -> Result<(), FieldError> {
        self.name(field);
        let Some(value) = value else {
            self.constant("null");
            return Ok(());
        };
        match value.chars().count() {
            0 => Err(FieldError::Empty(field)),
            length if length > limit => Err(FieldError::TooLong { field, length, limit }),
            _ => {
                self.constant(&format!("\"{}\"", within_string(value)));
                Ok(())
            }
        }
    }

    /// A text with placeholders in it.
    fn session_id(
        &mut self,
        field: &'static str,
        limit: usize,
        value: Option<&str>,
    ) -> Result<(), FieldError> {
        let Some(value) = value.filter(|value| value.contains(['{', '}'])) else {
            return self.text(field, limit, value);
        };
        self.name(field);
        self.constant("\"");
        let mut length = 0;
        for part in parts(value)? {
            match part {
                Segment::Constant(text) => {
                    length += text.chars().count();
                    self.constant(&within_string(&text));
                }
                placeholder => {
                    length += placeholder.longest();
                    self.segments.push(placeholder);
                }
            }
        }
        self.constant("\"");
        if length > limit {
            return Err(FieldError::SessionTooLong { length, limit });
        }
        Ok(())
    }

    fn request_time(&mut self, is_sent: bool) {
        self.name("RequestTime");
        if is_sent {
            self.constant("\"");
            self.segments.push(Segment::Time);
            self.constant("\"");
        } else {
            self.constant("null");
        }
    }

    fn number(&mut self, field: &'static str, segment: Segment) {
        self.name(field);
        self.segments.push(segment);
    }

    fn name(&mut self, field: &'static str) {
        let before = if self.segments.is_empty() { '{' } else { ',' };
        self.constant(&format!("{before}\"{field}\":"));
    }

    fn constant(&mut self, json: &str) {
        match self.segments.last_mut() {
            Some(Segment::Constant(before)) => before.push_str(json),
            _ => self.segments.push(Segment::Constant(json.to_owned())),
        }
    }
}

/// Splits a session ID at its placeholders; its constants are not yet JSON.
fn parts(text: &str) -> Result<Vec<Segment>, FieldError> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(brace) = rest.find(['{', '}']) {
        let (before, from_brace) = rest.split_at(brace);
        parts.push(Segment::Constant(before.to_owned()));
        let end = from_brace.find('}').map_or(from_brace.len(), |end| end + 1);
        let (placeholder, after) = from_brace.split_at(end);
        parts.push(match placeholder {
            "{run}" => Segment::Run,
            "{row}" => Segment::Row,
            "{attempt}" => Segment::Attempt,
            other => return Err(FieldError::UnknownPlaceholder(other.to_owned())),
        });
        rest = after;
    }
    parts.push(Segment::Constant(rest.to_owned()));
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;
    use proptest::prelude::*;

    const SAMPLE: &str = r#"{
      "Source": "Web",
      "IPAddress": "10.120.0.1",
      "DateFormat": null,
      "CurrencyCode": null,
      "CurrencySymbolType": null,
      "Language": null,
      "ExternalIP": "10.120.0.0",
      "SessionID": null,
      "APIVersion": "2.0",
      "CallerID": null,
      "CalledID": null,
      "RequestTime": null,
      "AdminNumber": 129409,
      "CardSequenceNumber": 1
    }"#;

    fn sample() -> RequestFields {
        RequestFields {
            source: "Web".into(),
            ip_address: Some("10.120.0.1".into()),
            external_ip: "10.120.0.0".into(),
            api_version: "2.0".into(),
            ..RequestFields::default()
        }
    }

    fn with_session(session_id: &str) -> RequestFields {
        RequestFields { session_id: Some(session_id.into()), ..sample() }
    }

    /// The body of row 7's second attempt in `run`.
    fn body_in(run: &str, values: &RequestFields) -> String {
        let order = Order { admin_number: 129409, sequence_number: 1 };
        let now = "2026-07-04T05:06:07Z".parse().unwrap();
        let body = BodyTemplate::new(values).unwrap().render(order, run, RowNumber(7), 2, now);
        String::from_utf8(body).unwrap()
    }

    fn field(values: &RequestFields, name: &str) -> serde_json::Value {
        serde_json::from_str::<serde_json::Value>(&body_in("night-1", values)).unwrap()[name]
            .clone()
    }

    fn error(values: &RequestFields) -> String {
        BodyTemplate::new(values).unwrap_err().to_string()
    }

    #[test]
    fn the_documents_sample_comes_out_field_for_field_and_in_order() {
        let compact: String = SAMPLE.split_whitespace().collect();
        assert_eq!(body_in("night-1", &sample()), compact);
    }

    #[test]
    fn the_envelope_has_the_fields_of_every_request_but_no_order() {
        let fields = BodyTemplate::new(&with_session("{run}/{row}-{attempt}")).unwrap();
        let envelope = fields.render_envelope("night-1", Timestamp::UNIX_EPOCH);
        assert_snapshot!(String::from_utf8(envelope).unwrap(), @r#"{"Source":"Web","IPAddress":"10.120.0.1","DateFormat":null,"CurrencyCode":null,"CurrencySymbolType":null,"Language":null,"ExternalIP":"10.120.0.0","SessionID":"night-1/0-0","APIVersion":"2.0","CallerID":null,"CalledID":null,"RequestTime":null"#);
    }

    #[test]
    fn the_largest_numbers_are_sent_as_they_are() {
        let order = Order { admin_number: i64::MAX, sequence_number: i32::MAX };
        let fields = BodyTemplate::new(&sample()).unwrap();
        let body = fields.render(order, "night-1", RowNumber(1), 1, Timestamp::UNIX_EPOCH);
        let end = br#""AdminNumber":9223372036854775807,"CardSequenceNumber":2147483647}"#;
        assert!(body.ends_with(end));
    }

    #[test]
    fn every_field_can_be_set() {
        let values = RequestFields {
            source: "WEB".into(),
            ip_address: Some("10.0.0.1".into()),
            date_format: Some("1".into()),
            currency_code: Some("840".into()),
            currency_symbol_type: Some("2".into()),
            language: Some("en".into()),
            external_ip: "2001:db8::1".into(),
            session_id: Some("000028;026;1349906692".into()),
            api_version: "2.0".into(),
            caller_id: Some("7204454214".into()),
            called_id: Some("7314145404".into()),
            request_time: Some(TimeZone::get("America/New_York").unwrap()),
        };
        assert_snapshot!(body_in("night-1", &values).replace(',', ",\n"), @r#"
        {"Source":"WEB",
        "IPAddress":"10.0.0.1",
        "DateFormat":"1",
        "CurrencyCode":"840",
        "CurrencySymbolType":"2",
        "Language":"en",
        "ExternalIP":"2001:db8::1",
        "SessionID":"000028;026;1349906692",
        "APIVersion":"2.0",
        "CallerID":"7204454214",
        "CalledID":"7314145404",
        "RequestTime":"07/04/2026 01:06:07",
        "AdminNumber":129409,
        "CardSequenceNumber":1}
        "#);
    }

    #[test]
    fn the_session_names_the_run_the_row_and_the_attempt() {
        assert_eq!(field(&with_session("{run}/{row}-{attempt}"), "SessionID"), "night-1/7-2");
        assert_eq!(field(&with_session("é{row}{row}\""), "SessionID"), "é77\"");
    }

    #[test]
    fn an_unknown_placeholder_is_refused() {
        assert_snapshot!(error(&with_session("a{rwo}b")), @"SessionID holds {rwo}, which is not a placeholder: use {run}, {row} or {attempt}");
        assert_snapshot!(error(&with_session("a{run")), @"SessionID holds {run, which is not a placeholder: use {run}, {row} or {attempt}");
        assert_snapshot!(error(&with_session("a}b")), @"SessionID holds }, which is not a placeholder: use {run}, {row} or {attempt}");
    }

    #[test]
    fn a_session_that_could_grow_too_long_is_refused_before_it_does() {
        let fitting = format!("{{run}}{{row}}{{attempt}}{}", "x".repeat(44));
        assert!(BodyTemplate::new(&with_session(&fitting)).is_ok());
        assert_snapshot!(error(&with_session(&format!("{fitting}x"))), @"SessionID can become 101 characters long with its placeholders filled, and CoreCARD takes at most 100: shorten it");
    }

    #[test]
    fn a_value_over_the_documents_length_is_refused_by_name() {
        let long = RequestFields { caller_id: Some("1".repeat(21)), ..sample() };
        assert_snapshot!(error(&long), @"CallerID is 21 characters long, and CoreCARD takes at most 20: shorten it");
        let fitting = RequestFields { caller_id: Some("é".repeat(20)), ..sample() };
        assert!(BodyTemplate::new(&fitting).is_ok());
    }

    #[test]
    fn an_empty_value_is_refused() {
        let empty = RequestFields { external_ip: String::new(), ..sample() };
        assert_snapshot!(error(&empty), @"ExternalIP is empty: give it a value, or leave it out");
        assert!(BodyTemplate::new(&with_session("")).is_err());
    }

    proptest! {
        #[test]
        fn any_text_arrives_as_it_was_set(
            source in "\\PC{1,50}",
            called_id in "[\u{0}-\u{7f}]{1,20}",
            run in "[ -~\u{0}-\u{1f}é]{1,36}",
        ) {
            let session_id = Some("{run}".to_owned());
            let called_id = Some(called_id);
            let values = RequestFields { source, called_id, session_id, ..sample() };
            let body: serde_json::Value = serde_json::from_str(&body_in(&run, &values)).unwrap();
            prop_assert_eq!(body["Source"].as_str(), Some(&*values.source));
            prop_assert_eq!(body["CalledID"].as_str(), values.called_id.as_deref());
            prop_assert_eq!(body["SessionID"].as_str(), Some(&*run));
        }
    }
}
