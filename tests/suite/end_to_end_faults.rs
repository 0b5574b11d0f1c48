//! A whole run in a few seconds, with the real program against a real server: tokens expire,
//! CoreCARD goes away and comes back or requests a pause, the machine restarts, the cut-off
//! comes. Every result is compared with what the server did.
use std::collections::{BTreeMap, BTreeSet};
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::common::{
    Behavior, CANCELLED, ProgramOutput, Request, ResultRow, ScriptedServer, TestEnv, contains,
    ended, json, status, terminate, until, with_headers,
};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

const SECRET: &str = "s3cret-planted";
const TOKEN: &str = "t0ken-planted";
const ROWS: u32 = 1600;
const AWAY: Duration = Duration::from_secs(1);

/// What the server did: the truth.
#[derive(Default)]
struct ServerRecord {
    /// The number of requests for each order, by admin number.
    asked: BTreeMap<i64, u32>,
    cancelled: BTreeSet<i64>,
    /// Orders for which an answer was withheld.
    lost: BTreeSet<i64>,
    tokens: u32,
    /// Whether the last token has expired.
    is_dead: bool,
    /// The events to come, each due after this many cancelled orders; the first is next.
    to_come: Vec<(usize, Incident)>,
    away_until: Option<Instant>,
    /// Calls that got no answer.
    unanswered: u32,
    last_call: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy)]
enum Incident {
    TokenDies,
    /// For a second no call gets an answer; every other one is carried out nevertheless.
    GoesAway,
    AsksToWait,
}

