//! The witness file: one line for each seal, outside of the ledger.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::bail;
use jiff::Timestamp;
use rustix::fs::{FallocateFlags, OFlags, fallocate};
use rustix::io::Errno;

use super::seal::SealWord;
use super::witness::{KEY, WitnessedHead};
use crate::ledger::SealHead;
use crate::private_file;

/// The room that is reserved at the start for the lines to come, in bytes.
const RESERVED: u64 = 4096;

/// A witness file that can be written.
#[derive(Debug)]
pub struct WitnessFile {
    path: PathBuf,
    file: File,
}

/// What was handed to a witness file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HandedOn {
    /// The number of lines that were appended.
    pub lines: usize,
    /// Whether it has seals of this ledger that the ledger does not have.
    pub differs: bool,
}

impl WitnessFile {
    /// Opens a witness file, or creates one that only its owner can read.
    ///
    /// # Errors
    /// If it cannot be written, is a symbolic link or no plain file, holds something else than
    /// heads, or can be written by others, who could take heads out of it.
    pub fn open(path: &Path) -> anyhow::Result<WitnessFile> {
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let mut options: OpenOptions = private_file::open_options();
        let file = options.custom_flags(flags).read(true).append(true).create(true).open(path)?;
        let about = file.metadata()?;
        if !about.is_file() {
            bail!("it is not a plain file: name one");
        }
        if private_file::check_not_writable_by_others(path, &about).is_err() {
            bail!(
                "other users can write it, or it belongs to one: name another file, or run chmod go-w and chown"
            );
        }
        let mut witness = WitnessFile { path: path.to_owned(), file };
        let first = witness.lines()?.next().transpose()?.unwrap_or_default();
        if !is_head(&first) {
            bail!(
                "it already exists, and its first line is not the line of a seal: name another file"
            );
        }
        Ok(witness)
    }

    /// Reserves room for the next lines, so that a full disk is found before anything is sent.
    ///
    /// # Errors
    /// If there is no room.
    pub fn reserve(&self) -> io::Result<()> {
        let end = self.file.metadata()?.len();
        match fallocate(&self.file, FallocateFlags::KEEP_SIZE, end, RESERVED) {
            // Some file systems cannot reserve.
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            Err(cause) => Err(cause.into()),
        }
    }

    /// Appends the seals that are newer than the newest one that it has, and makes them durable.
    /// A file that has none of the ledger's seals gets all of them. Several processes may do so at
    /// once.
    ///
    /// # Errors
    /// If it cannot be read or written.
    pub fn hand_on(&mut self, ledger: &SealWord, seals: &[SealHead]) -> anyhow::Result<HandedOn> {
        // Not every file system can lock. Then lines may be there twice, which does no harm.
        let _ = self.file.lock();
        let handed_on = self.hand_on_locked(ledger, seals);
        let _ = self.file.unlock();
        handed_on
    }

    fn hand_on_locked(
        &mut self,
        ledger: &SealWord,
        seals: &[SealHead],
    ) -> anyhow::Result<HandedOn> {
        let (mut newest, mut differs) = (0, false);
        let mut last = Vec::new();
        for line in self.lines()? {
            last = line?;
            let Ok(head) = String::from_utf8_lossy(&last).trim_end().parse::<WitnessedHead>()
            else {
                continue;
            };
            if head.ledger != *ledger {
                continue;
            }
            let seal = seals.binary_search_by_key(&head.number, |seal| seal.number);
            let seal = seal.ok().and_then(|index| seals.get(index));
            if seal.is_some_and(|seal| seal.digest == head.digest.to_string()) {
                newest = newest.max(head.number);
            } else {
                differs = true;
            }
        }
        self.end_last_line(&last)?;
        let at = Timestamp::now();
        let heads = seals.iter().filter(|seal| seal.number > newest).filter_map(|seal| {
            // What was altered in the ledger is for `verify` to find.
            let digest = seal.digest.parse().ok()?;
            Some(WitnessedHead { ledger: ledger.clone(), number: seal.number, digest, at })
        });
        let lines: Vec<String> = heads.map(|head| format!("{head}\n")).collect();
        if !lines.is_empty() {
            self.append(lines.concat().as_bytes())?;
        }
        Ok(HandedOn { lines: lines.len(), differs })
    }

    /// Takes away the beginning of a line that a loss of power left at the end, which would be
    /// taken for a change of the record.
    fn end_last_line(&mut self, last: &[u8]) -> io::Result<()> {
        if last.is_empty() || last.ends_with(b"\n") {
            return Ok(());
        }
        let end = self.file.metadata()?.len().saturating_sub(last.len() as u64);
        let is_whole = String::from_utf8_lossy(last).parse::<WitnessedHead>().is_ok();
        if is_whole || !is_head(last) || self.file.set_len(end).is_err() {
            self.file.write_all(b"\n")?;
        }
        Ok(())
    }

    /// Appends the text in one piece, or nothing.
    fn append(&mut self, text: &[u8]) -> anyhow::Result<()> {
        let end = self.file.metadata()?.len();
        let written = self.file.write(text).and_then(|written| {
            // The rest would be another piece, between which another process could write.
            if written == text.len() { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
        });
        let written = written.and_then(|()| self.file.sync_all());
        if let Err(cause) = written {
            // Half a line would be taken for a change of the record.
            let _ = self.file.set_len(end);
            return Err(cause.into());
        }
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        // The name of a new file. A folder that cannot be read is not synced.
        let _ = File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all());
        Ok(())
    }

