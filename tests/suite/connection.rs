//! `check --connect`: what is found of the connection to CoreCARD without an order.

use cardcancel::simulator::SimulatorSettings;
use serde_json::Value;

use crate::common::{
    Authority, Behavior, CANCELLED, ConnectProxy, ProgramOutput, ScriptedServer, TestEnv,
    TestSimulator, json,
};

const PASSWORD: (&str, &str) = ("CARDCANCEL_CORECARD_PASSWORD", "pass-w0rd");
const LOGIN: &str = "[auth]\nkind = 'corecard'\nuser_id = 'night'\n";

fn check(env: &TestEnv, url: &str, flags: &[&str]) -> ProgramOutput {
    let given = ["check", "--connect", "--url", url, "--external-ip", "10.0.0.1"];
    let mut command = env.command(&[&given[..], flags].concat());
    ProgramOutput::from(command.env(PASSWORD.0, PASSWORD.1).output().unwrap())
}

/// Each step with whether it succeeded and what it found.
fn steps(object: &Value) -> Vec<(String, bool, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let step = |step: &Value| {
        assert!(step["milliseconds"].as_f64().unwrap() >= 0.0);
        (text(&step["step"]), step["ok"].as_bool().unwrap(), text(&step["detail"]))
    };
    object["steps"].as_array().unwrap().iter().map(step).collect()
}

fn names(steps: &[(String, bool, String)]) -> Vec<&str> {
    steps.iter().map(|(name, ..)| name.as_str()).collect()
}

/// A server of CoreCARD over TLS, with files of an authority and a client certificate.
struct Encrypted {
    env: TestEnv,
    server: ScriptedServer,
}

impl Encrypted {
    fn new(wants_certificate: bool) -> Encrypted {
        let authority = Authority::new();
        let tls = authority.issue().server(wants_certificate.then_some(&authority));
        let server = ScriptedServer::over_tls(tls, |_, _| Behavior::Respond(json(CANCELLED)));
        let env = TestEnv::with_orders(1);
        env.file("ca.pem", authority.pem());
        authority.issue().write(env.folder(), "me");
        Encrypted { env, server }
    }

    fn check(&self, flags: &[&str]) -> ProgramOutput {
        check(&self.env, &self.server.https_url(), flags)
    }
}

const CERTIFICATE: [&str; 3] =
    ["--ca-file=ca.pem", "--client-cert-file=me.pem", "--client-key-file=me.key"];

#[test]
fn the_connection_is_tried_up_to_the_token_and_no_order_is_sent() {
    let settings = SimulatorSettings { require_login: true, ..SimulatorSettings::default() };
    let core_card = TestSimulator::new(settings);
    let env = TestEnv::with_orders(2);
    env.file("cardcancel.toml", LOGIN);
    let outcome = check(&env, &core_card.url(), &[]).exits(0);
    for line in [
        "secrets",
        "CARDCANCEL_CORECARD_PASSWORD",
        "127.0.0.1 is 127.0.0.1",
        "connected to 127.0.0.1:",
        "not used: http to this machine",
        "obtained, lasts 30 min",
        "whether this account is allowed to cancel orders",
    ] {
        assert!(outcome.stdout.contains(line), "{line}: {}", outcome.stdout);
    }
    let object: Value =
        serde_json::from_str(&check(&env, &core_card.url(), &["--json"]).exits(0).stdout).unwrap();
    assert_eq!(names(&steps(&object)), ["secrets", "name", "tcp", "tls", "token"]);
    let with_file = check(&env, &core_card.url(), &["--json", "orders.csv"]).exits(0).stdout;
    let with_file: Value = serde_json::from_str(&with_file).unwrap();
    assert_eq!((&with_file["to_send"], &with_file["connection"]["ok"]), (&2.into(), &true.into()));
    let stats = core_card.stop();
    assert_eq!((stats.logins, stats.requests), (3, 0));
    let everything = [outcome.report().into_bytes(), env.everything_written()].concat();
    assert!(!crate::common::contains(&everything, "pass-w0rd"));
}

#[test]
fn the_first_step_that_fails_ends_it_and_says_what_to_do() {
    let env = TestEnv::new();
    let unknown = check(&env, "https://no-such-host.invalid", &[]).exits(2).stdout;
    assert!(
        unknown.contains("FAILED: the name no-such-host.invalid could not be resolved: check url"),
        "{unknown}"
    );
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = check(&env, &format!("http://{port}"), &["--json"]).exits(2).stdout;
    let nobody: Value = serde_json::from_str(&nobody).unwrap();
    let steps = steps(&nobody);
    assert_eq!((names(&steps), &nobody["ok"]), (vec!["secrets", "name", "tcp"], &false.into()));
    assert!(
        steps[2].2.starts_with(
            "no connection: check url and the firewall, or name a proxy with --proxy: "
        )
    );
    env.file("cardcancel.toml", LOGIN);
    let missing =
        env.run(&["check", "--connect", "--url=https://127.0.0.1:9", "--external-ip=10.0.0.1"]);
    assert!(missing.exits(2).stderr.contains("set CARDCANCEL_CORECARD_PASSWORD"));
}

