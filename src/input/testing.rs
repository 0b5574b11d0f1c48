//! What must hold for any file, and helpers for the tests of this room.

use std::fmt::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use crate::model::{Order, Row, RowNumber};

use super::line_ends::line_ends;
use super::{
    Disposition, Input, InputError, ReadOptions, RerunPlan, RowFilter, planned_rows, scan,
};

/// An input called `orders.csv` that holds these bytes.
pub(super) fn open(bytes: &[u8]) -> Result<Input, InputError> {
    Input::spool("orders.csv", bytes, &std::env::temp_dir())
}

pub(super) fn input(bytes: &[u8]) -> Input {
    open(bytes).unwrap()
}

pub(super) fn lines(input: &Input, options: &ReadOptions) -> Result<Vec<String>, InputError> {
    let columns = input.columns(options)?;
    let mut rows = input.rows(&columns)?;
    let mut lines = Vec::new();
    while let Some(record) = rows.next()? {
        let line = record.line();
        let content = match record.content() {
            Row::Order(order) => order.to_string(),
            Row::Invalid(error) => format!("{} {}", error.code, error.message),
        };
        lines.push(format!("{} (line {line}): {content}", record.row));
    }
    Ok(lines)
}

pub(super) fn created(text: &str) -> String {
    all_planned(text, None).unwrap()
}

pub(super) fn created_again(text: &str, filter: RowFilter) -> String {
    all_planned(text, Some(filter)).unwrap()
}

pub(super) fn refused_again(text: &str) -> String {
    all_planned(text, Some(RowFilter::default())).unwrap_err().to_string()
}

fn all_planned(text: &str, filter: Option<RowFilter>) -> Result<String, InputError> {
    let input = input(text.as_bytes());
    let columns = input.columns(&ReadOptions::default())?;
    let plan = filter.map(|filter| RerunPlan::new(&input, &columns, filter)).transpose()?;
    let summary = scan(&input, &columns, plan.as_ref(), 0)?;
    let mut shown = String::new();
    let mut to_send = 0;
    for planned in planned_rows(&input, &columns, &summary, plan.as_ref())? {
        let planned = planned?;
        let order = planned.order.map(|order| format!("{order} ")).unwrap_or_default();
        let disposition = match planned.disposition {
            Disposition::ToSend { doubt } => {
                to_send += 1;
                if doubt { "to send in doubt".to_owned() } else { "to send".to_owned() }
            }
            Disposition::Invalid(error) => error.code.to_string(),
            Disposition::Duplicate { first } => format!("duplicate of {first}"),
            Disposition::Resolved { status, message } => format!("resolved {status}: {message}"),
            Disposition::EndedSince(its) => format!("ended since, {}", its.status),
            Disposition::Kept { status, doubt: false } => format!("kept {status}"),
            Disposition::Kept { status, doubt: true } => format!("kept {status} with doubt"),
        };
        writeln!(shown, "{}: {order}{disposition}", planned.row).unwrap();
    }
    assert_eq!(to_send, summary.to_send, "the summary and the planned_rows disagree");
    Ok(shown)
}

/// How the same orders may be written.
#[derive(Debug, Clone)]
struct CsvStyle {
    delimiter: u8,
    quote_all: bool,
    crlf: bool,
    mark: bool,
    gzip: bool,
    swapped: bool,
    extra: Vec<String>,
}

prop_compose! {
    fn style()(
        delimiter in prop::sample::select(b",;\t|".to_vec()),
        flags: (bool, bool, bool, bool, bool),
        extra in prop::collection::vec("[a-z ,;|\"\r\n\tä]{0,8}", 0..3),
    ) -> CsvStyle {
        let (quote_all, crlf, mark, gzip, swapped) = flags;
        CsvStyle { delimiter, quote_all, crlf, mark, gzip, swapped, extra }
    }
}

