//! Runs in virtual time: the real reader, scheduler, pacer and ledger, several processes in
//! parallel on one ledger, each of which may die at any time; the server is simulated.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::time::Duration;

use cardcancel::engine::{CallTimings, Dispatch, Event, Now, RunPolicy, Scheduler};
use cardcancel::identity::Identity;
use cardcancel::input::{self, Expected, Input, InputError, ReadOptions};
use cardcancel::ledger::{
    AttemptEnd, ClaimedRow, CommitOutcome, FinishOptions, Ledger, NewRun, Purpose, RowRecord, Run,
    RunLock, Sqlite, StartOptions,
};
use cardcancel::model::{
    AnswerRules, CallResult, CodeMap, CodeMapping, HttpResponse, OnDoubt, Order, ReasonCode,
    ResponseBody, RowNumber, Status, classify,
};
use cardcancel::policy::credential_refresh::{RefreshOutcome, RefreshSchedule};
use cardcancel::policy::pacer::Pacer;
use cardcancel::policy::rate::{Period, Rate, Rates};
use cardcancel::policy::stop_rules::StopRuleSettings;
use jiff::Timestamp;

use super::files::{OrderFile, some_orders};
use super::history::{self, Call, Ended, History, Received, ReportedRow};
use crate::common::{self, Rng};

const RATE: u32 = 40;
const CONCURRENCY: u32 = 12;
const SECOND: Duration = Duration::from_secs(1);
/// A simulation that takes more steps than this does not end.
const MOST_STEPS: u64 = 200_000;

/// Runs one simulation, and returns its history.
pub fn live(rng: Rng, seed: u64) -> History {
    let folder = super::folder();
    VirtualSimulation::new(seed, rng, folder.path()).live()
}

/// The server. Results are compared with what it did.
#[derive(Default)]
struct VirtualServer {
    cancelled: BTreeSet<Order>,
    arrivals: Vec<Duration>,
    /// When each issued token expires.
    tokens: Vec<Duration>,
}

/// A token, by its index among those issued.
type TokenIndex = usize;

/// The server's result for a call.
struct Taken {
    seen: CallResult,
    received: Received,
    cancelled: bool,
}

impl VirtualServer {
    fn take(&mut self, order: Order, token: TokenIndex, at: Duration, rng: &mut Rng) -> Taken {
        self.arrivals.push(at);
        if self.tokens.get(token).is_none_or(|dies_at| at >= *dies_at) {
            return Taken {
                seen: answer(401, None, "401"),
                received: Received::No,
                cancelled: false,
            };
        }
        // Of ten orders, one is printed and one was cancelled long ago.
        let refusal = match order.admin_number % 10 {
            3 if order.sequence_number == 1 => Some("PRINTED"),
            5 => Some("LONG_CANCELLED"),
            _ => None,
        };
        let fault = rng.below(20);
        let acts = refusal.is_none() && !matches!(fault, 0 | 2 | 3 | 6);
        let cancelled = acts && self.cancelled.insert(order);
        let lost = CallResult::Lost { code: ReasonCode::ConnectionLost, detail: "lost".to_owned() };
        let refused =
            CallResult::NotSent { code: ReasonCode::Connect, detail: "refused".to_owned() };
        let (seen, received) = match fault {
            0 | 1 => (lost, Received::Lost),
            2 | 7 => (answer(503, None, "BUSY"), Received::Lost),
            3 => (refused, Received::No),
            4 => (answer(500, None, "ERR"), Received::Lost),
            5 => (answer(200, None, "ERR"), Received::Lost),
            6 => (answer(429, None, "SLOWER"), Received::No),
            _ if cancelled => (answer(200, Some(true), "ERR01160"), Received::Yes),
            _ => (answer(200, Some(false), refusal.unwrap_or("CANCELLED_BEFORE")), Received::No),
        };
        Taken { seen, received, cancelled }
    }
}

fn answer(http_status: u16, status: Option<bool>, code: &str) -> CallResult {
    let asks_to_wait = matches!(http_status, 429 | 503);
    let retry_after = asks_to_wait.then_some(Duration::from_millis(300));
    let body = ResponseBody::Api { status, error_code: Some(code.to_owned()), message: None };
    CallResult::Response(HttpResponse { http_status, retry_after, body })
}

