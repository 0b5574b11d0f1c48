//! Digests over lines in blocks, which stock tools compute too.
//!
//! A table's digest in a seal is that of the list of its blocks' digests, so that the list names
//! the block in which a line was changed:
//!
//! ```sh
//! grep "^$run," rows.csv | split -l 10000 --filter=sha256sum | cut -c1-64 | sha256sum
//! ```

use std::str::FromStr;

use super::block_hasher::BlockHasher;
use crate::hash::{Digest, ParseDigestError};

/// The number of lines in a block; the last block of a run may have fewer.
pub const LINES_PER_BLOCK: u64 = 10_000;

/// How many bytes to hash at a time. SHA-256 is slow on a few bytes.
const BATCH_BYTES: usize = 1 << 17;

/// Computes the digests of a run's lines in one table, one line after another.
#[derive(Default)]
pub struct BlockDigest {
    lines: u64,
    /// Lines of the block that are not hashed yet.
    batch: Vec<u8>,
    blocks: BlockHasher,
}

impl BlockDigest {
    /// A digest whose lines are hashed on a thread of its own, while more are added.
    pub fn in_background() -> BlockDigest {
        BlockDigest { blocks: BlockHasher::in_background(), ..BlockDigest::default() }
    }

    /// Adds a line with its LF.
    pub fn add_line(&mut self, line: &[u8]) {
        self.batch.extend_from_slice(line);
        self.lines += 1;
        let ends_block = self.lines.is_multiple_of(LINES_PER_BLOCK);
        if ends_block || self.batch.len() >= BATCH_BYTES {
            self.blocks.add(&mut self.batch, ends_block);
        }
    }

    /// The number of lines added.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// The digests of the blocks.
    pub fn finish(mut self) -> BlockList {
        if !self.lines.is_multiple_of(LINES_PER_BLOCK) {
            self.blocks.add(&mut self.batch, true);
        }
        BlockList { digests: self.blocks.finish() }
    }
}

/// The digests of a run's blocks in one table. Its text is one digest a line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlockList {
    digests: Vec<Digest>,
}

impl BlockList {
    /// The digest of all lines, as a seal has it: that of the list's text.
    pub fn digest(&self) -> Digest {
        Digest::new(self.to_text())
    }

    /// The list as text: 64 hexadecimal digits and LF for each block. Empty if there is no line.
    pub fn to_text(&self) -> String {
        self.digests.iter().map(|digest| format!("{digest}\n")).collect()
    }

    /// The number of blocks.
    pub fn len(&self) -> usize {
        self.digests.len()
    }

    /// Whether there is no block, since there is no line.
    pub fn is_empty(&self) -> bool {
        self.digests.is_empty()
    }

    /// The blocks that differ from those of the other list or that only one of them has, counted
    /// from 0.
    pub fn differing<'a>(&'a self, other: &'a BlockList) -> impl Iterator<Item = usize> + 'a {
        let blocks = 0..self.len().max(other.len());
        blocks.filter(|block| self.digests.get(*block) != other.digests.get(*block))
    }
}

impl FromStr for BlockList {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<BlockList, ParseDigestError> {
        let digests = text.lines().map(str::parse).collect::<Result<_, _>>()?;
        let list = BlockList { digests };
        // Other line ends, other letters or a missing LF would give the list another digest.
        if list.to_text() == text { Ok(list) } else { Err(ParseDigestError::new(text)) }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    fn digest(lines: impl Iterator<Item = String>) -> BlockList {
        let mut digest = BlockDigest::default();
        lines.for_each(|line| digest.add_line(line.as_bytes()));
        digest.finish()
    }

    fn lines(count: u64) -> impl Iterator<Item = String> {
        (0..count).map(|line| format!("run,{line},{}\n", "x".repeat(line as usize % 50)))
    }

    /// What the command of the module's head prints for these lines.
    fn by_coreutils(lines: impl Iterator<Item = String>) -> String {
        let command = "split -l 10000 --filter=sha256sum | cut -c1-64 | sha256sum | cut -c1-64";
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut shell = shell.spawn().unwrap();
        let mut input = shell.stdin.take().unwrap();
        lines.for_each(|line| input.write_all(line.as_bytes()).unwrap());
        drop(input);
        String::from_utf8(shell.wait_with_output().unwrap().stdout).unwrap().trim_end().to_owned()
    }

    #[test]
    fn coreutils_compute_the_same_digest_for_any_number_of_lines() {
        for count in [0, 1, 9_999, 10_000, 10_001, 20_000, 25_003] {
            let list = digest(lines(count));
            assert_eq!(list.digest().to_string(), by_coreutils(lines(count)), "{count} lines");
            assert_eq!(list.len() as u64, count.div_ceil(LINES_PER_BLOCK));
            let mut in_background = BlockDigest::in_background();
            lines(count).for_each(|line| in_background.add_line(line.as_bytes()));
            assert_eq!(in_background.finish(), list, "{count} lines");
        }
    }

    #[test]
    fn a_changed_line_is_named_by_its_block() {
        let change = |line: (usize, String)| match line {
            (15_000, _) => "changed\n".to_owned(),
            (_, line) => line,
        };
        let (before, after) =
            (digest(lines(25_000)), digest(lines(25_000).enumerate().map(change)));
        assert_eq!(before.differing(&after).collect::<Vec<_>>(), [1]);
        assert_ne!(before.digest(), after.digest());
        assert_eq!(before.differing(&before).count(), 0);
    }

    #[test]
    fn a_line_that_was_dropped_changes_its_block_and_all_behind_it() {
        let dropped = lines(35_000).enumerate().filter(|(line, _)| *line != 15_000);
        let dropped = digest(dropped.map(|(_, line)| line));
        assert_eq!(digest(lines(35_000)).differing(&dropped).collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[test]
    fn a_list_reads_back_from_its_text_and_from_no_other() {
        let list = digest(lines(15_000));
        let text = list.to_text();
        assert_eq!(text.parse(), Ok(list));
        assert_eq!("".parse(), Ok(BlockList::default()));
        for other in [text.to_uppercase(), text.replace('\n', "\r\n"), text.trim_end().to_owned()] {
            assert!(other.parse::<BlockList>().is_err(), "{other:?}");
        }
    }
}
