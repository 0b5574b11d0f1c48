//! The stop rules: rules that stop a run that is going wrong. They observe outcomes in the order
//! in which calls end.

use std::time::Duration;

use super::canary::Canary;
use super::max_failures::MaxFailures;
use crate::model::{Counts, FatalCause, Outcome, ReasonCode, RowNumber, Status, Verdict};

/// The most requests in a row that may be refused as malformed or misdirected. It is high enough
/// that a few bad rows do not stop the run, and low enough that a wrong URL or a changed API does
/// so soon.
const MOST_REFUSALS_IN_A_ROW: u32 = 9;

/// The configured limits; `None` turns a rule off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StopRuleSettings {
    /// The most rows that may fail.
    pub failures: Option<MaxFailures>,
    /// The most rows that may fail consecutively.
    pub consecutive_failures: Option<u32>,
    /// The most answers that may be lost consecutively.
    pub consecutive_doubts: Option<u32>,
    /// The most rows that may fail consecutively with the same error code.
    pub same_code: Option<u32>,
    /// The number of rows in the canary.
    pub canary: Option<u32>,
}

/// Why a stop rule, an answer or an outage stops a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StopReason {
    /// The rule.
    pub code: ReasonCode,
    /// The cause, as a phrase for the user.
    pub why: String,
}

impl StopReason {
    /// The answer for this row stops the run.
    pub fn from_answer(cause: FatalCause, row: RowNumber, outcome: &Outcome) -> StopReason {
        let what = match cause {
            FatalCause::Unauthorized | FatalCause::Credentials => "The credentials were refused",
            FatalCause::Redirected => {
                "The server answered with a redirect, which is never followed"
            }
            FatalCause::Certificate => "A certificate was refused",
            FatalCause::Code => "[codes] stops the run at such an answer",
        };
        StopReason { code: cause.code(), why: format!("{what}: row {row}: {}", outcome.describe()) }
    }

    /// The server was away for too long; `last` describes the last call.
    pub fn from_outage(last: &str) -> StopReason {
        let why =
            format!("CoreCARD was unavailable for longer than --max-outage; the last call: {last}");
        StopReason { code: ReasonCode::Outage, why }
    }

    /// The server requests a longer pause than it can be granted; `last` describes the call.
    pub fn from_retry_after(wait: Duration, last: &str) -> StopReason {
        let seconds = wait.as_secs();
        let why = format!(
            "CoreCARD asked for a longer pause than --max-outage again, the last time for {seconds} s (Retry-After); the last call: {last}"
        );
        StopReason { code: ReasonCode::Outage, why }
    }
}

/// Observes the outcomes of a run from its start on.
#[derive(Debug, Clone)]
pub struct StopRules {
    max_failures: Option<MaxFailures>,
    failures_before: u64,
    ended_before: u64,
    refusals: ConsecutiveCounter,
    failures: ConsecutiveCounter,
    doubts: ConsecutiveCounter,
    same_code: ConsecutiveCounter,
    canary: Canary,
}

impl StopRules {
    /// Stop rules with these limits. Rows that ended before do not count.
    pub fn new(limits: &StopRuleSettings, before: &Counts) -> StopRules {
        StopRules {
            max_failures: limits.failures,
            failures_before: failures(before),
            ended_before: called(before),
            refusals: ConsecutiveCounter::with_limit(Some(MOST_REFUSALS_IN_A_ROW)),
            failures: ConsecutiveCounter::with_limit(limits.consecutive_failures),
            doubts: ConsecutiveCounter::with_limit(limits.consecutive_doubts),
            same_code: ConsecutiveCounter::with_limit(limits.same_code),
            canary: Canary::new(limits.canary),
        }
    }

    /// The canary, which decides whether rows after the first ones may be sent.
    pub fn canary(&mut self) -> &mut Canary {
        &mut self.canary
    }

    /// Observes the outcome of a row's attempt. `ended` is the row's status if the attempt ended
    /// it; `counts` are the run's counts after that. Returns why the run must stop, if it must.
    pub fn observe(
        &mut self,
        row: RowNumber,
        outcome: &Outcome,
        ended: Option<Status>,
        counts: &Counts,
    ) -> Option<StopReason> {
        let by_attempt = self.after_attempt(outcome);
        let by_row = ended.and_then(|status| {
            if status.is_cancelled() {
                self.after_success()
            } else {
                self.after_failure(row, &outcome.error_code, counts)
            }
        });
        by_attempt.or(by_row)
    }

    fn after_attempt(&mut self, outcome: &Outcome) -> Option<StopReason> {
        if outcome.verdict != Verdict::Refused {
            self.refusals.reset();
        } else if let Some(most) = self.refusals.record() {
            let why = format!(
                "{} consecutive requests were refused, the last with {}",
                most + 1,
                named(&outcome.error_code)
            );
            return Some(StopReason { code: ReasonCode::Refusals, why });
        }
        if outcome.verdict != Verdict::Doubt {
            // A call that was never sent is no evidence about answers.
            if outcome.sent {
                self.doubts.reset();
            }
            return None;
        }
        let most = self.doubts.record()?;
        let why = format!(
            "more than {most} consecutive answers were lost (--max-consecutive-doubts {most}), the last with {}",
            named(&outcome.error_code)
        );
        Some(StopReason { code: ReasonCode::ConsecutiveDoubts, why })
    }

