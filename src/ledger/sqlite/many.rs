//! Many rows of numbers with few statements.

use rusqlite::{CachedStatement, Connection};

/// How many rows one statement inserts: more gain little.
const AT_ONCE: usize = 16;

/// Inserts rows of `N` numbers each, some at a time.
pub(super) struct Many<'c, const N: usize> {
    one: CachedStatement<'c>,
    several: CachedStatement<'c>,
    waiting: Vec<[i64; N]>,
}

impl<'c, const N: usize> Many<'c, N> {
    /// `insert` is the statement up to its values.
    pub fn new(connection: &'c Connection, insert: &str) -> rusqlite::Result<Self> {
        let row = format!("({})", ["?"; N].join(", "));
        let prepare = |rows: usize| {
            let values = vec![row.as_str(); rows].join(", ");
            connection.prepare_cached(&format!("{insert} VALUES {values}"))
        };
        Ok(Many { one: prepare(1)?, several: prepare(AT_ONCE)?, waiting: Vec::new() })
    }

    /// Inserts the row, or keeps it until there are several.
    pub fn insert(&mut self, row: [i64; N]) -> rusqlite::Result<()> {
        self.waiting.push(row);
        if self.waiting.len() < AT_ONCE {
            return Ok(());
        }
        bind(&mut self.several, &self.waiting)?;
        self.waiting.clear();
        self.several.raw_execute().map(drop)
    }

    /// Inserts what was kept.
    pub fn finish(mut self) -> rusqlite::Result<()> {
        for row in &self.waiting {
            bind(&mut self.one, std::slice::from_ref(row))?;
            self.one.raw_execute()?;
        }
        Ok(())
    }
}

fn bind<const N: usize>(
    statement: &mut CachedStatement<'_>,
    rows: &[[i64; N]],
) -> rusqlite::Result<()> {
    let values = rows.iter().flatten();
    values.zip(1..).try_for_each(|(value, place)| statement.raw_bind_parameter(place, value))
}
