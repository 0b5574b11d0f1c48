//! The checker: the rules that every history must satisfy, whatever faults occurred.

use std::collections::{BTreeMap, BTreeSet};

use cardcancel::model::Order;

use super::history::{Call, Ended, History, ProcessStart, Received, ReportedRow, Time};

/// The rules by name. Each returns its violations.
const RULES: [(&str, Rule); 9] = [
    ("no order is sent that its file does not give", not_given),
    ("no order is in flight twice", twice_in_flight),
    ("no order is repeated that is known to be cancelled", repeated),
    ("what is reported as cancelled is cancelled", not_cancelled),
    (
        "what was cancelled without an answer is not reported otherwise without doubt",
        cancelled_without_report,
    ),
    ("a doubt belongs to the order until it is cancelled", doubt_forgotten),
    ("no doubt is reported without a cause", doubt_invented),
    ("every order that an undamaged file gives is reported", left_out),
    ("the exit code says the worst of the results", wrong_exit),
];

type Rule = fn(&CallView<'_>) -> Vec<String>;

/// All violations of the rules.
pub fn broken_in(history: &History) -> Vec<String> {
    let seen = CallView::of(history);
    let named = |(name, rule): &(&str, Rule)| {
        rule(&seen).into_iter().map(|what| format!("{name}: {what}")).collect::<Vec<_>>()
    };
    RULES.iter().flat_map(named).collect()
}

/// A history, with its calls grouped by order and sorted by arrival.
struct CallView<'h> {
    history: &'h History,
    calls: BTreeMap<Order, Vec<&'h Call>>,
}

impl<'h> CallView<'h> {
    fn of(history: &'h History) -> CallView<'h> {
        let mut calls: BTreeMap<Order, Vec<&Call>> = BTreeMap::new();
        for call in &history.calls {
            calls.entry(call.order).or_default().push(call);
        }
        calls.values_mut().for_each(|calls| calls.sort_by_key(|call| call.came));
        CallView { history, calls }
    }

    fn calls_for(&self, order: Order) -> &[&'h Call] {
        self.calls.get(&order).map_or(&[], Vec::as_slice)
    }

    /// Rows that carry an order, with what happened to it.
    fn rows(&self) -> impl Iterator<Item = RowView<'_>> {
        self.history.reported.iter().filter_map(|reported| {
            let calls = self.calls_for(reported.order?);
            // A row that did not end should reflect what was known when its start began.
            let start = &self.history.starts[reported.by];
            let as_of = reported.ended.unwrap_or(start.from);
            Some(RowView { reported, start, as_of, calls })
        })
    }
}

/// A reported row, and the calls for its order.
struct RowView<'h> {
    reported: &'h ReportedRow,
    start: &'h ProcessStart,
    as_of: Time,
    calls: &'h [&'h Call],
}

impl RowView<'_> {
    fn is(&self, statuses: &[&str]) -> bool {
        statuses.contains(&self.reported.status.as_str())
    }

    /// Whether by then a call had cancelled the order and its answer had not been received.
    fn was_cancelled_without_answer(&self) -> bool {
        let not_received = |call: &Call| match call.received {
            // An order that is sent again on purpose may well be recorded as cancelled.
            Received::Perhaps => !self.start.again,
            received => received != Received::Yes,
        };
        let mut cancelled = self.calls.iter().filter(|call| call.cancelled);
        cancelled.any(|call| not_received(call) && call.came <= self.as_of)
    }

    /// Whether by then it was recorded that the order is cancelled.
    fn was_known_cancelled(&self) -> bool {
        self.calls.iter().any(|call| call.received == Received::Yes && call.known <= self.as_of)
    }

    /// Whether by then it was recorded that an answer for the order was lost.
    fn was_known_lost(&self) -> bool {
        self.calls.iter().any(|call| call.received == Received::Lost && call.known <= self.as_of)
    }

    fn report(&self) -> String {
        format!("{:?} of {}\n    calls: {:?}", self.reported, self.start.what, self.calls)
    }
}

fn broken_by<'s>(
    seen: &'s CallView<'_>,
    breaks: impl Fn(&RowView<'_>) -> bool + 's,
) -> Vec<String> {
    seen.rows().filter(|row| breaks(row)).map(|row| row.report()).collect()
}

