//! What is decided and shown before anything is sent: the plan, and whether it is time for it.
use crate::common::postgres::database;
use crate::common::{
    Behavior, CANCELLED, ProgramOutput, ScriptedServer, Terminal, TestEnv, TestSimulator, json,
    redact_varying, status,
};
use insta::assert_snapshot;
use jiff::{SignedDuration, Timestamp};

const HOUR: i64 = 3600;

/// The time this many seconds from now, in UTC.
fn clock(seconds: i64) -> String {
    (Timestamp::now() + SignedDuration::from_secs(seconds)).strftime("%H:%M:%S").to_string()
}

/// The flag for a cut-off this many seconds from now.
fn cut_off(seconds: i64) -> String {
    format!("--cut-off={}[UTC]", clock(seconds))
}

/// The flag for a start window from one time to another, in seconds from now.
fn start_window(from: i64, to: i64) -> String {
    format!("--start-window={}-{}[UTC]", clock(from), clock(to))
}

fn with_variables(env: &TestEnv, args: &[&str], variables: &[(&str, &str)]) -> ProgramOutput {
    env.command(args).envs(variables.iter().copied()).output().unwrap().into()
}

/// The flags of the next cut-off, as the message suggests it.
fn meant(reported: &str) -> String {
    let (_, rest) = reported.split_once("give its date: --cut-off '").unwrap();
    format!("--cut-off={}", rest.split('\'').next().unwrap())
}

#[test]
fn a_start_just_after_the_cut_off_sends_nothing_and_says_how_the_next_one_is_meant() {
    let core_card = TestSimulator::perfect();
    let env = TestEnv::with_orders(3);
    let refused = env.cancel(&core_card.url(), &[&cut_off(-1)]).exits(2);
    assert_eq!(core_card.requests(), 0);
    assert!(!env.path("orders.results.csv").exists());
    assert_eq!(env.run(&["runs"]).stdout, "", "a run that was not begun is none");
    assert!(refused.stderr.contains("[UTC] has passed: it was "), "{}", refused.stderr);
    assert!(refused.stderr.contains(" s ago; "), "{}", refused.stderr);
    env.cancel(&core_card.url(), &[&meant(&refused.stderr)]).exits(0);
    assert_eq!(core_card.requests(), 3);
}

