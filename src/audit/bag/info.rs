//! `bagit.txt` and `bag-info.txt`: what the bag is, and its control totals.

use super::source::BagOptions;
use super::totals::BagTotals;
use crate::audit::tables::AuditTable;

/// The declaration that each bag has.
pub(in crate::audit) const BAGIT: &str = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";

/// The text of `bag-info.txt`, for a payload of `bytes` in `files` files.
pub(super) fn bag_info(options: &BagOptions, totals: &BagTotals, bytes: u64, files: u64) -> String {
    let BagOptions { scope, at, by, host, version, .. } = options;
    let date = at.strftime("%Y-%m-%d");
    let mut lines = vec![
        ("External-Description", "Audit export of cardcancel".to_owned()),
        ("External-Identifier", totals.ledger.clone()),
        ("Bagging-Date", date.to_string()),
        ("Bag-Software-Agent", format!("cardcancel {version}")),
        ("Payload-Oxum", format!("{bytes}.{files}")),
        ("Export-Scope", scope.clone()),
        ("Export-Time", format!("{at:.6}")),
        ("Export-By", by.clone()),
        ("Export-Host", host.clone()),
    ];
    lines.extend(totals.labels());
    let line = |(label, value): &(&str, String)| format!("{label}: {}\n", one_line(value));
    lines.iter().map(line).collect()
}

impl BagTotals {
    /// The control totals, as label and value.
    pub(in crate::audit) fn labels(&self) -> Vec<(&'static str, String)> {
        let count = |table: AuditTable| self.lines(table).to_string();
        let head = self
            .head
            .map_or_else(|| "none".to_owned(), |(number, digest)| format!("{number} {digest}"));
        let counts: Vec<String> =
            self.counts.iter().map(|(status, rows)| format!("{status} {rows}")).collect();
        vec![
            ("Total-Runs", count(AuditTable::Runs)),
            ("Total-Rows", count(AuditTable::Rows)),
            ("Total-Attempts", count(AuditTable::Attempts)),
            ("Total-Events", count(AuditTable::Events)),
            ("Total-Exceptions", count(AuditTable::Exceptions)),
            ("Total-By-Status", counts.join(" ")),
            ("Sum-Of-Admin-Numbers", self.admin_numbers.to_string()),
            ("Ledger-Head", head),
        ]
    }
}

/// The text as one line. The format folds long lines nowhere that this program writes.
fn one_line(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.trim().to_owned()
}
