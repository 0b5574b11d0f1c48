//! The server's limits and its outages in virtual time, from a seed: the real scheduler,
//! pace and ledger against model servers.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::common::Rng;
use cardcancel::engine::{CallTimings, Dispatch, Event, Now, RunPolicy, Scheduler};
use cardcancel::identity::Identity;
use cardcancel::ledger::{
    AttemptEnd, ClaimedRow, CommitOutcome, FinishOptions, Ledger, Purpose, RowRecord, Run, Sqlite,
    StartOptions,
};
use cardcancel::model::{
    AnswerRules, CallResult, HttpResponse, OnDoubt, ReasonCode, ResponseBody, RowNumber, Status,
    classify,
};
use cardcancel::policy::pacer::Pacer;
use cardcancel::policy::rate::Rates;
use cardcancel::policy::stop_rules::StopRuleSettings;
use jiff::Timestamp;

const SECOND: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long the ledger takes for a commit.
const COMMIT: Duration = Duration::from_millis(3);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// How long a call takes, including the network.
#[derive(Clone, Copy)]
enum Load {
    Constant(u64),
    Uniform(u64, u64),
    Exponential(u64),
}

impl Load {
    fn draw(self, rng: &mut Rng) -> Duration {
        match self {
            Load::Constant(time) => ms(time),
            Load::Uniform(from, to) => ms(from) + ms(to - from).mul_f64(rng.share()),
            Load::Exponential(mean) => ms(mean).mul_f64(-(1.0 - rng.share()).ln()),
        }
    }
}

/// The capacity of a server.
enum Limit {
    None,
    /// This many calls in any closed second.
    InASecond(usize, VecDeque<Duration>),
    /// A token bucket: calls a second, and the size of the bucket.
    Bucket {
        rate: f64,
        most: f64,
        tokens: f64,
        at: Duration,
    },
    /// A server with a queue: calls a second.
    Queue {
        each: Duration,
        free_at: Duration,
    },
}

impl Limit {
    /// How long a call that arrives now has to wait; `None` if it is throttled.
    fn take(&mut self, now: Duration) -> Option<Duration> {
        match self {
            Limit::None => Some(Duration::ZERO),
            Limit::InASecond(most, accepted) => {
                while accepted.pop_front_if(|at| *at + SECOND < now).is_some() {}
                let fits = accepted.len() < *most;
                fits.then(|| accepted.push_back(now)).map(|()| Duration::ZERO)
            }
            Limit::Bucket { rate, most, tokens, at } => {
                *tokens = (*tokens + (now - *at).as_secs_f64() * *rate).min(*most);
                *at = now;
                (*tokens >= 1.0).then(|| *tokens -= 1.0).map(|()| Duration::ZERO)
            }
            Limit::Queue { each, free_at } => {
                *free_at = now.max(*free_at) + *each;
                Some(*free_at - now)
            }
        }
    }
}

/// How a server fails while it is away.
#[derive(Clone, Copy, PartialEq)]
enum ServerFault {
    Refuses,
    Hangs,
    Says(u16),
}

struct LimitedServer {
    work: Load,
    limit: Limit,
    retry_after: Option<Duration>,
    /// The time in which the server is away.
    away: Option<(ServerFault, Duration, Duration)>,
    /// A row that it never answers.
    broken: Option<u32>,
    rng: Rng,
    /// Calls in each second of the run: those done, those throttled, all others.
    seconds: Vec<[u32; 3]>,
    calls: u32,
}

impl LimitedServer {
    fn that(work: Load, limit: Limit) -> LimitedServer {
        let rng = Rng::from(17);
        LimitedServer {
            work,
            limit,
            retry_after: None,
            away: None,
            broken: None,
            rng,
            seconds: Vec::new(),
            calls: 0,
        }
    }

