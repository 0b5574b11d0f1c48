//! Records for the tests of this module.

use crate::identity::Identity;
use crate::ledger::{AttemptRecord, Purpose, RowRecord, StartRecord};
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
