//! Whole nights in virtual time, from a seed: the real wheel, pace and ledger
//! against a simulated server that loses answers and whose tokens die, and a process
//! that dies at any moment. What must always hold is checked at every call and at the end.
//!
//! `NIGHT_SEED=17 cargo test --test night` replays one night.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::time::Duration;

use cardcancel::engine::{Event, Now, Plan, Times, ToSend, Wheel};
use cardcancel::gate::brake::Limits;
use cardcancel::gate::pace::Pace;
use cardcancel::gate::rate::{Per, Rate, Rates};
use cardcancel::gate::renewal::{Fetched, Renewal};
use cardcancel::intake::{Enrolment, Standing};
use cardcancel::ledger::{Ending, Ledger, Run, Sqlite, Staked, Start, Turned};
use cardcancel::order::{Order, OwnCode, RowNumber};
use cardcancel::outcome::{self, AnswerRules, Body, OnDoubt, Reply, Seen, Status};
use common::Chance;
use jiff::Timestamp;

const NIGHTS: u64 = 60;
const RATE: u32 = 40;
const CONCURRENCY: u32 = 12;

#[test]
fn every_night_ends_with_one_true_result_a_row() {
    let nights = match std::env::var("NIGHT_SEED") {
        Ok(seed) => vec![seed.parse().expect("NIGHT_SEED is a number")],
        Err(_) => (1..=NIGHTS).collect(),
    };
    for seed in nights {
        let folder = tempfile::tempdir().unwrap();
        Night::new(seed, &folder.path().join("ledger.db")).live();
    }
}

/// The server: what it did is the truth that results are held against.
#[derive(Default)]
struct Server {
    cancelled: BTreeSet<Order>,
    arrivals: Vec<Duration>,
    /// When each token that it issued dies.
    tokens: Vec<Duration>,
}

/// A token, by its place among those that were issued.
type Token = usize;

impl Server {
    /// Takes a call in; says what the caller sees of it, or nothing for an answer lost.
    fn take(&mut self, order: Order, token: Token, at: Duration, chance: &mut Chance) -> Seen {
        self.arrivals.push(at);
        if self.tokens.get(token).is_none_or(|dies_at| at >= *dies_at) {
            return answer(401, None);
        }
        let lost = || Seen::Lost { code: OwnCode::ConnectionLost, detail: "lost".to_owned() };
        match chance.below(20) {
            0 => lost(),
            1 => {
                self.cancelled.insert(order);
                lost()
            }
            2 => answer(503, None),
            3 => Seen::NotSent { code: OwnCode::Connect, detail: "refused".to_owned() },
            4 => {
                self.cancelled.insert(order);
                answer(500, None)
            }
            _ if order.admin_number % 10 == 7 => answer(200, Some(false)),
            _ => answer(200, Some(self.cancelled.insert(order))),
        }
    }
}

fn answer(http_status: u16, status: Option<bool>) -> Seen {
    let retry_after = (http_status == 503).then_some(Duration::from_millis(300));
    let body = Body::Answer { status, error_code: Some("ERR".to_owned()), message: None };
    Seen::Reply(Reply { http_status, retry_after, body })
}

/// What is under way, by the time at which it comes about.
enum Due {
    /// A call that was given out may start, if it is not off by then.
    Starts(ToSend, u64),
    Arrives(Staked, Token, Duration),
    Ends(Staked, Token, Ending, Duration),
    Fetched(Fetched),
    Turned(Turned),
    Wakes,
}

struct Night<'a> {
    chance: Chance,
    path: &'a Path,
    server: Server,
    clock: Duration,
    /// Rows that a committed turn has ended: none may be sent again.
    ended: BTreeSet<RowNumber>,
    /// Rows one of whose answers nobody recorded.
    doubtful: BTreeSet<RowNumber>,
    sent: HashMap<RowNumber, u32>,
    seed: u64,
    /// On some nights the first rows go one at a time; if they fail, it is started again.
    canary: Option<u32>,
    lives: Lives,
    /// On some nights there is no rate, and calls wait for their turn.
    rate: Option<u32>,
    /// What calls carry now.
    token: Token,
    /// Tokens of which the wheel knows that they were refused.
    refused: BTreeSet<Token>,
}

/// How long the tokens of a night live.
#[derive(Clone, Copy, PartialEq)]
enum Lives {
    ForEver,
    /// They die, and nobody knows when.
    Untold,
    /// They die when they were said to.
    Told,
}

impl<'a> Night<'a> {
    fn new(seed: u64, path: &'a Path) -> Night<'a> {
        Night {
            chance: Chance::from(seed),
            path,
            server: Server::default(),
            clock: Duration::from_secs(1),
            ended: BTreeSet::new(),
            doubtful: BTreeSet::new(),
            sent: HashMap::new(),
            seed,
            canary: seed.is_multiple_of(3).then_some(5),
            lives: match seed % 4 {
                1 => Lives::Untold,
                2 => Lives::Told,
                _ => Lives::ForEver,
            },
            rate: (!seed.is_multiple_of(5)).then_some(RATE),
            token: 0,
            refused: BTreeSet::new(),
        }
    }

    fn wall(&self) -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap() + self.clock
    }