/// The configured meaning of a code, whether right or wrong.
fn rules(rng: &mut Rng) -> AnswerRules {
    let codes = match rng.below(3) {
        0 => vec![],
        1 => vec![("LONG_*", CodeMapping::AlreadyCancelled)],
        _ => {
            vec![("PRINTED", CodeMapping::AlreadyCancelled), ("LONG_CANCELLED", CodeMapping::Retry)]
        }
    };
    let codes = codes.into_iter().map(|(code, meaning)| (code.to_owned(), meaning)).collect();
    AnswerRules { codes: CodeMap(codes), ..AnswerRules::default() }
}

/// How long the tokens of a simulation live.
#[derive(Clone, Copy, PartialEq)]
enum Lives {
    ForEver,
    /// They expire at an unknown time.
    Unannounced,
    /// They expire at the announced time.
    Reported,
}

/// A request to run this file, again if its run has ended.
#[derive(Debug, Clone, Copy)]
struct VirtualRun {
    file: usize,
    again: bool,
}

/// Pending events, by the time at which they are due.
enum ScheduledEvent {
    /// A process is started.
    Begins(VirtualRun),
    /// An event of this process, by the number of its start.
    At(usize, Happens),
}

enum Happens {
    /// A dispatched call may start, unless it is cancelled by then.
    Starts(Dispatch, u64),
    Arrives(Sent),
    Ends(Sent, Box<AttemptEnd>),
    CredentialsRefreshed(RefreshOutcome),
    Committed(Box<CommitOutcome>),
    Wakes(u64),
}

/// A call in flight.
struct Sent {
    claimed: ClaimedRow,
    token: TokenIndex,
    at: Duration,
    /// Its index in the history.
    call: usize,
}

/// A process that works on a run.
struct VirtualProcess {
    job: VirtualRun,
    run: Run,
    ledger: Sqlite,
    _lock: RunLock,
    scheduler: Scheduler,
    pace: Pacer,
    rules: AnswerRules,
    started: Duration,
    steps: u64,
    dies_after: Option<u64>,
    /// Dispatches up to this step are cancelled.
    recalled: u64,
    /// The last requested time to wake.
    wakes: u64,
    /// The token that its calls carry now.
    token: TokenIndex,
    /// Tokens that the scheduler knows to be refused.
    refused: BTreeSet<TokenIndex>,
    /// Calls that have ended for it and that no commit has recorded.
    received: Vec<usize>,
    /// Every order that it has claimed.
    claimed: BTreeSet<Order>,
    /// Rows that a commit has ended: none of them may be sent again.
    ended: BTreeMap<RowNumber, Option<Order>>,
    sent: HashMap<RowNumber, u32>,
}

struct VirtualSimulation<'a> {
    seed: u64,
    rng: Rng,
    folder: &'a Path,
    server: VirtualServer,
    clock: Duration,
    due: BTreeMap<(Duration, u64), ScheduledEvent>,
    /// The number of events so far, so that no two have the same key.
    count: u64,
    files: Vec<OrderFile>,
    /// The files that are being processed.
    at_work: BTreeSet<usize>,
    processes: BTreeMap<usize, VirtualProcess>,
    deaths: u64,
    runs: u64,
    history: History,
    /// In some simulations there is a canary; if it fails, the run is started again.
    canary: Option<u32>,
    lives: Lives,
    /// In some simulations there is no rate, and calls wait for their commit.
    rate: Option<u32>,
    on_doubt: OnDoubt,
}

