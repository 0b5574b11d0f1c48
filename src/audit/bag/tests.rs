//! Bags as they are written.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::*;
use crate::audit::testing::{FakeLedger, LEDGER, export, options};
use crate::hash::Digest;

fn listing(folder: &Path) -> Vec<String> {
    let mut paths = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                let path = entry.path().strip_prefix(folder).unwrap().to_owned();
                paths.push(path.to_str().unwrap().to_owned());
            }
        }
    }
    paths.sort();
    paths
}

#[test]
fn a_bag_holds_the_files_of_the_design() {
    let home = tempfile::tempdir().unwrap();
    let bag = home.path().join("audit");
    let mut ledger = FakeLedger::sample();
    let written = export(&mut ledger, &bag);
    let names = listing(&bag).join("\n");
    let configurations: Vec<&String> = ledger.configurations.keys().collect();
    let expected = format!(
        "VERIFY.md\nbag-info.txt\nbagit.txt\ndata/attempts.csv\ndata/blocks/000001-attempts.txt\n\
         data/blocks/000001-events.txt\ndata/blocks/000001-rows.txt\n\
         data/blocks/000003-attempts.txt\ndata/blocks/000003-events.txt\n\
         data/blocks/000003-rows.txt\ndata/configuration/{}.toml\ndata/configuration/{}.toml\n\
         data/configuration/{}.toml\ndata/datapackage.json\ndata/events.csv\n\
         data/exceptions.csv\ndata/load.sql\ndata/receipts/000002\n\
         data/report-20261122-091020-6f4f.html\ndata/rows.csv\ndata/runs.csv\n\
         data/seals/000001.seal\ndata/seals/000002.seal\ndata/seals/000003.seal\n\
         manifest-sha256.txt\ntagmanifest-sha256.txt",
        configurations[0], configurations[1], configurations[2]
    );
    assert_eq!(names, expected);
    assert_eq!(written.unsealed, ["20261124-010000-b002"]);
    assert_eq!(written.differences, [""; 0]);
    let seal = fs::read(bag.join("data/seals/000003.seal")).unwrap();
    assert_eq!(written.totals.head, Some((3, Digest::new(seal))));
    let manifest = fs::read(bag.join("manifest-sha256.txt")).unwrap();
    assert_eq!(written.manifest, Digest::new(manifest));
}

#[test]
fn the_control_totals_are_those_of_the_lines() {
    let home = tempfile::tempdir().unwrap();
    let bag = home.path().join("audit");
    export(&mut FakeLedger::sample(), &bag);
    let info = fs::read_to_string(bag.join("bag-info.txt")).unwrap();
    let payload = listing(&bag.join("data"));
    let bytes: u64 =
        payload.iter().map(|path| fs::metadata(bag.join("data").join(path)).unwrap().len()).sum();
    let head = Digest::new(fs::read(bag.join("data/seals/000003.seal")).unwrap());
    assert_eq!(
        info,
        format!(
            "External-Description: Audit export of cardcancel\nExternal-Identifier: {LEDGER}\n\
             Bagging-Date: 2026-11-26\nBag-Software-Agent: cardcancel 0.2.0\n\
             Payload-Oxum: {bytes}.{}\nExport-Scope: run 20261122-091020-6f4f\n\
             Export-Time: 2026-11-26T17:00:00.000000Z\nExport-By: auditor (uid 1200)\n\
             Export-Host: batch1\nTotal-Runs: 3\nTotal-Rows: 20\nTotal-Attempts: 19\n\
             Total-Events: 6\nTotal-Exceptions: 16\n\
             Total-By-Status: cancelled 4 rejected 6 failed 3 in_doubt 6 invalid 1\n\
             Sum-Of-Admin-Numbers: 9223372036857105076\nLedger-Head: 3 {head}\n",
            payload.len()
        )
    );
}