    fn after_success(&mut self) -> Option<StopReason> {
        self.failures.reset();
        self.same_code.reset();
        None
    }

    fn after_failure(&mut self, row: RowNumber, code: &str, counts: &Counts) -> Option<StopReason> {
        let code_name = named(code);
        let canary = self.canary.row_failed().map(|rows| {
            let why = format!(
                "too many of the first rows failed (--canary {rows}), the last, row {row}, with {code_name}"
            );
            StopReason { code: ReasonCode::Canary, why }
        });
        let same = self.same_code.record_key(code).map(|most| {
            let why = format!(
                "more than {most} consecutive rows failed with {code_name} (--max-consecutive-same-code {most}), the last is row {row}"
            );
            StopReason { code: ReasonCode::SameCode, why }
        });
        let in_a_row = self.failures.record().map(|most| {
            let why = format!(
                "more than {most} consecutive rows failed (--max-consecutive-failures {most}), the last, row {row}, with {code_name}"
            );
            StopReason { code: ReasonCode::ConsecutiveFailures, why }
        });
        canary.or(same).or(in_a_row).or_else(|| self.over_total(counts))
    }

    fn over_total(&self, counts: &Counts) -> Option<StopReason> {
        let failures = failures(counts).saturating_sub(self.failures_before);
        let ended = called(counts).saturating_sub(self.ended_before);
        let most = self.max_failures.filter(|most| most.exceeded(failures, ended))?;
        let why = format!("{failures} of {ended} rows failed (--max-failures {most})");
        Some(StopReason { code: ReasonCode::MaxFailures, why })
    }
}

/// Counts consecutive occurrences of something.
#[derive(Debug, Clone)]
struct ConsecutiveCounter {
    limit: Option<u32>,
    count: u32,
    /// The key of the last occurrence, where only the same key counts as consecutive.
    key: String,
}

impl ConsecutiveCounter {
    /// A counter with this limit; `None` means unlimited.
    fn with_limit(limit: Option<u32>) -> ConsecutiveCounter {
        ConsecutiveCounter { limit, count: 0, key: String::new() }
    }

    /// Records one more occurrence. Returns the limit if it has now been exceeded.
    fn record(&mut self) -> Option<u32> {
        self.count = self.count.saturating_add(1);
        self.limit.filter(|limit| self.count > *limit)
    }

    /// Records one more occurrence of `key`; a different key restarts the count. Returns the
    /// limit if it has now been exceeded.
    fn record_key(&mut self, key: &str) -> Option<u32> {
        if self.key != key {
            self.reset();
            key.clone_into(&mut self.key);
        }
        self.record()
    }

    /// Records that the sequence of occurrences was broken.
    fn reset(&mut self) {
        self.count = 0;
    }
}

/// The error code for display: CoreCARD may reject a row without one.
fn named(code: &str) -> &str {
    if code.is_empty() { "no error code" } else { code }
}

fn failures(counts: &Counts) -> u64 {
    [Status::Rejected, Status::Failed, Status::InDoubt]
        .map(|status| counts.get(status))
        .iter()
        .sum()
}

