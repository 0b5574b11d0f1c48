//! The connection settings, parsed from the ledger's URL. It may contain a password, so it is
//! never repeated in a message.

use std::path::Path;
use std::time::Duration;

use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, NoTls, Socket};

use super::super::LedgerError;
use super::error::DbError;
use super::tls::{DatabaseTls, TrustedRoots};
use crate::process;

/// The time-out of an attempt to connect, unless the URL sets one.
const CONNECT: Duration = Duration::from_secs(10);
/// After how long an idle connection is probed, and how often.
const KEEPALIVE: Duration = Duration::from_secs(5);
const KEEPALIVES: u32 = 3;
/// How long sent data may remain unacknowledged (`TCP_USER_TIMEOUT`).
const UNCONFIRMED: Duration = Duration::from_secs(20);

/// The settings of the connection to a database.
pub(super) struct PostgresConfig {
    pub config: Config,
    pub connector: DatabaseTls,
    /// The URL in the form that may be displayed.
    pub shown: String,
    /// Whether a failover may lose what was confirmed.
    pub allow_async: bool,
}

impl PostgresConfig {
    /// Parses the URL.
    pub fn of(url: &str) -> Result<PostgresConfig, LedgerError> {
        let bad = |what: &str| LedgerError::BadUrl(what.to_owned());
        let shown = shown(url)?;
        let (base, wishes) = url.split_once('?').unwrap_or((url, ""));
        let mut wishes: Vec<(&str, &str)> =
            wishes.split('&').filter_map(|wish| wish.split_once('=')).collect();
        let mut take = |name: &str| -> Option<&str> {
            let place = wishes.iter().position(|(wish, _)| *wish == name)?;
            Some(wishes.remove(place).1)
        };
        let (mode, root) = (take("sslmode"), take("sslrootcert"));
        let allow_async = match take("allow_async") {
            None | Some("0") => false,
            Some("1") => true,
            Some(_) => return Err(bad("allow_async must be 1 or 0")),
        };
        let rest: Vec<String> =
            wishes.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut config: Config = format!("{base}?{}", rest.join("&"))
            .parse()
            .map_err(|wrong| bad(&super::error::message(&wrong)))?;
        if config.get_hosts().is_empty() {
            return Err(bad("the URL names no host: write postgres://USER@HOST/DATABASE"));
        }
        // If an address is given besides the host's name, the connection goes to the address.
        let is_near = config.get_hosts().iter().all(is_near)
            && config.get_hostaddrs().iter().all(std::net::IpAddr::is_loopback);
        config.ssl_mode(match mode {
            None if is_near => SslMode::Disable,
            Some("disable") => SslMode::Disable,
            None | Some("require" | "verify-ca" | "verify-full") => SslMode::Require,
            Some(_) => {
                return Err(bad(
                    "sslmode must be verify-full or disable: other modes would send the password to a server that is not verified",
                ));
            }
        });
        let roots = match root {
            None | Some("system") => TrustedRoots::System,
            Some(path) => TrustedRoots::File(Path::new(&decoded(path)).to_owned()),
        };
        let connector = match config.get_ssl_mode() {
            SslMode::Disable => DatabaseTls::none(),
            _ => DatabaseTls::verifying(roots)?,
        };
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        if config.get_target_session_attrs() == TargetSessionAttrs::Any {
            // Of several hosts, use the one that accepts writes: after a failover it is another
            // one.
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        config
            .application_name(process::session_name())
            .keepalives_idle(KEEPALIVE)
            .keepalives_interval(KEEPALIVE)
            .keepalives_retries(KEEPALIVES)
            .tcp_user_timeout(UNCONFIRMED);
        Ok(PostgresConfig { config, connector, shown, allow_async })
    }

    /// Opens a connection.
    pub async fn connect(&self) -> Result<Client, DbError> {
        match self.connector.tls() {
            Some(tls) => self.connect_by(tls).await,
            None => self.connect_by(NoTls).await,
        }
    }

    async fn connect_by<T>(&self, tls: T) -> Result<Client, DbError>
    where
        T: MakeTlsConnect<Socket>,
        T::Stream: Send + 'static,
    {
        let (client, connection) = self.config.connect(tls).await?;
        tokio::spawn(async move {
            // How it ended is reported by the query that waits for an answer.
            let _ = connection.await;
        });
        Ok(client)
    }
}

/// The URL without user, password and parameters. A password that is not percent-encoded could be
/// mistaken for a host, so such a URL is refused.
fn shown(url: &str) -> Result<String, LedgerError> {
    let bad = |what: &str| LedgerError::BadUrl(what.to_owned());
    let Some((_, rest)) = url.split_once("://") else {
        return Err(bad("this is not a URL: write postgres://USER@HOST/DATABASE"));
    };
    let (place, _) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = place.split_once('/').unwrap_or((place, ""));
    let (user, hosts) = match authority.rsplit_once('@') {
        Some((user, hosts)) => (user, hosts),
        None => ("", authority),
    };
    let behind = &rest[authority.len()..];
    if user.contains('@') || behind.contains('@') || rest.contains('#') {
        return Err(bad(
            "in a URL's user and password, write %40 for @, %3A for :, %2F for /, %3F for ? and %23 for #",
        ));
    }
    if database.is_empty() {
        return Err(bad("the URL names no database: write postgres://USER@HOST/DATABASE"));
    }
    Ok(format!("postgres://{hosts}/{database}"))
}

/// Whether data sent to this host stays on this machine.
fn is_near(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) if name == "localhost" => true,
        Host::Tcp(name) => {
            name.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
        }
    }
}