    /// The result that the caller gets, and after how long.
    fn take(&mut self, row: RowNumber, now: Duration) -> (CallResult, Duration) {
        self.calls += 1;
        let way = ms(1);
        let lost = CallResult::Lost { code: ReasonCode::Timeout, detail: "timed out".to_owned() };
        let (which, seen, took) =
            match self.away.filter(|(_, from, to)| (*from..*to).contains(&now)) {
                Some((ServerFault::Refuses, ..)) => (
                    2,
                    CallResult::NotSent { code: ReasonCode::Connect, detail: "refused".to_owned() },
                    way,
                ),
                Some((ServerFault::Hangs, ..)) => (2, lost, TIMEOUT),
                Some((ServerFault::Says(status), ..)) => {
                    (2, answer(status, None, self.retry_after), way)
                }
                None if self.broken == Some(row.0) => (2, lost, TIMEOUT),
                None => match self.limit.take(now) {
                    Some(wait) => {
                        (0, answer(200, Some(true), None), wait + self.work.draw(&mut self.rng))
                    }
                    None => (1, answer(429, None, self.retry_after), way),
                },
            };
        let second = now.as_secs() as usize;
        self.seconds.resize(self.seconds.len().max(second + 1), [0; 3]);
        self.seconds[second][which] += 1;
        (seen, took)
    }

    /// Calls done and calls throttled in these seconds, the end excluded.
    fn in_seconds(&self, from: usize, to: usize) -> (f64, f64) {
        let seconds = &self.seconds[from..to];
        let all = |which: usize| seconds.iter().map(|counts| f64::from(counts[which])).sum::<f64>();
        (all(0), all(1))
    }
}

fn answer(http_status: u16, status: Option<bool>, retry_after: Option<Duration>) -> CallResult {
    let body = ResponseBody::Api { status, error_code: Some("ERR".to_owned()), message: None };
    CallResult::Response(HttpResponse { http_status, retry_after, body })
}

/// Pending events, by the time at which they are due.
enum ServerDue {
    Ends(ClaimedRow, AttemptEnd, Duration),
    Committed(CommitOutcome),
    Wakes,
}

/// A run that has ended.
struct LimitSimulation {
    server: LimitedServer,
    run: Run,
    took: Duration,
    commits: u32,
    records: Vec<RowRecord>,
}

impl LimitSimulation {
    fn count(&self, status: Status) -> u64 {
        self.run.counts.get(status)
    }

    /// What a test requires of a run at a server with a capacity of 1,000 a second.
    #[track_caller]
    fn uses_a_thousand_a_second(&self) {
        let end = self.took.as_secs() as usize;
        let (done, throttled) = self.server.in_seconds(5, end);
        let used = done / (1000.0 * (end - 5) as f64);
        assert!(used >= 0.95, "{used:.3} of the capacity was used");
        let share = throttled / (done + throttled);
        assert!(share <= 0.01, "{share:.4} of the calls were throttled");
        let whole = f64::from(u32::try_from(self.run.rows).unwrap()) / 1000.0;
        assert!(whole / self.took.as_secs_f64() >= 0.9, "it took {:?} in all", self.took);
        assert_eq!(self.count(Status::Cancelled), self.run.rows);
    }
}

fn plan() -> RunPolicy {
    RunPolicy {
        concurrency: 256,
        attempts: 3,
        on_doubt: OnDoubt::Retry,
        last_start: None,
        stop_rules: StopRuleSettings::default(),
        max_outage: Duration::from_secs(900),
        max_per_second: Some(5000),
    }
}

/// A run of this many rows at this server, with at most 5,000 calls a second.
fn live(rows: u32, server: LimitedServer) -> LimitSimulation {
    live_by(plan(), rows, server)
}

