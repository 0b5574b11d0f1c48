//! The results file: the input's columns, in their order, then ours. One line
//! for every row, in input order, written whole or not at all.

use std::fmt;
use std::fs::{self, File, Metadata, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use csv::ByteRecord;

use super::background_writer::{Behind, HANDED_OVER};
use super::hashing_writer::Hashed;
use super::timestamps::Moments;
use super::{background_writer, row_prefetch, rows};
use crate::input::source::BYTE_ORDER_MARK;
use crate::input::{Input, Layout, RerunPlan, columns};
use crate::ledger::{Ledger, RowRecord, Run, after_lost_answer};
use crate::model::{Counts, Order, ReasonCode, RowNumber, Status, card_numbers};
use crate::private_file;

/// A results file that is about to be written. It is made beside its final place
/// before anything is sent, so that a night's work cannot end in "permission denied".
#[derive(Debug)]
pub struct ResultsFile {
    path: PathBuf,
    partial: PathBuf,
    file: File,
    replace: Replace,
}

/// A results file that is in its place.
#[derive(Debug)]
pub struct Written {
    /// Where it is.
    pub path: PathBuf,
    /// How many rows stand how in it.
    pub counts: Counts,
    /// How many of them have ended, and how.
    pub ended: Counts,
    /// Whether the last line of the input may be cut short.
    pub may_be_cut_short: bool,
    /// Rows for which the ledger has another order than the input, if there are any.
    pub misnamed: Option<Misnamed>,
    /// Whether the input changed while the run went on; what it was is in the results.
    pub input_changed: bool,
}

/// Rows for which the ledger has another order than their lines of the input. The results
/// name what the ledger says, since that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misnamed {
    /// How many there are.
    pub rows: u64,
    /// The first of them, and its order in the ledger.
    pub first: (RowNumber, Order),
}

impl fmt::Display for Misnamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (row, order) = self.first;
        let rows = rows(self.rows);
        write!(
            f,
            "the ledger and the input name different orders for {rows}, first for row {row}, where the ledger has {order}: one of them was changed. The results name what the ledger says, which is what was sent; see whether it is whole with `cardcancel ledger check`"
        )
    }
}

impl Written {
    /// Whether every row in it has ended.
    pub fn have_ended(&self) -> bool {
        self.left() == 0
    }

    /// How many rows have not ended.
    pub fn left(&self) -> u64 {
        self.counts.total().saturating_sub(self.ended.total())
    }
}

/// How the rows stand that were written.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    ended: Counts,
    open: Counts,
    may_be_cut_short: bool,
    misnamed: Option<Misnamed>,
}

impl Tally {
    fn add_misnamed(&mut self, row: RowNumber, order: Order) {
        self.misnamed.get_or_insert(Misnamed { rows: 0, first: (row, order) }).rows += 1;
    }

    fn add(&mut self, record: &RowRecord) {
        let counts = if record.has_ended { &mut self.ended } else { &mut self.open };
        counts.add_row(record.status, record.doubt);
    }
}

/// Which files a run may replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replace {
    /// A file that this program wrote for this run.
    OwnResults,
    /// Any results file in this ledger: rehearsals leave nothing worth keeping.
    AnyResults,
}

impl ResultsFile {
    /// Makes room for the results at `path`.
    ///
    /// # Errors
    /// When something else is there, or nothing can be written there.
    pub fn begin(
        path: PathBuf,
        run: &str,
        replace: Replace,
        ledger: &mut dyn Ledger,
    ) -> anyhow::Result<ResultsFile> {
        if names_folder(&path) {
            let path = path.display();
            bail!("{path} names a folder: name a file in it for the results with -o");
        }
        may_replace(&path, run, replace, ledger)?;
        let (partial, file) = partial_beside(&path, run).with_context(|| {
            let path = path.display();
            format!("the results cannot be written to {path}: choose another place with -o")
        })?;
        Ok(ResultsFile { path, partial, file, replace })
    }

