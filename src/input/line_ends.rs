//! Counts lines.

/// How many lines end in a text: LF, CRLF and CR alone each end one. An LF at its start
/// ends none if a CR stands before the text.
pub(super) fn line_ends(text: &[u8], after_cr: bool) -> u64 {
    let ends = count(text, b'\n');
    let split = u64::from(after_cr && text.first() == Some(&b'\n'));
    if !text.contains(&b'\r') {
        return ends - split;
    }
    let crs = count(text, b'\r');
    let next = text.get(1..).unwrap_or_default();
    let pairs = text.iter().zip(next).filter(|(a, b)| **a == b'\r' && **b == b'\n').count();
    ends + crs - pairs as u64 - split
}

/// How often a byte stands in a text: as many at a time as a byte can count, which a
/// processor does for many bytes at once.
fn count(text: &[u8], wanted: u8) -> u64 {
    let few = |part: &[u8]| part.iter().map(|byte| u8::from(*byte == wanted)).sum::<u8>();
    text.chunks(u8::MAX.into()).map(|part| u64::from(few(part))).sum()
}
