//! Reading a results file back as any other program would.

use std::collections::BTreeMap;

/// A line of results, by column name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultRow(BTreeMap<String, String>);

impl ResultRow {
    #[track_caller]
    pub fn get(&self, column: &str) -> &str {
        self.0.get(column).unwrap_or_else(|| panic!("no column {column}"))
    }

    pub fn status(&self) -> &str {
        self.get("status")
    }

    pub fn code(&self) -> &str {
        self.get("error_code")
    }

    pub fn doubt(&self) -> bool {
        match self.get("doubt") {
            "true" => true,
            "false" => false,
            other => panic!("doubt is {other}"),
        }
    }

    pub fn attempts(&self) -> u32 {
        self.get("attempts").parse().unwrap()
    }
}

/// The lines of a file with commas, by the names in its header.
pub fn rows(csv: &[u8]) -> Vec<ResultRow> {
    let mut reader = csv::Reader::from_reader(csv);
    let header = reader.byte_headers().unwrap().clone();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let row = |record: Result<csv::ByteRecord, csv::Error>| {
        let record = record.unwrap();
        ResultRow(header.iter().map(text).zip(record.iter().map(text)).collect())
    };
    reader.byte_records().map(row).collect()
}