    /// Writes every row of the run, and puts the file in its place.
    ///
    /// # Errors
    /// When the disk fails, or the input is no longer what the run was opened with.
    /// Nothing is lost by that: the same command writes the results again.
    pub fn write(self, source: &Source<'_>, ledger: &mut dyn Ledger) -> anyhow::Result<Written> {
        let (digest, tally) = self.fill(source, ledger).with_context(|| {
            let path = self.path.display();
            format!("the results could not be written to {path}; the ledger has them all: put right what is wrong and start the same command again")
        })?;
        // Another may have been put there while the run went on.
        may_replace(&self.path, source.run.id(), self.replace, ledger)?;
        let path = self.path.display().to_string();
        ledger.note_results(source.run, &digest, &path)?;
        ledger.note_results(source.run, &stamp(&self.file.metadata()?), &path)?;
        fs::rename(&self.partial, &self.path)
            .and_then(|()| sync_folder(&self.path))
            .with_context(|| format!("the results could not be put at {}", self.path.display()))?;
        let Tally { ended, open, may_be_cut_short, misnamed } = tally;
        let (path, counts) = (self.path.clone(), ended.plus(open));
        let input_changed = source.input.has_changed();
        Ok(Written { path, counts, ended, may_be_cut_short, misnamed, input_changed })
    }

    fn fill(
        &self,
        source: &Source<'_>,
        ledger: &mut dyn Ledger,
    ) -> anyhow::Result<(String, Tally)> {
        let written = background_writer::write(&self.file, |file| lines(source, ledger, file))?;
        source.input.verify()?;
        self.file.sync_all()?;
        Ok(written)
    }
}

impl Drop for ResultsFile {
    fn drop(&mut self) {
        // Gone already if the file was put in its place.
        let _ = fs::remove_file(&self.partial);
    }
}

fn may_replace(
    path: &Path,
    run: &str,
    replace: Replace,
    ledger: &mut dyn Ledger,
) -> anyhow::Result<()> {
    let there = match fs::symlink_metadata(path) {
        Ok(there) => there,
        Err(absent) if absent.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(cause) => {
            return Err(cause).with_context(|| format!("cannot look at {}", path.display()));
        }
    };
    let path = path.display();
    if !there.is_file() {
        bail!("{path} is not a plain file: name another place for the results with -o");
    }
    let ours = |runs: Vec<String>| match replace {
        Replace::OwnResults => runs.iter().any(|id| id == run),
        Replace::AnyResults => !runs.is_empty(),
    };
    // A file that nobody touched since need not be read.
    if ours(ledger.results_of(&stamp(&there))?)
        || ours(ledger.results_of(&digest_of(path.to_string().as_ref())?)?)
    {
        return Ok(());
    }
    bail!(
        "{path} is there already and is not what this run wrote: move it away, or name another file with -o"
    );
}

/// Which file it is, its size and when it was last written: enough to know one
/// again that was left alone.
fn stamp(file: &Metadata) -> String {
    format!(
        "device {} inode {} size {} written {}.{:09}",
        file.dev(),
        file.ino(),
        file.size(),
        file.mtime(),
        file.mtime_nsec()
    )
}

fn digest_of(path: &Path) -> anyhow::Result<String> {
    let mut hash = Hashed::new(io::sink());
    File::open(path)
        .and_then(|mut file| io::copy(&mut file, &mut hash))
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(hash.digest().to_string())
}

/// Whether a path can lead to nothing but a folder, whether it is there or not.
pub(super) fn names_folder(path: &Path) -> bool {
    let bytes = path.as_os_str().as_encoded_bytes();
    path.file_name().is_none() || bytes.ends_with(b"/") || bytes.ends_with(b"/.")
}

