//! Records for the tests of this module.

use std::collections::BTreeMap;
use std::path::Path;

use super::bag::{
    BagOptions, BagSource, BaggedRun, BaggedSeal, SealedBlocks, WrittenBag, write_bag,
};
use super::run_digest::RunDigest;
use super::seal::{
    Continued, Seal, SealedClock, SealedInput, SealedOffset, SealedProgram, SealedState,
};
use crate::hash::Digest;
use crate::identity::Identity;
use crate::ledger::{AttemptRecord, EventRecord, NewRun, Purpose, RowRecord, StartRecord};
use crate::model::{Order, RowNumber, Status};

pub(super) fn start(number: i64) -> StartRecord {
    StartRecord {
        number,
        started_at: "2026-11-22T09:10:20.300000Z".parse().unwrap(),
        by: Some(Identity {
            uid: 991,
            user: "cardcancel".to_owned(),
            login_uid: Some(1004),
            login: "jdoe".to_owned(),
            host: "batch1".to_owned(),
            process: 12,
            unit: "cardcancel.service".to_owned(),
            ssh_connection: String::new(),
        }),
        worker: "cardcancel on batch1, process 12".to_owned(),
        purpose: Purpose {
            reason: Some("duplicate batch of 20 November".to_owned()),
            requested_by: Some("J. Doe, Fraud Operations".to_owned()),
            ticket: Some("CHG-4711".to_owned()),
        },
        configuration: None,
        program: Some("cardcancel 0.2.0".to_owned()),
        rates: None,
        cut_off: None,
        finished_at: None,
        stop: None,
    }
}

pub(super) fn order(row: u32) -> Order {
    Order { admin_number: 129_400 + i64::from(row), sequence_number: 1 }
}

pub(super) fn row(row: u32) -> RowRecord {
    RowRecord {
        row: RowNumber(row),
        order: Some(order(row)),
        status: Status::Cancelled,
        has_ended: true,
        carried_over: false,
        error_code: "ERR01160".to_owned(),
        message: "Cancelled, thanks".to_owned(),
        http_status: Some(200),
        attempts: 1,
        doubt: false,
        first_sent_at: "2026-11-22T09:10:20.412093Z".parse().ok(),
        ended_at: "2026-11-22T09:10:20.5Z".parse().ok(),
    }
}

pub(super) fn attempt(row: u32, start: i64) -> AttemptRecord {
    AttemptRecord {
        row: RowNumber(row),
        attempt: 1,
        start: Some(start),
        order: order(row),
        claimed_at: "2026-11-22T09:10:20.4Z".parse().unwrap(),
        sent_at: "2026-11-22T09:10:20.412093Z".parse().ok(),
        ended_at: "2026-11-22T09:10:20.5Z".parse().ok(),
        verdict: "cancelled",
        status: Some(Status::Cancelled),
        http_status: Some(200),
        error_code: "ERR01160".to_owned(),
        message: "Cancelled, thanks".to_owned(),
    }
}

/// A run of a [`FakeLedger`].
pub(super) struct FakeRun {
    pub bagged: BaggedRun,
    pub rows: Vec<(RowRecord, Vec<AttemptRecord>)>,
    pub events: Vec<EventRecord>,
}

/// A ledger in memory.
#[derive(Default)]
pub(super) struct FakeLedger {
    pub runs: Vec<FakeRun>,
    pub seals: Vec<BaggedSeal>,
    pub configurations: BTreeMap<String, String>,
}

/// The identifier of every [`FakeLedger`].
pub(super) const LEDGER: &str = "6f1c0c9e-0b7f-4c58-8a39-8a3c2f1f7d11";