fn not_given(seen: &CallView<'_>) -> Vec<String> {
    let is_given = |call: &&Call| {
        let by = call.by.iter().map(|by| &seen.history.starts[*by]);
        by.filter(|start| start.ended != Ended::Refused)
            .any(|start| start.given.contains(&call.order))
    };
    let not_given = seen.history.calls.iter().filter(|call| !is_given(call));
    not_given.map(|call| format!("{call:?}")).collect()
}

fn twice_in_flight(seen: &CallView<'_>) -> Vec<String> {
    let pairs = seen.calls.values().flat_map(|calls| calls.windows(2));
    let at_once = pairs.filter(|pair| pair[1].came < pair[0].over);
    at_once.map(|pair| format!("{pair:?}")).collect()
}

fn repeated(seen: &CallView<'_>) -> Vec<String> {
    let on_purpose = |call: &Call| call.by.iter().any(|by| seen.history.starts[*by].again);
    let mut repeated = Vec::new();
    for calls in seen.calls.values() {
        let Some(done) = calls.iter().find(|call| call.received == Received::Yes) else { continue };
        let after = calls.iter().filter(|call| call.came > done.known && !on_purpose(call));
        repeated.extend(after.map(|call| format!("{call:?} after {done:?}")));
    }
    repeated
}

fn not_cancelled(seen: &CallView<'_>) -> Vec<String> {
    broken_by(seen, |row| {
        let says_so = row.is(&["cancelled"])
            // With an error code of CoreCARD, the configuration decides its meaning.
            || (row.is(&["already_cancelled"]) && row.reported.code == "ALREADY_CANCELLED");
        says_so && !row.calls.iter().any(|call| call.cancelled)
    })
}

fn cancelled_without_report(seen: &CallView<'_>) -> Vec<String> {
    broken_by(seen, |row| {
        let says_not = row.is(&["rejected", "failed", "not_sent"]) && !row.reported.doubt;
        says_not && row.was_cancelled_without_answer() && !row.was_known_cancelled()
    })
}

fn doubt_forgotten(seen: &CallView<'_>) -> Vec<String> {
    broken_by(seen, |row| {
        let is_in_doubt = row.was_known_lost() && !row.was_known_cancelled();
        let says_open = row.is(&["rejected", "failed", "not_sent"]);
        !row.reported.doubt && (row.is(&["in_doubt"]) || says_open && is_in_doubt)
    })
}

fn doubt_invented(seen: &CallView<'_>) -> Vec<String> {
    let had_cause = |row: &RowView<'_>| {
        let lost = |call: &Call| matches!(call.received, Received::Lost | Received::Perhaps);
        let claimed = row.reported.order.is_some_and(|order| seen.history.claimed.contains(&order));
        claimed || row.calls.iter().any(|call| lost(call))
    };
    if seen.history.is_exact {
        broken_by(seen, |row| row.reported.doubt && !had_cause(row))
    } else {
        Vec::new()
    }
}

fn left_out(seen: &CallView<'_>) -> Vec<String> {
    let starts = seen.history.starts.iter().enumerate().filter(|(_, start)| start.is_whole);
    starts
        .filter(|(_, start)| start.ended != Ended::Died)
        .flat_map(|(by, start)| {
            let reported = seen.history.reported.iter().filter(|reported| reported.by == by);
            let reported: BTreeSet<Order> =
                reported.filter_map(|reported| reported.order).collect();
            let left_out: Vec<_> = start.given.difference(&reported).copied().collect();
            left_out.into_iter().map(|order| format!("{order} by {}", start.what))
        })
        .collect()
}

fn wrong_exit(seen: &CallView<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (by, start) in seen.history.starts.iter().enumerate() {
        let Ended::Reported(Some(exit)) = start.ended else { continue };
        let rows = seen.history.reported.iter().filter(|reported| reported.by == by);
        let worst = rows.map(exit_of).max().unwrap_or(0);
        if exit != worst {
            wrong.push(format!("{exit} for {worst}, of {}", start.what));
        }
    }
    wrong
}

/// The exit code of a run in which all rows are like this one.
fn exit_of(reported: &ReportedRow) -> i32 {
    match (reported.status.as_str(), reported.doubt) {
        ("not_sent", _) => 4,
        ("in_doubt", _) | ("rejected", true) => 3,
        ("rejected" | "failed" | "invalid", _) => 1,
        _ => 0,
    }
}
