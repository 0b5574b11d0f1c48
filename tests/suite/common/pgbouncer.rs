//! PgBouncer before a server of the tests. A test that needs it is marked
//! `#[ignore = "needs PostgreSQL and PgBouncer: tests/run brings them"]`.

use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use super::postgres::{Database, PASSWORD, free_port, unprivileged};
use super::until;

/// A pooler that runs until this is dropped.
pub struct PgBouncer {
    process: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl PgBouncer {
    /// One before this database, with these settings, each as `name=value`.
    pub fn before(database: &Database, settings: &[&str]) -> PgBouncer {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let port = free_port();
        let users = ["test", "cardcancel"].map(|user| format!("\"{user}\" \"{PASSWORD}\"\n"));
        std::fs::write(path("users"), users.concat()).unwrap();
        let config = format!(
            "[databases]\n{} = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = plain\nauth_file = {}\n{}\n",
            database.name,
            database.port,
            path("users").display(),
            settings.join("\n"),
        );
        std::fs::write(path("pgbouncer.ini"), config).unwrap();
        // It refuses root.
        let (uid, gid) = rustix::process::getuid().is_root().then(unprivileged).unzip();
        for file in [folder.path().to_owned(), path("users"), path("pgbouncer.ini")] {
            std::os::unix::fs::chown(file, uid, gid).unwrap();
        }
        let mut pgbouncer = Command::new(program());
        pgbouncer.arg("-q").arg(path("pgbouncer.ini")).stdin(Stdio::null()).stderr(Stdio::null());
        if let (Some(uid), Some(gid)) = (uid, gid) {
            pgbouncer.uid(uid).gid(gid);
        }
        let process = pgbouncer.spawn().unwrap();
        until("it takes connections", || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
        PgBouncer { process, port, _folder: folder }
    }

    /// The database, as it is reached through it.
    pub fn through(&self, database: &Database) -> Database {
        Database { port: self.port, ..database.clone() }
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Debian keeps it where only root's path leads.
fn program() -> &'static str {
    let debian = "/usr/sbin/pgbouncer";
    if std::path::Path::new(debian).exists() { debian } else { "pgbouncer" }
}
