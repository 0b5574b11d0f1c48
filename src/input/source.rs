//! Where rows come from: a file, or standard input put aside in one.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use super::blocks::line_ends;
use super::error::{Fault, InputError};
use super::excerpt::shown;
use super::proof::Proof;
use super::quotes::{Tangle, ends_row};
use super::reader::{FromStart, Stream};
use crate::hash::{Digest, Hasher};
use crate::private_file;

/// How much of the start is looked at to tell what kind of file it is.
const HEAD: usize = 64 * 1024;
/// What a UTF-8 text of a spreadsheet begins with.
pub const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const BUFFER: usize = 128 * 1024;
/// How long ago a file was written to that may not be complete yet, and how long a program
/// that writes it may pause.
const JUST_WRITTEN: Duration = Duration::from_secs(2);
const LOOKED_AGAIN_AFTER: Duration = Duration::from_millis(300);

/// An input file, held open: it can be read again even if it is unlinked.
#[derive(Debug)]
pub struct Input {
    /// What is read: the file as it was given, or a copy of it.
    file: File,
    /// The file as it was given, once there is a copy.
    original: Option<File>,
    /// Whether nobody else has what is read.
    is_private: bool,
    /// Whether the rows are recorded: from then on the copy alone counts.
    begun: OnceLock<()>,
    /// As the user named it, for messages.
    label: String,
    name: String,
    bytes: u64,
    modified: Option<SystemTime>,
    /// When the file or what the system knows of it was last changed.
    changed: (i64, i64),
    gzip: bool,
    /// What comes before the text.
    lead: Lead,
    digest: OnceLock<Digest>,
    /// How many rows it should have, if that is known.
    pub(super) expected_rows: Option<u32>,
    pub(super) proof: Option<Proof>,
    /// How many orders to be sent are enough to refuse it.
    pub(super) enough: Option<u64>,
}

/// What comes before the text: byte order marks, and a line such as `sep=;`, in which
/// spreadsheets say what separates the fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Lead {
    bytes: usize,
    lines: u64,
    mark: bool,
    delimiter: Option<u8>,
}

impl Lead {
    fn of(head: &[u8]) -> Lead {
        let mut text = head;
        while let Some(rest) = text.strip_prefix(BYTE_ORDER_MARK) {
            text = rest;
        }
        let mut lead = Lead { mark: text.len() < head.len(), ..Lead::default() };
        let end = text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len());
        let line = text.get(..end).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line =
            line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
        let said = line.get(..4).filter(|start| start.eq_ignore_ascii_case(b"sep="));
        if let Some(said) = said.and(line.get(4..))
            && said.len() <= 1
        {
            lead.lines = 1;
            lead.delimiter = said.first().copied();
            text = text.get(end + 1..).unwrap_or_default();
        }
        Lead { bytes: head.len() - text.len(), ..lead }
    }
}

impl Input {
    /// Opens a file, or standard input if the path is `-`. What can be read only
    /// once (standard input, a pipe) is first put aside in an anonymous file in
    /// `spool_dir`, which is made, private, if it is not there.
    pub fn open(path: &Path, spool_dir: &Path) -> Result<Input, InputError> {
        if path == Path::new("-") {
            return Input::spool("stdin", io::stdin().lock(), spool_dir);
        }
        let label = shown(&path.display().to_string());
        let refuse = |fault| InputError { input: label.clone(), fault };
        let file = File::open(path).map_err(|error| refuse(not_opened(error)))?;
        let metadata = file.metadata().map_err(|error| refuse(Fault::Unreadable(error)))?;
        if metadata.is_dir() {
            return Err(refuse(Fault::Directory));
        }
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        let name = shown(&name);
        if metadata.is_file() {
            Input::examine(file, &metadata, label, name)
        } else {
            Input::put_aside(file, spool_dir, label, name)
        }
    }

    /// Puts aside what can be read only once, and opens it under a name.
    pub fn spool(name: &str, from: impl Read, spool_dir: &Path) -> Result<Input, InputError> {
        Input::put_aside(from, spool_dir, name.to_owned(), name.to_owned())
    }

