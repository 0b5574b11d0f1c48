//! Which columns a file has, and which of them are the keys.

use csv::ByteRecord;

use crate::model::{Order, RowError, card_numbers};

use super::error::{Fault, InputError};
use super::excerpt::excerpt;
use super::number::{ADMIN_NUMBER, SEQUENCE_NUMBER};
use super::records::Records;
use super::result_columns;
use super::source::Input;
use crate::model::invisible::is_invisible;

/// The delimiters that are recognised by themselves.
const DELIMITERS: [u8; 4] = *b",;\t|";
/// How many column names a message lists.
const NAMES_SHOWN: usize = 12;

/// What the user said about how to read the file.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// What separates fields; found out if not given.
    pub delimiter: Option<u8>,
    /// The name of the admin number's column, if it is not a usual one.
    pub admin_column: Option<String>,
    /// The name of the sequence number's column, if it is not a usual one.
    pub sequence_column: Option<String>,
    /// The name of the priority's column, if there is one.
    pub priority_column: Option<String>,
    /// Whether admin numbers may look like card numbers.
    pub exempt_admin_column: bool,
}

/// A file's columns.
#[derive(Debug, Clone)]
pub struct Layout {
    delimiter: u8,
    header: ByteRecord,
    admin: usize,
    sequence: usize,
    priority: Option<usize>,
    exempt_admin: bool,
    guesses_sequence: bool,
    results: Vec<usize>,
    carried: Vec<usize>,
}

impl Input {
    /// Reads the header and finds the columns.
    pub fn layout(&self, reading: &Reading) -> Result<Layout, InputError> {
        let delimiter = match reading.delimiter {
            Some(delimiter) => delimiter,
            None => self.likely_delimiter(reading)?,
        };
        let mut records = Records::new(self, delimiter)?;
        let mut header = ByteRecord::new();
        if !records.read(&mut header)? {
            return Err(self.refuse(Fault::Empty));
        }
        let layout = Layout::of(delimiter, header, reading).map_err(|fault| {
            let is_below = matches!(
                fault,
                Fault::NoColumn { .. } | Fault::NoSuchColumn { .. } | Fault::NotAHeader
            );
            let line = if is_below { self.header_below(reading) } else { None };
            self.refuse(line.map_or(fault, |line| Fault::HeaderBelow { line }))
        })?;
        if !records.read(&mut ByteRecord::new())? {
            return Err(self.refuse(Fault::NoRows));
        }
        Ok(layout)
    }

    /// The delimiter with which most key columns are found, then most columns.
    fn likely_delimiter(&self, reading: &Reading) -> Result<u8, InputError> {
        if let Some(delimiter) = self.said_delimiter() {
            return Ok(delimiter);
        }
        let mut best = None;
        let mut refusal = None;
        for delimiter in DELIMITERS {
            let mut header = ByteRecord::new();
            // Quotes tangled for one delimiter may be in order for another.
            match Records::new(self, delimiter)?.read(&mut header) {
                Ok(_) => {}
                Err(error) => {
                    refusal = refusal.or(Some(error));
                    continue;
                }
            }
            let keys = [Key::ADMIN, Key::SEQUENCE, Key::PRIORITY];
            let found = keys.iter().filter(|key| key.columns(&header, reading).next().is_some());
            let score = (found.count(), header.len());
            if best.is_none_or(|(highest, _)| score > highest) {
                best = Some((score, delimiter));
            }
        }
        match (best, refusal) {
            // The names are in the header whose quotes are tangled.
            (Some(((0, _), _)), Some(error)) => Err(error),
            (Some((_, delimiter)), _) => Ok(delimiter),
            (None, Some(error)) => Err(error),
            (None, None) => Ok(b','),
        }
    }

    /// The line of a header that stands below other lines, as titles and comments do.
    fn header_below(&self, reading: &Reading) -> Option<u64> {
        let delimiters = reading.delimiter.or(self.said_delimiter());
        let delimiters = delimiters.map_or(DELIMITERS.to_vec(), |delimiter| vec![delimiter]);
        let keys = [Key::ADMIN, Key::SEQUENCE];
        delimiters.into_iter().find_map(|delimiter| {
            let mut records = Records::new(self, delimiter).ok()?;
            let mut record = ByteRecord::new();
            for nth in 0..TITLE_LINES {
                if !records.read(&mut record).ok()? {
                    return None;
                }
                let has = |key: &Key| key.columns(&record, reading).next().is_some();
                if nth > 0 && keys.iter().all(has) {
                    return Some(records.line_of(&record));
                }
            }
            None
        })
    }
}

