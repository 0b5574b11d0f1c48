//! What each kind of attempt means: a server does exactly one thing, and the row's result is
//! checked.
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::common::{
    Authority, Behavior, CANCELLED, CertKeyPair, DenyingServer, ResultRow, ScriptedServer, TestEnv,
    json, silent, status, with_headers,
};
use jiff::Timestamp;

const YES: &str = r#"{"Message":"Order Canceled Successfully","Status":true,"ErrorCode":"ERR01160","ResponseData":null}"#;
const NO: &str =
    r#"{"Message":"Printed","Status":false,"ErrorCode":"ERR01161","ResponseData":null}"#;
const CODES: &str = r#"
[codes]
ERR_DONE = "already_cancelled"
ERR_BUSY = "retry"
ERR_WRONG = "stop"
"#;

/// One order with at most two attempts: the row's result, the number of requests at the server,
/// and the program's exit code.
#[derive(Debug, PartialEq, Eq)]
struct Meaning {
    /// status, error_code, http_status and doubt
    row: String,
    attempts: u32,
    requests: usize,
    exit: Option<i32>,
}

fn meaning(server: &ScriptedServer, url: &str, flags: &[&str]) -> Meaning {
    let env = TestEnv::new();
    env.orders(1).file("cardcancel.toml", CODES);
    let flags = [&["--attempts", "2"], flags].concat();
    let outcome = env.cancel(url, &flags);
    let row = &env.results()[0];
    Meaning {
        row: in_short(row),
        attempts: row.attempts(),
        requests: server.requests().len(),
        exit: outcome.code,
    }
}

fn in_short(row: &ResultRow) -> String {
    let doubt = if row.doubt() { " doubt" } else { "" };
    format!("{} {} {}{doubt}", row.status(), row.code(), row.get("http_status"))
}

/// All cases run in parallel, because most of each is waiting. The numbers are the expected
/// requests and the expected exit code.
fn each_means(cases: Vec<(&str, Vec<Behavior>, &str, usize, i32)>) {
    std::thread::scope(|scope| {
        let run = |(what, does, row, requests, exit): (&str, Vec<Behavior>, &str, usize, i32)| {
            let server = ScriptedServer::sequence(does);
            let found = meaning(&server, &server.url(), &["--timeout", "1s"]);
            let attempts = requests as u32;
            let expected = Meaning { row: row.to_owned(), attempts, requests, exit: Some(exit) };
            (what.to_owned(), found, expected)
        };
        let runs: Vec<_> = cases.into_iter().map(|case| scope.spawn(move || run(case))).collect();
        for run in runs {
            let (what, found, expected) = run.join().unwrap();
            assert_eq!(found, expected, "{what}");
        }
    });
}

fn say(bytes: Vec<u8>) -> Vec<Behavior> {
    vec![Behavior::Respond(bytes)]
}