    fn live(mut self) {
        let rows = 20 + self.chance.below(60) as u32;
        let mut run = self.open(rows);
        let mut deaths = self.chance.below(6);
        while !run.has_ended() {
            let dies_after = match deaths {
                0 => None,
                _ => Some(self.chance.below(400)),
            };
            deaths = deaths.saturating_sub(1);
            run = self.work(&run, dies_after);
            self.clock += Duration::from_millis(self.chance.below(3000));
        }
        self.check(&run);
    }

    /// Calls carry a new token from now on; says how long it is said to live.
    fn fetch(&mut self) -> Option<Duration> {
        self.token = self.server.tokens.len();
        if self.lives == Lives::ForEver {
            self.server.tokens.push(Duration::MAX);
            return None;
        }
        let life = Duration::from_millis(300 + self.chance.below(4000));
        self.server.tokens.push(self.clock + life);
        (self.lives == Lives::Told).then_some(life)
    }

    fn open(&mut self, rows: u32) -> Run {
        let new = common::new_run(self.wall());
        let mut lines = (1..=rows).map(|row| {
            let order = Order { admin_number: 1000 + i64::from(row), sequence_number: 1 };
            let standing = Standing::ToSend { doubt: false };
            Ok(Enrolment {
                row: RowNumber(row),
                line: u64::from(row) + 1,
                order: Some(order),
                standing,
                place: row,
            })
        });
        Sqlite::open(self.path).unwrap().enrol(new, &mut lines, &[]).unwrap()
    }

    /// One process's life: until the run is at rest, or it dies after so many steps.
    fn work(&mut self, run: &Run, dies_after: Option<u64>) -> Run {
        let mut ledger = Sqlite::open(self.path).unwrap();
        let on_doubt = OnDoubt::Retry;
        let start = Start {
            at: self.wall(),
            cut_off: None,
            rates: String::new(),
            joins: false,
            again: false,
            on_doubt,
        };
        let begun = ledger.start(run, start).unwrap();
        let plan = Plan {
            concurrency: CONCURRENCY,
            attempts: 3,
            on_doubt,
            last_start: None,
            limits: Limits { canary: self.canary, ..Limits::default() },
            max_outage: Duration::from_secs(900),
            most_a_second: self.rate,
        };
        let lifetime = self.fetch();
        let mut wheel = Wheel::new(plan, run.counts, begun).renewing(Renewal::of(lifetime));
        let rates = self.rate.map(|calls| Rates::from(Rate { calls, per: Per::Second }));
        let mut pace = Pace::new(&rates.unwrap_or_else(|| "unlimited".parse().unwrap()));
        let mut due: BTreeMap<(Duration, u64), Due> = BTreeMap::new();
        due.insert((self.clock, 0), Due::Wakes);
        let started = self.clock;
        let mut recalled = 0;
        for step in 1.. {
            let Some(((at, _), what)) = due.pop_first() else {
                panic!("seed {}: the wheel stands still", self.seed)
            };
            self.clock = self.clock.max(at);
            let events = match what {
                Due::Starts(ToSend { staked, before, .. }, given) => {
                    let is_late = before.is_some_and(|before| started + before < self.clock);
                    if given > recalled && !is_late {
                        self.send(staked, &mut due, step);
                        continue;
                    }
                    Some(Event::Missed { staked, noted: Duration::ZERO })
                }
                Due::Arrives(staked, token, sent) => {
                    self.arrive(staked, token, sent, &mut due, step);
                    continue;
                }
                Due::Ends(staked, token, ending, sent) => {
                    if ending.outcome.http_status == Some(401) {
                        self.refused.insert(token);
                    }
                    let (noted, ended) = (sent - started, self.clock - started);
                    let times = Times { noted, started: noted, ended };
                    Some(Event::Ended { staked, ending, times })
                }
                Due::Fetched(Fetched::Renewed(_)) => {
                    Some(Event::Fetched(Fetched::Renewed(self.fetch())))
                }
                Due::Fetched(failed) => Some(Event::Fetched(failed)),
                Due::Turned(turned) => Some(Event::Turned(turned)),
                Due::Wakes => None,
            };
            let now = Now { since_start: self.clock - started, wall: self.wall() };
            let commands = wheel.on(events, now);
            assert!(wheel.in_flight() <= CONCURRENCY);
            if commands.recall {
                recalled = step - 1;
            }
            for to_send in commands.send {
                let waits = if to_send.at_once { 0 } else { self.chance.below(30_000) };
                let at = self.clock + Duration::from_micros(waits);
                let row = u64::from(to_send.staked.row().0);
                due.insert((at, step << 20 | row), Due::Starts(to_send, step));
            }
            if dies_after == Some(step) {
                self.die(due);
                return ledger.find("key").unwrap().unwrap();
            }
            if let Some(turn) = commands.turn {
                let turned = ledger.turn(turn, &mut |b, wish| pace.allot(b, wish)).unwrap();
                self.note_ended(&mut ledger, run);
                let took = Duration::from_micros(100 + self.chance.below(30_000));
                due.insert((self.clock + took, step), Due::Turned(turned));
            }
            if commands.renew {
                let failed = self.chance.per_cent(20);
                let fetched = if failed { Fetched::Failed } else { Fetched::Renewed(None) };
                let took = Duration::from_millis(1 + self.chance.below(60));
                due.insert((self.clock + took, step << 20), Due::Fetched(fetched));
            }
            if commands.finished {
                let for_credentials = wheel.stop() == Some(OwnCode::Credentials);
                let is_refused = self.refused.contains(&self.token);
                assert!(!for_credentials || is_refused, "seed {}: stopped too soon", self.seed);
                return ledger.rest(self.wall(), wheel.stop()).unwrap();
            }
            due.retain(|_, what| !matches!(what, Due::Wakes));
            if let Some(wake_at) = commands.wake_at {
                due.insert((started + wake_at, u64::MAX), Due::Wakes);
            }
        }
        unreachable!()
    }

