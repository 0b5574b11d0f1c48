//! Requests to stop or slow a run, in virtual time: the real scheduler, pacer and ledger against a
//! model server.

use std::collections::BTreeMap;
use std::time::Duration;

use cardcancel::engine::{CallTimings, Dispatch, Event, Now, RunPolicy, Scheduler};
use cardcancel::identity::Identity;
use cardcancel::ledger::{
    AttemptEnd, ClaimedRow, CommitOutcome, EventKind, FinishOptions, Ledger, Purpose, Run, Sqlite,
    StartOptions,
};
use cardcancel::model::{
    AnswerRules, CallResult, HttpResponse, OnDoubt, ReasonCode, ResponseBody, Status, classify,
};
use cardcancel::policy::pacer::Pacer;
use cardcancel::policy::rate::{Rate, Rates};
use cardcancel::policy::stop_rules::StopRuleSettings;
use jiff::Timestamp;

const SECOND: Duration = Duration::from_secs(1);
/// How long the ledger takes for a commit.
const COMMIT: Duration = Duration::from_millis(3);
const CALL: Duration = Duration::from_millis(20);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn wall(clock: Duration) -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap() + clock
}

/// How the server answers at a time.
type Server = fn(Duration) -> Option<u16>;

/// A server that cancels every order.
fn healthy(_: Duration) -> Option<u16> {
    Some(200)
}

/// One that refuses every connection.
fn away(_: Duration) -> Option<u16> {
    None
}

fn busy(_: Duration) -> Option<u16> {
    Some(429)
}

struct Simulation {
    rows: u32,
    rates: &'static str,
    pace: Option<&'static str>,
    server: Server,
    requests: Vec<(Duration, Event)>,
    until: Duration,
}

struct Simulated {
    run: Run,
    took: Duration,
    /// When calls started.
    calls: Vec<Duration>,
    events: Vec<(String, String)>,
}

impl Simulated {
    /// The most calls in a closed second that begins in this time.
    fn busiest(&self, from: Duration, to: Duration) -> usize {
        let starts = self.calls.iter().filter(|at| (from..to).contains(*at));
        let in_second = |start: &Duration| {
            self.calls.iter().filter(|at| (*start..=*start + SECOND).contains(*at)).count()
        };
        starts.map(in_second).max().unwrap_or_default()
    }

    fn between(&self, from: Duration, to: Duration) -> usize {
        self.calls.iter().filter(|at| (from..to).contains(*at)).count()
    }
}

impl Simulation {
    fn new(rows: u32, rates: &'static str) -> Simulation {
        let until = Duration::from_secs(3600);
        Simulation { rows, rates, pace: None, server: healthy, requests: Vec::new(), until }
    }

    fn paced(mut self, at: Duration, pace: &str) -> Simulation {
        let rate = (pace != "restore").then(|| pace.parse::<Rate>().unwrap());
        self.requests.push((at, Event::Paced { pace: rate, detail: format!("to {pace}") }));
        self
    }

    fn stopped(mut self, at: Duration) -> Simulation {
        self.requests.push((at, Event::StopRequested { detail: "by someone".to_owned() }));
        self
    }

