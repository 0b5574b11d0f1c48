//! The request on the wire, as CoreCARD receives it.
use crate::common::{Behavior, CANCELLED, Request, ScriptedServer, TestEnv, json, with_headers};
use insta::assert_snapshot;

fn yes() -> ScriptedServer {
    ScriptedServer::always(Behavior::Respond(json(CANCELLED)))
}

/// The requests for the API document's order, with these flags and this configuration.
fn sent(flags: &[&str], configuration: &str, variables: &[(&str, &str)]) -> Vec<Request> {
    let server = yes();
    let env = TestEnv::new();
    env.file("orders.csv", "AdminNumber,CardSequenceNumber\n129409,1\n")
        .file("cardcancel.toml", configuration);
    env.cancel_with(&server.url(), flags, variables).exits(0);
    server.requests()
}

fn one(requests: Vec<Request>) -> Request {
    assert_eq!(requests.len(), 1);
    requests.into_iter().next().unwrap()
}

#[test]
fn the_body_is_that_of_the_documents_sample() {
    let request = one(sent(&["--source", "Web", "--ip-address", "10.120.0.1"], "", &[]));
    // The document's sample body, without its blanks.
    let sample = r#"{
      "Source": "Web",
      "IPAddress": "10.120.0.1",
      "DateFormat": null,
      "CurrencyCode": null,
      "CurrencySymbolType": null,
      "Language": null,
      "ExternalIP": "10.120.0.0",
      "SessionID": null,
      "APIVersion": "2.0",
      "CallerID": null,
      "CalledID": null,
      "RequestTime": null,
      "AdminNumber": 129409,
      "CardSequenceNumber": 1
    }"#;
    let sample: String = sample.split_whitespace().collect();
    assert_eq!(request.body, sample);
}

#[test]
fn the_request_is_a_plain_post_of_json() {
    let request = one(sent(&[], "", &[]));
    let path = "/api/CoreCredit/CardManagement/CancelPhysicalCardOrder";
    assert_eq!(request.head.lines().next(), Some(&*format!("POST {path} HTTP/1.1")));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("accept"), Some("application/json"));
    assert_eq!(request.header("authorization"), None);
    assert_eq!(request.header("cookie"), None);
}

#[test]
fn a_base_address_may_have_a_path() {
    let server = yes();
    let env = TestEnv::new();
    env.orders(1).cancel(&format!("{}/gateway/", server.url()), &[]).exits(0);
    let head = &server.requests()[0].head;
    let line = "POST /gateway/api/CoreCredit/CardManagement/CancelPhysicalCardOrder HTTP/1.1\r\n";
    assert!(head.starts_with(line), "{head}");
}

#[test]
fn what_would_go_over_a_connection_that_was_closed_goes_over_a_new_one() {
    let promised_to_stay =
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{CANCELLED}", CANCELLED.len());
    let server = ScriptedServer::always(Behavior::RespondThenClose(promised_to_stay.into_bytes()));
    let env = TestEnv::new();
    at_pace("4/s", env.orders(4), &server);
    assert_eq!((server.requests().len(), server.connections()), (4, 4));
    assert!(env.results().iter().all(|row| row.attempts() == 1 && !row.doubt()));
}

#[test]
fn connections_for_a_fast_pace_are_opened_before_there_are_calls_for_them() {
    for pace in ["100/s", "6000/m"] {
        let server = ScriptedServer::always(Behavior::RespondWhenConnected(5, json(CANCELLED)));
        // The first row goes alone.
        at_pace(pace, TestEnv::new().orders(7).file("cardcancel.toml", "canary = 1"), &server);
        assert_eq!(server.requests().len(), 7);
    }
}

#[test]
fn no_more_connections_are_opened_than_rows_are_left() {
    let server = yes();
    at_pace("100/s", TestEnv::new().orders(1), &server);
    assert_eq!((server.requests().len(), server.connections()), (1, 1));
}

/// Cancels the orders at this many calls a second.
fn at_pace(rate: &str, env: &TestEnv, server: &ScriptedServer) {
    let url = server.url();
    let flags = ["--rate", rate, "--external-ip", "10.120.0.0", "--url", &url, "--yes"];
    env.run(&[&["run", "orders.csv"], &flags[..]].concat()).exits(0);
}

