//! Reading manifests. Stock tools are lenient about what a line may look like; here there is
//! exactly one text for each set of files.

use std::collections::BTreeMap;

use super::bag_path::{TAG_FILES, is_payload_path};
use super::finding::{Findings, shown};
use crate::hash::Digest;

/// What a manifest lists: the digest of each path, and the number of its line.
pub(super) type Listed = BTreeMap<String, (Digest, u64)>;

/// Reads the text of the manifest of the payload, or of that of the other files.
pub(super) fn read_manifest(
    file: &str,
    text: &[u8],
    is_payload: bool,
    findings: &mut Findings,
) -> Listed {
    let mut listed = Listed::new();
    if !text.is_empty() && !text.ends_with(b"\n") {
        findings.file(file, "its last line has no line end");
    }
    let mut before = String::new();
    for (line, number) in text.split_inclusive(|byte| *byte == b'\n').zip(1..) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let Some((digest, path)) = entry(line) else {
            findings.line(file, number, "is not a digest, two spaces and a path");
            continue;
        };
        let is_known = if is_payload { is_payload_path(path) } else { TAG_FILES.contains(&path) };
        if !is_known {
            findings.line(file, number, format!("{} is no file that it can list", shown(path)));
            continue;
        }
        if path <= before.as_str() {
            findings.line(file, number, format!("{path} is out of order or listed twice"));
            continue;
        }
        path.clone_into(&mut before);
        listed.insert(before.clone(), (digest, number));
    }
    listed
}

fn entry(line: &[u8]) -> Option<(Digest, &str)> {
    let line = std::str::from_utf8(line).ok()?;
    let (written, path) = line.split_at_checked(64)?;
    let digest: Digest = written.parse().ok()?;
    let path = path.strip_prefix("  ")?;
    let is_canonical = digest.to_string() == written;
    is_canonical.then_some((digest, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(text: &str) -> Vec<String> {
        let mut findings = Findings::default();
        read_manifest("manifest-sha256.txt", text.as_bytes(), true, &mut findings);
        findings.kept.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_manifest_that_stock_tools_would_accept_is_refused_by_its_line() {
        let digest = Digest::new("x").to_string();
        let good = format!("{digest}  data/events.csv\n{digest}  data/rows.csv\n");
        assert_eq!(findings(&good), [""; 0]);
        for (bad, line) in [
            (good.replace('\n', "\r\n"), 1),
            (good.to_uppercase(), 1),
            (good.replace("  ", " *"), 1),
            (good.replace("  data/rows", "   data/rows"), 2),
            (good.replace("data/rows.csv", "data/../rows.csv"), 2),
            (good.replace("data/rows.csv", "/etc/passwd"), 2),
            (good.replace("data/rows.csv", "data/events.csv"), 2),
            (good.replace("data/rows.csv", "bagit.txt"), 2),
            (good.replace("data/rows.csv", "data/attempts.csv"), 2),
            (format!("\u{feff}{good}"), 1),
            (format!("\n{good}"), 1),
            (format!("# comment\n{good}"), 1),
            (format!("\\{good}"), 1),
        ] {
            let found = findings(&bad);
            assert!(
                found.first().is_some_and(|found| found.contains(&format!("line {line}:"))),
                "{bad:?}: {found:?}"
            );
        }
        let cut = findings(good.trim_end());
        assert_eq!(cut, ["manifest-sha256.txt: its last line has no line end"]);
    }
}
