//! The question before evidence is recorded.

use super::resolution_plan::ResolutionPlan;
use crate::commands::run::state::Context;
use crate::commands::run_input::OPEN_ROWS;
use crate::input::Evidence;
use crate::output::{human_count, plural};

/// What would be recorded, and what stays.
pub fn text(context: &Context, evidence: &[Evidence], planned: &ResolutionPlan) -> String {
    let Context { settings, input, target } = context;
    let orders = plural(planned.decided.len() as u64, "order", "orders");
    let name = match input.input.name() {
        OPEN_ROWS => "the open rows of all runs",
        name => name,
    };
    let mut lines = vec![format!("About to end the doubt of {orders} of {name} at {}", target.url)];
    let mut line = |what: &str, value: &str| lines.push(format!("  {what}: {value}"));
    line("profile", settings.profile.as_deref().unwrap_or("none"));
    line("ledger", &settings.ledger.to_string());
    for list in evidence {
        line(list.kind.flag(), &describe(list, planned.decided_by(list.kind)));
    }
    planned.remarks().iter().for_each(|remark| line("stays", remark));
    lines.push(
        "The lists must be newer than the last attempt for these orders. What --cancelled names is not sent again: a card that was not cancelled is printed"
            .to_owned(),
    );
    lines.join("\n")
}

/// What a list was, and how many orders it decided, in one line.
pub fn describe(list: &Evidence, decided: u64) -> String {
    format!(
        "{} {} by {} ({}, {}, SHA-256 {})",
        human_count(decided),
        list.kind.status(),
        list.name,
        list.kind.flag(),
        plural(list.len() as u64, "order", "orders"),
        list.digest
    )
}
