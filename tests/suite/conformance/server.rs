//! Which servers and schemas are accepted, and what is never shown.

use cardcancel::ledger::{LedgerError, Postgres, PostgresOptions};

use crate::common::postgres::{Database, PASSWORD, PostgresServer, database};
use crate::common::until;
use crate::common::{Authority, PgBouncer};
use crate::conformance::process::{Home, Process, at, cancelled, create_run};

/// The error with which this ledger is refused.
fn refused(at: PostgresOptions) -> String {
    let shown = format!("{at:?}");
    assert!(!shown.contains(PASSWORD), "{shown}");
    let Err(failed) = Postgres::open(at) else { panic!("it was not refused") };
    let reported = format!("{failed} {failed:?}");
    assert!(!reported.contains(PASSWORD), "{reported}");
    failed.to_string()
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_server_that_forgets_what_it_confirmed_is_refused() {
    for setting in ["fsync", "full_page_writes"] {
        let server = PostgresServer::start(&[&format!("{setting}=off")]);
        let reported = refused(at(&server.database()));
        assert!(reported.contains(&format!("{setting} = off")), "{reported}");
    }
    let database = database();
    let sql = format!("ALTER DATABASE {} SET synchronous_commit = off", database.name);
    database.client().batch_execute(&sql).unwrap();
    let reported = refused(at(&database));
    assert!(reported.contains("synchronous_commit = off"), "{reported}");
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_commit_that_does_not_wait_for_all_it_should_is_refused() {
    for value in ["local", "remote_write"] {
        let database = database();
        let sql = format!("ALTER DATABASE {} SET synchronous_commit = {value}", database.name);
        database.client().batch_execute(&sql).unwrap();
        let reported = refused(at(&database));
        assert!(reported.contains(&format!("synchronous_commit = {value}")), "{reported}");
    }
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn servers_that_could_take_over_and_lag_behind_are_refused_unless_that_is_allowed() {
    let server = PostgresServer::start(&[]);
    let database = server.database();
    let with = |url: String| PostgresOptions { url: url.parse().unwrap(), ..at(&database) };
    // The settings of a single server are trusted.
    Postgres::open(at(&database)).unwrap();
    let standby = server.standby();
    let follows = "SELECT count(*) > 0 FROM pg_stat_replication WHERE state = 'streaming'";
    until("it follows", || database.asked(follows));
    let reported = refused(at(&database));
    assert!(reported.contains("has standbys") && reported.contains("allow_async=1"), "{reported}");
    // A user without the right to read the standbys' state still sees that they exist.
    let user = format!("worker_of_{}", database.name);
    let sql = format!(
        "CREATE USER {user} PASSWORD '{PASSWORD}'; GRANT USAGE ON SCHEMA cardcancel TO {user};
         GRANT SELECT ON ALL TABLES IN SCHEMA cardcancel TO {user}"
    );
    database.client().batch_execute(&sql).unwrap();
    let reported = refused(with(database.url_of(&user)));
    assert!(reported.contains("has standbys"), "{reported}");
    let both = server.url_with(&standby, &database);
    Postgres::open(with(format!("{both}?allow_async=1"))).unwrap();
    Postgres::open(with(format!("{}?allow_async=1", database.url()))).unwrap();

    let mut admin = database.client();
    admin.batch_execute("ALTER SYSTEM SET synchronous_standby_names = '*'").unwrap();
    admin.batch_execute("SELECT pg_reload_conf()").unwrap();
    let is_in_force = "SELECT current_setting('synchronous_standby_names') <> ''";
    until("commits wait", || database.asked(is_in_force));
    Postgres::open(with(both.clone())).unwrap();

    standby.stop();
    admin.batch_execute("ALTER SYSTEM RESET synchronous_standby_names").unwrap();
    admin.batch_execute("SELECT pg_reload_conf()").unwrap();
    until("commits do not wait", || !database.asked::<bool>(is_in_force));
    until("nobody follows", || !database.asked::<bool>(follows));
    Postgres::open(at(&database)).unwrap();
    let reported = refused(with(both));
    assert!(reported.contains("names 2 hosts"), "{reported}");
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_database_that_cannot_hold_every_character_is_refused() {
    let database = database();
    let name = format!("{}_latin", database.name);
    let sql = format!("CREATE DATABASE {name} ENCODING 'LATIN1' TEMPLATE template0");
    database.client().batch_execute(&sql).unwrap();
    let reported = refused(at(&Database { name, ..database }));
    assert!(reported.contains("the encoding LATIN1"), "{reported}");
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_newer_schema_is_refused_whenever_it_comes() {
    let home = Home::server();
    let mut ledger = home.open();
    let sql = "INSERT INTO cardcancel.schema_version (version, program) VALUES (99, 'newer')";
    home.database().client().batch_execute(sql).unwrap();
    let reported = refused(at(home.database()));
    assert!(
        reported.contains("has version 99, and this program knows versions up to 5"),
        "{reported}"
    );
    home.database().cut_connections();
    let failed = ledger.runs().unwrap_err();
    assert!(matches!(failed, LedgerError::Newer { found: 99, .. }), "{failed}");
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn the_schema_is_laid_down_once_though_many_come_at_once() {
    let home = Home::Server(database());
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| home.open().runs().unwrap());
        }
    });
    let versions = "SELECT count(*) FROM cardcancel.schema_version";
    assert_eq!(home.database().asked::<i64>(versions), 2);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_user_who_may_not_change_the_schema_needs_it_to_be_there() {
    let home = Home::Server(database());
    let database = home.database();
    let user = format!("worker_of_{}", database.name);
    let sql = format!("CREATE USER {user} PASSWORD '{PASSWORD}'");
    database.client().batch_execute(&sql).unwrap();
    let worker =
        || PostgresOptions { url: database.url_of(&user).parse().unwrap(), ..at(database) };
    let reported = refused(worker());
    assert!(
        reported.contains("is not set up, and this user is not allowed to do that"),
        "{reported}"
    );

    drop(home.open());
    let reported = refused(worker());
    assert!(reported.contains("permission denied for schema cardcancel"), "{reported}");
    let grant = format!(
        "GRANT USAGE ON SCHEMA cardcancel TO {user};
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA cardcancel TO {user}"
    );
    database.client().batch_execute(&grant).unwrap();
    let mut ledger = Postgres::open(worker()).unwrap();
    create_run(&mut ledger, "run-1", "key", 3);
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn neither_errors_nor_the_names_of_things_show_the_password() {
    let database = database();
    let with = |url: String| PostgresOptions { url: url.parse().unwrap(), ..at(&database) };
    let url = database.url();
    let reported = refused(with(url.replace(PASSWORD, "wrong")));
    assert!(reported.contains("password authentication failed"), "{reported}");
    refused(with(url.replace(&database.name, "nowhere")));
    refused(with(url.replace("127.0.0.1", "127.0.0.1:1,127.0.0.2")));
    assert!(!Postgres::open(at(&database)).unwrap().path().contains(PASSWORD));
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn tls_is_used_with_a_server_whose_certificate_is_trusted_and_with_no_other() {
    let server = PostgresServer::start(&[]);
    let authority = Authority::new();
    server.speak_tls(&authority.issue());
    let folder = tempfile::tempdir().unwrap();
    let trust = |authority: &Authority| {
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, authority.pem()).unwrap();
        format!("sslmode=verify-full&sslrootcert={}", path.display())
    };
    let database = server.database();
    let by = |wishes: &str| PostgresOptions {
        url: format!("{}?{wishes}", database.url()).parse().unwrap(),
        ..at(&database)
    };
    let mut ledger = Postgres::open(by(&trust(&authority))).unwrap();
    let encrypted = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                     WHERE ssl AND application_name LIKE 'cardcancel %'";
    assert_eq!(database.asked::<i64>(encrypted), 1);
    create_run(&mut ledger, "run-1", "key", 3);

    let reported = refused(by(&trust(&Authority::new())));
    assert!(reported.contains("certificate"), "{reported}");
    server.speak_tls(&authority.issue_for_another_host());
    let reported = refused(by(&trust(&authority)));
    assert!(reported.contains("certificate"), "{reported}");
}

const MODES: [&str; 2] = ["transaction", "statement"];

#[test]
#[ignore = "needs PostgreSQL and PgBouncer: tests/run brings them"]
fn a_pooler_that_keeps_no_session_for_each_connection_is_refused() {
    let home = Home::server();
    // Whether the pooler assigns the session that was used last, or the one that was idle longest.
    for (mode, round_robin) in MODES.iter().flat_map(|mode| [(mode, 0), (mode, 1)]) {
        let settings = [format!("pool_mode={mode}"), format!("server_round_robin={round_robin}")];
        let pooler = PgBouncer::before(home.database(), &settings.each_ref().map(String::as_str));
        let through = pooler.through(home.database());
        let other = || postgres::Client::connect(&through.url(), postgres::NoTls).unwrap();
        for idle in 0..4 {
            let reported = refused(at(&through));
            assert!(
                reported.contains("a pooler") && reported.contains("pool_mode = session"),
                "{reported}"
            );
            // From now on the pool has one more session.
            if mode == &"transaction" {
                let mut held: Vec<_> = (0..=idle).map(|_| other()).collect();
                held.iter_mut().for_each(|held| held.batch_execute("BEGIN").unwrap());
            }
        }
    }
}

#[test]
#[ignore = "needs PostgreSQL and PgBouncer: tests/run brings them"]
fn a_pooler_that_keeps_no_session_for_each_connection_is_refused_while_others_use_it() {
    let home = Home::server();
    let pooler = PgBouncer::before(home.database(), &["pool_mode=transaction"]);
    let through = pooler.through(home.database());
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            let mut other = postgres::Client::connect(&through.url(), postgres::NoTls).unwrap();
            let is_over = &is_over;
            scope.spawn(move || {
                while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                    other.simple_query("SELECT pg_sleep(0.001)").unwrap();
                }
            });
        }
        let reported: Vec<String> = (0..20).map(|_| refused(at(&through))).collect();
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(reported.iter().all(|reported| reported.contains("a pooler")), "{reported:?}");
    });
}