/// The number of rows that ended by a call.
fn called(counts: &Counts) -> u64 {
    failures(counts) + counts.get(Status::Cancelled) + counts.get(Status::AlreadyCancelled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    /// Stop rules, with the rows that they have observed.
    struct Watched {
        stop_rules: StopRules,
        counts: Counts,
        row: u32,
    }

    impl Watched {
        fn by(limits: StopRuleSettings) -> Watched {
            let counts = Counts::default();
            Watched { stop_rules: StopRules::new(&limits, &counts), counts, row: 0 }
        }

        fn sees(
            &mut self,
            verdict: Verdict,
            code: &str,
            ended: Option<Status>,
        ) -> Option<StopReason> {
            self.row += 1;
            ended.iter().for_each(|status| self.counts.add(*status, 1));
            let outcome = Outcome {
                verdict,
                sent: code != "CONNECT",
                error_code: code.to_owned(),
                message: String::new(),
                http_status: None,
                retry_after: None,
            };
            self.stop_rules.observe(RowNumber(self.row), &outcome, ended, &self.counts)
        }

        fn cancelled(&mut self) -> Option<StopReason> {
            self.sees(Verdict::Cancelled, "ERR01160", Some(Status::Cancelled))
        }

        fn rejected(&mut self, code: &str) -> Option<StopReason> {
            self.sees(Verdict::Rejected, code, Some(Status::Rejected))
        }

        fn lost(&mut self) -> Option<StopReason> {
            self.sees(Verdict::Doubt, "TIMEOUT", None)
        }

        fn refused(&mut self) -> Option<StopReason> {
            self.sees(Verdict::Refused, "HTTP_404", Some(Status::Failed))
        }
    }

    fn described(stop_reason: Option<StopReason>) -> String {
        let StopReason { code, why } = stop_reason.unwrap();
        format!("{code}: {why}")
    }

    #[test]
    fn only_one_more_in_a_row_than_the_limit_exceeds_it() {
        let mut counter = ConsecutiveCounter::with_limit(Some(2));
        assert_eq!((counter.record(), counter.record()), (None, None));
        counter.reset();
        assert_eq!((counter.record(), counter.record()), (None, None));
        assert_eq!(counter.record(), Some(2));
        let mut unlimited = ConsecutiveCounter::with_limit(None);
        assert!((0..10_000).all(|_| unlimited.record().is_none()));
    }

    #[test]
    fn another_key_and_a_reset_both_start_the_count_again() {
        let mut counter = ConsecutiveCounter::with_limit(Some(1));
        assert_eq!(counter.record_key("A"), None);
        assert_eq!(counter.record_key("B"), None);
        counter.reset();
        assert_eq!(counter.record_key("B"), None);
        assert_eq!(counter.record_key("B"), Some(1));
    }

    #[test]
    fn with_no_rule_set_a_run_may_fail_as_it_likes() {
        let mut watched = Watched::by(StopRuleSettings::default());
        assert!((0..2000).all(|_| watched.rejected("ERR1").is_none() && watched.lost().is_none()));
    }

    #[test]
    fn failures_that_stood_before_the_start_are_not_held_against_it() {
        let limits =
            StopRuleSettings { failures: "5%".parse().ok(), ..StopRuleSettings::default() };
        let counts = [(Status::Cancelled, 150), (Status::Rejected, 20)].into_iter().collect();
        let mut watched = Watched { stop_rules: StopRules::new(&limits, &counts), counts, row: 0 };
        assert!((0..95).all(|_| watched.cancelled().is_none()));
        assert!((0..5).all(|_| watched.rejected("ERR1").is_none()));
        assert_snapshot!(described(watched.rejected("ERR1")), @"MAX_FAILURES: 6 of 101 rows failed (--max-failures 5%)");
    }

    #[test]
    fn refusals_stop_a_run_only_in_a_row() {
        let mut watched = Watched::by(StopRuleSettings::default());
        assert!((0..9).all(|_| watched.refused().is_none()));
        assert_eq!(watched.cancelled(), None);
        assert!((0..9).all(|_| watched.refused().is_none()));
        assert_snapshot!(described(watched.refused()), @"REFUSALS: 10 consecutive requests were refused, the last with HTTP_404");
    }

    #[test]
    fn failures_in_a_row_are_those_with_no_row_cancelled_between_them() {
        let mut watched = Watched::by(StopRuleSettings {
            consecutive_failures: Some(2),
            ..StopRuleSettings::default()
        });
        assert!(watched.rejected("ERR1").is_none() && watched.rejected("ERR2").is_none());
        assert_eq!(watched.cancelled(), None);
        assert!(watched.rejected("ERR1").is_none() && watched.rejected("ERR2").is_none());
        assert_eq!(watched.lost(), None, "the row has not ended");
        assert_snapshot!(described(watched.rejected("")), @"CONSECUTIVE_FAILURES: more than 2 consecutive rows failed (--max-consecutive-failures 2), the last, row 7, with no error code");
    }

    #[test]
    fn an_answer_ends_a_row_of_lost_ones_and_a_call_that_was_never_sent_does_not() {
        let mut watched = Watched::by(StopRuleSettings {
            consecutive_doubts: Some(2),
            ..StopRuleSettings::default()
        });
        assert!(watched.lost().is_none() && watched.lost().is_none());
        assert_eq!(watched.rejected("ERR1"), None);
        assert!(watched.lost().is_none() && watched.lost().is_none());
        assert_eq!(watched.sees(Verdict::NotDone, "CONNECT", None), None);
        assert_snapshot!(described(watched.lost()), @"CONSECUTIVE_DOUBTS: more than 2 consecutive answers were lost (--max-consecutive-doubts 2), the last with TIMEOUT");
    }

    #[test]
    fn a_code_that_repeats_is_named() {
        let mut watched =
            Watched::by(StopRuleSettings { same_code: Some(2), ..StopRuleSettings::default() });
        assert!(watched.rejected("ERR1").is_none() && watched.rejected("ERR1").is_none());
        assert!(watched.rejected("ERR2").is_none() && watched.rejected("ERR2").is_none());
        assert_eq!(watched.cancelled(), None);
        assert!(watched.rejected("ERR2").is_none() && watched.rejected("ERR2").is_none());
        assert_snapshot!(described(watched.rejected("ERR2")), @"SAME_CODE: more than 2 consecutive rows failed with ERR2 (--max-consecutive-same-code 2), the last is row 8");
    }

    #[test]
    fn a_canary_that_fails_says_which_row_it_was() {
        let mut watched =
            Watched::by(StopRuleSettings { canary: Some(10), ..StopRuleSettings::default() });
        assert!(watched.cancelled().is_none() && watched.rejected("ERR1").is_none());
        assert_snapshot!(described(watched.rejected("ERR2")), @"CANARY: too many of the first rows failed (--canary 10), the last, row 3, with ERR2");
    }
}
