//! Audit exports of a ledger that the program wrote.

use cardcancel::audit::AuditTable;
use cardcancel::audit::bag::{BagOptions, LedgerSource, write_bag};
use cardcancel::audit::verify_bag::verify_bag;
use cardcancel::ledger::{Ledger, Sqlite};

use crate::common::{ProgramOutput, TestEnv, TestSimulator};

#[test]
fn what_the_program_recorded_is_exported_and_verified() {
    let env = TestEnv::new();
    let server = TestSimulator::perfect();
    env.orders(20).cancel(&server.url(), &[]).exits(0);

    let mut ledger = Sqlite::open_existing(&env.ledger()).unwrap().unwrap();
    let runs = ledger.runs().unwrap();
    let options = BagOptions {
        scope: "all runs".to_owned(),
        at: "2026-11-26T17:00:00Z".parse().unwrap(),
        by: "auditor (uid 1200)".to_owned(),
        host: "batch1".to_owned(),
        version: "0.2.0".to_owned(),
    };
    let mut progress = |_| ();
    let mut source = LedgerSource::new(&mut ledger, runs, &mut progress);
    let bag = env.path("audit");
    let (_, written) = write_bag(&mut source, &bag, &options).unwrap().publish().unwrap();
    assert_eq!(written.differences, [""; 0]);

    let verdict = verify_bag(&bag, &mut |_, _| ()).unwrap();
    assert_eq!(verdict.findings, []);
    assert_eq!(verdict.totals, written.totals);
    let lines = [AuditTable::Runs, AuditTable::Rows, AuditTable::Attempts, AuditTable::Exceptions];
    assert_eq!(lines.map(|table| verdict.totals.lines(table)), [1, 20, 20, 0]);
    assert!(verdict.totals.lines(AuditTable::Events) >= 2, "it was opened and started");
}

/// A ledger with one run, and the run's identifier.
fn recorded() -> (TestEnv, String) {
    let env = TestEnv::new();
    let server = TestSimulator::perfect();
    env.orders(20).cancel(&server.url(), &["--ticket", "CHG-4711"]).exits(0);
    let runs = env.run(&["runs", "--json"]).exits(0).stdout;
    let run: serde_json::Value = serde_json::from_str(runs.trim()).unwrap();
    let id = run["run"].as_str().unwrap().to_owned();
    (env, id)
}

#[test]
fn an_export_is_verified_where_there_is_neither_a_ledger_nor_a_home_for_one() {
    let (env, id) = recorded();
    env.run(&["export", &id, "-o", "audit"]).exits(0);
    let homeless = |args: &[&str]| -> ProgramOutput {
        let mut command = env.command(args);
        command.env_remove("HOME").env_remove("XDG_STATE_HOME").env_remove("XDG_CONFIG_HOME");
        command.output().unwrap().into()
    };
    let verified = homeless(&["verify", "audit"]).exits(0).stdout;
    assert!(verified.starts_with("Unchanged since seal 1, "), "{verified}");
    let verified = homeless(&["verify", "audit", "--json"]).exits(0).stdout;
    assert!(verified.contains("\"holds\":true"), "{verified}");
    let refused = homeless(&["verify"]).exits(2).stderr;
    assert!(refused.contains("--ledger"), "{refused}");
}

#[test]
fn an_export_is_verified_until_a_byte_of_it_is_changed() {
    let (env, id) = recorded();
    let exported = env.run(&["export", &id, "-o", "audit"]).exits(0).stdout;
    assert!(
        exported.starts_with("Exported 1 run with 20 rows and 20 attempts to audit\n"),
        "{exported}"
    );
    let verified = env.run(&["verify", "audit"]).exits(0).stdout;
    assert!(verified.starts_with("Unchanged since seal 1, "), "{verified}");
    assert!(verified.contains("\nNot signed.\nNot compared with a witness"), "{verified}");
    let rows = env.text("audit/data/rows.csv").replacen("cancelled", "rejected", 1);
    env.file("audit/data/rows.csv", rows);
    let verified = env.run(&["verify", "audit"]).exits(1).stdout;
    assert!(verified.contains("data/rows.csv"), "{verified}");
    assert!(verified.contains("ALTERED: "), "{verified}");
}

#[test]
fn an_export_never_replaces_anything_and_its_folder_must_be_named() {
    let (env, id) = recorded();
    env.file("audit", "mine");
    let refused = env.run(&["export", &id, "-o", "audit"]).exits(2).stderr;
    assert!(refused.contains("audit"), "{refused}");
    assert_eq!(env.read("audit"), b"mine");
    let refused = env.run(&["export", &id]).exits(2).stderr;
    assert_eq!(refused, "error: name the new folder with -o DIR\n");
    let refused = env.run(&["export", "20260101-000000-0000", "-o", "other"]).exits(2).stderr;
    assert!(refused.starts_with("error: no run 20260101-000000-0000 in the ledger"), "{refused}");
    assert!(!env.path("other").exists());
}

#[test]
fn runs_are_exported_by_the_day_on_which_they_were_created() {
    let (env, _) = recorded();
    let exported = env.run(&["export", "--since", "2020-01-01", "-o", "all"]).exits(0).stdout;
    assert!(exported.starts_with("Exported 1 run "), "{exported}");
    let flags = ["export", "--since", "2020-01-01", "--until", "2020-02-01", "-o", "none"];
    let refused = env.run(&flags).exits(2).stderr;
    assert!(refused.starts_with("error: no run was created from 2020-01-01"), "{refused}");
    assert!(!env.path("none").exists());
}

#[test]
fn a_signature_is_made_and_verified_by_ssh_keygen() {
    let (env, id) = recorded();
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(env.path("key"))
        .status();
    if !made.is_ok_and(|status| status.success()) {
        println!("NOT RUN: a_signature_is_made_and_verified_by_ssh_keygen: no ssh-keygen");
        return;
    }
    let public = env.text("key.pub");
    env.file("signers", format!("audit@example.com {public}"));
    env.run(&["export", &id, "-o", "audit", "--sign", "key"]).exits(0);
    let flags = ["verify", "audit", "--signers", "signers", "--signer", "audit@example.com"];
    let verified = env.run(&[&flags[..], &["--require", "sealed,signed"]].concat()).exits(0).stdout;
    assert!(verified.contains("\nSigned by audit@example.com.\n"), "{verified}");
    let verified = env.run(&["verify", "audit", "--require", "signed,witnessed"]).exits(1).stdout;
    assert!(
        verified.contains("REQUIRED, and does not hold: no signature was verified."),
        "{verified}"
    );
    let other = ["verify", "audit", "--signers", "signers", "--signer", "eve@example.com"];
    env.run(&other).exits(1);
}
