//! At a real terminal: the question before anything is sent, and the live line.
use std::process::Command;
use std::time::Duration;

use crate::common::{
    Behavior, ScriptedServer, Terminal, TestEnv, TestSimulator, json, redact_varying, status,
};
use cardcancel::simulator::{Latency, Share, SimulatorSettings};
use insta::assert_snapshot;

fn asking(env: &TestEnv, url: &str, flags: &[&str]) -> Command {
    let args = ["run", "orders.csv", "--external-ip", "10.120.0.0", "--url", url];
    env.command(&[&args[..], flags].concat())
}

fn asked(seen: &str) -> &str {
    // The echo of the input may come at any time.
    &seen[..seen.find("yes to send:").unwrap()]
}

#[test]
fn before_anything_is_sent_the_plan_is_shown_and_confirmation_asked() {
    let _tidy = redact_varying();
    let core_card = TestSimulator::perfect();
    let env = TestEnv::new();
    env.orders(40).file("cardcancel.toml", "[profile.production]\nrate = '20/s'\n");
    let flags = ["--profile", "production", "--cut-off", "2999-12-31T23:59[UTC]"];
    let flags = [&flags[..], &["--allow-partial"]].concat();
    let mut terminal = Terminal::with(asking(&env, &core_card.url(), &flags));
    terminal.sees("Type yes to send:");
    assert_eq!(core_card.requests(), 0);
    let (code, seen) = {
        terminal.types("yes");
        terminal.ends()
    };
    assert_eq!(code, Some(0), "{seen}");
    assert_eq!(core_card.requests(), 40);
    assert_snapshot!(asked(&seen), @r#"
    About to cancel 40 orders of orders.csv at http://127.0.0.1:[port]/
      profile: production
      ledger: [here]/home/state/cardcancel/ledger.db
      columns: admin number from "AdminNumber", sequence number from "CardSequenceNumber"
      first order: 1001/1, in line 2
      pace: 20/s, 2 s
      cut-off: [time], in [some time]
    This cannot be undone. Type
    "#);
}

#[test]
fn any_answer_but_yes_sends_nothing() {
    let core_card = TestSimulator::perfect();
    for answer in ["", "y", "no", "YES"] {
        let env = TestEnv::with_orders(3);
        let mut terminal = Terminal::with(asking(&env, &core_card.url(), &[]));
        terminal.sees("Type yes to send:").types(answer);
        let (code, seen) = terminal.ends();
        assert_eq!(code, Some(2), "{seen}");
        assert!(seen.contains("nothing was sent: the answer was not yes"), "{seen}");
        assert_eq!(env.run(&["runs"]).stdout, "");
    }
    assert_eq!(core_card.requests(), 0);
}

#[test]
fn the_live_line_shows_how_far_it_is() {
    let latency = Latency::fixed(Duration::from_millis(60));
    let core_card =
        TestSimulator::new(SimulatorSettings { latency, ..SimulatorSettings::default() });
    let env = TestEnv::with_orders(12);
    let flags = ["--yes", "--rate", "unlimited", "--concurrency", "1"];
    let mut terminal = Terminal::with(asking(&env, &core_card.url(), &flags));
    terminal.sees("/12").sees(" cancelled");
    let (code, seen) = terminal.ends();
    assert_eq!(code, Some(0), "{seen}");
}

#[test]
fn a_terminal_without_colours_or_a_cursor_gets_none_of_either() {
    let latency = Latency::fixed(Duration::from_millis(60));
    let settings = SimulatorSettings { latency, printed: Share::ALL, ..Default::default() };
    let core_card = TestSimulator::new(settings);
    let flags = ["--yes", "--rate", "unlimited", "--concurrency", "1"];
    for (variable, value, is_live, has_colors) in
        [("TERM", "dumb", false, false), ("NO_COLOR", "1", true, false), ("LANG", "C", true, true)]
    {
        let env = TestEnv::with_orders(12);
        let mut command = asking(&env, &core_card.url(), &flags);
        command.env("TERM", "xterm").env(variable, value);
        let (code, seen) = Terminal::with(command).ends();
        assert_eq!(code, Some(1), "{seen}");
        assert_eq!(seen.contains("\u{1b}[33m"), has_colors, "{variable}: {seen}");
        assert_eq!(seen.contains('\u{1b}'), is_live, "{variable}: {seen}");
        assert_eq!(seen.contains("/12 · "), is_live, "{variable}: {seen}");
    }
}

#[test]
fn log_lines_on_a_terminal_are_their_messages() {
    let core_card = TestSimulator::perfect();
    let env = TestEnv::with_orders(3);
    let flags = ["--yes", "--rate", "unlimited", "--max-consecutive-doubts", "1"];
    let (code, seen) = Terminal::with(asking(&env, &core_card.url(), &flags)).ends();
    assert_eq!(code, Some(0), "{seen}");
    assert!(seen.contains("warning: --max-consecutive-doubts 1 is below"), "{seen}");
    assert!(seen.contains("3 of 3 rows to send to "), "{seen}");
    for for_logs in ["run{id=", "cardcancel-seal", "exit code"] {
        assert!(!seen.contains(for_logs), "{seen}");
    }
}

#[test]
fn log_lines_do_not_tear_the_live_line() {
    let server = ScriptedServer::new(|nth, _| match nth % 2 {
        0 => Behavior::Respond(json(r#"{"Status":false,"ErrorCode":"ERR01161"}"#)),
        _ => Behavior::Respond(status("429 Too Many Requests")),
    });
    let env = TestEnv::with_orders(60);
    let flags = ["--yes", "--rate", "50/s", "--concurrency", "1", "--log-level", "debug"];
    let flags = [&flags[..], &["--attempts", "1"]].concat();
    let (code, seen) = Terminal::with(asking(&env, &server.url(), &flags)).ends();
    assert_eq!(code, Some(1), "{seen}");
    assert!(seen.contains("/60"), "no live line was shown: {seen}");
    // Each begins at the start of a line, or where the live line was cleared.
    let lines = seen.lines().map(|line| line.rsplit("\u{1b}[2K").next().unwrap());
    let reported: Vec<_> = lines.filter(|line| line.contains("attempt=1")).collect();
    assert_eq!(reported.len(), 60, "{seen}");
    for line in reported {
        let is_whole = line.starts_with("Rejected: ") || line.starts_with("NotDone: ");
        assert!(is_whole && line.ends_with("attempt=1"), "torn: {line}");
    }
}
