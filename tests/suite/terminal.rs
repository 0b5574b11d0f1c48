//! At a real terminal: the question before anything is sent, and the live line.
use std::process::Command;
use std::time::Duration;

use crate::common::{CoreCard, Does, Hostile, Scene, Terminal, json, status, without_chance};
use cardcancel::simulator::{Latency, SimulatorSettings};
use insta::assert_snapshot;

fn asking(scene: &Scene, url: &str, flags: &[&str]) -> Command {
    let args = ["run", "orders.csv", "--external-ip", "10.120.0.0", "--url", url];
    scene.command(&[&args[..], flags].concat())
}

fn asked(seen: &str) -> &str {
    // What is typed shows up when it likes.
    &seen[..seen.find("yes to send:").unwrap()]
}

#[test]
fn before_anything_is_sent_it_is_told_what_and_asked_whether() {
    let _tidy = without_chance();
    let core_card = CoreCard::perfect();
    let scene = Scene::new();
    scene.orders(40).file("cardcancel.toml", "[profile.production]\nrate = '20/s'\n");
    let flags = ["--profile", "production", "--cut-off", "2999-12-31T23:59[UTC]"];
    let flags = [&flags[..], &["--allow-partial"]].concat();
    let mut terminal = Terminal::with(asking(&scene, &core_card.url(), &flags));
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
    let core_card = CoreCard::perfect();
    for answer in ["", "y", "no", "YES"] {
        let scene = Scene::new();
        scene.orders(3);
        let mut terminal = Terminal::with(asking(&scene, &core_card.url(), &[]));
        terminal.sees("Type yes to send:").types(answer);
        let (code, seen) = terminal.ends();
        assert_eq!(code, Some(2), "{seen}");
        assert!(seen.contains("nothing was sent: the answer was not yes"), "{seen}");
        assert_eq!(scene.run(&["runs"]).stdout, "");
    }
    assert_eq!(core_card.requests(), 0);
}

#[test]
fn the_live_line_shows_how_far_it_is() {
    let latency = Latency::fixed(Duration::from_millis(60));
    let core_card = CoreCard::that(SimulatorSettings { latency, ..SimulatorSettings::default() });
    let scene = Scene::new();
    scene.orders(12);
    let flags = ["--yes", "--rate", "unlimited", "--concurrency", "1"];
    let mut terminal = Terminal::with(asking(&scene, &core_card.url(), &flags));
    terminal.sees("/12").sees("/s · ").sees(" cancelled  ");
    let (code, seen) = terminal.ends();
    assert_eq!(code, Some(0), "{seen}");
}

#[test]
fn log_lines_do_not_tear_the_live_line() {
    let server = Hostile::that(|nth, _| match nth % 2 {
        0 => Does::Say(json(r#"{"Status":false,"ErrorCode":"ERR01161"}"#)),
        _ => Does::Say(status("429 Too Many Requests")),
    });
    let scene = Scene::new();
    scene.orders(60);
    let flags = ["--yes", "--rate", "50/s", "--concurrency", "1", "--log-level", "debug"];
    let flags = [&flags[..], &["--attempts", "1"]].concat();
    let (code, seen) = Terminal::with(asking(&scene, &server.url(), &flags)).ends();
    assert_eq!(code, Some(1), "{seen}");
    assert!(seen.contains("/60"), "no live line was shown: {seen}");
    // Each begins where a line begins, or where the live line was cleared.
    let lines = seen.lines().map(|line| line.rsplit("\u{1b}[2K").next().unwrap());
    let told: Vec<_> = lines.filter(|line| line.contains("attempt=1")).collect();
    assert_eq!(told.len(), 60, "{seen}");
    for line in told {
        assert!(line.starts_with("run{id=") && line.ends_with("attempt=1"), "torn: {line}");
    }
}
