//! One run by three processes on a database, with faults of machines, networks, clocks, the
//! database and the gateway in front of CoreCARD, drawn from a seed. In every case each result
//! agrees with the server's own record, the rate is kept, and the run ends without help.
//!
//! Two short storms belong to the suite. `CARDCANCEL_CHAOS=1,2,3` sets other seeds, and
//! `CARDCANCEL_CHAOS_SECONDS=30` the length of each storm:
//!
//! ```sh
//! CARDCANCEL_CHAOS=7 CARDCANCEL_CHAOS_SECONDS=30 cargo test --test suite chaos:: -- --include-ignored --nocapture
//! ```
use std::collections::BTreeMap;
use std::fs::File;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::common::postgres::{Database, PostgresServer};
use crate::common::{
    Cut, FaultyProxy, ResultRow, Rng, TestEnv, TestSimulator, clocks_can_be_set, with_its_clock_set,
};
use cardcancel::simulator::{Order, OrderState, Share, SimulatorSettings};
use rustix::process::{Pid, Signal, kill_process};

/// Low enough for a machine under load.
const RATE: u32 = 40;
/// The shortest lease allowed, in milliseconds.
const LEASE: u64 = 5000;
/// The length of a storm that belongs to the suite.
const SHORT: Duration = Duration::from_secs(8);
/// The longest that a run may take after the last fault is repaired.
const CALM: Duration = Duration::from_secs(150);

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn whatever_goes_wrong_no_row_is_lost_or_misreported_and_the_run_ends() {
    let seeds = std::env::var("CARDCANCEL_CHAOS").unwrap_or_else(|_| "1,2".to_owned());
    let lasts = std::env::var("CARDCANCEL_CHAOS_SECONDS")
        .map_or(SHORT, |seconds| Duration::from_secs(seconds.parse().unwrap()));
    for seed in seeds.split(',') {
        let seed = seed.parse().unwrap();
        eprintln!("seed {seed}, {lasts:?}");
        Storm::of(seed, lasts).rage();
    }
}

/// A kind of fault.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    /// A process is killed.
    Kill,
    /// A process is frozen for longer than its lease.
    LongFreeze,
    /// A process is frozen briefly.
    ShortFreeze,
    /// Every connection to the database breaks.
    CutConnections,
    /// A commit never reaches the database.
    LoseCommit,
    /// The acknowledgements of a commit and of the next one are lost.
    LoseTwoAcknowledgements,
    /// The acknowledgement of a commit is lost, and the next try fails at its beginning.
    LoseAcknowledgementAndBegin,
    /// A process stops before its commit, so that its transaction stays open.
    FreezeInTransaction,
    /// Commits wait for a standby that is away.
    StallStandby,
    /// The database loses power.
    KillDatabase,
    /// New connections to CoreCARD fail, and existing ones break.
    StallConnects,
    /// A wall clock is set, as after a suspension of the machine.
    SetClock,
}

const TROUBLES: [Trouble; 12] = [
    Trouble::Kill,
    Trouble::LongFreeze,
    Trouble::ShortFreeze,
    Trouble::CutConnections,
    Trouble::LoseCommit,
    Trouble::LoseTwoAcknowledgements,
    Trouble::LoseAcknowledgementAndBegin,
    Trouble::FreezeInTransaction,
    Trouble::StallStandby,
    Trouble::KillDatabase,
    Trouble::StallConnects,
    Trouble::SetClock,
];

/// What is repaired.
#[derive(Debug, Clone, Copy)]
enum Relief {
    Start(usize),
    Thaw(usize),
    Standby,
    Connects,
}

/// A machine and its process.
struct Machine {
    env: TestEnv,
    proxy: FaultyProxy,
    ledger: String,
    url: String,
    opens: bool,
    process: Option<Child>,
    /// The length of its log when the process was started.
    logged: usize,
}

