//! Edits of bags, and what is found of them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::*;
use crate::audit::testing::{FakeLedger, export};

/// The content of each file of a bag.
type Content = BTreeMap<String, Vec<u8>>;

/// A bag in memory, which can be edited and written out.
#[derive(Clone)]
struct Bag {
    files: Content,
    links: Vec<(String, String)>,
    folders: Vec<String>,
}

impl Bag {
    fn new(ledger: &mut FakeLedger) -> Bag {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().join("audit");
        export(ledger, &root);
        let (mut files, mut folders) = (Content::new(), vec![root.clone()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                } else {
                    let path = entry.path().strip_prefix(&root).unwrap().to_owned();
                    let path = path.to_str().unwrap().to_owned();
                    files.insert(path, fs::read(entry.path()).unwrap());
                }
            }
        }
        Bag { files, links: Vec::new(), folders: Vec::new() }
    }

    fn sample() -> Bag {
        Bag::new(&mut FakeLedger::sample())
    }

    fn write(&self, root: &Path) {
        for (path, content) in &self.files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        for (path, target) in &self.links {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            symlink(target, path).unwrap();
        }
        for path in &self.folders {
            fs::create_dir_all(root.join(path)).unwrap();
        }
    }

    fn verdict(&self) -> BagVerdict {
        let home = tempfile::tempdir().unwrap();
        let root: PathBuf = home.path().join("audit");
        fs::create_dir(&root).unwrap();
        self.write(&root);
        verify_bag(&root, &mut |_, _| ()).unwrap()
    }

    fn findings(&self) -> Vec<String> {
        self.verdict().findings.iter().map(ToString::to_string).collect()
    }

    fn text(&self, path: &str) -> String {
        String::from_utf8(self.files[path].clone()).unwrap()
    }

    fn replace(&mut self, path: &str, from: &str, to: &str) {
        let text = self.text(path);
        assert!(text.contains(from), "{path} has no {from:?}");
        self.files.insert(path.to_owned(), text.replacen(from, to, 1).into());
    }

    /// Makes the manifests and the size in bag-info.txt anew, as a careful forger does.
    fn repair(&mut self) {
        let line =
            |(path, content): (&String, &Vec<u8>)| format!("{}  {path}\n", Digest::new(content));
        let payload = self.files.iter().filter(|(path, _)| path.starts_with("data/"));
        let bytes: usize = payload.clone().map(|(_, content)| content.len()).sum();
        let (count, manifest) = (payload.clone().count(), payload.map(line).collect::<String>());
        self.files.insert(MANIFEST.to_owned(), manifest.into());
        let info = self.text("bag-info.txt");
        let oxum = info.lines().find(|line| line.starts_with("Payload-Oxum")).unwrap().to_owned();
        self.replace("bag-info.txt", &oxum, &format!("Payload-Oxum: {bytes}.{count}"));
        let tags = TAG_FILES.map(|path| line((&path.to_owned(), &self.files[path])));
        self.files.insert(TAG_MANIFEST.to_owned(), tags.concat().into());
    }
}

/// Pseudo-random numbers from a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}

#[test]
fn an_export_as_it_was_written_has_no_finding() {
    let verdict = Bag::sample().verdict();
    assert_eq!(verdict.findings, []);
    assert_eq!(verdict.unsealed, ["20261124-010000-b002"]);
    assert_eq!(verdict.seals.len(), 3);
    assert_eq!(verdict.totals.head, verdict.seals.last().map(|digest| (3, *digest)));
    assert_eq!(verdict.totals.lines(AuditTable::Rows), 20);
    assert!(!verdict.has_signature);
}

#[test]
fn the_totals_of_the_writer_are_those_that_are_read() {
    let home = tempfile::tempdir().unwrap();
    let root = home.path().join("audit");
    let written = export(&mut FakeLedger::sample(), &root);
    let mut steps = 0;
    let verdict = verify_bag(&root, &mut |read, total| {
        assert!(read <= total);
        steps += 1;
    });
    assert_eq!(verdict.unwrap().totals, written.totals);
}

/// How many random edits to make: set CARDCANCEL_BAG_EDITS for more.
fn edits() -> usize {
    std::env::var("CARDCANCEL_BAG_EDITS").map_or(150, |edits| edits.parse().unwrap())
}