impl FakeLedger {
    /// Three runs with texts that tools may misread: one that ended, one that stopped and was
    /// continued, one that is in progress and has no seal.
    pub fn sample() -> FakeLedger {
        let mut ledger = FakeLedger::default();
        ledger.open("20261122-091020-6f4f", "orders.csv");
        ledger.open("20261123-010000-a001", "=2+2,\"x\".csv");
        ledger.open("20261124-010000-b002", "third\nfile.csv");
        let texts = [
            ("0012", "=1+1"),
            ("0013", "'quoted'"),
            ("ERR01160", "＝full-width, \"and quotes\""),
            ("E1", "two, three"),
            ("E2", "Żółć ✓"),
            ("E3", "-"),
        ];
        let statuses = [Status::Cancelled, Status::Rejected, Status::InDoubt, Status::Failed];
        for run in 0..3 {
            for (number, (code, message)) in (1..).zip(texts) {
                ledger.add_row(run, number, statuses[number as usize % 4], code, message);
            }
        }
        ledger.add_invalid(0);
        let longest = &mut ledger.runs[0].rows[0];
        let order = Order { admin_number: i64::MAX, sequence_number: i32::MAX };
        (longest.0.order, longest.1[0].order) = (Some(order), order);
        ledger.seal(0, SealedState::Ended);
        ledger.seal(1, SealedState::Stopped("CUT_OFF".to_owned()));
        ledger.add_row(1, 7, Status::Cancelled, "ERR01160", "");
        ledger.seal(1, SealedState::Ended);
        ledger.seals[1].receipt = Some(b"receipt of a witness\n".to_vec());
        ledger
    }

    /// One sealed run with this many rows, each with an attempt.
    pub fn with_rows(rows: u32) -> FakeLedger {
        let mut ledger = FakeLedger::default();
        ledger.open("20261122-091020-6f4f", "orders.csv");
        for number in 1..=rows {
            ledger.add_row(0, number, Status::Cancelled, "ERR01160", "Cancelled, thanks");
        }
        ledger.seal(0, SealedState::Ended);
        ledger
    }

    pub fn open(&mut self, id: &str, input_name: &str) {
        let text = format!("rate = \"10/s\" # {id}\n");
        let digest = Digest::new(&text).to_string();
        self.configurations.insert(digest.clone(), text);
        let opened = NewRun {
            id: id.to_owned(),
            key: id.to_owned(),
            command: "run".to_owned(),
            input_name: input_name.to_owned(),
            input_digest: Digest::new(input_name).to_string(),
            endpoint: "https://cards.example/api/CancelPhysicalCardOrder".to_owned(),
            program: "cardcancel 0.2.0".to_owned(),
            opened_at: "2026-11-22T09:10:20.2Z".parse().unwrap(),
        };
        let start = StartRecord { configuration: Some(digest), ..start(7) };
        let finished_at = "2026-11-22T09:10:26.118204Z".parse().ok();
        let event = |kind: &str, detail: &str| EventRecord {
            at: "2026-11-22T09:10:20.3Z".parse().unwrap(),
            kind: kind.to_owned(),
            start: Some(7),
            detail: detail.to_owned(),
        };
        self.runs.push(FakeRun {
            bagged: BaggedRun {
                opened,
                has_ended: true,
                seal: None,
                stop: None,
                finished_at,
                starts: vec![start],
            },
            rows: Vec::new(),
            events: vec![event("opened", ""), event("started", "for @reason, \"ticket\"")],
        });
    }

    pub fn add_row(&mut self, run: usize, number: u32, status: Status, code: &str, message: &str) {
        let mut record = row(number);
        (record.status, record.doubt) = (status, status == Status::InDoubt);
        (record.error_code, record.message) = (code.to_owned(), message.to_owned());
        let mut made = attempt(number, 7);
        made.status = Some(status);
        (made.error_code, made.message) = (code.to_owned(), message.to_owned());
        self.runs[run].rows.push((record, vec![made]));
    }

    fn add_invalid(&mut self, run: usize) {
        let number = self.runs[run].rows.len() as u32 + 1;
        let mut record = row(number);
        (record.order, record.status, record.attempts) = (None, Status::Invalid, 0);
        (record.first_sent_at, record.ended_at, record.http_status) = (None, None, None);
        (record.error_code, record.message) = ("INVALID".to_owned(), "no number".to_owned());
        self.runs[run].rows.push((record, Vec::new()));
    }

