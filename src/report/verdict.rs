//! Whether a run went well, in one sentence for people who have a minute.

use crate::ledger::Run;
use crate::model::{Counts, ReasonCode, Status};
use crate::output::{human_count, plural, rows};

/// How a run went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ReportGrade {
    /// Nothing is left to do.
    Good,
    /// It ended, and some orders are surely not cancelled.
    Look,
    /// Orders may or may not be cancelled, or were not sent.
    Act,
}

impl ReportGrade {
    /// The name of its style.
    pub fn class(self) -> &'static str {
        match self {
            ReportGrade::Good => "good",
            ReportGrade::Look => "look",
            ReportGrade::Act => "act",
        }
    }

    /// What it asks of the reader.
    pub fn word(self) -> &'static str {
        match self {
            ReportGrade::Good => "Nothing to do",
            ReportGrade::Look => "To look at",
            ReportGrade::Act => "To act on",
        }
    }

    /// The same as a sign, for who sees no colours.
    pub fn sign(self) -> &'static str {
        match self {
            ReportGrade::Good => "✓",
            ReportGrade::Look => "!",
            ReportGrade::Act => "✕",
        }
    }
}

/// Whether a run went well.
#[derive(Debug, Clone)]
pub(super) struct ReportVerdict {
    /// How it went.
    pub grade: ReportGrade,
    /// The same as a sentence.
    pub sentence: String,
    /// How it came to rest, in a word or two.
    pub end: String,
}

impl ReportVerdict {
    /// How a run went whose rows have these statuses.
    pub fn new(run: &Run, counts: &Counts) -> ReportVerdict {
        let of = |status| counts.get(status);
        let cancelled = of(Status::Cancelled) + of(Status::AlreadyCancelled);
        let orders = counts.total() - of(Status::Duplicate);
        let in_doubt = counts.in_doubt();
        let doubt = match in_doubt {
            0 => String::new(),
            1 => "; 1 order may or may not be cancelled".to_owned(),
            many => format!("; {} orders may or may not be cancelled", human_count(many)),
        };
        let done = format!(
            "{} of {} {} cancelled",
            human_count(cancelled),
            plural(orders, "order", "orders"),
            if cancelled == 1 { "is" } else { "are" }
        );
        if !run.has_ended() {
            let left = rows(run.left());
            let (end, why) = match &run.stop {
                Some(stop) if *stop == ReasonCode::CutOff.to_string() => {
                    ("cut off", "The cut-off came first".to_owned())
                }
                Some(stop) => {
                    let known = ReasonCode::ALL.iter().find(|(code, _)| code.to_string() == *stop);
                    let why = known
                        .map_or("It stopped for a reason unknown to this version", |(_, why)| why);
                    ("stopped", why.trim_end_matches('.').to_owned())
                }
                None => ("interrupted", "Its process ended without recording why".to_owned()),
            };
            let sentence =
                format!("It did not reach its end: {left} did not end. {why}. {done}{doubt}.");
            return ReportVerdict { grade: ReportGrade::Act, sentence, end: end.to_owned() };
        }
        let (grade, sentence) = if in_doubt > 0 || of(Status::NotSent) > 0 {
            let left = match orders - cancelled - in_doubt {
                0 => String::new(),
                1 => ", 1 is not".to_owned(),
                many => format!(", {} are not", human_count(many)),
            };
            (ReportGrade::Act, format!("It ended, and needs a person: {done}{left}{doubt}."))
        } else if cancelled == orders {
            let all = match orders {
                0 => "there was nothing to cancel".to_owned(),
                1 => "the order is cancelled".to_owned(),
                _ => format!("all {} orders are cancelled", human_count(orders)),
            };
            (ReportGrade::Good, format!("It went well: {all}."))
        } else {
            let left = orders - cancelled;
            let are = if left == 1 { "is" } else { "are" };
            (ReportGrade::Look, format!("It ended: {done}, {} {are} not.", human_count(left)))
        };
        ReportVerdict { grade, sentence, end: "ended".to_owned() }
    }
}

/// What a status means, and what it asks of the reader.
pub(super) fn asks(status: Status, with_doubt: bool) -> (&'static str, &'static str) {
    match (status, with_doubt) {
        (Status::Cancelled, _) => ("CoreCARD confirmed it.", "Nothing to do."),
        (Status::AlreadyCancelled, _) => ("It was cancelled before.", "Nothing to do."),
        (Status::Rejected, false) => (
            "CoreCARD refused it. That is final.",
            "Read the code and the message: the card may be printed.",
        ),
        (Status::Rejected, true) => (
            "An answer was lost, then CoreCARD refused the repeat.",
            "Look the order up in CoreCARD: the lost call may have cancelled it.",
        ),
        (Status::Failed, _) => ("It is surely not cancelled.", "Send it again with rerun."),
        (Status::InDoubt, _) => (
            "An answer was lost: it may or may not be cancelled.",
            "Look the order up in CoreCARD, or send it again with rerun.",
        ),
        (Status::Invalid, _) => {
            ("The row was not sent.", "Correct the order in a new file, and run that.")
        }
        (Status::Duplicate, _) => {
            ("An earlier row has the same order, and decides.", "Look at that row.")
        }
        (Status::NotSent, _) => {
            ("The run stopped first.", "Start the same command again, or send it with rerun.")
        }
    }
}