impl<'a> VirtualSimulation<'a> {
    fn new(seed: u64, mut rng: Rng, folder: &'a Path) -> VirtualSimulation<'a> {
        VirtualSimulation {
            seed,
            deaths: rng.below(7),
            rng,
            folder,
            server: VirtualServer::default(),
            clock: SECOND,
            due: BTreeMap::new(),
            count: 0,
            files: Vec::new(),
            at_work: BTreeSet::new(),
            processes: BTreeMap::new(),
            runs: 0,
            history: History { is_exact: true, ..History::default() },
            canary: seed.is_multiple_of(3).then_some(5),
            lives: match seed % 4 {
                1 => Lives::Unannounced,
                2 => Lives::Reported,
                _ => Lives::ForEver,
            },
            rate: (!seed.is_multiple_of(5)).then_some(RATE),
            on_doubt: if seed.is_multiple_of(7) { OnDoubt::Leave } else { OnDoubt::Retry },
        }
    }

    fn live(mut self) -> History {
        self.plan();
        for _ in 0..MOST_STEPS {
            let Some(((at, _), what)) = self.due.pop_first() else {
                let disposition: Vec<&usize> = self.processes.keys().collect();
                assert!(disposition.is_empty(), "seed {}: {disposition:?} stand still", self.seed);
                self.check_the_rate();
                return self.history;
            };
            self.clock = self.clock.max(at);
            match what {
                ScheduledEvent::Begins(job) => self.begin(job),
                ScheduledEvent::At(id, what) => self.step(id, what),
            }
        }
        panic!("seed {}: the night does not end", self.seed)
    }

    /// Some files, and when each is run: two in parallel, one after the other, or again.
    fn plan(&mut self) {
        let most = 12 + self.rng.below(40);
        let mut at = self.clock;
        for number in 0..2 + self.rng.below(4) as usize {
            let name = format!("orders-{number}.csv");
            let orders = some_orders(&mut self.rng, most);
            let file = OrderFile::of(name, orders, &mut self.rng);
            file.put(self.folder);
            self.files.push(file);
            self.plan_job(at, VirtualRun { file: number, again: false });
            at += Duration::from_millis(self.rng.below(4000));
        }
        for _ in 0..self.rng.below(3) {
            at += Duration::from_millis(self.rng.below(9000));
            let file = self.rng.below(self.files.len() as u64) as usize;
            let again = self.rng.per_cent(50);
            self.plan_job(at, VirtualRun { file, again });
        }
    }

    fn plan_job(&mut self, at: Duration, job: VirtualRun) {
        self.put_due(at, ScheduledEvent::Begins(job));
    }

    fn put_due(&mut self, at: Duration, what: ScheduledEvent) {
        self.count += 1;
        self.due.insert((at, self.count), what);
    }

    fn wall(&self) -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap() + self.clock
    }

    /// The history's time.
    fn now(&self) -> history::Time {
        self.clock.as_nanos() as u64
    }

    /// Issues a token. Returns its announced lifetime.
    fn fetch(&mut self) -> (TokenIndex, Option<Duration>) {
        let token = self.server.tokens.len();
        if self.lives == Lives::ForEver {
            self.server.tokens.push(Duration::MAX);
            return (token, None);
        }
        let life = Duration::from_millis(300 + self.rng.below(4000));
        self.server.tokens.push(self.clock + life);
        (token, (self.lives == Lives::Reported).then_some(life))
    }

    /// A process starts to work on a file, unless another one does.
    fn begin(&mut self, job: VirtualRun) {
        if self.at_work.contains(&job.file) {
            return self.plan_job(self.clock + SECOND, job);
        }
        let id = self.history.starts.len();
        let file = &self.files[job.file];
        self.history.starts.push(history::ProcessStart {
            what: format!("{} ({:?}), {job:?}", file.name, file.damage),
            given: file.given.clone(),
            is_whole: file.damage.is_none(),
            again: job.again,
            from: self.clock.as_nanos() as u64,
            to: self.clock.as_nanos() as u64,
            ended: Ended::Refused,
        });
        let mut ledger = Sqlite::open(&self.folder.join("ledger.db")).unwrap();
        let key = file.name.clone();
        let lock = ledger.lock_run(&key).unwrap();
        let begun = ledger.find_by_key(&key).unwrap().filter(|run| !(job.again && run.has_ended()));
        let run = match begun {
            Some(run) => run,
            None => {
                self.runs += 1;
                match self.create_run(&mut ledger, job) {
                    Ok(run) => run,
                    Err(_) => return,
                }
            }
        };
        if run.has_ended() {
            return self.report_rows(id, &mut ledger, &run);
        }
        let mut process = self.start(job, run, ledger, lock);
        note_ended(&mut process);
        self.at_work.insert(job.file);
        self.processes.insert(id, process);
        self.put_due(self.clock, ScheduledEvent::At(id, Happens::Wakes(0)));
    }