fn decoded(text: &str) -> String {
    let mut pairs = url::form_urlencoded::parse(text.as_bytes());
    pairs.next().map(|(text, _)| text.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn read(url: &str) -> PostgresConfig {
        PostgresConfig::of(url).unwrap_or_else(|wrong| unreachable!("{url}: {wrong}"))
    }

    fn refused(url: &str) -> String {
        PostgresConfig::of(url).map(|database| database.shown).unwrap_err().to_string()
    }

    #[test]
    fn neither_user_nor_password_is_shown() {
        for url in [
            "postgres://ada:secret@db1:5432,db2/night",
            "postgresql://db1:5432,db2/night?user=ada&password=secret",
        ] {
            assert_eq!(read(url).shown, "postgres://db1:5432,db2/night");
            assert_eq!(read(url).config.get_password(), Some(&b"secret"[..]));
        }
    }

    #[test]
    fn a_password_that_could_pass_for_a_host_is_refused_and_not_told() {
        for url in [
            "postgres://ada:sec@ret@db/night",
            "postgres://ada:sec/ret@db/night",
            "postgres://ada:sec?ret@db/night",
            "postgres://ada:sec#ret@db/night",
        ] {
            let told = refused(url);
            assert!(told.contains("%40 for @") && !told.contains("ret@"), "{told}");
        }
    }

    #[test]
    fn what_leaves_this_machine_is_encrypted_unless_the_url_says_otherwise() {
        for (url, mode) in [
            ("postgres://ada@db/night", SslMode::Require),
            ("postgres://ada@db/night?sslmode=verify-full", SslMode::Require),
            ("postgres://ada@127.0.0.1,db/night", SslMode::Require),
            ("postgres://ada@db/night?sslmode=disable", SslMode::Disable),
            ("postgres://ada@127.0.0.1,localhost/night", SslMode::Disable),
            ("postgres://ada@%2Frun%2Fpostgresql/night", SslMode::Disable),
            ("postgres://ada@localhost/night?sslmode=require", SslMode::Require),
        ] {
            assert_eq!(read(url).config.get_ssl_mode(), mode, "{url}");
        }
    }

    #[test]
    fn an_address_elsewhere_beside_a_host_that_is_near_is_spoken_to_by_tls() {
        for (hostaddr, mode) in [("127.0.0.1", SslMode::Disable), ("192.0.2.1", SslMode::Require)] {
            let url = format!("postgres://ada@localhost/night?hostaddr={hostaddr}");
            assert_eq!(read(&url).config.get_ssl_mode(), mode, "{url}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said() {
        assert_snapshot!(refused("postgres://ada@db"), @"--ledger: the URL names no database: write postgres://USER@HOST/DATABASE");
        assert_snapshot!(refused("postgres://ada@db/night?sslmode=prefer"), @"--ledger: sslmode must be verify-full or disable: other modes would send the password to a server that is not verified");
        assert_snapshot!(refused("postgres://ada@db/night?sslkey=x"), @"--ledger: unknown option `sslkey`");
        assert_snapshot!(refused("postgres://ada@db:x/night"), @"--ledger: invalid value for option `port`");
        assert_snapshot!(refused("postgres:///night"), @"--ledger: the URL names no host: write postgres://USER@HOST/DATABASE");
        assert_snapshot!(refused("postgres://ada@db/night?sslrootcert=/nowhere.pem"), @"--ledger: sslrootcert: cannot use /nowhere.pem (I/O error: No such file or directory (os error 2))");
    }
}
