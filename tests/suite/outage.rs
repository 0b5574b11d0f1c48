//! Outages, with the real program: a server that is away at first, in the middle, or for good.
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::common::{
    Behavior, ScriptedServer, TestEnv, ended, json, kill, status, until, with_headers,
};

/// A port without a listener.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// The simulator, listening at this port.
fn simulator(env: &TestEnv, port: u16, flags: &[&str]) -> Child {
    let port = port.to_string();
    let args = [&["simulator", "--port", &port], flags].concat();
    let mut command: Command = env.command(&args);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains(&port), "{line}");
    child
}

fn lines(env: &TestEnv, name: &str) -> usize {
    std::fs::read_to_string(env.path(name)).unwrap_or_default().lines().count()
}

/// The program's warnings, read while it runs.
struct Log(std::sync::mpsc::Receiver<String>);

impl Log {
    fn of(child: &mut Child) -> Log {
        let (lines, log) = std::sync::mpsc::channel();
        let stderr = child.stderr.take().unwrap();
        std::thread::spawn(move || {
            BufReader::new(stderr)
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| lines.send(line))
        });
        Log(log)
    }

    #[track_caller]
    fn waits_for(&self, text: &str) {
        while !self.0.recv_timeout(Duration::from_secs(60)).unwrap().contains(text) {}
    }
}

#[test]
fn a_server_that_is_not_there_at_first_is_waited_for() {
    let env = TestEnv::with_orders(300);
    let port = free_port();
    let mut run = env.begin_to_cancel(&url(port), &["--attempts", "2"]);
    let log = Log::of(&mut run);
    log.waits_for("CoreCARD is unavailable");
    let server = simulator(&env, port, &[]);
    log.waits_for("CoreCARD is available again after");
    ended(run).exits(0);
    assert!(env.results().iter().all(|row| row.status() == "cancelled" && !row.doubt()));
    kill(server);
}

#[test]
fn a_server_that_is_killed_and_comes_back_costs_no_row() {
    let env = TestEnv::with_orders(2000);
    let port = free_port();
    let server = simulator(&env, port, &["--latency", "20ms", "--record", "first.csv"]);
    let mut run = env.begin_to_cancel(&url(port), &["--concurrency", "16", "--attempts", "2"]);
    let log = Log::of(&mut run);
    until("some were sent", || lines(&env, "first.csv") > 200);
    kill(server);
    log.waits_for("CoreCARD is unavailable");
    // The server lost its state, and cancels an order again whose answer was lost.
    let server = simulator(&env, port, &["--latency", "20ms", "--record", "second.csv"]);
    log.waits_for("CoreCARD is available again after");
    ended(run).exits(0);
    kill(server);
    let results = env.results();
    assert!(results.iter().all(|row| row.status() == "cancelled"));
    let attempts: u32 = results.iter().map(crate::common::ResultRow::attempts).sum();
    assert!(attempts <= 2200, "{attempts} calls for 2000 rows");
    let doubts = results.iter().filter(|row| row.doubt()).count();
    assert!(doubts <= 16, "{doubts} in doubt, and 16 were in flight");
}

#[test]
fn an_outage_that_lasts_too_long_stops_the_run_which_goes_on_later() {
    let env = TestEnv::with_orders(200);
    let port = free_port();
    let stopped = env.cancel(&url(port), &["--max-outage", "1s"]).exits(4);
    assert!(stopped.stdout.contains("--max-outage"), "{}", stopped.report());
    let results = env.results();
    assert!(results.iter().all(|row| row.status() == "not_sent" && !row.doubt()));
    for row in &results {
        let code = if row.attempts() == 0 { "OUTAGE" } else { "CONNECT" };
        assert_eq!(row.code(), code, "{row:?}");
    }
    assert!(results.iter().any(|row| row.attempts() == 0));
    // Run again during the outage: the attempts made so far do not count against the limit of two.
    env.cancel(&url(port), &["--max-outage", "1s", "--attempts", "2"]).exits(4);
    let server = simulator(&env, port, &[]);
    env.cancel(&url(port), &["--attempts", "2"]).exits(0);
    kill(server);
}

#[test]
fn lost_answers_leave_doubt_though_they_were_lost_in_an_outage() {
    let env = TestEnv::with_orders(30);
    let server = ScriptedServer::always(Behavior::Respond(status("502 Bad Gateway")));
    env.cancel(&server.url(), &["--max-outage", "1s", "--attempts", "1"]).exits(4);
    let asked = server.requests().len();
    let doubts = env.results().iter().filter(|row| row.doubt()).count();
    assert!((10..=30).contains(&doubts), "{doubts}");
    assert!(asked <= 40, "{asked}");
}