    /// Reads a file as the program does, and creates a run of it.
    fn create_run(&self, ledger: &mut Sqlite, job: VirtualRun) -> Result<Run, InputError> {
        let file = &self.files[job.file];
        let path = self.folder.join(&file.name);
        let mut input = Input::open(&path, self.folder)?;
        input.expect(&Expected::default(), &path)?;
        let columns = input.columns(&ReadOptions::default())?;
        let survey = input::scan(&input, &columns, None, 0)?;
        let mut rows = input::planned_rows(&input, &columns, &survey, None)?;
        let (id, key) = (format!("run-{}", self.runs), file.name.clone());
        let new = NewRun { id, key, ..common::new_run(self.wall()) };
        Ok(ledger.create_run(new, &mut rows, &survey.orders).unwrap())
    }

    fn start(
        &mut self,
        job: VirtualRun,
        run: Run,
        mut ledger: Sqlite,
        lock: RunLock,
    ) -> VirtualProcess {
        let start = StartOptions {
            at: self.wall(),
            cut_off: None,
            rates: String::new(),
            joins: false,
            again: job.again,
            on_doubt: self.on_doubt,
            by: Identity::of_this_process(),
            purpose: Purpose::default(),
            configuration: String::new(),
        };
        let begun = ledger.start(&run, start).unwrap();
        let plan = RunPolicy {
            concurrency: CONCURRENCY,
            attempts: 3,
            on_doubt: self.on_doubt,
            last_start: None,
            stop_rules: StopRuleSettings { canary: self.canary, ..StopRuleSettings::default() },
            max_outage: Duration::from_secs(900),
            max_per_second: self.rate,
        };
        let (token, lifetime) = self.fetch();
        let rates = self.rate.map(|calls| Rates::from(Rate { calls, period: Period::Second }));
        let dies_after = (self.deaths > 0).then(|| self.rng.below(300));
        self.deaths = self.deaths.saturating_sub(1);
        VirtualProcess {
            scheduler: Scheduler::new(plan, run.counts, begun)
                .with_credential_refresh(RefreshSchedule::new(lifetime)),
            pace: Pacer::new(&rates.unwrap_or_else(|| "unlimited".parse().unwrap())),
            rules: rules(&mut self.rng),
            job,
            run,
            ledger,
            _lock: lock,
            started: self.clock,
            steps: 0,
            dies_after,
            recalled: 0,
            wakes: 0,
            token,
            refused: BTreeSet::new(),
            received: Vec::new(),
            claimed: BTreeSet::new(),
            ended: BTreeMap::new(),
            sent: HashMap::new(),
        }
    }

    /// Handles an event of a process, and performs the scheduler's actions.
    fn step(&mut self, id: usize, what: Happens) {
        // Calls of a dead process arrive nevertheless.
        let Some(mut process) = self.processes.remove(&id) else {
            if let Happens::Arrives(sent) = what {
                self.arrive_for_nobody(&sent);
            }
            return;
        };
        process.steps += 1;
        let events = match what {
            Happens::Starts(Dispatch { claimed, expires_at, .. }, given) => {
                let is_late = expires_at.is_some_and(|at| process.started + at < self.clock);
                if given > process.recalled && !is_late {
                    self.send(id, &mut process, claimed);
                    self.processes.insert(id, process);
                    return;
                }
                Some(Event::Expired { claimed, dispatched_at: Duration::ZERO })
            }
            Happens::Arrives(sent) => {
                self.arrive(id, &process, sent);
                self.processes.insert(id, process);
                return;
            }
            Happens::Ends(Sent { claimed, token, at, call }, ending) => {
                if ending.outcome.http_status == Some(401) {
                    process.refused.insert(token);
                }
                self.history.calls[call].over = self.now();
                process.received.push(call);
                let (dispatched_at, ended) = (at - process.started, self.clock - process.started);
                let times = CallTimings { dispatched_at, started: dispatched_at, ended };
                Some(Event::Ended { claimed, ending: *ending, times })
            }
            Happens::CredentialsRefreshed(RefreshOutcome::Refreshed(_)) => {
                let (token, lifetime) = self.fetch();
                process.token = token;
                Some(Event::CredentialsRefreshed(RefreshOutcome::Refreshed(lifetime)))
            }
            Happens::CredentialsRefreshed(failed) => Some(Event::CredentialsRefreshed(failed)),
            Happens::Committed(outcome) => Some(Event::Committed(*outcome)),
            // It requested another time since.
            Happens::Wakes(wakes) if wakes < process.wakes => {
                self.processes.insert(id, process);
                return;
            }
            Happens::Wakes(_) => None,
        };
        if self.step_scheduler(id, &mut process, events) {
            self.processes.insert(id, process);
        }
    }

