//! The decoded bytes of an input, from its start, as often as wanted.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;

use flate2::bufread::MultiGzDecoder;

const COMPRESSED_BUFFER: usize = 64 * 1024;

/// Reads a file from its start without moving its cursor, so that several can.
#[derive(Debug)]
pub(super) struct PositionedReader<'f> {
    file: &'f File,
    position: u64,
}

impl<'f> PositionedReader<'f> {
    pub fn new(file: &'f File) -> Self {
        PositionedReader { file, position: 0 }
    }
}

impl Read for PositionedReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.file.read_at(buffer, self.position) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => {
                    let count = result?;
                    self.position += count as u64;
                    return Ok(count);
                }
            }
        }
    }
}

/// The text of a file, decompressed if need be.
#[derive(Debug)]
pub(super) enum DecodedReader<'f> {
    Plain(PositionedReader<'f>),
    Gzip(Box<GzipReader<'f>>),
}

/// The text of a compressed file, as long as it is not out of all proportion to it.
#[derive(Debug)]
pub(super) struct GzipReader<'f> {
    decoder: MultiGzDecoder<BufReader<PositionedReader<'f>>>,
    /// How many more bytes there may be.
    left: u64,
}

/// How many times its size a compressed file of orders may be; what is made to fill a memory
/// has a thousand.
pub(super) const MOST_TIMES: u64 = 250;
/// How many bytes do no harm, however small the file is.
const HARMLESS: u64 = 16 * 1024 * 1024;

impl Read for GzipReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.decoder.read(buffer)?;
        match self.left.checked_sub(count as u64) {
            Some(left) => {
                self.left = left;
                Ok(count)
            }
            None => Err(io::ErrorKind::FileTooLarge.into()),
        }
    }
}

impl<'f> DecodedReader<'f> {
    /// Reads a file of this many bytes.
    pub fn new(file: &'f File, bytes: u64, gzip: bool) -> Self {
        let plain = PositionedReader::new(file);
        if !gzip {
            return DecodedReader::Plain(plain);
        }
        let buffered = BufReader::with_capacity(COMPRESSED_BUFFER, plain);
        let left = bytes.saturating_mul(MOST_TIMES).saturating_add(HARMLESS);
        DecodedReader::Gzip(Box::new(GzipReader { decoder: MultiGzDecoder::new(buffered), left }))
    }

    /// Reads until the buffer is full or the text ends.
    pub fn fill(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.read(rest)? {
                0 => break,
                count => filled += count,
            }
        }
        Ok(filled)
    }
}

impl Read for DecodedReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            DecodedReader::Plain(plain) => plain.read(buffer),
            DecodedReader::Gzip(gzip) => gzip.read(buffer),
        }
    }
}