fn live_by(plan: RunPolicy, rows: u32, mut server: LimitedServer) -> LimitSimulation {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Sqlite::open(&folder.path().join("ledger.db")).unwrap();
    let wall = |clock: Duration| Timestamp::from_second(1_800_000_000).unwrap() + clock;
    let run = crate::common::create_run(&mut ledger, rows, wall(Duration::ZERO));
    let on_doubt = plan.on_doubt;
    let start = StartOptions {
        at: wall(Duration::ZERO),
        cut_off: None,
        rates: String::new(),
        joins: false,
        again: false,
        on_doubt,
        by: Identity::of_this_process(),
        purpose: Purpose::default(),
        configuration: String::new(),
    };
    let begun = ledger.start(&run, start).unwrap();
    let rates: Rates =
        plan.max_per_second.map_or("unlimited".to_owned(), |n| format!("{n}/s")).parse().unwrap();
    let mut pace = Pacer::new(&rates);
    let mut scheduler = Scheduler::new(plan, run.counts, begun);
    let mut due: BTreeMap<(Duration, u64), ServerDue> = BTreeMap::new();
    due.insert((Duration::ZERO, 0), ServerDue::Wakes);
    let mut clock = Duration::ZERO;
    let mut commits = 0;
    for step in 1u64.. {
        let Some(((at, _), what)) = due.pop_first() else { panic!("the scheduler stands still") };
        clock = clock.max(at);
        let events = match what {
            ServerDue::Ends(claimed, ending, started) => {
                let times = CallTimings { dispatched_at: started, started, ended: clock };
                Some(Event::Ended { claimed, ending, times })
            }
            ServerDue::Committed(outcome) => Some(Event::Committed(outcome)),
            ServerDue::Wakes => None,
        };
        let actions = scheduler.handle(events, Now { since_start: clock, wall: wall(clock) });
        for Dispatch { claimed, .. } in actions.dispatch {
            let (seen, took) = server.take(claimed.row(), clock);
            let outcome = classify(seen, &AnswerRules::default());
            let ending = AttemptEnd { sent_at: wall(clock), ended_at: wall(clock + took), outcome };
            let key = (clock + took, step << 20 | u64::from(claimed.row().0));
            due.insert(key, ServerDue::Ends(claimed, ending, clock));
        }
        if let Some(commit) = actions.commit {
            let outcome = ledger.commit(commit, &mut |b, wish| pace.allocate(b, wish)).unwrap();
            due.insert((clock + COMMIT, step << 20), ServerDue::Committed(outcome));
            commits += 1;
        }
        if actions.finished {
            let run = ledger
                .finish(FinishOptions {
                    at: wall(clock),
                    stop: scheduler.stop_code(),
                    events: Vec::new(),
                })
                .unwrap();
            let records = crate::common::records(&mut ledger, &run);
            return LimitSimulation { server, run, took: clock, commits, records };
        }
        due.retain(|_, what| !matches!(what, ServerDue::Wakes));
        if let Some(wake_at) = actions.wake_at {
            due.insert((wake_at, u64::MAX), ServerDue::Wakes);
        }
    }
    unreachable!()
}

fn in_a_second() -> Limit {
    Limit::InASecond(1000, VecDeque::new())
}

#[test]
fn a_server_that_counts_by_the_second_and_asks_for_a_pause_is_used_to_the_full() {
    let server = LimitedServer {
        retry_after: Some(SECOND),
        ..LimitedServer::that(Load::Constant(20), in_a_second())
    };
    live(20_000, server).uses_a_thousand_a_second();
}

#[test]
fn a_server_that_counts_by_the_second_and_asks_for_no_pause_is_used_to_the_full() {
    live(20_000, LimitedServer::that(Load::Uniform(20, 200), in_a_second()))
        .uses_a_thousand_a_second();
}

#[test]
fn a_server_that_fills_a_bucket_is_used_to_the_full() {
    let limit = Limit::Bucket { rate: 1000.0, most: 100.0, tokens: 100.0, at: Duration::ZERO };
    live(20_000, LimitedServer::that(Load::Constant(20), limit)).uses_a_thousand_a_second();
}

#[test]
fn a_server_whose_calls_queue_is_used_to_the_full() {
    let limit = Limit::Queue { each: ms(1), free_at: Duration::ZERO };
    live(20_000, LimitedServer::that(Load::Constant(20), limit)).uses_a_thousand_a_second();
}

#[test]
fn a_healthy_server_is_sent_all_that_the_contract_allows_however_its_answers_vary() {
    for work in [Load::Exponential(100), Load::Constant(20), Load::Uniform(20, 200)] {
        let plan = RunPolicy { max_per_second: Some(1000), ..plan() };
        let simulation = live_by(plan, 20_000, LimitedServer::that(work, Limit::None));
        assert!(simulation.took < Duration::from_millis(21_500), "{:?}", simulation.took);
    }
}

