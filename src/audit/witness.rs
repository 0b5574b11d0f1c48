//! Heads of the chain of seals that are kept outside of the ledger. Whoever can write the ledger
//! can make its chain anew, but not what a witness has.

use std::fmt;
use std::io::BufRead;
use std::str::FromStr;

use jiff::Timestamp;

use super::seal::SealWord;
use crate::hash::Digest;

/// The word with which a head begins.
pub(super) const KEY: &str = "cardcancel-seal ";

/// A seal as a witness has it: one line of a log or of a witness file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessedHead {
    /// The ledger's identifier.
    pub ledger: SealWord,
    /// The number of the seal.
    pub number: u64,
    /// Its digest.
    pub digest: Digest,
    /// When it was handed to the witness.
    pub at: Timestamp,
}

impl fmt::Display for WitnessedHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let WitnessedHead { ledger, number, digest, at } = self;
        write!(f, "{KEY}{ledger} {number} {digest} {at:.6}")
    }
}

/// The text is not the line of a head.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not a line \"cardcancel-seal LEDGER NUMBER SHA256 TIME\"")]
pub struct ParseHeadError;

impl FromStr for WitnessedHead {
    type Err = ParseHeadError;

    fn from_str(text: &str) -> Result<WitnessedHead, ParseHeadError> {
        let read = || {
            let mut words = text.strip_prefix(KEY)?.split(' ');
            let head = WitnessedHead {
                ledger: words.next()?.parse().ok()?,
                number: words.next()?.parse().ok().filter(|number| *number > 0)?,
                digest: words.next()?.parse().ok()?,
                at: words.next()?.parse().ok()?,
            };
            words.next().is_none().then_some(head)
        };
        read().ok_or(ParseHeadError)
    }
}

/// How a chain of seals compares with a witness.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WitnessVerdict {
    /// The number of the newest seal that is as the witness has it: all up to it are unchanged.
    /// `None` if the witness has no seal of the ledger.
    pub witnessed: Option<u64>,
    /// What differs, as sentences.
    pub findings: Vec<String>,
}

/// Compares the digests of a ledger's seals, from number 1, with the lines of a witness. Lines
/// without a head are passed over, as are heads of other ledgers and what a log puts before a
/// head.
///
/// # Errors
/// If the witness cannot be read.
pub fn compare_with_witness(
    ledger: &str,
    seals: &[Digest],
    witness: &mut dyn BufRead,
) -> std::io::Result<WitnessVerdict> {
    let mut verdict = WitnessVerdict::default();
    let (mut line, mut line_number) = (Vec::new(), 0u64);
    loop {
        line.clear();
        if witness.read_until(b'\n', &mut line)? == 0 {
            return Ok(verdict);
        }
        line_number += 1;
        let text = String::from_utf8_lossy(&line);
        let Some(at) = text.find(KEY) else { continue };
        let Ok(head) = text[at..].trim_end().parse::<WitnessedHead>() else {
            verdict.findings.push(format!("line {line_number} of the witness {ParseHeadError}"));
            continue;
        };
        if head.ledger.as_str() != ledger {
            continue;
        }
        let number = head.number;
        let index = usize::try_from(number).unwrap_or(usize::MAX).saturating_sub(1);
        match seals.get(index) {
            Some(digest) if *digest == head.digest => {
                verdict.witnessed = verdict.witnessed.max(Some(number));
            }
            Some(_) => verdict.findings.push(format!(
                "seal {number} is not the one that was witnessed at {}: the record was changed and sealed anew",
                head.at
            )),
            None => verdict.findings.push(format!(
                "seal {number} was witnessed at {} and is missing: the newest runs were removed, or an older copy was put in place",
                head.at
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(number: u64, seal: &str) -> String {
        let at = "2026-11-22T09:10:26.2Z".parse().unwrap();
        let ledger = "6f1c-7d11".parse().unwrap();
        WitnessedHead { ledger, number, digest: Digest::new(seal), at }.to_string()
    }

    fn compare(witness: &str) -> WitnessVerdict {
        let seals = ["one", "two", "three"].map(Digest::new);
        compare_with_witness("6f1c-7d11", &seals, &mut witness.as_bytes()).unwrap()
    }

    #[test]
    fn a_head_is_one_line_and_reads_back() {
        let line = head(42, "x");
        assert_eq!(
            line,
            format!(
                "cardcancel-seal 6f1c-7d11 42 {} 2026-11-22T09:10:26.200000Z",
                Digest::new("x")
            )
        );
        assert_eq!(line.parse::<WitnessedHead>().unwrap().to_string(), line);
        for bad in [line.replace(" 42 ", " 0 "), line.replace("42 ", ""), line.clone() + " x"] {
            assert_eq!(bad.parse::<WitnessedHead>(), Err(ParseHeadError), "{bad}");
        }
    }

    #[test]
    fn all_seals_up_to_the_newest_that_the_witness_has_are_unchanged() {
        let other = head(9, "x").replace("6f1c", "aaaa");
        let log = format!(
            "-- Boot --\nNov 22 host cardcancel[12]: {}\n{other}\r\n{}\n",
            head(2, "two"),
            head(1, "one")
        );
        let expected = WitnessVerdict { witnessed: Some(2), findings: Vec::new() };
        assert_eq!(compare(&log), expected);
    }

    #[test]
    fn a_seal_that_was_made_anew_or_removed_is_found() {
        let verdict = compare(&format!("{}\n{}\n", head(2, "another"), head(4, "four")));
        assert_eq!(verdict.witnessed, None);
        assert!(verdict.findings[0].contains("seal 2 is not the one that was witnessed"));
        assert!(verdict.findings[1].contains("seal 4 was witnessed"), "{verdict:?}");
    }

    #[test]
    fn a_witness_without_this_ledger_shows_nothing() {
        assert_eq!(compare("Nov 22 host sshd[1]: session opened\n"), WitnessVerdict::default());
    }

    #[test]
    fn a_line_of_a_witness_that_was_cut_short_is_a_finding() {
        let verdict = compare(&head(3, "three")[..60]);
        assert_eq!(verdict.findings.len(), 1, "{verdict:?}");
    }
}
