//! Which orders a file gives, by an independent reader that is as strict as possible and shares
//! no code with the program's. An order that it does not accept must not be sent.

use std::collections::BTreeSet;

use cardcancel::model::Order;

const ADMIN: [&str; 2] = ["adminnumber", "admin"];
const SEQUENCE: [&str; 4] = ["cardsequencenumber", "sequencenumber", "sequence", "seq"];

/// The orders that a text gives, line by line, of those that were `meant` when it was written. A
/// last line without a line end gives none, unless the text is `proven` to be complete.
pub fn orders(
    text: &[u8],
    delimiter: char,
    proven: bool,
    meant: &BTreeSet<Order>,
) -> BTreeSet<Order> {
    let text = String::from_utf8_lossy(text);
    let text = text.trim_start_matches('\u{feff}');
    let mut lines = text.split_inclusive(['\n', '\r']).filter(|line| !line.trim().is_empty());
    let names = |line: &str| -> Option<Vec<String>> {
        let fields = fields(line.trim_end_matches(['\n', '\r']), delimiter)?;
        Some(fields.iter().map(|name| name.replace([' ', '_', '-'], "").to_lowercase()).collect())
    };
    let Some(header) = lines.next().and_then(names) else { return BTreeSet::new() };
    let (Some(admin), Some(sequence)) = (the(&ADMIN, &header), the(&SEQUENCE, &header)) else {
        return BTreeSet::new();
    };
    let is_header = |line: &&str| {
        let again = names(line).unwrap_or_default();
        the(&ADMIN, &again).is_some() && the(&SEQUENCE, &again).is_some()
    };
    let gives = |line: &str| -> Option<Order> {
        let is_ended = line.ends_with(['\n', '\r']);
        let fields = fields(line.trim_end_matches(['\n', '\r']), delimiter)?;
        // Empty fields at the end may be missing, as spreadsheets drop them, but not the keys.
        let is_short = fields.len() < header.len() && admin.max(sequence) == 1 && fields.len() >= 2;
        let is_row = fields.len() == header.len() || is_short;
        let order = Order {
            admin_number: number(fields.get(admin)?)?.try_into().ok()?,
            sequence_number: number(fields.get(sequence)?)?.try_into().ok()?,
        };
        (is_row && (is_ended || proven) && !line.contains('\0')).then_some(order)
    };
    // Below another header the columns may differ.
    let given: BTreeSet<Order> =
        lines.take_while(|line| !is_header(line)).filter_map(gives).collect();
    given.intersection(meant).copied().collect()
}

/// The one column that has one of these names.
fn the(names: &[&str], header: &[String]) -> Option<usize> {
    let mut found = (0..header.len()).filter(|at| names.contains(&header[*at].as_str()));
    found.next().filter(|_| found.next().is_none())
}

/// The fields of a line, if each is quoted as a whole or not at all.
fn fields(line: &str, delimiter: char) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => unquoted(quoted)?,
            None => {
                let end = rest.find(delimiter).unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            }
        };
        let is_plain = !rest.starts_with('"');
        if is_plain && field.contains('"') {
            return None;
        }
        fields.push(field);
        match after.strip_prefix(delimiter) {
            Some(next) => rest = next,
            None => return after.is_empty().then_some(fields),
        }
    }
}

/// A quoted field without its quotes, and the text after it.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut field = String::new();
    let mut rest = text;
    loop {
        let end = rest.find('"')?;
        field.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(more) => rest = more,
            None => return Some((field, rest)),
        }
        field.push('"');
    }
}

/// Digits with optional blanks around them.
fn number(field: &str) -> Option<u64> {
    let digits = field.trim_matches([' ', '\t']);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok())?
}

#[test]
fn what_a_line_gives_is_what_it_says_and_no_more() {
    let meant =
        BTreeSet::from([1, 12, 123].map(|admin_number| Order { admin_number, sequence_number: 1 }));
    let given = |rows: &str| -> Vec<i64> {
        let text = format!("Admin Number,seq,note\n{rows}");
        orders(text.as_bytes(), ',', false, &meant).iter().map(|order| order.admin_number).collect()
    };
    assert_eq!(given("\"0123\", 1 ,\"a, \"\"b\"\"\"\n12,1\r\n"), [12, 123]);
    for none in [
        "123,1,x",
        "123,1,x,y\n",
        "x,123,1\n",
        "\"12\"3,1,x\n",
        "123,1,\"x\n",
        "12.0,1,x\n",
        "123,2,x\n",
        "124,1,x\n",
        "123\n",
        "note,seq,admin\n123,1,x\n",
    ] {
        assert!(given(none).is_empty(), "{none}");
    }
}
