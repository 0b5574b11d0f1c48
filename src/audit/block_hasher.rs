//! Hashes blocks of lines, on the caller's thread or on one of its own.

use std::mem;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};

use crate::hash::{Digest, Hasher};

/// How many batches may wait to be hashed.
const QUEUED_BATCHES: usize = 4;

/// Hashes blocks from batches of their bytes.
pub(super) enum BlockHasher {
    /// While the caller waits.
    Here(HashedBlocks),
    /// While the caller goes on.
    Background(HashThread),
}

impl Default for BlockHasher {
    fn default() -> BlockHasher {
        BlockHasher::Here(HashedBlocks::default())
    }
}

impl BlockHasher {
    /// Hashes on a thread of its own, or here if none can be started.
    pub fn in_background() -> BlockHasher {
        HashThread::spawn().map_or_else(|_| BlockHasher::default(), BlockHasher::Background)
    }

    /// Adds the next bytes of the block, and empties the batch.
    pub fn add(&mut self, batch: &mut Vec<u8>, ends_block: bool) {
        match self {
            BlockHasher::Here(blocks) => {
                blocks.add(batch, ends_block);
                batch.clear();
            }
            BlockHasher::Background(thread) => thread.add(batch, ends_block),
        }
    }

    /// The digests of the blocks that have ended.
    pub fn finish(self) -> Vec<Digest> {
        match self {
            BlockHasher::Here(blocks) => blocks.digests,
            BlockHasher::Background(thread) => thread.finish(),
        }
    }
}

/// The digests of the blocks so far.
#[derive(Default)]
pub(super) struct HashedBlocks {
    block: Hasher,
    digests: Vec<Digest>,
}

impl HashedBlocks {
    fn add(&mut self, bytes: &[u8], ends_block: bool) {
        self.block.update(bytes);
        if ends_block {
            self.digests.push(mem::take(&mut self.block).finish());
        }
    }
}

/// Bytes to hash, and whether the block ends with them.
type LineBatch = (Vec<u8>, bool);

/// A thread that hashes the batches that it is sent, until its sender is dropped.
pub(super) struct HashThread {
    full: SyncSender<LineBatch>,
    empty: Receiver<Vec<u8>>,
    thread: JoinHandle<HashedBlocks>,
}

impl HashThread {
    fn spawn() -> std::io::Result<HashThread> {
        let (full, filled) = sync_channel(QUEUED_BATCHES);
        let (emptied, empty) = channel();
        let builder = thread::Builder::new().name("digests".to_owned());
        let thread = builder.spawn(move || hash(&filled, &emptied))?;
        Ok(HashThread { full, empty, thread })
    }

    fn add(&mut self, batch: &mut Vec<u8>, ends_block: bool) {
        let full = mem::replace(batch, self.empty.try_recv().unwrap_or_default());
        // A thread that died is reported at the end.
        let _ = self.full.send((full, ends_block));
    }

    fn finish(self) -> Vec<Digest> {
        drop(self.full);
        match self.thread.join() {
            Ok(blocks) => blocks.digests,
            // Digests without some of the lines would look like those of an altered ledger.
            Err(panic) => resume_unwind(panic),
        }
    }
}

fn hash(filled: &Receiver<LineBatch>, emptied: &Sender<Vec<u8>>) -> HashedBlocks {
    let mut blocks = HashedBlocks::default();
    for (mut bytes, ends_block) in filled {
        blocks.add(&bytes, ends_block);
        bytes.clear();
        // Whoever sends may be waiting for the last digest already.
        let _ = emptied.send(bytes);
    }
    blocks
}