/// How many lines may stand above a header that is looked for.
const TITLE_LINES: usize = 50;

impl Layout {
    fn of(delimiter: u8, header: ByteRecord, reading: &Reading) -> Result<Layout, Fault> {
        let admin = Key::ADMIN.find(&header, reading)?;
        let sequence = Key::SEQUENCE.find(&header, reading)?;
        if admin == sequence {
            return Err(Fault::SameColumn(name(&header, admin)));
        }
        let named = reading.priority_column.as_ref();
        let priority = named.map(|_| Key::PRIORITY.find(&header, reading)).transpose()?;
        if let Some(column) = header.iter().position(card_numbers::looks_like_card_number) {
            return Err(Fault::CardNumberInHeader(column + 1));
        }
        let is_key =
            |column: &usize| [Some(admin), Some(sequence), priority].contains(&Some(*column));
        let is_result = |column: &usize| {
            header.get(*column).is_some_and(|name| result_name(name).is_some()) && !is_key(column)
        };
        let (results, carried) = (0..header.len()).partition(is_result);
        let exempt_admin = reading.exempt_admin_column;
        let name = folded(header.get(sequence).unwrap_or_default());
        let guesses_sequence =
            reading.sequence_column.is_none() && Key::SEQUENCE.generic.contains(&name.as_str());
        Ok(Layout {
            delimiter,
            header,
            admin,
            sequence,
            priority,
            exempt_admin,
            guesses_sequence,
            results,
            carried,
        })
    }

    /// What separates the fields.
    pub fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// The column names, in order, as they stand in the file.
    pub fn header(&self) -> &ByteRecord {
        &self.header
    }

    /// The name of a column, fit to be shown.
    pub fn name_of(&self, column: usize) -> String {
        name(&self.header, column)
    }

    /// Which column holds the admin number.
    pub fn admin(&self) -> usize {
        self.admin
    }

    /// Which column holds the sequence number.
    pub fn sequence(&self) -> usize {
        self.sequence
    }

    /// Which column says who goes first, if one does.
    pub fn priority(&self) -> Option<usize> {
        self.priority
    }

    /// The order that fields in this layout's columns carry.
    #[inline]
    pub(super) fn order(&self, fields: &ByteRecord) -> Result<Order, RowError> {
        let field = |column| fields.get(column).unwrap_or_default();
        let admin_number = ADMIN_NUMBER.read(field(self.admin))?;
        let sequence_number = SEQUENCE_NUMBER.read(field(self.sequence))?;
        Ok(Order {
            // Both were read as no larger than these types hold.
            admin_number: i64::try_from(admin_number).unwrap_or(i64::MAX),
            sequence_number: i32::try_from(sequence_number).unwrap_or(i32::MAX),
        })
    }

    /// Whether the key fields hold this order.
    pub fn holds(&self, fields: &ByteRecord, order: Order) -> bool {
        self.order(fields).is_ok_and(|held| held == order)
    }

    /// Whether a row of so few fields may lack nothing but empty ones at its end, which
    /// spreadsheets leave out. Where any column stands before the keys, the field that is
    /// missing may be one of those, and the keys are not what they seem.
    pub(super) fn may_end_after(&self, fields: usize) -> bool {
        self.admin.max(self.sequence) == 1 && (2..self.header.len()).contains(&fields)
    }

    /// Whether a row is a header: another file follows, and its columns may have another order,
    /// or names that only look like ours.
    pub(super) fn is_header(&self, fields: &ByteRecord) -> bool {
        let names = |key: &Key, column: usize| {
            let ours = folded(self.header.get(column).unwrap_or_default());
            let found = fields.iter().map(folded).enumerate();
            let meant = found.filter(|(_, name)| *name == ours || key.usual.contains(&&**name));
            meant.map(|(column, _)| column).chain(key.similar(fields)).collect::<Vec<_>>()
        };
        let sequences = names(&Key::SEQUENCE, self.sequence);
        let admins = names(&Key::ADMIN, self.admin);
        admins.iter().any(|admin| sequences.iter().any(|sequence| sequence != admin))
    }

    /// Whether the sequence number's column has a name that others may have too, and nobody
    /// said that it is the right one.
    pub(super) fn guesses_sequence(&self) -> bool {
        self.guesses_sequence
    }

