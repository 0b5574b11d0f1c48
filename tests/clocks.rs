//! Wall clocks that are set while the contract is kept by them.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::time::Duration;

use common::{CoreCard, Scene, ended, with_its_clock_set};
use jiff::{SignedDuration, Timestamp};

/// A minute's contract is used up. Then another file is run under a clock set by an hour,
/// for the five seconds up to its cut-off.
fn no_call_of_the_next_minute_is_made(hours: i64) {
    let core_card = CoreCard::perfect();
    let scene = Scene::new();
    let run = |flags: &[&str]| {
        let url = core_card.url();
        let needed = ["run", "orders.csv", "--url", &url, "--external-ip", "10.120.0.0", "--yes"];
        scene.command(&[&needed[..], &["--rate", "50/s,20/m"], flags].concat())
    };
    scene.orders(20);
    ended(run(&[]).spawn().unwrap()).exits(0);
    scene.file("orders.csv", "admin,seq\n5000,1\n");
    let set = SignedDuration::from_hours(hours);
    let cut_off = Timestamp::now() + set + Duration::from_secs(5);
    let cut_off = format!("--cut-off={}", cut_off.strftime("%H:%M:%S[UTC]"));
    let mut next = run(&[&cut_off, "--timeout", "1s", "-o", "next.csv"]);
    with_its_clock_set(&mut next, &format!("{:+}s", set.as_secs()));
    let next = ended(next.spawn().unwrap()).exits(4);
    assert_eq!(core_card.requests(), 20, "{}", next.told());
    assert!(next.said().contains("the clock was set"), "{}", next.told());
}

#[test]
#[ignore = "needs libfaketime: tests/run brings it"]
fn a_clock_set_forward_between_two_runs_gives_no_minute_twice() {
    no_call_of_the_next_minute_is_made(1);
}

#[test]
#[ignore = "needs libfaketime: tests/run brings it"]
fn a_clock_set_back_between_two_runs_gives_no_minute_twice() {
    no_call_of_the_next_minute_is_made(-1);
}
