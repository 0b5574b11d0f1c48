//! The lines of a run in `rows.csv`, `attempts.csv` and `events.csv`. A seal's digests are
//! computed from these lines, so what they look like must never change.

use std::collections::HashMap;

use super::csv_line::{CsvLine, push_text};
use crate::ledger::{AttemptRecord, EventRecord, RowRecord, StartRecord};
use crate::model::{Status, TimestampFormatter};

/// What every attempt asked CoreCARD to do.
pub const OPERATION: &str = "CancelPhysicalCardOrder";

/// Formats the records of one run, one line each. Lines of one table come fastest one after
/// another in the order of the table.
pub struct RunLines {
    line: CsvLine,
    /// The first field of every line.
    run: Vec<u8>,
    /// The fields `operation` and `endpoint`, with a comma before each.
    call: Vec<u8>,
    /// The fields `by` and `host` for each start, with a comma before each.
    starts: HashMap<i64, Vec<u8>>,
    /// The start of the line before, and its fields.
    last_start: (Option<i64>, Vec<u8>),
    /// The error code and message of the line before, and their fields with a comma before each.
    /// Most calls end alike.
    last_answer: (String, String, Vec<u8>),
    /// Calls begin and end at about the same time, but often not in the same second.
    row_times: [TimestampFormatter; 2],
    attempt_times: [TimestampFormatter; 3],
}

/// The fields `by` and `host` where no start is known.
const NOBODY: &[u8] = b",,";

/// The fields `error_code` and `message` where both are empty.
const NO_ANSWER: &[u8] = b",,";

impl RunLines {
    /// The lines of the run with this identifier, which called this URL and was started so.
    pub fn new(run: &str, endpoint: &str, starts: &[StartRecord]) -> RunLines {
        let mut id = Vec::new();
        push_text(&mut id, run);
        let mut call = format!(",{OPERATION},").into_bytes();
        push_text(&mut call, endpoint);
        RunLines {
            line: CsvLine::default(),
            run: id,
            call,
            starts: starts.iter().map(|start| (start.number, start_fields(start))).collect(),
            last_start: (None, NOBODY.to_owned()),
            last_answer: (String::new(), String::new(), NO_ANSWER.to_owned()),
            row_times: [(); 2].map(|()| TimestampFormatter::microseconds()),
            attempt_times: [(); 3].map(|()| TimestampFormatter::microseconds()),
        }
    }

    /// The line of `rows.csv`, with its LF.
    pub fn row(&mut self, record: &RowRecord) -> &[u8] {
        self.answer(&record.error_code, &record.message);
        let line = &mut self.line;
        let [first_sent_at, ended_at] = &mut self.row_times;
        line.begin(&self.run);
        line.number(Some(record.row.0));
        line.number(record.order.map(|order| order.admin_number));
        line.number(record.order.map(|order| order.sequence_number));
        line.word(record.status.as_str());
        line.formatted(&self.last_answer.2);
        line.number(record.http_status);
        line.number(Some(record.attempts));
        line.word(if record.doubt { "true" } else { "false" });
        line.time(record.first_sent_at, first_sent_at);
        // As in the results: what was not sent has not ended, whatever was tried before.
        line.time(record.ended_at.filter(|_| record.status != Status::NotSent), ended_at);
        line.end()
    }

    /// The line of `attempts.csv`, with its LF.
    pub fn attempt(&mut self, record: &AttemptRecord) -> &[u8] {
        self.look_up(record.start);
        self.answer(&record.error_code, &record.message);
        let line = &mut self.line;
        let [claimed_at, sent_at, ended_at] = &mut self.attempt_times;
        line.begin(&self.run);
        line.number(Some(record.row.0));
        line.number(Some(record.attempt));
        line.number(Some(record.order.admin_number));
        line.number(Some(record.order.sequence_number));
        line.formatted(&self.call);
        line.formatted(&self.last_start.1);
        line.time(Some(record.claimed_at), claimed_at);
        line.time(record.sent_at, sent_at);
        line.time(record.ended_at, ended_at);
        line.word(record.verdict);
        line.word(record.status.map_or("", Status::as_str));
        line.number(record.http_status);
        line.formatted(&self.last_answer.2);
        line.end()
    }

    /// The line of `events.csv`, with its LF.
    pub fn event(&mut self, record: &EventRecord) -> &[u8] {
        self.look_up(record.start);
        let line = &mut self.line;
        line.begin(&self.run);
        line.time(Some(record.at), &mut self.attempt_times[0]);
        line.text(&record.kind);
        line.formatted(&self.last_start.1);
        line.text(&record.detail);
        line.end()
    }

    fn answer(&mut self, error_code: &str, message: &str) {
        let (last_code, last_message, fields) = &mut self.last_answer;
        if last_code != error_code || last_message != message {
            error_code.clone_into(last_code);
            message.clone_into(last_message);
            fields.clear();
            for text in [error_code, message] {
                fields.push(b',');
                push_text(fields, text);
            }
        }
    }

    fn look_up(&mut self, start: Option<i64>) {
        if self.last_start.0 != start {
            let fields = start.and_then(|start| self.starts.get(&start));
            let fields = fields.map_or(NOBODY, Vec::as_slice);
            self.last_start.0 = start;
            self.last_start.1.clear();
            self.last_start.1.extend_from_slice(fields);
        }
    }
}