fn rejection(code: &str) -> Vec<Behavior> {
    say(json(&format!(r#"{{"Message":"No","Status":false,"ErrorCode":"{code}"}}"#)))
}

#[test]
fn only_status_distinguishes_success_from_rejection() {
    each_means(vec![
        ("true", say(json(YES)), "cancelled ERR01160 200", 1, 0),
        ("true, no code", say(json(r#"{"Status":true}"#)), "cancelled  200", 1, 0),
        ("true in words", say(json(r#"{"Status":"true"}"#)), "cancelled  200", 1, 0),
        ("one", say(json(r#"{"Status":1}"#)), "cancelled  200", 1, 0),
        ("false", say(json(NO)), "rejected ERR01161 200", 1, 1),
        ("false, no code", say(json(r#"{"Status":false}"#)), "rejected  200", 1, 1),
        ("zero", say(json(r#"{"Status":0,"ErrorCode":"E"}"#)), "rejected E 200", 1, 1),
    ]);
}

#[test]
fn what_a_code_means_is_the_operators_to_say() {
    each_means(vec![
        ("already cancelled", rejection("ERR_DONE"), "already_cancelled ERR_DONE 200", 1, 0),
        ("worth a retry", rejection("ERR_BUSY"), "failed ERR_BUSY 200", 2, 1),
        ("a reason to stop", rejection("ERR_WRONG"), "not_sent ERR_WRONG 200", 1, 4),
        ("nobody said", rejection("ERR_DONE2"), "rejected ERR_DONE2 200", 1, 1),
    ]);
}

#[test]
fn an_answer_that_cannot_be_trusted_leaves_doubt() {
    let unclear = r#"{"Message":"Hm","ErrorCode":"ERR01160"}"#;
    let html =
        with_headers("200 OK", &["Content-Type: text/html"], "<html><h1>Sign in</h1></html>");
    let mut truncated = json(YES);
    truncated.truncate(truncated.len() - 20);
    let long = json(&format!(r#"{{"Status":true,"Message":"{}"}}"#, "x".repeat(65 * 1024)));
    each_means(vec![
        ("no Status", say(json(unclear)), "in_doubt ERR01160 200 doubt", 2, 3),
        ("null", say(json(r#"{"Status":null}"#)), "in_doubt BAD_ANSWER 200 doubt", 2, 3),
        ("a word", say(json(r#"{"Status":"maybe"}"#)), "in_doubt BAD_ANSWER 200 doubt", 2, 3),
        ("two", say(json(r#"{"Status":2}"#)), "in_doubt BAD_ANSWER 200 doubt", 2, 3),
        ("a list", say(json("[true]")), "in_doubt BAD_ANSWER 200 doubt", 2, 3),
        ("nothing", say(status("200 OK")), "in_doubt BAD_ANSWER 200 doubt", 2, 3),
        ("HTML", say(html), "in_doubt BAD_ANSWER 200 doubt", 2, 3),
        ("truncated", say(truncated), "in_doubt BAD_ANSWER 200 doubt", 2, 3),
        ("over 64 KiB", say(long), "in_doubt BAD_ANSWER 200 doubt", 2, 3),
    ]);
}

#[test]
fn a_request_that_was_refused_is_not_repeated() {
    let refused = |line: &str| say(status(line));
    each_means(vec![
        ("400", refused("400 Bad Request"), "failed HTTP_400 400", 1, 1),
        ("404", refused("404 Not Found"), "failed HTTP_404 404", 1, 1),
        ("405", refused("405 Method Not Allowed"), "failed HTTP_405 405", 1, 1),
        ("413", refused("413 Content Too Large"), "failed HTTP_413 413", 1, 1),
        ("415", refused("415 Unsupported Media Type"), "failed HTTP_415 415", 1, 1),
        ("422", refused("422 Unprocessable Content"), "failed HTTP_422 422", 1, 1),
        (
            "with a code of its own",
            say(with_headers("400 Bad Request", &[], r#"{"ErrorCode":"ERR9"}"#)),
            "failed ERR9 400",
            1,
            1,
        ),
    ]);
}

#[test]
fn what_was_surely_not_done_is_tried_again() {
    each_means(vec![
        ("429", say(status("429 Too Many Requests")), "failed HTTP_429 429", 2, 1),
        (
            "429, then done",
            vec![Behavior::Respond(status("429 Too Many Requests")), Behavior::Respond(json(YES))],
            "cancelled ERR01160 200",
            2,
            0,
        ),
    ]);
}

#[test]
fn what_a_gateway_says_that_may_have_passed_the_request_on_leaves_doubt() {
    let busy = || Behavior::Respond(status("503 Service Unavailable"));
    each_means(vec![
        ("408", say(status("408 Request Timeout")), "in_doubt HTTP_408 408 doubt", 2, 3),
        ("503", vec![busy()], "in_doubt HTTP_503 503 doubt", 2, 3),
        ("409", say(status("409 Conflict")), "in_doubt HTTP_409 409 doubt", 2, 3),
        (
            "503, then done",
            vec![busy(), Behavior::Respond(json(YES))],
            "cancelled ERR01160 200 doubt",
            2,
            0,
        ),
        (
            "503, then no",
            vec![busy(), Behavior::Respond(json(NO))],
            "rejected ERR01161 200 doubt",
            2,
            3,
        ),
    ]);
}

#[test]
fn who_knows_the_gateway_says_which_statuses_come_before_anything_is_done() {
    let server = ScriptedServer::always(Behavior::Respond(status("503 Service Unavailable")));
    for (statuses, row, exit) in
        [("429,503", "failed HTTP_503 503", 1), ("none", "in_doubt HTTP_503 503 doubt", 3)]
    {
        let found = meaning(&server, &server.url(), &["--not-processed-statuses", statuses]);
        assert_eq!((found.row.as_str(), found.exit), (row, Some(exit)), "{statuses}");
    }
}

#[test]
fn corecards_own_no_with_an_http_status_of_a_refusal_means_what_its_code_means() {
    let own = |line: &str, code: &str| {
        let body = format!(r#"{{"Status":false,"ErrorCode":"{code}","Message":"No"}}"#);
        say(with_headers(line, &[], &body))
    };
    each_means(vec![
        ("unknown", own("404 Not Found", "ERR9"), "rejected ERR9 404", 1, 1),
        ("done", own("409 Conflict", "ERR_DONE"), "already_cancelled ERR_DONE 409", 1, 0),
        ("busy", own("422 Unprocessable Content", "ERR_BUSY"), "failed ERR_BUSY 422", 2, 1),
        ("wrong", own("400 Bad Request", "ERR_WRONG"), "not_sent ERR_WRONG 400", 1, 4),
        ("refused", own("403 Forbidden", "ERR9"), "not_sent ERR9 403", 1, 4),
    ]);
}

#[test]
fn many_such_answers_in_a_row_do_not_stop_the_run() {
    let own = with_headers("404 Not Found", &[], r#"{"Status":false,"ErrorCode":"ERR9"}"#);
    let server = ScriptedServer::always(Behavior::Respond(own));
    let env = TestEnv::with_orders(30);
    env.cancel(&server.url(), &[]).exits(1);
    assert!(env.results().iter().all(|row| in_short(row) == "rejected ERR9 404"));
}

#[test]
fn an_answer_with_a_byte_order_mark_is_read_and_one_that_contradicts_itself_is_not_believed() {
    let contradiction = r#"{"Status":true,"status":false,"ErrorCode":"ERR01160"}"#;
    each_means(vec![
        ("mark", say(json(&format!("\u{feff}{YES}"))), "cancelled ERR01160 200", 1, 0),
        ("contradiction", say(json(contradiction)), "in_doubt BAD_ANSWER 200 doubt", 2, 3),
    ]);
}

#[test]
fn a_server_error_or_a_lost_answer_leaves_doubt() {
    each_means(vec![
        ("500", say(status("500 Internal Server Error")), "in_doubt HTTP_500 500 doubt", 2, 3),
        ("502", say(status("502 Bad Gateway")), "in_doubt HTTP_502 502 doubt", 2, 3),
        ("504", say(status("504 Gateway Timeout")), "in_doubt HTTP_504 504 doubt", 2, 3),
        ("closed", vec![Behavior::Close], "in_doubt CONNECTION_LOST  doubt", 2, 3),
        ("reset", vec![Behavior::Reset], "in_doubt CONNECTION_LOST  doubt", 2, 3),
        ("hangs", vec![Behavior::Hang], "in_doubt TIMEOUT  doubt", 2, 3),
    ]);
}

#[test]
fn doubt_stays_whatever_comes_later() {
    let then = |later: Vec<u8>| vec![Behavior::Close, Behavior::Respond(later)];
    let stop = json(r#"{"Status":false,"ErrorCode":"ERR_WRONG"}"#);
    each_means(vec![
        ("done", then(json(YES)), "cancelled ERR01160 200 doubt", 2, 0),
        ("rejected", then(json(NO)), "rejected ERR01161 200 doubt", 2, 3),
        ("not done", then(status("429 Busy")), "in_doubt CONNECTION_LOST  doubt", 2, 3),
        ("refused", then(status("400 Bad Request")), "in_doubt CONNECTION_LOST  doubt", 2, 3),
        ("stopped", then(stop), "in_doubt CONNECTION_LOST  doubt", 2, 4),
    ]);
}

#[test]
fn redirects_and_refused_credentials_stop_the_run() {
    let here = ScriptedServer::always(Behavior::Respond(json(YES)));
    let location = format!("Location: {}/", here.url());
    let redirect = |line: &str| say(with_headers(line, &[&location], ""));
    each_means(vec![
        ("301", redirect("301 Moved Permanently"), "in_doubt HTTP_301 301 doubt", 1, 4),
        ("303", redirect("303 See Other"), "in_doubt HTTP_303 303 doubt", 1, 4),
        ("307", redirect("307 Temporary Redirect"), "not_sent HTTP_307 307", 1, 4),
        ("308", redirect("308 Permanent Redirect"), "not_sent HTTP_308 308", 1, 4),
        ("401", say(status("401 Unauthorized")), "not_sent HTTP_401 401", 1, 4),
        ("403", say(status("403 Forbidden")), "in_doubt HTTP_403 403 doubt", 1, 4),
        ("407", say(status("407 Proxy Authentication Required")), "not_sent HTTP_407 407", 1, 4),
    ]);
    assert_eq!(here.requests().len(), 0, "a redirect was followed");
}

#[test]
fn the_rows_behind_one_that_stops_the_run_say_why_they_were_not_sent() {
    for (line, code) in [("401 Unauthorized", "CREDENTIALS"), ("302 Found", "REDIRECTED")] {
        let server = ScriptedServer::always(Behavior::Respond(status(line)));
        let env = TestEnv::with_orders(5);
        env.cancel(&server.url(), &["--concurrency", "1"]).exits(4);
        let rest = &env.results()[1..];
        let reported: Vec<_> = rest.iter().map(|row| (row.status(), row.code())).collect();
        assert_eq!(reported, vec![("not_sent", code); 4]);
        assert_eq!(server.requests().len(), 1, "{line}");
    }
}

#[test]
fn a_lost_answer_can_be_left_as_it_is() {
    let server = ScriptedServer::always(Behavior::Close);
    let found = meaning(&server, &server.url(), &["--on-doubt", "leave"]);
    let row = "in_doubt CONNECTION_LOST  doubt".to_owned();
    assert_eq!(found, Meaning { row, attempts: 1, requests: 1, exit: Some(3) });
}

#[test]
fn what_never_left_the_machine_is_surely_not_done() {
    let nobody = {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        format!("http://{port}")
    };
    let nowhere = "https://nowhere.invalid".to_owned();
    let plain = ScriptedServer::always(Behavior::Hang);
    let failed = |code: &str| format!("failed {code} ");
    for (url, code) in
        [(nobody, "CONNECT"), (nowhere, "DNS"), (plain.https_url(), "TLS"), (silent(), "CONNECT")]
    {
        let found = meaning(&plain, &url, &["--timeout", "1s"]);
        let expected = Meaning { row: failed(code), attempts: 2, requests: 0, exit: Some(1) };
        assert_eq!(found, expected, "{url}");
    }
}

/// The results of three rows at a server with this certificate that answers with success, and the
/// number of requests it received. Its authority is trusted if this file is given.
fn with_certificate(
    certificate: &CertKeyPair,
    clients: Option<&Authority>,
    flags: &[&str],
    env: &TestEnv,
) -> (Vec<String>, usize) {
    let server =
        ScriptedServer::over_tls(certificate.server(clients), |_, _| Behavior::Respond(json(YES)));
    env.orders(3);
    env.cancel(&server.https_url(), &[&["--concurrency", "1"], flags].concat());
    (env.results().iter().map(in_short).collect(), server.requests().len())
}

fn stopped_for_a_certificate() -> (Vec<String>, usize) {
    (vec!["not_sent CERTIFICATE ".to_owned(); 3], 0)
}

#[test]
fn a_server_with_a_good_certificate_is_called() {
    let (authority, env) = (Authority::new(), TestEnv::new());
    env.file("ca.pem", authority.pem());
    let done = with_certificate(&authority.issue(), None, &["--ca-file", "ca.pem"], &env);
    assert_eq!(done, (vec!["cancelled ERR01160 200".to_owned(); 3], 3));
}

#[test]
fn a_certificate_that_is_not_valid_stops_the_run() {
    let authority = Authority::new();
    let trusting: &[&str] = &["--ca-file", "ca.pem"];
    for (what, certificate, flags) in [
        ("nobody vouches for it", authority.issue(), &[][..]),
        ("it has expired", authority.issue_expired(), trusting),
        ("it is that of another", authority.issue_for_another_host(), trusting),
    ] {
        let env = TestEnv::new();
        env.file("ca.pem", authority.pem());
        let found = with_certificate(&certificate, None, flags, &env);
        assert_eq!(found, stopped_for_a_certificate(), "{what}");
    }
}

#[test]
fn a_server_that_asks_for_our_certificate_takes_the_right_one_alone() {
    let (authority, other) = (Authority::new(), Authority::new());
    let ours = ["--client-cert-file", "me.pem", "--client-key-file", "me.key"];
    let flags = [&["--ca-file", "ca.pem"], &ours[..]].concat();
    let done = (vec!["cancelled ERR01160 200".to_owned(); 3], 3);
    for (what, certificate, flags, expected) in [
        ("the right one", authority.issue(), &flags[..], done),
        ("none", authority.issue(), &flags[..2], stopped_for_a_certificate()),
        ("a wrong one", other.issue(), &flags[..], stopped_for_a_certificate()),
        ("an expired one", authority.issue_expired(), &flags[..], stopped_for_a_certificate()),
    ] {
        let env = TestEnv::new();
        env.file("ca.pem", authority.pem());
        certificate.write(env.folder(), "me");
        let found = with_certificate(&authority.issue(), Some(&authority), flags, &env);
        assert_eq!(found, expected, "{what}");
    }
}

#[test]
fn an_alert_on_a_connection_that_has_answered_before_is_a_lost_answer() {
    let (authority, env) = (Authority::new(), TestEnv::new());
    env.orders(2).file("ca.pem", authority.pem());
    let answer: &str = CANCELLED;
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{answer}", answer.len());
    let server = DenyingServer::after(answer.leak(), &authority.issue().server(None));
    let flags = ["--ca-file", "ca.pem", "--concurrency", "1", "--on-doubt", "leave"];
    env.cancel(&server.url(), &flags).exits(3);
    assert_eq!(server.denied(), 1, "the second call used the connection of the first");
    let reported: Vec<_> = env.results().iter().map(in_short).collect();
    assert_eq!(reported, ["cancelled ERR01160 200", "in_doubt CONNECTION_LOST  doubt"]);
}

#[test]
fn an_alert_on_a_connection_that_was_opened_ahead_of_its_first_call_is_no_lost_answer() {
    let (authority, env) = (Authority::new(), TestEnv::new());
    env.orders(1).file("ca.pem", authority.pem());
    let server = DenyingServer::at_once(&authority.issue().server(None));
    // From this rate on, connections are opened ahead of the calls.
    let url = server.url();
    let paced = ["--url", &url, "--external-ip", "10.120.0.0", "--rate", "20/s"];
    let flags = ["run", "orders.csv", "--yes", "--ca-file", "ca.pem"];
    env.run(&[&flags[..], &paced].concat()).exits(4);
    assert_eq!(server.denied(), 1);
    let reported: Vec<_> = env.results().iter().map(in_short).collect();
    assert_eq!(reported, ["not_sent CERTIFICATE "]);
}

#[test]
fn many_refusals_in_a_row_stop_the_run() {
    let server = ScriptedServer::always(Behavior::Respond(status("404 Not Found")));
    let env = TestEnv::with_orders(12);
    env.cancel(&server.url(), &["--concurrency", "1"]).exits(4);
    let reported: Vec<_> = env.results().iter().map(in_short).collect();
    assert_eq!(reported[..10], vec!["failed HTTP_404 404"; 10]);
    assert_eq!(reported[10..], vec!["not_sent REFUSALS "; 2]);
}

/// Two rows; the answer to the first one carries a Retry-After.
fn with_retry_after(
    line: &'static str,
    retry_after: impl Fn() -> String + Send + Sync + 'static,
) -> Vec<Duration> {
    let server = ScriptedServer::new(move |nth, _| match nth {
        0 => {
            Behavior::Respond(with_headers(line, &[&format!("Retry-After: {}", retry_after())], ""))
        }
        _ => Behavior::Respond(json(YES)),
    });
    let env = TestEnv::with_orders(2);
    env.cancel(&server.url(), &["--concurrency", "1"]).exits(0);
    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    requests[1..].iter().map(|request| request.at - requests[0].at).collect()
}

#[test]
fn everyone_waits_as_many_seconds_as_the_server_asks_for() {
    for line in ["429 Too Many Requests", "503 Service Unavailable", "408 Request Timeout"] {
        let waits = with_retry_after(line, || "2".to_owned());
        assert!(waits.iter().all(|wait| *wait >= Duration::from_millis(1990)), "{line}: {waits:?}");
    }
}

#[test]
fn everyone_waits_until_the_date_that_the_server_names() {
    let waits = with_retry_after("429 Too Many Requests", || {
        let later = Timestamp::now() + Duration::from_secs(3);
        later.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
    });
    // The date is truncated to a second.
    assert!(waits.iter().all(|wait| *wait >= Duration::from_millis(1990)), "{waits:?}");
}

/// An address that accepts connections and forwards them to this port, starting this long after
/// the first of them.
fn stalling(port: u16, stall: Duration) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let here = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut first = None;
        for client in listener.incoming() {
            let over = *first.get_or_insert_with(Instant::now) + stall;
            std::thread::spawn(move || {
                std::thread::sleep(over.saturating_duration_since(Instant::now()));
                let (client, server) =
                    (client.unwrap(), TcpStream::connect(("127.0.0.1", port)).unwrap());
                let (mut to_server, mut from_server) = (&server, &server);
                let (mut to_client, mut from_client) = (&client, &client);
                std::thread::scope(|scope| {
                    scope.spawn(move || {
                        let _ = std::io::copy(&mut from_client, &mut to_server);
                        let _ = to_server.shutdown(Shutdown::Write);
                    });
                    let _ = std::io::copy(&mut from_server, &mut to_client);
                    let _ = to_client.shutdown(Shutdown::Write);
                });
            });
        }
    });
    format!("https://{here}")
}

#[test]
fn calls_whose_connections_stall_do_not_leave_together_when_the_stall_is_over() {
    let (authority, env) = (Authority::new(), TestEnv::new());
    env.orders(60).file("ca.pem", authority.pem());
    let server = ScriptedServer::over_tls(authority.issue().server(None), |_, _| {
        Behavior::Respond(json(YES))
    });
    let port = server.https_url().rsplit(':').next().unwrap().parse().unwrap();
    let stall = Duration::from_millis(2500);
    let (url, began) = (stalling(port, stall), Timestamp::now());
    let to = ["run", "orders.csv", "--yes", "--external-ip", "10.0.0.1", "--url", &url];
    env.run(&[&to[..], &["--rate", "20/s", "--ca-file", "ca.pem"]].concat()).exits(0);
    let mut calls: Vec<_> = server.requests().iter().map(|request| request.at).collect();
    calls.sort_unstable();
    assert_eq!(calls.len(), 60);
    for second in calls.windows(21) {
        assert!(
            second[20] - second[0] > Duration::from_millis(900),
            "{:?}",
            second[20] - second[0]
        );
    }
    for row in env.results() {
        let first: Timestamp = row.get("first_sent_at").parse().unwrap();
        assert!(first >= began + stall, "nothing had left by {first}");
    }
}