    fn live(self) -> Simulated {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Sqlite::open(&folder.path().join("ledger.db")).unwrap();
        let run = crate::common::create_run(&mut ledger, self.rows, wall(Duration::ZERO));
        let start = StartOptions {
            at: wall(Duration::ZERO),
            cut_off: None,
            rates: self.rates.to_owned(),
            joins: false,
            again: false,
            on_doubt: OnDoubt::Retry,
            by: Identity::of_this_process(),
            purpose: Purpose::default(),
            configuration: String::new(),
        };
        let begun = ledger.start(&run, start).unwrap();
        let rates: Rates = self.rates.parse().unwrap();
        let plan = RunPolicy {
            concurrency: 256,
            attempts: 3,
            on_doubt: OnDoubt::Retry,
            last_start: None,
            stop_rules: StopRuleSettings::default(),
            max_outage: Duration::from_secs(900),
            max_per_second: rates.max_per_second(),
        };
        let mut pacer = Pacer::new(&rates).for_run(run.id());
        let pace = self.pace.map(|pace| pace.parse().unwrap());
        let mut scheduler = Scheduler::new(plan, run.counts, begun).with_pace(pace);
        let mut due: BTreeMap<(Duration, u64), Due> = BTreeMap::new();
        for (number, (at, event)) in (1 << 60..).zip(self.requests) {
            due.insert((at, number), Due::Request(event));
        }
        due.insert((Duration::ZERO, 0), Due::Wakes);
        let (mut clock, mut calls) = (Duration::ZERO, Vec::new());
        for step in 1u64.. {
            let Some(((at, _), what)) = due.pop_first() else { panic!("it stands still") };
            clock = clock.max(at);
            let event = match what {
                Due::Ends(claimed, ending, started) => {
                    let times = CallTimings { dispatched_at: started, started, ended: clock };
                    Some(Event::Ended { claimed, ending, times })
                }
                Due::Committed(outcome) => Some(Event::Committed(outcome)),
                Due::Request(event) => Some(event),
                Due::Wakes => None,
            };
            let event = event.or((clock >= self.until).then_some(Event::Stop(ReasonCode::Signal)));
            let now = Now { since_start: clock, wall: wall(clock) };
            let actions = scheduler.handle(event, now);
            for Dispatch { claimed, .. } in actions.dispatch {
                calls.push(clock);
                let outcome = classify(answer((self.server)(clock)), &AnswerRules::default());
                let (sent_at, ended_at) = (wall(clock), wall(clock + CALL));
                let ending = AttemptEnd { sent_at, ended_at, outcome };
                let key = (clock + CALL, step << 20 | u64::from(claimed.row().0));
                due.insert(key, Due::Ends(claimed, ending, clock));
            }
            if let Some(commit) = actions.commit {
                pacer.set_pace(scheduler.pace());
                let outcome =
                    ledger.commit(commit, &mut |b, wish| pacer.allocate(b, wish)).unwrap();
                due.insert((clock + COMMIT, step << 20), Due::Committed(outcome));
            }
            if actions.finished {
                let (at, stop) = (wall(clock), scheduler.stop_code());
                let events = scheduler.take_events();
                let run = ledger.finish(FinishOptions { at, stop, events }).unwrap();
                let events = ledger.events(&run).unwrap();
                let events = events.into_iter().map(|event| (event.kind, event.detail)).collect();
                return Simulated { run, took: clock, calls, events };
            }
            due.retain(|_, what| !matches!(what, Due::Wakes));
            if let Some(wake_at) = actions.wake_at {
                due.insert((wake_at, u64::MAX), Due::Wakes);
            }
        }
        unreachable!()
    }
}

enum Due {
    Ends(ClaimedRow, AttemptEnd, Duration),
    Committed(CommitOutcome),
    Request(Event),
    Wakes,
}

fn answer(http_status: Option<u16>) -> CallResult {
    let Some(http_status) = http_status else {
        return CallResult::NotSent { code: ReasonCode::Connect, detail: "refused".to_owned() };
    };
    let (status, error_code) = ((http_status == 200).then_some(true), Some("ERR".to_owned()));
    let body = ResponseBody::Api { status, error_code, message: None };
    CallResult::Response(HttpResponse { http_status, retry_after: None, body })
}

#[test]
fn a_run_keeps_a_lower_pace_at_once_and_its_own_rate_again_once_it_is_restored() {
    let (slower, restored) = (Duration::from_secs(5), Duration::from_secs(12));
    let simulation = Simulation::new(4400, "400/s");
    let simulated = simulation.paced(slower, "100/s").paced(restored, "restore").live();
    assert_eq!(simulated.run.counts.get(Status::Cancelled), 4400);
    assert!(simulated.busiest(Duration::ZERO, simulated.took) <= 400);
    let paced = (slower + ms(10), restored - SECOND);
    assert!(simulated.busiest(paced.0, paced.1) <= 100);
    let used = simulated.between(slower, restored);
    assert!((686..=702).contains(&used), "{used} in seven seconds");
    let after = simulated.between(restored + ms(100), restored + ms(1100));
    assert!((390..=400).contains(&after), "{after} in the second after it was restored");
    let kinds = simulated.events.iter().filter(|(kind, _)| kind == EventKind::Paced.as_str());
    let details: Vec<_> = kinds.map(|(_, detail)| detail.as_str()).collect();
    assert_eq!(details, ["to 100/s", "to restore"]);
}

