//! `results`: from the ledger alone, of one run or of all that is open.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::{Behavior, ScriptedServer, TestEnv, json, rows};

const REJECTED: &str = r#"{"Status": false, "ErrorCode": "0042", "ErrorMessage": "=printed"}"#;
const CANCELLED: &str = r#"{"Status": true, "ErrorCode": "ERR01160", "ErrorMessage": "done"}"#;

/// A server that answers each order so: by the last digit of its admin number.
fn server(answer: impl Fn(i64) -> Behavior + Send + Sync + 'static) -> ScriptedServer {
    ScriptedServer::new(move |_, request| {
        let number = &request.json()["AdminNumber"];
        let number = number.as_i64().or_else(|| number.as_str()?.parse().ok()).unwrap();
        answer(number)
    })
}

/// 1001 is cancelled, 1002 rejected, the answer for 1003 is lost, the others are refused.
fn mixed() -> ScriptedServer {
    server(|number| match number {
        1001 => Behavior::Respond(json(CANCELLED)),
        1002 => Behavior::Respond(json(REJECTED)),
        1003 => Behavior::Close,
        _ => Behavior::Respond(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec()),
    })
}

fn newest_run(env: &TestEnv) -> String {
    let runs = env.run(&["runs", "--json"]).exits(0).stdout;
    let run: serde_json::Value = serde_json::from_str(runs.lines().next().unwrap()).unwrap();
    run["run"].as_str().unwrap().to_owned()
}

/// The keys, run, status and code of each line.
fn open(env: &TestEnv, file: &str) -> Vec<String> {
    let of = |row: &crate::common::ResultRow| {
        format!("{} {} {} {}", row.get("admin_number"), row.get("input"), row.status(), row.code())
    };
    rows(&env.read(file)).iter().map(of).collect()
}

#[test]
fn the_results_of_a_run_are_written_again_though_its_input_is_gone() {
    let env = TestEnv::with_orders(4);
    env.cancel(&mixed().url(), &["--attempts", "1"]).exits(3);
    let before = env.results();
    std::fs::remove_file(env.path("orders.csv")).unwrap();
    std::fs::remove_file(env.path("orders.results.csv")).unwrap();
    let run = newest_run(&env);
    env.run(&["results", &run, "-o", "again.csv"]).exits(0);
    let again = rows(&env.read("again.csv"));
    let columns = [
        "row",
        "status",
        "error_code",
        "message",
        "http_status",
        "attempts",
        "doubt",
        "first_sent_at",
        "ended_at",
    ];
    for (before, again) in before.iter().zip(&again) {
        assert_eq!(columns.map(|name| again.get(name)), columns.map(|name| before.get(name)));
        assert_eq!(again.get("admin_number"), before.get("AdminNumber"));
    }
    assert_eq!(again.len(), 4);
    let printed = env.run(&["results", &run, "--only", "failed,0042"]).exits(0).stdout;
    assert_eq!(printed.lines().count(), 3, "{printed}");
    // What is there is never replaced.
    let refused = env.run(&["results", &run, "-o", "again.csv"]).exits(2).stderr;
    assert!(refused.contains("again.csv already exists"), "{refused}");
    let refused = env.run(&["results", &run, "--only", "0043"]).exits(2).stderr;
    assert!(refused.contains("no row has the status or error code \"0043\""), "{refused}");
    assert_eq!(env.run(&["results", &run, "--only", "TIMEOUT"]).exits(0).stdout.lines().count(), 1);
}