    /// Performs one step of the scheduler. Returns whether the process is still alive.
    fn step_scheduler(
        &mut self,
        id: usize,
        process: &mut VirtualProcess,
        event: Option<Event>,
    ) -> bool {
        let now = Now { since_start: self.clock - process.started, wall: self.wall() };
        let actions = process.scheduler.handle(event, now);
        assert!(process.scheduler.snapshot(now).in_flight <= CONCURRENCY);
        let step = process.steps;
        if actions.cancel_unstarted {
            process.recalled = step - 1;
        }
        for dispatch in actions.dispatch {
            let waits = if dispatch.bypass_queue { 0 } else { self.rng.below(30_000) };
            let at = self.clock + Duration::from_micros(waits);
            self.put_due(at, ScheduledEvent::At(id, Happens::Starts(dispatch, step)));
        }
        if process.dies_after.is_some_and(|dies_after| step >= dies_after) {
            self.die(id, process);
            return false;
        }
        if let Some(commit) = actions.commit {
            let pace = &mut process.pace;
            let outcome =
                process.ledger.commit(commit, &mut |b, wish| pace.allocate(b, wish)).unwrap();
            process.claimed.extend(outcome.claimed.iter().map(ClaimedRow::order));
            for call in std::mem::take(&mut process.received) {
                self.history.calls[call].known = self.now();
            }
            note_ended(process);
            let took = Duration::from_micros(100 + self.rng.below(30_000));
            self.put_due(
                self.clock + took,
                ScheduledEvent::At(id, Happens::Committed(Box::new(outcome))),
            );
        }
        if actions.refresh_credentials {
            let failed = self.rng.per_cent(20);
            let fetched =
                if failed { RefreshOutcome::Failed } else { RefreshOutcome::Refreshed(None) };
            let took = Duration::from_millis(1 + self.rng.below(60));
            self.put_due(
                self.clock + took,
                ScheduledEvent::At(id, Happens::CredentialsRefreshed(fetched)),
            );
        }
        if actions.finished {
            self.rest(id, process);
            return false;
        }
        process.wakes += 1;
        if let Some(wake_at) = actions.wake_at {
            let wakes = Happens::Wakes(process.wakes);
            self.put_due(process.started + wake_at, ScheduledEvent::At(id, wakes));
        }
        true
    }

    fn send(&mut self, id: usize, process: &mut VirtualProcess, claimed: ClaimedRow) {
        let row = claimed.row();
        let seed = self.seed;
        assert!(!process.refused.contains(&process.token), "seed {seed}: sent with a dead token");
        assert!(!process.ended.contains_key(&row), "seed {seed}: row {row} was sent again");
        *process.sent.entry(row).or_default() += 1;
        let call = self.note_call(id, claimed.order());
        let way = Duration::from_micros(self.rng.below(3_000));
        let sent = Sent { claimed, token: process.token, at: self.clock, call };
        self.put_due(self.clock + way, ScheduledEvent::At(id, Happens::Arrives(sent)));
    }

    /// A call begins.
    fn note_call(&mut self, id: usize, order: Order) -> usize {
        let (came, over, known) = (self.now(), history::Time::MAX, history::Time::MAX);
        let (by, received) = (vec![id], Received::Lost);
        let call = Call { order, by, came, over, cancelled: false, received, known };
        self.history.calls.push(call);
        self.history.calls.len() - 1
    }

    fn arrive(&mut self, id: usize, process: &VirtualProcess, sent: Sent) {
        let Sent { claimed, token, call, .. } = &sent;
        let taken = self.server.take(claimed.order(), *token, self.clock, &mut self.rng);
        let call = &mut self.history.calls[*call];
        (call.cancelled, call.received) = (taken.cancelled, taken.received);
        let outcome = classify(taken.seen, &process.rules);
        let took = Duration::from_micros(500 + self.rng.below(80_000));
        let ending = AttemptEnd { sent_at: self.wall(), ended_at: self.wall() + took, outcome };
        let ends = Happens::Ends(sent, Box::new(ending));
        self.put_due(self.clock + took, ScheduledEvent::At(id, ends));
    }

