//! What the ledger knows of a file before it is run, so that the plan counts the orders that
//! will be sent, and no others.

use serde::Serialize;

use super::read_only::READ_ONLY_TIMEOUTS;
use super::run_input;
use super::target;
use crate::config::CheckSettings;
use crate::input::{ColumnMap, Input, InputSummary};
use crate::ledger::{KnownOrders, Ledger, LedgerError, Run};
use crate::output::{human_count, rows};

/// What other runs know of the orders in words, and how many are then to be sent; nothing if
/// they know nothing.
pub fn describe(known: KnownOrders, to_send: u64) -> Option<String> {
    let KnownOrders { cancelled, in_flight, in_doubt } = known;
    let part = |number: u64, one: &str, many: &str| match number {
        0 => None,
        1 => Some(format!("1 {one}")),
        number => Some(format!("{} {many}", human_count(number))),
    };
    let parts = [
        part(cancelled, "was cancelled by an earlier run", "were cancelled by earlier runs"),
        part(in_doubt, "is in doubt from an earlier run", "are in doubt from earlier runs"),
        part(in_flight, "is in flight in another run", "are in flight in another run"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| format!("{}; {} to send", parts.join(", "), human_count(to_send)))
}

/// What `check` found in the ledger.
pub enum LedgerCheck {
    /// It was not read, for this reason.
    NotChecked(String),
    /// It could not be read.
    Unreadable(String),
    /// It was read.
    Checked(Box<CheckedLedger>),
}

/// What the ledger holds of a file.
pub struct CheckedLedger {
    /// Where it is.
    ledger: String,
    /// The run of this file, if the same command would go on with it or report it.
    run: Option<Run>,
    /// What other runs know of its orders.
    orders: KnownOrders,
}

/// The same for programs.
#[derive(Serialize)]
pub struct KnownSummary {
    ledger: Option<String>,
    not_asked: Option<String>,
    unreadable: Option<String>,
    run: Option<String>,
    run_has_ended: bool,
    cancelled: u64,
    in_doubt: u64,
    in_flight: u64,
}

/// Holds a file that was read through against the ledger, if there is one; nothing is
/// written to it. What fails there does not fail the check.
///
/// # Errors
/// When the input cannot be read any more.
pub fn check_ledger(
    settings: &CheckSettings,
    input: &Input,
    columns: &ColumnMap,
    summary: &InputSummary,
) -> anyhow::Result<LedgerCheck> {
    let Some(url) = &settings.url else {
        let why = "cancelled orders are recorded by address, and no --url is set";
        return Ok(LedgerCheck::NotChecked(why.to_owned()));
    };
    let Some(location) = &settings.ledger else {
        return Ok(LedgerCheck::NotChecked(
            "no --ledger is given, and there is no home directory for one".to_owned(),
        ));
    };
    let endpoint = target::name_of(url);
    let key = run_input::key(input, columns, false, &[], &endpoint)?;
    let asked = |ledger: &mut dyn Ledger| {
        let begun = ledger.find_by_key(&key)?.filter(|run| !(settings.again && run.has_ended()));
        let orders = match &begun {
            Some(run) if run.has_ended() => KnownOrders::default(),
            _ if settings.again => KnownOrders::default(),
            run => ledger.known_orders(&endpoint, run.as_ref(), &summary.orders)?,
        };
        let ledger = location.to_string();
        Ok::<_, LedgerError>(LedgerCheck::Checked(Box::new(CheckedLedger {
            ledger,
            run: begun,
            orders,
        })))
    };
    let record = match location.open_existing(READ_ONLY_TIMEOUTS) {
        Ok(Some(mut ledger)) => asked(ledger.as_mut()),
        Ok(None) => Ok(LedgerCheck::NotChecked(format!("there is no ledger at {location} yet"))),
        Err(why) => Err(why),
    };
    Ok(record.unwrap_or_else(|why| LedgerCheck::Unreadable(why.to_string())))
}

impl LedgerCheck {
    /// The run of this file that the same command would go on with or report.
    pub fn run(&self) -> Option<&Run> {
        match self {
            LedgerCheck::Checked(asked) => asked.run.as_ref(),
            LedgerCheck::NotChecked(_) | LedgerCheck::Unreadable(_) => None,
        }
    }

    /// How many rows of the file would be sent.
    pub fn to_send(&self, summary: &InputSummary) -> u64 {
        let LedgerCheck::Checked(asked) = self else { return summary.to_send.into() };
        let left = match &asked.run {
            Some(run) => run.rows.saturating_sub(run.counts.total()),
            None => summary.to_send.into(),
        };
        left.saturating_sub(asked.orders.cancelled)
    }

    /// In words.
    pub fn text(&self, summary: &InputSummary) -> String {
        let CheckedLedger { ledger, run, orders } = match self {
            LedgerCheck::NotChecked(why) => return format!("Not compared with a ledger: {why}"),
            LedgerCheck::Unreadable(why) => {
                return format!("WARNING: not compared with the ledger: {why}");
            }
            LedgerCheck::Checked(asked) => &**asked,
        };
        let known = describe(*orders, self.to_send(summary));
        let known = known.unwrap_or_else(|| "no other run knows these orders".to_owned());
        match run {
            Some(run) if run.forgotten_at.is_some() => format!(
                "Ledger {ledger}: run {} of this file was forgotten: the same command is refused",
                run.id()
            ),
            Some(run) if run.has_ended() => format!(
                "Ledger {ledger}: run {} of this file has ended: the same command sends nothing",
                run.id()
            ),
            Some(run) => format!(
                "Ledger {ledger}: the same command resumes run {}, in which {} ended; {known}",
                run.id(),
                rows(run.counts.total())
            ),
            None => format!("Ledger {ledger}: {known}"),
        }
    }

    /// For programs.
    pub fn summary(&self) -> KnownSummary {
        let KnownOrders { cancelled, in_flight, in_doubt } = match self {
            LedgerCheck::Checked(asked) => asked.orders,
            LedgerCheck::NotChecked(_) | LedgerCheck::Unreadable(_) => KnownOrders::default(),
        };
        let (ledger, not_asked, unreadable) = match self {
            LedgerCheck::Checked(asked) => (Some(asked.ledger.clone()), None, None),
            LedgerCheck::NotChecked(why) => (None, Some(why.clone()), None),
            LedgerCheck::Unreadable(why) => (None, None, Some(why.clone())),
        };
        KnownSummary {
            ledger,
            not_asked,
            unreadable,
            run: self.run().map(|run| run.id().to_owned()),
            run_has_ended: self.run().is_some_and(Run::has_ended),
            cancelled,
            in_doubt,
            in_flight,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_earlier_runs_know_is_reported_with_what_is_then_to_be_sent() {
        let described = |cancelled, in_doubt, in_flight, to_send| {
            describe(KnownOrders { cancelled, in_flight, in_doubt }, to_send)
        };
        insta::assert_snapshot!(described(31, 2, 0, 3).unwrap(), @"31 were cancelled by earlier runs, 2 are in doubt from earlier runs; 3 to send");
        insta::assert_snapshot!(described(1, 0, 1, 1200).unwrap(), @"1 was cancelled by an earlier run, 1 is in flight in another run; 1,200 to send");
        assert_eq!(described(0, 0, 0, 5), None);
    }
}
