//! Which rows a turn stakes: those that wait first, then those that others left, then
//! fresh ones. What another run cancelled at the endpoint is decided without a call.

use std::collections::{HashMap, HashSet};

use super::super::super::Waiting;
use super::super::failed::Failed;
use super::super::link::Session;
use super::super::read::row_number;
use super::super::stay::Stay;
use crate::order::Order;

const LEFT: &str = include_str!("../sql/left.sql");
const FRESH: &str = include_str!("../sql/fresh.sql");
const FRESH_BY_PLACE: &str = include_str!("../sql/fresh_by_place.sql");
const ELSEWHERE: &str = include_str!("../sql/elsewhere.sql");

pub(super) const STATEMENTS: [&str; 3] = [LEFT, FRESH, ELSEWHERE];

/// How many rows one turn may end without a call, so that no turn is long.
const MOST_DECIDED: usize = 10_000;
/// How many fresh rows are looked at together where others cancelled some.
const LOOKED_AT: usize = 1_000;

/// What there is to pick from.
pub(super) struct Asked<'t> {
    /// Rows of this process that wait.
    pub again: &'t [Waiting],
    /// The most rows beside them.
    pub fresh: u32,
    /// The place in which fresh rows begin.
    pub first_fresh: i64,
    /// One past the last place.
    pub end: i64,
    /// Whether the places are not those of the rows' numbers.
    pub by_place: bool,
    /// Whether some are nobody's.
    pub nobodys: bool,
    /// Whether another run may have cancelled some.
    pub elsewhere: bool,
}

impl Asked<'_> {
    /// How many rows can be picked at most.
    pub fn most(&self) -> u32 {
        let there = match self.nobodys {
            true => self.fresh,
            false => self.fresh.min(u32::try_from(self.end - self.first_fresh).unwrap_or(u32::MAX)),
        };
        there.saturating_add(u32::try_from(self.again.len()).unwrap_or(u32::MAX))
    }
}

/// What was picked.
#[derive(Default)]
pub(super) struct Picked {
    /// Rows of this process that waited, each with its attempts.
    again: Vec<(i64, i32)>,
    /// Rows of this process that go on waiting.
    pub deferred: HashSet<i64>,
    /// Rows that others left.
    pub left: Vec<Waiting>,
    /// Rows that were never staked.
    pub fresh: Vec<Waiting>,
    /// Their places.
    pub places: Vec<i64>,
    /// Rows that another run cancelled, each with what says so.
    pub decided: Vec<(i64, String)>,
    /// The place in which fresh rows begin now.
    pub first_fresh: i64,
}

impl Picked {
    /// How many are to be staked.
    pub fn len(&self) -> usize {
        self.again.len() + self.left.len() + self.fresh.len()
    }

    /// Those that were staked before, each with its attempts.
    pub fn retried(&self) -> impl Iterator<Item = (i64, i32)> {
        let left = self.left.iter().map(|left| (left.row.0.into(), left.attempts as i32));
        self.again.iter().copied().chain(left)
    }
}

/// Picks up to `room` rows.
pub(super) async fn pick(
    session: &mut Session,
    stay: &Stay,
    asked: Asked<'_>,
    room: usize,
) -> Result<Picked, Failed> {
    let mut picked = Picked { first_fresh: asked.first_fresh, ..Picked::default() };
    let again = asked.again.iter().map(|waiting| (waiting.row.0.into(), waiting.attempts as i32));
    let mut again: Vec<(i64, i32)> = again.collect();
    let mut cancelled = cancelled(session, stay, &asked, again.iter().map(|(row, _)| *row)).await?;
    let decided = &mut picked.decided;
    again.retain(|(row, _)| match cancelled.remove(row) {
        Some(message) => {
            decided.push((*row, message));
            false
        }
        None => true,
    });
    picked.deferred =
        again.split_off(again.len().min(room)).into_iter().map(|(row, _)| row).collect();
    picked.again = again;
    let most = room.min(picked.again.len() + asked.fresh as usize);
    if asked.nobodys && picked.len() < most {
        pick_left(session, stay, &asked, most, &mut picked).await?;
    }
    while picked.len() < most
        && picked.first_fresh < asked.end
        && picked.decided.len() < MOST_DECIDED
    {
        pick_fresh(session, stay, &asked, most, &mut picked).await?;
    }
    Ok(picked)
}

