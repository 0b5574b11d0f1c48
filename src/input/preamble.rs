//! What comes before the text of a CSV file.

/// What a UTF-8 text of a spreadsheet begins with.
pub const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The preamble of a text: byte order marks, and a line such as `sep=;`, in which
/// spreadsheets say what separates the fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Preamble {
    pub(super) bytes: usize,
    pub(super) lines: u64,
    pub(super) mark: bool,
    pub(super) delimiter: Option<u8>,
}

impl Preamble {
    pub(super) fn parse(head: &[u8]) -> Preamble {
        let mut text = head;
        while let Some(rest) = text.strip_prefix(BYTE_ORDER_MARK) {
            text = rest;
        }
        let mut preamble = Preamble { mark: text.len() < head.len(), ..Preamble::default() };
        let end = text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len());
        let line = text.get(..end).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line =
            line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
        let declared = line.get(..4).filter(|start| start.eq_ignore_ascii_case(b"sep="));
        if let Some(separator) = declared.and(line.get(4..))
            && separator.len() <= 1
        {
            preamble.lines = 1;
            preamble.delimiter = separator.first().copied();
            text = text.get(end + 1..).unwrap_or_default();
        }
        Preamble { bytes: head.len() - text.len(), ..preamble }
    }
}
