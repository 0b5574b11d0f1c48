//! What is refused or found out before anything is sent.

use anyhow::bail;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::state::{Context, RunState};
use crate::commands::column_report::ColumnReport;
use crate::commands::{estimate, known_orders};
use crate::config::Settings;
use crate::ledger::{KnownOrders, Ledger, LedgerLocation, Run};
use crate::output::{human_count, human_duration, plural, rows};
use crate::policy::cut_off::Due;

/// What holds for this start.
pub struct Preflight {
    /// The time at which it was found out.
    now: Timestamp,
    /// What other runs know of the orders.
    pub known: KnownOrders,
    /// Rows that may be sent.
    left: u64,
    /// The cut-off.
    cut_off: Option<Timestamp>,
    /// When the last call may start, which is one time-out before the cut-off.
    pub last_start: Option<Timestamp>,
}

impl Preflight {
    /// Checks that the run may be started now.
    ///
    /// # Errors
    /// When other processes work on the run at another rate, outside of the start window, when
    /// there are more rows than `--max-rows`, or when the cut-off cannot be met.
    pub fn check(
        context: &Context,
        state: &RunState,
        ledger: &mut dyn Ledger,
    ) -> anyhow::Result<Preflight> {
        let settings = context.settings;
        refuse_conflicting_rate(context, state, ledger)?;
        let now = Timestamp::now();
        refuse_outside_start_window(settings, now)?;
        let known = known_orders(context, state, ledger)?;
        let left = state.left().saturating_sub(known.cancelled);
        if let Some(why) = estimate::too_many(left, settings.max_rows) {
            bail!(
                "{}: {why}: nothing was sent; check that it is the right file, or raise --max-rows",
                context.input.input.name()
            );
        }
        let cut_off = cut_off(state, left, settings, now)?;
        let last_start = cut_off.map(|cut_off| estimate::last_start(cut_off, settings.timeout));
        Ok(Preflight { now, known, left, cut_off, last_start })
    }

    /// The cut-off, for people.
    pub fn cut_off_text(&self, settings: &Settings) -> String {
        match (&settings.cut_off, self.cut_off) {
            (Some(cut_off), Some(at)) => estimate::on_the_clock(at, cut_off.zone(), self.now),
            (None, Some(at)) => estimate::on_the_clock(at, TimeZone::system(), self.now),
            (_, None) => "none".to_owned(),
        }
    }

    /// What other runs know of the orders, for people; `None` if they know nothing.
    pub fn known_text(&self) -> Option<String> {
        known_orders::describe(self.known, self.left)
    }

    /// The question before anything is sent.
    pub fn question(&self, context: &Context, state: &RunState, columns: &ColumnReport) -> String {
        let Context { settings, input, target } = context;
        let orders = plural(self.left, "order", "orders");
        let name = input.input.name();
        let mut lines = vec![format!("About to cancel {orders} of {name} at {}", target.url)];
        let mut line = |what: &str, value: &str| lines.push(format!("  {what}: {value}"));
        line("profile", settings.profile.as_deref().unwrap_or("none"));
        line("ledger", &settings.ledger.to_string());
        line("columns", &columns.columns());
        line("first order", &columns.first_order());
        if let Some(replaced) = columns.replaced() {
            line("not carried over", &replaced);
        }
        if let Some(known) = self.known_text() {
            line("earlier runs", &known);
        }
        if settings.rates.is_unlimited() {
            line("pace", "unlimited");
        } else {
            let time = human_duration(settings.rates.time_for(self.left));
            line("pace", &format!("{}, {time}", settings.rates));
        }
        line("cut-off", &self.cut_off_text(settings));
        if let RunState::Existing(run) = state {
            lines.push(format!("  resuming run {}, {} rows", run.id(), human_count(run.rows)));
        }
        lines.extend(state.warnings().iter().map(|warning| format!("WARNING: {warning}")));
        lines.join("\n")
    }
}