impl CsvStyle {
    fn record(&self, admin: &str, sequence: &str, extra: &[String]) -> Vec<String> {
        let mut keys = [admin.to_owned(), sequence.to_owned()];
        if self.swapped {
            keys.reverse();
        }
        extra.iter().cloned().chain(keys).collect()
    }

    fn write(&self, orders: &[Order]) -> Vec<u8> {
        let style =
            if self.quote_all { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary };
        let end = if self.crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let mut writer = csv::WriterBuilder::new()
            .delimiter(self.delimiter)
            .quote_style(style)
            .terminator(end)
            .from_writer(if self.mark { "\u{feff}".into() } else { Vec::new() });
        let names: Vec<String> = (0..self.extra.len()).map(|at| format!("extra {at}")).collect();
        writer.write_record(self.record("AdminNumber", "CardSequenceNumber", &names)).unwrap();
        for order in orders {
            let (admin, sequence) =
                (order.admin_number.to_string(), order.sequence_number.to_string());
            writer.write_record(self.record(&admin, &sequence, &self.extra)).unwrap();
        }
        let text = writer.into_inner().unwrap();
        if self.gzip { gzipped(&text) } else { text }
    }
}

pub(super) fn gzipped(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    std::io::Write::write_all(&mut encoder, text).unwrap();
    encoder.finish().unwrap()
}

prop_compose! {
    fn order()(admin_number in 0..=i64::MAX, sequence_number in 0..=i32::MAX) -> Order {
        Order { admin_number, sequence_number }
    }
}

proptest! {
    #[test]
    fn any_orders_written_in_any_style_read_back_the_same(
        orders in prop::collection::vec(order(), 1..20), style in style()
    ) {
        let input = input(&style.write(&orders));
        let options = ReadOptions { exempt_admin_column: true, ..ReadOptions::default() };
        let columns = input.columns(&options).unwrap();
        prop_assert_eq!(columns.delimiter(), style.delimiter);
        let mut rows = input.rows(&columns).unwrap();
        for (order, number) in orders.iter().zip(1..) {
            let record = rows.next().unwrap().unwrap();
            prop_assert_eq!(record.row, RowNumber(number));
            prop_assert_eq!(record.content(), Row::Order(*order));
            for (extra, field) in style.extra.iter().zip(record.fields) {
                prop_assert_eq!(extra.as_bytes(), field);
            }
        }
        prop_assert!(rows.next().unwrap().is_none());
    }

    #[test]
    fn the_line_of_a_row_is_where_it_starts(
        style in style(), blanks in prop::collection::vec(0..3usize, 1..8)
    ) {
        let end = if style.crlf { "\r\n" } else { "\n" };
        let mut text = format!("admin,seq,note{end}");
        let mut expected = Vec::new();
        for (at, count) in blanks.iter().enumerate() {
            text.push_str(&end.repeat(*count));
            expected.push(1 + line_ends(text.as_bytes(), false));
            let note = style.extra.first().map(|note| note.replace('"', "\"\"")).unwrap_or_default();
            write!(text, "{at},1,\"{note}\"{end}").unwrap();
        }
        let input = input(text.as_bytes());
        let columns = input.columns(&ReadOptions::default()).unwrap();
        let mut rows = input.rows(&columns).unwrap();
        for line in expected {
            prop_assert_eq!(rows.next().unwrap().unwrap().line(), line);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused_but_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..300), header: bool, gzip: bool
    ) {
        let mut file = if header { b"admin,seq,note\n".to_vec() } else { Vec::new() };
        file.extend_from_slice(&bytes);
        let file = if gzip { gzipped(&file) } else { file };
        drop(open(&file).and_then(|input| lines(&input, &ReadOptions::default())));
    }

    #[test]
    fn any_text_of_a_csv_kind_is_read_or_refused_but_never_panics(
        text in "(admin[,;]seq(,note)?\n)?[0-9a,;\"\r\n .e+'-]{0,60}"
    ) {
        drop(open(text.as_bytes()).and_then(|input| lines(&input, &ReadOptions::default())));
    }
}
