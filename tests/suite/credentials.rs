//! Credentials that are fetched, and renewed while calls are under way; the proxy;
//! and that no secret is ever seen.
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use crate::common::{
    Authority, Does, Hostile, Outcome, Passing, Request, Scene, contains, json, status,
    with_headers,
};
use insta::assert_snapshot;

const YES: &str = r#"{"Message":"Order Canceled Successfully","Status":true,"ErrorCode":"ERR01160","ResponseData":null}"#;
const SECRET: (&str, &str) = ("CARDCANCEL_OAUTH2_CLIENT_SECRET", "cl1ent-s3cret");

/// A token server whose first token is `token-1`, the next `token-2` and so on.
fn token_server(lifetime: Option<u32>) -> Hostile {
    Hostile::that(move |nth, _| issue(nth, lifetime))
}

fn issue(nth: usize, lifetime: Option<u32>) -> Does {
    let expires = lifetime.map(|seconds| format!(r#","expires_in":{seconds}"#)).unwrap_or_default();
    Does::Say(json(&format!(
        r#"{{"access_token":"token-{}","token_type":"Bearer"{expires}}}"#,
        nth + 1
    )))
}

fn oauth2(token_server: &Hostile) -> String {
    format!("[auth]\nkind = 'oauth2'\ntoken_url = '{}/token'\nclient_id = 'me'", token_server.url())
}

/// A server of CoreCARD that takes as many calls with `token-1`, and any number
/// with others; each takes a while, so that several are in flight.
fn until_the_first_dies(after: usize) -> Hostile {
    Hostile::that(move |nth, request| {
        std::thread::sleep(Duration::from_millis(50));
        match carries(request, "token-1") && nth >= after {
            true => Does::Say(status("401 Unauthorized")),
            false => Does::Say(json(YES)),
        }
    })
}

fn carries(request: &Request, token: &str) -> bool {
    request.header("authorization") == Some(&format!("Bearer {token}"))
}

/// So many orders, with this configuration.
fn scene(orders: u32, configuration: &str) -> Scene {
    let scene = Scene::new();
    scene.orders(orders).file("cardcancel.toml", configuration);
    scene
}

fn cancel(scene: &Scene, server: &Hostile, flags: &[&str]) -> Outcome {
    scene.cancel_with(&server.url(), flags, &[SECRET])
}

fn codes(scene: &Scene) -> Vec<String> {
    let code = |row: &crate::common::Row| format!("{} {}", row.status(), row.code());
    scene.results().iter().map(code).collect()
}

#[test]
fn a_token_that_dies_is_fetched_once_for_all_calls_in_flight() {
    let (tokens, server) = (token_server(None), until_the_first_dies(20));
    let scene = scene(60, &oauth2(&tokens));
    // Not one attempt more than those that count: a refused one does not.
    let flags = ["--concurrency", "16", "--attempts", "1"];
    cancel(&scene, &server, &flags).exits(0);
    assert!(scene.results().iter().all(|row| row.status() == "cancelled"));
    assert_eq!(tokens.requests().len(), 2);
    let requests = server.requests();
    let late = requests[20..].iter().filter(|request| carries(request, "token-1")).count();
    assert!((2..=16).contains(&late), "{late} calls were refused");
    assert_eq!(requests.len(), 60 + late);
    let again = scene.results().iter().filter(|row| row.attempts() == 2).count();
    assert_eq!(again, late);
}

#[test]
fn new_credentials_that_are_refused_stop_the_run_and_no_attempt_counts() {
    let tokens = token_server(None);
    let server = Hostile::that(|nth, _| match nth {
        0 | 1 => Does::Say(status("401 Unauthorized")),
        2 => Does::Say(status("503 Busy")),
        _ => Does::Say(json(YES)),
    });
    let scene = scene(3, &oauth2(&tokens));
    let flags = ["--concurrency", "1", "--attempts", "2"];
    cancel(&scene, &server, &flags).exits(4);
    assert_eq!((tokens.requests().len(), server.requests().len()), (2, 2));
    assert_eq!(
        codes(&scene),
        ["not_sent HTTP_401", "not_sent CREDENTIALS", "not_sent CREDENTIALS"]
    );
    // Started again, the row has its two attempts still.
    cancel(&scene, &server, &flags).exits(0);
    assert_eq!(scene.results()[0].attempts(), 4);
}

#[test]
fn a_403_stops_the_run_without_new_credentials() {
    let (tokens, server) = (token_server(None), Hostile::always(Does::Say(status("403 No"))));
    let scene = scene(2, &oauth2(&tokens));
    cancel(&scene, &server, &["--concurrency", "1"]).exits(4);
    assert_eq!((tokens.requests().len(), server.requests().len()), (1, 1));
}

#[test]
fn a_token_that_ends_soon_is_renewed_while_calls_go_on() {
    let (tokens, server) = (token_server(Some(2)), Hostile::always(Does::Say(json(YES))));
    let scene = scene(60, &oauth2(&tokens));
    let url = server.url();
    let flags = ["--url", &url, "--external-ip", "10.120.0.0", "--rate", "20/s", "--yes"];
    let mut command = scene.command(&[&["run", "orders.csv"], &flags[..]].concat());
    Outcome::from(command.env(SECRET.0, SECRET.1).output().unwrap()).exits(0);
    assert!(scene.results().iter().all(|row| row.attempts() == 1));
    assert!((2..=4).contains(&tokens.requests().len()), "{}", tokens.requests().len());
    let requests = server.requests();
    assert!(carries(&requests[0], "token-1") && !carries(&requests[59], "token-1"));
}

#[test]
fn without_a_first_token_nothing_is_sent() {
    let invalid = r#"{"error":"invalid_client","error_description":"cl1ent-s3cret is wrong"}"#;
    let refusal = with_headers("401 Unauthorized", &[], invalid);
    let (tokens, server) =
        (Hostile::always(Does::Say(refusal)), Hostile::always(Does::Say(json(YES))));
    let scene = scene(1, &oauth2(&tokens));
    let outcome = cancel(&scene, &server, &[]).exits(2);
    assert_snapshot!(outcome.stderr.lines().last().unwrap(), @"error: cannot get the credentials that [auth] asks for: the token server answered HTTP 401, invalid_client: check client_id, client_auth and CARDCANCEL_OAUTH2_CLIENT_SECRET");
    assert_eq!((tokens.requests().len(), server.requests().len()), (1, 0));
    assert!(!scene.path("orders.results.csv").exists());
}

#[test]
fn a_token_server_that_is_away_for_a_moment_is_asked_again() {
    let tokens = Hostile::that(|nth, _| match nth {
        1 | 2 => Does::Say(status("503 Service Unavailable")),
        nth => issue(nth, None),
    });
    let server = until_the_first_dies(1);
    let scene = scene(4, &oauth2(&tokens));
    let outcome = cancel(&scene, &server, &["--concurrency", "2"]).exits(0);
    assert_eq!(tokens.requests().len(), 4);
    let warning = "cannot renew the credentials: the token server answered HTTP 503";
    assert_eq!(outcome.stderr.matches(warning).count(), 2, "{}", outcome.stderr);
}

#[test]
fn a_token_server_that_is_away_at_the_start_is_asked_again() {
    let tokens = Hostile::that(|nth, _| match nth {
        0 => Does::Say(status("503 Service Unavailable")),
        1 => Does::Close,
        nth => issue(nth, None),
    });
    let server = Hostile::always(Does::Say(json(YES)));
    let scene = scene(2, &oauth2(&tokens));
    let outcome = cancel(&scene, &server, &["--quiet"]).exits(0);
    assert_eq!((tokens.requests().len(), server.requests().len()), (3, 2));
    let warning = "no credentials yet: the token server answered HTTP 503";
    assert!(outcome.stderr.contains(warning), "{}", outcome.stderr);
}

#[test]
fn a_token_that_lasts_for_ever_is_used() {
    for lasts in ["9223372036854775807", "18446744073709551615", "\"9223372036854775807\""] {
        let answer = format!(r#"{{"access_token":"token-1","expires_in":{lasts}}}"#);
        let tokens = Hostile::always(Does::Say(json(&answer)));
        let server = Hostile::always(Does::Say(json(YES)));
        let scene = scene(2, &oauth2(&tokens));
        cancel(&scene, &server, &[]).exits(0);
        assert_eq!((tokens.requests().len(), server.requests().len()), (1, 2), "{lasts}");
    }
}

#[test]
fn a_token_server_that_stays_away_stops_the_run() {
    let tokens = Hostile::that(|nth, _| match nth {
        0 => issue(nth, None),
        _ => Does::Close,
    });
    let server = until_the_first_dies(1);
    let scene = scene(3, &oauth2(&tokens));
    cancel(&scene, &server, &["--concurrency", "1"]).exits(4);
    assert_eq!(tokens.requests().len(), 1 + 5);
    assert_eq!(codes(&scene), ["cancelled ERR01160", "not_sent HTTP_401", "not_sent CREDENTIALS"]);
}

#[test]
fn the_token_server_is_asked_as_the_standard_has_it() {
    let tokens = token_server(None);
    let server = Hostile::always(Does::Say(json(YES)));
    let wishes = "scope = 'cards.cancel other'\naudience = 'https://a'";
    let first = scene(1, &format!("{}\n{wishes}", oauth2(&tokens)));
    cancel(&first, &server, &[]).exits(0);
    let second = scene(1, &format!("{}\nclient_auth = 'body'", oauth2(&tokens)));
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
    let scene = scene(30, COUNTING);
    cancel(&scene, &server, &["--concurrency", "8", "--attempts", "1"]).exits(0);
    assert_eq!(scene.text("asked"), "\n\n");
    assert!(scene.results().iter().all(|row| row.status() == "cancelled"));
}

#[test]
fn a_command_that_fails_says_why_and_nothing_is_sent() {
    let server = Hostile::always(Does::Say(json(YES)));
    let script = "command = ['/bin/sh', '-c', 'echo t0ken; echo log in first >&2; exit 1']";
    let scene = scene(1, &format!("[auth]\nkind = 'command'\n{script}"));
    let outcome = cancel(&scene, &server, &[]).exits(2);
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    assert_snapshot!(lines.last().unwrap(), @"error: cannot get the credentials that [auth] asks for: the command /bin/sh failed (exit status: 1): run it by hand to see why; it said: log in first");
    let asked = lines.iter().filter(|line| line.contains("log in first")).count();
    assert_eq!(asked, 5, "it is asked five times: {}", outcome.stderr);
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn a_command_sees_no_variable_of_this_program() {
    let server = Hostile::always(Does::Say(json(YES)));
    let script = "command = ['/bin/sh', '-c', '/usr/bin/env > seen; echo token-1']";
    let scene = scene(1, &format!("[auth]\nkind = 'command'\n{script}"));
    cancel(&scene, &server, &[]).exits(0);
    assert!(scene.text("seen").contains("HOME="));
    assert!(!scene.text("seen").contains("CARDCANCEL_"), "{}", scene.text("seen"));
}

#[test]
fn a_secret_can_be_a_credential_of_systemd() {
    let server = Hostile::always(Does::Say(json(YES)));
    let scene = scene(1, "[auth]\nkind = 'bearer'");
    std::fs::create_dir(scene.path("credentials")).unwrap();
    scene.file("credentials/CARDCANCEL_BEARER_TOKEN", "token-1\n");
    let credential = scene.path("credentials/CARDCANCEL_BEARER_TOKEN");
    std::fs::set_permissions(credential, std::fs::Permissions::from_mode(0o400)).unwrap();
    let folder = scene.path("credentials").display().to_string();
    let variables = [("CREDENTIALS_DIRECTORY", &*folder)];
    scene.cancel_with(&server.url(), &[], &variables).exits(0);
    assert!(carries(&server.requests()[0], "token-1"));
}

const PROXY: [(&str, &str); 2] =
    [("CARDCANCEL_PROXY_USERNAME", "Aladdin"), ("CARDCANCEL_PROXY_PASSWORD", "open sesame")];
const ALADDIN: &str = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==";

/// CoreCARD and a token server behind a proxy, all with certificates of our own
/// authority, which also signed ours.
struct Estate {
    scene: Scene,
    papers: tempfile::TempDir,
    proxy: Passing,
    tokens: Hostile,
    server: Hostile,
}

impl Estate {
    fn new(wanting: &'static str, says: Vec<u8>) -> Estate {
        let authority = Authority::new();
        let tls = || authority.papers().server(Some(&authority));
        let tokens = Hostile::over_tls(tls(), |nth, _| issue(nth, Some(3600)));
        let server = Hostile::over_tls(tls(), move |_, _| Does::Say(says.clone()));
        let papers = tempfile::tempdir().unwrap();
        std::fs::write(papers.path().join("ca.pem"), authority.pem()).unwrap();
        authority.papers().write(papers.path(), "me");
        let configuration = oauth2(&tokens).replace("http:", "https:");
        let scene = scene(2, &configuration);
        Estate { scene, papers, proxy: Passing::wanting(wanting), tokens, server }
    }

    fn cancel(&self) -> Outcome {
        let file = |name: &str| self.papers.path().join(name).display().to_string();
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
        self.scene.cancel_with(&self.server.https_url(), &flags, &variables)
    }
}

#[test]
fn calls_and_the_token_server_go_through_the_proxy_with_its_password() {
    let estate = Estate::new(ALADDIN, json(YES));
    estate.cancel().exits(0);
    assert_eq!((estate.tokens.requests().len(), estate.server.requests().len()), (1, 2));
    assert!(carries(&estate.server.requests()[0], "token-1"));
    let heads = estate.proxy.heads();
    let connects = |server: &Hostile| {
        let line = server.https_url().replace("https://", "CONNECT ");
        heads.iter().filter(|head| head.starts_with(&line)).count()
    };
    assert_eq!((connects(&estate.tokens), connects(&estate.server)), (1, 2));
    assert!(heads.iter().all(|head| !head.contains("Bearer")));
}

#[test]
fn a_proxy_that_refuses_us_stops_the_run() {
    let authority = Authority::new();
    let server = Hostile::over_tls(authority.papers().server(None), |_, _| Does::Say(json(YES)));
    let proxy = Passing::wanting("Basic another");
    let scene = scene(3, "");
    let flags = ["--concurrency", "1", "--proxy", &proxy.url()];
    scene.cancel_with(&server.https_url(), &flags, &PROXY).exits(4);
    assert_eq!(
        codes(&scene),
        ["not_sent HTTP_407", "not_sent CREDENTIALS", "not_sent CREDENTIALS"]
    );
    assert_eq!(scene.results()[0].get("first_sent_at"), "");
    assert_eq!((proxy.heads().len(), server.requests().len()), (1, 0));
}

#[test]
fn a_proxy_that_is_not_there_is_no_connection() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let scene = scene(1, "");
    let flags = ["--attempts", "1", "--proxy", &format!("http://{port}")];
    scene.cancel("https://127.0.0.1:9", &flags).exits(1);
    assert_eq!(codes(&scene), ["failed CONNECT"]);
}

#[test]
fn what_stays_on_this_machine_does_not_go_through_the_proxy() {
    let (proxy, server) = (Passing::wanting(ALADDIN), Hostile::always(Does::Say(json(YES))));
    scene(1, "").cancel(&server.url(), &["--proxy", &proxy.url()]).exits(0);
    assert_eq!((proxy.heads().len(), server.requests().len()), (0, 1));
}

#[test]
fn only_what_is_encrypted_needs_the_systems_authorities() {
    let server = Hostile::always(Does::Say(json(YES)));
    let scene = scene(1, "");
    let cancelled_at = |url: &str| {
        let flags = ["--url", url, "--external-ip", "10.120.0.0", "--yes", "--quiet"];
        let mut command = scene.command(&[&["run", "orders.csv"], &flags[..]].concat());
        command.env("SSL_CERT_FILE", "absent").env("SSL_CERT_DIR", "absent");
        Outcome::from(command.output().unwrap())
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
        let key = std::fs::read_to_string(estate.papers.path().join("me.key")).unwrap();
        let everywhere = [outcome.told().into_bytes(), estate.scene.everything_written()].concat();
        let encoded = ["bWU6Y2wxZW50LXMzY3JldA", "QWxhZGRpbjpvcGVuIHNlc2FtZQ"];
        let secrets = ["cl1ent-s3cret", "token-1", "token-2", "open sesame"];
        for secret in secrets.iter().chain(&encoded).copied().chain(key.lines().nth(1)) {
            assert!(!contains(&everywhere, secret), "{secret}");
        }
    }
}

#[test]
fn what_would_give_a_secret_away_is_refused_before_anything_is_sent() {
    let server = Hostile::always(Does::Say(json(YES)));
    let refused = |flags: &[&str], configuration: &str| {
        let scene = scene(1, configuration);
        Authority::new().papers().write(scene.folder(), "me");
        std::fs::copy(scene.path("me.pem"), scene.path("open.key")).unwrap();
        cancel(&scene, &server, flags).exits(2).stderr
    };
    assert_snapshot!(refused(&["--proxy", "http://me:pw@127.0.0.1:1"], ""), @"error: --proxy (CARDCANCEL_PROXY, proxy): it holds a user name or password: take them out, and set CARDCANCEL_PROXY_USERNAME and CARDCANCEL_PROXY_PASSWORD");
    assert_snapshot!(refused(&["--client-cert-file", "me.pem", "--client-key-file", "open.key"], ""), @"error: --client-key-file: open.key can be read by others (mode 0644): chmod 600 open.key, and replace the key if they may have");
    assert_snapshot!(refused(&[], "[auth]\nkind = 'oauth2'\ntoken_url = 'http://id.example.com'\nclient_id = 'me'"), @"error: cardcancel.toml:1: [auth]: token_url would send the secret unencrypted: use https (http only to this machine)");
    assert_snapshot!(refused(&[], "[auth]\nkind = 'oauth2'\ntoken_url = 'https://id.example.com'\nclient_id = 'me'\nclient_secret = 'cl1ent-s3cret'"), @r#"error: cardcancel.toml:5: there is no setting "client_secret" in [auth]; did you mean "client_auth"?"#);
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn a_certificate_without_its_own_key_is_refused_before_anything_is_sent() {
    let authority = Authority::new();
    let scene = scene(1, "");
    authority.papers().write(scene.folder(), "me");
    authority.papers().write(scene.folder(), "other");
    let flags = ["--client-cert-file", "me.pem", "--client-key-file", "other.key"];
    let outcome = scene.cancel("https://127.0.0.1:9", &flags).exits(2);
    assert_snapshot!(outcome.stderr, @"error: the certificate in --client-cert-file cannot be used with the key in --client-key-file (keys may not be consistent: KeyMismatch): name the key that belongs to it");
}
