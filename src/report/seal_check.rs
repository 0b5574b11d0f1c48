//! The newest seal of a run, held against what was read from the ledger.

use super::text::visible;
use crate::audit::seal::Seal;
use crate::audit::{AuditTable, RunDigests};
use crate::hash::Digest;
use crate::ledger::{SealRecord, StartRecord};

/// The longest text of a seal that is shown, in bytes. None that the program writes is longer.
const TEXT_BYTES: usize = 12_000;

/// A seal, and whether the record is as it states.
pub(super) struct SealCheck {
    pub number: u64,
    /// The SHA-256 of its text.
    pub digest: Digest,
    /// Its text.
    pub text: String,
    pub verdict: SealVerdict,
    /// The length of the receipt of the command of `[seal]`, if one is recorded.
    pub receipt_bytes: Option<u64>,
}

/// Whether a run's record is as its seal states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SealVerdict {
    /// It is.
    Unchanged,
    /// The run went on since, and was not sealed again.
    Older,
    /// It is not: what differs.
    Altered(Vec<String>),
}

impl SealCheck {
    /// Compares the seal with what was read.
    pub fn new(
        record: SealRecord,
        receipt: Option<&[u8]>,
        starts: &[StartRecord],
        digests: &RunDigests,
    ) -> SealCheck {
        let digest = Digest::new(&record.text);
        // Letter for letter, so that its digest can be computed from the page.
        let lines: Vec<String> =
            record.text.lines().map(|line| visible(line, TEXT_BYTES)).collect();
        let mut text = lines.join("\n");
        if text.len() > TEXT_BYTES {
            text = visible(&record.text, TEXT_BYTES);
        }
        let verdict = verdict(&record, digest, starts, digests);
        let receipt_bytes = receipt.map(|receipt| receipt.len() as u64);
        SealCheck { number: record.number, digest, text, verdict, receipt_bytes }
    }
}

fn verdict(
    record: &SealRecord,
    digest: Digest,
    starts: &[StartRecord],
    digests: &RunDigests,
) -> SealVerdict {
    if starts.last().is_some_and(|last| last.number > record.start) {
        return SealVerdict::Older;
    }
    let mut altered = Vec::new();
    if digest.to_string() != record.digest {
        altered.push("the text of the seal".to_owned());
    }
    match record.text.parse::<Seal>() {
        Err(_) => altered.push("the form of the seal".to_owned()),
        Ok(seal) => {
            if seal.number != record.number {
                altered.push("the number of the seal".to_owned());
            }
            let tables = [
                (AuditTable::Rows, seal.rows, &digests.rows),
                (AuditTable::Attempts, seal.attempts, &digests.attempts),
                (AuditTable::Events, seal.events, &digests.events),
            ];
            let differing = tables.iter().filter(|(_, sealed, now)| now.sealed() != *sealed);
            altered.extend(differing.map(|(table, ..)| format!("its {}", table.name())));
            if !seal.has_counts(&digests.counts) {
                altered.push("its rows by status".to_owned());
            }
        }
    }
    if altered.is_empty() { SealVerdict::Unchanged } else { SealVerdict::Altered(altered) }
}
