//! Inserts many rows of numbers with few statements.

use rusqlite::{CachedStatement, Connection, ToSql};

/// The numbers of rows that a statement inserts, largest first; larger ones gain little.
const SIZES: [usize; 5] = [16, 8, 4, 2, 1];

/// Statements that insert rows of `N` numbers each.
pub(super) struct BulkInsert<const N: usize> {
    statements: [String; SIZES.len()],
}

impl<const N: usize> BulkInsert<N> {
    /// `into` is the table with its columns in parentheses.
    pub fn into(into: &str) -> Self {
        // A rejected row aborts the whole transaction, so SQLite need not be able to roll back
        // the statement alone.
        Self::statement(&format!("INSERT OR FAIL INTO {into}"))
    }

    /// `insert` is the statement up to its values.
    pub fn statement(insert: &str) -> Self {
        let row = format!("({})", ["?"; N].join(", "));
        let statement = |rows| format!("{insert} VALUES {}", vec![row.as_str(); rows].join(", "));
        BulkInsert { statements: SIZES.map(statement) }
    }

    /// Starts a series of inserts.
    pub fn inserter<'c, T>(&'c self, ledger: &'c Connection) -> BulkInserter<'c, T, N> {
        let statements = [const { None }; SIZES.len()];
        BulkInserter { ledger, insert: self, statements, waiting: Vec::with_capacity(SIZES[0]) }
    }
}

/// Inserts rows of `N` numbers each, several per statement.
pub(super) struct BulkInserter<'c, T, const N: usize> {
    ledger: &'c Connection,
    insert: &'c BulkInsert<N>,
    /// The statements used so far.
    statements: [Option<CachedStatement<'c>>; SIZES.len()],
    waiting: Vec<[T; N]>,
}

impl<T: ToSql, const N: usize> BulkInserter<'_, T, N> {
    /// Inserts the row, or buffers it until there are 16.
    pub fn insert(&mut self, row: [T; N]) -> rusqlite::Result<()> {
        self.waiting.push(row);
        if self.waiting.len() < SIZES[0] {
            return Ok(());
        }
        self.insert_waiting()
    }

    /// Inserts the buffered rows.
    pub fn finish(mut self) -> rusqlite::Result<()> {
        self.insert_waiting()
    }

    fn insert_waiting(&mut self) -> rusqlite::Result<()> {
        let mut rows = self.waiting.as_slice();
        let statements = self.statements.iter_mut().zip(&self.insert.statements);
        for ((statement, sql), size) in statements.zip(SIZES) {
            while let Some((at_once, rest)) = rows.split_at_checked(size) {
                let statement = match statement {
                    Some(statement) => statement,
                    None => statement.insert(self.ledger.prepare_cached(sql)?),
                };
                for (value, place) in at_once.iter().flatten().zip(1..) {
                    statement.raw_bind_parameter(place, value)?;
                }
                statement.raw_execute()?;
                rows = rest;
            }
        }
        self.waiting.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_rows_there_are_each_is_inserted_once_and_in_order() {
        let ledger = Connection::open_in_memory().unwrap();
        ledger.execute_batch("CREATE TABLE pair (a, b)").unwrap();
        let insert = BulkInsert::<2>::into("pair (a, b)");
        for rows in 0..70 {
            let mut many = insert.inserter(&ledger);
            (1..=rows).for_each(|row| many.insert([row, -row]).unwrap());
            many.finish().unwrap();
            let found: Vec<(i64, i64)> = ledger
                .prepare("SELECT a, b FROM pair ORDER BY rowid")
                .unwrap()
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
                .unwrap()
                .collect::<Result<_, _>>()
                .unwrap();
            assert_eq!(found, (1..=rows).map(|row| (row, -row)).collect::<Vec<_>>());
            ledger.execute("DELETE FROM pair", []).unwrap();
        }
    }
}