impl ServerRecord {
    fn takes(&mut self, request: &Request) -> Behavior {
        if request.head.starts_with("POST /token ") {
            self.tokens += 1;
            self.is_dead = false;
            let token = format!("{TOKEN}-{}", self.tokens);
            return Behavior::Respond(json(&format!(
                r#"{{"access_token":"{token}","token_type":"bearer","expires_in":7200}}"#
            )));
        }
        let order = request.json()["AdminNumber"].as_i64().unwrap();
        *self.asked.entry(order).or_default() += 1;
        self.last_call = Some(Timestamp::now());
        let due = |(from, _): &mut (usize, Incident)| self.cancelled.len() >= *from;
        let mut asks_to_wait = false;
        match self.to_come.first_mut().is_some_and(due).then(|| self.to_come.remove(0).1) {
            Some(Incident::TokenDies) => self.is_dead = true,
            Some(Incident::GoesAway) => self.away_until = Some(Instant::now() + AWAY),
            Some(Incident::AsksToWait) => asks_to_wait = true,
            None => {}
        }
        let token = format!("Bearer {TOKEN}-{}", self.tokens);
        if self.is_dead || request.header("authorization") != Some(&token) {
            return Behavior::Respond(status("401 Unauthorized"));
        }
        if asks_to_wait {
            return Behavior::Respond(with_headers(
                "429 Too Many Requests",
                &["Retry-After: 1"],
                "",
            ));
        }
        if self.away_until.is_some_and(|until| Instant::now() < until) {
            self.unanswered += 1;
            self.lost.insert(order);
            if self.unanswered.is_multiple_of(2) {
                self.cancelled.insert(order);
            }
            return Behavior::Close;
        }
        if self.cancelled.insert(order) {
            Behavior::Respond(json(CANCELLED))
        } else {
            Behavior::Respond(json(r#"{"Status":false,"ErrorCode":"ERR00033"}"#))
        }
    }
}

/// A server at which these events occur, and its record.
fn server(to_come: Vec<(usize, Incident)>) -> (ScriptedServer, Arc<Mutex<ServerRecord>>) {
    let record = Arc::new(Mutex::new(ServerRecord { to_come, ..ServerRecord::default() }));
    let its = Arc::clone(&record);
    (ScriptedServer::new(move |_, request| its.lock().unwrap().takes(request)), record)
}

fn env(server: &ScriptedServer) -> TestEnv {
    let (env, url) = (TestEnv::new(), server.url());
    env.orders(ROWS);
    env.file(
        "cardcancel.toml",
        format!(
            "url = '{url}'\nexternal_ip = '192.0.2.10'\nconcurrency = 32\ntimeout = '1s'\n\
             log_file = 'night.log'\nlog_level = 'debug'\nmetrics_file = 'night.prom'\n\
             [auth]\nkind = 'oauth2'\ntoken_url = '{url}/token'\nclient_id = 'me'\n"
        ),
    );
    env
}

fn begin(env: &TestEnv, flags: &[&str]) -> Child {
    let mut command = env.command(&[&["run", "orders.csv", "--yes"], flags].concat());
    command.env("CARDCANCEL_OAUTH2_CLIENT_SECRET", SECRET).spawn().unwrap()
}

/// Every row has the result that the server knows.
#[track_caller]
fn agree(results: &[ResultRow], record: &ServerRecord) {
    assert_eq!(results.len(), ROWS as usize);
    for row in results {
        let order: i64 = row.get("AdminNumber").parse().unwrap();
        let done = record.cancelled.contains(&order);
        match row.status() {
            "cancelled" => assert!(done, "{row:?}"),
            "rejected" => assert!(done && row.doubt() && row.code() == "ERR00033", "{row:?}"),
            "not_sent" => assert!(!done, "{row:?}"),
            "in_doubt" => assert!(row.doubt(), "{row:?}"),
            _ => panic!("{row:?}"),
        }
        assert_eq!(row.doubt(), record.lost.contains(&order), "{row:?}");
        assert_eq!(row.attempts(), record.asked.get(&order).copied().unwrap_or(0), "{row:?}");
    }
}

/// The summary has at most eleven lines, with all of these in it.
#[track_caller]
fn must_report(outcome: &ProgramOutput, all: &[&str]) {
    assert!(outcome.stdout.lines().count() <= 11, "{}", outcome.report());
    for text in all {
        assert!(outcome.stdout.contains(text), "{text} in {}", outcome.report());
    }
}

#[track_caller]
fn nothing_secret_is_in(env: &TestEnv, outcomes: &[&ProgramOutput]) {
    let mut everywhere = env.everything_written();
    everywhere.extend(outcomes.iter().flat_map(|outcome| outcome.report().into_bytes()));
    for never in [SECRET, TOKEN] {
        assert!(!contains(&everywhere, never), "{never}");
    }
}

#[test]
fn a_run_with_expiring_tokens_an_outage_a_wait_and_a_restart_loses_no_row() {
    use Incident::{AsksToWait, GoesAway, TokenDies};
    let (server, record) =
        server(vec![(200, TokenDies), (400, GoesAway), (1100, TokenDies), (1300, AsksToWait)]);
    let env = env(&server);
    let first = begin(&env, &["--rate", "500/s"]);
    until("half of it is done", || record.lock().unwrap().cancelled.len() >= 700);
    terminate(&first);
    let first = ended(first).exits(4);
    let lost = format!("{} answers lost", record.lock().unwrap().unanswered);
    must_report(&first, &["CoreCARD unavailable once", "credentials renewed once", &lost]);
    agree(&env.results(), &record.lock().unwrap());

    let second = ended(begin(&env, &["--rate", "500/s"])).exits(3);
    let reported = [
        "resumed and ended",
        "rows had ended before",
        "paused 1 s at its request (Retry-After)",
        "credentials renewed once",
    ];
    must_report(&second, &reported);
    let record = record.lock().unwrap();
    agree(&env.results(), &record);
    assert_eq!(record.cancelled.len(), ROWS as usize);
    // One for each start, and one for each process that died.
    assert_eq!(record.tokens, 4);
    nothing_secret_is_in(&env, &[&first, &second]);
}

#[test]
fn a_run_that_the_cut_off_ends_leaves_the_rest_unsent() {
    let (server, record) = server(vec![(100, Incident::TokenDies)]);
    let env = env(&server);
    let cut_off = Timestamp::now() + SignedDuration::from_secs(8);
    let on_the_clock = cut_off.to_zoned(TimeZone::UTC).strftime("%H:%M:%S").to_string();
    let flags = ["--rate", "100/s", "--cut-off", &on_the_clock, "--allow-partial"];
    let outcome = ended(begin(&env, &flags)).exits(4);
    must_report(&outcome, &["(CUT_OFF)", "credentials renewed once", "before the cut-off: start"]);
    let record = record.lock().unwrap();
    agree(&env.results(), &record);
    let unsent = ROWS as usize - record.cancelled.len();
    assert!(unsent > 0);
    assert_eq!(env.results().iter().filter(|row| row.status() == "not_sent").count(), unsent);
    assert!(record.last_call.unwrap() < cut_off);
    nothing_secret_is_in(&env, &[&outcome]);
}
