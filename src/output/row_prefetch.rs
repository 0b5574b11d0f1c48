//! Reads the rows of a run on its own thread, ahead of their use.

use std::sync::mpsc::{channel, sync_channel};
use std::thread::scope;

use anyhow::anyhow;

use crate::ledger::{AttemptRecord, Ledger, RowRecord, Run};
use crate::model::RowNumber;

/// How many rows to hand over at a time, few enough to stay in a processor's cache, and
/// how many such batches the reader may be ahead.
const BATCH_ROWS: usize = 1000;
const QUEUED_BATCHES: usize = 4;

/// What else every row of a run is shown to as it is read, with its attempts.
pub type RowObserver<'o> = Option<&'o mut (dyn FnMut(&RowRecord, &[AttemptRecord]) + Send)>;

/// Calls `each` for every row of a run, in order; on the thread that reads, `observer` before.
///
/// # Errors
/// Those of `each` and of the ledger.
pub fn for_each_row(
    ledger: &mut dyn Ledger,
    run: &Run,
    observer: RowObserver<'_>,
    mut each: impl FnMut(&RowRecord) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    scope(|scope| {
        let (full, filled) = sync_channel::<RowBatch>(QUEUED_BATCHES);
        let (emptied, empty) = channel();
        let reading = scope.spawn(move || {
            let gone = || anyhow!("the rows are no longer wanted");
            let mut batch = RowBatch::default();
            let mut take = |record: &mut RowRecord| {
                if batch.count == BATCH_ROWS {
                    let next = empty.try_recv().unwrap_or_default();
                    let full = full.send(std::mem::replace(&mut batch, next));
                    full.map_err(|_| gone())?;
                }
                batch.take(record);
                Ok(())
            };
            match observer {
                None => ledger.rows(run, &mut take)?,
                Some(observe) => ledger.rows_with_attempts(run, &mut |record, attempts| {
                    observe(record, attempts);
                    take(record)
                })?,
            }
            full.send(batch).map_err(|_| gone())
        });
        let handed = filled.iter().try_for_each(|mut batch| {
            batch.rows.iter().take(batch.count).try_for_each(&mut each)?;
            batch.count = 0;
            // The reader may have ended.
            let _ = emptied.send(batch);
            Ok(())
        });
        // A reader that waits to hand more over must not wait for ever.
        drop(filled);
        let read = reading.join().map_err(|_| anyhow!("the reading thread died"));
        handed.and_then(|()| read?)
    })
}

/// A batch of rows. Its buffers are reused, so that a row's texts are allocated once.
#[derive(Default)]
struct RowBatch {
    rows: Vec<RowRecord>,
    count: usize,
}

impl RowBatch {
    /// Takes the record in exchange for one that was handed over.
    fn take(&mut self, record: &mut RowRecord) {
        if self.count == self.rows.len() {
            self.rows.push(RowRecord::unsent(RowNumber(0)));
        }
        if let Some(place) = self.rows.get_mut(self.count) {
            std::mem::swap(place, record);
            self.count += 1;
        }
    }
}