#[test]
fn the_line_of_a_run_says_who_why_and_what_it_came_to() {
    let home = tempfile::tempdir().unwrap();
    let bag = home.path().join("audit");
    export(&mut FakeLedger::sample(), &bag);
    let runs = fs::read_to_string(bag.join("data/runs.csv")).unwrap();
    let input = Digest::new("=2+2,\"x\".csv");
    let configuration = Digest::new("rate = \"10/s\" # 20261123-010000-a001\n");
    assert_eq!(
        runs.lines().nth(2).unwrap(),
        format!(
            "20261123-010000-a001,3,ended,,run,\"'=2+2,\"\"x\"\".csv\",{input},\
             https://cards.example/api/CancelPhysicalCardOrder,2026-11-22T09:10:20.200000Z,\
             2026-11-22T09:10:26.118204Z,7,7,2,2,0,2,1,2,0,0,0,0,\
             \"cardcancel (uid 991), login jdoe (uid 1004)\",batch1,cardcancel.service,\
             duplicate batch of 20 November,\"J. Doe, Fraud Operations\",CHG-4711,\
             {configuration},cardcancel 0.2.0"
        )
    );
    assert!(
        runs.lines()
            .nth(3)
            .unwrap()
            .starts_with("20261124-010000-b002,,ended,,run,third file.csv,")
    );
}

#[test]
fn the_same_ledger_gives_the_same_payload() {
    let home = tempfile::tempdir().unwrap();
    let first = export(&mut FakeLedger::sample(), &home.path().join("first"));
    let mut later = options();
    (later.at, later.by) = ("2027-01-01T00:00:00Z".parse().unwrap(), "eve (uid 1)".to_owned());
    let second = write_bag(&mut FakeLedger::sample(), &home.path().join("second"), &later);
    assert_eq!(second.unwrap().written().manifest, first.manifest);
}

#[test]
fn a_ledger_that_was_changed_after_its_seal_is_reported_with_run_and_block() {
    let home = tempfile::tempdir().unwrap();
    let mut ledger = FakeLedger::with_rows(25_000);
    ledger.runs[0].rows[15_000].0.message.push('!');
    ledger.runs[0].events.pop();
    let written = export(&mut ledger, &home.path().join("audit"));
    assert_eq!(
        written.differences,
        [
            "run 20261122-091020-6f4f: its rows are not those of seal 1: 25000 lines were sealed, \
             25000 are recorded, first in block 2",
            "run 20261122-091020-6f4f: its events are not those of seal 1: 2 lines were sealed, \
             1 are recorded, first in block 1",
        ]
    );
}

#[test]
fn what_exists_is_never_replaced() {
    let home = tempfile::tempdir().unwrap();
    let target = home.path().join("audit");
    let refused = |what: &str| {
        let error = write_bag(&mut FakeLedger::sample(), &target, &options()).err().unwrap();
        assert!(format!("{error:#}").contains("already exists"), "{what}: {error:#}");
    };
    fs::create_dir(&target).unwrap();
    refused("an empty folder");
    fs::remove_dir(&target).unwrap();
    std::os::unix::fs::symlink("nowhere", &target).unwrap();
    refused("a link to nothing");
    fs::remove_file(&target).unwrap();

    let bag = write_bag(&mut FakeLedger::sample(), &target, &options()).unwrap();
    fs::create_dir(&target).unwrap();
    assert!(bag.publish().is_err(), "it was taken while the bag was written");
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "nothing is left of the bag");
}

#[test]
fn an_export_that_fails_leaves_nothing_and_one_that_was_killed_is_cleared_by_the_next() {
    struct Failing(FakeLedger);
    impl BagSource for Failing {
        fn ledger(&mut self) -> anyhow::Result<String> {
            self.0.ledger()
        }
        fn runs(&mut self) -> anyhow::Result<Vec<BaggedRun>> {
            self.0.runs()
        }
        fn rows_with_attempts(
            &mut self,
            run: &str,
            each: &mut dyn FnMut(
                &crate::ledger::RowRecord,
                &[crate::ledger::AttemptRecord],
            ) -> anyhow::Result<()>,
        ) -> anyhow::Result<()> {
            self.0.rows_with_attempts(run, each)?;
            anyhow::bail!("the disk is full")
        }
        fn events(&mut self, run: &str) -> anyhow::Result<Vec<crate::ledger::EventRecord>> {
            self.0.events(run)
        }
        fn configuration(&mut self, digest: &str) -> anyhow::Result<Option<String>> {
            self.0.configuration(digest)
        }
        fn seals(
            &mut self,
            each: &mut dyn FnMut(BaggedSeal) -> anyhow::Result<()>,
        ) -> anyhow::Result<()> {
            self.0.seals(each)
        }
    }
    let home = tempfile::tempdir().unwrap();
    let target = home.path().join("audit");
    let error = write_bag(&mut Failing(FakeLedger::sample()), &target, &options()).err().unwrap();
    let error = format!("{error:#}");
    assert!(error.contains("nothing of it is left: the disk is full"), "{error}");
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);

    let killed = home.path().join(".audit.x1.partial");
    fs::create_dir_all(killed.join("data")).unwrap();
    let other = home.path().join(".other.x1.partial");
    fs::create_dir(&other).unwrap();
    let alive = write_bag(&mut FakeLedger::sample(), &target, &options()).unwrap();
    assert!(!killed.exists() && other.exists());
    let second = write_bag(&mut FakeLedger::sample(), &target, &options()).unwrap();
    alive.publish().unwrap();
    assert!(second.publish().is_err());
}