    /// Seals a run as it is.
    pub fn seal(&mut self, run: usize, state: SealedState) {
        let FakeRun { bagged, rows, events } = &self.runs[run];
        let opened = &bagged.opened;
        let mut digest = RunDigest::new(&opened.id, &opened.endpoint, &bagged.starts, None);
        rows.iter().for_each(|(row, attempts)| digest.add_row(row, attempts));
        events.iter().for_each(|event| digest.add_event(event));
        let digests = digest.finish();
        let is_same_run =
            |seal: &&BaggedSeal| seal.text.contains(&format!("\nrun {}\n", opened.id));
        let before = self.seals.iter().rev().find(is_same_run);
        let start = bagged.starts.last().unwrap();
        let seal = Seal {
            ledger: LEDGER.parse().unwrap(),
            number: self.seals.len() as u64 + 1,
            previous: self.seals.last().map_or(Digest::ZERO, |seal| Digest::new(&seal.text)),
            run: opened.id.parse().unwrap(),
            state,
            continues: before.map(|seal| Continued { number: seal.number, as_it_was: true }),
            input: SealedInput {
                digest: opened.input_digest.parse().unwrap(),
                rows: rows.len() as u64,
                name: opened.input_name.clone(),
            },
            rows: digests.rows.sealed(),
            attempts: digests.attempts.sealed(),
            events: digests.events.sealed(),
            configuration: start.configuration.as_ref().map(|digest| digest.parse().unwrap()),
            results: None,
            counts: digests.counts,
            opened: opened.opened_at,
            finished: bagged.finished_at,
            by: start.into(),
            purpose: start.purpose.clone(),
            clock: SealedClock {
                is_synchronized: Some(true),
                offset: Some(SealedOffset { ahead_tenths: 4, within_tenths: Some(6) }),
            },
            program: SealedProgram { version: "0.2.0".parse().unwrap(), executable: None },
        };
        self.runs[run].bagged.seal = Some(seal.number);
        self.seals.push(BaggedSeal {
            number: seal.number,
            text: seal.to_text(),
            receipt: None,
            blocks: Some(SealedBlocks {
                rows: digests.rows.blocks,
                attempts: digests.attempts.blocks,
                events: digests.events.blocks,
            }),
        });
    }

    fn run(&self, id: &str) -> &FakeRun {
        self.runs.iter().find(|run| run.bagged.opened.id == id).unwrap()
    }
}

impl BagSource for FakeLedger {
    fn ledger(&mut self) -> anyhow::Result<String> {
        Ok(LEDGER.to_owned())
    }

    fn runs(&mut self) -> anyhow::Result<Vec<BaggedRun>> {
        Ok(self.runs.iter().map(|run| run.bagged.clone()).collect())
    }

    fn rows_with_attempts(
        &mut self,
        run: &str,
        each: &mut dyn FnMut(&RowRecord, &[AttemptRecord]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        self.run(run).rows.iter().try_for_each(|(row, attempts)| each(row, attempts))
    }

    fn events(&mut self, run: &str) -> anyhow::Result<Vec<EventRecord>> {
        Ok(self.run(run).events.clone())
    }

    fn configuration(&mut self, digest: &str) -> anyhow::Result<Option<String>> {
        Ok(self.configurations.get(digest).cloned())
    }

    fn report(&mut self, run: &str) -> anyhow::Result<Option<String>> {
        Ok((run == "20261122-091020-6f4f").then(|| "<!doctype html>".to_owned()))
    }

    fn seals(
        &mut self,
        each: &mut dyn FnMut(BaggedSeal) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        self.seals.iter().cloned().try_for_each(each)
    }
}

/// Who exports in tests.
pub(super) fn options() -> BagOptions {
    BagOptions {
        scope: "run 20261122-091020-6f4f".to_owned(),
        at: "2026-11-26T17:00:00Z".parse().unwrap(),
        by: "auditor (uid 1200)".to_owned(),
        host: "batch1".to_owned(),
        version: "0.2.0".to_owned(),
    }
}

/// Writes the export of a ledger into a new folder.
pub(super) fn export(ledger: &mut FakeLedger, folder: &Path) -> WrittenBag {
    write_bag(ledger, folder, &options()).unwrap().publish().unwrap().1
}
