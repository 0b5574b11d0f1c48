//! Requests to the processes that work on a run.

use cardcancel::ledger::{Ledger, NewRequest, RequestKind, Run, StartOptions};
use jiff::Timestamp;

use crate::conformance::process::{Home, create_run, start};

fn request(kind: RequestKind, rates: Option<&str>) -> NewRequest {
    NewRequest {
        at: Timestamp::now(),
        by: "someone on a-machine, process 7".to_owned(),
        kind,
        rates: rates.map(str::to_owned),
        reason: Some("the wrong \u{1F4C4}".to_owned()),
    }
}

fn runs(home: &Home) -> (Box<dyn Ledger>, [Run; 2]) {
    let mut ledger = home.open();
    let run = create_run(ledger.as_mut(), "run-1", "key", 3);
    let other = create_run(ledger.as_mut(), "run-2", "other", 3);
    (ledger, [run, other])
}

pub fn a_request_is_for_the_processes_that_started_before_it(home: &Home) {
    let (mut ledger, [run, other]) = runs(home);
    let before = ledger.start(&run, start()).unwrap().last_request;
    let mut someone = home.open();
    let stop = request(RequestKind::Stop, None);
    let number = someone.add_request(&run, &stop).unwrap();
    someone.add_request(&other, &stop).unwrap();
    let found = ledger.requests(&run, before).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].number, number);
    let NewRequest { at, by, kind, rates, reason } = &found[0].request;
    assert!(at.duration_since(stop.at).abs() < jiff::SignedDuration::from_secs(5));
    assert_eq!((by, *kind, rates), (&stop.by, RequestKind::Stop, &None));
    assert_eq!(*reason, stop.reason);
    // A process that starts the run again goes on.
    let mut again = home.open();
    let after = again.start(&run, start()).unwrap().last_request;
    assert!(after >= number);
    assert!(again.requests(&run, after).unwrap().is_empty());
    let second = someone.add_request(&run, &stop).unwrap();
    assert!(second > number);
    assert_eq!(again.requests(&run, after).unwrap().len(), 1);
    assert_eq!(ledger.requests(&run, before).unwrap().len(), 2);
}

pub fn the_last_pace_of_a_run_holds_for_every_later_start(home: &Home) {
    let (mut ledger, [run, other]) = runs(home);
    assert_eq!(ledger.start(&run, start()).unwrap().pace, None);
    for pace in [Some("20/s"), Some("5/m"), None] {
        ledger.add_request(&run, &request(RequestKind::Pace, pace)).unwrap();
        assert_eq!(ledger.run(run.id()).unwrap().unwrap().pace.as_deref(), pace);
        assert_eq!(home.open().start(&run, start()).unwrap().pace.as_deref(), pace);
    }
    assert_eq!(home.open().start(&other, start()).unwrap().pace, None);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_worker_that_joins_others_obeys_a_stop_that_was_asked_of_them() {
    let home = Home::server();
    let (mut ledger, [run, _]) = runs(&home);
    ledger.start(&run, start()).unwrap();
    let number = ledger.add_request(&run, &request(RequestKind::Stop, None)).unwrap();
    let mut worker = home.open();
    let joins = StartOptions { joins: true, ..start() };
    let seen = worker.start(&run, joins.clone()).unwrap().last_request;
    assert!(seen < number);
    assert_eq!(worker.requests(&run, seen).unwrap().len(), 1);
    // One that joins after the run was started again does not.
    home.open().start(&run, start()).unwrap();
    let seen = home.open().start(&run, joins).unwrap().last_request;
    assert!(seen >= number);
}