    fn send(&mut self, staked: Staked, due: &mut BTreeMap<(Duration, u64), Due>, step: u64) {
        let row = staked.row();
        assert!(!self.refused.contains(&self.token), "seed {}: sent with a dead token", self.seed);
        assert!(!self.ended.contains(&row), "seed {}: row {row} was sent again", self.seed);
        *self.sent.entry(row).or_default() += 1;
        let way = Duration::from_micros(self.chance.below(3_000));
        due.insert(
            (self.clock + way, step << 20 | u64::from(row.0)),
            Due::Arrives(staked, self.token, self.clock),
        );
    }

    fn arrive(
        &mut self,
        staked: Staked,
        token: Token,
        sent: Duration,
        due: &mut BTreeMap<(Duration, u64), Due>,
        step: u64,
    ) {
        let seen = self.server.take(staked.order(), token, self.clock, &mut self.chance);
        let outcome = outcome::classify(seen, &AnswerRules::default());
        if outcome.meaning.leaves_doubt() {
            self.doubtful.insert(staked.row());
        }
        let took = Duration::from_micros(500 + self.chance.below(80_000));
        let ending = Ending { sent_at: self.wall(), ended_at: self.wall() + took, outcome };
        let key = (self.clock + took, step << 20 | u64::from(staked.row().0));
        due.insert(key, Due::Ends(staked, token, ending, sent));
    }

    /// The process dies: calls on their way arrive all the same, nobody hears the answers.
    fn die(&mut self, due: BTreeMap<(Duration, u64), Due>) {
        for ((at, _), what) in due {
            match what {
                Due::Arrives(staked, token, _) => {
                    self.server.take(staked.order(), token, at, &mut self.chance);
                    self.doubtful.insert(staked.row());
                }
                Due::Ends(staked, ..) => {
                    self.doubtful.insert(staked.row());
                }
                // What was staked is in doubt, though it has not started.
                Due::Starts(ToSend { staked, .. }, _) => {
                    self.doubtful.insert(staked.row());
                }
                Due::Turned(_) | Due::Fetched(_) | Due::Wakes => {}
            }
        }
        let some = self.chance.per_cent(50);
        self.clock += Duration::from_millis(if some { 5 } else { 700 });
    }

    fn note_ended(&mut self, ledger: &mut Sqlite, run: &Run) {
        for record in common::records(ledger, run) {
            if !matches!(record.status, Status::NotSent | Status::InDoubt) {
                self.ended.insert(record.row);
            }
        }
    }

    fn check(self, run: &Run) {
        let seed = self.seed;
        let mut ledger = Sqlite::open(self.path).unwrap();
        let orders = ledger.orders(run).unwrap();
        let records = common::records(&mut ledger, run);
        assert_eq!(records.len() as u64, run.rows, "seed {seed}: one result a row");
        assert_eq!(run.counts.total(), run.rows, "seed {seed}: counts add up");
        for (record, row) in records.iter().zip(1..) {
            assert_eq!(record.row, RowNumber(row), "seed {seed}: in input order");
            let done = self.server.cancelled.contains(&orders[&record.row]);
            let told = format!("seed {seed}: row {row} is {} ({done})", record.status);
            match record.status {
                Status::Cancelled => assert!(done, "{told}"),
                Status::Rejected | Status::Failed if !record.doubt => assert!(!done, "{told}"),
                Status::Rejected | Status::InDoubt => {}
                _ => panic!("{told}"),
            }
            assert_ne!(record.error_code, "HTTP_401", "{told}");
            if self.doubtful.contains(&record.row) {
                assert!(record.doubt, "{told}, and the lost answer is not told");
            }
            let sent = self.sent.get(&record.row).copied().unwrap_or(0);
            assert!(record.attempts >= sent, "{told}: sent {sent} times");
        }
        let mut arrivals = self.server.arrivals;
        arrivals.sort();
        for (first, arrival) in arrivals.iter().enumerate() {
            let within = arrivals[first..].iter().take_while(|a| **a - *arrival <= SECOND).count();
            let most = self.rate.unwrap_or(u32::MAX) as usize;
            assert!(within <= most, "seed {seed}: {within} calls in a second");
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);
