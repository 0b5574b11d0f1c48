//! Reads the rows of a run on its own thread, ahead of their use.

use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::scope;

use anyhow::anyhow;

use crate::ledger::{AttemptRecord, Ledger, RowRecord, Run};
use crate::model::RowNumber;

/// How many rows to hand over at a time, few enough to stay in a processor's cache, and
/// how many such batches the reader may be ahead.
const BATCH_ROWS: usize = 1000;
const QUEUED_BATCHES: usize = 4;

/// What else every row of a run is shown to, with its attempts.
pub type RowObserver<'o> = Option<&'o mut (dyn FnMut(&RowRecord, &[AttemptRecord]) + Send)>;

/// Calls `each` for every row of a run, in order, and `observer` before, on a thread of its own.
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
        let with_attempts = observer.is_some();
        let reading = scope.spawn(move || read(ledger, run, with_attempts, &full, &empty));
        let (filled, observing) = match observer {
            None => (filled, None),
            Some(observer) => {
                let (seen, observed) = sync_channel(QUEUED_BATCHES);
                let observing = scope.spawn(move || observe(observer, &filled, &seen));
                (observed, Some(observing))
            }
        };
        let handed = filled.iter().try_for_each(|mut batch| {
            batch.rows.iter().take(batch.count).try_for_each(&mut each)?;
            batch.clear();
            // The reader may have ended.
            let _ = emptied.send(batch);
            Ok(())
        });
        // A thread that waits to hand more over must not wait for ever.
        drop(filled);
        let died = |_| anyhow!("a thread that reads rows died");
        let observed = observing.map_or(Ok(()), |observing| observing.join().map_err(died));
        let read = reading.join().map_err(died);
        handed.and_then(|()| read?).and(observed)
    })
}

/// Reads the rows of a run, with their attempts if they are wanted, and hands them over.
fn read(
    ledger: &mut dyn Ledger,
    run: &Run,
    with_attempts: bool,
    full: &SyncSender<RowBatch>,
    empty: &Receiver<RowBatch>,
) -> anyhow::Result<()> {
    let gone = |_| anyhow!("the rows are no longer wanted");
    let mut batch = RowBatch::default();
    let mut take = |record: &mut RowRecord, attempts: &mut [AttemptRecord]| {
        if batch.count == BATCH_ROWS {
            let next = empty.try_recv().unwrap_or_default();
            full.send(std::mem::replace(&mut batch, next)).map_err(gone)?;
        }
        batch.take(record, attempts);
        Ok(())
    };
    if with_attempts {
        ledger.rows_with_attempts(run, &mut take)?;
    } else {
        ledger.rows(run, &mut |record| take(record, &mut []))?;
    }
    full.send(batch).map_err(gone)
}

/// Shows each batch to the observer, and hands it on.
fn observe(
    observer: &mut (dyn FnMut(&RowRecord, &[AttemptRecord]) + Send),
    filled: &Receiver<RowBatch>,
    seen: &SyncSender<RowBatch>,
) {
    for batch in filled {
        let mut from = 0;
        for (row, end) in batch.rows.iter().zip(&batch.ends) {
            observer(row, batch.attempts.get(from..*end).unwrap_or_default());
            from = *end;
        }
        // Where the rows are no longer wanted, the reader is told by its own channel.
        if seen.send(batch).is_err() {
            return;
        }
    }
}

/// A batch of rows. Its buffers are reused, so that a row's texts are allocated once.
#[derive(Default)]
struct RowBatch {
    rows: Vec<RowRecord>,
    count: usize,
    /// The attempts of all rows, and beyond them what is left from earlier batches.
    attempts: Vec<AttemptRecord>,
    /// For each row, where its attempts end among them.
    ends: Vec<usize>,
}

impl RowBatch {
    /// Takes the records in exchange for ones that were handed over.
    fn take(&mut self, record: &mut RowRecord, attempts: &mut [AttemptRecord]) {
        let mut end = self.ends.last().copied().unwrap_or_default();
        for attempt in attempts {
            if end == self.attempts.len() {
                self.attempts.push(AttemptRecord::unsent(attempt.row, attempt.order));
            }
            if let Some(place) = self.attempts.get_mut(end) {
                std::mem::swap(place, attempt);
                end += 1;
            }
        }
        self.ends.push(end);
        if self.count == self.rows.len() {
            self.rows.push(RowRecord::unsent(RowNumber(0)));
        }
        if let Some(place) = self.rows.get_mut(self.count) {
            std::mem::swap(place, record);
            self.count += 1;
        }
    }

    /// Empties it; the buffers stay.
    fn clear(&mut self) {
        self.count = 0;
        self.ends.clear();
    }
}