    fn put_aside(
        mut from: impl Read,
        directory: &Path,
        label: String,
        name: String,
    ) -> Result<Input, InputError> {
        let spooled = anonymous_file(directory).and_then(|mut file| {
            io::copy(&mut from, &mut file)?;
            let metadata = file.metadata()?;
            Ok((file, metadata))
        });
        match spooled {
            Ok((file, metadata)) => {
                let input = Input::examine(file, &metadata, label, name)?;
                Ok(Input { is_private: true, ..input })
            }
            Err(error) => {
                let fault = Fault::Spool { directory: directory.display().to_string(), error };
                Err(InputError { input: label, fault })
            }
        }
    }

    fn examine(
        file: File,
        metadata: &Metadata,
        label: String,
        name: String,
    ) -> Result<Input, InputError> {
        let mut input = Input {
            file,
            original: None,
            is_private: false,
            begun: OnceLock::new(),
            label,
            name,
            bytes: metadata.len(),
            modified: metadata.modified().ok(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            gzip: false,
            lead: Lead::default(),
            digest: OnceLock::new(),
            expected_rows: None,
            proof: None,
            enough: None,
        };
        let mut head = vec![0; HEAD];
        let magic = input.head(&mut head)?;
        input.gzip = magic.starts_with(b"\x1f\x8b");
        let head = input.head(&mut head)?;
        if let Some(fault) = not_csv(head) {
            return Err(input.refuse(fault));
        }
        input.lead = Lead::of(head);
        Ok(input)
    }

    fn head<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b [u8], InputError> {
        let filled = Stream::new(&self.file, self.bytes, self.gzip).fill(buffer);
        let count = filled.map_err(|error| self.refuse(self.unread(error)))?;
        Ok(buffer.get(..count).unwrap_or_default())
    }

    /// The file's name, for display; `stdin` for standard input.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name without the endings that say it is a CSV file.
    pub fn stem(&self) -> &str {
        let endings = [&[".gz", ".gzip"][..], &[".csv", ".tsv", ".txt"]];
        endings.iter().fold(self.name(), |name, endings| {
            endings.iter().find_map(|ending| without(name, ending)).unwrap_or(name)
        })
    }

    /// How many bytes were given, compressed if they came so.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// SHA-256 of the bytes as they were given. Reads the file the first time.
    pub fn digest(&self) -> Result<Digest, InputError> {
        if let Some(digest) = self.digest.get() {
            return Ok(*digest);
        }
        let digest = digest_of(&self.file, &mut io::sink());
        let digest = digest.map_err(|error| self.refuse(Fault::Read(error)))?;
        self.unchanged()?;
        Ok(*self.digest.get_or_init(|| digest))
    }

    /// Reads from here on a copy of the file, in an anonymous file in `directory`: what
    /// becomes of the file while the run goes on does not matter to its results.
    ///
    /// # Errors
    /// When there is no room for the copy, or the file changes while it is made.
    pub fn keep(mut self, directory: &Path) -> Result<Input, InputError> {
        if self.is_private {
            return Ok(self);
        }
        let copied = anonymous_file(directory).and_then(|mut copy| {
            let digest = digest_of(&self.file, &mut copy)?;
            Ok((copy, digest))
        });
        let (copy, digest) = copied.map_err(|error| {
            self.refuse(Fault::Spool { directory: directory.display().to_string(), error })
        })?;
        self.unchanged()?;
        self.original = Some(std::mem::replace(&mut self.file, copy));
        self.is_private = true;
        self.digest = OnceLock::from(digest);
        Ok(self)
    }

    /// The rows are recorded: a file that changes from here on is no reason to refuse it.
    pub fn begin(&self) {
        let _ = self.begun.set(());
    }

    /// Whether the file as it was given holds something else by now.
    pub fn has_changed(&self) -> bool {
        let Some(original) = &self.original else { return false };
        let is_as_it_was = original.metadata().is_ok_and(|now| {
            now.len() == self.bytes && (now.ctime(), now.ctime_nsec()) == self.changed
        });
        // One that was only touched holds what it held.
        !is_as_it_was && digest_of(original, &mut io::sink()).ok() != self.digest.get().copied()
    }

    /// Makes the digest of what was read once more, and holds it against the first.
    ///
    /// # Errors
    /// When the disk gives other bytes than before.
    pub fn verify(&self) -> Result<(), InputError> {
        let again = digest_of(&self.file, &mut io::sink());
        match again.map_err(|error| self.refuse(Fault::Read(error)))? == self.digest()? {
            true => Ok(()),
            false => Err(self.refuse(Fault::Changed)),
        }
    }

    /// Whether the text begins with a byte order mark, as spreadsheets write it.
    pub fn has_byte_order_mark(&self) -> bool {
        self.lead.mark
    }

    /// The text from its start, without what comes before it.
    pub(super) fn text(&self) -> Result<Stream<'_>, InputError> {
        let mut stream = Stream::new(&self.file, self.bytes, self.gzip);
        let mut lead = vec![0; self.lead.bytes];
        stream.fill(&mut lead).map_err(|error| self.refuse(self.unread(error)))?;
        Ok(stream)
    }

