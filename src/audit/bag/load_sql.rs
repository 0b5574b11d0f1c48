//! `load.sql`: the tables for a database.

use crate::audit::tables::{AuditColumn, AuditTable, ColumnType};

/// How to use it. Each comment is one command for a shell.
const HEAD: &str = r#"-- The tables of this audit export, typed. In the folder of this file:
--
-- DuckDB:
--   duckdb audit.duckdb < load.sql
-- PostgreSQL:
--   sed 's/^COPY /\\copy /' load.sql | psql --set=ON_ERROR_STOP=1
-- SQLite (a missing value is an empty text there):
--   sed -E 's/^COPY ("[a-z]+") FROM (.*) \(FORMAT.*/.import --csv --skip 1 \2 \1/' load.sql | sqlite3 audit.sqlite
--
-- One leading apostrophe of a text keeps spreadsheets from reading it as a formula: take it off
-- to get the text as it was.
"#;

/// The text of the file.
pub(super) fn load_sql() -> String {
    let mut text = HEAD.to_owned();
    for table in AuditTable::ALL {
        text += &create_table(table);
    }
    text.push('\n');
    for table in AuditTable::ALL {
        let name = table.name();
        text += &format!(
            "COPY \"{name}\" FROM '{name}.csv' (FORMAT csv, HEADER, DELIMITER ',', QUOTE '\"', ESCAPE '\"');\n"
        );
    }
    text
}

fn create_table(table: AuditTable) -> String {
    let mut lines: Vec<String> = table.columns().iter().map(column).collect();
    if !table.key().is_empty() {
        let key: Vec<String> = table.key().iter().map(|name| format!("\"{name}\"")).collect();
        lines.push(format!("    PRIMARY KEY ({})", key.join(", ")));
    }
    format!("\nCREATE TABLE \"{}\" (\n{}\n);\n", table.name(), lines.join(",\n"))
}

fn column(column: &AuditColumn) -> String {
    let kind = match column.kind {
        ColumnType::Integer => "BIGINT",
        ColumnType::Boolean => "BOOLEAN",
        ColumnType::Time => "TIMESTAMPTZ",
        ColumnType::Text | ColumnType::Status | ColumnType::Verdict | ColumnType::State => "TEXT",
    };
    let required = if column.is_required { " NOT NULL" } else { "" };
    format!("    \"{}\" {kind}{required}", column.name)
}
