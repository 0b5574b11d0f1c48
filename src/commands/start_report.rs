//! How a start of a run is shown: who began it and why, in words and as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::ledger::{Purpose, StartRecord};

/// Who started it, and why.
pub fn started_by(start: &StartRecord) -> String {
    let mut text = match &start.by {
        Some(by) => format!("by {} on {}", by.user_text(), by.host),
        None => format!("by {}", start.worker),
    };
    let mut add = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = write!(text, ", {name}{value}");
        }
    };
    if let Some(by) = &start.by {
        add("unit ", &by.unit);
        add("ssh ", &by.ssh_connection);
    }
    let Purpose { reason, requested_by, ticket } = &start.purpose;
    if let Some(reason) = reason {
        add("", &format!("for \"{reason}\""));
    }
    add("requested by ", requested_by.as_deref().unwrap_or_default());
    add("ticket ", ticket.as_deref().unwrap_or_default());
    text
}

/// A start as JSON, for `history` and `runs`.
pub fn start_json(start: &StartRecord) -> Value {
    let by = start.by.as_ref().map(|by| {
        json!({
            "uid": by.uid,
            "user": by.user,
            "login_uid": by.login_uid,
            "login": by.login,
            "host": by.host,
            "process": by.process,
            "unit": by.unit,
            "ssh_connection": by.ssh_connection,
        })
    });
    json!({
        "start": start.number,
        "started_at": start.started_at.to_string(),
        "finished_at": start.finished_at.map(|at| at.to_string()),
        "stop": start.stop,
        "worker": start.worker,
        "by": by,
        "reason": start.purpose.reason,
        "requested_by": start.purpose.requested_by,
        "ticket": start.purpose.ticket,
        "program": start.program,
        "rates": start.rates,
        "last_call_before": start.cut_off.map(|at| at.to_string()),
        "configuration_sha256": start.configuration,
    })
}
