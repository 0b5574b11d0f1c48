//! What happened to a run as a whole, in the order of time: the recorded events, and those that
//! the run and its starts imply.

use std::fmt::Write as _;

use super::event::{EventKind, EventRecord};
use super::run::Run;
use super::start_record::{Purpose, StartRecord};

/// All events of a run: its creation, its starts and their ends, and the recorded ones. `recorded`
/// is in the order in which they were recorded.
pub(super) fn timeline(
    run: &Run,
    starts: &[StartRecord],
    recorded: Vec<EventRecord>,
) -> Vec<EventRecord> {
    let mut events = vec![EventRecord {
        at: run.opened.opened_at,
        kind: EventKind::Opened.to_string(),
        start: None,
        detail: format!(
            "{} rows; {}; program {}",
            run.rows, run.opened.command, run.opened.program
        ),
    }];
    events.extend(starts.iter().map(|start| EventRecord {
        at: start.started_at,
        kind: EventKind::Started.to_string(),
        start: Some(start.number),
        detail: start_detail(start),
    }));
    events.extend(recorded);
    events.extend(starts.iter().filter_map(end));
    sort(&mut events);
    events
}

/// Sorts events by time. Those of the same time keep their order, but the ends of starts are last,
/// wherever they are among them.
pub fn sort(events: &mut [EventRecord]) {
    let ends = [EventKind::Stopped, EventKind::Finished].map(EventKind::as_str);
    events.sort_by_key(|event| (event.at, ends.contains(&event.kind.as_str())));
}

/// The end of a start; `None` if it is in progress, or its process died.
fn end(start: &StartRecord) -> Option<EventRecord> {
    let at = start.finished_at?;
    let (kind, detail) = match &start.stop {
        Some(stop) => (EventKind::Stopped, stop.clone()),
        None => (EventKind::Finished, String::new()),
    };
    Some(EventRecord { at, kind: kind.to_string(), start: Some(start.number), detail })
}

/// Everything that is recorded of a start, in one line.
fn start_detail(start: &StartRecord) -> String {
    let StartRecord { worker, by, purpose, configuration, program, rates, cut_off, .. } = start;
    let mut text = worker.clone();
    let mut add = |name: &str, value: Option<&str>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            let _ = write!(text, "; {name} {value}");
        }
    };
    if let Some(by) = by {
        add("by", Some(&by.user_text()));
        add("unit", Some(&by.unit));
        add("ssh", Some(&by.ssh_connection));
    }
    let Purpose { reason, requested_by, ticket } = purpose;
    add("for", reason.as_deref());
    add("requested by", requested_by.as_deref());
    add("ticket", ticket.as_deref());
    add("program", program.as_deref());
    add("rate", rates.as_deref());
    add("cut-off", cut_off.map(|at| at.to_string()).as_deref());
    add("configuration", configuration.as_deref());
    text
}