#[test]
fn the_session_names_run_row_and_attempt() {
    let server = ScriptedServer::sequence(vec![
        Behavior::Respond(with_headers("503 Service Unavailable", &[], "")),
        Behavior::Respond(json(CANCELLED)),
    ]);
    let env = TestEnv::with_orders(1);
    let flags = ["--session-id", "{run};{row};{attempt}", "--json"];
    let summary = env.cancel(&server.url(), &flags).exits(0).stdout;
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    let run = summary["run"].as_str().unwrap();
    let sessions: Vec<_> =
        server.requests().iter().map(|request| request.json()["SessionID"].clone()).collect();
    assert_eq!(sessions, [format!("{run};1;1"), format!("{run};1;2")]);
}

#[test]
fn the_time_of_the_request_is_sent_as_the_document_has_it_if_a_zone_is_named() {
    let before = jiff::Timestamp::now();
    let request = one(sent(&["--request-time", "America/New_York"], "", &[]));
    let json = request.json();
    let time = json["RequestTime"].as_str().unwrap();
    let read = jiff::civil::DateTime::strptime("%m/%d/%Y %H:%M:%S", time).unwrap();
    let zone = jiff::tz::TimeZone::get("America/New_York").unwrap();
    let at = read.to_zoned(zone).unwrap().timestamp();
    let (earliest, latest) = (before.as_second(), jiff::Timestamp::now().as_second());
    assert!((earliest..=latest).contains(&at.as_second()), "{time}");
    assert_eq!(time.len(), "01/15/2020 10:05:23".len());
}

#[test]
fn credentials_simulator_the_headers_that_the_configuration_names() {
    let bearer = ("CARDCANCEL_BEARER_TOKEN", "t0ken");
    let request = one(sent(&[], "[auth]\nkind = 'bearer'", &[bearer]));
    assert_eq!(request.header("authorization"), Some("Bearer t0ken"));

    let password = ("CARDCANCEL_BASIC_PASSWORD", "open sesame");
    let request = one(sent(&[], "[auth]\nkind = 'basic'\nusername = 'Aladdin'", &[password]));
    assert_eq!(request.header("authorization"), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));

    let values = [("CARDCANCEL_HEADER_X_API_KEY", "k3y"), ("CARDCANCEL_HEADER_X_SITE", "7")];
    let table = "[auth]\nkind = 'headers'\nnames = ['X-Api-Key', 'X-Site']";
    let request = one(sent(&[], table, &values));
    assert_eq!(request.header("x-api-key"), Some("k3y"));
    assert_eq!(request.header("x-site"), Some("7"));
}

#[test]
fn a_missing_secret_is_found_before_anything_is_sent() {
    let server = yes();
    let env = TestEnv::new();
    env.orders(1).file("cardcancel.toml", "[auth]\nkind = 'bearer'");
    let outcome = env.cancel(&server.url(), &[]).exits(2);
    assert_snapshot!(outcome.stderr, @"error: cardcancel.toml:1: [auth]: the secret is missing: set CARDCANCEL_BEARER_TOKEN, or CARDCANCEL_BEARER_TOKEN_FILE to the path of a file that holds it");
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn no_secret_is_in_what_is_said_or_kept() {
    let server =
        ScriptedServer::always(Behavior::Respond(with_headers("401 Unauthorized", &[], "no")));
    let env = TestEnv::new();
    env.orders(1).file("cardcancel.toml", "[auth]\nkind = 'bearer'");
    let url = server.url();
    let mut command =
        env.command(&["run", "orders.csv", "--yes", "--external-ip", "10.120.0.0", "--url", &url]);
    let output = command
        .env("CARDCANCEL_BEARER_TOKEN", "s3cr3t-t0ken")
        .env("RUST_LOG", "trace")
        .output()
        .unwrap();
    let outcome = crate::common::ProgramOutput::from(output).exits(4);
    assert_eq!(server.requests()[0].header("authorization"), Some("Bearer s3cr3t-t0ken"));
    let everywhere = [outcome.report().into_bytes(), env.everything_written()].concat();
    assert!(!crate::common::contains(&everywhere, "s3cr3t-t0ken"));
}

#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = yes();
    let location = format!("Location: {}/", elsewhere.url());
    for line in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
        let server =
            ScriptedServer::always(Behavior::Respond(with_headers(line, &[&location], "")));
        TestEnv::new().orders(1).cancel(&server.url(), &[]).exits(4);
        assert_eq!(server.requests().len(), 1, "{line}");
    }
    assert_eq!(elsewhere.requests().len(), 0);
}

#[test]
fn the_systems_proxy_is_ignored() {
    let proxy = yes();
    let url = proxy.url();
    let variables: Vec<_> = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"]
        .iter()
        .map(|name| (*name, url.as_str()))
        .collect();
    one(sent(&[], "", &variables));
    assert_eq!(proxy.requests().len(), 0);
}