#[test]
fn rows_in_a_row_that_the_server_breaks_on_do_not_keep_the_others() {
    let env = TestEnv::with_orders(60);
    let server = ScriptedServer::new(|_, request| match request.json()["AdminNumber"].as_i64() {
        Some(1021..=1031) => Behavior::Respond(status("500 Internal Server Error")),
        _ => Behavior::Respond(json(r#"{"Status":true}"#)),
    });
    let (url, flags) = (server.url(), ["--rate", "20/s", "--attempts", "2"]);
    let to = ["run", "orders.csv", "--yes", "--external-ip", "10.0.0.1", "--url", &url];
    env.run(&[&to[..], &flags].concat()).exits(3);
    for (row, result) in (1..).zip(env.results()) {
        let status = if (21..=31).contains(&row) { "in_doubt" } else { "cancelled" };
        assert_eq!(result.status(), status, "{result:?}");
    }
}

#[test]
fn two_rows_that_alone_get_unavailable_are_no_outage() {
    for (line, reported, exit) in
        [("503 Service Unavailable", "in_doubt", 3), ("429 Too Many Requests", "failed", 1)]
    {
        let env = TestEnv::with_orders(30);
        let server =
            ScriptedServer::new(move |_, request| match request.json()["AdminNumber"].as_i64() {
                Some(1029 | 1030) => Behavior::Respond(status(line)),
                _ => Behavior::Respond(json(r#"{"Status":true}"#)),
            });
        env.cancel(&server.url(), &["--max-outage", "1s"]).exits(exit);
        for (row, result) in (1..).zip(env.results()) {
            let status = if row >= 29 { reported } else { "cancelled" };
            assert_eq!(result.status(), status, "{result:?}");
        }
        // A rerun of only these two behaves the same.
        let flags = ["--max-outage", "1s", "-o", "again.csv"];
        env.rerun("orders.results.csv", &server.url(), &flags).exits(exit);
    }
}

#[test]
fn scattered_rows_that_get_unavailable_are_no_outage() {
    let env = TestEnv::with_orders(100);
    let server = ScriptedServer::new(|_, request| match request.json()["AdminNumber"].as_i64() {
        Some(admin) if admin % 10 == 0 => Behavior::Respond(status("503 Service Unavailable")),
        _ => Behavior::Respond(json(r#"{"Status":true}"#)),
    });
    let (url, flags) = (server.url(), ["--rate", "50/s", "--max-outage", "1s"]);
    let to = ["run", "orders.csv", "--yes", "--external-ip", "10.0.0.1", "--url", &url];
    env.run(&[&to[..], &flags].concat()).exits(3);
    let cancelled = env.results().iter().filter(|row| row.status() == "cancelled").count();
    assert_eq!(cancelled, 90);
}

#[test]
fn a_pause_of_a_day_is_capped_at_the_longest_outage_and_that_is_reported() {
    let busy = with_headers("429 Too Many Requests", &["Retry-After: 86400"], "");
    for (answers, exit) in [(1, 0), (usize::MAX, 4)] {
        let busy = busy.clone();
        let server = ScriptedServer::new(move |nth, _| {
            if nth < answers {
                Behavior::Respond(busy.clone())
            } else {
                Behavior::Respond(json(r#"{"Status":true}"#))
            }
        });
        let env = TestEnv::with_orders(3);
        let flags = ["--quiet", "--max-outage", "1s", "--concurrency", "1"];
        let outcome = env.cancel(&server.url(), &flags).exits(exit);
        let warning = "CoreCARD asks for a pause of 1 d 0 h (Retry-After): nothing is sent for 1 s";
        assert_eq!(outcome.stderr.matches(warning).count(), 1, "{}", outcome.report());
        let asked = server.requests();
        assert!(asked[1].at - asked[0].at >= Duration::from_millis(990), "{asked:?}");
        if exit == 4 {
            assert!(outcome.stdout.contains("asked for a longer pause"), "{}", outcome.report());
            assert_eq!(asked.len(), 2);
        }
    }
}

#[test]
fn an_outage_is_reported_with_its_cause_and_the_proxy_if_there_is_one() {
    let proxy = url(free_port());
    for (proxy, cause) in [
        (&["--proxy", &proxy][..], format!("no connection through the proxy {proxy}: Connection")),
        (&[][..], "no connection: Connection refused".to_owned()),
    ] {
        let env = TestEnv::with_orders(2);
        let to = url(free_port()).replace("http:", "https:");
        let flags = [proxy, &["--quiet", "--max-outage", "500ms"][..]].concat();
        let outcome = env.cancel(&to, &flags).exits(4);
        let reported = format!("CoreCARD is unavailable (CONNECT, {cause}");
        assert!(outcome.stderr.contains(&reported), "{}", outcome.report());
        assert!(outcome.stdout.contains(&cause), "{}", outcome.report());
    }
}