#[test]
fn every_order_that_is_open_over_all_runs_is_listed_once_and_can_be_run_again() {
    let env = TestEnv::with_orders(4);
    let first = mixed();
    let url = first.url();
    let flags = ["--attempts", "1"];
    env.cancel(&url, &flags).exits(3);
    // A later file has 1003, which is rejected, and 1005, which is refused.
    env.file("second.csv", "AdminNumber,CardSequenceNumber\n1003,1\n1005,1\n");
    let address = ["--url", &url];
    let wanted = ["results", "--open", "-o"];
    env.run(&[&wanted[..], &["first.csv"], &address].concat()).exits(0);
    assert_eq!(
        open(&env, "first.csv"),
        ["1003 orders.csv in_doubt CONNECTION_LOST", "1004 orders.csv failed HTTP_404"]
    );
    let run = |file: &str, command: &str, results: &str| {
        let sending =
            ["--url", &url, "--yes", "--rate", "unlimited", "--external-ip", "192.0.2.10"];
        let args = [&[command, file, "-o", results][..], &sending, &flags].concat();
        env.run(&args)
    };
    run("second.csv", "run", "second.results.csv").exits(3);
    let told = env.run(&[&wanted[..], &["both.csv"]].concat()).exits(0).stdout;
    // The newest run comes first: what it left may not be printed yet.
    assert_eq!(
        open(&env, "both.csv"),
        [
            "1003 second.csv in_doubt CONNECTION_LOST",
            "1005 second.csv failed HTTP_404",
            "1004 orders.csv failed HTTP_404",
        ]
    );
    assert!(told.contains("again with: cardcancel rerun both.csv\n"), "{told}");
    let rerun = run("both.csv", "rerun", "both.results.csv").exits(3);
    assert_eq!(open(&env, "both.results.csv").len(), 3, "{}", rerun.all_output());
    // The rerun is the last word of all three, and nothing is listed twice.
    env.run(&[&wanted[..], &["after.csv"]].concat()).exits(0);
    let after = rows(&env.read("after.csv"));
    let from = after.iter().map(|row| row.get("input")).collect::<Vec<_>>();
    assert_eq!(from, ["both.csv"; 3]);
}

#[test]
fn where_nothing_is_open_nothing_is_written() {
    let env = TestEnv::with_orders(2);
    let server = server(|_| Behavior::Respond(json(CANCELLED)));
    env.cancel(&server.url(), &[]).exits(0);
    let told = env.run(&["results", "--open", "-o", "open.csv"]).exits(0).stdout;
    assert_eq!(told, "No row is open: nothing was written\n");
    assert!(!env.path("open.csv").exists());
    let printed = env.run(&["results", "--open"]).exits(0).stdout;
    assert_eq!(printed.lines().count(), 1, "{printed}");
}

#[test]
fn rows_that_the_cut_off_left_are_told_apart() {
    let env = TestEnv::with_orders(3);
    let server = server(|_| Behavior::Respond(json(CANCELLED)));
    // The second call would come after it.
    let cut_off = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(30);
    let cut_off = cut_off.strftime("%Y-%m-%dT%H:%M:%S[UTC]").to_string();
    let url = server.url();
    let address = ["run", "orders.csv", "--url", &url, "--external-ip", "192.0.2.10", "--yes"];
    let flags = ["--cut-off", &cut_off, "--rate", "1/m", "--allow-partial"];
    env.run(&[&address[..], &flags].concat()).exits(4);
    let told = env.run(&["results", "--open", "-o", "open.csv"]).exits(0).stdout;
    assert!(told.contains("not sent before the cut-off"), "{told}");
    assert!(open(&env, "open.csv").iter().all(|row| row.ends_with("not_sent CUT_OFF")));
}

#[test]
fn the_address_must_be_named_if_the_ledger_has_several() {
    let env = TestEnv::with_orders(2);
    let servers = [mixed(), mixed()];
    for (server, results) in servers.iter().zip(["a.csv", "b.csv"]) {
        let _ = env.cancel(&server.url(), &["--attempts", "1", "-o", results]);
    }
    let refused = env.run(&["results", "--open"]).exits(2).stderr;
    assert!(refused.contains("runs at several addresses"), "{refused}");
    let printed = env.run(&["results", "--open", "--url", &servers[0].url()]).exits(0).stdout;
    assert_eq!(printed.lines().count(), 1, "{printed}");
}

