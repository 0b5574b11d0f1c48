//! How large the database is, and what is in it.

use super::error::DbError;
use super::schema;
use super::session::Session;
use crate::ledger::LedgerInfo;

pub(super) async fn info(session: &mut Session) -> Result<LedgerInfo, DbError> {
    let find = "SELECT (SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class
                        WHERE relnamespace = 'cardcancel'::regnamespace AND relkind = 'r'),
                       (SELECT count(*) FROM run),
                       (SELECT count(*) FROM row JOIN run ON run.number = row.run
                        WHERE run.forgotten_at IS NULL),
                       (SELECT count(*) FROM attempt)";
    let found = session.client.query_one(find, &[]).await?;
    let number = |column: usize| {
        Ok::<_, DbError>(u64::try_from(found.try_get::<_, i64>(column)?).unwrap_or_default())
    };
    Ok(LedgerInfo {
        version: i64::try_from(schema::NEWEST).unwrap_or_default(),
        bytes: number(0)?,
        log_bytes: None,
        runs: number(1)?,
        rows: number(2)?,
        attempts: number(3)?,
    })
}
