//! Finds the columns of an order and of its priority by their names.

use csv::ByteRecord;

use super::error::InputErrorKind;
use super::excerpt::excerpt;
use super::read_options::ReadOptions;
use crate::model::invisible::is_invisible;

/// How many column names a message lists.
const NAMES_SHOWN: usize = 12;

/// A column that has to be found: one of the two that make an order, or the priority.
pub(super) struct HeaderKey {
    what: &'static str,
    flag: &'static str,
    wanted: &'static str,
    /// Its usual names, folded.
    pub(super) usual: &'static [&'static str],
    /// Those of them that a column with something else may have too.
    pub(super) generic: &'static [&'static str],
    /// What is in every name that it may have.
    stem: &'static str,
    named: fn(&ReadOptions) -> Option<&str>,
}

impl HeaderKey {
    pub(super) const ADMIN: HeaderKey = HeaderKey {
        what: "admin number",
        flag: "--admin-column",
        wanted: "AdminNumber or admin",
        usual: &["adminnumber", "admin"],
        generic: &["admin"],
        stem: "admin",
        named: |options| options.admin_column.as_deref(),
    };

    pub(super) const SEQUENCE: HeaderKey = HeaderKey {
        what: "sequence number",
        flag: "--sequence-column",
        wanted: "CardSequenceNumber, SequenceNumber, sequence or seq",
        usual: &["cardsequencenumber", "sequencenumber", "sequence", "seq"],
        generic: &["sequence", "seq"],
        stem: "seq",
        named: |options| options.sequence_column.as_deref(),
    };

    /// It has no usual name: it is looked for only if it was named.
    pub(super) const PRIORITY: HeaderKey = HeaderKey {
        what: "priority",
        flag: "--priority-column",
        wanted: "any name",
        usual: &[],
        generic: &[],
        stem: "",
        named: |options| options.priority_column.as_deref(),
    };

    /// Every column that may be meant.
    pub(super) fn columns<'h>(
        &'h self,
        header: &'h ByteRecord,
        options: &ReadOptions,
    ) -> impl Iterator<Item = usize> + 'h {
        let named = (self.named)(options).map(|name| folded(name.as_bytes()));
        header.iter().enumerate().filter_map(move |(column, name)| {
            let name = folded(name);
            let meant = match &named {
                Some(named) => *named == name,
                None => self.usual.contains(&name.as_str()),
            };
            meant.then_some(column)
        })
    }

    pub(super) fn find(
        &self,
        header: &ByteRecord,
        options: &ReadOptions,
    ) -> Result<usize, InputErrorKind> {
        let meant: Vec<usize> = self.columns(header, options).collect();
        match meant.as_slice() {
            [] => Err(self.missing(header, options)),
            [column] => match self.rival(*column, header, options) {
                Some(rival) => Err(self.ambiguous(header, *column, rival)),
                None => Ok(*column),
            },
            [first, second, ..] => {
                // Names that differ only in case or spaces can still be distinguished exactly.
                let named = (self.named)(options).map(str::as_bytes);
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
    fn rival(&self, found: usize, header: &ByteRecord, options: &ReadOptions) -> Option<usize> {
        let name = folded(header.get(found).unwrap_or_default());
        if (self.named)(options).is_some() || !self.generic.contains(&name.as_str()) {
            return None;
        }
        self.similar(header).find(|column| *column != found)
    }

    /// The columns whose names look as if they meant this: "Card Seq. No.", "Admin-Nr".
    pub(super) fn similar<'h>(
        &self,
        header: &'h ByteRecord,
    ) -> impl Iterator<Item = usize> + use<'h> {
        let stem = self.stem;
        header.iter().enumerate().filter_map(move |(column, name)| {
            let mut name = folded(name);
            name.retain(|char| char.is_alphanumeric() || char == '#');
            let is_number = NUMBERS.iter().any(|ending| name.ends_with(ending));
            (name.contains(stem) && (is_number || name.starts_with("card"))).then_some(column)
        })
    }

    fn missing(&self, header: &ByteRecord, options: &ReadOptions) -> InputErrorKind {
        let HeaderKey { what, flag, wanted, .. } = *self;
        let is_named = [HeaderKey::ADMIN, HeaderKey::SEQUENCE]
            .iter()
            .any(|key| key.similar(header).chain(key.columns(header, options)).next().is_some());
        // One number may be a name ("2024"); an order has two.
        if !is_named && header.iter().filter(|name| is_number(name)).count() >= header.len().min(2)
        {
            return InputErrorKind::NotAHeader;
        }
        let hint = match header.len() {
            1 => "; fields are separated by , or ; or | or a tab, and this line has none of them",
            _ => "",
        };
        let header = names(header);
        match (self.named)(options) {
            Some(name) => {
                InputErrorKind::NoSuchColumn { name: excerpt(name.as_bytes()), flag, header, hint }
            }
            None => InputErrorKind::NoColumn { what, wanted, flag, header, hint },
        }
    }

    fn ambiguous(&self, header: &ByteRecord, first: usize, second: usize) -> InputErrorKind {
        let remedy = if header.get(first) == header.get(second) {
            "rename one of them".to_owned()
        } else {
            format!("name the right one with {}", self.flag)
        };
        let (first, second) = (name(header, first), name(header, second));
        InputErrorKind::Ambiguous { what: self.what.to_owned(), first, second, remedy }
    }
}

/// How names end that mean a number.
const NUMBERS: [&str; 7] = ["no", "nr", "num", "number", "nbr", "id", "#"];

/// A column name without what people write differently: case, spaces, `_`, `-`, and what
/// nobody sees.
pub(super) fn folded(name: &[u8]) -> String {
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

pub(super) fn name(header: &ByteRecord, column: usize) -> String {
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
