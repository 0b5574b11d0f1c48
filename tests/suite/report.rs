//! `report`: the page about a run or the runs of some days says what the ledger has, in little room.

use std::fmt::Write as _;
use std::process::Command;
use std::time::Duration;

use cardcancel::report::MAX_PAGE_BYTES;
use cardcancel::simulator::{Latency, SimulatorSettings};
use rusqlite::Connection;

use crate::common::{
    Behavior, ProgramOutput, Request, ScriptedServer, TestEnv, TestSimulator, contains, ended,
    json, kill, postgres, terminate, until,
};

/// The identifier of the newest run.
pub fn newest_run(env: &TestEnv, flags: &[&str]) -> String {
    let runs = env.run(&[&["runs", "--json"], flags].concat()).exits(0).stdout;
    let run: serde_json::Value = serde_json::from_str(runs.lines().next().unwrap()).unwrap();
    run["run"].as_str().unwrap().to_owned()
}

/// The page about the newest run.
fn page(env: &TestEnv) -> String {
    let run = newest_run(env, &[]);
    let _ = std::fs::remove_file(env.path("page.html"));
    env.run(&["report", &run, "-o", "page.html"]).exits(0);
    env.text("page.html")
}

/// The visible text of a part of a page, from one heading to the next, without its markup.
fn section(page: &str, heading: &str) -> String {
    let from = page.find(&format!(">{heading}</h2>")).unwrap_or_else(|| panic!("no {heading}"));
    let part = page[from + 1..].split("<h2").next().unwrap();
    plain(part)
}