#[test]
fn an_export_is_private_to_its_owner() {
    let home = tempfile::tempdir().unwrap();
    let bag = home.path().join("audit");
    export(&mut FakeLedger::sample(), &bag);
    let mode = |path: &str| fs::metadata(bag.join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(""), mode("data"), mode("data/seals")), (0o700, 0o700, 0o700));
    assert!(listing(&bag).iter().all(|path| mode(path) == 0o600));
}

/// The blocks of the bag's VERIFY.md that are commands.
fn commands(bag: &Path) -> Vec<String> {
    let page = fs::read_to_string(bag.join("VERIFY.md")).unwrap();
    let blocks = page.split("```sh\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

/// Runs each command of VERIFY.md with coreutils and grep alone. Returns what each printed if
/// one of them failed.
fn stock_path(bag: &Path, tools: &Path) -> Result<String, String> {
    if !tools.exists() {
        fs::create_dir(tools).unwrap();
        for tool in [
            "sha256sum",
            "du",
            "cut",
            "sort",
            "uniq",
            "printf",
            "tail",
            "wc",
            "split",
            "ls",
            "grep",
        ] {
            let there = ["/usr/bin", "/bin"].map(|folder| Path::new(folder).join(tool));
            let there = there.iter().find(|path| path.exists()).unwrap();
            std::os::unix::fs::symlink(there, tools.join(tool)).unwrap();
        }
    }
    let (mut printed, mut has_failed) = (String::new(), false);
    for command in commands(bag) {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-ec", &command]).current_dir(bag).env_clear().env("PATH", tools);
        let output = shell.output().unwrap();
        has_failed |= !output.status.success();
        printed += &String::from_utf8(output.stdout).unwrap();
        printed += &String::from_utf8(output.stderr).unwrap();
    }
    if has_failed { Err(printed) } else { Ok(printed) }
}

#[test]
fn stock_tools_verify_a_bag_as_its_page_says() {
    let home = tempfile::tempdir().unwrap();
    let (bag, tools) = (home.path().join("audit"), home.path().join("tools"));
    let written = export(&mut FakeLedger::sample(), &bag);
    let (number, head) = written.totals.head.unwrap();
    assert_eq!(
        stock_path(&bag, &tools).unwrap(),
        format!("not sealed: run 20261124-010000-b002\nhead: seal {number} {head}\n")
    );
    let large = home.path().join("large");
    export(&mut FakeLedger::with_rows(25_000), &large);
    let printed = stock_path(&large, &tools).unwrap();
    assert!(printed.starts_with("head: seal 1 "), "{printed}");
}

#[test]
fn stock_tools_find_what_was_edited_and_name_it() {
    let home = tempfile::tempdir().unwrap();
    let (bag, tools) = (home.path().join("audit"), home.path().join("tools"));
    let edit = |name: &str, edit: &dyn Fn(&Path), expected: &str| {
        export(&mut FakeLedger::sample(), &bag);
        edit(&bag);
        let printed = stock_path(&bag, &tools).unwrap_err();
        assert!(printed.contains(expected), "{name}: {printed}");
        fs::remove_dir_all(&bag).unwrap();
    };
    let replace = |path: &Path, from: &str, to: &str| {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.contains(from), "{from}");
        fs::write(path, text.replace(from, to)).unwrap();
    };
    edit(
        "a file",
        &|bag| fs::write(bag.join("data/load.sql"), "x").unwrap(),
        "data/load.sql: FAILED",
    );
    edit("one more", &|bag| fs::write(bag.join("data/x"), "x").unwrap(), " 1 data/x");
    edit("hidden", &|bag| fs::write(bag.join(".x"), "x").unwrap(), " 1 .x");
    edit("a link", &|bag| std::os::unix::fs::symlink("data", bag.join("x")).unwrap(), " 1 x");
    edit(
        "a tag",
        &|bag| replace(&bag.join("bag-info.txt"), "auditor", "nobody"),
        "bag-info.txt: FAILED",
    );
    let tags = "tagmanifest-sha256.txt";
    edit("a tag manifest", &|bag| fs::remove_file(bag.join(tags)).unwrap(), "No such file");
    edit(
        "a record",
        &|bag| replace(&bag.join("data/rows.csv"), "412093Z", "412094Z"),
        "changed after data/seals/000003.seal: run 20261123-010000-a001 in data/rows.csv",
    );
    edit(
        "a seal",
        &|bag| replace(&bag.join("data/seals/000001.seal"), "jdoe", "jdoo"),
        "the chain breaks at data/seals/000002.seal",
    );
    edit(
        "a seal that is gone",
        &|bag| fs::remove_file(bag.join("data/seals/000002.seal")).unwrap(),
        "a seal is missing after number 1",
    );
}

#[test]
fn a_signature_of_ssh_keygen_is_verified_as_the_page_says() {
    if Command::new("ssh-keygen").arg("-?").output().is_err() {
        eprintln!("not tested: ssh-keygen is missing");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let (bag, key) = (home.path().join("audit"), home.path().join("key"));
    let run = |command: &mut Command| {
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let mut keygen = Command::new("ssh-keygen");
    assert!(run(keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key)).0);
    let unpublished = write_bag(&mut FakeLedger::sample(), &bag, &options()).unwrap();
    let mut sign = Command::new("ssh-keygen");
    sign.args(["-Y", "sign", "-n", "cardcancel-export", "-f"]).arg(&key);
    assert!(run(sign.arg(unpublished.tag_manifest())).0);
    unpublished.publish().unwrap();

    let public = fs::read_to_string(key.with_extension("pub")).unwrap();
    let signers = home.path().join("signers");
    fs::write(&signers, format!("audit@example.com {public}")).unwrap();
    let page = fs::read_to_string(bag.join("VERIFY.md")).unwrap();
    let block = page.split("```sh signature\n").nth(1).unwrap().split("```").next().unwrap();
    let verify = || {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", block]).current_dir(&bag);
        run(shell.env("signers", &signers).env("signer", "audit@example.com"))
    };
    assert!(verify().0, "{}", verify().1);
    stock_path(&bag, &home.path().join("tools")).unwrap();
    let tags = bag.join("tagmanifest-sha256.txt");
    let text = fs::read_to_string(&tags).unwrap();
    fs::write(&tags, text.replace("VERIFY.md", "Verify.md")).unwrap();
    assert!(!verify().0);
}

#[test]
fn sqlite_loads_the_tables_by_the_comment_of_load_sql() {
    if Command::new("sqlite3").arg("--version").output().is_err() {
        eprintln!("not tested: sqlite3 is missing");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let bag = home.path().join("audit");
    export(&mut FakeLedger::sample(), &bag);
    let sql = fs::read_to_string(bag.join("data/load.sql")).unwrap();
    let command = sql.lines().find(|line| line.ends_with("| sqlite3 audit.sqlite")).unwrap();
    let command = command.strip_prefix("--").unwrap();
    let query = "sqlite3 audit.sqlite \"SELECT admin_number, error_code, message FROM rows WHERE \
                 run = '20261122-091020-6f4f' ORDER BY \\\"row\\\" LIMIT 3\"";
    let mut shell = Command::new("/bin/sh");
    let output = shell.args(["-ec", &format!("{command}\n{query}")]).current_dir(bag.join("data"));
    let output = output.output().unwrap();
    let (printed, errors) = (String::from_utf8(output.stdout).unwrap(), output.stderr);
    assert_eq!(
        printed,
        "9223372036854775807|0012|'=1+1\n129402|0013|''quoted'\n129403|ERR01160|'＝full-width, \"and quotes\"\n",
        "{}",
        String::from_utf8_lossy(&errors)
    );
}
