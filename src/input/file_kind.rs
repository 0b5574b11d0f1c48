//! What kind of file something is, by its first bytes, if it is not CSV.

use super::error::InputErrorKind;
use super::preamble::BYTE_ORDER_MARK;

/// How many bytes of the start are examined to detect the kind of file.
pub(super) const SNIFFED: usize = 64 * 1024;

/// How files begin that are compressed otherwise than with gzip.
const COMPRESSED: [(&[u8], &str); 8] = [
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ\0", "xz"),
    (b"BZh", "bzip2"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"Rar!\x1a\x07", "RAR"),
    (b"\x1f\x9d", "compress"),
    (b"\x1f\x8b", "gzip, twice"),
];

/// What kind of file this plainly is, if it is not CSV.
pub(super) fn not_csv(head: &[u8]) -> Option<InputErrorKind> {
    let text = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head).trim_ascii_start();
    let begins =
        |with: &[u8]| text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    if let Some((_, how)) = COMPRESSED.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Some(InputErrorKind::Compressed(how));
    }
    let second = text.iter().skip(1).find(|byte| !byte.is_ascii_whitespace());
    let kind = match text.first() {
        _ if begins(b"%PDF-") => "a PDF document",
        _ if begins(b"{\\rtf") => "an RTF document",
        _ if begins(b"<?xml") => "an XML document",
        Some(b'<') => "a web page (HTML), perhaps the page of a login",
        Some(b'{') if matches!(second, Some(b'"' | b'}')) => "JSON",
        Some(b'[') if matches!(second, Some(b'{' | b'[' | b']')) => "JSON",
        _ if is_ebcdic(head) => "EBCDIC text, as mainframes write it",
        _ => "",
    };
    if !kind.is_empty() {
        return Some(InputErrorKind::NotCsv(kind));
    }
    let nul_at = |parity: usize| head.iter().skip(parity).step_by(2).all(|byte| *byte == 0);
    let blank = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head).trim_ascii().is_empty();
    if blank && head.len() < SNIFFED {
        Some(InputErrorKind::Empty)
    } else if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        Some(InputErrorKind::Utf16)
    } else if head.starts_with(b"PK\x03\x04") || head.starts_with(b"\xd0\xcf\x11\xe0") {
        Some(InputErrorKind::Workbook)
    } else if head.contains(&0) && nul_at(0) != nul_at(1) {
        Some(InputErrorKind::Utf16)
    } else if has_many_nuls(head) {
        Some(InputErrorKind::Binary)
    } else if !head.contains(&b'\n') && head.trim_ascii_end().contains(&b'\r') {
        Some(InputErrorKind::CarriageReturns)
    } else {
        None
    }
}

/// Whether this reads as text in EBCDIC: no letter or digit of ASCII, and most bytes are ones.
fn is_ebcdic(head: &[u8]) -> bool {
    let is_of_word = |byte: &&u8| matches!(**byte, 0x81..=0x89 | 0x91..=0x99 | 0xa2..=0xa9 | 0xc1..=0xc9 | 0xd1..=0xd9 | 0xe2..=0xe9 | 0xf0..=0xf9);
    !head.iter().any(u8::is_ascii_alphanumeric)
        && std::str::from_utf8(head).is_err_and(|error| error.error_len().is_some())
        && head.iter().filter(is_of_word).count() * 2 > head.len()
}

/// A NUL or two in a text make their rows invalid, no more.
fn has_many_nuls(head: &[u8]) -> bool {
    let count = |text: &[u8]| text.iter().filter(|byte| **byte == 0).count();
    let first_line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    count(first_line) > 0 || count(head) * 10 > head.len()
}