/// A file beside the results, which are made in it: one for each process that works on the
/// run. What a killed one left is removed, since nobody has it locked.
fn partial_beside(path: &Path, run: &str) -> io::Result<(PathBuf, File)> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beginning = format!(".{name}.{run}.");
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    // Where the folder cannot be listed, litter stays.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let other = entry.file_name().to_string_lossy().into_owned();
        if other.starts_with(&beginning) && other.ends_with(PARTIAL) {
            remove_unless_locked(&folder.join(other))?;
        }
    }
    for number in 0..u32::MAX {
        let partial = folder.join(format!("{beginning}{}-{number}{PARTIAL}", std::process::id()));
        let opened = private_file::open_options().write(true).create_new(true).open(&partial);
        match opened {
            Err(there) if there.kind() == io::ErrorKind::AlreadyExists => {}
            // Another process may take it for what a killed one left before it is locked.
            Ok(file) if file.try_lock().is_ok() && is_at(&file, &partial) => {
                return Ok((partial, file));
            }
            Ok(_) => {}
            Err(cause) => return Err(cause),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// How the name ends of a file in which results are made.
const PARTIAL: &str = ".partial";

/// Removes what a killed process left, or a trap: a link is removed itself.
fn remove_unless_locked(partial: &Path) -> io::Result<()> {
    let lock = private_file::open_options().write(true).open(partial);
    match lock.map(|file| (file.try_lock(), file)) {
        Ok((Err(TryLockError::WouldBlock), _)) => Ok(()),
        _ => match fs::remove_file(partial) {
            Err(absent) if absent.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        },
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

/// A rename outlives a power cut only once its folder is on the disk.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// What the results are a view of, beside the ledger.
pub struct Source<'a> {
    /// The run.
    pub run: &'a Run,
    /// Its input.
    pub input: &'a Input,
    /// Where the input's columns are.
    pub layout: &'a Layout,
    /// How the results file that is run again was read, if it is one.
    pub plan: Option<&'a RerunPlan>,
}

/// Writes the results, and counts what they tell.
fn lines(source: &Source<'_>, ledger: &mut dyn Ledger, mut file: Behind) -> anyhow::Result<Tally> {
    if source.input.has_byte_order_mark() {
        file.write_all(BYTE_ORDER_MARK)?;
    }
    let mut view = View::new(source, file);
    view.header()?;
    let mut rows = source.input.rows(source.layout)?;
    let mut tally = Tally::default();
    let unfinished = ReasonCode::UnfinishedLine.to_string();
    row_prefetch::rows(ledger, source.run, |record| {
        tally.add(record);
        tally.may_be_cut_short |= record.error_code == unfinished;
        let line = rows.next()?.context("the input has fewer rows than the run")?;
        let other = record.order.filter(|order| !source.layout.holds(line.fields, *order));
        other.iter().for_each(|order| tally.add_misnamed(record.row, *order));
        Ok(view.line(record, line.fields, other)?)
    })?;
    if rows.next()?.is_some() {
        bail!("the input has more rows than the run");
    }
    view.writer.flush()?;
    Ok(tally)
}

/// Writes a row of the ledger and its line of the input as a line of results.
struct View<'a> {
    source: &'a Source<'a>,
    writer: csv::Writer<Behind>,
    digits: itoa::Buffer,
    /// Calls begin and end at about the same time, but often not in the same second.
    first_sent_at: Moments,
    ended_at: Moments,
}

impl<'a> View<'a> {
    fn new(source: &'a Source<'a>, to: Behind) -> Self {
        View {
            source,
            writer: csv::WriterBuilder::new()
                .delimiter(source.layout.delimiter())
                .buffer_capacity(HANDED_OVER)
                .from_writer(to),
            digits: itoa::Buffer::new(),
            first_sent_at: Moments::default(),
            ended_at: Moments::default(),
        }
    }

    fn header(&mut self) -> csv::Result<()> {
        self.carry(self.source.layout.header(), true, Keys::AsGiven)?;
        self.writer.write_record(columns::RESULTS)
    }

    /// The line of a row, with another order than the input's if the ledger has one.
    fn line(
        &mut self,
        record: &RowRecord,
        fields: &ByteRecord,
        other: Option<Order>,
    ) -> csv::Result<()> {
        // The guard looked at every field of a row that has an order already.
        let guarded = record.status == Status::Invalid || record.kept;
        let hidden =
            record.status == Status::Invalid && !record.kept && self.may_mislead(record, fields);
        let keys = match other {
            Some(order) => Keys::Of(order),
            None if hidden => Keys::Hidden,
            None => Keys::AsGiven,
        };
        self.carry(fields, guarded, keys)?;
        match record.kept {
            true => self.keep(record, fields)?,
            false => self.tell(record, fields)?,
        }
        self.writer.write_record(END_OF_LINE)
    }

    /// Whether the key fields of an invalid row could be taken for an order: they are what
    /// made it invalid, or they may be another's. The message holds the whole line.
    fn may_mislead(&self, record: &RowRecord, fields: &ByteRecord) -> bool {
        let of_a_key = [ReasonCode::InvalidAdminNumber, ReasonCode::InvalidSequenceNumber];
        !of_a_key.iter().any(|code| code.to_string() == record.error_code)
            || self.source.layout.carries_order(fields)
    }

    /// The input's own columns, untouched but for card numbers and for key fields.
    fn carry(&mut self, fields: &ByteRecord, guarded: bool, keys: Keys) -> csv::Result<()> {
        let layout = self.source.layout;
        let parted = guarded && card_numbers::fields_hold_card_number(fields.iter());
        for column in layout.carried() {
            let is_admin = *column == layout.admin();
            let field = match keys {
                Keys::Of(order) if is_admin => {
                    self.writer.write_field(self.digits.format(order.admin_number))?;
                    continue;
                }
                Keys::Of(order) if *column == layout.sequence() => {
                    self.writer.write_field(self.digits.format(order.sequence_number))?;
                    continue;
                }
                Keys::Hidden if is_admin || *column == layout.sequence() => &[][..],
                _ => fields.get(*column).unwrap_or_default(),
            };
            if parted && card_numbers::may_be_part(field) {
                self.writer.write_field(card_numbers::REMOVED)?;
                continue;
            }
            match guarded && card_numbers::looks_like_card_number(field) {
                true => {
                    let text = String::from_utf8_lossy(field);
                    self.writer.write_field(card_numbers::redact(&text).as_bytes())?;
                }
                false => self.writer.write_field(field)?,
            }
        }
        Ok(())
    }

    /// The result columns as the results file had them, but for an answer for the order that
    /// was lost since.
    fn keep(&mut self, record: &RowRecord, fields: &ByteRecord) -> csv::Result<()> {
        let prior = self.source.plan.filter(|_| record.doubt).map(|plan| plan.prior(fields));
        let lost_since = prior.filter(|prior| prior.doubt == Some(false));
        for name in columns::RESULTS {
            let field = self.source.layout.result(name).and_then(|column| fields.get(column));
            match (name, field, &lost_since) {
                (columns::STATUS, ..) => self.writer.write_field(record.status.as_str())?,
                (columns::ROW, None | Some([]), _) => self.number(record.row.0)?,
                (columns::DOUBT, _, Some(_)) => self.writer.write_field("true")?,
                (columns::MESSAGE, _, Some(prior)) if record.status == Status::InDoubt => {
                    self.writer.write_field(after_lost_answer(&prior.message))?;
                }
                (_, field, _) => self.writer.write_field(field.unwrap_or_default())?,
            }
        }
        Ok(())
    }

    /// The result columns as the ledger knows them; a row that was sent by an
    /// earlier run keeps its number, its first time and its attempts.
    fn tell(&mut self, record: &RowRecord, fields: &ByteRecord) -> csv::Result<()> {
        let prior = self.source.plan.map(|plan| plan.prior(fields));
        let row = self.source.plan.and(self.source.layout.result(columns::ROW));
        match row.and_then(|column| fields.get(column)).filter(|row| !row.is_empty()) {
            Some(row) => self.writer.write_field(row)?,
            None => self.number(record.row.0)?,
        }
        self.writer.write_field(record.status.as_str())?;
        let (code, message) = told(record, self.source.run);
        self.writer.write_field(inert(code).as_bytes())?;
        self.writer.write_field(inert(message).as_bytes())?;
        match record.http_status {
            Some(status) => self.number(status.into())?,
            None => self.writer.write_field("")?,
        }
        let before = prior.as_ref().map_or(0, |prior| prior.attempts);
        self.number(record.attempts.saturating_add(before))?;
        self.writer.write_field(if record.doubt { "true" } else { "false" })?;
        match prior.map(|prior| prior.first_sent_at).filter(|first| !first.is_empty()) {
            Some(first) => self.writer.write_field(first.as_bytes())?,
            None => {
                let first = record.first_sent_at.map(|time| self.first_sent_at.text(time));
                self.writer.write_field(first.unwrap_or_default())?;
            }
        }
        let ended = record.ended_at.filter(|_| record.status != Status::NotSent);
        let ended = ended.map(|time| self.ended_at.text(time));
        self.writer.write_field(ended.unwrap_or_default())
    }

    fn number(&mut self, number: u32) -> csv::Result<()> {
        self.writer.write_field(self.digits.format(number))
    }
}

/// What stands in the key fields of a line.
#[derive(Clone, Copy)]
enum Keys {
    /// What the input has there.
    AsGiven,
    /// Nothing: it could be taken for an order that was not given.
    Hidden,
    /// What the ledger says was sent.
    Of(Order),
}

/// No more fields.
const END_OF_LINE: [&[u8]; 0] = [];

/// A row that was never answered has nothing to tell but why the run stopped.
fn told<'r>(record: &'r RowRecord, run: &'r Run) -> (&'r str, &'r str) {
    match (&run.stop, record.status) {
        (Some(stop), Status::NotSent) if record.error_code.is_empty() => (stop, stop_meaning(stop)),
        _ => (&record.error_code, &record.message),
    }
}

fn stop_meaning(stop: &str) -> &'static str {
    let known = ReasonCode::ALL.iter().find(|(code, _)| code.to_string() == stop);
    known.map_or("", |(_, meaning)| meaning)
}