/// What other runs know of the orders that are still to be sent.
fn known_orders(
    context: &Context,
    state: &RunState,
    ledger: &mut dyn Ledger,
) -> anyhow::Result<KnownOrders> {
    let Context { settings, input, target } = context;
    if settings.again || target.is_rehearsal() {
        return Ok(KnownOrders::default());
    }
    Ok(match state {
        RunState::New(_, summary) => ledger.known_orders(&target.name, None, &summary.orders)?,
        RunState::Existing(run) => {
            let is_another =
                |other: &Run| other.id() != run.id() && other.opened.endpoint == target.name;
            if ledger.runs()?.iter().any(is_another) {
                // The file is read through for this alone.
                ledger.known_orders(&target.name, Some(run), &input.scan()?.orders)?
            } else {
                KnownOrders::default()
            }
        }
    })
}

/// All processes that work on a run must have the same rate.
fn refuse_conflicting_rate(
    context: &Context,
    state: &RunState,
    ledger: &mut dyn Ledger,
) -> anyhow::Result<()> {
    let RunState::Existing(run) = state else { return Ok(()) };
    let rates = context.settings.rates.to_string();
    let is_shared = matches!(context.settings.ledger, LedgerLocation::Database(_));
    match &run.rates {
        Some(theirs)
            if is_shared && *theirs != rates && ledger.is_locked(&context.input.key)? =>
        {
            bail!(
                "other processes work on run {} at {theirs}, and --rate is {rates}: give the same rate, or stop them first",
                run.id()
            )
        }
        _ => Ok(()),
    }
}

/// Nothing is started outside of the hours that are set for that.
fn refuse_outside_start_window(settings: &Settings, now: Timestamp) -> anyhow::Result<()> {
    match &settings.start_window {
        Some(window) if !window.contains(now) => bail!(
            "nothing was sent: a run can only be started within {window}, and it is {}; the window opens again at {}; --start-window off starts it now",
            estimate::clock(now, window.zone()),
            estimate::on_the_clock(window.opens(now), window.zone(), now)
        ),
        _ => Ok(()),
    }
}

/// The cut-off that holds for this start.
fn cut_off(
    state: &RunState,
    left: u64,
    settings: &Settings,
    now: Timestamp,
) -> anyhow::Result<Option<Timestamp>> {
    let given = settings.cut_off.as_ref();
    let due = given.map(|given| estimate::due(given, settings.timeout, state.opened_at(), now));
    let before = match state {
        RunState::New(..) => None,
        RunState::Existing(run) => estimate::passed_before(run, given, settings.timeout, now),
    };
    match (given, due, before) {
        (Some(cut_off), Some(Due::Passed(at)), _) => {
            let why = estimate::has_passed(cut_off, at, now);
            match state {
                RunState::New(..) => bail!("nothing was sent: {why}"),
                // Its results are still written.
                RunState::Existing(_) => tracing::warn!("nothing more is sent: {why}"),
            }
            Ok(Some(at))
        }
        (_, _, Some(at)) => {
            tracing::warn!("nothing more is sent: {}", estimate::has_passed_before(at, given, now));
            Ok(Some(at))
        }
        (Some(cut_off), Some(Due::Ahead(at)), None) => {
            let when = estimate::on_the_clock(at, cut_off.zone(), now);
            refuse_too_late(at, &when, left, settings, now)?;
            Ok(Some(at))
        }
        (_, _, None) => Ok(None),
    }
}

/// Refuses what cannot be sent before the cut-off, unless a part of it is wanted.
fn refuse_too_late(
    at: Timestamp,
    when: &str,
    left: u64,
    settings: &Settings,
    now: Timestamp,
) -> anyhow::Result<()> {
    let last_start = estimate::last_start(at, settings.timeout);
    match estimate::too_late(left, &settings.rates, last_start, now) {
        Some(why) if !settings.allow_partial => bail!(
            "{} cannot be sent before the cut-off {when}: {why}; raise --rate if the contract allows it, or send what fits with --allow-partial",
            rows(left)
        ),
        Some(why) => {
            tracing::warn!("not all rows will be sent before the cut-off {when}: {why}");
        }
        None => {}
    }
    Ok(())
}
