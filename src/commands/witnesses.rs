//! Hands seals on to what keeps them outside of the ledger: the witness file and the command of
//! `[seal]`.
//!
//! What they lack is found out anew each time, so that whatever was missed is handed on by the next
//! start: the file lacks the seals after the newest one that it has; a receipt is owed for each seal
//! since the first that has one.

use anyhow::{Context as _, anyhow};
use jiff::Timestamp;

use crate::audit::{SealCommand, WitnessFile};
use crate::config::SealSettings;
use crate::ledger::{Ledger, SealHead};

/// Finds out, before anything is sent, whether seals can be handed on, and hands on what is owed.
///
/// # Errors
/// If the witness file cannot be written, or there is no such command. A command that fails now is
/// a warning: it may succeed at the end.
pub async fn prepare(settings: &SealSettings, ledger: &mut dyn Ledger) -> anyhow::Result<()> {
    let SealSettings { witness, command } = settings;
    if witness.is_none() && command.is_none() {
        return Ok(());
    }
    if let Some(command) = command {
        command.check()?;
    }
    write_witness(settings, ledger, true)?;
    warn(&obtain_receipts(settings, ledger).await);
    Ok(())
}

/// Hands on the seals that were made. What failed is returned, and is a warning: the next start
/// hands them on.
pub async fn hand_on(settings: &SealSettings, ledger: &mut dyn Ledger) -> Option<String> {
    let written = write_witness(settings, ledger, false);
    warn(&written);
    let obtained = obtain_receipts(settings, ledger).await;
    warn(&obtained);
    let failed = [written, obtained].into_iter().filter_map(Result::err);
    failed.map(|cause| format!("{cause:#}")).reduce(|first, second| format!("{first}; {second}"))
}

fn warn(done: &anyhow::Result<()>) {
    if let Err(cause) = done {
        tracing::warn!("{cause:#}: the next start hands on the seals");
    }
}

/// Appends to the witness file what it lacks. If more is to come, reserves room for it.
fn write_witness(
    settings: &SealSettings,
    ledger: &mut dyn Ledger,
    more_to_come: bool,
) -> anyhow::Result<()> {
    let Some(path) = &settings.witness else { return Ok(()) };
    let (id, seals) = (ledger.ledger_id()?.parse()?, ledger.seal_heads()?);
    let written = || {
        let mut witness = WitnessFile::open(path)?;
        let handed_on = witness.hand_on(&id, &seals)?;
        if more_to_come {
            witness.reserve()?;
        }
        Ok::<_, anyhow::Error>(handed_on)
    };
    let path = path.display();
    // In words alone: where nothing was sent, a full disk gives no other exit code.
    let handed_on =
        written().map_err(|cause| anyhow!("the witness {path} cannot be written: {cause:#}"))?;
    if handed_on.differs {
        tracing::warn!(
            "the witness {path} has seals that this ledger does not have: `cardcancel verify --witness {path}` says which"
        );
    }
    Ok(())
}

/// Gives the command the seals that it has not answered, oldest first.
async fn obtain_receipts(settings: &SealSettings, ledger: &mut dyn Ledger) -> anyhow::Result<()> {
    let Some(command) = &settings.command else { return Ok(()) };
    for number in owed(&ledger.seal_heads()?) {
        obtain_receipt(command, number, ledger)
            .await
            .with_context(|| format!("no receipt for seal {number}"))?;
    }
    Ok(())
}

async fn obtain_receipt(
    command: &SealCommand,
    number: u64,
    ledger: &mut dyn Ledger,
) -> anyhow::Result<()> {
    let text = ledger.seal_text(number)?.context("it is missing")?;
    let receipt = command.receipt(&text).await?;
    Ok(ledger.add_receipt(number, Timestamp::now(), &receipt)?)
}

/// The seals for which a receipt is owed: those without one since the first that has one. Without any
/// receipt, the command is new: the newest seal names all before it.
fn owed(seals: &[SealHead]) -> Vec<u64> {
    let first = seals.iter().position(|seal| seal.receipt_at.is_some());
    let since = seals.iter().skip(first.unwrap_or(seals.len().saturating_sub(1)));
    since.filter(|seal| seal.receipt_at.is_none()).map(|seal| seal.number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipts_are_owed_since_the_first_one() {
        let owed = |receipts: &[bool]| {
            let head = |(number, has_receipt): (u64, &bool)| SealHead {
                number,
                run: "run".to_owned(),
                digest: "digest".to_owned(),
                receipt_at: has_receipt.then_some(Timestamp::UNIX_EPOCH),
            };
            owed(&(1..).zip(receipts).map(head).collect::<Vec<_>>())
        };
        assert!(owed(&[]).is_empty());
        assert_eq!(owed(&[false, false, false]), [3]);
        assert_eq!(owed(&[false, true, false, true, false]), [3, 5]);
        assert!(owed(&[true, true]).is_empty());
    }
}