#[test]
fn a_list_of_runs_shows_where_something_is_left_and_what_later_runs_have() {
    let env = TestEnv::with_orders(4);
    let server = mixed();
    let url = server.url();
    env.cancel(&url, &["--attempts", "1"]).exits(3);
    env.file("second.csv", "AdminNumber,CardSequenceNumber\n1001,1\n");
    let sending = ["--url", &url, "--yes", "--rate", "unlimited", "--external-ip", "192.0.2.10"];
    env.run(&[&["run", "second.csv"][..], &sending].concat()).exits(0);
    let cells = |args: &[&str]| -> Vec<String> {
        let listed = env.run(args).exits(0).stdout;
        let cells = |line: &str| {
            let from =
                ["ended", "settled", "STATE"].iter().find_map(|state| line.find(state)).unwrap();
            line[from..].split_whitespace().collect::<Vec<_>>().join(" ")
        };
        listed.lines().map(cells).collect()
    };
    let headings = "STATE ROWS OPEN EXIT FILE";
    let (first, second) = ("ended 4 2 3 orders.csv", "ended 1 0 0 second.csv");
    assert_eq!(cells(&["runs"]), [headings, second, first]);
    assert_eq!(cells(&["runs", "--limit", "1"]), [headings, second]);
    assert_eq!(cells(&["runs", "--open"]), [headings, first]);
    assert_eq!(cells(&["runs", "--since", "2020-01-01"]).len(), 3);
    let none = env.run(&["runs", "--since", "2990-01-01"]).exits(0);
    assert!(none.stdout.is_empty() && none.stderr.contains("no run is listed"), "{none:?}");

    env.run(&[&["rerun", "orders.results.csv", "--attempts", "1"][..], &sending].concat()).exits(3);
    let settled = "settled 4 0 3 orders.csv";
    let rerun = "ended 4 2 3 orders.results.csv";
    assert_eq!(cells(&["runs"]), [headings, rerun, second, settled]);
    let json = env.run(&["runs", "--json"]).exits(0).stdout;
    let open: Vec<serde_json::Value> =
        json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let open = open.iter().map(|run| (&run["open_rows"], &run["exit_code"], &run["version"]));
    let expected = [(2, 3), (0, 0), (0, 3)].map(|(rows, code)| [rows, code, 1].map(Into::into));
    let expected = expected.each_ref().map(|[rows, code, version]| (rows, code, version));
    assert_eq!(open.collect::<Vec<_>>(), expected);
}

#[test]
fn a_run_that_stopped_is_settled_once_a_rerun_has_ended_what_it_left() {
    let env = TestEnv::with_orders(4);
    let is_lost = Arc::new(AtomicBool::new(true));
    let loses = is_lost.clone();
    let server = server(move |_| match loses.load(Ordering::Relaxed) {
        true => Behavior::Close,
        false => Behavior::Respond(json(CANCELLED)),
    });
    let stops = ["--max-failures", "0", "--concurrency", "1", "--attempts", "1"];
    env.cancel(&server.url(), &stops).exits(4);
    is_lost.store(false, Ordering::Relaxed);
    let state = || {
        let runs = env.run(&["runs", "--limit", "2"]).exits(0).stdout;
        let last = runs.lines().last().unwrap().to_owned();
        last.split_whitespace().nth(4).unwrap().to_owned()
    };
    assert_eq!(state(), "stopped");
    env.rerun("orders.results.csv", &server.url(), &[]).exits(0);
    assert_eq!(state(), "settled");
    let open = env.run(&["runs", "--open"]).exits(0);
    assert!(open.stdout.is_empty() && open.stderr.starts_with("no run has open rows"), "{open:?}");
}

