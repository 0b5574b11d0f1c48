//! What happens to a run as a whole. Each event is recorded in the transaction that it belongs to.

use std::fmt;

use jiff::Timestamp;

macro_rules! event_kinds {
    ($($variant:ident = $name:literal, $meaning:literal;)*) => {
        /// The kinds of events. The names are those of `events.csv`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum EventKind {
            $(#[doc = $meaning] $variant,)*
        }

        impl EventKind {
            /// Every kind, with its meaning in one sentence.
            pub const ALL: &[(EventKind, &str)] = &[$((EventKind::$variant, $meaning),)*];

            /// The name as it is recorded.
            pub fn as_str(self) -> &'static str {
                match self { $(EventKind::$variant => $name,)* }
            }
        }
    };
}

event_kinds! {
    Opened = "opened", "The run was created with all of its rows.";
    Started = "started", "A process began to work on the run.";
    OutageBegan = "outage_began", "CoreCARD became unavailable, and only probes were sent.";
    OutageEnded = "outage_ended", "CoreCARD was available again.";
    AskedToWait = "asked_to_wait", "CoreCARD asked to wait with Retry-After.";
    Throttled = "throttled", "Calls were slowed below the rate, because CoreCARD answered slowly or refused calls.";
    StopRule = "stop_rule", "A stop rule stopped the run.";
    Signal = "signal", "A signal asked the process to stop.";
    StopRequested = "stop_requested", "Somebody asked for the run to stop, with `cardcancel stop`.";
    Paced = "paced", "Somebody lowered or restored the rate of the run, with `cardcancel pace`.";
    CredentialsRefreshed = "credentials_refreshed", "New credentials were obtained.";
    Stopped = "stopped", "A process ended its work on the run before the last row.";
    Finished = "finished", "A process ended its work on the run, and every row had ended.";
    Resolved = "resolved", "Evidence ended doubts: the file, its SHA-256, and how many orders it decided.";
    SealedLate = "sealed_late", "The process that brought the run to rest died before it sealed it.";
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An event that is about to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// When it happened.
    pub at: Timestamp,
    /// What it is.
    pub kind: EventKind,
    /// What else is known, as one line for people.
    pub detail: String,
}

/// An event as recorded in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    /// When it happened.
    pub at: Timestamp,
    /// The name of its kind. Text, since a newer version may know more kinds.
    pub kind: String,
    /// The number of the start that recorded it; `None` if none did.
    pub start: Option<i64>,
    /// What else is known, as one line for people.
    pub detail: String,
}