impl Machine {
    fn new(database: &Database, url: String, opens: bool) -> Machine {
        let env = TestEnv::new();
        env.file("cardcancel.toml", "[codes]\nSIMULATOR_ALREADY_CANCELLED = 'already_cancelled'");
        env.file("clock", "+0s");
        let (proxy, through) = FaultyProxy::new(database, Cut::Before);
        Machine { env, proxy, ledger: through.url(), url, opens, process: None, logged: 0 }
    }

    fn command(&self) -> Command {
        let words = if self.opens { &["run", "orders.csv", "--yes"][..] } else { &["worker"] };
        let rate = format!("{RATE}/s");
        let rate = if self.opens { &["--rate", &*rate][..] } else { &[] };
        let flags = ["--url", &self.url, "--external-ip", "10.120.0.0", "--lease", "5s"];
        let patience = ["--concurrency", "24", "--timeout", "2s", "--attempts", "4"];
        let mut command = self.env.command(&[words, &flags, &patience, rate].concat());
        let log = File::options().create(true).append(true).open(self.env.path("log")).unwrap();
        command.env("CARDCANCEL_LEDGER", &self.ledger).stderr(log);
        if clocks_can_be_set() {
            with_its_clock_set(&mut command, "");
            command.env_remove("FAKETIME").env("FAKETIME_NO_CACHE", "1");
            command.env("FAKETIME_TIMESTAMP_FILE", self.env.path("clock"));
        }
        command
    }

    fn start(&mut self) {
        self.logged = self.log().len();
        self.process = Some(self.command().spawn().unwrap());
    }

    fn signal(&self, signal: Signal) {
        if let Some(process) = &self.process {
            // It may have ended without a signal.
            let _ = kill_process(Pid::from_child(process), signal);
        }
    }

    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            process.wait().unwrap();
        }
    }

    /// The exit status of its process, if it has ended.
    fn ended(&mut self) -> Option<i32> {
        let status = self.process.as_mut()?.try_wait().unwrap()?;
        self.process = None;
        Some(status.code().unwrap_or_else(|| panic!("{status}\n{}", self.log())))
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.env.path("log")).unwrap_or_default()
    }

    /// Whether its process found no database when it was started, and did not begin.
    fn found_no_database(&self) -> bool {
        let log = self.log();
        let reported = &log[self.logged..];
        let begun = ["rows to send to", "no run is open", "joining the run"];
        reported.contains("cannot be reached")
            && !begun.iter().any(|words| reported.contains(words))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The gateway in front of CoreCARD, which forwards connections.
struct Gateway {
    listener: Arc<TcpListener>,
    stalls: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
    /// Connections that fill its queue while it stalls.
    fill: Vec<TcpStream>,
}

impl Gateway {
    fn before(port: u16) -> Gateway {
        let listener = Arc::new(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        listener.set_nonblocking(true).unwrap();
        let gateway =
            Gateway { listener, stalls: Arc::default(), open: Arc::default(), fill: Vec::new() };
        let (listener, stalls, open) =
            (Arc::clone(&gateway.listener), Arc::clone(&gateway.stalls), Arc::clone(&gateway.open));
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(Duration::from_millis(1));
                if stalls.load(Ordering::Relaxed) {
                    continue;
                }
                match listener.accept() {
                    Ok((client, _)) => pass_on(client, port, &open),
                    Err(none) if none.kind() == ErrorKind::WouldBlock => {}
                    Err(failed) => panic!("{failed}"),
                }
            }
        });
        gateway
    }

    fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// From now on no connection is accepted: its queue is full.
    fn stall(&mut self) {
        self.stalls.store(true, Ordering::Relaxed);
        rustix::net::listen(&self.listener, 0).unwrap();
        for _ in 0..3 {
            let filled = TcpStream::connect_timeout(&self.address(), Duration::from_millis(20));
            self.fill.extend(filled);
        }
        for client in self.open.lock().unwrap().drain(..) {
            let _ = client.shutdown(Shutdown::Both);
        }
    }

    fn go_on(&mut self) {
        self.fill.clear();
        rustix::net::listen(&self.listener, 1024).unwrap();
        self.stalls.store(false, Ordering::Relaxed);
    }
}