async fn pick_left(
    session: &mut Session,
    stay: &Stay,
    asked: &Asked<'_>,
    most: usize,
    picked: &mut Picked,
) -> Result<(), Failed> {
    let statement = session.statement(LEFT).await?;
    let room = (most - picked.len()) as i64;
    let found = session.client.query(&statement, &[&stay.run, &room]).await?;
    let mut left = Vec::new();
    for row in found {
        let counted = |count: i64| u32::try_from(count).unwrap_or_default();
        left.push(Waiting {
            row: row_number(&row, 0)?,
            order: Order { admin_number: row.try_get(1)?, sequence_number: row.try_get(2)? },
            attempts: counted(row.try_get::<_, i32>(3)?.into()),
            spent: counted(row.try_get(4)?),
            doubt: row.try_get(5)?,
        });
    }
    let waits: HashSet<i64> = asked.again.iter().map(|waiting| waiting.row.0.into()).collect();
    left.retain(|left| !waits.contains(&left.row.0.into()));
    let rows = left.iter().map(|left| left.row.0.into());
    let mut cancelled = cancelled(session, stay, asked, rows).await?;
    for left in left {
        let row = left.row.0.into();
        match cancelled.remove(&row) {
            Some(message) => picked.decided.push((row, message)),
            None => picked.left.push(left),
        }
    }
    Ok(())
}

async fn pick_fresh(
    session: &mut Session,
    stay: &Stay,
    asked: &Asked<'_>,
    most: usize,
    picked: &mut Picked,
) -> Result<(), Failed> {
    let statement = match asked.by_place {
        true => session.statement(FRESH_BY_PLACE).await?,
        false => session.statement(FRESH).await?,
    };
    let mut look_at = most - picked.len();
    if !picked.decided.is_empty() {
        look_at = look_at.max(LOOKED_AT);
    }
    // One more than wanted: where the next turn begins, so that a long stretch of
    // decided rows is walked once.
    let limit = look_at as i64 + 1;
    let mut found =
        session.client.query(&statement, &[&stay.run, &picked.first_fresh, &limit]).await?;
    picked.first_fresh = match found.len() > look_at {
        true => found.pop().map_or(Ok(asked.end), |next| next.try_get(4))?,
        false => asked.end,
    };
    let rows: Vec<i64> = found.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let mut cancelled = cancelled(session, stay, asked, rows.into_iter()).await?;
    for row in found {
        let (number, place) = (row.try_get(0)?, row.try_get(4)?);
        if let Some(message) = cancelled.remove(&number) {
            picked.decided.push((number, message));
        } else if picked.len() < most {
            picked.places.push(place);
            picked.fresh.push(Waiting {
                row: row_number(&row, 0)?,
                order: Order { admin_number: row.try_get(1)?, sequence_number: row.try_get(2)? },
                attempts: 0,
                spent: 0,
                doubt: row.try_get(3)?,
            });
        } else {
            picked.first_fresh = place;
            break;
        }
    }
    Ok(())
}

/// Which of these rows have an order that another run cancelled, and what says so.
async fn cancelled(
    session: &mut Session,
    stay: &Stay,
    asked: &Asked<'_>,
    rows: impl Iterator<Item = i64>,
) -> Result<HashMap<i64, String>, Failed> {
    let rows: Vec<i64> = rows.collect();
    if !asked.elsewhere || rows.is_empty() {
        return Ok(HashMap::new());
    }
    let statement = session.statement(ELSEWHERE).await?;
    let found = session.client.query(&statement, &[&stay.run, &stay.endpoint, &rows]).await?;
    let told = |row: tokio_postgres::Row| {
        let (run, its): (String, i64) = (row.try_get(1)?, row.try_get(2)?);
        Ok((row.try_get(0)?, format!("cancelled by run {run}, row {its}")))
    };
    found.into_iter().map(told).collect()
}
