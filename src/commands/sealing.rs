//! Seals runs when they come to rest, and reports their seals.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use super::logging;
use crate::audit::seal::{SealWord, SealedClock, SealedFile, SealedOffset, SealedProgram};
use crate::audit::witness::WitnessedHead;
use crate::audit::{self, SealedRecords, SealingContext};
use crate::corecard::server_date::ServerDate;
use crate::hash::{Digest, Hasher};
use crate::ledger::{Ledger, LedgerLocation, Run, SealRecord};

/// Present where systemd synchronizes the clock, once it has done so.
const SYNCHRONIZED: &str = "/run/systemd/timesync/synchronized";

/// Seals a run on which this process has ended its work, after those that others left unsealed.
/// The last of several processes seals it: each records its end, which the seal covers. Returns
/// its seal, and writes each new seal to the log. A failure is a warning: the next run seals it.
/// `records` are the run's rows, if all of them were read since it came to rest.
pub fn seal(
    ledger: &mut dyn Ledger,
    run: &Run,
    results: Option<SealedFile>,
    clock: SealedClock,
    records: Option<SealedRecords>,
) -> Option<SealRecord> {
    let sealed = try_to_seal(ledger, run, results, clock, records);
    sealed.unwrap_or_else(|cause| {
        tracing::warn!("run {} is not sealed ({cause:#}): the next run seals it", run.id());
        None
    })
}

fn try_to_seal(
    ledger: &mut dyn Ledger,
    run: &Run,
    results: Option<SealedFile>,
    clock: SealedClock,
    records: Option<SealedRecords>,
) -> anyhow::Result<Option<SealRecord>> {
    let unsealed = ledger.unsealed()?;
    if unsealed.is_empty() {
        return Ok(ledger.last_seal(run)?);
    }
    let id = ledger.ledger_id()?.parse()?;
    // What the clock was like during runs of other processes is not known.
    let unknown = SealedClock::default();
    let context = SealingContext { results: None, clock: unknown, program: program()? };
    for sealed in audit::seal_late(ledger, run.id(), &context)? {
        log(&id, &sealed);
    }
    let is_new = unsealed.iter().any(|unsealed| unsealed.id() == run.id());
    let context = SealingContext { results, clock, ..context };
    let sealed = audit::seal_run(ledger, run, &context, records)?;
    if let Some(sealed) = sealed.as_ref().filter(|_| is_new) {
        log(&id, sealed);
    }
    Ok(sealed)
}

/// Writes the line that a witness keeps: the log is outside of the ledger.
fn log(ledger: &SealWord, sealed: &SealRecord) {
    let number = sealed.number;
    if let Ok(digest) = sealed.digest.parse() {
        let head = WitnessedHead { ledger: ledger.clone(), number, digest, at: Timestamp::now() };
        tracing::info!(target: logging::LOG_ONLY, "{head}");
    }
}

/// The state of the clock by which a run's times were taken in `ledger`, which is `ledger_ahead` of
/// this machine's.
pub fn clock(
    ledger: &LedgerLocation,
    ledger_ahead: SignedDuration,
    date: &ServerDate,
) -> SealedClock {
    let is_synchronized = match ledger {
        LedgerLocation::File(_) => Path::new(SYNCHRONIZED).exists().then_some(true),
        // Its times are by the clock of the database's machine.
        LedgerLocation::Database(_) => None,
    };
    let offset = date.ahead().map(|(at_least, at_most)| {
        let ahead = |ours: SignedDuration| ours.saturating_add(ledger_ahead);
        SealedOffset::between(ahead(at_least), ahead(at_most))
    });
    SealedClock { is_synchronized, offset }
}

/// This program, for a seal.
///
/// # Errors
/// If its version cannot stand in one, which cannot happen.
pub fn program() -> anyhow::Result<SealedProgram> {
    Ok(SealedProgram { version: env!("CARGO_PKG_VERSION").parse()?, executable: executable() })
}

/// The digest of this program's file; `None` if it cannot be read.
fn executable() -> Option<Digest> {
    let mut file = File::open("/proc/self/exe").ok()?;
    let (mut hasher, mut buffer) = (Hasher::default(), vec![0; 1 << 18]);
    loop {
        match file.read(&mut buffer).ok()? {
            0 => return Some(hasher.finish()),
            read => hasher.update(buffer.get(..read)?),
        }
    }
}
