//! The line of a run in `runs.csv`. All of it that a seal states comes from the seal, so that a
//! line can be held against its seal.

use jiff::Timestamp;

use super::source::BaggedRun;
use crate::audit::csv_line::{CsvLine, push_text};
use crate::audit::seal::{Seal, SealedBy};
use crate::identity::Identity;
use crate::ledger::Purpose;
use crate::model::{Counts, Status, TimestampFormatter};

/// What the lines of a run in the other tables add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::audit) struct RunTotals {
    pub rows: u64,
    pub attempts: u64,
    pub events: u64,
    pub counts: Counts,
}

impl RunTotals {
    /// The fields of `runs.csv` that count lines and statuses.
    pub fn fields(&self) -> Vec<String> {
        let by_status = Status::ALL.map(|status| self.counts.get(status));
        let lines = [self.rows, self.attempts, self.events].into_iter();
        let numbers = lines.chain(by_status).chain([self.counts.rejected_with_doubt()]);
        numbers.map(|number| number.to_string()).collect()
    }
}

/// The values of a run's line.
#[derive(Debug)]
pub(in crate::audit) struct RunLine<'a> {
    pub run: &'a str,
    pub seal: Option<u64>,
    pub state: &'a str,
    pub stop: &'a str,
    pub command: &'a str,
    pub input_name: &'a str,
    pub input_digest: String,
    pub endpoint: &'a str,
    pub opened_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub by: Option<SealedBy>,
    pub purpose: &'a Purpose,
    pub configuration: Option<String>,
    pub program: &'a str,
}

/// Why a run without a start was started.
const NO_PURPOSE: &Purpose = &Purpose { reason: None, requested_by: None, ticket: None };

impl<'a> RunLine<'a> {
    /// The line of a run that has no seal.
    pub fn unsealed(run: &'a BaggedRun) -> RunLine<'a> {
        let start = run.starts.last();
        let state = match &run.stop {
            _ if run.has_ended => "ended",
            Some(_) => "stopped",
            None => "",
        };
        RunLine {
            run: &run.opened.id,
            seal: None,
            state,
            stop: run.stop.as_deref().unwrap_or_default(),
            command: &run.opened.command,
            input_name: &run.opened.input_name,
            input_digest: run.opened.input_digest.clone(),
            endpoint: &run.opened.endpoint,
            opened_at: run.opened.opened_at,
            finished_at: run.finished_at,
            by: start.map(SealedBy::from),
            purpose: start.map_or(NO_PURPOSE, |start| &start.purpose),
            configuration: start.and_then(|start| start.configuration.clone()),
            program: &run.opened.program,
        }
    }

    /// The line of a run that has this seal. The seal does not state what the rest are.
    pub fn sealed(
        seal: &'a Seal,
        command: &'a str,
        endpoint: &'a str,
        program: &'a str,
    ) -> RunLine<'a> {
        RunLine {
            run: seal.run.as_str(),
            seal: Some(seal.number),
            state: seal.state.word(),
            stop: seal.state.stop().unwrap_or_default(),
            command,
            input_name: &seal.input.name,
            input_digest: seal.input.digest.to_string(),
            endpoint,
            opened_at: seal.opened,
            finished_at: seal.finished,
            by: Some(seal.by.clone()),
            purpose: &seal.purpose,
            configuration: seal.configuration.map(|digest| digest.to_string()),
            program,
        }
    }

    /// Formats the line, with its LF.
    pub fn format(&self, totals: &RunTotals) -> Vec<u8> {
        let mut line = CsvLine::default();
        let mut id = Vec::new();
        push_text(&mut id, self.run);
        line.begin(&id);
        line.number(self.seal);
        line.word(self.state);
        line.text(self.stop);
        line.text(self.command);
        line.text(self.input_name);
        line.text(&self.input_digest);
        line.text(self.endpoint);
        let mut times = TimestampFormatter::microseconds();
        line.time(Some(self.opened_at), &mut times);
        line.time(self.finished_at, &mut times);
        totals.fields().iter().for_each(|number| line.word(number));
        let (by, host, unit) = match &self.by {
            Some(by) => by_host_and_unit(by),
            None => Default::default(),
        };
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let Purpose { reason, requested_by, ticket } = self.purpose;
        for text in [by, host, unit, text(reason), text(requested_by), text(ticket)] {
            line.text(&text);
        }
        line.text(self.configuration.as_deref().unwrap_or_default());
        line.text(self.program);
        line.end().to_owned()
    }
}

fn by_host_and_unit(by: &SealedBy) -> (String, String, String) {
    match by {
        SealedBy::Process { user, login, host, unit } => {
            let identity = Identity {
                uid: user.uid,
                user: user.name.clone(),
                login_uid: login.as_ref().map(|login| login.uid),
                login: login.as_ref().map(|login| login.name.clone()).unwrap_or_default(),
                host: host.clone(),
                process: 0,
                unit: unit.clone(),
                ssh_connection: String::new(),
            };
            (identity.user_text(), identity.host, identity.unit)
        }
        SealedBy::Worker(worker) => (worker.clone(), String::new(), String::new()),
    }
}
