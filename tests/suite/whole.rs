//! Whether a file is complete: a last line that may be cut short, and what is known about a file
//! from other sources.
use crate::common::{ProgramOutput, ResultRow, Terminal, TestEnv, TestSimulator};
use insta::assert_snapshot;

/// The last row was 1,1294033 before three bytes of it were lost.
const CUT: &str = "seq,admin\n1,129409\n1,12940";
/// What sha256sum prints for the file above.
const DIGEST: &str = "74cbd2ba3d27c1b7a7ab2fa2b0f3a8a1f5b4c6a0f31b2c7b2b6d7f0a9d3e5c11";

/// Runs the file. Returns the orders that were requested.
fn run(env: &TestEnv, flags: &[&str]) -> (ProgramOutput, u64) {
    let core_card = TestSimulator::perfect();
    let outcome = env.cancel(&core_card.url(), flags);
    (outcome, core_card.requests())
}

fn cut() -> TestEnv {
    let env = TestEnv::new();
    env.file("orders.csv", CUT);
    env
}

fn digest_of(env: &TestEnv, name: &str) -> String {
    let reported = env.run(&["check", name, "--json"]).stdout;
    let reported: serde_json::Value = serde_json::from_str(&reported).unwrap();
    reported["input_sha256"].as_str().unwrap().to_owned()
}

fn verdict(row: &ResultRow) -> String {
    format!(
        "{},{} {} {}: {}\n",
        row.get("seq"),
        row.get("admin"),
        row.status(),
        row.code(),
        row.get("message")
    )
}

