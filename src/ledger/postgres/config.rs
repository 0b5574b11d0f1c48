//! The connection settings that the ledger's URL asks for.

use std::path::Path;
use std::time::Duration;

use secrecy::ExposeSecret;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, NoTls, Socket};

use super::error::DbError;
use super::tls::{DatabaseTls, TrustedRoots};
use crate::ledger::{DatabaseUrl, LedgerError};
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
    /// Takes out of the URL what is decided here; the client reads the rest.
    pub fn from_url(mut url: DatabaseUrl) -> Result<PostgresConfig, LedgerError> {
        let bad = |what: &str| LedgerError::InvalidUrl(what.to_owned());
        let shown = url.without_user();
        let (mode, root) = (url.take_parameter("sslmode"), url.take_parameter("sslrootcert"));
        let allow_async = match url.take_parameter("allow_async").as_deref() {
            None | Some("0") => false,
            Some("1") => true,
            Some(_) => return Err(bad("allow_async must be 1 or 0")),
        };
        let mut config: Config = url
            .expose_secret()
            .expose_secret()
            .parse()
            .map_err(|wrong| bad(&super::error::message(&wrong)))?;
        if config.get_hosts().is_empty() {
            return Err(bad("the URL names no host: write postgres://USER@HOST/DATABASE"));
        }
        // If an address is given besides the host's name, the connection goes to the address.
        let is_near = config.get_hosts().iter().all(is_near)
            && config.get_hostaddrs().iter().all(std::net::IpAddr::is_loopback);
        config.ssl_mode(match mode.as_deref() {
            None if is_near => SslMode::Disable,
            Some("disable") => SslMode::Disable,
            None | Some("require" | "verify-ca" | "verify-full") => SslMode::Require,
            Some(_) => {
                return Err(bad(
                    "sslmode must be verify-full or disable: other modes would send the password to a server that is not verified",
                ));
            }
        });
        let roots = match root.as_deref() {
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

    fn config(url: &str) -> Config {
        PostgresConfig::from_url(url.parse().unwrap()).map(|database| database.config).unwrap()
    }

    fn refused(url: &str) -> String {
        let read = PostgresConfig::from_url(url.parse().unwrap());
        read.map(|database| database.shown).unwrap_err().to_string()
    }

    #[test]
    fn hosts_user_and_password_are_given_to_the_client() {
        let config = config("postgres://ada:secret@db1:5432,db2/night");
        assert_eq!((config.get_user(), config.get_password()), (Some("ada"), Some(&b"secret"[..])));
        assert_eq!(config.get_hosts().len(), 2);
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
            assert_eq!(config(url).get_ssl_mode(), mode, "{url}");
        }
    }

    #[test]
    fn an_address_elsewhere_beside_a_host_that_is_near_is_spoken_to_by_tls() {
        for (hostaddr, mode) in [("127.0.0.1", SslMode::Disable), ("192.0.2.1", SslMode::Require)] {
            let url = format!("postgres://ada@localhost/night?hostaddr={hostaddr}");
            assert_eq!(config(&url).get_ssl_mode(), mode, "{url}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said() {
        assert_snapshot!(refused("postgres://ada@db/night?sslmode=prefer"), @"--ledger: sslmode must be verify-full or disable: other modes would send the password to a server that is not verified");
        assert_snapshot!(refused("postgres://ada@db/night?sslkey=x"), @"--ledger: unknown option `sslkey`");
        assert_snapshot!(refused("postgres://ada@db:x/night"), @"--ledger: invalid value for option `port`");
        assert_snapshot!(refused("postgres:///night"), @"--ledger: the URL names no host: write postgres://USER@HOST/DATABASE");
        assert_snapshot!(refused("postgres://ada@db/night?sslrootcert=/nowhere.pem"), @"--ledger: sslrootcert: cannot use /nowhere.pem (I/O error: No such file or directory (os error 2))");
    }
}
