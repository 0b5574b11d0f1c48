//! The decoded bytes of an input, from its start, as often as wanted.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;

use flate2::bufread::MultiGzDecoder;

const COMPRESSED_BUFFER: usize = 64 * 1024;

/// Reads a file from its start without moving its cursor, so that several can.
#[derive(Debug)]
pub(super) struct FromStart<'f> {
    file: &'f File,
    position: u64,
}

impl<'f> FromStart<'f> {
    pub fn new(file: &'f File) -> Self {
        FromStart { file, position: 0 }
    }
}

impl Read for FromStart<'_> {
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
pub(super) enum Stream<'f> {
    Plain(FromStart<'f>),
    Gzip(Box<MultiGzDecoder<BufReader<FromStart<'f>>>>),
}

impl<'f> Stream<'f> {
    pub fn new(file: &'f File, gzip: bool) -> Self {
        let plain = FromStart::new(file);
        if !gzip {
            return Stream::Plain(plain);
        }
        let buffered = BufReader::with_capacity(COMPRESSED_BUFFER, plain);
        Stream::Gzip(Box::new(MultiGzDecoder::new(buffered)))
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

impl Read for Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(plain) => plain.read(buffer),
            Stream::Gzip(gzip) => gzip.read(buffer),
        }
    }
}
