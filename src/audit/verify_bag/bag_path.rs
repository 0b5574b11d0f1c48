//! The paths that a bag of this program can have.

use crate::audit::tables::AuditTable;
use crate::hash::Digest;

/// The manifest of the payload.
pub(super) const MANIFEST: &str = "manifest-sha256.txt";

/// The manifest of the other files.
pub(super) const TAG_MANIFEST: &str = "tagmanifest-sha256.txt";

/// The signature over the manifest of the other files. No manifest lists it.
pub(super) const SIGNATURE: &str = "tagmanifest-sha256.txt.sig";

/// The files that each bag has and that the tag manifest lists.
pub(super) const TAG_FILES: [&str; 4] = ["VERIFY.md", "bag-info.txt", "bagit.txt", MANIFEST];

/// The folders that a bag may have.
pub(super) const FOLDERS: [&str; 5] =
    ["data", "data/blocks", "data/configuration", "data/receipts", "data/seals"];

/// The files that each payload has.
pub(super) fn payload_files() -> Vec<String> {
    let tables = AuditTable::ALL.into_iter().map(table_path);
    tables.chain(["data/datapackage.json".to_owned(), "data/load.sql".to_owned()]).collect()
}

/// Where a table is.
pub(super) fn table_path(table: AuditTable) -> String {
    format!("data/{}.csv", table.name())
}

/// Where the seal with this number is.
pub(super) fn seal_path(number: u64) -> String {
    format!("data/seals/{number:06}.seal")
}

/// Where the list of the blocks is that a seal covers in a table.
pub(super) fn blocks_path(number: u64, table: AuditTable) -> String {
    format!("data/blocks/{number:06}-{}.txt", table.name())
}

/// Whether an export can have a payload file with this path. It leads to nothing outside.
pub(super) fn is_payload_path(path: &str) -> bool {
    let Some(name) = path.strip_prefix("data/") else { return false };
    match name.split_once('/') {
        Some(("seals", name)) => name.strip_suffix(".seal").is_some_and(is_seal_number),
        Some(("receipts", name)) => is_seal_number(name),
        Some(("blocks", name)) => {
            let tables = ["-rows.txt", "-attempts.txt", "-events.txt"];
            tables.iter().any(|end| name.strip_suffix(end).is_some_and(is_seal_number))
        }
        Some(("configuration", name)) => {
            let digest = name.strip_suffix(".toml");
            digest.is_some_and(|name| {
                name.parse::<Digest>().is_ok_and(|digest| digest.to_string() == name)
            })
        }
        Some(_) => false,
        None => {
            let run = name.strip_prefix("report-").and_then(|name| name.strip_suffix(".html"));
            let is_run = |run: &str| {
                let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
                !run.is_empty() && run.bytes().all(is_usual)
            };
            run.is_some_and(is_run) || payload_files().iter().any(|known| known == path)
        }
    }
}

/// Whether it is the number of a seal as file names have it: six digits, or more without a zero
/// before them.
pub(super) fn is_seal_number(text: &str) -> bool {
    text.parse::<u64>().is_ok_and(|number| number > 0 && format!("{number:06}") == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leads_out_of_the_bag() {
        for path in [
            "data/../bagit.txt",
            "data//rows.csv",
            "/data/rows.csv",
            "./data/rows.csv",
            "data/seals/../rows.csv",
            "data/seals/000001.seal/",
            "data/seals/1.seal",
            "data/seals/0000001.seal",
            "data/seals/000000.seal",
            "data/seals/+00001.seal",
            "data/receipts/..",
            "data/report-../../x.html",
            "data/report-.html",
            "data/Rows.csv",
            "data/rows.csv\r",
            "data/rows.csv ",
            "rows.csv",
            "data",
        ] {
            assert!(!is_payload_path(path), "{path}");
        }
        for path in [
            "data/rows.csv",
            "data/seals/000042.seal",
            "data/seals/1000042.seal",
            "data/receipts/000042",
            "data/blocks/000042-rows.txt",
            "data/report-20261122-091020-6f4f.html",
        ] {
            assert!(is_payload_path(path), "{path}");
        }
    }
}