#[test]
fn a_rerun_and_a_check_just_after_the_cut_off_go_by_the_same_rule() {
    let core_card = TestSimulator::perfect();
    let env = TestEnv::new();
    env.orders(3).file("r.csv", "admin,seq,status,doubt\n1,1,cancelled,\n2,1,failed,\n");
    for seconds in [-1, -HOUR, 60 - 2 * HOUR] {
        let late = cut_off(seconds);
        env.rerun("r.csv", &core_card.url(), &[&late, "--trust-results"]).exits(2);
        let checked = env.run(&["check", "orders.csv", &late]).exits(2);
        assert!(checked.stdout.contains("IT WOULD BE REFUSED: the cut-off "), "{}", checked.stdout);
        let json = env.run(&["check", "orders.csv", "--json", &late]).exits(2).stdout;
        assert!(json.contains(r#""meets_cut_off":false"#), "{json}");
    }
    assert_eq!(core_card.requests(), 0);
}

#[test]
fn a_time_of_day_that_passed_hours_ago_means_its_next_occurrence() {
    let core_card = TestSimulator::perfect();
    let env = TestEnv::new();
    env.orders(3).file("r.csv", "admin,seq,status,doubt\n1,1,cancelled,\n2,1,failed,\n");
    // Half a minute more, so that it does not matter how long the rerun takes.
    let tonights = cut_off(-5 * HOUR - 30);
    env.rerun("r.csv", &core_card.url(), &[&tonights, "--trust-results"]).exits(0);
    assert_eq!(core_card.requests(), 1);
    let checked = env.run(&["check", "orders.csv", &tonights]).exits(0).stdout;
    assert!(checked.contains(" UTC, in 18 h 59 min"), "{checked}");
}

#[test]
fn a_file_that_does_not_fit_before_the_cut_off_names_the_rate_that_it_needs() {
    let env = TestEnv::with_orders(100_000);
    let tonight = cut_off(9000);
    let checked = env.run(&["check", "orders.csv", &tonight]).exits(2).stdout;
    assert!(checked.contains("the calls take 2 h 46 min at 10/s, and"), "{checked}");
    assert!(checked.contains(": that needs 12/s"), "{checked}");
    env.run(&["check", "orders.csv", &tonight, "--rate", "12/s"]).exits(0);
    let args = ["run", "orders.csv", "--yes", "--url", "http://127.0.0.1:9"];
    let args = [&args[..], &["--external-ip", "10.120.0.0", &tonight]].concat();
    let refused = env.run(&args).exits(2);
    assert!(refused.stderr.contains(": that needs 12/s"), "{}", refused.stderr);
}

#[test]
fn outside_of_the_start_window_nothing_is_sent() {
    let core_card = TestSimulator::perfect();
    let env = TestEnv::new();
    env.orders(3).file("r.csv", "admin,seq,status,doubt\n1,1,cancelled,\n2,1,failed,\n");
    for closed in [start_window(-3 * HOUR, -60), start_window(HOUR, -HOUR)] {
        let refused = env.cancel(&core_card.url(), &[&closed]).exits(2);
        assert!(refused.stderr.contains("a run can only be started within "), "{}", refused.stderr);
        env.rerun("r.csv", &core_card.url(), &[&closed, "--trust-results"]).exits(2);
    }
    assert_eq!(core_card.requests(), 0);
    assert!(!env.path("orders.results.csv").exists());
    env.cancel(&core_card.url(), &[&start_window(-60, HOUR)]).exits(0);
    assert_eq!(core_card.requests(), 3);
}

#[test]
fn the_start_window_is_undone_by_a_flag_and_does_not_hold_for_rehearsals_and_reports() {
    let core_card = TestSimulator::perfect();
    let env = TestEnv::new();
    let closed = start_window(HOUR, 2 * HOUR);
    let configuration = format!("start_window = '{}'\n", closed.split_once('=').unwrap().1);
    env.orders(3).file("cardcancel.toml", configuration);
    env.cancel(&core_card.url(), &[]).exits(2);
    env.cancel(&core_card.url(), &["--start-window", "off"]).exits(0);
    // A run that has ended is only reported again.
    env.cancel(&core_card.url(), &[]).exits(0);
    assert_eq!(core_card.requests(), 3);
    let rehearsed = env.run(&["run", "orders.csv", "--rehearse", "--rate", "unlimited"]);
    assert!(rehearsed.stdout.contains("agrees with the simulator"), "{}", rehearsed.report());
}

#[test]
fn a_check_outside_of_the_start_window_counts_from_when_it_opens() {
    let env = TestEnv::with_orders(30_000);
    let (window, tonight) = (start_window(10 * HOUR, 13 * HOUR), cut_off(11 * HOUR));
    let checked = env.run(&["check", "orders.csv", &window, &tonight, "--rate", "9/s"]);
    assert_eq!(checked.exits(0).stdout.matches(", next at ").count(), 1);
    // There is time for more than 30,000 calls until the cut-off, but not from when the window
    // opens.
    let late = env.run(&["check", "orders.csv", &window, &tonight, "--rate", "8/s"]).exits(2);
    assert!(late.stdout.contains("NOT ALL ROWS CAN BE SENT"), "{}", late.stdout);
}

#[test]
fn a_tz_that_names_no_zone_is_an_error_where_something_depends_on_it() {
    let env = TestEnv::with_orders(1);
    for name in ["America/New_Yrok", "America/New_York ", "'America/New_York'"] {
        let with = |args: &[&str]| with_variables(&env, args, &[("TZ", name)]);
        for flag in ["--cut-off=03:30", "--start-window=22:00-03:00"] {
            let refused = with(&["check", "orders.csv", flag]).exits(2).stderr;
            assert!(refused.contains(&format!("TZ is \"{name}\", which is not")), "{refused}");
        }
        with(&["check", "orders.csv"]).exits(0);
        with(&["check", "orders.csv", "--start-window=22:00-03:00[UTC]"]).exits(0);
    }
}

#[test]
fn a_misspelt_variable_is_an_error_with_the_nearest_name() {
    let env = TestEnv::with_orders(2);
    let misspelt = [("CARDCANCEL_CUTOFF", "03:30"), ("CARDCANCEL_MAXROWS", "1")];
    for args in [
        &["check", "orders.csv"][..],
        &["run", "orders.csv", "--rehearse"],
        &["rerun", "orders.csv", "--rehearse"],
        &["runs"],
        &["worker"],
        &["config", "show"],
    ] {
        let refused = with_variables(&env, args, &misspelt).exits(2).stderr;
        assert_eq!(
            refused,
            "error: there is no setting CARDCANCEL_CUTOFF; did you mean CARDCANCEL_CUT_OFF?\n\
             there is no setting CARDCANCEL_MAXROWS; did you mean CARDCANCEL_MAX_ROWS?\n"
        );
    }
}

#[test]
fn variables_of_secrets_and_those_of_others_are_no_misspelt_ones() {
    let env = TestEnv::with_orders(1);
    let variables = [
        ("CARDCANCEL_BEARER_TOKEN_FILE", "/etc/cardcancel/token"),
        ("CARDCANCEL_HEADER_X_API_KEY", "k3y"),
        ("CARDCANCEL_LEDGER_PASSWORD", "s3cret"),
        ("CARDCANCELX", "1"),
        // An empty value counts as unset.
        ("CARDCANCEL_CUTOFF", ""),
    ];
    with_variables(&env, &["check", "orders.csv"], &variables).exits(0);
    let token = [("CARDCANCEL_BEARER_TOKE", "t0ken")];
    let refused = with_variables(&env, &["check", "orders.csv"], &token).exits(2).stderr;
    assert!(refused.contains("did you mean CARDCANCEL_BEARER_TOKEN?"), "{refused}");
    assert!(!refused.contains("t0ken"), "{refused}");
}

#[test]
fn an_empty_rehearsal_table_has_no_faults() {
    let env = TestEnv::new();
    env.orders(200).file("cardcancel.toml", "[rehearsal]\n");
    let args = ["run", "orders.csv", "--rehearse", "--rate", "unlimited"];
    let outcome = env.run(&args).exits(0);
    assert!(outcome.stdout.contains("Every order is cancelled"), "{}", outcome.stdout);
}

#[test]
fn the_columns_and_the_first_order_are_shown_before_anything_is_sent() {
    let _tidy = redact_varying();
    let core_card = TestSimulator::perfect();
    let env = TestEnv::new();
    let orders = "Note,Card Sequence Number,Status,ADMIN_NUMBER,Message,Urgency,row\n\
        a,1,ACTIVE,not one,please cancel,2,77\nb,2,ACTIVE,1001,please cancel,1,78\n";
    env.file("orders.csv", orders);
    let flags = ["--priority-column", "Urgency", "--url", &core_card.url()];
    let flags = [&flags[..], &["--external-ip", "10.120.0.0"]].concat();
    let checked = env.run(&[&["check", "orders.csv"], &flags[..]].concat()).exits(1).stdout;
    assert_snapshot!(checked.lines().skip(1).take(4).collect::<Vec<_>>().join("\n"), @r#"
    orders.csv: 2 rows
    Columns: admin number from "ADMIN_NUMBER", sequence number from "Card Sequence Number", priority from "Urgency"
    First order: 1001/2, in line 3
    Not carried over: the file's own columns "Status", "Message" and "row", which the results replace
    "#);
    let json = env.run(&[&["check", "orders.csv", "--json"], &flags[..]].concat()).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_snapshot!(json["columns"], @r#"{"admin_number":"ADMIN_NUMBER","first_order":{"line":3,"order":"1001/2"},"priority":"Urgency","replaced":["Status","Message","row"],"sequence_number":"Card Sequence Number"}"#);

    let mut terminal = Terminal::with(env.command(&[&["run", "orders.csv"], &flags[..]].concat()));
    terminal.sees("Type yes to send:").types("yes");
    let (code, seen) = terminal.ends();
    assert_eq!(code, Some(1), "{seen}");
    assert!(seen.contains("  first order: 1001/2, in line 3\n"), "{seen}");
    assert!(seen.contains("  not carried over: the file's own columns \"Status\", "), "{seen}");
    let logged = "orders.csv: admin number from \"ADMIN_NUMBER\", sequence number from \"Card Sequence Number\", \
        priority from \"Urgency\"; first order 1001/2, in line 3; cut-off: none\n";
    assert!(seen.contains(logged), "{seen}");
}

#[test]
fn the_result_columns_of_a_rerun_are_not_called_the_files_own() {
    let core_card = TestSimulator::perfect();
    let env = TestEnv::new();
    env.file("r.csv", "admin,seq,status,doubt\n1,1,cancelled,\n2,1,failed,\n");
    let args = ["rerun", "r.csv", "--url", &core_card.url(), "--external-ip", "10.120.0.0"];
    let args = [&args[..], &["--trust-results"]].concat();
    let reported = env.run(&args).exits(2).stderr;
    assert!(reported.contains("  first order: 1/1, in line 2\n"), "{reported}");
    assert!(!reported.contains("not carried over"), "{reported}");
}

/// Loses the answer for order 1003/1, and cancels all other orders.
fn losing_one() -> ScriptedServer {
    ScriptedServer::new(|_, request| match request.json()["AdminNumber"].as_i64() {
        Some(1003) => Behavior::Close,
        _ => Behavior::Respond(json(CANCELLED)),
    })
}

/// After a run of five orders, of which four are cancelled and one is in doubt; then the
/// file has one order more.
fn after_a_run_of_most(server: &ScriptedServer) -> TestEnv {
    let env = TestEnv::new();
    env.orders(5).cancel(&server.url(), &["--attempts", "1"]).exits(3);
    env.orders(6);
    env
}

fn check(env: &TestEnv, url: &str, flags: &[&str]) -> ProgramOutput {
    env.run(&[&["check", "orders.csv", "--url", url], flags].concat())
}

#[test]
fn a_check_counts_what_is_sent_after_what_earlier_runs_cancelled() {
    let _tidy = redact_varying();
    let server = losing_one();
    let env = after_a_run_of_most(&server);
    let ledger = std::fs::read(env.ledger()).unwrap();
    assert_snapshot!(check(&env, &server.url(), &["--rate", "1/m"]).exits(0).stdout, @r#"
    orders.csv: 6 rows
    Columns: admin number from "AdminNumber", sequence number from "CardSequenceNumber"
    First order: 1001/1, in line 2
    Ledger [here]/home/state/cardcancel/ledger.db: 4 were cancelled by earlier runs, 1 is in doubt from an earlier run; 2 to send
                2 to send
                4 sent or cancelled before, and not sent again
                0 with the same order as an earlier row
                0 invalid
    At 1/m this takes 2 min 0 s
    "#);
    let json = check(&env, &server.url(), &["--json"]).exits(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["to_send"], 2);
    let known = &json["known"];
    assert_eq!((&known["cancelled"], &known["in_doubt"]), (&4.into(), &1.into()));
    assert_eq!(std::fs::read(env.ledger()).unwrap(), ledger, "nothing is written to it");
    // Two calls fit, six do not.
    let tonight = cut_off(240);
    check(&env, &server.url(), &["--rate", "1/m", &tonight]).exits(0);
    check(&env, "http://127.0.0.1:9", &["--rate", "1/m", &tonight]).exits(2);
    check(&env, &server.url(), &["--max-rows", "2"]).exits(0);
    check(&env, &server.url(), &["--max-rows", "1"]).exits(2);
    check(&env, &server.url(), &["--max-rows", "2", "--again"]).exits(2);
}

#[test]
fn a_run_counts_what_is_sent_after_what_earlier_runs_cancelled() {
    let server = losing_one();
    let env = after_a_run_of_most(&server);
    let few = ["--max-rows", "1", "-o", "more.csv"];
    let refused = env.cancel(&server.url(), &few).exits(2).stderr;
    assert!(refused.contains("2 rows to send, and --max-rows allows 1"), "{refused}");
    let url = server.url();
    let args = ["run", "orders.csv", "--url", &url, "--external-ip", "10.120.0.0"];
    let tonight = cut_off(240);
    let flags = ["--rate", "1/m", &tonight];
    let asked = env.run(&[&args[..], &flags].concat()).exits(2).stderr;
    assert!(asked.contains("About to cancel 2 orders of orders.csv"), "{asked}");
    let known = "4 were cancelled by earlier runs, 1 is in doubt from an earlier run; 2 to send";
    assert!(asked.contains(&format!("  earlier runs: {known}\n")), "{asked}");
    assert!(asked.contains("  pace: 1/m, 2 min 0 s\n"), "{asked}");

    let before = server.requests().len();
    let flags = ["--max-rows", "2", "-o", "more.csv", "--attempts", "1"];
    let outcome = env.cancel(&server.url(), &flags).exits(3);
    assert!(outcome.stderr.contains(known), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("2 of 6 rows to send to"), "{}", outcome.stderr);
    assert_eq!(server.requests().len(), before + 2, "as many as was said");
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn on_a_database_too_the_plan_leaves_out_what_earlier_runs_cancelled() {
    let (database, server, env) = (database(), losing_one(), TestEnv::new());
    let (ledger, url) = (database.url(), server.url());
    let run = |flags: &[&str]| {
        let mut command = env.cancelling(&url, flags);
        ProgramOutput::from(command.env("CARDCANCEL_LEDGER", &ledger).output().unwrap())
    };
    env.orders(5);
    run(&["--attempts", "1"]).exits(3);
    env.orders(6);
    let known = "4 were cancelled by earlier runs, 1 is in doubt from an earlier run; 2 to send";
    let check = ["check", "orders.csv", "--url", &url, "--max-rows", "2"];
    let checked = with_variables(&env, &check, &[("CARDCANCEL_LEDGER", &ledger)]).exits(0);
    assert!(checked.stdout.contains(known), "{}", checked.stdout);
    run(&["-o", "more.csv", "--max-rows", "1"]).exits(2);
    let outcome = run(&["-o", "more.csv", "--max-rows", "2", "--attempts", "1"]).exits(3);
    assert!(outcome.stderr.contains(known), "{}", outcome.stderr);
    assert_eq!(server.requests().len(), 7, "as many as was said");
}

#[test]
fn a_run_that_goes_on_counts_what_others_cancelled_since() {
    let refusing = ScriptedServer::new(|nth, _| match nth {
        0..=1 => Behavior::Respond(json(CANCELLED)),
        2 => Behavior::Respond(status("401 Unauthorized")),
        _ => Behavior::Respond(json(CANCELLED)),
    });
    let env = TestEnv::new();
    let url = refusing.url();
    env.orders(6).cancel(&url, &["--concurrency", "1"]).exits(4);
    // Another file with two of the four remaining orders.
    env.file("urgent.csv", "admin,seq\n1005,1\n1006,1\n");
    let args = ["run", "urgent.csv", "--yes", "--url", &url, "--external-ip", "10.120.0.0"];
    env.run(&args).exits(0);
    let checked = check(&env, &url, &[]).exits(0).stdout;
    assert!(
        checked.contains(", in which 2 rows ended; 2 were cancelled by earlier runs; 2 to send\n"),
        "{checked}"
    );
    let outcome = env.cancel(&url, &["--max-rows", "2"]).exits(0);
    assert!(
        outcome.stderr.contains("2 were cancelled by earlier runs; 2 to send"),
        "{}",
        outcome.stderr
    );
    assert_eq!(refusing.requests().len(), 7);
    let checked = check(&env, &url, &[]).exits(0).stdout;
    assert!(
        checked.contains(" of this file has ended: the same command sends nothing\n"),
        "{checked}"
    );
    assert!(checked.contains("            0 to send\n"), "{checked}");
}

#[test]
fn a_check_works_without_a_ledger_and_makes_none() {
    let env = TestEnv::new();
    env.orders(2).file("letter.txt", "Dear Sir or Madam, this is no database at all.\n");
    let reported = check(&env, "http://127.0.0.1:9", &[]).exits(0).stdout;
    assert!(reported.contains("Not compared with a ledger: there is no ledger at "), "{reported}");
    assert!(!env.ledger().exists());
    let reported = env.run(&["check", "orders.csv"]).exits(0).stdout;
    assert!(
        reported.contains("Not compared with a ledger: cancelled orders are recorded"),
        "{reported}"
    );
    let reported = check(&env, "http://127.0.0.1:9", &["--ledger", "letter.txt"]).exits(0).stdout;
    assert!(
        reported.contains("WARNING: not compared with the ledger: letter.txt is not a"),
        "{reported}"
    );
    assert!(reported.contains("            2 to send\n"), "{reported}");
}