    /// Whether the key fields hold an order, whatever else is wrong with the row.
    pub fn carries_order(&self, fields: &ByteRecord) -> bool {
        self.order(fields).is_ok()
    }

    /// Whether admin numbers may look like card numbers.
    pub fn exempts_admin(&self) -> bool {
        self.exempt_admin
    }

    /// The columns of an earlier run's results.
    pub fn results(&self) -> &[usize] {
        &self.results
    }

    /// The column of that name among the results, of [`result_columns::RESULTS`].
    pub fn result(&self, name: &str) -> Option<usize> {
        self.named(name).next()
    }

    /// The column of results that a file lacks, if it does not look like results.
    pub fn lacks_of_results(&self) -> Option<&'static str> {
        [result_columns::STATUS, result_columns::DOUBT]
            .into_iter()
            .find(|name| self.result(name).is_none())
    }

    fn named(&self, name: &str) -> impl Iterator<Item = usize> {
        self.results.iter().copied().filter(move |&column| {
            self.header.get(column).and_then(result_name).is_some_and(|found| found == name)
        })
    }

    /// Refuses a layout with two columns of the same result name.
    pub(super) fn unambiguous(&self) -> Result<(), Fault> {
        for name in result_columns::RESULTS {
            let mut found = self.named(name);
            if let (Some(_), Some(second)) = (found.next(), found.next()) {
                return Err(Fault::Ambiguous {
                    what: name.to_owned(),
                    first: excerpt(name.as_bytes()),
                    second: self::name(&self.header, second),
                    remedy: "remove one of them".to_owned(),
                });
            }
        }
        Ok(())
    }

    /// The columns that go into the results untouched: all but the result columns.
    pub fn carried(&self) -> &[usize] {
        &self.carried
    }
}

fn result_name(name: &[u8]) -> Option<&'static str> {
    let name = name.trim_ascii();
    result_columns::RESULTS.into_iter().find(|known| known.as_bytes().eq_ignore_ascii_case(name))
}

/// A column that has to be found: one of the two that make an order, or the priority.
struct Key {
    what: &'static str,
    flag: &'static str,
    wanted: &'static str,
    /// Its usual names, folded.
    usual: &'static [&'static str],
    /// Those of them that a column with something else may have too.
    generic: &'static [&'static str],
    /// What is in every name that it may have.
    stem: &'static str,
    named: fn(&Reading) -> Option<&str>,
}

impl Key {
    const ADMIN: Key = Key {
        what: "admin number",
        flag: "--admin-column",
        wanted: "AdminNumber or admin",
        usual: &["adminnumber", "admin"],
        generic: &["admin"],
        stem: "admin",
        named: |reading| reading.admin_column.as_deref(),
    };

    const SEQUENCE: Key = Key {
        what: "sequence number",
        flag: "--sequence-column",
        wanted: "CardSequenceNumber, SequenceNumber, sequence or seq",
        usual: &["cardsequencenumber", "sequencenumber", "sequence", "seq"],
        generic: &["sequence", "seq"],
        stem: "seq",
        named: |reading| reading.sequence_column.as_deref(),
    };

    /// It has no usual name: it is looked for only if it was named.
    const PRIORITY: Key = Key {
        what: "priority",
        flag: "--priority-column",
        wanted: "any name",
        usual: &[],
        generic: &[],
        stem: "",
        named: |reading| reading.priority_column.as_deref(),
    };