    fn arrive_for_nobody(&mut self, sent: &Sent) {
        let taken = self.server.take(sent.claimed.order(), sent.token, self.clock, &mut self.rng);
        self.history.calls[sent.call].cancelled = taken.cancelled;
    }

    /// The process dies, and what it had not recorded is lost. It is started again.
    fn die(&mut self, id: usize, process: &VirtualProcess) {
        let now = self.now();
        let recorded: BTreeSet<Order> = process.ended.values().copied().flatten().collect();
        for call in self.history.calls.iter_mut().filter(|call| call.by == [id]) {
            if call.known != history::Time::MAX {
                continue;
            }
            let was_received = call.over != history::Time::MAX;
            call.received = match call.received {
                // Answers that were received and not recorded are lost.
                Received::No if was_received => Received::Perhaps,
                _ => Received::Lost,
            };
            (call.over, call.known) = (call.over.min(now), now);
        }
        self.history.claimed.extend(process.claimed.difference(&recorded));
        (self.history.starts[id].to, self.history.starts[id].ended) = (now, Ended::Died);
        self.at_work.remove(&process.job.file);
        let waits = if self.rng.per_cent(50) { 5 } else { self.rng.below(3000) };
        self.plan_job(self.clock + Duration::from_millis(waits), process.job);
    }

    /// The run has finished; if it has not ended, it is started again.
    fn rest(&mut self, id: usize, process: &mut VirtualProcess) {
        let stop = process.scheduler.stop_code();
        let is_refused = process.refused.contains(&process.token);
        let is_for_credentials = stop == Some(ReasonCode::Credentials);
        assert!(!is_for_credentials || is_refused, "seed {}: stopped too soon", self.seed);
        let run = process
            .ledger
            .finish(FinishOptions { at: self.wall(), stop, events: Vec::new() })
            .unwrap();
        self.at_work.remove(&process.job.file);
        self.report_rows(id, &mut process.ledger, &run);
        for record in common::records(&mut process.ledger, &run) {
            let sent = process.sent.get(&record.row).copied().unwrap_or(0);
            assert!(record.attempts >= sent, "seed {}: {record:?} of {sent}", self.seed);
        }
        if !run.has_ended() {
            let waits = Duration::from_millis(self.rng.below(3000));
            self.plan_job(self.clock + waits, process.job);
        }
    }

    /// Reports every row, as the results would.
    fn report_rows(&mut self, by: usize, ledger: &mut Sqlite, run: &Run) {
        let records = common::records(ledger, run);
        assert_eq!(records.len() as u64, run.rows, "seed {}: one result a row", self.seed);
        if run.has_ended() {
            assert_eq!(run.counts.total(), run.rows, "seed {}: counts add up", self.seed);
        }
        let began = Timestamp::from_second(1_800_000_000).unwrap();
        let since = |at: Timestamp| at.duration_since(began).as_nanos() as u64;
        let reported = records.into_iter().zip(1..).map(|(record, row)| {
            assert_eq!(record.row, RowNumber(row), "seed {}: in input order", self.seed);
            assert_ne!(record.error_code, "HTTP_401", "seed {}: {record:?}", self.seed);
            let RowRecord { order, status, error_code, doubt, ended_at, has_ended, .. } = record;
            let ended = ended_at.filter(|_| has_ended).map(since);
            let status = status.to_string();
            ReportedRow { by, row, order, status, code: error_code, doubt, ended }
        });
        self.history.reported.extend(reported);
        self.history.starts[by].to = self.clock.as_nanos() as u64;
        self.history.starts[by].ended = Ended::Reported(None);
    }

    fn check_the_rate(&mut self) {
        let arrivals = &mut self.server.arrivals;
        arrivals.sort();
        for (first, arrival) in arrivals.iter().enumerate() {
            let within = arrivals[first..].iter().take_while(|a| **a - *arrival <= SECOND).count();
            let most = self.rate.unwrap_or(u32::MAX) as usize;
            assert!(within <= most, "seed {}: {within} calls in a second", self.seed);
        }
    }
}

fn note_ended(process: &mut VirtualProcess) {
    for RowRecord { row, order, status, .. } in common::records(&mut process.ledger, &process.run) {
        if !matches!(status, Status::NotSent | Status::InDoubt) {
            // Of a duplicate another row decides.
            process.ended.insert(row, order.filter(|_| status != Status::Duplicate));
        }
    }
}