/// The fields `by` and `host`, with a comma before each. A start that was recorded without an
/// identity has only the text of its worker.
fn start_fields(start: &StartRecord) -> Vec<u8> {
    let (by, host) = match &start.by {
        Some(identity) => (identity.user_text(), identity.host.as_str()),
        None => (start.worker.clone(), ""),
    };
    let mut fields = vec![b','];
    push_text(&mut fields, &by);
    fields.push(b',');
    push_text(&mut fields, host);
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::tables::AuditTable;
    use crate::audit::testing::{attempt, row, start};
    use crate::ledger::EventRecord;
    use crate::model::Order;

    const RUN: &str = "20261122-091020-6f4f";
    const ENDPOINT: &str = "https://cards.example/api/CancelPhysicalCardOrder";

    fn lines() -> RunLines {
        RunLines::new(RUN, ENDPOINT, &[start(7)])
    }

    fn text(line: &[u8]) -> String {
        String::from_utf8(line.to_vec()).unwrap()
    }

    #[test]
    fn a_row_is_one_line_with_microseconds_in_utc() {
        assert_eq!(
            text(lines().row(&row(3))),
            "20261122-091020-6f4f,3,129403,1,cancelled,ERR01160,\"Cancelled, thanks\",200,1,false,\
             2026-11-22T09:10:20.412093Z,2026-11-22T09:10:20.500000Z\n"
        );
    }

    #[test]
    fn a_row_that_holds_no_order_has_empty_fields() {
        let mut record = row(4);
        (record.order, record.status, record.http_status) = (None, Status::Invalid, None);
        (record.first_sent_at, record.ended_at) = (None, None);
        (record.error_code, record.message) = ("INVALID".to_owned(), "=1".to_owned());
        assert_eq!(
            text(lines().row(&record)),
            "20261122-091020-6f4f,4,,,invalid,INVALID,'=1,,1,false,,\n"
        );
    }

    #[test]
    fn a_row_that_was_not_sent_has_no_end() {
        let mut record = row(4);
        record.status = Status::NotSent;
        assert!(text(lines().row(&record)).ends_with(",2026-11-22T09:10:20.412093Z,\n"));
    }

    #[test]
    fn an_attempt_says_who_made_it_from_where_and_what_it_came_to() {
        assert_eq!(
            text(lines().attempt(&attempt(3, 7))),
            "20261122-091020-6f4f,3,1,129403,1,CancelPhysicalCardOrder,\
             https://cards.example/api/CancelPhysicalCardOrder,\
             \"cardcancel (uid 991), login jdoe (uid 1004)\",batch1,\
             2026-11-22T09:10:20.400000Z,2026-11-22T09:10:20.412093Z,2026-11-22T09:10:20.500000Z,\
             cancelled,cancelled,200,ERR01160,\"Cancelled, thanks\"\n"
        );
    }

    #[test]
    fn an_attempt_of_a_start_without_identity_names_its_worker() {
        let old =
            StartRecord { by: None, worker: "alice@batch2, process 3".to_owned(), ..start(6) };
        let mut lines = RunLines::new(RUN, ENDPOINT, &[old, start(7)]);
        assert!(text(lines.attempt(&attempt(1, 6))).contains(",\"alice@batch2, process 3\",,"));
        assert!(text(lines.attempt(&attempt(2, 7))).contains(",batch1,"));
        let unknown = AttemptRecord { start: None, ..attempt(3, 7) };
        assert!(text(lines.attempt(&unknown)).contains("Order,,,2026"));
    }

    #[test]
    fn an_attempt_in_flight_has_no_end_and_no_verdict() {
        let mut record = attempt(3, 7);
        (record.sent_at, record.ended_at, record.http_status) = (None, None, None);
        (record.verdict, record.status) = ("", None);
        (record.error_code, record.message) = (String::new(), String::new());
        let line = text(lines().attempt(&record));
        assert!(line.ends_with("batch1,2026-11-22T09:10:20.400000Z,,,,,,,\n"), "{line}");
    }

    #[test]
    fn an_event_is_one_line_even_if_its_detail_was_two() {
        let event = EventRecord {
            at: "2026-11-22T09:10:20.412093Z".parse().unwrap(),
            kind: "outage_began".to_owned(),
            start: Some(7),
            detail: "connection refused,\nfive times".to_owned(),
        };
        assert_eq!(
            text(lines().event(&event)),
            "20261122-091020-6f4f,2026-11-22T09:10:20.412093Z,outage_began,\
             \"cardcancel (uid 991), login jdoe (uid 1004)\",batch1,\
             \"connection refused, five times\"\n"
        );
    }

    #[test]
    fn every_line_has_the_fields_that_its_header_names() {
        let fields = |line: &[u8]| {
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line);
            reader.records().next().unwrap().unwrap().len()
        };
        let mut longest = row(1);
        let order = Order { admin_number: i64::MAX, sequence_number: i32::MAX };
        longest.order = Some(order);
        assert_eq!(fields(lines().row(&longest)), AuditTable::Rows.columns().len());
        let mut longest = attempt(1, 7);
        longest.order = order;
        assert_eq!(fields(lines().attempt(&longest)), AuditTable::Attempts.columns().len());
        assert!(text(lines().attempt(&longest)).contains(",9223372036854775807,2147483647,"));
    }
}
