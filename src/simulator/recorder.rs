//! Records each request as one CSV line of a file.

use crate::private_file;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::clock::SimClock;
use super::labels::ProcessResult;
use crate::model::Order;

/// How often lines are written; well under the 200 ms that are promised.
const WRITE_EVERY: Duration = Duration::from_millis(100);

const HEADER: [&str; 7] =
    ["received_at_ns", "ended_at_ns", "admin_number", "sequence_number", "nth", "did", "answer"];

/// One request that has ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct RecordLine {
    pub(super) received_at_ns: u64,
    pub(super) ended_at_ns: u64,
    /// The order, and the number of this request among those for it; `None` if the request
    /// named no order.
    pub(super) order: Option<(Order, u32)>,
    pub(super) did: Option<ProcessResult>,
    pub(super) answer: &'static str,
}

/// Lines that are not written yet. Adding one is quick and makes no system call.
#[derive(Debug, Clone, Default)]
pub(super) struct RecordBuffer(Arc<Mutex<Vec<RecordLine>>>);

impl RecordBuffer {
    pub(super) fn add(&self, line: RecordLine) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    /// Takes all that wait, and leaves the emptied `taken` for those to come.
    fn take(&self, taken: &mut Vec<RecordLine>) {
        std::mem::swap(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), taken);
    }
}

/// A request that is being answered. Its line is added once it ends, however it ends.
#[derive(Debug)]
pub(super) struct PendingRecord {
    lines: RecordBuffer,
    clock: SimClock,
    line: RecordLine,
}

impl PendingRecord {
    pub(super) fn new(lines: RecordBuffer, clock: SimClock, line: RecordLine) -> PendingRecord {
        PendingRecord { lines, clock, line }
    }
}

impl Drop for PendingRecord {
    fn drop(&mut self) {
        self.line.ended_at_ns = self.clock.now();
        self.lines.add(self.line);
    }
}

/// The thread that writes lines; it ends, all written, when this is closed or dropped.
#[derive(Debug)]
pub(super) struct Recorder {
    stop: mpsc::Sender<()>,
    thread: JoinHandle<Result<(), csv::Error>>,
}

impl Recorder {
    /// Begins a file, in place of any that is there, readable by its owner alone.
    pub(super) fn start(path: &Path) -> io::Result<(RecordBuffer, Recorder)> {
        let file =
            private_file::open_options().write(true).create(true).truncate(true).open(path)?;
        let lines = RecordBuffer::default();
        let (stop, stopped) = mpsc::channel();
        let waiting = lines.clone();
        let thread = std::thread::Builder::new()
            .name("simulator-record".to_owned())
            .spawn(move || write_until(&stopped, &waiting, file))?;
        Ok((lines, Recorder { stop, thread }))
    }

    /// Writes the lines that wait, and ends the thread. Returns what went wrong, if anything did.
    pub(super) async fn close(self) -> Result<(), String> {
        drop(self.stop);
        match tokio::task::spawn_blocking(|| self.thread.join()).await {
            Ok(Ok(written)) => written.map_err(|error| error.to_string()),
            _ => Err("the thread that writes the record died".to_owned()),
        }
    }
}

fn write_until(
    stopped: &mpsc::Receiver<()>,
    lines: &RecordBuffer,
    file: File,
) -> Result<(), csv::Error> {
    let mut file =
        csv::WriterBuilder::new().has_headers(false).buffer_capacity(1 << 16).from_writer(file);
    let mut written = file.write_record(HEADER);
    let mut taken = Vec::new();
    loop {
        let last = stopped.recv_timeout(WRITE_EVERY) != Err(RecvTimeoutError::Timeout);
        lines.take(&mut taken);
        // After a failure lines are still taken, or they would fill the memory.
        if written.is_ok() {
            written = write(&mut file, &taken);
        }
        taken.clear();
        if last {
            return written;
        }
    }
}

fn write(file: &mut csv::Writer<File>, lines: &[RecordLine]) -> Result<(), csv::Error> {
    for line in lines {
        let (order, request_no) = line.order.unzip();
        let order = order.map(|order| (order.admin_number, order.sequence_number)).unzip();
        let did = line.did.map_or("nothing", ProcessResult::as_str);
        let times = (line.received_at_ns, line.ended_at_ns);
        file.serialize((times, order.0, order.1, request_no, did, line.answer))?;
    }
    Ok(file.flush()?)
}
