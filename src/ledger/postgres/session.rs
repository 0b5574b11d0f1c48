//! A database session: a connection with its prepared statements.

use std::collections::HashMap;

use futures_util::future::try_join_all;
use tokio_postgres::{Client, Statement};

use super::copies::Copies;
use super::error::DbError;

/// A session with its prepared statements.
pub(super) struct Session {
    pub client: Client,
    /// The database in the form that may be displayed.
    pub path: String,
    /// The server's process id of the session.
    pub number: i32,
    /// What would be left of what is committed after a failover.
    pub copies: Copies,
    /// The timeline of the server's history, if it is known.
    pub timeline: Option<String>,
    /// Whether the worker has verified in this session that what was confirmed to it is still
    /// there.
    pub is_known: bool,
    statements: HashMap<&'static str, Statement>,
}

impl Session {
    /// A session on a new connection, before it is set up.
    pub fn new(client: Client, path: &str) -> Session {
        Session {
            client,
            path: path.to_owned(),
            number: 0,
            copies: Copies::default(),
            timeline: None,
            is_known: false,
            statements: HashMap::new(),
        }
    }

    /// The statement, which is prepared once per session.
    pub async fn statement(&mut self, sql: &'static str) -> Result<Statement, DbError> {
        if let Some(prepared) = self.statements.get(sql) {
            return Ok(prepared.clone());
        }
        let prepared = self.client.prepare(sql).await?;
        self.statements.insert(sql, prepared.clone());
        Ok(prepared)
    }

    /// Prepares all of these statements in one round trip.
    pub async fn prepare_all(
        &mut self,
        statements: impl IntoIterator<Item = &'static str>,
    ) -> Result<(), DbError> {
        let missing = statements.into_iter().filter(|sql| !self.statements.contains_key(sql));
        let client = &self.client;
        let prepare = async |sql| Ok::<_, DbError>((sql, client.prepare(sql).await?));
        let prepared = try_join_all(missing.map(prepare)).await?;
        self.statements.extend(prepared);
        Ok(())
    }

    /// The statement, if `is_needed`.
    pub async fn statement_if(
        &mut self,
        is_needed: bool,
        sql: &'static str,
    ) -> Result<Option<Statement>, DbError> {
        if is_needed { self.statement(sql).await.map(Some) } else { Ok(None) }
    }
}