    /// The line in which the text starts.
    pub(super) fn first_line(&self) -> u64 {
        1 + self.lead.lines
    }

    /// What separates the fields, if a line above the header says it.
    pub(super) fn said_delimiter(&self) -> Option<u8> {
        self.lead.delimiter
    }

    /// Refuses a file that is no longer what was opened: two passes over it would
    /// not see the same rows.
    pub(super) fn unchanged(&self) -> Result<(), InputError> {
        if self.original.is_some() && self.begun.get().is_some() {
            return Ok(());
        }
        let given = self.original.as_ref().unwrap_or(&self.file);
        let metadata = given.metadata().map_err(|error| self.refuse(Fault::Read(error)))?;
        if metadata.len() == self.bytes && metadata.modified().ok() == self.modified {
            return Ok(());
        }
        Err(self.refuse(match metadata.len() > self.bytes {
            true => Fault::Growing,
            false => Fault::Changed,
        }))
    }

    /// Refuses a file that another program is just writing: it looks unfinished, so it is
    /// looked at once more if it was written to within the last seconds.
    pub(super) fn completed(&self) -> Result<(), InputError> {
        let age = self.modified.and_then(|modified| modified.elapsed().ok());
        if age.is_some_and(|age| age < JUST_WRITTEN) {
            std::thread::sleep(LOOKED_AGAIN_AFTER);
        }
        self.unchanged()
    }

    /// Stops reading a large file as soon as it has more orders to send than this: whatever is
    /// known of them elsewhere, they are too many.
    pub fn stop_after(&mut self, orders: u64) {
        self.enough = Some(orders);
    }

    /// Whether the text ends without a line end. Reads all of it if it is compressed.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn is_unfinished(&self) -> Result<bool, InputError> {
        let mut last = [b'\n'];
        if !self.gzip {
            let at = self.bytes.saturating_sub(1);
            self.file.read_at(&mut last, at).map_err(|error| self.explain(error))?;
        } else {
            let (mut text, mut buffer) = (self.text()?, vec![0; BUFFER]);
            while let count @ 1.. = text.fill(&mut buffer).map_err(|error| self.explain(error))? {
                last = buffer.get(count - 1).map_or(last, |byte| [*byte]);
            }
        }
        Ok(!last.iter().any(|byte| ends_row(*byte)))
    }

    /// An error about this input.
    pub fn refuse(&self, fault: Fault) -> InputError {
        InputError { input: self.label.clone(), fault }
    }

    /// What a failure to read the text means.
    pub(super) fn explain(&self, error: io::Error) -> InputError {
        self.refuse(self.unread(error))
    }

    /// Where the quotes are tangled.
    pub(super) fn tangled(&self, tangle: Tangle) -> InputError {
        let fault = match tangle {
            Tangle::Unclosed(at) => self.line_at(at).map(|line| Fault::UnclosedQuote { line }),
            Tangle::Long(at) => self.line_at(at).map(|line| Fault::LongRow { line }),
        };
        fault.map_or_else(|error| error, |fault| self.refuse(fault))
    }

    fn unread(&self, error: io::Error) -> Fault {
        use io::ErrorKind::{FileTooLarge, InvalidData, InvalidInput, UnexpectedEof};
        match error.kind() {
            FileTooLarge if self.gzip => Fault::Bomb,
            InvalidData | InvalidInput | UnexpectedEof if self.gzip => Fault::Gzip(error),
            _ => Fault::Read(error),
        }
    }

    /// The line of an offset in the text. Reads up to there: for errors only.
    fn line_at(&self, offset: u64) -> Result<u64, InputError> {
        let mut text = self.text()?.take(offset);
        let mut buffer = vec![0; BUFFER];
        let (mut line, mut after_cr) = (self.first_line(), false);
        loop {
            let count = text.read(&mut buffer).map_err(|error| self.refuse(self.unread(error)))?;
            if count == 0 {
                return Ok(line);
            }
            let read = buffer.get(..count).unwrap_or_default();
            line += line_ends(read, after_cr);
            after_cr = read.last() == Some(&b'\r');
        }
    }
}

