//! Normalizes a text for the search: digits of every script become ASCII, and invisible
//! characters are removed.

use std::borrow::Cow;
use std::ops::Range;

use crate::model::invisible::is_invisible;

/// A normalized text: digits of every script and their separators are ASCII, and invisible
/// characters are removed.
pub(super) struct Plain<'t> {
    pub bytes: Cow<'t, [u8]>,
    /// The source range of each byte; empty if the text is unchanged.
    places: Vec<Range<usize>>,
}

impl Plain<'_> {
    pub fn new(text: &[u8]) -> Plain<'_> {
        if text.is_ascii() {
            return Plain { bytes: Cow::Borrowed(text), places: Vec::new() };
        }
        let mut bytes = Vec::with_capacity(text.len());
        let mut places = Vec::with_capacity(text.len());
        let mut at = 0;
        let mut add = |byte: Option<u8>, length: usize| {
            if let Some(byte) = byte {
                bytes.push(byte);
                places.push(at..at + length);
            }
            at += length;
        };
        for chunk in text.utf8_chunks() {
            chunk.valid().chars().for_each(|char| add(plain(char), char.len_utf8()));
            // The no-break space, soft hyphen and dashes of Windows-1252.
            let byte =
                |byte: u8| if matches!(byte, 0xa0 | 0xad | 0x96 | 0x97) { b'-' } else { b'?' };
            chunk.invalid().iter().for_each(|invalid| add(Some(byte(*invalid)), 1));
        }
        Plain { bytes: Cow::Owned(bytes), places }
    }

    /// The range of the original text that a range of the normalized text comes from.
    pub fn place(&self, range: &Range<usize>) -> Range<usize> {
        let first = self.places.get(range.start);
        let last = range.end.checked_sub(1).and_then(|last| self.places.get(last));
        match (first, last) {
            (Some(first), Some(last)) => first.start..last.end,
            _ => range.clone(),
        }
    }
}

/// The ASCII byte that a character is normalized to; `None` if it is invisible.
fn plain(char: char) -> Option<u8> {
    match char {
        '\0'..='\x7f' => Some(char as u8),
        _ if char.is_whitespace() => Some(b' '),
        _ if is_invisible(char) => None,
        _ if char.is_alphabetic() => Some(b'?'),
        _ => Some(digit(char).unwrap_or(b'-')),
    }
}

/// The zeros of the scripts that have digits; their other digits follow in order.
const ZEROS: [u32; 42] = [
    0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6,
    0xe50, 0xed0, 0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50,
    0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10,
    0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1fbf0,
];

fn digit(char: char) -> Option<u8> {
    let code = u32::from(char);
    let value =
        ZEROS.iter().find_map(|zero| code.checked_sub(*zero).filter(|value| *value < 10))?;
    u8::try_from(value).ok().map(|value| b'0' + value)
}
