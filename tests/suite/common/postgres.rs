//! A PostgreSQL server of the tests' own, on loopback, gone when they are. A test that
//! needs one is marked `#[ignore = "needs PostgreSQL: tests/run brings it"]`.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use cardcancel::ledger::{Postgres, PostgresOptions};
use postgres::{Client, NoTls};

use super::CertKeyPair;

/// What must never be seen but in the URL.
pub const PASSWORD: &str = "kept-to-itself";

/// Ends the server and removes what it left once the tests are gone, however they went.
const GUARD: &str = r#"read -r _; exec 2>/dev/null; kill -QUIT "$(head -n 1 "$1/data/postmaster.pid")"; rm -rf "$1""#;

/// Whom the server runs as where the tests run as root, whom it refuses.
const USERS: [&str; 2] = ["postgres", "nobody"];

/// A running server.
pub struct PostgresServer {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
    user: Option<(u32, u32)>,
    /// The guard waits for its other end to close.
    _guard: ChildStdin,
}

/// A database of a test's own.
#[derive(Debug, Clone)]
pub struct Database {
    pub name: String,
    pub port: u16,
    /// Whom the URL names.
    pub user: &'static str,
}

/// A new database on the server that the tests of this program share.
pub fn database() -> Database {
    shared_server().database()
}

/// Another, with a ledger, whose user may do no more than the samples grant to those who
/// work.
pub fn granted() -> Database {
    shared_server().granted()
}

fn shared_server() -> &'static PostgresServer {
    static SERVER: OnceLock<PostgresServer> = OnceLock::new();
    SERVER.get_or_init(|| PostgresServer::start(&[]))
}

