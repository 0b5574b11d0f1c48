//! `datapackage.json`: the tables as a Frictionless data package, for tools and for people.

use serde_json::{Value, json};

use super::folder::BagEntry;
use crate::audit::tables::{AuditColumn, AuditTable, ColumnType};

/// The text of the file, for these tables with the digests and sizes of their files.
pub(super) fn data_package(tables: &[(AuditTable, BagEntry)]) -> String {
    let resources: Vec<Value> =
        tables.iter().map(|(table, entry)| resource(*table, *entry)).collect();
    let package = json!({
        "profile": "tabular-data-package",
        "name": "cardcancel-audit",
        "title": "Cancellations of physical card orders at CoreCARD",
        "description": "Whole runs of cardcancel. Times are UTC. One leading apostrophe of a text keeps spreadsheets from reading it as a formula: take it off to get the text as it was.",
        "resources": resources,
    });
    format!("{package:#}\n")
}

fn resource(table: AuditTable, entry: BagEntry) -> Value {
    let fields: Vec<Value> = table.columns().iter().map(field).collect();
    let mut schema = json!({ "fields": fields, "missingValues": [""] });
    if !table.key().is_empty() {
        schema["primaryKey"] = json!(table.key());
    }
    let keys: Vec<Value> = references(table).iter().map(|(other, fields)| {
        json!({ "fields": fields, "reference": { "resource": other.name(), "fields": fields } })
    }).collect();
    if !keys.is_empty() {
        schema["foreignKeys"] = keys.into();
    }
    json!({
        "profile": "tabular-data-resource",
        "name": table.name(),
        "path": format!("{}.csv", table.name()),
        "description": table.meaning(),
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "dialect": { "delimiter": ",", "quoteChar": "\"", "doubleQuote": true, "lineTerminator": "\n", "header": true },
        "bytes": entry.bytes,
        "hash": format!("sha256:{}", entry.digest),
        "schema": schema,
    })
}

/// The tables in which each line of this one has a line of the same key.
fn references(table: AuditTable) -> &'static [(AuditTable, &'static [&'static str])] {
    match table {
        AuditTable::Runs => &[],
        AuditTable::Rows | AuditTable::Events => &[(AuditTable::Runs, &["run"])],
        AuditTable::Attempts | AuditTable::Exceptions => &[(AuditTable::Rows, &["run", "row"])],
    }
}

fn field(column: &AuditColumn) -> Value {
    let (kind, format) = match column.kind {
        ColumnType::Integer => ("integer", "default"),
        ColumnType::Boolean => ("boolean", "default"),
        ColumnType::Time => ("datetime", "%Y-%m-%dT%H:%M:%S.%fZ"),
        ColumnType::Text | ColumnType::Status | ColumnType::Verdict | ColumnType::State => {
            ("string", "default")
        }
    };
    let mut constraints = json!({ "required": column.is_required });
    if let Some(words) = column.kind.words() {
        constraints["enum"] = words.into();
    }
    json!({
        "name": column.name,
        "type": kind,
        "format": format,
        "description": column.meaning,
        "constraints": constraints,
    })
}