#[test]
fn an_order_that_may_be_cut_short_is_not_sent_and_the_others_are() {
    let env = cut();
    let (outcome, requests) = run(&env, &[]);
    let outcome = outcome.exits(1);
    assert_eq!(requests, 1);
    let results: String = env.results().iter().map(verdict).collect();
    assert_snapshot!(results, @r#"
    1,129409 cancelled ERR01160: Order Canceled Successfully
    , invalid UNFINISHED_LINE: the file ends in this line without a line end, so it may be cut short; the line: "1,12940"
    "#);
    assert!(outcome.stdout.contains("THE FILE MAY BE CUT SHORT"), "{}", outcome.report());
    assert!(outcome.stderr.contains("THE FILE MAY BE CUT SHORT"), "{}", outcome.report());
    // Nothing made from the results can send it, either.
    let server = TestSimulator::perfect();
    env.rerun("orders.results.csv", &server.url(), &["--only=invalid", "-o", "again.csv"]);
    assert_eq!(server.requests(), 0);
}

#[test]
fn check_and_the_question_say_loudly_that_a_file_may_be_cut_short() {
    let env = cut();
    let check = env.run(&["check", "orders.csv"]).exits(1);
    let warning = "WARNING: THE FILE MAY BE CUT SHORT: its last line, line 3, has no line end.";
    assert!(check.stdout.contains(warning), "{}", check.report());
    let command = ["run", "orders.csv", "--url=https://127.0.0.1:9", "--external-ip=10.0.0.1"];
    let mut terminal = Terminal::with(env.command(&command));
    terminal.sees("Type yes to send:\n").types("no");
    let (_, seen) = terminal.ends();
    assert!(seen.contains(warning), "{seen}");
}

#[test]
fn a_file_that_ends_as_it_should_is_not_said_to_be_cut_short() {
    for text in ["admin,seq\n1,1\n", "admin,seq\r\n1,1\r\n\r\n", "admin,seq\n1,1\n\u{1a}"] {
        let env = TestEnv::new();
        env.file("orders.csv", text);
        let (outcome, requests) = run(&env, &[]);
        let said = outcome.exits(0).all_output();
        assert!(!said.contains("CUT SHORT"), "{said}");
        assert_eq!(requests, 1);
    }
}

#[test]
fn a_last_line_is_sent_where_the_file_was_shown_to_be_whole() {
    let digest = digest_of(&cut(), "orders.csv");
    let sidecars = [
        digest.clone(),
        format!("{digest}  orders.csv\n"),
        format!("{} *elsewhere/orders.csv\r\n", digest.to_uppercase()),
        format!("SHA256 (orders.csv) = {digest}\n"),
    ];
    for sidecar in sidecars {
        let env = cut();
        env.file("orders.csv.sha256", sidecar);
        let (outcome, requests) = run(&env, &[]);
        let said = outcome.exits(0).all_output();
        assert!(!said.contains("line end"), "{said}");
        assert_eq!(requests, 2);
    }
    let (outcome, requests) = run(&cut(), &["--expect-sha256", &digest]);
    assert!(!outcome.exits(0).all_output().contains("line end"));
    assert_eq!(requests, 2);
    // A line that was cut short still counts as a row, so that it is reported.
    let (outcome, requests) = run(&cut(), &["--expect-rows", "2"]);
    let said = outcome.exits(0).all_output();
    assert!(
        said.contains("only a SHA-256 (--expect-sha256) proves that the line itself is"),
        "{said}"
    );
    assert_eq!(requests, 2);
}

#[test]
fn a_file_that_is_not_the_one_that_was_meant_is_refused() {
    let refused = |sidecar: Option<&str>, flags: &[&str]| {
        let env = TestEnv::with_orders(3);
        sidecar.iter().for_each(|text| {
            env.file("orders.csv.sha256", text);
        });
        let check = env.run(&[&["check", "orders.csv"], flags].concat()).exits(2);
        let (outcome, requests) = run(&env, flags);
        let outcome = outcome.exits(2);
        assert_eq!((requests, &outcome.stdout[..]), (0, ""));
        assert!(!env.path("orders.results.csv").exists());
        assert_eq!(check.stderr, outcome.stderr);
        outcome.stderr
    };
    let other = DIGEST;
    assert_snapshot!(refused(None, &["--expect-rows=4"]), @"error: orders.csv: is not the expected file: its number of rows is 3, and --expect-rows requires 4; it may be cut short or changed: fetch it again from its source");
    assert_snapshot!(refused(None, &["--expect-sha256", other]), @"error: orders.csv: is not the expected file: its SHA-256 is e171908e4358830df430969643c9a818e84ec4a20a07c10746dc0212a8c47b07, and --expect-sha256 requires 74cbd2ba3d27c1b7a7ab2fa2b0f3a8a1f5b4c6a0f31b2c7b2b6d7f0a9d3e5c11; it may be cut short or changed: fetch it again from its source");
    assert_snapshot!(refused(Some(other), &[]), @"error: orders.csv: is not the expected file: its SHA-256 is e171908e4358830df430969643c9a818e84ec4a20a07c10746dc0212a8c47b07, and orders.csv.sha256 requires 74cbd2ba3d27c1b7a7ab2fa2b0f3a8a1f5b4c6a0f31b2c7b2b6d7f0a9d3e5c11; it may be cut short or changed: fetch it again from its source");
    // What the command line states does not override the file beside the input.
    let digest = {
        let env = TestEnv::new();
        digest_of(env.orders(3), "orders.csv")
    };
    assert_eq!(refused(Some(other), &["--expect-sha256", &digest]), refused(Some(other), &[]));
    assert_snapshot!(refused(Some(""), &[]), @"error: orders.csv: its checksum orders.csv.sha256 cannot be used (it is empty); correct it, or remove it");
    assert_snapshot!(refused(Some("see the other file\n"), &[]), @r#"error: orders.csv: its checksum orders.csv.sha256 cannot be used ("see" is not a SHA-256 digest of 64 hexadecimal digits, as sha256sum prints it); correct it, or remove it"#);
}

#[test]
fn a_run_that_goes_on_is_refused_a_file_with_another_number_of_rows_too() {
    let env = TestEnv::with_orders(3);
    run(&env, &[]).0.exits(0);
    let (outcome, _) = run(&env, &["--expect-rows=2"]);
    assert!(
        outcome.exits(2).stderr.contains("its number of rows is 3, and --expect-rows requires 2")
    );
}

#[test]
fn what_shows_that_a_file_is_whole_makes_a_run_of_its_own_where_that_matters() {
    let core_card = TestSimulator::perfect();
    let env = cut();
    env.cancel(&core_card.url(), &["-o", "first.csv"]).exits(1);
    env.cancel(&core_card.url(), &["-o", "second.csv", "--expect-rows=2"]).exits(0);
    assert_eq!(core_card.requests(), 2, "the first order is cancelled already");
    let env = TestEnv::new();
    env.orders(2).cancel(&core_card.url(), &[]).exits(0);
    let again = env.cancel(&core_card.url(), &["--expect-rows=2"]).exits(0);
    assert!(again.stdout.contains("had ended before"), "{}", again.report());
}

#[test]
fn a_packed_file_and_standard_input_are_held_to_the_same() {
    use std::io::Write;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(CUT.as_bytes()).unwrap();
    let env = TestEnv::new();
    env.file("orders.csv", packed.finish().unwrap());
    let (outcome, requests) = run(&env, &[]);
    outcome.exits(1);
    assert_eq!(requests, 1);
    let env = cut();
    let mut check = env.command(&["check", "-"]);
    let orders = std::fs::File::open(env.path("orders.csv")).unwrap();
    let check = ProgramOutput::from(check.stdin(orders).output().unwrap()).exits(1);
    assert!(check.stdout.contains("THE FILE MAY BE CUT SHORT"));
}

#[test]
fn a_file_that_is_still_being_written_is_refused() {
    use std::io::Write;
    use std::sync::atomic::{AtomicBool, Ordering};
    let env = cut();
    let (path, done) = (env.path("orders.csv"), AtomicBool::new(false));
    let check = std::thread::scope(|scope| {
        // Pieces of a line, as a program writes them when its buffer is full.
        scope.spawn(|| {
            let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
            while !done.load(Ordering::Relaxed) {
                file.write_all(b"7").unwrap();
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        });
        let check = env.run(&["check", "orders.csv"]);
        done.store(true, Ordering::Relaxed);
        check
    });
    assert!(check.exits(2).stderr.contains("is still being written"));
}