    /// Its lines from the first one on, with their line ends.
    fn lines(&mut self) -> io::Result<impl Iterator<Item = io::Result<Vec<u8>>>> {
        self.file.seek(SeekFrom::Start(0))?;
        let mut reader = BufReader::new(self.file.try_clone()?);
        Ok(std::iter::from_fn(move || {
            let mut line = Vec::new();
            match reader.read_until(b'\n', &mut line) {
                Ok(0) => None,
                read => Some(read.map(|_| line)),
            }
        }))
    }
}

/// Whether the first line of a file is that of a seal, or the beginning of one.
fn is_head(line: &[u8]) -> bool {
    line.starts_with(KEY.as_bytes()) || KEY.as_bytes().starts_with(line)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::hash::Digest;

    fn seals(texts: &[&str]) -> Vec<SealHead> {
        let head = |(number, text): (u64, &&str)| SealHead {
            number,
            run: "run".to_owned(),
            digest: Digest::new(text).to_string(),
            receipt_at: None,
        };
        (1..).zip(texts).map(head).collect()
    }

    fn hand_on(path: &Path, ledger: &str, texts: &[&str]) -> HandedOn {
        let mut witness = WitnessFile::open(path).unwrap();
        witness.hand_on(&ledger.parse().unwrap(), &seals(texts)).unwrap()
    }

    /// The numbers of the seals in a file, each with the beginning of its ledger.
    fn numbers(path: &Path) -> Vec<String> {
        let text = fs::read_to_string(path).unwrap();
        let head = |line: &str| {
            let head: WitnessedHead = line.parse().unwrap();
            format!("{} {}", head.ledger, head.number)
        };
        text.lines().map(head).collect()
    }

    #[test]
    fn what_it_lacks_is_appended_for_each_ledger_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seals");
        let all = HandedOn { lines: 2, differs: false };
        assert_eq!(hand_on(&path, "a", &["1", "2"]), all);
        assert_eq!(hand_on(&path, "a", &["1", "2"]), HandedOn::default());
        assert_eq!(hand_on(&path, "b", &["1", "2"]), all, "seals of another ledger are not its");
        assert_eq!(hand_on(&path, "a", &["1", "2", "3"]).lines, 1);
        assert_eq!(numbers(&path), ["a 1", "a 2", "b 1", "b 2", "a 3"]);
        fs::rename(&path, folder.path().join("seals.1")).unwrap();
        assert_eq!(hand_on(&path, "a", &["1", "2", "3"]).lines, 3, "it was rotated");
    }

    #[test]
    fn seals_that_follow_others_than_the_witness_has_are_appended_and_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seals");
        hand_on(&path, "a", &["1", "2", "3"]);
        let other = HandedOn { lines: 1, differs: true };
        assert_eq!(hand_on(&path, "a", &["1", "2", "other"]), other);
        assert_eq!(hand_on(&path, "a", &["1"]), HandedOn { lines: 0, differs: true });
        assert_eq!(numbers(&path), ["a 1", "a 2", "a 3", "a 3"]);
    }

    #[test]
    fn half_a_line_at_the_end_is_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seals");
        hand_on(&path, "a", &["1", "2"]);
        let whole = fs::read(&path).unwrap();
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            hand_on(&path, "a", &["1", "2"]);
            assert_eq!(numbers(&path), ["a 1", "a 2"], "after {length} bytes");
        }
        fs::write(&path, [&whole[..], b"a note"].concat()).unwrap();
        hand_on(&path, "a", &["1", "2", "3"]);
        assert!(fs::read_to_string(&path).unwrap().contains("\na note\ncardcancel-seal a 3 "));
    }

    #[test]
    fn lines_that_are_appended_at_once_never_mix() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seals");
        std::thread::scope(|scope| {
            for ledger in ["a", "b", "c", "d"] {
                let path = &path;
                scope.spawn(move || {
                    let texts: Vec<String> = (1..=40).map(|seal| seal.to_string()).collect();
                    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                    for end in 1..=texts.len() {
                        hand_on(path, ledger, &texts[..end]);
                    }
                });
            }
        });
        let mut numbers = numbers(&path);
        assert_eq!(numbers.len(), 160);
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 160);
    }

    #[test]
    fn what_is_no_witness_file_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let refused = |path: &Path| format!("{:#}", WitnessFile::open(path).unwrap_err());
        fs::write(path("letter"), "Dear Sir\n").unwrap();
        assert!(refused(&path("letter")).contains("is not the line of a seal"));
        assert_eq!(fs::read(path("letter")).unwrap(), b"Dear Sir\n");
        std::os::unix::fs::symlink(path("new"), path("link")).unwrap();
        refused(&path("link"));
        assert!(!path("new").exists());
        refused(folder.path());
        refused(&path("missing/seals"));
        assert!(refused(Path::new("/dev/null")).contains("not a plain file"));
        WitnessFile::open(&path("seals")).unwrap();
        let mode = |path: &Path| {
            use std::os::unix::fs::PermissionsExt;
            fs::metadata(path).unwrap().permissions().mode() & 0o777
        };
        assert_eq!(mode(&path("seals")), 0o600);
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path("seals"), fs::Permissions::from_mode(0o666)).unwrap();
        assert!(refused(&path("seals")).starts_with("other users can write it"));
    }
}
