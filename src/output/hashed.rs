//! Bytes that pass through into a digest.

use std::io::{self, Write};

use sha2::{Digest, Sha256};

/// Counts what passes through into a digest.
pub(super) struct Hashed<W> {
    inner: W,
    hash: Sha256,
}

impl<W> Hashed<W> {
    pub fn new(inner: W) -> Hashed<W> {
        Hashed { inner, hash: Sha256::new() }
    }

    /// SHA-256 of all that passed through, in hexadecimal.
    pub fn digest(self) -> String {
        self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
