//! Bytes that pass through into a digest.

use std::io::{self, Write};

use crate::hash::{Digest, Hasher};

/// Counts what passes through into a digest.
pub(super) struct Hashed<W> {
    inner: W,
    hasher: Hasher,
}

impl<W> Hashed<W> {
    pub fn new(inner: W) -> Hashed<W> {
        Hashed { inner, hasher: Hasher::default() }
    }

    /// The digest of all that passed through.
    pub fn digest(self) -> Digest {
        self.hasher.finish()
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
