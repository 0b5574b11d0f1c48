//! Why a file as a whole is refused: what is wrong, where, and what to do next.

use std::io;

use super::reader::MOST_TIMES;
use crate::hash::Digest;

/// A file as a whole was refused.
#[derive(Debug, thiserror::Error)]
#[error("{input}: {kind}")]
pub struct InputError {
    /// The input as the user named it.
    pub input: String,
    /// What is wrong with it.
    pub kind: InputErrorKind,
}

/// What is wrong with a file as a whole.
#[derive(Debug, thiserror::Error)]
pub enum InputErrorKind {
    /// There is nothing at the path.
    #[error("no such file; check the path")]
    NotFound,
    /// The path names a directory.
    #[error("is a directory; name a CSV file in it")]
    Directory,
    /// The file cannot be opened.
    #[error("cannot be opened ({0}); check the path and its permissions")]
    Unreadable(io::Error),
    /// The file was opened, and then reading failed.
    #[error("cannot be read ({0}); fetch it again from its source")]
    Read(io::Error),
    /// What can be read only once could not be put aside.
    #[error("cannot be copied to {directory}: {error}; make room there")]
    Spool {
        /// Where it was to be kept.
        directory: String,
        /// Why it was not.
        error: io::Error,
    },
    /// There is nothing in the file.
    #[error("is empty: there is nothing to cancel")]
    Empty,
    /// The text is not UTF-8.
    #[error("is UTF-16 text; save it as UTF-8 (in a spreadsheet: \"CSV UTF-8\")")]
    Utf16,
    /// A spreadsheet's own format, or another ZIP archive.
    #[error("is a workbook or a ZIP archive; save the sheet as \"CSV UTF-8\"")]
    Workbook,
    /// Compressed with something else than gzip.
    #[error("is compressed ({0}); unpack it, or compress it with gzip")]
    Compressed(&'static str),
    /// Plainly something else.
    #[error("is {0}, not a CSV file; fetch the orders as CSV in UTF-8")]
    NotCsv(&'static str),
    /// Not text at all.
    #[error("is not text: it has NUL bytes near its start; give a CSV file")]
    Binary,
    /// The lines end as on a Macintosh of the last century.
    #[error("has lines that end in CR alone; save it with LF or CRLF line ends")]
    CarriageReturns,
    /// Decompression failed.
    #[error("is a damaged gzip file ({0}); fetch it again from its source")]
    Gzip(io::Error),
    /// The file is no longer the one that was opened.
    #[error("changed while it was read; start again when it is complete")]
    Changed,
    /// A checksum beside the file is of no use.
    #[error("its checksum {path} cannot be used ({error}); correct it, or remove it")]
    Checksum {
        /// The file with the checksum.
        path: String,
        /// What is wrong with it.
        error: String,
    },
    /// The bytes are not those that were expected.
    #[error(
        "is not the expected file: its SHA-256 is {digest}, and {place} requires {expected}; it \
         may be cut short or changed: fetch it again from its source"
    )]
    OtherDigest {
        /// That of the file.
        digest: Digest,
        /// Where the other digest comes from.
        place: String,
        /// The digest that was expected.
        expected: String,
    },
    /// The rows are not as many as expected.
    #[error(
        "is not the expected file: its number of rows is {rows}, and --expect-rows requires {expected}; \
         it may be cut short or changed: fetch it again from its source"
    )]
    OtherRows {
        /// Those of the file.
        rows: u64,
        /// The number that was expected.
        expected: u32,
    },
    /// It was made to fill the memory, or is no file of orders.
    #[error(
        "unpacks to more than {MOST_TIMES} times its size, which no file of orders does; unpack it, inspect it, and run the unpacked file"
    )]
    Bomb,
    /// There are more orders than --max-rows allows, whatever other runs cancelled.
    #[error(
        "has more rows to send than --max-rows allows: reading stopped after {rows} rows; check that it is the right file, or raise --max-rows"
    )]
    Enough {
        /// How many were read.
        rows: u32,
    },
    /// The file is longer than when it was opened.
    #[error("is still being written; start again when it is complete")]
    Growing,
    /// No column by a name we know.
    #[error(
        "there is no column for the {what} ({wanted}); the header has {header}; \
         name the column with {flag}{hint}"
    )]
    NoColumn {
        /// What the column should hold.
        what: &'static str,
        /// How it is usually named.
        wanted: &'static str,
        /// The flag that names it otherwise.
        flag: &'static str,
        /// The names there are.
        header: String,
        /// What else may be wrong.
        hint: &'static str,
    },
    /// No column by the name that was given.
    #[error("no column is named {name}; the header has {header}; correct {flag}{hint}")]
    NoSuchColumn {
        /// The name that was given.
        name: String,
        /// The flag that gave it.
        flag: &'static str,
        /// The names there are.
        header: String,
        /// What else may be wrong.
        hint: &'static str,
    },
    /// The first line holds numbers, not names.
    #[error(
        "the first line looks like data, not a header; \
         put a line such as AdminNumber,CardSequenceNumber above it"
    )]
    NotAHeader,
    /// Something else stands above the header.
    #[error("the header seems to be line {line}; remove what is above it")]
    HeaderBelow {
        /// The header's line.
        line: u64,
    },
    /// Another header stands among the rows.
    #[error(
        "line {line} is a header again, so another file follows; its columns may be in another order: run each file by itself"
    )]
    HeaderAgain {
        /// Where it stands.
        line: u64,
    },
    /// A column that was taken for its name counts the rows.
    #[error(
        "column {column}, taken for the sequence number by its name, only counts the rows; name the right one with --sequence-column, or this one if it is right"
    )]
    Counter {
        /// Its name, in quotes.
        column: String,
    },
    /// The numbers are not those that were meant.
    #[error(
        "all admin numbers of more than 15 digits, in {rows} rows, end in zeros: a spreadsheet has \
         rounded them, and other orders would be cancelled; fetch the file again from its source, or prove with --expect-sha256 that it is the right one"
    )]
    Rounded {
        /// How many rows.
        rows: usize,
    },
    /// Two columns answer to the same name.
    #[error("columns {first} and {second} could both be the {what}; {remedy}")]
    Ambiguous {
        /// What the column should hold.
        what: String,
        /// One column.
        first: String,
        /// Another.
        second: String,
        /// What to do about it.
        remedy: String,
    },
    /// Both keys were assigned to one column.
    #[error(
        "column {0} cannot hold both the admin number and the sequence number; \
         correct --admin-column or --sequence-column"
    )]
    SameColumn(String),
    /// The header itself would have to be written to the results.
    #[error("the name of column {0} looks like a card number; give the file a proper header")]
    CardNumberInHeader(usize),
    /// Nothing stands below the header.
    #[error("has a header but no rows: there is nothing to cancel")]
    NoRows,
    /// A quote swallows what follows it.
    #[error(
        "a quote that opens in line {line} is not closed, so the rows after it cannot be separated; close it, or double it if it is part of the text"
    )]
    UnclosedQuote {
        /// Where it opens.
        line: u64,
    },
    /// A row that can only be a mistake.
    #[error("the row that starts in line {line} is longer than 1 MiB; is this a CSV file?")]
    LongRow {
        /// Where it starts.
        line: u64,
    },
    /// More rows than can be numbered.
    #[error("has more than {0} rows; split it")]
    TooManyRows(u32),
    /// A list that is evidence has nothing below its header.
    #[error(
        "has no rows, and shows nothing: if it is right that no order is in this list, leave it out"
    )]
    NoEvidence,
    /// A row of a list that is evidence carries no order.
    #[error(
        "line {line} holds no order ({problem}), and evidence counts only as a whole: correct the line or remove it, then start again"
    )]
    NotEvidence {
        /// Where the row starts.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// A results file was given as evidence.
    #[error(
        "is a results file, which says of each order something else: give a list of orders of which all are cancelled with --cancelled, and one of which all still stand with --standing"
    )]
    ResultsAsEvidence,
    /// A results file was wanted.
    #[error(
        "has no {missing} column, so it is not a results file; for a file of orders, use `cardcancel run`"
    )]
    NotResults {
        /// The column that all results have.
        missing: &'static str,
    },
    /// A file of orders was wanted.
    #[error(
        "is a results file: `run` would send all of its orders again and drop its doubts; use `cardcancel rerun`, which sends the open rows, or --as-orders to send all"
    )]
    Results,
    /// A row of a results file without its status.
    #[error("no status in line {line}: is this a results file?")]
    NoStatus {
        /// Where the row starts.
        line: u64,
    },
    /// A row of a results file whose doubt is neither true nor false.
    #[error("line {line} has the doubt {found}, which is neither true nor false")]
    UnknownDoubt {
        /// Where the row starts.
        line: u64,
        /// What stands there.
        found: String,
    },
    /// A row of a results file with a status that we never wrote.
    #[error("line {line} has the status {found}, which is not one of {known}")]
    UnknownStatus {
        /// Where the row starts.
        line: u64,
        /// What stands there.
        found: String,
        /// What may stand there.
        known: String,
    },
}
