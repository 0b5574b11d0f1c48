//! What happened on the way, in one line, or as JSON.

use std::time::Duration;

use serde_json::{Value, json};

use super::format::rate;
use super::{human_count, human_duration, plural};
use crate::engine::RunStats;

/// A limit of the server that held the calls for less than this is not reported.
const LITTLE: Duration = Duration::from_secs(1);

/// The line for people; `None` if nothing happened.
pub fn line(stats: &RunStats) -> Option<String> {
    let away = (stats.outages > 0).then(|| {
        let (times, lasted) = (times(stats.outages), human_duration(stats.outage_time));
        format!("CoreCARD unavailable {times} ({lasted})")
    });
    let waited = (!stats.retry_after_time.is_zero()).then(|| {
        format!("paused {} at its request (Retry-After)", human_duration(stats.retry_after_time))
    });
    let throttled = stats.throttled_to.filter(|_| stats.throttled_time >= LITTLE).map(|least| {
        let (lasted, least) = (human_duration(stats.throttled_time), rate(least));
        format!("slowed below --rate for {lasted} (lowest {least}/s)")
    });
    let renewed = (stats.credential_refreshes > 0)
        .then(|| format!("credentials renewed {}", times(stats.credential_refreshes)));
    let lost = some(stats.lost, "answer lost", "answers lost");
    let repeated = some(stats.repeated, "call repeated", "calls repeated");
    let parts: Vec<String> =
        [away, waited, throttled, renewed, lost, repeated].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| format!("During the run: {}", parts.join("; ")))
}

/// The same for programs, always whole.
pub fn json(stats: &RunStats) -> Value {
    json!({
        "outages": stats.outages,
        "outage_seconds": stats.outage_time.as_secs_f64(),
        "asked_to_wait_seconds": stats.retry_after_time.as_secs_f64(),
        "held_seconds": stats.throttled_time.as_secs_f64(),
        "held_to_a_second": stats.throttled_to,
        "credentials_renewed": stats.credential_refreshes,
        "answers_lost": stats.lost,
        "calls_repeated": stats.repeated,
    })
}

fn some(number: u64, one: &str, many: &str) -> Option<String> {
    (number > 0).then(|| plural(number, one, many))
}

fn times(number: u32) -> String {
    match number {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        _ => format!("{} times", human_count(number.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    #[test]
    fn a_run_without_incident_has_no_line() {
        assert_eq!(line(&RunStats::default()), None);
    }

    #[test]
    fn everything_that_happened_is_in_one_line() {
        let stats = RunStats {
            outages: 2,
            outage_time: Duration::from_secs(95),
            retry_after_time: Duration::from_secs(3),
            credential_refreshes: 3,
            lost: 31,
            repeated: 1214,
            throttled_time: Duration::from_secs(400),
            throttled_to: Some(212.4),
        };
        assert_snapshot!(line(&stats).unwrap(), @"During the run: CoreCARD unavailable twice (1 min 35 s); paused 3 s at its request (Retry-After); slowed below --rate for 6 min 40 s (lowest 212/s); credentials renewed 3 times; 31 answers lost; 1,214 calls repeated");
    }

    #[test]
    fn only_what_happened_is_in_the_line() {
        let stats =
            RunStats { lost: 1, repeated: 1, credential_refreshes: 1, ..RunStats::default() };
        assert_snapshot!(line(&stats).unwrap(), @"During the run: credentials renewed once; 1 answer lost; 1 call repeated");
    }

    #[test]
    fn a_limit_that_held_the_calls_for_less_than_a_second_is_left_out() {
        let throttled_time = Duration::from_millis(900);
        assert_eq!(
            line(&RunStats { throttled_time, throttled_to: Some(9.7), ..RunStats::default() }),
            None
        );
    }
}
