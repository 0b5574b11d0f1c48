//! The files of a bag as they are on the disk.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::bag_path::FOLDERS;
use super::finding::Findings;
use crate::hash::{Digest, Hasher};
use crate::private_file;

/// How many bytes to read at a time.
const BUFFER_BYTES: usize = 1 << 16;

/// The longest line of a table. The longest texts of a record are far shorter.
const LONGEST_LINE: usize = 1 << 20;

/// Reports how many bytes were read of how many.
pub type ReadProgress<'a> = &'a mut dyn FnMut(u64, u64);

/// The folder of a bag, and what was found of its files.
pub(super) struct BagFiles<'a> {
    root: PathBuf,
    /// The size of each plain file, by path.
    pub sizes: BTreeMap<String, u64>,
    /// The digest of each file that was read to its end.
    pub digests: BTreeMap<String, Digest>,
    read: u64,
    total: u64,
    progress: ReadProgress<'a>,
}

impl<'a> BagFiles<'a> {
    /// Lists the files of a bag. What is neither a plain file nor an expected folder is a finding.
    ///
    /// # Errors
    /// If the folder cannot be listed.
    pub fn list(
        root: &Path,
        findings: &mut Findings,
        progress: ReadProgress<'a>,
    ) -> anyhow::Result<BagFiles<'a>> {
        let (mut sizes, mut folders) = (BTreeMap::new(), vec![String::new()]);
        while let Some(folder) = folders.pop() {
            let path = root.join(&folder);
            let context = || format!("cannot list {}", path.display());
            for entry in fs::read_dir(&path).with_context(context)? {
                let entry = entry.with_context(context)?;
                let name = entry.file_name().to_string_lossy().into_owned();
                let name = if folder.is_empty() { name } else { format!("{folder}/{name}") };
                let kind = entry.file_type().with_context(context)?;
                if kind.is_file() {
                    sizes.insert(name, entry.metadata().with_context(context)?.len());
                } else if kind.is_dir() && FOLDERS.contains(&name.as_str()) {
                    folders.push(name);
                } else if kind.is_dir() {
                    findings.file(&name, "is a folder that no export has");
                } else {
                    findings.file(&name, "is neither a file nor a folder");
                }
            }
        }
        let total = sizes.values().sum();
        let root = root.to_owned();
        Ok(BagFiles { root, sizes, digests: BTreeMap::new(), read: 0, total, progress })
    }

    /// Reads a whole file; `None` if there is none.
    ///
    /// # Errors
    /// If it cannot be read, or is longer than any such file of an export.
    pub fn read(&mut self, path: &str, longest: u64) -> anyhow::Result<Option<Vec<u8>>> {
        if !self.sizes.contains_key(path) {
            return Ok(None);
        }
        let mut content = Vec::new();
        self.open(path)?
            .take(longest + 1)
            .read_to_end(&mut content)
            .with_context(|| cannot_read(path))?;
        if content.len() as u64 > longest {
            bail!("{path} is longer than {longest} bytes: it is no file of an export");
        }
        self.digests.insert(path.to_owned(), Digest::new(&content));
        self.add(content.len());
        Ok(Some(content))
    }

    /// Reads a file for its digest alone.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn digest(&mut self, path: &str) -> anyhow::Result<()> {
        let (mut file, mut hasher) = (self.open(path)?, Hasher::default());
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            match file.read(&mut buffer).with_context(|| cannot_read(path))? {
                0 => break,
                length => {
                    hasher.update(&buffer[..length]);
                    self.add(length);
                }
            }
        }
        self.digests.insert(path.to_owned(), hasher.finish());
        Ok(())
    }

    /// Begins to read a table line by line; `None` if there is no such file.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn lines(&self, path: &str) -> anyhow::Result<Option<HashedLines>> {
        if !self.sizes.contains_key(path) {
            return Ok(None);
        }
        let reader = HashingReader { file: self.open(path)?, hasher: Hasher::default() };
        let reader = BufReader::with_capacity(BUFFER_BYTES, reader);
        Ok(Some(HashedLines { path: path.to_owned(), reader, line: Vec::new(), number: 0 }))
    }

    /// Notes the digest of a table that was read to its end.
    pub fn close(&mut self, lines: HashedLines) {
        let HashedLines { path, reader, .. } = lines;
        self.digests.insert(path, reader.into_inner().hasher.finish());
    }

    /// Counts bytes that were read.
    pub fn add(&mut self, bytes: usize) {
        let before = self.read >> 20;
        self.read += bytes as u64;
        if self.read >> 20 != before {
            (self.progress)(self.read, self.total);
        }
    }

    fn open(&self, path: &str) -> anyhow::Result<File> {
        let file = private_file::open_options().read(true).open(self.root.join(path));
        file.with_context(|| cannot_read(path))
    }
}

fn cannot_read(path: &str) -> String {
    format!("cannot read {path} of the export")
}

/// Hashes what is read.
struct HashingReader {
    file: File,
    hasher: Hasher,
}

impl Read for HashingReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(buffer)?;
        self.hasher.update(&buffer[..length]);
        Ok(length)
    }
}

/// The lines of a file, which is hashed meanwhile.
pub(super) struct HashedLines {
    path: String,
    reader: BufReader<HashingReader>,
    line: Vec<u8>,
    number: u64,
}

impl HashedLines {
    /// The path of the file.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether no line was read.
    pub fn is_at_beginning(&self) -> bool {
        self.number == 0
    }

    /// The next line with its LF, and its number from 1; `None` at the end. The last line may have
    /// no LF.
    ///
    /// # Errors
    /// If the file cannot be read, or a line is longer than any of an export.
    pub fn next_line(&mut self) -> anyhow::Result<Option<(&[u8], u64)>> {
        self.line.clear();
        let limit = LONGEST_LINE as u64;
        let mut limited = (&mut self.reader).take(limit);
        limited.read_until(b'\n', &mut self.line).with_context(|| cannot_read(&self.path))?;
        if self.line.len() == LONGEST_LINE {
            let (path, line) = (&self.path, self.number + 1);
            bail!("{path}, line {line}: is longer than {limit} bytes: it is no file of an export");
        }
        self.number += 1;
        Ok(if self.line.is_empty() { None } else { Some((&self.line, self.number)) })
    }
}
