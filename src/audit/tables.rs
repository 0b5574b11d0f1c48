//! The tables of an audit: their columns, in order, and what each means. Columns are only ever
//! added at the end.

use crate::model::Status;

/// A table of an audit. Each is one CSV file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditTable {
    /// One line for each run.
    Runs,
    /// One line for each row of the input.
    Rows,
    /// One line for each request.
    Attempts,
    /// What happened to the runs as a whole.
    Events,
    /// Those lines of `Rows` that a person must look at.
    Exceptions,
}

/// A column of an audit's table.
#[derive(Debug, Clone, Copy)]
pub struct AuditColumn {
    /// Its name in the header.
    pub name: &'static str,
    /// What its values are.
    pub kind: ColumnType,
    /// Whether it has a value in every line.
    pub is_required: bool,
    /// What it means, in a sentence.
    pub meaning: &'static str,
}

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// Text. One apostrophe stands before a text that a spreadsheet may take for a formula.
    Text,
    /// One of the words of a status.
    Status,
    /// One of the words of a verdict.
    Verdict,
    /// One of the words for how a run came to rest.
    State,
    /// A whole number of at most 64 bits.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A time in UTC with microseconds.
    Time,
}

/// The verdicts on an attempt, as `attempts.csv` has them.
const VERDICTS: [&str; 7] =
    ["cancelled", "already_cancelled", "rejected", "refused", "not_done", "doubt", "stop"];

/// How a run came to rest.
const STATES: [&str; 3] = ["ended", "stopped", "interrupted"];

impl ColumnType {
    /// The words that a value must be one of; `None` if it is no word.
    pub fn words(self) -> Option<Vec<&'static str>> {
        match self {
            ColumnType::Status => Some(Status::ALL.map(Status::as_str).to_vec()),
            ColumnType::Verdict => Some(VERDICTS.to_vec()),
            ColumnType::State => Some(STATES.to_vec()),
            _ => None,
        }
    }
}

impl AuditTable {
    /// Every table, in the order in which they are described.
    pub const ALL: [AuditTable; 5] = [
        AuditTable::Runs,
        AuditTable::Rows,
        AuditTable::Attempts,
        AuditTable::Events,
        AuditTable::Exceptions,
    ];

    /// The name, which is that of the file without `.csv`.
    pub fn name(self) -> &'static str {
        match self {
            AuditTable::Runs => "runs",
            AuditTable::Rows => "rows",
            AuditTable::Attempts => "attempts",
            AuditTable::Events => "events",
            AuditTable::Exceptions => "exceptions",
        }
    }

    /// What the table holds, in a sentence.
    pub fn meaning(self) -> &'static str {
        match self {
            AuditTable::Runs => "One line for each run.",
            AuditTable::Rows => "One line for each row of a run's input, with what it came to.",
            AuditTable::Attempts => "One line for each request that was or may have been sent.",
            AuditTable::Events => "What happened to a run as a whole.",
            AuditTable::Exceptions => {
                "The lines of rows.csv whose status is neither cancelled, already_cancelled nor duplicate."
            }
        }
    }

    /// The columns whose values together occur once; empty if there are none.
    pub fn key(self) -> &'static [&'static str] {
        match self {
            AuditTable::Runs => &["run"],
            AuditTable::Rows | AuditTable::Exceptions => &["run", "row"],
            AuditTable::Attempts => &["run", "row", "attempt"],
            AuditTable::Events => &[],
        }
    }

    /// The columns, in order.
    pub fn columns(self) -> &'static [AuditColumn] {
        match self {
            AuditTable::Runs => RUNS,
            AuditTable::Rows | AuditTable::Exceptions => ROWS,
            AuditTable::Attempts => ATTEMPTS,
            AuditTable::Events => EVENTS,
        }
    }

    /// The header: the first line of the file, with its LF.
    pub fn header(self) -> String {
        let names: Vec<&str> = self.columns().iter().map(|column| column.name).collect();
        names.join(",") + "\n"
    }
}

const fn required(name: &'static str, kind: ColumnType, meaning: &'static str) -> AuditColumn {
    AuditColumn { name, kind, is_required: true, meaning }
}

const fn optional(name: &'static str, kind: ColumnType, meaning: &'static str) -> AuditColumn {
    AuditColumn { name, kind, is_required: false, meaning }
}

const RUN: AuditColumn = required("run", ColumnType::Text, "The identifier of the run.");

const RUNS: &[AuditColumn] = {
    use ColumnType::{Integer, State, Text, Time};
    &[
        RUN,
        optional(
            "seal",
            Integer,
            "The number of the newest seal of the run; empty if it has none.",
        ),
        optional("state", State, "How the run came to rest; empty while it is in progress."),
        optional("stop", Text, "The reason code for which it stopped before its last row."),
        required("command", Text, "The command that created it: run or rerun."),
        optional("input_name", Text, "The name of the input file."),
        required("input_sha256", Text, "The SHA-256 of the input file."),
        required("endpoint", Text, "The URL that was called."),
        required("opened_at", Time, "When the run was created."),
        optional("finished_at", Time, "When its last row ended, or it stopped."),
        required("rows", Integer, "The number of its lines in rows.csv."),
        required("attempts", Integer, "The number of its lines in attempts.csv."),
        required("events", Integer, "The number of its lines in events.csv."),
        required("cancelled", Integer, "The number of its rows with this status."),
        required("already_cancelled", Integer, "The number of its rows with this status."),
        required("rejected", Integer, "The number of its rows with this status."),
        required("failed", Integer, "The number of its rows with this status."),
        required("in_doubt", Integer, "The number of its rows with this status."),
        required("invalid", Integer, "The number of its rows with this status."),
        required("duplicate", Integer, "The number of its rows with this status."),
        required("not_sent", Integer, "The number of its rows with this status."),
        required(
            "rejected_with_doubt",
            Integer,
            "The number of rejected rows for whose order an earlier answer was lost.",
        ),
        optional(
            "by",
            Text,
            "Who started it, as in attempts.csv; the last start if there were several.",
        ),
        optional("host", Text, "The host of that start."),
        optional("unit", Text, "The systemd unit of that start."),
        optional("reason", Text, "The reason that was given with that start."),
        optional("requested_by", Text, "Who asked for it, as given with that start."),
        optional("ticket", Text, "The ticket that was given with that start."),
        optional(
            "configuration",
            Text,
            "The SHA-256 of the configuration in force at that start, which names its file.",
        ),
        required("program", Text, "The program that created the run, with its version."),
    ]
};