#[test]
#[ignore = "needs PostgreSQL and PgBouncer: tests/run brings them"]
fn a_pooler_that_keeps_a_session_for_each_connection_will_do() {
    let home = Home::server();
    // With the last settings the first connection is the only one that is served.
    for settings in [&["pool_mode=session"][..], &["pool_mode=session", "max_db_connections=1"]] {
        let pooler = PgBouncer::before(home.database(), settings);
        let through = pooler.through(home.database());
        let mut ledger = Box::new(Postgres::open(at(&through)).unwrap());
        let key = settings.join(" ");
        let run = create_run(ledger.as_mut(), &key, &key, 5);
        let mut process = Process::start(ledger, run);
        let claimed = process.claim(5);
        process.complete(claimed.into_iter().map(cancelled).collect());
        assert!(process.rest(None).has_ended());
    }
}

#[test]
#[ignore = "needs PostgreSQL: tests/run brings it"]
fn a_server_that_allows_one_connection_only_will_do() {
    let home = Home::server();
    let database = home.database();
    let user = format!("alone_at_{}", database.name);
    let sql = format!(
        "CREATE USER {user} PASSWORD '{PASSWORD}' CONNECTION LIMIT 1; GRANT cardcancel TO {user}"
    );
    database.client().batch_execute(&sql).unwrap();
    let alone = PostgresOptions { url: database.url_of(&user).parse().unwrap(), ..at(database) };
    Postgres::open(alone).unwrap();
}