fn not_opened(error: io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::NotFound => Fault::NotFound,
        io::ErrorKind::IsADirectory => Fault::Directory,
        _ => Fault::Unreadable(error),
    }
}

/// The digest of a file's bytes, which are written elsewhere on the way.
fn digest_of(file: &File, to: &mut impl io::Write) -> io::Result<Digest> {
    let mut hasher = Hasher::default();
    let mut from = FromStart::new(file);
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = from.read(&mut buffer)?;
        let bytes = buffer.get(..count).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(hasher.finish());
        }
        hasher.update(bytes);
        to.write_all(bytes)?;
    }
}

fn anonymous_file(directory: &Path) -> io::Result<File> {
    private_file::create_folder(directory)?;
    tempfile::tempfile_in(directory)
}

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
fn not_csv(head: &[u8]) -> Option<Fault> {
    let text = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head).trim_ascii_start();
    let begins =
        |with: &[u8]| text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    if let Some((_, how)) = COMPRESSED.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Some(Fault::Compressed(how));
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
        return Some(Fault::NotCsv(kind));
    }
    let nul_at = |parity: usize| head.iter().skip(parity).step_by(2).all(|byte| *byte == 0);
    let blank = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head).trim_ascii().is_empty();
    if blank && head.len() < HEAD {
        Some(Fault::Empty)
    } else if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        Some(Fault::Utf16)
    } else if head.starts_with(b"PK\x03\x04") || head.starts_with(b"\xd0\xcf\x11\xe0") {
        Some(Fault::Workbook)
    } else if head.contains(&0) && nul_at(0) != nul_at(1) {
        Some(Fault::Utf16)
    } else if has_many_nuls(head) {
        Some(Fault::Binary)
    } else if !head.contains(&b'\n') && head.trim_ascii_end().contains(&b'\r') {
        Some(Fault::CarriageReturns)
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

fn without<'n>(name: &'n str, ending: &str) -> Option<&'n str> {
    let (stem, last) = name.split_at_checked(name.len().checked_sub(ending.len())?)?;
    (!stem.is_empty() && last.eq_ignore_ascii_case(ending)).then_some(stem)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use tempfile::TempDir;

    use super::super::columns::Reading;
    use super::super::testing::{gzipped, lines};
    use super::*;

    const ORDERS: &[u8] = b"admin,seq\n129409,1\n129410,2\n";

    /// A directory with one file in it.
    fn file(name: &str, bytes: &[u8]) -> (TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        fs::write(&path, bytes).unwrap();
        (directory, path)
    }

    fn opened(name: &str, bytes: &[u8]) -> Input {
        let (directory, path) = file(name, bytes);
        Input::open(&path, directory.path()).unwrap()
    }

    fn rows(input: &Input) -> Result<Vec<String>, InputError> {
        lines(input, &Reading::default())
    }

    /// The refusal of a file, from opening it to its last row, without its directory.
    fn refusal(bytes: &[u8]) -> String {
        let (directory, path) = file("orders.csv", bytes);
        let error = Input::open(&path, directory.path()).and_then(|input| rows(&input));
        short(&error.unwrap_err(), &directory)
    }

    fn short(error: &InputError, directory: &TempDir) -> String {
        error.to_string().replace(&format!("{}/", directory.path().display()), "")
    }

    #[test]
    fn the_digest_is_that_of_the_bytes_as_given() {
        let input = opened("orders.csv", b"abc");
        insta::assert_snapshot!(input.digest().unwrap(), @"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let zipped = gzipped(ORDERS);
        let input = opened("orders.csv.gz", &zipped);
        assert_eq!(input.digest().unwrap(), Digest::of(&zipped));
        assert_eq!(input.bytes(), zipped.len() as u64);
    }

    #[test]
    fn the_stem_is_the_name_without_its_csv_endings() {
        for (name, stem) in [
            ("orders.csv", "orders"),
            ("orders.CSV.gz", "orders"),
            ("orders.gz", "orders"),
            ("orders.results.csv", "orders.results"),
            ("orders.2024.txt", "orders.2024"),
            ("orders", "orders"),
            (".csv", ".csv"),
        ] {
            let input = opened(name, ORDERS);
            assert_eq!((input.name(), input.stem()), (name, stem));
        }
    }

    #[test]
    fn gzip_is_recognised_by_its_bytes_whatever_the_name() {
        let halves = [gzipped(b"admin,seq\n129409,1\n"), gzipped(b"129410,2\n")].concat();
        let plain = rows(&opened("orders.csv", ORDERS)).unwrap();
        assert_eq!(rows(&opened("orders.csv", &halves)).unwrap(), plain);
    }

    #[test]
    fn a_file_that_is_unlinked_can_still_be_read_again() {
        let (directory, path) = file("orders.csv", ORDERS);
        let input = Input::open(&path, directory.path()).unwrap();
        let before = rows(&input).unwrap();
        drop(directory);
        assert_eq!(rows(&input).unwrap(), before);
        assert!(input.digest().is_ok());
    }

    #[test]
    fn what_can_be_read_only_once_is_put_aside_in_a_private_directory() {
        let directory = tempfile::tempdir().unwrap();
        let spool = directory.path().join("a/spool");
        let input = Input::spool("stdin", ORDERS, &spool).unwrap();
        assert_eq!(spool.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::read_dir(&spool).unwrap().count(), 0, "the file has no name");
        assert_eq!((input.name(), input.stem()), ("stdin", "stdin"));
        assert_eq!(rows(&input).unwrap(), rows(&input).unwrap());
        assert_eq!(input.digest().unwrap(), Digest::of(ORDERS));
    }

    #[test]
    fn a_pipe_is_read_like_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(ORDERS).unwrap();
        drop(writer);
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader));
        let input = Input::open(Path::new(&path), directory.path()).unwrap();
        assert_eq!(rows(&input).unwrap().len(), 2);
    }

    #[test]
    fn a_spool_that_cannot_be_made_is_named() {
        let (directory, path) = file("not-a-directory", b"");
        let error = Input::spool("stdin", ORDERS, &path).unwrap_err();
        insta::assert_snapshot!(short(&error, &directory), @"stdin: cannot be put aside in not-a-directory: File exists (os error 17); make room there");
    }

    #[test]
    fn a_path_that_leads_to_no_file_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let open =
            |path: &Path| short(&Input::open(path, directory.path()).unwrap_err(), &directory);
        insta::assert_snapshot!(open(&directory.path().join("no.csv")), @"no.csv: no such file; check the path");
        fs::create_dir(directory.path().join("in")).unwrap();
        insta::assert_snapshot!(open(&directory.path().join("in")), @"in: is a directory; name a CSV file in it");
        fs::write(directory.path().join("plain"), "").unwrap();
        insta::assert_snapshot!(open(&directory.path().join("plain/x.csv")), @"plain/x.csv: cannot be opened (Not a directory (os error 20)); check the path and its permissions");
    }

    #[test]
    fn an_empty_file_is_refused() {
        insta::assert_snapshot!(refusal(b""), @"orders.csv: is empty: there is nothing to cancel");
        for blank in [&b"\n\r\n \n"[..], b"\xef\xbb\xbf", b"\xef\xbb\xbf\n", &gzipped(b"")] {
            assert_eq!(refusal(blank), refusal(b""));
        }
    }

    #[test]
    fn what_is_not_csv_is_called_what_it_is() {
        insta::assert_snapshot!(refusal(b"\xff\xfea\0d\0m\0"), @r#"orders.csv: is UTF-16 text; save it as UTF-8 (in a spreadsheet: "CSV UTF-8")"#);
        assert_eq!(refusal(b"a\0d\0m\0"), refusal(b"\xfe\xff\0a\0d\0m"));
        insta::assert_snapshot!(refusal(b"PK\x03\x04\0\0"), @r#"orders.csv: is a workbook or a ZIP archive; save the sheet as "CSV UTF-8""#);
        insta::assert_snapshot!(refusal(b"\x7fELF\x02\0\0\0"), @"orders.csv: is not text: there are NUL bytes near its start; a CSV file is wanted");
        for (bytes, what) in [
            (&b"<!DOCTYPE html>\n<html></html>\n"[..], "is a web page (HTML)"),
            (b"\xef\xbb\xbf <html>", "is a web page (HTML)"),
            (b"<?xml version=\"1.0\"?>\n<a/>\n", "is an XML document"),
            (b"[{\"AdminNumber\":1}]", "is JSON"),
            (b"{\n  \"orders\": []}", "is JSON"),
            (b"%PDF-1.7\n", "is a PDF document"),
            (b"\x28\xb5\x2f\xfd\x01\x01", "is compressed (zstd)"),
            (b"BZh91AY", "is compressed (bzip2)"),
            (&gzipped(&gzipped(ORDERS)), "is compressed (gzip, twice)"),
            (b"\x81\x84\x94\x89\x95\x5e\xa2\x85\x98\x0d\x25\xf1\x5e\xf1\x0d\x25", "is EBCDIC text"),
        ] {
            assert!(refusal(bytes).contains(what), "{}", refusal(bytes));
        }
        for bytes in [&b"[admin],seq\n"[..], "größe;äöü\n1;1\n".as_bytes(), b"\xe4\xf6;seq\n1;1\n"]
        {
            assert!(refusal(bytes).contains("no column"), "{}", refusal(bytes));
        }
        insta::assert_snapshot!(refusal(b"admin,seq\r1,1\r"), @"orders.csv: has lines that end in CR alone; save it with LF or CRLF line ends");
    }

    #[test]
    fn a_line_that_says_what_separates_the_fields_is_obeyed_and_no_row() {
        for text in
            ["sep=;\r\nadmin;se,q;seq\r\n1;x;2\r\n", "\u{feff}\"SEP=;\"\nadmin;se,q;seq\n1;x;2\n"]
        {
            let input = opened("orders.csv", text.as_bytes());
            assert_eq!(rows(&input).unwrap(), ["1 (line 3): 1/2"]);
            assert_eq!(input.has_byte_order_mark(), text.starts_with('\u{feff}'));
        }
        assert_eq!(
            rows(&opened("orders.csv", b"sep=\nadmin|seq\n1|2\n")).unwrap(),
            ["1 (line 3): 1/2"]
        );
        insta::assert_snapshot!(refusal(b"sep=;\nadmin;seq\n1;1\n2;\"x\n"), @"orders.csv: a quote that opens in line 4 is not closed, so the rows after it cannot be told apart; close it, or double it if it is part of the text");
    }

    #[test]
    fn a_damaged_gzip_file_is_refused_wherever_the_damage_is() {
        let numbers: String = (0..100_000).map(|n| format!("{n},1\n")).collect();
        let whole = gzipped(format!("admin,seq\n{numbers}").as_bytes());
        let cut = &whole[..whole.len() - 9];
        insta::assert_snapshot!(refusal(cut), @"orders.csv: is a damaged gzip file (incomplete deflate stream); fetch it again from where it came");
        for damaged in [&whole[..5], &whole[..200], &[&whole[..], b"x"].concat()] {
            assert!(refusal(damaged).contains("is a damaged gzip file"), "{}", refusal(damaged));
        }
        let mut wrong_sum = whole.clone();
        let at = wrong_sum.len() - 6;
        wrong_sum[at] ^= 1;
        assert!(refusal(&wrong_sum).contains("is a damaged gzip file"));
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_is_refused() {
        let (directory, path) = file("orders.csv", ORDERS);
        let input = Input::open(&path, directory.path()).unwrap();
        fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"129411,3\n").unwrap();
        let error = rows(&input).unwrap_err();
        insta::assert_snapshot!(short(&error, &directory), @"orders.csv: is still being written; start again when it is complete");
        assert!(input.digest().is_err());
        fs::write(&path, "admin,seq\n1,1\n").unwrap();
        let error = rows(&input).unwrap_err();
        insta::assert_snapshot!(short(&error, &directory), @"orders.csv: changed while it was read; start again when it is complete");
    }

    #[test]
    fn a_card_number_in_the_files_name_is_not_repeated() {
        let input = opened("4111111111111111.csv", ORDERS);
        assert_eq!(input.name(), "[card number removed].csv");
    }
}
