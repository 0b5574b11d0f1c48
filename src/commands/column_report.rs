//! Reports how a file is read: which columns hold what, and the first order read from them,
//! so that a wrong column is noticed before anything is sent.

use std::fmt;

use serde::Serialize;

use crate::input::{ColumnMap, Input, InputError};
use crate::model::{Row, card_numbers};

/// The columns that were taken, by their names, and what was read from them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ColumnReport {
    admin_number: ColumnName,
    sequence_number: ColumnName,
    priority: Option<ColumnName>,
    first_order: Option<FirstOrder>,
    /// The file's own columns that the results replace.
    replaced: Vec<ColumnName>,
}

/// A column's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
struct ColumnName {
    name: String,
    /// Fit to be shown to people.
    #[serde(skip)]
    shown: String,
}

impl ColumnName {
    fn new(columns: &ColumnMap, column: usize) -> ColumnName {
        let name = columns.header().get(column).unwrap_or_default();
        ColumnName {
            name: String::from_utf8_lossy(name).into_owned(),
            shown: columns.name_of(column),
        }
    }
}

impl fmt::Display for ColumnName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// The first row that can be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct FirstOrder {
    line: u64,
    order: String,
}

impl ColumnReport {
    /// Looks into a file up to its first order. Results that are run again are meant to be
    /// replaced.
    pub fn new(
        input: &Input,
        columns: &ColumnMap,
        is_rerun: bool,
    ) -> Result<ColumnReport, InputError> {
        let name = |column: usize| ColumnName::new(columns, column);
        let replaced = columns.results().iter().filter(|_| !is_rerun);
        Ok(ColumnReport {
            admin_number: name(columns.admin()),
            sequence_number: name(columns.sequence()),
            priority: columns.priority().map(name),
            first_order: first_order(input, columns)?,
            replaced: replaced.map(|column| name(*column)).collect(),
        })
    }

    /// The columns in words.
    pub fn columns(&self) -> String {
        let ColumnReport { admin_number, sequence_number, priority, .. } = self;
        let priority = priority.iter().map(|name| format!(", priority from {name}"));
        let priority: String = priority.collect();
        format!(
            "admin number from {admin_number}, sequence number from {sequence_number}{priority}"
        )
    }

    /// The first order in words.
    pub fn first_order(&self) -> String {
        match &self.first_order {
            Some(FirstOrder { line, order }) => format!("{order}, in line {line}"),
            None => "none: no row can be sent".to_owned(),
        }
    }

    /// The file's own columns that are not carried into the results, in words; nothing if
    /// there are none.
    pub fn replaced(&self) -> Option<String> {
        let names: Vec<&str> = self.replaced.iter().map(|name| &*name.shown).collect();
        let (columns, names) = match names.split_last()? {
            (last, []) => ("column", (*last).to_owned()),
            (last, others) => ("columns", format!("{} and {last}", others.join(", "))),
        };
        Some(format!("the file's own {columns} {names}, which the results replace"))
    }
}

impl fmt::Display for ColumnReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; first order {}", self.columns(), self.first_order())
    }
}

fn first_order(input: &Input, columns: &ColumnMap) -> Result<Option<FirstOrder>, InputError> {
    let mut rows = input.rows(columns)?;
    while let Some(record) = rows.next()? {
        if let Row::Order(order) = record.content() {
            // A column that is exempt from the check may hold a card number all the same.
            let order = card_numbers::redact(&order.to_string()).into_owned();
            return Ok(Some(FirstOrder { line: record.line(), order }));
        }
    }
    Ok(None)
}
