//! What other runs at the endpoint know of the orders of rows that are about to be claimed.

use std::collections::HashMap;

use crate::ledger::elsewhere::Elsewhere;
use crate::ledger::postgres::error::DbError;
use crate::ledger::postgres::session::Session;
use crate::ledger::postgres::worker::WorkerSession;

pub(super) const ELSEWHERE: &str = include_str!("../sql/known_in_other_runs.sql");

/// What they know, keyed by the rows of this run.
#[derive(Default)]
pub(super) struct KnownElsewhere(HashMap<i64, OrderFacts>);

/// What they know of one order.
#[derive(Default)]
struct OrderFacts {
    /// The run that cancelled it and the row in that run.
    cancelled: Option<(String, i64)>,
    in_flight: bool,
    in_doubt: bool,
}

impl KnownElsewhere {
    /// Looks up the orders of these rows. The budget must be locked.
    pub async fn ask(
        session: &mut Session,
        worker_session: &WorkerSession,
        rows: impl Iterator<Item = i64>,
    ) -> Result<KnownElsewhere, DbError> {
        let rows: Vec<i64> = rows.collect();
        let mut known = KnownElsewhere::default();
        if rows.is_empty() {
            return Ok(known);
        }
        let statement = session.statement(ELSEWHERE).await?;
        let found = session
            .client
            .query(&statement, &[&worker_session.run, &worker_session.endpoint, &rows])
            .await?;
        for row in found {
            let facts = known.0.entry(row.try_get(0)?).or_default();
            if row.try_get(3)? {
                facts.cancelled = Some((row.try_get(1)?, row.try_get(2)?));
            }
            facts.in_flight |= row.try_get::<_, bool>(4)?;
            facts.in_doubt |= row.try_get::<_, bool>(5)?;
        }
        Ok(known)
    }

    /// What other runs know of the order of a row. With `again`, a cancelled order is ignored.
    pub fn of_row(&mut self, row: i64, again: bool) -> Elsewhere {
        match self.0.remove(&row) {
            Some(OrderFacts { cancelled: Some((run, row)), .. }) if !again => {
                let row = u32::try_from(row).unwrap_or_default();
                Elsewhere::Cancelled { run, row }
            }
            Some(OrderFacts { in_flight: true, .. }) => Elsewhere::InFlight,
            Some(OrderFacts { in_doubt: true, cancelled: None, .. }) => Elsewhere::InDoubt,
            _ => Elsewhere::Nothing,
        }
    }
}
