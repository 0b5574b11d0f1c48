//! Decides which rows a commit claims: rows of this process that wait come first, then orphaned
//! ones, then new ones. A row whose order another run at the endpoint cancelled is decided
//! without a call; one whose order is in flight there is skipped.

use std::collections::HashSet;

use super::other_runs::{self, KnownElsewhere};
use crate::ledger::PendingRow;
use crate::ledger::elsewhere::{Elsewhere, cancelled_by};
use crate::ledger::postgres::error::DbError;
use crate::ledger::postgres::read::row_number;
use crate::ledger::postgres::session::Session;
use crate::ledger::postgres::worker::WorkerSession;
use crate::model::Order;

const ORPHANED_ROWS: &str = include_str!("../sql/orphaned_rows.sql");
const FRESH: &str = include_str!("../sql/unsent.sql");
const FRESH_BY_PLACE: &str = include_str!("../sql/fresh_by_place.sql");

pub(super) const STATEMENTS: [&str; 3] = [ORPHANED_ROWS, FRESH, other_runs::ELSEWHERE];

/// The most rows that one commit may decide without a call, so that no commit takes long.
const MOST_DECIDED: usize = 10_000;
/// The number of new rows checked together once other runs have cancelled some of them.
const LOOKED_AT: usize = 1_000;

/// The rows to choose from.
pub(super) struct FetchRequest<'t> {
    /// Rows of this process that wait.
    pub again: &'t [PendingRow],
    /// The most rows to claim besides them.
    pub fresh: u32,
    /// The position of the first new row.
    pub first_fresh: i64,
    /// One past the last position.
    pub end: i64,
    /// Whether positions differ from row numbers.
    pub by_place: bool,
    /// Whether there may be orphaned rows, which no worker holds.
    pub has_orphaned: bool,
    /// Whether other runs may know some of the orders.
    pub elsewhere: bool,
}

impl FetchRequest<'_> {
    /// The most rows that can be fetched.
    pub fn most(&self) -> u32 {
        let there = if self.has_orphaned {
            self.fresh
        } else {
            self.fresh.min(u32::try_from(self.end - self.first_fresh).unwrap_or(u32::MAX))
        };
        there.saturating_add(u32::try_from(self.again.len()).unwrap_or(u32::MAX))
    }
}

/// The rows that were chosen.
#[derive(Default)]
pub(super) struct FetchedRows {
    /// Rows of this process that waited, with their attempts.
    again: Vec<(i64, i32)>,
    /// Rows of this process that continue to wait.
    pub deferred: HashSet<i64>,
    /// Orphaned rows.
    pub orphaned: Vec<PendingRow>,
    /// Rows that were never claimed.
    pub fresh: Vec<PendingRow>,
    /// The positions of the new rows.
    pub places: Vec<i64>,
    /// Rows whose orders another run cancelled, with the message.
    pub already_cancelled: Vec<(i64, String)>,
    /// Rows of this process whose orders another run has in flight.
    pub again_later: HashSet<i64>,
    /// Other rows whose orders another run has in flight, with their positions.
    pub later: Vec<(PendingRow, i64)>,
    /// Rows that inherit a doubt from other runs.
    pub inherited: HashSet<i64>,
    /// The position of the first new row after this commit.
    pub first_fresh: i64,
}

impl FetchedRows {
    /// The number of rows to claim.
    pub fn len(&self) -> usize {
        self.again.len() + self.orphaned.len() + self.fresh.len()
    }

    /// The number of rows to claim or to skip. A commit skips no more than it may claim.
    fn taken(&self) -> usize {
        self.len() + self.later.len()
    }

    /// Decides about a row by what other runs know of its order.
    fn can_be_claimed(&mut self, row: i64, elsewhere: Elsewhere) -> ClaimDecision {
        match elsewhere {
            Elsewhere::Nothing => ClaimDecision::Claim,
            Elsewhere::InFlight => ClaimDecision::Later,
            Elsewhere::InDoubt => {
                self.inherited.insert(row);
                ClaimDecision::Claim
            }
            Elsewhere::Cancelled { run, row: its } => {
                self.already_cancelled.push((row, cancelled_by(&run, its)));
                ClaimDecision::AlreadyCancelled
            }
        }
    }

    /// The rows claimed before, with their attempts.
    pub fn retried(&self) -> impl Iterator<Item = (i64, i32)> {
        let orphaned = self.orphaned.iter().map(|row| (row.row.0.into(), row.attempts as i32));
        self.again.iter().copied().chain(orphaned)
    }
}

/// The decision about a row.
#[derive(PartialEq, Eq)]
enum ClaimDecision {
    Claim,
    /// Another run has its order in flight.
    Later,
    /// Another run cancelled its order.
    AlreadyCancelled,
}

