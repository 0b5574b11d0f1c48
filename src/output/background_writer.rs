//! A file, written and hashed on a thread of its own behind whoever makes the bytes.

use std::fs::File;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::scope;

use anyhow::anyhow;

use super::hashing_writer::Hashed;

/// How many bytes had best go over at a time, few enough to stay in a processor's
/// cache, and how many times the file may be behind.
pub(super) const HANDED_OVER: usize = 1 << 16;
const BEHIND: usize = 4;

/// Takes bytes for the file.
pub(super) struct Behind {
    full: SyncSender<Vec<u8>>,
    empty: Receiver<Vec<u8>>,
}

/// Writes to the file what `make` makes. Tells the digest of it, and what `make` came to.
///
/// # Errors
/// Those of the file and of `make`.
pub(super) fn write<T>(
    file: &File,
    make: impl FnOnce(Behind) -> anyhow::Result<T>,
) -> anyhow::Result<(String, T)> {
    scope(|scope| {
        let (full, filled) = sync_channel::<Vec<u8>>(BEHIND);
        let (emptied, empty) = channel();
        let writing = scope.spawn(move || {
            let mut hashed = Hashed::new(file);
            filled.iter().try_for_each(|mut bytes| {
                hashed.write_all(&bytes)?;
                bytes.clear();
                // The maker may be at its end.
                let _ = emptied.send(bytes);
                Ok::<_, io::Error>(())
            })?;
            Ok::<_, io::Error>(hashed.digest().to_string())
        });
        let made = make(Behind { full, empty });
        let digest = writing.join().map_err(|_| anyhow!("the writing thread died"))?;
        // Why the file failed tells more than that nobody takes bytes for it any more.
        Ok((digest?, made?))
    })
}

impl Write for Behind {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut full = self.empty.try_recv().unwrap_or_default();
        full.extend_from_slice(bytes);
        let gone = |_| io::Error::other("nobody writes the file any more");
        self.full.send(full).map_err(gone)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