    /// Every column that may be meant.
    fn columns<'h>(
        &'h self,
        header: &'h ByteRecord,
        reading: &Reading,
    ) -> impl Iterator<Item = usize> + 'h {
        let named = (self.named)(reading).map(|name| folded(name.as_bytes()));
        header.iter().enumerate().filter_map(move |(column, name)| {
            let name = folded(name);
            let meant = match &named {
                Some(named) => *named == name,
                None => self.usual.contains(&name.as_str()),
            };
            meant.then_some(column)
        })
    }

    fn find(&self, header: &ByteRecord, reading: &Reading) -> Result<usize, Fault> {
        let meant: Vec<usize> = self.columns(header, reading).collect();
        match meant.as_slice() {
            [] => Err(self.missing(header, reading)),
            [column] => match self.rival(*column, header, reading) {
                Some(rival) => Err(self.ambiguous(header, *column, rival)),
                None => Ok(*column),
            },
            [first, second, ..] => {
                // Names that differ only in case or spaces can still be told apart exactly.
                let named = (self.named)(reading).map(str::as_bytes);
                let mut exact =
                    meant.iter().filter(|column| named.is_some() && header.get(**column) == named);
                match (exact.next(), exact.next()) {
                    (Some(column), None) => Ok(*column),
                    _ => Err(self.ambiguous(header, *first, *second)),
                }
            }
        }
    }

    /// Another column that may be meant, where the one that was found has a name that says
    /// little.
    fn rival(&self, found: usize, header: &ByteRecord, reading: &Reading) -> Option<usize> {
        let name = folded(header.get(found).unwrap_or_default());
        if (self.named)(reading).is_some() || !self.generic.contains(&name.as_str()) {
            return None;
        }
        self.similar(header).find(|column| *column != found)
    }

    /// The columns whose names look as if they meant this: "Card Seq. No.", "Admin-Nr".
    fn similar<'h>(&self, header: &'h ByteRecord) -> impl Iterator<Item = usize> + use<'h> {
        let stem = self.stem;
        header.iter().enumerate().filter_map(move |(column, name)| {
            let mut name = folded(name);
            name.retain(|char| char.is_alphanumeric() || char == '#');
            let is_number = NUMBERS.iter().any(|ending| name.ends_with(ending));
            (name.contains(stem) && (is_number || name.starts_with("card"))).then_some(column)
        })
    }

    fn missing(&self, header: &ByteRecord, reading: &Reading) -> Fault {
        let Key { what, flag, wanted, .. } = *self;
        let is_named = [Key::ADMIN, Key::SEQUENCE]
            .iter()
            .any(|key| key.similar(header).chain(key.columns(header, reading)).next().is_some());
        // One number may be a name ("2024"); an order has two.
        if !is_named && header.iter().filter(|name| is_number(name)).count() >= header.len().min(2)
        {
            return Fault::NotAHeader;
        }
        let hint = match header.len() {
            1 => "; fields are separated by , or ; or | or a tab, and this line has none of them",
            _ => "",
        };
        let header = names(header);
        match (self.named)(reading) {
            Some(name) => {
                Fault::NoSuchColumn { name: excerpt(name.as_bytes()), flag, header, hint }
            }
            None => Fault::NoColumn { what, wanted, flag, header, hint },
        }
    }

    fn ambiguous(&self, header: &ByteRecord, first: usize, second: usize) -> Fault {
        let remedy = match header.get(first) == header.get(second) {
            true => "rename one of them".to_owned(),
            false => format!("name the right one with {}", self.flag),
        };
        let (first, second) = (name(header, first), name(header, second));
        Fault::Ambiguous { what: self.what.to_owned(), first, second, remedy }
    }
}

/// How names end that mean a number.
const NUMBERS: [&str; 7] = ["no", "nr", "num", "number", "nbr", "id", "#"];

/// A column name without what people write differently: case, spaces, `_`, `-`, and what
/// nobody sees.
fn folded(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    let kept = name
        .chars()
        .filter(|char| !char.is_whitespace() && !is_invisible(*char) && !matches!(char, '_' | '-'));
    kept.flat_map(char::to_lowercase).collect()
}

fn is_number(field: &[u8]) -> bool {
    let field = field.trim_ascii();
    !field.is_empty() && field.iter().all(u8::is_ascii_digit)
}

fn name(header: &ByteRecord, column: usize) -> String {
    excerpt(header.get(column).unwrap_or_default())
}