#[test]
fn the_next_step_runs_as_it_is_printed() {
    let env = TestEnv::with_orders(4);
    let settings = "yes = true\nrate = \"unlimited\"\nexternal_ip = \"10.0.0.1\"";
    let night = format!("{settings}\n[profile.night]\nattempts = 1\n");
    env.file("orders' settings.toml", night);
    let server = mixed();
    let url = server.url();
    let place = ["--config", "orders' settings.toml", "--profile", "night", "--url", &url];
    let place = [&place[..], &["--ledger", "the ledger.db"]].concat();
    let results = ["-o", "the results.csv"];
    let summary = env.run(&[&["run", "orders.csv"], &place[..], &results].concat()).exits(3).stdout;
    let step = "Next: send the open rows again with: cardcancel rerun ";
    let printed = summary.lines().find_map(|line| line.strip_prefix(step)).unwrap();
    let again = |printed: &str| {
        let words = shlex::split(printed).unwrap_or_else(|| panic!("{printed}"));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        assert_eq!(words[1..], place, "{printed}");
        env.run(&[&["rerun"], &words[..]].concat()).exits(3);
    };
    again(printed);
    let open = ["results", "--open", "-o", "still open.csv"];
    let listed = env.run(&[&open, &place[..]].concat()).exits(0).stdout;
    let printed = listed.lines().find_map(|line| line.strip_prefix(step));
    again(printed.unwrap());
    assert_eq!(server.requests().len(), 4 + 2 + 2);
}

/// `results --open` and `history` of a ledger in which an old run was started again after others had
/// its orders.
#[test]
fn a_doubt_of_an_old_run_that_is_started_again_is_not_hidden_by_later_runs() {
    let is_lost = Arc::new(AtomicBool::new(false));
    let loses = is_lost.clone();
    let server = server(move |number| match (number, loses.load(Ordering::SeqCst)) {
        (1001, false) => Behavior::Respond(json(CANCELLED)),
        (_, false) => {
            Behavior::Respond(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec())
        }
        (_, true) => Behavior::Close,
    });
    let env = TestEnv::with_orders(3);
    let (url, once) = (server.url(), ["--attempts", "1"]);
    // The first run stops at its first failure.
    env.cancel(&url, &["--attempts", "1", "--max-failures", "0", "--concurrency", "1"]).exits(4);
    let stopped = newest_run(&env);
    // Another one has all that it left, and none of it is done.
    env.rerun("orders.results.csv", &url, &once).exits(1);
    let later = newest_run(&env);
    is_lost.store(true, Ordering::SeqCst);
    env.cancel(&url, &["--attempts", "1"]).exits(3);
    env.run(&["results", "--open", "-o", "open.csv"]).exits(0);
    let listed = rows(&env.read("open.csv"));
    let of = |row: &crate::common::ResultRow| {
        let (number, run) = (row.get("admin_number").to_owned(), row.get("run").to_owned());
        (number, row.status().to_owned(), run)
    };
    let expected = |number: &str, status: &str, run: &str| {
        (number.to_owned(), status.to_owned(), run.to_owned())
    };
    // 1002 had failed in the first run, which does not send it again.
    assert_eq!(
        listed.iter().map(of).collect::<Vec<_>>(),
        [expected("1002", "failed", &later), expected("1003", "in_doubt", &stopped)]
    );
    let told = env.run(&["history", "1003", "1"]).exits(0).stdout;
    assert!(told.starts_with("Order 1003/1: in_doubt, an answer was lost\n"), "{told}");
    // Evidence about the results of the run that was started again is taken.
    env.file("standing.csv", "admin,seq\n1003,1\n");
    let lists = ["--standing", "standing.csv", "--yes", "--url", &url];
    env.run(&[&["resolve", "orders.results.csv"], &lists[..]].concat()).exits(1);
    let told = env.run(&["history", "1003", "1"]).exits(0).stdout;
    assert!(told.starts_with("Order 1003/1: failed\n"), "{told}");
}