#[test]
fn without_a_pace_the_ledger_rests_half_of_its_time_and_calls_hardly_wait_for_it() {
    let plan = RunPolicy { max_per_second: None, ..plan() };
    let simulation = live_by(plan, 20_000, LimitedServer::that(Load::Uniform(10, 30), Limit::None));
    let busy = (COMMIT * simulation.commits).div_duration_f64(simulation.took);
    assert!(busy < 0.55, "the ledger was busy for {busy:.2} of the time");
    let calls_at_once = 20_000.0 * 0.020 / simulation.took.as_secs_f64();
    assert!(calls_at_once > 180.0, "{calls_at_once:.0} of 256 rows were being called");
}

#[test]
fn after_an_outage_the_rate_is_soon_back() {
    for fault in [
        ServerFault::Refuses,
        ServerFault::Hangs,
        ServerFault::Says(503),
        ServerFault::Says(500),
        ServerFault::Says(429),
    ] {
        let (from, to) = (Duration::from_secs(8), Duration::from_secs(100));
        let mut server = LimitedServer::that(Load::Constant(20), in_a_second());
        server.away = Some((fault, from, to));
        let simulation = live(25_000, server);
        let (done, _) = simulation.server.in_seconds(110, 112);
        assert!(done >= 1800.0, "{done} in the two seconds after the ten that it may take");
        assert_eq!(simulation.count(Status::Cancelled), 25_000);
    }
}

#[test]
fn after_a_time_of_nothing_but_429_the_rate_is_soon_back_whenever_it_ends() {
    for (seconds, retry_after) in [(12, None), (13, Some(1)), (17, None), (20, Some(2)), (31, None)]
    {
        let mut server = LimitedServer::that(Load::Constant(20), in_a_second());
        server.retry_after = retry_after.map(Duration::from_secs);
        server.away = Some((ServerFault::Says(429), ms(5300), ms(1000 * seconds - 130)));
        let simulation = live(18_000, server);
        let ten_later = seconds as usize + 10;
        let (done, _) = simulation.server.in_seconds(ten_later, ten_later + 1);
        assert!(done >= 900.0, "{done} ten seconds after it was over, at {seconds} s");
        assert_eq!(simulation.count(Status::Cancelled), 18_000);
    }
}

#[test]
fn an_outage_costs_few_calls_and_no_row() {
    for fault in
        [ServerFault::Refuses, ServerFault::Hangs, ServerFault::Says(503), ServerFault::Says(502)]
    {
        let mut server = LimitedServer::that(Load::Constant(20), Limit::None);
        server.away = Some((fault, Duration::ZERO, Duration::from_secs(800)));
        let plan = RunPolicy { attempts: 1, max_per_second: None, ..plan() };
        let plan = match fault {
            ServerFault::Hangs => RunPolicy { attempts: 3, ..plan },
            _ => plan,
        };
        let simulation = live_by(plan, 2_000, server);
        assert!(simulation.server.calls <= 2_200, "{} calls", simulation.server.calls);
        assert!(simulation.count(Status::Cancelled) > 1_990, "{:?}", simulation.run.counts);
    }
}

#[test]
fn an_outage_that_lasts_too_long_stops_the_run_and_nothing_is_lost() {
    let mut server = LimitedServer::that(Load::Constant(20), Limit::None);
    server.away = Some((ServerFault::Refuses, Duration::from_secs(1), Duration::MAX));
    let plan = RunPolicy { max_outage: Duration::from_secs(60), ..plan() };
    let simulation = live_by(plan, 10_000, server);
    assert_eq!(simulation.run.stop.as_deref(), Some("OUTAGE"));
    assert!((60..64).contains(&simulation.took.as_secs()), "{:?}", simulation.took);
    let not_sent =
        simulation.records.iter().filter(|record| record.status == Status::NotSent).count();
    assert_eq!(not_sent as u64 + simulation.count(Status::Cancelled), 10_000);
    assert!(not_sent > 0);
}

#[test]
fn one_broken_row_among_good_answers_holds_nobody_up() {
    let server = LimitedServer {
        broken: Some(10_000),
        ..LimitedServer::that(Load::Constant(20), Limit::None)
    };
    let plan = RunPolicy { max_per_second: Some(1000), ..plan() };
    let simulation = live_by(plan, 10_000, server);
    assert_eq!(simulation.count(Status::InDoubt), 1);
    assert_eq!(simulation.run.stop, None);
    let (done, _) = simulation.server.in_seconds(0, 10);
    assert!(done >= 9_800.0, "{done}");
}
