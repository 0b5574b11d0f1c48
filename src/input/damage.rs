//! Rows that a CSV parser reads without complaint, and that do not hold what was meant.

use csv::ByteRecord;

use crate::model::Order;

use super::columns::ColumnMap;
use super::excerpt::excerpt;
use super::quotes::ends_row;

/// What is damaged in a row, in words; `raw` is what stands in the file for it.
pub(super) fn find(raw: &[u8], fields: &ByteRecord, columns: &ColumnMap) -> Option<String> {
    if raw.contains(&0) {
        return Some("the row holds a NUL byte".to_owned());
    }
    let is_key = |column: &usize| [columns.admin(), columns.sequence()].contains(column);
    if let Some(column) = glued(raw, columns.delimiter()).into_iter().find(is_key) {
        let name = excerpt(columns.header().get(column).unwrap_or_default());
        return Some(format!("field {name} continues after its closing quote"));
    }
    let column = fields.iter().position(|field| field.iter().any(|byte| ends_row(*byte)))?;
    if !holds_rows(raw, fields, columns) {
        return None;
    }
    let name = excerpt(columns.header().get(column).unwrap_or_default());
    Some(format!("the quoted field {name} contains what looks like another row"))
}

/// Whether a line of a row of several lines reads as a row: as a second one, or as one with
/// another order than that of the row, whose numbers then come from different lines.
fn holds_rows(raw: &[u8], fields: &ByteRecord, columns: &ColumnMap) -> bool {
    let lines = raw.split(|byte| ends_row(*byte));
    let mut orders = lines.filter_map(|line| order_in(line, columns));
    match (orders.next(), orders.next()) {
        (Some(order), None) => !columns.holds(fields, order),
        (_, second) => second.is_some(),
    }
}

/// The order that a line carries if its quotes are taken for nothing.
fn order_in(line: &[u8], columns: &ColumnMap) -> Option<Order> {
    let unquoted =
        |field: &'_ [u8]| field.iter().copied().filter(|byte| *byte != b'"').collect::<Vec<u8>>();
    let fields: ByteRecord =
        line.split(|byte| *byte == columns.delimiter()).map(unquoted).collect();
    columns.order(&fields).ok()
}

/// The columns in which digits follow a closing quote.
fn glued(raw: &[u8], delimiter: u8) -> Vec<usize> {
    let mut columns = Vec::new();
    let (mut column, mut start, mut quoted) = (0, true, false);
    let mut bytes = raw.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' if quoted && bytes.peek() == Some(&b'"') => {
                bytes.next();
            }
            b'"' if quoted => {
                quoted = false;
                if bytes.peek().is_some_and(u8::is_ascii_digit) {
                    columns.push(column);
                }
            }
            b'"' if start => quoted = true,
            _ if byte == delimiter && !quoted => column += 1,
            _ => {}
        }
        start = byte == delimiter && !quoted;
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_after_a_closing_quote_are_found_in_their_column() {
        for (raw, columns) in [
            (r#""1"2,3"#, &[0][..]),
            (r#"1,"2"3"#, &[1]),
            (r#""a,b",""4,"c"x,"d"5"#, &[1, 3]),
            (r#""1","2""#, &[]),
            (r#""say ""1"" twice",1"#, &[]),
            (r#"12"3",4"#, &[]),
            (r#""1" ,2"#, &[]),
        ] {
            assert_eq!(glued(raw.as_bytes(), b','), columns, "{raw}");
        }
    }
}
