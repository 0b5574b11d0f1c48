//! The value of `--ledger`: a file's path or a database's address.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use anyhow::bail;
use clap::builder::{OsStringValueParser, TypedValueParser};

use crate::ledger::{DatabaseUrl, LedgerLocation};

/// The value of `--ledger`. It may hold a password, and is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct LedgerArg(OsString);

impl LedgerArg {
    /// Takes any value of the flag; it is checked later, in messages that do not repeat it.
    pub(super) fn parser() -> impl TypedValueParser<Value = LedgerArg> {
        OsStringValueParser::new().map(LedgerArg)
    }

    /// Whether it is an address, and no file's path.
    pub fn is_address(&self) -> bool {
        self.0.to_string_lossy().contains("://")
    }

    /// Whether a password stands in it.
    pub fn holds_password(&self) -> bool {
        let text = self.0.to_string_lossy();
        // What is not clear may hold one.
        DatabaseUrl::has_scheme(&text)
            && text.parse().map_or(true, |url: DatabaseUrl| url.has_password())
    }

    /// The location that it names.
    ///
    /// # Errors
    /// When it is an address, and not one of a PostgreSQL database; it is not repeated.
    pub fn location(self) -> anyhow::Result<LedgerLocation> {
        let text = self.0.to_string_lossy();
        if DatabaseUrl::has_scheme(&text) {
            return Ok(LedgerLocation::Database(text.parse()?));
        }
        if let Some((scheme, _)) = text.split_once("://") {
            bail!(
                "the ledger is a file or a PostgreSQL database: give a path or postgres://USER@HOST/DATABASE, not {scheme}://"
            );
        }
        Ok(LedgerLocation::File(PathBuf::from(self.0)))
    }
}

impl fmt::Debug for LedgerArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LedgerArg")
    }
}

impl<T: Into<OsString>> From<T> for LedgerArg {
    fn from(name: T) -> LedgerArg {
        LedgerArg(name.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    fn location(name: &str) -> anyhow::Result<LedgerLocation> {
        LedgerArg::from(name).location()
    }

    #[test]
    fn a_path_is_a_file_and_an_address_a_database() {
        assert_eq!(
            location("/srv/night.db").unwrap(),
            LedgerLocation::File("/srv/night.db".into())
        );
        assert_eq!(location("postgres://db/night").unwrap().to_string(), "postgres://db/night");
        assert_eq!(location("postgresql://db/night").unwrap().to_string(), "postgresql://db/night");
    }

    #[test]
    fn an_address_of_anything_else_is_refused_and_never_repeated() {
        assert_snapshot!(location("redis://me:s3cret@host/db").unwrap_err(), @"the ledger is a file or a PostgreSQL database: give a path or postgres://USER@HOST/DATABASE, not redis://");
        assert!(!location("postgres://me:s3@cret@h/db").unwrap_err().to_string().contains("s3"));
        assert!(!format!("{:?}", LedgerArg::from("postgres://me:s3cret@h/db")).contains("s3cret"));
    }

    #[test]
    fn a_password_is_noticed_wherever_it_stands() {
        let holds = |name: &str| LedgerArg::from(name).holds_password();
        assert!(holds("postgres://me:s3cret@h/db") && holds("postgres://h/db?password=s3cret"));
        assert!(!holds("postgres://me@h/db") && !holds("night.db"));
    }
}
