//! Makes the calls of one run: the client, its credentials, and the classification of answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use url::Url;

use crate::config::Settings;
use crate::corecard::auth::credentials::Credentials;
use crate::corecard::auth::token::TokenError;
use crate::corecard::client::{Client, ClientConfig};
use crate::corecard::server_date::ServerDate;
use crate::engine::Caller;
use crate::ledger::ClaimedRow;
use crate::model::{AnswerRules, Attempt, Outcome, Verdict, classify};
use crate::policy::credential_refresh::{RefreshOutcome, RefreshSchedule, first_retry_delay};

/// Makes the calls of one run.
pub struct CoreCardCaller {
    client: Client,
    credentials: Arc<Credentials>,
    rules: AnswerRules,
    fetched_at: Instant,
    /// How long the first credentials last from then on, if that is known.
    lifetime: Option<Duration>,
}

impl CoreCardCaller {
    /// The calls of the run with this identifier, with credentials to begin with.
    ///
    /// # Errors
    /// When there are no credentials to be had, or the settings do not fit together.
    pub async fn prepare(
        run: &str,
        settings: &Settings,
        server: &Url,
    ) -> anyhow::Result<CoreCardCaller> {
        let Settings { auth, network, body, .. } = settings;
        let credentials = Arc::new(Credentials::new(auth, network, server, body, run)?);
        let config = ClientConfig {
            endpoint: server.clone(),
            timeout: settings.timeout,
            network: network.clone(),
            credentials: Arc::clone(&credentials),
        };
        let client = Client::new(config, body.clone(), run.to_owned())?;
        let (fetched_at, lifetime) =
            first(&credentials).await.context("cannot get the credentials that [auth] asks for")?;
        let rules = AnswerRules {
            codes: settings.codes.clone(),
            not_processed: settings.not_processed.clone(),
        };
        Ok(CoreCardCaller { client, credentials, rules, fetched_at, lifetime })
    }

    /// This machine's clock, compared with the dates of the answers.
    pub fn server_date(&self) -> Arc<ServerDate> {
        self.client.server_date()
    }

    /// How the credentials are renewed in a run that starts now.
    pub fn refresh(&self) -> RefreshSchedule {
        let left = |lasts: Duration| lasts.saturating_sub(self.fetched_at.elapsed());
        if self.credentials.can_refresh() {
            RefreshSchedule::new(self.lifetime.map(left))
        } else {
            RefreshSchedule::disabled()
        }
    }
}

/// The first credentials: when they were asked for, and how long they last from then on.
async fn first(credentials: &Credentials) -> Result<(Instant, Option<Duration>), TokenError> {
    let mut failures = 0;
    loop {
        let asked_at = Instant::now();
        let why = match credentials.fetch().await {
            Ok(lifetime) => return Ok((asked_at, lifetime)),
            Err(why) => why,
        };
        match first_retry_delay(failures).filter(|_| why.may_pass) {
            Some(wait) => {
                tracing::warn!("no credentials yet: {why}; trying again in {wait:?}");
                tokio::time::sleep(wait).await;
                failures += 1;
            }
            None => return Err(why),
        }
    }
}

impl Caller for CoreCardCaller {
    fn clone_for_thread(&self) -> CoreCardCaller {
        CoreCardCaller {
            client: self.client.clone_for_thread(),
            credentials: Arc::clone(&self.credentials),
            rules: self.rules.clone(),
            ..*self
        }
    }

    async fn connect(&self, connections: usize) {
        self.client.connect(connections).await;
    }

    async fn call(&self, claimed: &ClaimedRow, may_start: &dyn Fn() -> bool) -> Option<Outcome> {
        let (order, row, number) = (claimed.order(), claimed.row(), claimed.attempt());
        let attempt = Attempt { order, row, number };
        let outcome = classify(self.client.cancel(attempt, may_start).await?, &self.rules);
        if outcome.verdict != Verdict::Cancelled {
            let (row, attempt) = (row.0, number);
            tracing::debug!(
                row,
                attempt,
                "{:?}: {}: {}",
                outcome.verdict,
                outcome.error_code,
                outcome.message
            );
        }
        Some(outcome)
    }

    async fn refresh_credentials(&self) -> RefreshOutcome {
        match self.credentials.fetch().await {
            Ok(lifetime) => {
                tracing::info!("the credentials are renewed");
                RefreshOutcome::Refreshed(lifetime)
            }
            Err(why) => {
                tracing::warn!("cannot renew the credentials: {why}");
                RefreshOutcome::Failed
            }
        }
    }
}