/// Makes one edit. Returns the paths that it touched; none if nothing was changed.
fn edit(bag: &mut Bag, random: &mut Random) -> Vec<String> {
    let before = bag.files.clone();
    let paths: Vec<String> = bag.files.keys().cloned().collect();
    let path = paths[random.below(paths.len())].clone();
    let content = bag.files.get_mut(&path).unwrap();
    let at = random.below(content.len());
    let mut lines: Vec<Vec<u8>> =
        content.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let line = random.below(lines.len());
    let mut touched = vec![path.clone()];
    match random.below(16) {
        0..3 => content[at] ^= 1 << random.below(8),
        3 => content.insert(at, [b' ', b'\n', b'\r', b'0', 0][random.below(5)]),
        4 => drop(content.remove(at)),
        5 => content.truncate(at),
        6 => drop(lines.remove(line)),
        7 => lines.insert(line, lines[line].clone()),
        8 if lines.len() > 1 => {
            let other = random.below(lines.len());
            lines.swap(line, other);
        }
        9 => content.extend([&b"\n"[..], b"\r\n", b" ", b"x\n"][random.below(4)]),
        10 => {
            let folder = ["", "data/", "data/seals/", "data/receipts/"][random.below(4)];
            let name = ["000009", ".hidden", "rows.csv.bak", "000004.seal"][random.below(4)];
            touched = vec![format!("{folder}{name}")];
            bag.files.insert(touched[0].clone(), b"added\n".to_vec());
            return touched;
        }
        11 => drop(bag.files.remove(&path)),
        12 => {
            let content = bag.files.remove(&path).unwrap();
            let name = ["x", "data/seals/000004.seal", "data/rows2.csv"][random.below(3)];
            bag.files.insert(name.to_owned(), content);
            touched.push(name.to_owned());
        }
        13 => {
            // The content is the same, but another file decides it.
            let content = bag.files.remove(&path).unwrap();
            let depth = path.matches('/').count();
            bag.links.push((path.clone(), "../".repeat(depth + 1) + "outside"));
            drop(content);
            return touched;
        }
        14 => {
            let name = ["empty", "data/empty", "data/seals/empty"][random.below(3)];
            bag.folders.push(name.to_owned());
            return vec![name.to_owned()];
        }
        _ => {
            let text = String::from_utf8_lossy(content).replace('\n', "\r\n");
            *content = text.into_bytes();
        }
    }
    if let Some(content) = bag.files.get_mut(&path).filter(|content| **content == before[&path]) {
        *content = lines.concat();
    }
    if bag.files == before { Vec::new() } else { touched }
}

#[test]
fn every_random_edit_is_found_and_the_file_is_named() {
    let sample = Bag::sample();
    let mut random = Random(18);
    let mut made = 0;
    while made < edits() {
        let mut bag = sample.clone();
        let touched = edit(&mut bag, &mut random);
        if touched.is_empty() {
            continue;
        }
        made += 1;
        let findings = bag.verdict().findings;
        let named = |path: &String| {
            findings.iter().any(|finding| finding.to_string().contains(path.as_str()))
        };
        assert!(touched.iter().all(named), "edit {made} of {touched:?}: {findings:#?}");
    }
}

#[test]
fn an_edit_of_a_sealed_table_is_found_even_if_all_manifests_were_made_anew() {
    let sample = Bag::sample();
    let mut random = Random(4711);
    for path in ["data/rows.csv", "data/attempts.csv", "data/events.csv", "data/runs.csv"] {
        let mut made = 0;
        while made < 10 {
            let mut bag = sample.clone();
            let content = bag.files.get_mut(path).unwrap();
            // Not the lines of the run that has no seal.
            let unsealed = b"20261124-010000-b002";
            let end = content.windows(unsealed.len()).position(|run| run == unsealed).unwrap();
            let at = random.below(end);
            let before = &content[..at];
            let line = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let field = before[line..].iter().filter(|byte| **byte == b',').count();
            let mut rest = content[at..].iter().take_while(|byte| **byte != b'\n');
            let is_last_field = !rest.any(|byte| *byte == b',');
            // No seal states the command and the program that created a run.
            if path == "data/runs.csv" && line > 0 && (field == 4 || is_last_field) {
                continue;
            }
            content[at] ^= 1 << random.below(7);
            bag.repair();
            made += 1;
            let findings = bag.findings();
            let is_named = findings.iter().any(|finding| finding.starts_with(path));
            assert!(is_named, "{path}, byte {at}: {findings:#?}");
        }
    }
}

#[test]
fn a_change_that_manifests_do_not_show_is_named_by_run_and_block() {
    let mut bag = Bag::new(&mut FakeLedger::with_rows(25_000));
    let row = "20261122-091020-6f4f,15000,144400,1,cancelled";
    bag.replace("data/rows.csv", row, &row.replace("cancelled", "rejected"));
    bag.repair();
    let found = bag.findings().join("\n");
    for part in [
        "data/rows.csv, line 10002: run 20261122-091020-6f4f: its lines are not those of seal 1; \
         block 2, up to line 20001, was changed",
        "data/rows.csv: run 20261122-091020-6f4f: its rows by status are not those of its seal",
        "data/runs.csv, line 2: run 20261122-091020-6f4f: its numbers are not those of its lines",
        "data/exceptions.csv: line 15001 of data/rows.csv does not follow here",
        "bag-info.txt, line 15: Total-By-Status is cancelled 24999 rejected 1 by the files, and \
         not \"cancelled 25000\"",
    ] {
        assert!(found.contains(part), "{part}\n{found}");
    }
}

#[test]
fn lines_that_were_dropped_are_counted_against_the_seal() {
    let mut bag = Bag::sample();
    let last = bag.text("data/attempts.csv");
    let line = last.lines().nth(1).unwrap().to_owned() + "\n";
    bag.replace("data/attempts.csv", &line, "");
    bag.repair();
    let found = bag.findings().join("\n");
    assert!(found.contains("are not those of seal 1: 6 lines were sealed, 5 are there"), "{found}");
}