/// Text without its markup.
fn plain(html: &str) -> String {
    let mut text = String::new();
    let mut is_tag = false;
    for char in html.chars() {
        match char {
            '<' => (is_tag, text) = (true, text + " "),
            '>' if is_tag => is_tag = false,
            _ if !is_tag => text.push(char),
            _ => {}
        }
    }
    let text = text.replace("&#60;", "<").replace("&#62;", ">").replace("&#34;", "\"");
    let text = text.replace("&#39;", "'").replace("&#38;", "&");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Rejects each third order with a code, and loses the first answer for each tenth.
fn picky() -> ScriptedServer {
    let lost = std::sync::Mutex::new(std::collections::BTreeSet::new());
    ScriptedServer::new(move |_, request: &Request| {
        let admin = request.json()["AdminNumber"].to_string();
        let admin: u64 = admin.trim_matches('"').parse().unwrap();
        if admin.is_multiple_of(10) && lost.lock().unwrap().insert(admin) {
            return Behavior::Close;
        }
        Behavior::Respond(json(match admin % 3 {
            0 => r#"{"Status":false,"ErrorCode":"0012","Message":"Card <b>already</b> printed"}"#,
            _ => r#"{"Status":true,"ErrorCode":"ERR01160","Message":"Canceled"}"#,
        }))
    })
}

/// Orders 1001 to 1030, of which 10 are divisible by 3, one row that is invalid and one duplicate.
fn mixed_orders(env: &TestEnv) {
    let mut lines = "AdminNumber,CardSequenceNumber\n".to_owned();
    (1001..=1030).for_each(|admin| writeln!(lines, "{admin},1").unwrap());
    lines.push_str("x,1\n1001,1\n");
    env.file("orders.csv", lines);
}

/// A run of these that is in the ledger.
pub fn mixed_run(env: &TestEnv) {
    mixed_orders(env);
    env.cancel(&picky().url(), &PURPOSE).exits(3);
}

const PURPOSE: [&str; 6] = [
    "--reason",
    "duplicate batch & more",
    "--requested-by",
    "J. Doe, Fraud Operations",
    "--ticket",
    "CHG-4711",
];

#[test]
fn the_page_of_a_run_says_what_the_ledger_has() {
    let env = TestEnv::new();
    mixed_run(&env);
    let page = page(&env);
    assert!(page.starts_with("<!doctype html>\n<html lang=\"en\">"), "{page}");
    assert!(page.contains("content=\"default-src 'none'; style-src 'unsafe-inline'\""));
    let verdict = plain(page.split("<h2").next().unwrap());
    assert!(
        verdict.ends_with(
            "To act on It ended, and needs a person: 20 of 31 orders are cancelled, 10 are not; 1 order may or may not be cancelled."
        ),
        "{verdict}"
    );
    let counts = section(&page, "Rows, and what each asks of you");
    for counted in [
        "32 in all",
        "cancelled 20 62.5 % CoreCARD confirmed it.",
        "rejected 10 31.2 %",
        "of these, with doubt 1 3.1 %",
        "invalid 1 3.1 %",
        "duplicate 1 3.1 %",
    ] {
        assert!(counts.contains(counted), "{counted}: {counts}");
    }
    let codes = section(&page, "Error codes");
    let printed = "0012 rejected 10 Card <b>already</b> printed 2 (1002/1), 5 (1005/1), 8 (1008/1)";
    assert!(codes.contains(printed), "{codes}");
    assert!(page.contains("<bdi>Card &#60;b&#62;already&#60;/b&#62; printed</bdi>"), "{page}");
    let doubt = section(&page, "Doubt");
    assert!(doubt.contains("3 calls got no answer that can be trusted"), "{doubt}");
    assert!(doubt.contains("2 rows cancelled after an answer was lost"), "{doubt}");
    let rows = section(&page, "Rows to look at");
    assert!(rows.contains("11 rows, the most urgent first"), "{rows}");
    let first = rows.split("First sent (UTC)").nth(1).unwrap();
    assert!(first.trim_start().starts_with("20 1020/1 rejected, doubt 0012"), "{rows}");
    let who = section(&page, "Who, and why");
    let why = "duplicate batch & more, requested by J. Doe, Fraud Operations, ticket CHG-4711";
    assert!(who.contains(why), "{who}");
    let settings = section(&page, "Settings in force");
    assert!(settings.contains("external_ip 10.120.0.0"), "{settings}");
    let seal = section(&page, "Seal");
    assert!(seal.contains("made from are those that the seal states"), "{seal}");
}

#[test]
fn the_seal_is_whole_and_its_digest_is_that_of_its_text() {
    let env = TestEnv::with_orders(3);
    env.cancel(&TestSimulator::perfect().url(), &PURPOSE).exits(0);
    let page = page(&env);
    let ledger = Connection::open(env.ledger()).unwrap();
    let (text, digest): (String, String) = ledger
        .query_row("SELECT text, digest FROM seal", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    let shown = page.split("<pre>").nth(1).unwrap().split("</pre>").next().unwrap();
    let shown = shown.replace("&#34;", "\"").replace("&#39;", "'").replace("&#38;", "&");
    assert_eq!(shown, text);
    let groups: Vec<&str> = (0..16).map(|group| &digest[4 * group..4 * group + 4]).collect();
    assert!(page.contains(&groups.join(" ")), "{page}");
}

#[test]
fn a_record_that_is_not_as_it_was_sealed_is_called_altered() {
    let env = TestEnv::with_orders(3);
    env.cancel(&TestSimulator::perfect().url(), &[]).exits(0);
    let ledger = Connection::open(env.ledger()).unwrap();
    ledger.execute("UPDATE attempt SET ended_at = ended_at + 1 WHERE row = 2", []).unwrap();
    let seal = section(&page(&env), "Seal");
    assert!(seal.contains("ALTERED: its rows, its attempts differ"), "{seal}");
}

#[test]
fn the_same_ledger_gives_the_same_bytes() {
    let env = TestEnv::new();
    mixed_orders(&env);
    env.cancel(&picky().url(), &[]).exits(3);
    let run = newest_run(&env, &[]);
    for name in ["a.html", "b.html"] {
        let mut command = env.command(&["report", &run, "-o", name]);
        command.env("TZ", if name == "a.html" { "UTC" } else { "Asia/Kathmandu" });
        ProgramOutput::from(command.output().unwrap()).exits(0);
        env.run(&["report", "--since", "2020-01-01", "-o", &format!("days-{name}")]).exits(0);
    }
    assert_eq!(env.text("a.html"), env.text("b.html"));
    assert_eq!(env.text("days-a.html"), env.text("days-b.html"));
}

#[test]
fn nothing_is_replaced_and_the_file_must_be_named() {
    let env = TestEnv::with_orders(2);
    env.cancel(&TestSimulator::perfect().url(), &[]).exits(0);
    let run = newest_run(&env, &[]);
    env.file("mine.html", "mine");
    let refused = env.run(&["report", &run, "-o", "mine.html"]).exits(2).stderr;
    assert_eq!(refused, "error: mine.html already exists: name another file with -o\n");
    assert_eq!(env.text("mine.html"), "mine");
    std::os::unix::fs::symlink("elsewhere", env.path("link.html")).unwrap();
    env.run(&["report", &run, "-o", "link.html"]).exits(2);
    assert!(!env.path("elsewhere").exists());
    let refused = env.run(&["report", &run, "-o", "home/"]).exits(2).stderr;
    assert!(refused.starts_with("error: home/ names a folder"), "{refused}");
    let refused = env.run(&["report", &run]).exits(2).stderr;
    assert_eq!(refused, "error: name the new file with -o FILE.html\n");
    let refused = env.run(&["report", "20260101-000000-0000", "-o", "x.html"]).exits(2).stderr;
    assert!(refused.starts_with("error: no run 20260101-000000-0000 in the ledger"), "{refused}");
    let refused = env.run(&["report", "-o", "x.html"]).exits(2).stderr;
    assert!(refused.contains("<RUN|--since <DATE>>"), "{refused}");
    assert!(!env.path("x.html").exists());
}

#[test]
fn a_run_in_progress_is_refused() {
    let env = TestEnv::with_orders(1);
    let server = ScriptedServer::always(Behavior::Hang);
    let running = env.begin_to_cancel(&server.url(), &[]);
    until("the call was made", || server.requests().len() == 1);
    let run = newest_run(&env, &[]);
    let refused = env.run(&["report", &run, "-o", "page.html"]).exits(2).stderr;
    assert_eq!(
        refused,
        format!("error: run {run} is in progress: report on it once it has finished\n")
    );
    kill(running);
    assert!(!env.path("page.html").exists());
    env.run(&["report", &run, "-o", "page.html"]).exits(0);
    let verdict = plain(&env.text("page.html"));
    assert!(verdict.contains("Its process ended without recording why"), "{verdict}");
    assert!(verdict.contains("The run is not sealed."), "{verdict}");
}

#[test]
fn a_run_that_stopped_and_went_on_shows_both_starts_and_its_newer_seal() {
    let env = TestEnv::with_orders(60);
    let latency = Latency::fixed(Duration::from_millis(20));
    let settings = SimulatorSettings { latency, ..SimulatorSettings::default() };
    let core_card = TestSimulator::new(settings);
    let begun = env.begin_to_cancel(&core_card.url(), &["--concurrency", "2"]);
    until("some were cancelled", || core_card.requests() > 6);
    terminate(&begun);
    ended(begun).exits(4);
    let stopped = page(&env);
    let verdict = plain(stopped.split("<h2").next().unwrap());
    assert!(verdict.contains("It did not reach its end: "), "{verdict}");
    assert!(verdict.contains("The run was stopped by a signal."), "{verdict}");
    assert!(section(&stopped, "Seal").contains("Number 1,"));
    env.cancel(&core_card.url(), &[]).exits(0);
    let ended = page(&env);
    assert!(plain(&ended).contains("It went well: all 60 orders are cancelled."));
    let who = section(&ended, "Who, and why");
    assert!(who.contains("SIGNAL") && who.contains("finished"), "{who}");
    let seal = section(&ended, "Seal");
    assert!(seal.contains("Number 2,") && seal.contains("continues 1 as it was"), "{seal}");
}

/// Texts that try to act on what stands beside them.
fn hostile(number: usize) -> String {
    let acts = "\u{202e}</bdi></td><script>alert(1)</script><img src=//evil.example/x onerror=alert(1)>\u{200b}\u{0}{{ 7*7 }}&amp;\"'";
    let acts: String = acts.chars().chain("<&\"'>".chars().cycle().take(400)).collect();
    serde_json::json!({
        "Status": false, "ErrorCode": format!("<&\"'>{number}"), "Message": acts,
    })
    .to_string()
}

/// A run of 4,000 rows, each with a hostile text and another code, with thousands of events and
/// hundreds of starts. Returns its identifier.
pub fn hostile_run(env: &TestEnv) -> String {
    env.orders(4_000);
    let number = std::sync::atomic::AtomicUsize::new(0);
    let server = ScriptedServer::new(move |_, _: &Request| {
        let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Behavior::Respond(json(&hostile(number)))
    });
    let flags = ["--max-consecutive-failures", "off", "--max-failures", "off"];
    env.cancel(&server.url(), &flags).exits(1);
    let run = newest_run(env, &[]);
    let ledger = Connection::open(env.ledger()).unwrap();
    let insert = "INSERT INTO event (run, start, at, kind, detail) SELECT run, number, started_at + ?1, ?2, ?3 FROM start ORDER BY number DESC LIMIT 1";
    for number in 0..3_000_i64 {
        let kind = if number % 2 == 0 { "outage_began" } else { "outage_ended" };
        ledger.execute(insert, (number * 1_000_000, kind, "<script>&".repeat(40))).unwrap();
    }
    let start = "INSERT INTO start (run, started_at, started_by, rates, finished_at, reason) SELECT run, started_at, ?1, rates, finished_at, ?1 FROM start ORDER BY number DESC LIMIT 1";
    for _ in 0..300 {
        ledger.execute(start, ["\u{202e}<b>\"&'".repeat(60)]).unwrap();
    }
    drop(ledger);
    run
}

#[test]
fn a_run_full_of_hostile_texts_and_codes_takes_a_bounded_page_in_which_nothing_acts() {
    let env = TestEnv::new();
    let run = hostile_run(&env);
    env.run(&["report", &run, "-o", "page.html"]).exits(0);
    let page = env.text("page.html");
    assert!(page.len() <= MAX_PAGE_BYTES, "{}", page.len());
    for acts in ["<script", "<img", "\u{202e}", "\u{200b}", "\0"] {
        assert!(!page.contains(acts), "{acts:?}");
    }
    let rows = section(&page, "Rows to look at");
    assert!(rows.starts_with("Rows to look at The first "), "{rows:.200}");
    assert!(rows.contains(" of 4,000 rows, the most urgent first. All are in"), "{rows:.200}");
    assert!(section(&page, "Error codes").contains("more other codes are not shown"));
    assert!(section(&page, "Events").contains("events between these are not shown"));
    assert!(section(&page, "Who, and why").contains("starts between these are not shown"));
    let opened = page.matches("<bdi>").count();
    assert_eq!(opened, page.matches("</bdi>").count());
}

#[test]
fn card_numbers_and_secrets_are_in_no_page() {
    let env = TestEnv::new();
    let card = "4111111111111111";
    env.file("orders.csv", format!("admin,seq\n1001,1\n{card},1\n"));
    env.file("token", "s3cr3t-t0ken\n");
    std::fs::set_permissions(
        env.path("token"),
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .unwrap();
    env.file("cardcancel.toml", "[auth]\nkind = \"bearer\"\n");
    let answer = format!(
        r#"{{"Status":false,"ErrorCode":"{card}","Message":"4111 1111 1111 1111 s3cr3t-t0ken"}}"#
    );
    let server = ScriptedServer::always(Behavior::Respond(json(&answer)));
    let token = env.path("token").display().to_string();
    let variables = [("CARDCANCEL_BEARER_TOKEN_FILE", token.as_str())];
    env.cancel_with(&server.url(), &[], &variables).exits(1);
    let page = page(&env);
    for planted in [card, "4111 1111", "1111 1111", "s3cr3t-t0ken"] {
        assert!(!contains(page.as_bytes(), planted), "{planted}");
    }
}

#[test]
fn the_page_of_some_days_has_a_line_for_each_run_and_adds_them_up() {
    let env = TestEnv::new();
    mixed_orders(&env);
    env.cancel(&picky().url(), &[]).exits(3);
    env.orders(20).cancel(&TestSimulator::perfect().url(), &["-o", "second.csv"]).exits(0);
    env.run(&["report", "--since", "2020-01-01", "--until", "2099-01-01", "-o", "days.html"])
        .exits(0);
    let page = env.text("days.html");
    let text = plain(&page);
    assert!(text.contains("From 2020-01-01 until before 2099-01-01 (UTC)"), "{text}");
    assert!(text.contains("1 of 2 runs went well. 1 is to act on"), "{text}");
    assert!(text.contains("1 order may or may not be cancelled."), "{text}");
    let sums = section(&page, "In all");
    assert!(sums.contains("Orders 51 Cancelled 40 (78.4 %) Not cancelled 10"), "{sums}");
    let runs = section(&page, "Runs");
    assert_eq!(runs.matches("orders.csv").count(), 2, "{runs}");
    assert!(page.matches("<polygon").count() >= 2 && page.len() < MAX_PAGE_BYTES);
    let flags = ["report", "--since", "2020-01-01", "--until", "2020-02-01", "-o", "none.html"];
    let refused = env.run(&flags).exits(2).stderr;
    assert!(refused.contains("nothing was written"), "{refused}");
    assert!(!env.path("none.html").exists());
}

#[test]
fn a_run_that_was_settled_since_asks_for_nothing_in_the_page_of_some_days() {
    let env = TestEnv::with_orders(3);
    // The answer of the first call is lost.
    let server = ScriptedServer::new(|count, _: &Request| match count {
        0 => Behavior::Close,
        _ => Behavior::Respond(json(r#"{"Status":true}"#)),
    });
    env.cancel(&server.url(), &["--attempts", "1", "--concurrency", "1"]).exits(3);
    let days = |file: &str| {
        env.run(&["report", "--since", "2020-01-01", "-o", file]).exits(0);
        env.text(file)
    };
    let before = plain(&days("before.html"));
    assert!(before.contains("0 of 1 run went well. 1 is to act on"), "{before}");
    assert!(before.contains("1 order may or may not be cancelled."), "{before}");
    env.rerun("orders.results.csv", &server.url(), &[]).exits(0);
    let after = days("after.html");
    let text = plain(&after);
    let expected = "1 of 2 runs went well. 1 was settled since, by later runs or evidence.";
    assert!(text.contains(expected), "{text}");
    assert!(!text.contains("is to act on") && !text.contains("may or may not"), "{text}");
    let sums = section(&after, "In all");
    assert!(sums.contains("Settled since 1 To look at 0 To act on 0"), "{sums}");
    assert!(sums.contains("Still in doubt 0"), "{sums}");
    assert!(section(&after, "Runs").contains(", settled since"));
}

#[test]
fn a_page_of_thousands_of_runs_is_bounded_and_counts_all_of_them() {
    let env = TestEnv::with_orders(1);
    env.cancel(&TestSimulator::perfect().url(), &[]).exits(0);
    let ledger = Connection::open(env.ledger()).unwrap();
    let copies = "INSERT INTO run (id, key, command, input_name, input_digest, endpoint, program, opened_at, rows) SELECT ?1, ?1, command, ?2, input_digest, endpoint, program, opened_at - ?3, 0 FROM run WHERE number = 1";
    for number in 0..1_000_i64 {
        let name = "<\"&'>\u{202e}".repeat(40);
        ledger.execute(copies, (format!("2026-{number:04}"), name, 1_000_000 * number)).unwrap();
    }
    ledger
        .execute("INSERT INTO progress (run) SELECT number FROM run WHERE number > 1", [])
        .unwrap();
    drop(ledger);
    env.run(&["report", "--since", "2020-01-01", "-o", "days.html"]).exits(0);
    let page = env.text("days.html");
    assert!(page.len() <= MAX_PAGE_BYTES, "{}", page.len());
    assert!(section(&page, "In all").contains("Runs 1,001"), "{page:.3000}");
    assert!(section(&page, "Runs").contains("801 runs are before these"));
}

#[test]
fn a_rehearsal_is_called_one() {
    let env = TestEnv::with_orders(3);
    env.file("cardcancel.toml", "[rehearsal]\nlatency = '1ms'\n");
    env.run(&["run", "orders.csv", "--rehearse", "--rate", "unlimited"]).exits(0);
    let run = newest_run(&env, &["--rehearse"]);
    env.run(&["report", &run, "--rehearse", "-o", "page.html"]).exits(0);
    let text = plain(&env.text("page.html"));
    assert!(text.contains("A rehearsal. The calls went to the built-in simulator"), "{text}");
}

#[test]
fn an_export_holds_the_page_of_each_of_its_runs_if_asked() {
    let env = TestEnv::with_orders(5);
    env.cancel(&TestSimulator::perfect().url(), &[]).exits(0);
    let run = newest_run(&env, &[]);
    let page = page(&env);
    for name in ["one", "two"] {
        env.run(&["export", &run, "--report", "-o", name]).exits(0);
    }
    assert_eq!(env.text(&format!("one/data/report-{run}.html")), page);
    assert_eq!(env.text("one/manifest-sha256.txt"), env.text("two/manifest-sha256.txt"));
    env.run(&["verify", "one"]).exits(0);
    env.run(&["export", &run, "-o", "without"]).exits(0);
    assert!(!env.path(&format!("without/data/report-{run}.html")).exists());
}

/// The names in a folder that are not those of other files of the test.
fn pages_in(env: &TestEnv) -> Vec<String> {
    let names = std::fs::read_dir(env.folder()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| name.contains("page")).collect()
}

#[test]
fn a_full_disk_leaves_nothing() {
    let env = TestEnv::new();
    let run = hostile_run(&env);
    let whole = env.command(&["report", &run, "-o", "page.html"]);
    // SQLite needs 32 kilobytes beside the ledger to read it.
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "trap '' XFSZ; ulimit -f 100; exec \"$0\" \"$@\""])
        .arg(whole.get_program())
        .args(whole.get_args())
        .current_dir(env.folder())
        .env_clear()
        .envs(whole.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let failed = ProgramOutput::from(limited.output().unwrap()).exits(5);
    let error = "error: the report could not be written to page.html: ";
    assert!(failed.stderr.starts_with(error), "{}", failed.report());
    assert_eq!(pages_in(&env), [""; 0]);
}

#[test]
fn a_kill_at_any_time_leaves_nothing_half_under_the_name() {
    let env = TestEnv::with_orders(2_000);
    env.cancel(&TestSimulator::perfect().url(), &[]).exits(0);
    let run = newest_run(&env, &[]);
    let whole = page(&env);
    let mut unfinished = 0;
    for milliseconds in (0..400).step_by(20) {
        let _ = std::fs::remove_file(env.path("page.html"));
        let mut child = env.command(&["report", &run, "-o", "page.html"]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(milliseconds));
        child.kill().unwrap();
        child.wait().unwrap();
        match std::fs::read_to_string(env.path("page.html")) {
            Ok(page) => assert!(page == whole, "killed after {milliseconds} ms"),
            Err(_) => unfinished += 1,
        }
    }
    assert!(unfinished > 0, "every one was written before it could be killed");
    let _ = std::fs::remove_file(env.path("page.html"));
    env.run(&["report", &run, "-o", "page.html"]).exits(0);
    assert_eq!(pages_in(&env), ["page.html"], "what killed processes left is removed");
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn both_ledgers_give_the_same_page_but_for_times_and_names() {
    let url = postgres::database().url();
    let shared = [("CARDCANCEL_LEDGER", url.as_str())];
    let on_shared = |env: &TestEnv, args: &[&str]| {
        let output = env.command(args).envs(shared).output().unwrap();
        ProgramOutput::from(output).exits(0).stdout
    };
    let env = TestEnv::new();
    mixed_orders(&env);
    let flags = [&PURPOSE[..], &["--concurrency", "1"]].concat();
    env.cancel(&picky().url(), &flags).exits(3);
    let sqlite = page(&env);
    std::fs::remove_file(env.path("orders.results.csv")).unwrap();
    env.cancel_with(&picky().url(), &flags, &shared).exits(3);
    let run: serde_json::Value =
        serde_json::from_str(on_shared(&env, &["runs", "--json"]).trim()).unwrap();
    on_shared(&env, &["report", run["run"].as_str().unwrap(), "-o", "shared.html"]);
    let shared = env.text("shared.html");
    for heading in ["Rows, and what each asks of you", "Error codes", "Doubt"] {
        assert_eq!(section(&sqlite, heading), section(&shared, heading));
    }
    let without_times = |page: &str| {
        let rows = section(page, "Rows to look at");
        rows.split(' ').filter(|word| !word.contains(':')).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(without_times(&sqlite), without_times(&shared));
    assert!(section(&shared, "Seal").contains("made from are those that the seal states"));
    assert!(!contains(shared.as_bytes(), postgres::PASSWORD));
    on_shared(&env, &["report", "--since", "2020-01-01", "-o", "days.html"]);
    let days = plain(&env.text("days.html"));
    assert!(days.contains("0 of 1 run went well. 1 is to act on"), "{days}");
}