fn names(header: &ByteRecord) -> String {
    let shown: Vec<String> = header.iter().take(NAMES_SHOWN).map(excerpt).collect();
    let more = header.len().saturating_sub(NAMES_SHOWN);
    match more {
        0 => shown.join(", "),
        _ => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::input;
    use super::*;

    fn layout(text: &str) -> Layout {
        input(text.as_bytes()).layout(&Reading::default()).unwrap()
    }

    fn refusal(text: &str) -> String {
        refusal_of(text, &Reading::default())
    }

    fn refusal_of(text: &str, reading: &Reading) -> String {
        input(text.as_bytes()).layout(reading).unwrap_err().to_string()
    }

    fn keys(layout: &Layout) -> (usize, usize) {
        (layout.admin(), layout.sequence())
    }

    #[test]
    fn key_columns_are_found_under_every_usual_name() {
        for admin in ["AdminNumber", "admin", "ADMIN_NUMBER", "Admin Number", " admin-number "] {
            for sequence in ["CardSequenceNumber", "sequence number", "SEQUENCE", "Seq"] {
                let layout = layout(&format!("note,{sequence},{admin}\nx,1,2\n"));
                assert_eq!(keys(&layout), (2, 1));
            }
        }
    }

    #[test]
    fn the_delimiter_is_found_by_the_key_columns() {
        for delimiter in [',', ';', '\t', '|'] {
            let text = "x y;admin;seq\n".replace(';', &delimiter.to_string()) + "1\n";
            assert_eq!(layout(&text).delimiter(), delimiter as u8);
        }
    }

    #[test]
    fn a_delimiter_that_was_given_is_taken() {
        let reading = Reading { delimiter: Some(b':'), ..Reading::default() };
        let layout = input(b"admin:seq\n1:2\n").layout(&reading).unwrap();
        assert_eq!((layout.delimiter(), keys(&layout)), (b':', (0, 1)));
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_name() {
        assert_eq!(keys(&layout("\u{feff}admin,seq\n1,2\n")), (0, 1));
        assert_eq!(keys(&layout("\u{feff}\"admin\",\"seq\"\n1,2\n")), (0, 1));
    }

    #[test]
    fn a_named_column_wins_over_the_usual_one() {
        let reading = Reading { admin_column: Some("konto nr".to_owned()), ..Reading::default() };
        let layout = input(b"admin;Konto_Nr;seq\n1;2;3\n").layout(&reading).unwrap();
        assert_eq!(keys(&layout), (1, 2));
    }

    #[test]
    fn a_priority_is_looked_for_only_where_its_column_was_named() {
        let text = "admin;Priority;seq\n1;2;3\n";
        assert_eq!(layout(text).priority(), None);
        let reading =
            Reading { priority_column: Some("priority".to_owned()), ..Reading::default() };
        let layout = input(text.as_bytes()).layout(&reading).unwrap();
        assert_eq!((layout.priority(), layout.carried()), (Some(1), &[0, 1, 2][..]));
        insta::assert_snapshot!(refusal_of("admin,seq\n1,2\n", &reading), @r#"orders.csv: no column is named "priority"; the header has "admin", "seq"; correct --priority-column"#);
    }

    #[test]
    fn result_columns_are_not_carried() {
        let layout = layout("note,Row,admin,STATUS,seq,Doubt\nx,1,2,failed,3,\n");
        assert_eq!(layout.results(), [1, 3, 5]);
        assert_eq!(layout.carried(), [0, 2, 4]);
        assert_eq!(layout.result(result_columns::STATUS), Some(3));
        assert_eq!(layout.result(result_columns::MESSAGE), None);
    }

    #[test]
    fn a_key_column_is_carried_whatever_its_name() {
        let reading = Reading { sequence_column: Some("row".to_owned()), ..Reading::default() };
        let layout = input(b"admin,row\n1,2\n").layout(&reading).unwrap();
        assert_eq!(layout.carried(), [0, 1]);
    }

    #[test]
    fn a_missing_column_is_explained_with_the_header() {
        insta::assert_snapshot!(refusal("account;card\n1;2\n"), @r#"orders.csv: no column holds the admin number (AdminNumber or admin); the header has "account", "card"; name the column with --admin-column"#);
        insta::assert_snapshot!(refusal("admin#seq\n1#2\n"), @r#"orders.csv: no column holds the admin number (AdminNumber or admin); the header has "admin#seq"; name the column with --admin-column; fields are separated by , or ; or | or a tab, and this line has none of them"#);
        let reading = Reading { sequence_column: Some("nr".to_owned()), ..Reading::default() };
        insta::assert_snapshot!(refusal_of("admin,seq\n1,2\n", &reading), @r#"orders.csv: no column is named "nr"; the header has "admin", "seq"; correct --sequence-column"#);
    }

    #[test]
    fn data_in_the_first_line_is_called_so_and_not_repeated() {
        insta::assert_snapshot!(refusal("129409,1\n129410,1\n"), @"orders.csv: the first line looks like data, not a header; put a line such as AdminNumber,CardSequenceNumber above it");
    }

    #[test]
    fn a_card_number_in_the_header_is_refused_and_not_repeated() {
        insta::assert_snapshot!(refusal("admin,seq,PAN 4111111111111111\n1,2,3\n"), @"orders.csv: the name of column 3 looks like a card number; give the file a proper header");
        insta::assert_snapshot!(refusal("PAN 4111111111111111,seq\n1,2\n"), @r#"orders.csv: no column holds the admin number (AdminNumber or admin); the header has "PAN [card number removed]", "seq"; name the column with --admin-column"#);
    }

    #[test]
    fn two_candidates_are_both_named() {
        insta::assert_snapshot!(refusal("admin,AdminNumber,seq\n1,2,3\n"), @r#"orders.csv: columns "admin" and "AdminNumber" may both hold the admin number; name the right one with --admin-column"#);
        insta::assert_snapshot!(refusal("admin,seq,seq\n1,2,3\n"), @r#"orders.csv: columns "seq" and "seq" may both hold the sequence number; rename one of them"#);
    }

    #[test]
    fn a_name_that_says_little_beside_one_that_says_more_is_not_taken() {
        insta::assert_snapshot!(refusal("Sequence,Admin Number,Card Seq No,Branch\n1,129409,1,Boise\n"), @r#"orders.csv: columns "Sequence" and "Card Seq No" may both hold the sequence number; name the right one with --sequence-column"#);
        insta::assert_snapshot!(refusal("admin,Admin-Nr.,seq\nx,1,1\n"), @r#"orders.csv: columns "admin" and "Admin-Nr." may both hold the admin number; name the right one with --admin-column"#);
        assert_eq!(keys(&layout("AdminNumber,Admin Id,Seq,Admin Note\n1,2,3,4\n")), (0, 2));
        let reading = Reading { sequence_column: Some("seq".to_owned()), ..Reading::default() };
        assert_eq!(keys(&input(b"admin,seq,CardSeqNo\n1,2,3\n").layout(&reading).unwrap()), (0, 1));
    }

    #[test]
    fn a_header_below_other_lines_is_pointed_to() {
        insta::assert_snapshot!(refusal("Cancellations;;\nof 2026-11-22;;\nadmin;seq;note\n129409;1;x\n"), @"orders.csv: the header seems to be line 3; remove what is above it");
        for above in ["Orders of 25 November,\n", "# export\n", "1,2\n", "sep,\n"] {
            let told = refusal(&format!("{above}AdminNumber,CardSequenceNumber\n1,1\n"));
            assert!(told.contains("the header seems to be line 2"), "{told}");
        }
    }

    #[test]
    fn a_header_with_numbers_among_its_names_is_one() {
        assert!(
            refusal("AdminNo,SeqNo,2024,2025\n1,1,3,4\n")
                .contains("no column holds the admin number")
        );
        let reading = Reading { admin_column: Some("AdminNo".to_owned()), ..Reading::default() };
        let told = refusal_of("AdminNo,SeqNo,2024,2025\n1,1,3,4\n", &reading);
        assert!(told.contains("no column holds the sequence number"), "{told}");
    }

    #[test]
    fn a_quote_that_is_not_closed_in_the_header_is_told() {
        insta::assert_snapshot!(refusal("AdminNumber,CardSequenceNumber,\"Note\n1,1,x\n"), @"orders.csv: a quote that opens in line 1 is not closed, so the rows after it cannot be told apart; close it, or double it if it is part of the text");
    }

    #[test]
    fn what_nobody_sees_in_a_name_makes_no_difference() {
        assert_eq!(keys(&layout("\u{feff}\u{feff}\u{a0}admin\u{200b},seq\n1,2\n")), (0, 1));
    }

    #[test]
    fn names_that_differ_in_case_alone_can_be_told_apart() {
        let reading = Reading { admin_column: Some("ADMIN".to_owned()), ..Reading::default() };
        let layout = input(b"admin,ADMIN,seq\n1,2,3\n").layout(&reading).unwrap();
        assert_eq!(layout.admin(), 1);
    }

    #[test]
    fn one_column_cannot_be_both_keys() {
        let reading = Reading { admin_column: Some("seq".to_owned()), ..Reading::default() };
        insta::assert_snapshot!(refusal_of("seq,x\n1,2\n", &reading), @r#"orders.csv: column "seq" cannot hold both the admin number and the sequence number; correct --admin-column or --sequence-column"#);
    }

    #[test]
    fn a_header_without_rows_is_refused() {
        insta::assert_snapshot!(refusal("admin,seq\n\n"), @"orders.csv: has a header but no rows: there is nothing to cancel");
    }
}
