//! Credentials that are fetched and refreshed during a run, the proxy, and that no secret is ever
//! displayed.
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::{
    Authority, Behavior, ConnectProxy, ProgramOutput, Request, ScriptedServer, TestEnv, contains,
    json, status, with_headers,
};
use insta::assert_snapshot;

const YES: &str = r#"{"Message":"Order Canceled Successfully","Status":true,"ErrorCode":"ERR01160","ResponseData":null}"#;
const SECRET: (&str, &str) = ("CARDCANCEL_OAUTH2_CLIENT_SECRET", "cl1ent-s3cret");

/// A token server whose first token is `token-1`, the next `token-2` and so on.
fn token_server(lifetime: Option<u32>) -> ScriptedServer {
    ScriptedServer::new(move |nth, _| issue(nth, lifetime))
}

fn issue(nth: usize, lifetime: Option<u32>) -> Behavior {
    let expires = lifetime.map(|seconds| format!(r#","expires_in":{seconds}"#)).unwrap_or_default();
    Behavior::Respond(json(&format!(
        r#"{{"access_token":"token-{}","token_type":"Bearer"{expires}}}"#,
        nth + 1
    )))
}

fn oauth2(token_server: &ScriptedServer) -> String {
    format!("[auth]\nkind = 'oauth2'\ntoken_url = '{}/token'\nclient_id = 'me'", token_server.url())
}

/// A server of CoreCARD that accepts this many calls with `token-1` and any number with other
/// tokens. Each takes a while, so that several are in flight.
fn until_the_first_dies(after: usize) -> ScriptedServer {
    ScriptedServer::new(move |nth, request| {
        std::thread::sleep(Duration::from_millis(50));
        if carries(request, "token-1") && nth >= after {
            Behavior::Respond(status("401 Unauthorized"))
        } else {
            Behavior::Respond(json(YES))
        }
    })
}

fn carries(request: &Request, token: &str) -> bool {
    request.header("authorization") == Some(&format!("Bearer {token}"))
}

/// This many orders with this configuration.
fn env(orders: u32, configuration: &str) -> TestEnv {
    let env = TestEnv::new();
    env.orders(orders).file("cardcancel.toml", configuration);
    env
}

fn cancel(env: &TestEnv, server: &ScriptedServer, flags: &[&str]) -> ProgramOutput {
    env.cancel_with(&server.url(), flags, &[SECRET])
}

fn codes(env: &TestEnv) -> Vec<String> {
    let code = |row: &crate::common::ResultRow| format!("{} {}", row.status(), row.code());
    env.results().iter().map(code).collect()
}

#[test]
fn a_token_that_dies_is_fetched_once_for_all_calls_in_flight() {
    let (tokens, server) = (token_server(None), until_the_first_dies(20));
    let env = env(60, &oauth2(&tokens));
    // No attempt more than the limit, not counting the refused one.
    let flags = ["--concurrency", "16", "--attempts", "1"];
    cancel(&env, &server, &flags).exits(0);
    assert!(env.results().iter().all(|row| row.status() == "cancelled"));
    assert_eq!(tokens.requests().len(), 2);
    let requests = server.requests();
    let late = requests[20..].iter().filter(|request| carries(request, "token-1")).count();
    assert!((2..=16).contains(&late), "{late} calls were refused");
    assert_eq!(requests.len(), 60 + late);
    let again = env.results().iter().filter(|row| row.attempts() == 2).count();
    assert_eq!(again, late);
}

#[test]
fn new_credentials_that_are_refused_stop_the_run_and_no_attempt_counts() {
    let tokens = token_server(None);
    let server = ScriptedServer::new(|nth, _| match nth {
        0 | 1 => Behavior::Respond(status("401 Unauthorized")),
        2 => Behavior::Respond(status("503 Busy")),
        _ => Behavior::Respond(json(YES)),
    });
    let env = env(3, &oauth2(&tokens));
    let flags = ["--concurrency", "1", "--attempts", "2"];
    cancel(&env, &server, &flags).exits(4);
    assert_eq!((tokens.requests().len(), server.requests().len()), (2, 2));
    assert_eq!(codes(&env), ["not_sent HTTP_401", "not_sent CREDENTIALS", "not_sent CREDENTIALS"]);
    // After a restart, the row still has its two attempts.
    cancel(&env, &server, &flags).exits(0);
    assert_eq!(env.results()[0].attempts(), 4);
}

#[test]
fn a_403_stops_the_run_without_new_credentials() {
    let (tokens, server) =
        (token_server(None), ScriptedServer::always(Behavior::Respond(status("403 No"))));
    let env = env(2, &oauth2(&tokens));
    cancel(&env, &server, &["--concurrency", "1"]).exits(4);
    assert_eq!((tokens.requests().len(), server.requests().len()), (1, 1));
}

#[test]
fn a_token_that_ends_soon_is_renewed_while_calls_go_on() {
    let (tokens, server) =
        (token_server(Some(2)), ScriptedServer::always(Behavior::Respond(json(YES))));
    let env = env(60, &oauth2(&tokens));
    let url = server.url();
    let flags = ["--url", &url, "--external-ip", "10.120.0.0", "--rate", "20/s", "--yes"];
    let mut command = env.command(&[&["run", "orders.csv"], &flags[..]].concat());
    ProgramOutput::from(command.env(SECRET.0, SECRET.1).output().unwrap()).exits(0);
    assert!(env.results().iter().all(|row| row.attempts() == 1));
    assert!((2..=4).contains(&tokens.requests().len()), "{}", tokens.requests().len());
    let requests = server.requests();
    assert!(carries(&requests[0], "token-1") && !carries(&requests[59], "token-1"));
}

#[test]
fn without_a_first_token_nothing_is_sent() {
    let invalid = r#"{"error":"invalid_client","error_description":"cl1ent-s3cret is wrong"}"#;
    let refusal = with_headers("401 Unauthorized", &[], invalid);
    let (tokens, server) = (
        ScriptedServer::always(Behavior::Respond(refusal)),
        ScriptedServer::always(Behavior::Respond(json(YES))),
    );
    let env = env(1, &oauth2(&tokens));
    let outcome = cancel(&env, &server, &[]).exits(2);
    assert_snapshot!(outcome.stderr.lines().last().unwrap(), @"error: cannot get the credentials that [auth] asks for: the token server answered HTTP 401, invalid_client: check client_id, client_auth and CARDCANCEL_OAUTH2_CLIENT_SECRET");
    assert_eq!((tokens.requests().len(), server.requests().len()), (1, 0));
    assert!(!env.path("orders.results.csv").exists());
}

#[test]
fn a_token_server_that_is_away_briefly_is_retried() {
    let tokens = ScriptedServer::new(|nth, _| match nth {
        1 | 2 => Behavior::Respond(status("503 Service Unavailable")),
        nth => issue(nth, None),
    });
    let server = until_the_first_dies(1);
    let env = env(4, &oauth2(&tokens));
    let outcome = cancel(&env, &server, &["--concurrency", "2"]).exits(0);
    assert_eq!(tokens.requests().len(), 4);
    let warning = "cannot renew the credentials: the token server answered HTTP 503";
    assert_eq!(outcome.stderr.matches(warning).count(), 2, "{}", outcome.stderr);
}

#[test]
fn a_token_server_that_is_away_at_the_start_is_asked_again() {
    let tokens = ScriptedServer::new(|nth, _| match nth {
        0 => Behavior::Respond(status("503 Service Unavailable")),
        1 => Behavior::Close,
        nth => issue(nth, None),
    });
    let server = ScriptedServer::always(Behavior::Respond(json(YES)));
    let env = env(2, &oauth2(&tokens));
    let outcome = cancel(&env, &server, &["--quiet"]).exits(0);
    assert_eq!((tokens.requests().len(), server.requests().len()), (3, 2));
    let warning = "no credentials yet: the token server answered HTTP 503";
    assert!(outcome.stderr.contains(warning), "{}", outcome.stderr);
}

#[test]
fn a_token_that_lasts_for_ever_is_used() {
    for lasts in ["9223372036854775807", "18446744073709551615", "\"9223372036854775807\""] {
        let answer = format!(r#"{{"access_token":"token-1","expires_in":{lasts}}}"#);
        let tokens = ScriptedServer::always(Behavior::Respond(json(&answer)));
        let server = ScriptedServer::always(Behavior::Respond(json(YES)));
        let env = env(2, &oauth2(&tokens));
        cancel(&env, &server, &[]).exits(0);
        assert_eq!((tokens.requests().len(), server.requests().len()), (1, 2), "{lasts}");
    }
}

#[test]
fn a_token_server_that_stays_away_stops_the_run() {
    let tokens = ScriptedServer::new(|nth, _| match nth {
        0 => issue(nth, None),
        _ => Behavior::Close,
    });
    let server = until_the_first_dies(1);
    let env = env(3, &oauth2(&tokens));
    cancel(&env, &server, &["--concurrency", "1"]).exits(4);
    assert_eq!(tokens.requests().len(), 1 + 5);
    assert_eq!(codes(&env), ["cancelled ERR01160", "not_sent HTTP_401", "not_sent CREDENTIALS"]);
}

#[test]
fn the_token_server_is_asked_as_the_standard_has_it() {
    let tokens = token_server(None);
    let server = ScriptedServer::always(Behavior::Respond(json(YES)));
    let wishes = "scope = 'cards.cancel other'\naudience = 'https://a'";
    let first = env(1, &format!("{}\n{wishes}", oauth2(&tokens)));
    cancel(&first, &server, &[]).exits(0);
    let second = env(1, &format!("{}\nclient_auth = 'body'", oauth2(&tokens)));
    cancel(&second, &server, &[]).exits(0);
    let requests = tokens.requests();
    assert!(requests[0].head.starts_with("POST /token HTTP/1.1\r\n"));
    assert_eq!(requests[0].header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(requests[0].header("authorization"), Some("Basic bWU6Y2wxZW50LXMzY3JldA=="));
    assert_snapshot!(requests[0].body, @"grant_type=client_credentials&scope=cards.cancel+other&audience=https%3A%2F%2Fa");
    assert_eq!(requests[1].header("authorization"), None);
    assert_snapshot!(requests[1].body, @"grant_type=client_credentials&client_id=me&client_secret=cl1ent-s3cret");
    assert!(carries(&server.requests()[0], "token-1"));
}

/// A command that prints `token-1`, then `token-2` and so on, as JSON.
const COUNTING: &str = r#"[auth]
kind = "command"
command = ["/bin/sh", "-c", "echo >> asked; echo \"{\\\"token\\\": \\\"token-$(/usr/bin/wc -l < asked)\\\"}\""]
"#;

#[test]
fn a_commands_token_that_dies_is_asked_for_once_more() {
    let server = until_the_first_dies(10);
    let env = env(30, COUNTING);
    cancel(&env, &server, &["--concurrency", "8", "--attempts", "1"]).exits(0);
    assert_eq!(env.text("asked"), "\n\n");
    assert!(env.results().iter().all(|row| row.status() == "cancelled"));
}

#[test]
fn a_command_that_fails_says_why_and_nothing_is_sent() {
    let server = ScriptedServer::always(Behavior::Respond(json(YES)));
    let script = "command = ['/bin/sh', '-c', 'echo t0ken; echo log in first >&2; exit 1']";
    let env = env(1, &format!("[auth]\nkind = 'command'\n{script}"));
    let outcome = cancel(&env, &server, &[]).exits(2);
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    assert_snapshot!(lines.last().unwrap(), @"error: cannot get the credentials that [auth] asks for: the command /bin/sh failed (exit status: 1): run it by hand to see why; it wrote: log in first");
    let asked = lines.iter().filter(|line| line.contains("log in first")).count();
    assert_eq!(asked, 5, "it is asked five times: {}", outcome.stderr);
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn a_command_sees_no_variable_of_this_program() {
    let server = ScriptedServer::always(Behavior::Respond(json(YES)));
    let script = "command = ['/bin/sh', '-c', '/usr/bin/env > seen; echo token-1']";
    let env = env(1, &format!("[auth]\nkind = 'command'\n{script}"));
    cancel(&env, &server, &[]).exits(0);
    assert!(env.text("seen").contains("HOME="));
    assert!(!env.text("seen").contains("CARDCANCEL_"), "{}", env.text("seen"));
}

#[test]
fn a_secret_can_be_a_credential_of_systemd() {
    let server = ScriptedServer::always(Behavior::Respond(json(YES)));
    let env = env(1, "[auth]\nkind = 'bearer'");
    std::fs::create_dir(env.path("credentials")).unwrap();
    env.file("credentials/CARDCANCEL_BEARER_TOKEN", "token-1\n");
    let credential = env.path("credentials/CARDCANCEL_BEARER_TOKEN");
    std::fs::set_permissions(credential, std::fs::Permissions::from_mode(0o400)).unwrap();
    let folder = env.path("credentials").display().to_string();
    let variables = [("CREDENTIALS_DIRECTORY", &*folder)];
    env.cancel_with(&server.url(), &[], &variables).exits(0);
    assert!(carries(&server.requests()[0], "token-1"));
}

const PASSWORD: (&str, &str) = ("CARDCANCEL_CORECARD_PASSWORD", "pass-w0rd");
const LOGIN: &str = "[auth]\nkind = 'corecard'\nuser_id = 'night'\n";
const LOGIN_PATH: &str = "/api/CoreCredit/Token/Token";

/// A server of CoreCARD: `logs_in` answers a login by its number from 0 on, `calls` a call by its
/// number.
fn core_card(
    logs_in: impl Fn(usize, &Request) -> Behavior + Send + Sync + 'static,
    calls: impl Fn(usize, &Request) -> Behavior + Send + Sync + 'static,
) -> ScriptedServer {
    let (logins, called) = (AtomicUsize::new(0), AtomicUsize::new(0));
    ScriptedServer::new(move |_, request| {
        if is_login(request) {
            logs_in(logins.fetch_add(1, Ordering::Relaxed), request)
        } else {
            calls(called.fetch_add(1, Ordering::Relaxed), request)
        }
    })
}

fn is_login(request: &Request) -> bool {
    request.head.lines().next().is_some_and(|line| line.contains("/Token/Token"))
}

fn logins(server: &ScriptedServer) -> Vec<Request> {
    server.requests().into_iter().filter(is_login).collect()
}

/// CoreCARD's answer to the nth login.
fn log_in(nth: usize, lifetime: Option<u32>) -> Behavior {
    let n = nth + 1;
    Behavior::Respond(json(
        &serde_json::json!({ "Message": "", "Status": true, "ErrorCode": null, "ResponseData": {
            "AccessToken": format!("token-{n}"), "RefreshToken": format!("again-{n}"), "ExpiresIn": lifetime
        } })
        .to_string(),
    ))
}

fn refuse(http_status: &str, message: &str) -> Behavior {
    let body = serde_json::json!({ "Message": message, "Status": false, "ErrorCode": "ERR00042" });
    Behavior::Respond(with_headers(http_status, &[], &body.to_string()))
}

fn yes(_: usize, _: &Request) -> Behavior {
    Behavior::Respond(json(YES))
}

/// Accepts this many calls with `token-1`.
fn until_token_1_dies(after: usize) -> impl Fn(usize, &Request) -> Behavior {
    move |nth, request| match carries(request, "token-1") && nth >= after {
        true => Behavior::Respond(status("401 Unauthorized")),
        false => Behavior::Respond(json(YES)),
    }
}

fn cancel_as_user(env: &TestEnv, server: &ScriptedServer, flags: &[&str]) -> ProgramOutput {
    env.cancel_with(&server.url(), flags, &[PASSWORD])
}

#[test]
fn corecards_login_is_asked_with_the_fields_of_a_call_and_its_token_is_sent() {
    let server = core_card(|nth, _| log_in(nth, Some(600)), yes);
    let env = env(2, &format!("session_id = '{{row}}'\n{LOGIN}"));
    let url = format!("{}/base/", server.url());
    env.cancel_with(&url, &[], &[PASSWORD]).exits(0);
    let requests = server.requests();
    assert_eq!((logins(&server).len(), requests.len()), (1, 3));
    let line = requests[0].head.lines().next().unwrap();
    assert_eq!(line, format!("POST /base{LOGIN_PATH} HTTP/1.1"));
    assert_eq!(requests[0].header("authorization"), None);
    assert_snapshot!(requests[0].body, @r#"{"Source":"WEB","IPAddress":null,"DateFormat":null,"CurrencyCode":null,"CurrencySymbolType":null,"Language":null,"ExternalIP":"10.120.0.0","SessionID":"0","APIVersion":"2.0","CallerID":null,"CalledID":null,"RequestTime":null,"UserID":"night","Password":"pass-w0rd","GrantType":"AccessToken","RefreshToken":null}"#);
    assert!(requests[1..].iter().all(|request| carries(request, "token-1")));
}

#[test]
fn a_token_of_the_login_is_refreshed_before_it_ends_without_the_password() {
    let server = core_card(|nth, _| log_in(nth, Some(2)), yes);
    let env = env(60, LOGIN);
    let url = server.url();
    let flags = ["--url", &url, "--external-ip", "10.120.0.0", "--rate", "20/s", "--yes"];
    let mut command = env.command(&[&["run", "orders.csv"], &flags[..]].concat());
    ProgramOutput::from(command.env(PASSWORD.0, PASSWORD.1).output().unwrap()).exits(0);
    assert!(env.results().iter().all(|row| row.attempts() == 1));
    let logins = logins(&server);
    assert!((2..=4).contains(&logins.len()), "{}", logins.len());
    let refresh = logins[1].json();
    assert_eq!(refresh["GrantType"], "RefreshToken");
    assert_eq!(refresh["RefreshToken"], "again-1");
    assert!(refresh["Password"].is_null());
}

#[test]
fn where_the_refresh_is_refused_the_login_is_made_anew() {
    let logs_in = |nth, request: &Request| match request.json()["GrantType"].as_str() {
        Some("RefreshToken") => refuse("200 OK", "session over"),
        _ => log_in(nth, None),
    };
    let server = core_card(logs_in, until_token_1_dies(2));
    let env = env(4, LOGIN);
    let outcome = cancel_as_user(&env, &server, &["--concurrency", "1"]).exits(0);
    let kinds: Vec<_> =
        logins(&server).iter().map(|login| login.json()["GrantType"].clone()).collect();
    assert_eq!(kinds, ["AccessToken", "RefreshToken", "AccessToken"]);
    assert!(server.requests().iter().any(|request| carries(request, "token-3")));
    assert!(!contains(outcome.report().as_bytes(), "again-1"));
}

#[test]
fn a_status_of_false_refuses_the_login_at_http_200_too() {
    for http_status in ["200 OK", "401 Unauthorized"] {
        let server = core_card(move |_, _| refuse(http_status, "not pass-w0rd"), yes);
        let env = env(1, LOGIN);
        let outcome = cancel_as_user(&env, &server, &[]).exits(2);
        let line = outcome.stderr.lines().last().unwrap();
        let refused = "with Status false (ERR00042, not [secret removed]): check user_id and CARDCANCEL_CORECARD_PASSWORD";
        assert!(line.ends_with(refused) && line.contains(&http_status[..3]), "{line}");
        assert_eq!(server.requests().len(), 1, "a wrong password is not tried again");
        let everything = [outcome.report().into_bytes(), env.everything_written()].concat();
        assert!(!contains(&everything, "pass-w0rd"));
    }
}

#[test]
fn a_login_that_is_refused_during_a_run_is_not_repeated() {
    let logs_in = |nth, _: &Request| match nth {
        0 => log_in(nth, None),
        _ => refuse("200 OK", "locked"),
    };
    let server = core_card(logs_in, until_token_1_dies(1));
    let env = env(3, LOGIN);
    cancel_as_user(&env, &server, &["--concurrency", "1"]).exits(4);
    assert_eq!(logins(&server).len(), 3, "a login, a refresh and a login");
    assert_eq!(codes(&env), ["cancelled ERR01160", "not_sent HTTP_401", "not_sent CREDENTIALS"]);
}

#[test]
fn a_login_that_is_away_is_asked_again() {
    let logs_in = |nth, _: &Request| match nth {
        0 => Behavior::Respond(status("503 Service Unavailable")),
        1 => Behavior::Close,
        nth => log_in(nth, None),
    };
    let server = core_card(logs_in, yes);
    cancel_as_user(&env(1, LOGIN), &server, &["--quiet"]).exits(0);
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn path_places_and_header_of_the_login_can_be_set() {
    let answer = r#"{"data":{"jwt":"token-1","minutes":"10"}}"#;
    let server = core_card(move |_, _| Behavior::Respond(json(answer)), yes);
    let more = "path = '/sign/Token/Token'\ntoken_at = '/data/jwt'\nlifetime_at = '/data/minutes'\nlifetime_unit = 'minutes'\nheader = 'X-Token'\nprefix = ''";
    cancel_as_user(&env(1, &format!("{LOGIN}{more}")), &server, &[]).exits(0);
    let requests = server.requests();
    assert!(requests[0].head.starts_with("POST /sign/Token/Token "));
    assert_eq!(requests[1].header("x-token"), Some("token-1"));
    assert_eq!(requests[1].header("authorization"), None);
}

#[test]
fn a_token_of_the_login_is_shown_nowhere_though_an_answer_repeats_it() {
    let repeats = |_: usize, request: &Request| {
        let token = request.header("x-token").unwrap();
        refuse("200 OK", &format!("the token {} {token} may not cancel", &token[7..]))
    };
    let server = core_card(
        |_, _| Behavior::Respond(json(r#"{"ResponseData":{"AccessToken":"s3cret-t0ken"}}"#)),
        repeats,
    );
    let env = env(1, &format!("{LOGIN}header = 'X-Token'\nprefix = 'Token: '"));
    let outcome = cancel_as_user(&env, &server, &["--log-level=debug"]).exits(1);
    let everything = [outcome.report().into_bytes(), env.everything_written()].concat();
    assert!(!contains(&everything, "s3cret-t0ken") && !contains(&everything, "pass-w0rd"));
    assert!(contains(&everything, "[secret removed]"));
    let shown = env.run(&["config", "show"]).exits(0).stdout;
    let line = |name: &str| shown.lines().find(|line| line.contains(name)).unwrap().to_owned();
    assert!(line("  kind ").contains("corecard"), "{shown}");
    assert!(line("CARDCANCEL_CORECARD_PASSWORD").contains("not set"), "{shown}");
}

#[test]
fn a_rehearsal_logs_in_to_the_simulator_without_a_secret() {
    let rehearse = |scenario: &str| {
        let env = env(
            80,
            &format!(
                "{LOGIN}token_at = '/elsewhere'\n[rehearsal]\nrequire_login = true\n{scenario}"
            ),
        );
        let flags = ["run", "orders.csv", "--rehearse", "--yes", "--json", "--rate", "20/s"];
        let outcome = ProgramOutput::from(env.command(&flags).output().unwrap());
        (outcome.code, outcome.stdout, outcome.stderr)
    };
    let (exit, json, _) = rehearse("token_lifetime = 3");
    assert_eq!(exit, Some(0), "{json}");
    let summary: serde_json::Value = serde_json::from_str(&json).unwrap();
    let simulator = &summary["rehearsal"]["simulator"];
    assert!(simulator["logins"].as_u64().unwrap() >= 2, "{simulator}");
    assert_eq!(simulator["answered"]["ok"], 80);
    let (exit, _, stderr) = rehearse("login = 'wrong-password'");
    assert_eq!(exit, Some(2));
    assert_snapshot!(stderr.lines().last().unwrap(), @"error: cannot get the credentials that [auth] asks for: CoreCARD's login answered HTTP 401 with Status false (SIMULATOR_WRONG_PASSWORD, Wrong User or Password): check user_id and CARDCANCEL_CORECARD_PASSWORD");
    assert_eq!(rehearse("login = 'status-false'").0, Some(2));
    assert_eq!(rehearse("login = 'expired-token'").0, Some(4));
    assert_eq!(rehearse("login = 'refuse-refresh'\ntoken_lifetime = 3").0, Some(0));
}

const PROXY: [(&str, &str); 2] =
    [("CARDCANCEL_PROXY_USERNAME", "Aladdin"), ("CARDCANCEL_PROXY_PASSWORD", "open sesame")];
const ALADDIN: &str = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==";

/// CoreCARD and a token server behind a proxy, all with certificates of our own
/// authority, which also signed ours.
struct Estate {
    env: TestEnv,
    certificate: tempfile::TempDir,
    proxy: ConnectProxy,
    tokens: ScriptedServer,
    server: ScriptedServer,
}

impl Estate {
    fn new(wanting: &'static str, says: Vec<u8>) -> Estate {
        let authority = Authority::new();
        let tls = || authority.issue().server(Some(&authority));
        let tokens = ScriptedServer::over_tls(tls(), |nth, _| issue(nth, Some(3600)));
        let server = ScriptedServer::over_tls(tls(), move |_, _| Behavior::Respond(says.clone()));
        let certificate = tempfile::tempdir().unwrap();
        std::fs::write(certificate.path().join("ca.pem"), authority.pem()).unwrap();
        authority.issue().write(certificate.path(), "me");
        let configuration = oauth2(&tokens).replace("http:", "https:");
        let env = env(2, &configuration);
        Estate { env, certificate, proxy: ConnectProxy::requiring(wanting), tokens, server }
    }

    fn cancel(&self) -> ProgramOutput {
        let file = |name: &str| self.certificate.path().join(name).display().to_string();
        let flags = [
            "--concurrency=1".to_owned(),
            format!("--proxy={}", self.proxy.url()),
            format!("--ca-file={}", file("ca.pem")),
            format!("--client-cert-file={}", file("me.pem")),
            format!("--client-key-file={}", file("me.key")),
        ];
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let all = [SECRET, ("RUST_LOG", "trace"), ("CARDCANCEL_LOG_LEVEL", "debug")];
        let variables = [&PROXY[..], &all].concat();
        self.env.cancel_with(&self.server.https_url(), &flags, &variables)
    }
}

#[test]
fn calls_and_the_token_server_go_through_the_proxy_with_its_password() {
    let estate = Estate::new(ALADDIN, json(YES));
    estate.cancel().exits(0);
    assert_eq!((estate.tokens.requests().len(), estate.server.requests().len()), (1, 2));
    assert!(carries(&estate.server.requests()[0], "token-1"));
    let heads = estate.proxy.heads();
    let connects = |server: &ScriptedServer| {
        let line = server.https_url().replace("https://", "CONNECT ");
        heads.iter().filter(|head| head.starts_with(&line)).count()
    };
    assert_eq!((connects(&estate.tokens), connects(&estate.server)), (1, 2));
    assert!(heads.iter().all(|head| !head.contains("Bearer")));
}

#[test]
fn a_proxy_that_refuses_us_stops_the_run() {
    let authority = Authority::new();
    let server = ScriptedServer::over_tls(authority.issue().server(None), |_, _| {
        Behavior::Respond(json(YES))
    });
    let proxy = ConnectProxy::requiring("Basic another");
    let env = env(3, "");
    let flags = ["--concurrency", "1", "--proxy", &proxy.url()];
    env.cancel_with(&server.https_url(), &flags, &PROXY).exits(4);
    assert_eq!(codes(&env), ["not_sent HTTP_407", "not_sent CREDENTIALS", "not_sent CREDENTIALS"]);
    assert_eq!(env.results()[0].get("first_sent_at"), "");
    assert_eq!((proxy.heads().len(), server.requests().len()), (1, 0));
}

#[test]
fn a_proxy_that_is_not_there_is_no_connection() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let env = env(1, "");
    let flags = ["--attempts", "1", "--proxy", &format!("http://{port}")];
    env.cancel("https://127.0.0.1:9", &flags).exits(1);
    assert_eq!(codes(&env), ["failed CONNECT"]);
}

#[test]
fn what_stays_on_this_machine_does_not_go_through_the_proxy() {
    let (proxy, server) =
        (ConnectProxy::requiring(ALADDIN), ScriptedServer::always(Behavior::Respond(json(YES))));
    env(1, "").cancel(&server.url(), &["--proxy", &proxy.url()]).exits(0);
    assert_eq!((proxy.heads().len(), server.requests().len()), (0, 1));
}

#[test]
fn only_what_is_encrypted_needs_the_systems_authorities() {
    let server = ScriptedServer::always(Behavior::Respond(json(YES)));
    let env = env(1, "");
    let cancelled_at = |url: &str| {
        let flags = ["--url", url, "--external-ip", "10.120.0.0", "--yes", "--quiet"];
        let mut command = env.command(&[&["run", "orders.csv"], &flags[..]].concat());
        command.env("SSL_CERT_FILE", "absent").env("SSL_CERT_DIR", "absent");
        ProgramOutput::from(command.output().unwrap())
    };
    let encrypted = cancelled_at("https://corecard.example").exits(2);
    let help = "install the system's authorities (the package ca-certificates), or name yours with --ca-file";
    assert!(encrypted.stderr.contains(help), "{}", encrypted.stderr);
    cancelled_at(&server.url()).exits(0);
}

#[test]
fn no_secret_is_in_any_byte_of_what_is_said_or_kept() {
    let refusal = with_headers("401 Unauthorized", &[], "");
    for says in [json(YES), refusal] {
        let estate = Estate::new(ALADDIN, says);
        let outcome = estate.cancel();
        assert!(!estate.server.requests().is_empty());
        let key = std::fs::read_to_string(estate.certificate.path().join("me.key")).unwrap();
        let everywhere = [outcome.report().into_bytes(), estate.env.everything_written()].concat();
        let encoded = ["bWU6Y2wxZW50LXMzY3JldA", "QWxhZGRpbjpvcGVuIHNlc2FtZQ"];
        let secrets = ["cl1ent-s3cret", "token-1", "token-2", "open sesame"];
        for secret in secrets.iter().chain(&encoded).copied().chain(key.lines().nth(1)) {
            assert!(!contains(&everywhere, secret), "{secret}");
        }
    }
}

#[test]
fn what_would_give_a_secret_away_is_refused_before_anything_is_sent() {
    let server = ScriptedServer::always(Behavior::Respond(json(YES)));
    let refused = |flags: &[&str], configuration: &str| {
        let env = env(1, configuration);
        Authority::new().issue().write(env.folder(), "me");
        std::fs::copy(env.path("me.pem"), env.path("open.key")).unwrap();
        cancel(&env, &server, flags).exits(2).stderr
    };
    assert_snapshot!(refused(&["--proxy", "http://me:pw@127.0.0.1:1"], ""), @"error: --proxy (CARDCANCEL_PROXY, proxy): it holds a user name or password: take them out, and set CARDCANCEL_PROXY_USERNAME and CARDCANCEL_PROXY_PASSWORD");
    assert_snapshot!(refused(&["--client-cert-file", "me.pem", "--client-key-file", "open.key"], ""), @"error: --client-key-file: open.key can be read by others (mode 0644): run `chmod 600 open.key`, and replace the key if they may have read it");
    assert_snapshot!(refused(&[], "[auth]\nkind = 'oauth2'\ntoken_url = 'http://id.example.com'\nclient_id = 'me'"), @"error: cardcancel.toml:1: [auth]: token_url would send the secret unencrypted: use https (http only to this machine)");
    assert_snapshot!(refused(&[], "[auth]\nkind = 'oauth2'\ntoken_url = 'https://id.example.com'\nclient_id = 'me'\nclient_secret = 'cl1ent-s3cret'"), @r#"error: cardcancel.toml:5: there is no setting "client_secret" in [auth]; did you mean "client_auth"?"#);
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn a_certificate_without_its_own_key_is_refused_before_anything_is_sent() {
    let authority = Authority::new();
    let env = env(1, "");
    authority.issue().write(env.folder(), "me");
    authority.issue().write(env.folder(), "other");
    let flags = ["--client-cert-file", "me.pem", "--client-key-file", "other.key"];
    let outcome = env.cancel("https://127.0.0.1:9", &flags).exits(2);
    assert_snapshot!(outcome.stderr, @"error: the certificate in --client-cert-file cannot be used with the key in --client-key-file (keys may not be consistent: KeyMismatch): name the key that belongs to it");
}

#[test]
fn a_check_names_the_secrets_that_are_not_set_and_reads_none() {
    let env = TestEnv::with_orders(1);
    env.file("cardcancel.toml", "[auth]\nkind = 'bearer'\n");
    let line = "NOT SET here: CARDCANCEL_BEARER_TOKEN, without which a run is refused";
    let missing = env.run(&["check", "orders.csv"]).exits(0).stdout;
    assert!(missing.contains(line), "{missing}");
    let json = env.run(&["check", "orders.csv", "--json"]).exits(0).stdout;
    assert!(json.contains(r#""missing_secrets":["CARDCANCEL_BEARER_TOKEN"]"#), "{json}");
    let rehearsed = env.run(&["check", "orders.csv", "--rehearse"]).exits(0).stdout;
    assert!(!rehearsed.contains("NOT SET"), "{rehearsed}");
    for (variable, value) in
        [("CARDCANCEL_BEARER_TOKEN", "t0ken"), ("CARDCANCEL_BEARER_TOKEN_FILE", "no-such-file")]
    {
        let output = env.command(&["check", "orders.csv"]).env(variable, value).output().unwrap();
        let set = ProgramOutput::from(output).exits(0).stdout;
        assert!(!set.contains("NOT SET"), "{set}");
    }
}