#[test]
fn a_seal_that_was_made_anew_breaks_the_chain() {
    let mut bag = Bag::sample();
    bag.replace("data/seals/000001.seal", "jdoe", "jd0e");
    bag.repair();
    let found = bag.findings();
    assert!(
        found.contains(
            &"data/seals/000002.seal: the chain breaks here: it does not name seal 1 as it is"
                .to_owned()
        ),
        "{found:#?}"
    );
}

#[test]
fn a_seal_that_is_left_out_is_a_gap() {
    let mut bag = Bag::sample();
    bag.files.remove("data/seals/000002.seal");
    bag.repair();
    let found = bag.findings().join("\n");
    assert!(found.contains("data/seals/000002.seal: is missing: the numbers"), "{found}");
    assert!(found.contains("data/receipts/000002: there is no seal"), "{found}");
}

#[test]
fn a_run_whose_seal_is_hidden_is_found_by_the_chain() {
    let mut bag = Bag::sample();
    bag.replace("data/runs.csv", "20261122-091020-6f4f,1,", "20261122-091020-6f4f,,");
    bag.repair();
    let found = bag.findings().join("\n");
    assert!(
        found.contains("run 20261122-091020-6f4f: is not as data/seals/000001.seal"),
        "{found}"
    );
}

#[test]
fn a_run_that_went_on_since_its_seal_is_unsealed_and_no_alarm() {
    let mut ledger = FakeLedger::sample();
    ledger.seals.pop();
    (ledger.runs[1].bagged.seal, ledger.runs[1].bagged.has_ended) = (None, false);
    let verdict = Bag::new(&mut ledger).verdict();
    assert_eq!(verdict.findings, []);
    assert_eq!(verdict.unsealed, ["20261123-010000-a001", "20261124-010000-b002"]);
}

#[test]
fn what_a_seal_says_of_attempts_that_differ_is_passed_on() {
    let mut ledger = FakeLedger::sample();
    let last = ledger.seals.last_mut().unwrap();
    last.text = last.text.replace("continues 2 as it was", "continues 2 DIFFERENT");
    let found = Bag::new(&mut ledger).findings();
    let expected = "data/seals/000003.seal: states that attempts were changed after seal 2";
    assert_eq!(found, [expected]);
}

#[test]
fn a_configuration_under_another_name_and_one_that_is_missing_are_found() {
    let mut bag = Bag::sample();
    let path = bag.files.keys().find(|path| path.ends_with(".toml")).unwrap().clone();
    let mut content = bag.files[&path].clone();
    content[0] = b'#';
    bag.files.insert(path.clone(), content);
    bag.repair();
    assert_eq!(bag.findings(), [format!("{path}: was changed: its name is not its digest")]);
    bag.files.remove(&path);
    bag.repair();
    let found = bag.findings();
    assert!(found[0].contains("its configuration is not in the export"), "{found:#?}");
}

#[test]
fn what_the_newest_runs_cut_off_leave_is_whole_and_only_a_witness_shows_it() {
    let mut ledger = FakeLedger::sample();
    let head = Bag::new(&mut ledger).verdict().totals.head;
    ledger.seals.pop();
    ledger.seals.pop();
    ledger.runs.truncate(1);
    let verdict = Bag::new(&mut ledger).verdict();
    assert_eq!(verdict.findings, []);
    assert_ne!(verdict.totals.head, head);
}

#[test]
fn a_link_is_never_followed() {
    let home = tempfile::tempdir().unwrap();
    let root = home.path().join("audit");
    let mut bag = Bag::sample();
    let rows = bag.files.remove("data/rows.csv").unwrap();
    fs::create_dir(&root).unwrap();
    bag.write(&root);
    fs::write(home.path().join("rows.csv"), rows).unwrap();
    symlink("../../rows.csv", root.join("data/rows.csv")).unwrap();
    let found = verify_bag(&root, &mut |_, _| ()).unwrap().findings;
    assert!(
        found
            .iter()
            .any(|found| found.to_string() == "data/rows.csv: is neither a file nor a folder"),
        "{found:#?}"
    );
}

#[test]
fn a_folder_that_is_no_bag_is_all_findings_and_one_that_is_not_there_is_an_error() {
    let home = tempfile::tempdir().unwrap();
    let verdict = verify_bag(home.path(), &mut |_, _| ()).unwrap();
    assert!(verdict.findings.len() >= 12, "{:#?}", verdict.findings);
    assert!(verify_bag(&home.path().join("nothing"), &mut |_, _| ()).is_err());
}

#[test]
fn names_that_would_act_on_a_terminal_are_shown_with_escapes() {
    let mut bag = Bag::sample();
    bag.files.insert("data/\u{1b}[2Jx".to_owned(), Vec::new());
    let found = bag.findings().join("\n");
    assert!(found.contains("\"data/\\u{1b}[2Jx\": is in no manifest"), "{found}");
}