/// What the samples say about roles.
fn sample(name: &str) -> String {
    let path = format!("{}/samples/postgres/{name}.sql", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

impl PostgresServer {
    /// A server of a test's own, with these settings, each as `name=value`.
    pub fn start(settings: &[&str]) -> PostgresServer {
        let server = PostgresServer::folder();
        server.make(settings);
        server.begin();
        server
    }

    /// Where a server is to be.
    fn folder() -> PostgresServer {
        let folder = tempfile::Builder::new().prefix("cardcancel-").tempdir().unwrap().keep();
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD, "guard"]).arg(&folder).stdin(Stdio::piped());
        let guard = guard.process_group(0).spawn().unwrap().stdin.take().unwrap();
        let user = rustix::process::getuid().is_root().then(unprivileged);
        let (uid, gid) = user.unzip();
        std::os::unix::fs::chown(&folder, uid, gid).unwrap();
        PostgresServer { programs: programs(), folder, port: free_port(), user, _guard: guard }
    }

    fn make(&self, settings: &[&str]) {
        let password = self.folder.join("password");
        std::fs::write(&password, PASSWORD).unwrap();
        let mut initdb = self.program("initdb");
        initdb.args(["--no-sync", "--username=test", "--encoding=UTF8", "--locale=C"]);
        initdb.args(["--auth=password", "--pwfile"]).arg(&password).arg("-D").arg(self.data());
        run(&mut initdb);
        let settings = settings.iter().map(|setting| format!("{setting}\n")).collect::<String>();
        let settings = format!(
            "listen_addresses='127.0.0.1'\nport={}\nunix_socket_directories=''\n{settings}",
            self.port
        );
        let path = self.data().join("postgresql.auto.conf");
        std::fs::write(path, settings).unwrap();
    }

    /// Starts it again, after it was stopped.
    pub fn begin(&self) {
        let log = self.folder.join("log");
        let mut start = self.control("start");
        run(start.arg("-w").arg("-l").arg(log));
    }

    /// Shuts it down, breaking off what it is at.
    pub fn stop(&self) {
        run(self.control("stop").args(["-m", "fast", "-w"]));
    }

    /// Ends it as a power cut does.
    pub fn kill(&self) {
        run(self.control("stop").args(["-m", "immediate", "-w"]));
    }

    /// A server that follows this one and can take over from it.
    pub fn standby(&self) -> PostgresServer {
        let standby = PostgresServer::folder();
        let source = format!("host=127.0.0.1 port={} user=test password={PASSWORD}", self.port);
        let mut copy = standby.program("pg_basebackup");
        copy.args(["--no-sync", "--checkpoint=fast", "-R", "-d", &source, "-D"]);
        run(copy.arg(standby.data()));
        let path = standby.data().join("postgresql.auto.conf");
        let settings = std::fs::read_to_string(&path).unwrap();
        // Of two settings the last one counts.
        std::fs::write(path, format!("{settings}\nport={}\n", standby.port)).unwrap();
        standby.begin();
        standby
    }

    /// Takes over from the server that it follows.
    pub fn take_over(&self) {
        run(self.control("promote").arg("-w"));
    }

    /// The URL of a database on either of two servers.
    pub fn url_with(&self, other: &PostgresServer, database: &Database) -> String {
        let one = format!("127.0.0.1:{}", self.port);
        database.url().replace(&one, &format!("{one},127.0.0.1:{}", other.port))
    }

    /// The same database on this server.
    pub fn same(&self, database: &Database) -> Database {
        Database { port: self.port, ..database.clone() }
    }

    /// From now on it speaks TLS with this certificate.
    pub fn speak_tls(&self, certificate: &CertKeyPair) {
        certificate.write(&self.folder, "server");
        let (uid, gid) = self.user.unzip();
        let path = |ending: &str| self.folder.join(format!("server.{ending}"));
        std::os::unix::fs::chown(path("key"), uid, gid).unwrap();
        let settings = format!(
            "ssl=on\nssl_cert_file='{}'\nssl_key_file='{}'\n",
            path("pem").display(),
            path("key").display()
        );
        let file = self.data().join("postgresql.auto.conf");
        let before = std::fs::read_to_string(&file).unwrap();
        std::fs::write(file, before + &settings).unwrap();
        self.stop();
        self.begin();
    }

    /// Makes a new database.
    pub fn database(&self) -> Database {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let admin = self.of_all();
        admin.client().batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
        Database { name, ..admin }
    }

    /// Makes a new database with a ledger in it, whose user may do no more than the samples
    /// grant to those who work.
    pub fn granted(&self) -> Database {
        let database = self.database();
        let of_each =
            sample("roles").replace("DATABASE cardcancel", &format!("DATABASE {}", database.name));
        let (roles, of_each): (Vec<&str>, Vec<&str>) =
            of_each.lines().partition(|line| line.starts_with("CREATE ROLE"));
        let mut admin = database.client();
        // Whoever comes first makes the roles, which all databases share.
        static ROLES: Mutex<()> = Mutex::new(());
        let first = ROLES.lock().unwrap();
        if !database
            .asked::<bool>("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'cardcancel')")
        {
            let with_password =
                |role: &&str| role.replace(';', &format!(" PASSWORD '{PASSWORD}';"));
            let roles: String = roles.iter().map(with_password).collect();
            admin.batch_execute(&roles).unwrap();
        }
        drop(first);
        admin.batch_execute(&of_each.join("\n")).unwrap();
        let (lease, max_outage) = (Duration::from_secs(5), Duration::from_secs(60));
        let url = database.url_of("cardcancel_owner").parse().unwrap();
        Postgres::open(PostgresOptions { url, lease, max_outage }).unwrap();
        admin.batch_execute(&sample("grants")).unwrap();
        Database { user: "cardcancel", ..database }
    }

    /// The database that is there before any other.
    pub fn of_all(&self) -> Database {
        Database { name: "postgres".to_owned(), port: self.port, user: "test" }
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn control(&self, what: &str) -> Command {
        let mut control = self.program("pg_ctl");
        control.args(["-s", what, "-D"]).arg(self.data());
        control
    }

    fn program(&self, name: &str) -> Command {
        // A distribution may keep clients elsewhere than servers.
        let beside = self.programs.join(name);
        let mut program = Command::new(if beside.exists() { beside } else { name.into() });
        program.current_dir(&self.folder).stdin(Stdio::null()).process_group(0);
        if let Some((uid, gid)) = self.user {
            program.uid(uid).gid(gid);
        }
        program
    }
}

impl Database {
    /// The ledger's URL.
    pub fn url(&self) -> String {
        self.url_of(self.user)
    }

    /// The same for another user.
    pub fn url_of(&self, user: &str) -> String {
        format!("postgres://{user}:{PASSWORD}@127.0.0.1:{}/{}", self.port, self.name)
    }

    /// A connection to ask it what it holds, and to do with it what one likes.
    pub fn client(&self) -> Client {
        Client::connect(&self.url_of("test"), NoTls).unwrap()
    }

    /// What this statement gives: one value.
    pub fn asked<T: for<'a> postgres::types::FromSql<'a>>(&self, sql: &str) -> T {
        self.client().query_one(sql, &[]).unwrap().get(0)
    }

    /// Breaks every connection to it but the one it is done from.
    pub fn cut_connections(&self) {
        self.client()
            .execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid()",
                &[],
            )
            .unwrap();
    }
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Where the server's programs are: Debian keeps them out of the path.
fn programs() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        folders.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    let has_all = |folder: &Path| {
        ["initdb", "pg_ctl", "postgres"].iter().all(|name| folder.join(name).exists())
    };
    folders.into_iter().find(|folder| has_all(folder)).expect("no PostgreSQL server is installed")
}

/// Whom a program runs as that refuses root.
pub fn unprivileged() -> (u32, u32) {
    let id = |which: &str, user: &str| -> Option<u32> {
        let told = Command::new("id").args([which, user]).output().ok()?;
        String::from_utf8(told.stdout).ok()?.trim().parse().ok()
    };
    let ids = USERS.iter().find_map(|user| Some((id("-u", user)?, id("-g", user)?)));
    ids.expect("no user to run the server as")
}

/// Nothing of it is told but how it failed: the server keeps its pipes open.
fn run(command: &mut Command) {
    let status = command.stdout(Stdio::null()).stderr(Stdio::inherit()).status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}