/// Chooses up to `room` rows.
pub(super) async fn fetch(
    session: &mut Session,
    worker_session: &WorkerSession,
    asked: FetchRequest<'_>,
    room: usize,
) -> Result<FetchedRows, DbError> {
    let mut fetched = FetchedRows { first_fresh: asked.first_fresh, ..FetchedRows::default() };
    let again = asked.again.iter().map(|waiting| (waiting.row.0.into(), waiting.attempts as i32));
    let mut again: Vec<(i64, i32)> = again.collect();
    let mut others =
        known(session, worker_session, &asked, again.iter().map(|(row, _)| *row)).await?;
    again.retain(|(row, _)| {
        let choice = fetched.can_be_claimed(*row, others.of_row(*row, worker_session.again));
        if choice == ClaimDecision::Later {
            fetched.again_later.insert(*row);
        }
        choice == ClaimDecision::Claim
    });
    fetched.deferred =
        again.split_off(again.len().min(room)).into_iter().map(|(row, _)| row).collect();
    fetched.again = again;
    let most = room.min(fetched.again.len() + asked.fresh as usize);
    if asked.has_orphaned && fetched.taken() < most {
        fetch_orphaned(session, worker_session, &asked, most, &mut fetched).await?;
    }
    while fetched.taken() < most
        && fetched.first_fresh < asked.end
        && fetched.already_cancelled.len() < MOST_DECIDED
    {
        fetch_unsent(session, worker_session, &asked, most, &mut fetched).await?;
    }
    Ok(fetched)
}

async fn fetch_orphaned(
    session: &mut Session,
    worker_session: &WorkerSession,
    asked: &FetchRequest<'_>,
    most: usize,
    fetched: &mut FetchedRows,
) -> Result<(), DbError> {
    let statement = session.statement(ORPHANED_ROWS).await?;
    let room = (most - fetched.taken()) as i64;
    let found = session.client.query(&statement, &[&worker_session.run, &room]).await?;
    let mut orphaned = Vec::new();
    for row in found {
        let counted = |count: i64| u32::try_from(count).unwrap_or_default();
        let place: i64 = row.try_get(6)?;
        let waiting = PendingRow {
            row: row_number(&row, 0)?,
            order: Order { admin_number: row.try_get(1)?, sequence_number: row.try_get(2)? },
            attempts: counted(row.try_get::<_, i32>(3)?.into()),
            counted_attempts: counted(row.try_get(4)?),
            doubt: row.try_get(5)?,
        };
        orphaned.push((waiting, place));
    }
    let waits: HashSet<i64> = asked.again.iter().map(|waiting| waiting.row.0.into()).collect();
    orphaned.retain(|(waiting, _)| !waits.contains(&waiting.row.0.into()));
    let rows = orphaned.iter().map(|(waiting, _)| waiting.row.0.into());
    let mut others = known(session, worker_session, asked, rows).await?;
    for (mut waiting, place) in orphaned {
        let row = waiting.row.0.into();
        match fetched.can_be_claimed(row, others.of_row(row, worker_session.again)) {
            ClaimDecision::Claim => {
                waiting.doubt |= fetched.inherited.contains(&row);
                fetched.orphaned.push(waiting);
            }
            ClaimDecision::Later => fetched.later.push((waiting, place)),
            ClaimDecision::AlreadyCancelled => {}
        }
    }
    Ok(())
}

async fn fetch_unsent(
    session: &mut Session,
    worker_session: &WorkerSession,
    asked: &FetchRequest<'_>,
    most: usize,
    fetched: &mut FetchedRows,
) -> Result<(), DbError> {
    let statement = if asked.by_place {
        session.statement(FRESH_BY_PLACE).await?
    } else {
        session.statement(FRESH).await?
    };
    let mut look_at = most - fetched.taken();
    if !fetched.already_cancelled.is_empty() {
        look_at = look_at.max(LOOKED_AT);
    }
    // One more than wanted: it is where the next commit begins, so that a long series of decided
    // rows is read only once.
    let limit = look_at as i64 + 1;
    let mut found = session
        .client
        .query(&statement, &[&worker_session.run, &fetched.first_fresh, &limit])
        .await?;
    fetched.first_fresh = if found.len() > look_at {
        found.pop().map_or(Ok(asked.end), |next| next.try_get(4))?
    } else {
        asked.end
    };
    let rows: Vec<i64> = found.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let mut others = known(session, worker_session, asked, rows.into_iter()).await?;
    for row in found {
        let (number, place) = (row.try_get(0)?, row.try_get(4)?);
        if fetched.taken() >= most {
            fetched.first_fresh = place;
            break;
        }
        let mut waiting = PendingRow {
            row: row_number(&row, 0)?,
            order: Order { admin_number: row.try_get(1)?, sequence_number: row.try_get(2)? },
            attempts: 0,
            counted_attempts: 0,
            doubt: row.try_get(3)?,
        };
        match fetched.can_be_claimed(number, others.of_row(number, worker_session.again)) {
            ClaimDecision::Claim => {
                waiting.doubt |= fetched.inherited.contains(&number);
                fetched.places.push(place);
                fetched.fresh.push(waiting);
            }
            ClaimDecision::Later => fetched.later.push((waiting, place)),
            ClaimDecision::AlreadyCancelled => {}
        }
    }
    Ok(())
}

/// What other runs know of the orders of these rows.
async fn known(
    session: &mut Session,
    worker_session: &WorkerSession,
    asked: &FetchRequest<'_>,
    rows: impl Iterator<Item = i64>,
) -> Result<KnownElsewhere, DbError> {
    if asked.elsewhere {
        KnownElsewhere::ask(session, worker_session, rows).await
    } else {
        Ok(KnownElsewhere::default())
    }
}