#[test]
fn a_missing_address_of_the_end_user_is_reported_after_the_connection_was_tried() {
    let core_card = TestSimulator::perfect();
    let env = TestEnv::new();
    env.file("cardcancel.toml", LOGIN);
    let given = ["check", "--connect", "--json", "--url", &core_card.url()];
    let output = env.command(&given).env(PASSWORD.0, PASSWORD.1).output().unwrap();
    let found = ProgramOutput::from(output).exits(2);
    let found: Value = serde_json::from_str(&found.stdout).unwrap();
    let steps = steps(&found);
    assert_eq!(names(&steps), ["secrets", "name", "tcp", "tls", "external_ip"]);
    assert!(!steps[4].1 && steps[4].2.contains("set --external-ip"), "{}", steps[4].2);
    assert_eq!(core_card.requests(), 0);
}

#[test]
fn a_login_that_is_refused_is_reported_without_the_password() {
    let settings = SimulatorSettings {
        login: cardcancel::simulator::LoginBehavior::StatusFalse,
        ..SimulatorSettings::default()
    };
    let core_card = TestSimulator::new(settings);
    let env = TestEnv::new();
    env.file("cardcancel.toml", LOGIN);
    let outcome = check(&env, &core_card.url(), &[]).exits(2).stdout;
    assert!(
        outcome.contains(
            "FAILED: CoreCARD's login answered HTTP 200 with Status false (SIMULATOR_LOGIN_REFUSED"
        ),
        "{outcome}"
    );
    let stats = core_card.stop();
    assert_eq!((stats.logins, stats.requests), (1, 0));
}

#[test]
fn tls_is_described_with_the_certificate_and_when_it_ends() {
    let encrypted = Encrypted::new(false);
    let outcome = encrypted.check(&["--ca-file=ca.pem"]).exits(0).stdout;
    for found in [
        "TLS 1.3, certificate of CN=",
        "issued by CN=authority of the test",
        "valid until 4096-01-01T00:00:00Z",
        "not asked for, and none is set",
    ] {
        assert!(outcome.contains(found), "{found}: {outcome}");
    }
    let set = encrypted.check(&CERTIFICATE).exits(0).stdout;
    assert!(set.contains("set, but the server did not ask for it"), "{set}");
    let untrusted = encrypted.check(&[]).exits(2).stdout;
    assert!(untrusted.contains("FAILED: the server's certificate is not trusted"), "{untrusted}");
    assert!(untrusted.contains("--ca-file"), "{untrusted}");
    assert!(encrypted.server.requests().is_empty());
}

#[test]
fn a_client_certificate_is_offered_and_what_becomes_of_it_is_told_as_far_as_it_is_known() {
    let encrypted = Encrypted::new(true);
    let offered = encrypted.check(&CERTIFICATE).exits(0).stdout;
    assert!(offered.contains("asked for, offered, and not refused so far"), "{offered}");
    let without = encrypted.check(&["--ca-file=ca.pem"]).exits(2).stdout;
    assert!(without.contains("FAILED: the server requires a client certificate"), "{without}");
    assert!(encrypted.server.requests().is_empty());
}

#[test]
fn a_proxy_is_a_step_of_its_own() {
    let encrypted = Encrypted::new(false);
    let proxy = ConnectProxy::requiring("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    let flag = format!("--proxy={}", proxy.url());
    let object = encrypted.check(&["--json", "--ca-file=ca.pem", &flag]).exits(2).stdout;
    let refused = steps(&serde_json::from_str(&object).unwrap());
    assert_eq!(names(&refused), ["secrets", "name", "tcp", "proxy"]);
    assert!(refused[3].2.contains("did not accept our credentials: check --proxy"), "{refused:?}");
    let mut command = encrypted.env.command(&[
        "check",
        "--connect",
        "--json",
        "--ca-file=ca.pem",
        &flag,
        "--external-ip=10.0.0.1",
        "--url",
        &encrypted.server.https_url(),
    ]);
    command
        .env("CARDCANCEL_PROXY_USERNAME", "Aladdin")
        .env("CARDCANCEL_PROXY_PASSWORD", "open sesame");
    let object = ProgramOutput::from(command.output().unwrap()).exits(0).stdout;
    let passed = steps(&serde_json::from_str(&object).unwrap());
    assert_eq!(names(&passed), ["secrets", "name", "tcp", "proxy", "tls", "client certificate"]);
    assert!(encrypted.server.requests().is_empty());
}

#[test]
fn in_a_rehearsal_the_simulator_is_what_is_tried() {
    let env = TestEnv::new();
    env.file("cardcancel.toml", LOGIN);
    let outcome = env.run(&["check", "--connect", "--rehearse"]).exits(0).stdout;
    assert!(outcome.contains("Connection to simulator of "), "{outcome}");
    assert!(outcome.contains("obtained, lasts 30 min"), "{outcome}");
}