/// Text that cannot act as a formula in a spreadsheet. One apostrophe is put before what
/// might, and before what begins with one: taken off again, the text is what it was.
fn inert(text: &str) -> std::borrow::Cow<'_, str> {
    match may_act(text) {
        true => format!("'{text}").into(),
        false => text.into(),
    }
}

/// Whether a spreadsheet may take it for a formula, which some do behind what nobody sees
/// and with full-width signs, or begins as what was guarded.
fn may_act(text: &str) -> bool {
    if text.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        return false;
    }
    let mut visible = text.trim_start_matches(is_invisible).chars();
    text.starts_with(['\t', '\r', '\''])
        || matches!(
            visible.next(),
            Some('=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠' | '\u{2212}')
        )
}

fn is_invisible(character: char) -> bool {
    character.is_whitespace()
        || character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_may_take_for_a_formula_gets_an_apostrophe() {
        let acting = [
            "=1+1",
            "+1",
            "-1",
            "@x",
            "\tx",
            "\r=1",
            " =1",
            "\u{200b}=1",
            "\u{feff}=1",
            "\u{a0}@x",
            "\u{202e}-1",
            "＝1",
            "＋1",
            "－1",
            "＠x",
            "'=1",
        ];
        for text in acting {
            assert_eq!(inert(text), format!("'{text}"), "{text:?}");
        }
        for text in ["", "Printed", "ERR01160", "1-1", "(no)", "é=1", "\u{200b}x", " x"] {
            assert_eq!(inert(text), text, "{text:?}");
        }
    }
}