const ROWS: &[AuditColumn] = {
    use ColumnType::{Boolean, Integer, Status, Text, Time};
    &[
        RUN,
        required("row", Integer, "The number of the row in the input, from 1."),
        optional(
            "admin_number",
            Integer,
            "The admin number of the order; empty if the row is invalid.",
        ),
        optional(
            "card_sequence_number",
            Integer,
            "The card sequence number of the order; empty if the row is invalid.",
        ),
        required("status", Status, "What the row came to."),
        optional(
            "error_code",
            Text,
            "CoreCARD's error code, letter for letter, or a reason code of this program.",
        ),
        optional("message", Text, "CoreCARD's message, or an explanation by this program."),
        optional(
            "http_status",
            Integer,
            "The HTTP status of the last attempt, if it was answered.",
        ),
        required("attempts", Integer, "The number of requests of this run for the row."),
        required(
            "doubt",
            Boolean,
            "Whether an answer for the order was lost and nothing has settled it since.",
        ),
        optional("first_sent_at", Time, "When the first request was sent."),
        optional("ended_at", Time, "When the row got its status."),
    ]
};

const ATTEMPTS: &[AuditColumn] = {
    use ColumnType::{Integer, Status, Text, Time, Verdict};
    &[
        RUN,
        required("row", Integer, "The number of the row in the input, from 1."),
        required("attempt", Integer, "The number of the attempt for this row, from 1."),
        required("admin_number", Integer, "The admin number of the order."),
        required("card_sequence_number", Integer, "The card sequence number of the order."),
        required("operation", Text, "What CoreCARD was asked to do."),
        required("endpoint", Text, "The URL that was called."),
        optional(
            "by",
            Text,
            "The user whose process made the attempt, and the login behind it where that is another's; from the kernel.",
        ),
        optional("host", Text, "The host on which that process ran."),
        required("claimed_at", Time, "When the attempt was recorded, before anything was sent."),
        optional(
            "sent_at",
            Time,
            "When its first byte was sent; empty if nothing was, or if it is not known.",
        ),
        optional(
            "ended_at",
            Time,
            "When its answer arrived or was given up; empty if it was in flight.",
        ),
        optional(
            "verdict",
            Verdict,
            "What the answer meant for the order; empty if it was in flight.",
        ),
        optional("status", Status, "The status of the row, if this attempt ended it."),
        optional("http_status", Integer, "The HTTP status, if it was answered."),
        optional(
            "error_code",
            Text,
            "CoreCARD's error code, letter for letter, or a reason code of this program.",
        ),
        optional("message", Text, "CoreCARD's message, or an explanation by this program."),
    ]
};

const EVENTS: &[AuditColumn] = {
    use ColumnType::{Text, Time};
    &[
        RUN,
        required("at", Time, "When it happened."),
        required("kind", Text, "What happened, in a word."),
        optional("by", Text, "The user whose process recorded it, as in attempts.csv."),
        optional("host", Text, "The host on which that process ran."),
        optional("detail", Text, "What else is known, for people."),
    ]
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headers_are_those_of_the_design() {
        assert_eq!(
            AuditTable::Rows.header(),
            "run,row,admin_number,card_sequence_number,status,error_code,message,http_status,\
             attempts,doubt,first_sent_at,ended_at\n"
        );
        assert_eq!(
            AuditTable::Attempts.header(),
            "run,row,attempt,admin_number,card_sequence_number,operation,endpoint,by,host,\
             claimed_at,sent_at,ended_at,verdict,status,http_status,error_code,message\n"
        );
        assert_eq!(AuditTable::Events.header(), "run,at,kind,by,host,detail\n");
        assert_eq!(
            AuditTable::Runs.header(),
            "run,seal,state,stop,command,input_name,input_sha256,endpoint,opened_at,finished_at,\
             rows,attempts,events,cancelled,already_cancelled,rejected,failed,in_doubt,invalid,\
             duplicate,not_sent,rejected_with_doubt,by,host,unit,reason,requested_by,ticket,\
             configuration,program\n"
        );
        assert_eq!(AuditTable::Exceptions.header(), AuditTable::Rows.header());
    }

    #[test]
    fn each_run_has_a_column_for_every_status() {
        let names: Vec<&str> =
            AuditTable::Runs.columns().iter().map(|column| column.name).collect();
        let statuses = Status::ALL.map(Status::as_str);
        assert!(names.windows(statuses.len()).any(|names| names == statuses), "{names:?}");
    }

    #[test]
    fn a_key_is_made_of_columns_of_its_table() {
        for table in AuditTable::ALL {
            let names: Vec<&str> = table.columns().iter().map(|column| column.name).collect();
            assert!(table.key().iter().all(|name| names.contains(name)), "{table:?}");
        }
    }
}
