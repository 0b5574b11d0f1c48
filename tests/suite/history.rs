//! `history`: all that happened to one order, over all runs.
use crate::common::{
    Behavior, Request, ScriptedServer, TestEnv, TestSimulator, json, redact_varying, sending,
};
use insta::assert_snapshot;
use serde_json::Value;

/// Loses the first answer for each order, and rejects every later call.
fn forgetful() -> ScriptedServer {
    ScriptedServer::new(|count, _: &Request| match count {
        0 => Behavior::Close,
        _ => Behavior::Respond(json(r#"{"Status":false,"ErrorCode":"0012"}"#)),
    })
}

fn history(env: &TestEnv, order: [&str; 2], flags: &[&str]) -> String {
    env.run(&[&["history"], &order[..], flags].concat()).exits(0).stdout
}

#[test]
fn every_attempt_of_every_run_is_shown_with_its_answer_and_who_started_it() {
    let _tidy = redact_varying();
    let env = TestEnv::new();
    let server = forgetful();
    env.orders(1);
    env.cancel(&server.url(), &["--reason", "duplicate batch", "--ticket", "CHG-4711"]).exits(3);
    env.rerun("orders.results.csv", &server.url(), &[]).exits(3);
    let order = first_order(&env);
    let shown = history(&env, [&order[0], &order[1]], &[]);
    let shown = shown.replace(&order.join("/"), "[order]");
    let shown = without_times(&shown);
    assert_snapshot!(shown, @r#"
    Order [order]: rejected, an answer was lost

    Run [run], run of orders.csv, row 1: rejected, an answer was lost
      http://127.0.0.1:[port]
      by [user] on [host], for "duplicate batch", ticket CHG-4711
      attempt 1: claimed [time], sent [time], ended [time]
        doubt, CONNECTION_LOST: the connection broke after sending: connection closed before message completed
      attempt 2: claimed [time], sent [time], ended [time]
        rejected, HTTP 200, 0012

    Run [run], rerun of orders.results.csv, row 1: rejected, an answer was lost
      http://127.0.0.1:[port]
      by [user] on [host]
      attempt 1: claimed [time], sent [time], ended [time]
        rejected, HTTP 200, 0012
    "#);
}

#[test]
fn programs_get_the_same_as_one_object_with_the_admin_number_as_text() {
    let env = TestEnv::new();
    env.file("orders.csv", "admin,seq\n9223372036854775807,1\n");
    env.cancel(&TestSimulator::perfect().url(), &["--requested-by", "J. Doe"]).exits(0);
    let shown = history(&env, ["9223372036854775807", "1"], &["--json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["admin_number"], "9223372036854775807");
    let row = &shown["rows"][0];
    assert_eq!(row["status"], "cancelled");
    assert_eq!(row["starts"][0]["requested_by"], "J. Doe");
    assert_eq!(row["attempts"][0]["verdict"], "cancelled");
    assert_eq!(row["attempts"][0]["start"], row["starts"][0]["start"]);
}

#[test]
fn an_order_that_is_in_no_run_is_not_an_error() {
    let env = TestEnv::new();
    env.orders(1).cancel(&TestSimulator::perfect().url(), &[]).exits(0);
    let shown = history(&env, ["1", "999"], &[]);
    assert!(shown.starts_with("order 1/999 is in no run of the ledger "), "{shown}");
    let shown: Value = serde_json::from_str(&history(&env, ["1", "999"], &["--json"])).unwrap();
    assert_eq!(shown["rows"], Value::Array(vec![]));
}

#[test]
fn a_duplicate_is_part_of_the_history_of_its_order() {
    let env = TestEnv::new();
    env.file("orders.csv", "admin,seq\n1001,1\n1001,1\n");
    env.cancel(&TestSimulator::perfect().url(), &[]).exits(0);
    let shown = history(&env, ["1001", "1"], &[]);
    assert!(shown.contains("row 1: cancelled"), "{shown}");
    assert!(shown.contains("row 2: duplicate\n"), "{shown}");
    assert!(shown.lines().next().unwrap().ends_with(": cancelled"), "{shown}");
    assert!(shown.contains("no call, DUPLICATE: the same order as row 1"), "{shown}");
}

/// Cancels 1001, and fails for every other order.
fn cancels_1001() -> ScriptedServer {
    ScriptedServer::new(|_, request: &Request| match request.json()["AdminNumber"].to_string() {
        order if order.contains("1001") => Behavior::Respond(json(
            r#"{"Status":true,"ErrorCode":"ERR01160","ErrorMessage":"done"}"#,
        )),
        _ => Behavior::Respond(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec()),
    })
}

#[test]
fn an_order_that_was_cancelled_stays_so_whatever_a_run_that_stopped_had_left_of_it() {
    let env = TestEnv::with_orders(1);
    let server = cancels_1001();
    env.cancel(&server.url(), &[]).exits(0);
    env.file("more.csv", "admin,seq\n1,1\n2,1\n3,1\n1001,1\n");
    let stops = ["--max-failures", "1", "--concurrency", "1", "--attempts", "1"];
    env.run(&[&["run", "more.csv"], &sending(&server.url())[..], &stops].concat()).exits(4);
    let shown = history(&env, ["1001", "1"], &[]);
    assert!(shown.starts_with("Order 1001/1: cancelled\n"), "{shown}");
    assert!(shown.contains("row 4: not_sent, not ended\n"), "{shown}");
    let shown = history(&env, ["1", "1"], &[]);
    assert!(shown.starts_with("Order 1/1: failed\n"), "{shown}");
    let standing = |order: &str| {
        let shown: Value = serde_json::from_str(&history(&env, [order, "1"], &["--json"])).unwrap();
        let standing = &shown["standing"][0];
        format!("{} {} {}", standing["status"], standing["has_ended"], standing["row"])
    };
    assert_eq!(standing("1001"), "\"cancelled\" true 1");
    assert_eq!(standing("1"), "\"failed\" true 1");
}

#[test]
fn an_order_at_two_addresses_stands_at_each_by_itself() {
    let env = TestEnv::with_orders(1);
    let (live, test) = (forgetful(), TestSimulator::perfect());
    env.cancel(&live.url(), &["--attempts", "1"]).exits(3);
    env.cancel(&test.url(), &["-o", "test.csv"]).exits(0);
    let shown = history(&env, ["1001", "1"], &[]);
    let heads: Vec<&str> = shown.lines().filter(|line| line.starts_with("Order")).collect();
    let stands = |how: &str, url: &str| format!("Order 1001/1: {how}, at {url}");
    let mut expected =
        [stands("in_doubt, an answer was lost", &live.url()), stands("cancelled", &test.url())];
    expected.sort_unstable_by_key(|line| line.rsplit_once(' ').unwrap().1.to_owned());
    assert_eq!(heads, expected);
}

fn first_order(env: &TestEnv) -> [String; 2] {
    let text = env.text("orders.csv");
    let mut fields = text.lines().nth(1).unwrap().split(',').map(str::to_owned);
    [fields.next().unwrap(), fields.next().unwrap()]
}

/// Times to the microsecond, as `history` shows them.
fn without_times(text: &str) -> String {
    let mut rest = text;
    let mut clean = String::new();
    while let Some(end) = rest.find("Z") {
        let (before, after) = rest.split_at(end + 1);
        let is_time = before.len() >= 27 && before.as_bytes()[before.len() - 8] == b'.';
        if is_time {
            clean.push_str(&before[..before.len() - 27]);
            clean.push_str("[time]");
        } else {
            clean.push_str(before);
        }
        rest = after;
    }
    clean + rest
}
