//! Writes and hashes a file on its own thread, so that the caller does not wait for the disk.

use std::fs::File;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::scope;

use anyhow::anyhow;

use super::hashing_writer::HashingWriter;

/// How many bytes to hand over at a time, few enough to stay in a processor's cache, and
/// how many such chunks may wait to be written.
pub(super) const CHUNK_BYTES: usize = 1 << 16;
const QUEUED_CHUNKS: usize = 4;

/// Passes bytes to the writing thread.
pub(super) struct BackgroundWriter {
    full: SyncSender<Vec<u8>>,
    empty: Receiver<Vec<u8>>,
}

/// Writes to the file what `make` writes. Returns the SHA-256 of it in hexadecimal, and the
/// result of `make`.
///
/// # Errors
/// Those of the file and of `make`.
pub(super) fn write_in_background<T>(
    file: &File,
    make: impl FnOnce(BackgroundWriter) -> anyhow::Result<T>,
) -> anyhow::Result<(String, T)> {
    scope(|scope| {
        let (full, filled) = sync_channel::<Vec<u8>>(QUEUED_CHUNKS);
        let (emptied, empty) = channel();
        let writing = scope.spawn(move || {
            let mut hashed = HashingWriter::new(file);
            filled.iter().try_for_each(|mut bytes| {
                hashed.write_all(&bytes)?;
                bytes.clear();
                // `make` may have returned.
                let _ = emptied.send(bytes);
                Ok::<_, io::Error>(())
            })?;
            Ok::<_, io::Error>(hashed.digest().to_string())
        });
        let made = make(BackgroundWriter { full, empty });
        let digest = writing.join().map_err(|_| anyhow!("the writing thread died"))?;
        // The file's error says more than that the writing thread is gone.
        Ok((digest?, made?))
    })
}

impl Write for BackgroundWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut full = self.empty.try_recv().unwrap_or_default();
        full.extend_from_slice(bytes);
        let gone = |_| io::Error::other("the writing thread has ended");
        self.full.send(full).map_err(gone)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