#[test]
fn a_pace_of_a_call_every_ten_seconds_begins_and_ends_at_once() {
    let restored = Duration::from_secs(33);
    let simulation = Simulation::new(3000, "1000/s").paced(SECOND, "6/m");
    let simulated = simulation.paced(restored, "restore").live();
    let slow = simulated.between(SECOND + ms(5), restored);
    assert!((3..=4).contains(&slow), "{slow} calls in 32 seconds");
    assert!(simulated.between(restored, restored + ms(300)) > 200);
    // One that is there from the start, too.
    let simulation = Simulation { pace: Some("6/m"), ..Simulation::new(1000, "1000/s") };
    let simulated = simulation.paced(ms(3000), "restore").live();
    assert_eq!(simulated.between(Duration::ZERO, ms(3000)), 1);
    assert!(simulated.took < ms(4200), "{:?}", simulated.took);
}

#[test]
fn a_run_without_a_rate_can_be_held_to_a_pace() {
    let simulation = Simulation::new(20_000, "unlimited").paced(ms(100), "100/s");
    let simulated = Simulation { until: Duration::from_secs(10), ..simulation }.live();
    assert!(simulated.busiest(ms(105), simulated.took) <= 100);
    let used = simulated.between(SECOND, Duration::from_secs(9));
    assert!((785..=800).contains(&used), "{used} in eight seconds");
}

#[test]
fn the_other_windows_of_the_contract_hold_beside_a_pace() {
    let simulation = Simulation::new(1000, "50/s,300/m").paced(SECOND, "20/s");
    let simulated = Simulation { until: Duration::from_secs(75), ..simulation }.live();
    let minute = Duration::from_secs(60);
    assert!(simulated.between(Duration::ZERO, minute) <= 300);
    assert!(simulated.busiest(SECOND + ms(5), simulated.took) <= 20);
}

#[test]
fn a_stop_that_is_asked_for_ends_a_run_as_soon_as_its_calls_in_flight_have_ended() {
    let at = Duration::from_secs(3);
    for (what, rates, server) in [
        ("at full speed", "2000/s", healthy as Server),
        ("at a very low rate", "6/m", healthy),
        ("during an outage", "2000/s", away),
        ("with rows that wait for a retry", "2000/s", busy),
    ] {
        let simulation = Simulation { server, ..Simulation::new(20_000, rates) };
        let simulated = simulation.stopped(at).live();
        assert!(simulated.took <= at + CALL + COMMIT * 3, "{what}: {:?}", simulated.took);
        assert_eq!(simulated.between(at, simulated.took), 0, "{what}");
        let stop = simulated.run.stop.as_deref();
        assert_eq!(stop, Some("STOP_REQUESTED"), "{what}");
        let recorded = |(kind, detail): &(String, String)| {
            kind == EventKind::StopRequested.as_str() && detail == "by someone"
        };
        assert!(simulated.events.iter().any(recorded), "{what}: {:?}", simulated.events);
    }
}

#[test]
fn a_stop_that_is_asked_for_before_the_first_call_lets_none_start() {
    let simulated = Simulation::new(100, "2000/s").stopped(Duration::ZERO).live();
    assert!(simulated.calls.is_empty(), "{:?}", simulated.calls);
    assert_eq!(simulated.run.left(), 100);
}

#[test]
fn a_stop_that_is_asked_for_after_the_last_row_has_ended_changes_nothing() {
    let simulated = Simulation::new(10, "2000/s").stopped(Duration::from_secs(60)).live();
    assert!(simulated.run.has_ended() && simulated.run.stop.is_none());
    assert!(simulated.events.iter().all(|(kind, _)| kind != EventKind::StopRequested.as_str()));
}