fn pass_on(client: TcpStream, port: u16, open: &Mutex<Vec<TcpStream>>) {
    client.set_nonblocking(false).unwrap();
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    open.lock().unwrap().push(client.try_clone().unwrap());
    let (back, forth) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    for (mut from, mut to) in [(client, forth), (server, back)] {
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
        });
    }
}

/// How late this machine is at worst under its load.
struct Lateness(Arc<AtomicU64>);

impl Lateness {
    fn watch() -> Lateness {
        const NAP: Duration = Duration::from_millis(2);
        let worst = Arc::new(AtomicU64::new(0));
        let watched = Arc::downgrade(&worst);
        std::thread::spawn(move || {
            while let Some(worst) = watched.upgrade() {
                let asleep = Instant::now();
                std::thread::sleep(NAP);
                let late = asleep.elapsed().saturating_sub(NAP);
                worst.fetch_max(late.as_nanos() as u64, Ordering::Relaxed);
            }
        });
        Lateness(worst)
    }

    fn worst(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

struct Storm {
    rng: Rng,
    server: PostgresServer,
    database: Database,
    core_card: TestSimulator,
    /// Its record.
    record: tempfile::NamedTempFile,
    gateway: Gateway,
    machines: [Machine; 3],
    lateness: Lateness,
    rows: u32,
    lasts: Duration,
    began: Instant,
    /// The repairs that are due, with their times.
    relief: Vec<(Instant, Relief)>,
    stopped: u32,
}

impl Storm {
    fn of(seed: u64, lasts: Duration) -> Storm {
        let mut rng = Rng::from(seed);
        let server = PostgresServer::start(&[]);
        let database = server.granted();
        let record = tempfile::NamedTempFile::new().unwrap();
        let mut share = |most: u64| Share::per_mille(rng.below(most + 1) as u16);
        // What a gateway answers on CoreCARD's behalf, in part after it has forwarded the request.
        let core_card = TestSimulator::new(SimulatorSettings {
            seed,
            latency: "5ms..60ms".parse().unwrap(),
            printed: share(30),
            drop_before: share(10),
            drop_after: share(15),
            reset_after: share(15),
            error_before: share(10),
            error_after: share(15),
            no_status: share(5),
            truncated: share(5),
            record: Some(record.path().to_owned()),
            hang: share(4),
            unavailable: share(4),
            ..SimulatorSettings::default()
        });
        let port = core_card.url().rsplit(':').next().unwrap().parse().unwrap();
        let gateway = Gateway::before(port);
        let url = format!("http://{}", gateway.address());
        let machines =
            [true, false, false].map(|opens| Machine::new(&database, url.clone(), opens));
        let rows = RATE * lasts.as_secs() as u32;
        machines[0].env.orders(rows);
        Storm {
            rng,
            server,
            database,
            core_card,
            record,
            gateway,
            machines,
            lateness: Lateness::watch(),
            rows,
            lasts,
            began: Instant::now(),
            relief: Vec::new(),
            stopped: 0,
        }
    }

    /// Runs the whole storm.
    fn rage(mut self) {
        self.began = Instant::now();
        self.machines.iter_mut().for_each(Machine::start);
        let mut next = self.began + Duration::from_millis(500);
        let mut code = None;
        while code.is_none() && self.began.elapsed() < self.lasts {
            if Instant::now() >= next {
                self.go_wrong();
                next = Instant::now() + self.time(100, 1200);
            }
            self.relieve(Instant::now());
            code = self.look();
        }
        self.relieve(Instant::now() + self.lasts * 2);
        for machine in 0..self.machines.len() {
            if self.machines[machine].process.is_none() && (machine > 0 || code.is_none()) {
                self.machines[machine].start();
            }
        }
        let calm = Instant::now();
        while code.is_none() {
            let log = || self.machines.each_ref().map(Machine::log).join("\n---\n");
            assert!(calm.elapsed() < CALM, "the run does not end\n{}", log());
            code = self.look();
        }
        self.judge(code.unwrap());
    }

    /// A random time between these, in milliseconds.
    fn time(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.rng.below(to - from))
    }

    fn go_wrong(&mut self) {
        let trouble = TROUBLES[self.rng.below(TROUBLES.len() as u64) as usize];
        let at = self.rng.below(3) as usize;
        let commits = self.rng.below(4) as u32;
        let set = self.rng.below(120) as i64 - 60;
        let freeze = self.time(LEASE + 1000, LEASE + 4000);
        let (moment, while_) = (self.time(50, 2000), self.time(1000, 5000));
        let is_whose = format!("{trouble:?} {at}");
        eprintln!("  {:6.2?} {is_whose}", self.began.elapsed());
        let now = Instant::now();
        let machine = &mut self.machines[at];
        match trouble {
            Trouble::Kill => {
                machine.kill();
                self.relief.push((now + moment, Relief::Start(at)));
            }
            Trouble::LongFreeze | Trouble::ShortFreeze => {
                machine.signal(Signal::STOP);
                let is_long = matches!(trouble, Trouble::LongFreeze);
                let lasts = if is_long { freeze } else { moment };
                self.relief.push((now + lasts, Relief::Thaw(at)));
            }
            Trouble::CutConnections => self.database.cut_connections(),
            Trouble::LoseCommit => machine.proxy.break_so(Cut::Before, commits),
            Trouble::LoseTwoAcknowledgements => {
                machine.proxy.break_so(Cut::After, commits);
                machine.proxy.break_so(Cut::After, 0);
            }
            Trouble::LoseAcknowledgementAndBegin => {
                machine.proxy.break_so(Cut::After, commits);
                machine.proxy.and_at_the_next_begin();
            }
            Trouble::FreezeInTransaction => machine.proxy.break_so(Cut::Freeze, commits),
            Trouble::StallStandby => {
                self.wait_for_standby("'one_that_is_away'");
                self.relief.push((now + while_, Relief::Standby));
            }
            Trouble::KillDatabase => {
                self.server.kill();
                self.server.begin();
            }
            Trouble::StallConnects => {
                self.gateway.stall();
                self.relief.push((now + while_, Relief::Connects));
            }
            Trouble::SetClock => {
                machine.env.file("clock", format!("{set:+}s"));
            }
        }
    }

    fn wait_for_standby(&self, name: &str) {
        let mut admin = self.database.client();
        let set = format!("ALTER SYSTEM SET synchronous_standby_names = {name}");
        admin.batch_execute(&set).unwrap();
        admin.batch_execute("SELECT pg_reload_conf()").unwrap();
    }

    /// Makes the repairs that are due by then.
    fn relieve(&mut self, by: Instant) {
        let (due, later) =
            std::mem::take(&mut self.relief).into_iter().partition(|(at, _)| *at <= by);
        self.relief = later;
        let due: Vec<(Instant, Relief)> = due;
        for (_, relief) in due {
            match relief {
                Relief::Start(at) if self.machines[at].process.is_some() => {}
                Relief::Start(at) => self.machines[at].start(),
                Relief::Thaw(at) => self.machines[at].signal(Signal::CONT),
                Relief::Standby => self.wait_for_standby("''"),
                Relief::Connects => self.gateway.go_on(),
            }
        }
    }

    /// Collects processes that ended, and restarts those that report why. Returns the exit code
    /// of the run once it has ended.
    fn look(&mut self) -> Option<i32> {
        std::thread::sleep(Duration::from_millis(10));
        for machine in &mut self.machines {
            match machine.ended() {
                None => {}
                Some(code @ (0 | 1 | 3)) if machine.opens => return Some(code),
                Some(4) => {
                    let log = machine.log();
                    let why = log.lines().last().unwrap_or_default().to_owned();
                    eprintln!("  {:6.2?} stopped: {why}", self.began.elapsed());
                    self.stopped += 1;
                    machine.start();
                }
                Some(5) if machine.found_no_database() => machine.start(),
                Some(code) => panic!("exit {code}\n{}", machine.log()),
            }
        }
        None
    }

    /// Compares every result with the server's record.
    fn judge(mut self, code: i32) {
        let took = self.began.elapsed();
        for worker in &mut self.machines[1..] {
            worker.signal(Signal::TERM);
            let mut code = None;
            crate::common::until("the worker ends", || {
                code = worker.ended();
                code.is_some()
            });
            assert!(matches!(code, Some(0 | 4)), "exit {code:?}\n{}", worker.log());
        }
        let results = self.machines[0].env.results();
        all_true(&results, &self.core_card.orders(), self.rows);
        // A run that has ended sends nothing and reports the same.
        let requests = self.core_card.requests();
        let again = self.machines[0].command().status().unwrap();
        assert_eq!(again.code(), Some(code), "{}", self.machines[0].log());
        assert_eq!(self.machines[0].env.results(), results);
        let open = "SELECT count(*) FROM cardcancel.open_row";
        assert_eq!(self.database.asked::<i64>(open), 0);
        let stats = self.core_card.stop();
        assert_eq!(stats.requests, requests, "it sent more though it had ended");
        assert_eq!(stats.orders_cancelled_again, 0);
        let peak = stats.peak_any_second;
        let closest = closest(&std::fs::read(self.record.path()).unwrap());
        let late = self.lateness.worst();
        eprintln!(
            "  {took:.1?}, exit {code}: {requests} calls for {} rows, {peak} in a second at most, \
             {} in {closest:.1?} on a machine that was late by {late:.1?}; {} in doubt; \
             stopped {} times",
            self.rows,
            RATE + 1,
            results.iter().filter(|row| row.doubt()).count(),
            self.stopped,
        );
        // A call passes through four threads, and none can be more exact than the machine is.
        let exact = Duration::from_millis(990).saturating_sub(late * 4);
        assert!(closest > exact.max(Duration::from_millis(700)), "{stats:?}");
    }
}

/// The shortest time in which one call more than a second's was received.
fn closest(record: &[u8]) -> Duration {
    let received = |row: &ResultRow| row.get("received_at_ns").parse().unwrap();
    let mut received: Vec<u64> = crate::common::rows(record).iter().map(received).collect();
    received.sort_unstable();
    let times = received.windows(RATE as usize + 1);
    let shortest = times.map(|calls| calls[RATE as usize] - calls[0]).min().unwrap();
    Duration::from_nanos(shortest)
}

/// Every result occurs once, and agrees with the server's record.
fn all_true(results: &[ResultRow], orders: &BTreeMap<Order, OrderState>, rows: u32) {
    assert_eq!(results.len(), rows as usize);
    for (row, number) in results.iter().zip(1..) {
        assert_eq!(row.get("row"), u32::to_string(&number));
        let admin_number = row.get("AdminNumber").parse().unwrap();
        assert_eq!(admin_number, 1000 + i64::from(number));
        let there = orders.get(&Order { admin_number, sequence_number: 1 });
        let (cancelled, asked) =
            there.map_or((false, 0), |there| (there.cancelled, there.requests));
        let reported = format!("{row:?}, but there {there:?}");
        match row.status() {
            "cancelled" => assert!(cancelled, "{reported}"),
            "already_cancelled" => assert!(cancelled && row.doubt(), "{reported}"),
            "rejected" => assert!(!cancelled || row.doubt(), "{reported}"),
            "failed" => assert!(!cancelled && !row.doubt(), "{reported}"),
            "in_doubt" => assert!(row.doubt(), "{reported}"),
            _ => panic!("{reported}"),
        }
        assert!(row.attempts() >= asked, "{reported}");
        assert!(asked <= 1 || row.doubt(), "sent twice, and no doubt: {reported}");
    }
}
