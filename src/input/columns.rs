//! Which columns a file has, and which of them are the keys.

use csv::ByteRecord;

use super::error::InputErrorKind;
use super::excerpt::excerpt;
use super::header_key::{HeaderKey, folded, name};
use super::number::{read_admin_number, read_sequence_number};
use super::read_options::ReadOptions;
use crate::model::result_columns;
use crate::model::{Order, RowError, card_numbers};

/// A file's columns.
#[derive(Debug, Clone)]
pub struct ColumnMap {
    delimiter: u8,
    header: ByteRecord,
    admin: usize,
    sequence: usize,
    priority: Option<usize>,
    exempt_admin: bool,
    guesses_sequence: bool,
    results: Vec<usize>,
    passthrough: Vec<usize>,
}

impl ColumnMap {
    pub(super) fn new(
        delimiter: u8,
        header: ByteRecord,
        options: &ReadOptions,
    ) -> Result<ColumnMap, InputErrorKind> {
        let admin = HeaderKey::ADMIN.find(&header, options)?;
        let sequence = HeaderKey::SEQUENCE.find(&header, options)?;
        if admin == sequence {
            return Err(InputErrorKind::SameColumn(name(&header, admin)));
        }
        let named = options.priority_column.as_ref();
        let priority = named.map(|_| HeaderKey::PRIORITY.find(&header, options)).transpose()?;
        if let Some(column) = header.iter().position(card_numbers::looks_like_card_number) {
            return Err(InputErrorKind::CardNumberInHeader(column + 1));
        }
        let is_key =
            |column: &usize| [Some(admin), Some(sequence), priority].contains(&Some(*column));
        let is_result = |column: &usize| {
            header.get(*column).is_some_and(|name| result_name(name).is_some()) && !is_key(column)
        };
        let (results, passthrough) = (0..header.len()).partition(is_result);
        let exempt_admin = options.exempt_admin_column;
        let name = folded(header.get(sequence).unwrap_or_default());
        let guesses_sequence = options.sequence_column.is_none()
            && HeaderKey::SEQUENCE.generic.contains(&name.as_str());
        Ok(ColumnMap {
            delimiter,
            header,
            admin,
            sequence,
            priority,
            exempt_admin,
            guesses_sequence,
            results,
            passthrough,
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

    /// Which column holds the priority, if one does.
    pub fn priority(&self) -> Option<usize> {
        self.priority
    }

    /// The order that the key fields carry.
    #[inline]
    pub(super) fn order(&self, fields: &ByteRecord) -> Result<Order, RowError> {
        let field = |column| fields.get(column).unwrap_or_default();
        Ok(Order {
            admin_number: read_admin_number(field(self.admin))?,
            sequence_number: read_sequence_number(field(self.sequence))?,
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
        let names = |key: &HeaderKey, column: usize| {
            let ours = folded(self.header.get(column).unwrap_or_default());
            let found = fields.iter().map(folded).enumerate();
            let meant = found.filter(|(_, name)| *name == ours || key.usual.contains(&&**name));
            meant.map(|(column, _)| column).chain(key.similar(fields)).collect::<Vec<_>>()
        };
        let sequences = names(&HeaderKey::SEQUENCE, self.sequence);
        let admins = names(&HeaderKey::ADMIN, self.admin);
        admins.iter().any(|admin| sequences.iter().any(|sequence| sequence != admin))
    }

    /// Whether the sequence number's column has a name that other columns may have too, and
    /// was not named by the user.
    pub(super) fn guesses_sequence(&self) -> bool {
        self.guesses_sequence
    }

    /// Whether the key fields hold an order, whatever else is wrong with the row.
    pub fn carries_order(&self, fields: &ByteRecord) -> bool {
        self.order(fields).is_ok()
    }

    /// Whether admin numbers may look like card numbers.
    pub fn is_admin_exempt(&self) -> bool {
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

    /// Refuses a file with two columns of the same result name.
    pub(super) fn unambiguous(&self) -> Result<(), InputErrorKind> {
        for name in result_columns::RESULTS {
            let mut found = self.named(name);
            if let (Some(_), Some(second)) = (found.next(), found.next()) {
                return Err(InputErrorKind::Ambiguous {
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
    pub fn passthrough(&self) -> &[usize] {
        &self.passthrough
    }
}

fn result_name(name: &[u8]) -> Option<&'static str> {
    let name = name.trim_ascii();
    result_columns::RESULTS.into_iter().find(|known| known.as_bytes().eq_ignore_ascii_case(name))
}
