//! The input: a file, or a copy of standard input, held open.

#[cfg(test)]
mod tests;

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use super::error::{InputError, InputErrorKind};
use super::excerpt::shown;
use super::file_kind::{SNIFFED, not_csv};
use super::line_ends::line_ends;
use super::preamble::Preamble;
use super::proof::Proof;
use super::quotes::{QuoteError, ends_row};
use super::reader::{DecodedReader, PositionedReader};
use crate::hash::{Digest, Hasher};
use crate::private_file;

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
    preamble: Preamble,
    digest: OnceLock<Digest>,
    /// How many rows it should have, if that is known.
    pub(super) expected_rows: Option<u32>,
    pub(super) proof: Option<Proof>,
    /// How many orders to be sent are enough to refuse it.
    pub(super) enough: Option<u64>,
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
        let refuse = |kind| InputError { input: label.clone(), kind };
        let file = File::open(path).map_err(|error| refuse(not_opened(error)))?;
        let metadata =
            file.metadata().map_err(|error| refuse(InputErrorKind::Unreadable(error)))?;
        if metadata.is_dir() {
            return Err(refuse(InputErrorKind::Directory));
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
                let kind =
                    InputErrorKind::Spool { directory: directory.display().to_string(), error };
                Err(InputError { input: label, kind })
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
            preamble: Preamble::default(),
            digest: OnceLock::new(),
            expected_rows: None,
            proof: None,
            enough: None,
        };
        let mut head = vec![0; SNIFFED];
        let magic = input.head(&mut head)?;
        input.gzip = magic.starts_with(b"\x1f\x8b");
        let head = input.head(&mut head)?;
        if let Some(kind) = not_csv(head) {
            return Err(input.refuse(kind));
        }
        input.preamble = Preamble::parse(head);
        Ok(input)
    }

    fn head<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b [u8], InputError> {
        let filled = DecodedReader::new(&self.file, self.bytes, self.gzip).fill(buffer);
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
        let digest = digest.map_err(|error| self.refuse(InputErrorKind::Read(error)))?;
        self.unchanged()?;
        Ok(*self.digest.get_or_init(|| digest))
    }

    /// Reads from here on a copy of the file, in an anonymous file in `directory`: what
    /// becomes of the file during the run does not matter to its results.
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
            self.refuse(InputErrorKind::Spool { directory: directory.display().to_string(), error })
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
        if again.map_err(|error| self.refuse(InputErrorKind::Read(error)))? == self.digest()? {
            Ok(())
        } else {
            Err(self.refuse(InputErrorKind::Changed))
        }
    }

    /// Whether the text begins with a byte order mark, as spreadsheets write it.
    pub fn has_byte_order_mark(&self) -> bool {
        self.preamble.mark
    }

    /// The text from its start, without what comes before it.
    pub(super) fn text(&self) -> Result<DecodedReader<'_>, InputError> {
        let mut stream = DecodedReader::new(&self.file, self.bytes, self.gzip);
        let mut preamble = vec![0; self.preamble.bytes];
        stream.fill(&mut preamble).map_err(|error| self.refuse(self.unread(error)))?;
        Ok(stream)
    }

    /// The line in which the text starts.
    pub(super) fn first_line(&self) -> u64 {
        1 + self.preamble.lines
    }

    /// What separates the fields, if a line above the header declares it.
    pub(super) fn declared_delimiter(&self) -> Option<u8> {
        self.preamble.delimiter
    }

    /// Refuses a file that is no longer what was opened: two passes over it would
    /// not see the same rows.
    pub(super) fn unchanged(&self) -> Result<(), InputError> {
        if self.original.is_some() && self.begun.get().is_some() {
            return Ok(());
        }
        let given = self.original.as_ref().unwrap_or(&self.file);
        let metadata =
            given.metadata().map_err(|error| self.refuse(InputErrorKind::Read(error)))?;
        if metadata.len() == self.bytes && metadata.modified().ok() == self.modified {
            return Ok(());
        }
        Err(self.refuse(if metadata.len() > self.bytes {
            InputErrorKind::Growing
        } else {
            InputErrorKind::Changed
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
    pub fn refuse(&self, kind: InputErrorKind) -> InputError {
        InputError { input: self.label.clone(), kind }
    }

    /// What a failure to read the text means.
    pub(super) fn explain(&self, error: io::Error) -> InputError {
        self.refuse(self.unread(error))
    }

    /// The error for quotes that are unbalanced.
    pub(super) fn quote_error(&self, error: QuoteError) -> InputError {
        let kind = match error {
            QuoteError::Unclosed(at) => {
                self.line_at(at).map(|line| InputErrorKind::UnclosedQuote { line })
            }
            QuoteError::Long(at) => self.line_at(at).map(|line| InputErrorKind::LongRow { line }),
        };
        kind.map_or_else(|error| error, |kind| self.refuse(kind))
    }

    fn unread(&self, error: io::Error) -> InputErrorKind {
        use io::ErrorKind::{FileTooLarge, InvalidData, InvalidInput, UnexpectedEof};
        match error.kind() {
            FileTooLarge if self.gzip => InputErrorKind::Bomb,
            InvalidData | InvalidInput | UnexpectedEof if self.gzip => InputErrorKind::Gzip(error),
            _ => InputErrorKind::Read(error),
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

fn not_opened(error: io::Error) -> InputErrorKind {
    match error.kind() {
        io::ErrorKind::NotFound => InputErrorKind::NotFound,
        io::ErrorKind::IsADirectory => InputErrorKind::Directory,
        _ => InputErrorKind::Unreadable(error),
    }
}

/// The digest of a file's bytes, which are written elsewhere on the way.
fn digest_of(file: &File, to: &mut impl io::Write) -> io::Result<Digest> {
    let mut hasher = Hasher::default();
    let mut from = PositionedReader::new(file);
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

fn without<'n>(name: &'n str, ending: &str) -> Option<&'n str> {
    let (stem, last) = name.split_at_checked(name.len().checked_sub(ending.len())?)?;
    (!stem.is_empty() && last.eq_ignore_ascii_case(ending)).then_some(stem)
}
