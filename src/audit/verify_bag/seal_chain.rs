//! The chain of seals in a bag.

use std::collections::{BTreeMap, BTreeSet};

use super::bag_path::seal_path;
use super::files::BagFiles;
use super::finding::Findings;
use crate::audit::seal::Seal;
use crate::hash::Digest;

/// The longest text of a seal. Its free texts are a few hundred characters each.
const LONGEST_SEAL: u64 = 1 << 20;

/// The seals of a bag.
#[derive(Debug, Default)]
pub(super) struct SealChain {
    /// The digest of each seal, from number 1.
    pub digests: Vec<Digest>,
    /// The ledger that the first seal names.
    pub ledger: Option<String>,
    /// The newest seal of each exported run.
    pub newest: BTreeMap<String, Seal>,
}

impl SealChain {
    /// Reads the seals from number 1 up to the first gap. Keeps those of these runs.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn read(
        files: &mut BagFiles<'_>,
        runs: &BTreeSet<&str>,
        findings: &mut Findings,
    ) -> anyhow::Result<SealChain> {
        let mut chain = SealChain::default();
        let mut newest_numbers: BTreeMap<String, u64> = BTreeMap::new();
        let mut previous = Digest::ZERO;
        for number in 1.. {
            let path = seal_path(number);
            let Some(content) = files.read(&path, LONGEST_SEAL)? else { break };
            let digest = Digest::new(&content);
            let seal = std::str::from_utf8(&content).ok().map(str::parse::<Seal>);
            match seal {
                Some(Ok(seal)) => {
                    chain.check(&seal, number, previous, &newest_numbers, &path, findings);
                    newest_numbers.insert(seal.run.to_string(), number);
                    if runs.contains(seal.run.as_str()) {
                        chain.newest.insert(seal.run.to_string(), seal);
                    }
                }
                Some(Err(cause)) => findings.file(&path, cause.to_string()),
                None => findings.file(&path, "is not UTF-8 text"),
            }
            chain.digests.push(digest);
            previous = digest;
        }
        let seals = files.sizes.keys().filter(|path| path.starts_with("data/seals/"));
        if seals.count() > chain.digests.len() {
            let missing = chain.digests.len() as u64 + 1;
            findings.file(&seal_path(missing), "is missing: the numbers of the seals have a gap");
        }
        Ok(chain)
    }

    fn check(
        &mut self,
        seal: &Seal,
        number: u64,
        previous: Digest,
        newest_numbers: &BTreeMap<String, u64>,
        path: &str,
        findings: &mut Findings,
    ) {
        if seal.number != number {
            findings.file(path, format!("states number {}", seal.number));
        }
        if seal.previous != previous {
            let before = number.saturating_sub(1);
            findings.file(
                path,
                format!("the chain breaks here: it does not name seal {before} as it is"),
            );
        }
        let ledger = self.ledger.get_or_insert_with(|| seal.ledger.to_string());
        if seal.ledger.as_str() != ledger {
            findings.file(path, "is of another ledger than the first seal");
        }
        if let Some(continued) = seal.continues {
            if newest_numbers.get(seal.run.as_str()) != Some(&continued.number) {
                let number = continued.number;
                findings.file(path, format!("seal {number} is not the one before of the same run"));
            }
            if !continued.as_it_was {
                findings.file(
                    path,
                    format!("states that attempts were changed after seal {}", continued.number),
                );
            }
        }
    }

    /// The number and the digest of the newest seal.
    pub fn head(&self) -> Option<(u64, Digest)> {
        self.digests.last().map(|digest| (self.digests.len() as u64, *digest))
    }
}
