//! What happened on the way, in one line, or as JSON.

use std::time::Duration;

use serde_json::{Value, json};

use super::amounts::rate;
use super::{count, counted, lasting};
use crate::engine::Story;

/// A limit of the server that held the calls for less than this is not worth telling.
const LITTLE: Duration = Duration::from_secs(1);

/// The line for people; none if nothing happened.
pub fn line(story: &Story) -> Option<String> {
    let away = (story.outages > 0).then(|| {
        let (times, lasted) = (times(story.outages), lasting(story.away));
        format!("CoreCARD was away {times}, {lasted} in all")
    });
    let waited = (!story.asked_to_wait.is_zero())
        .then(|| format!("waited {} because it asked for that", lasting(story.asked_to_wait)));
    let held = story.held_to.filter(|_| story.held >= LITTLE).map(|least| {
        let (lasted, least) = (lasting(story.held), rate(least));
        format!("held to what it takes for {lasted}, {least} a second at the least")
    });
    let renewed =
        (story.renewals > 0).then(|| format!("credentials renewed {}", times(story.renewals)));
    let lost = some(story.lost, "answer lost", "answers lost");
    let repeated = some(story.repeated, "call repeated", "calls repeated");
    let told: Vec<String> =
        [away, waited, held, renewed, lost, repeated].into_iter().flatten().collect();
    (!told.is_empty()).then(|| format!("On the way: {}", told.join("; ")))
}

/// The same for programs, always whole.
pub fn json(story: &Story) -> Value {
    json!({
        "outages": story.outages,
        "outage_seconds": story.away.as_secs_f64(),
        "asked_to_wait_seconds": story.asked_to_wait.as_secs_f64(),
        "held_seconds": story.held.as_secs_f64(),
        "held_to_a_second": story.held_to,
        "credentials_renewed": story.renewals,
        "answers_lost": story.lost,
        "calls_repeated": story.repeated,
    })
}

fn some(number: u64, one: &str, many: &str) -> Option<String> {
    (number > 0).then(|| counted(number, one, many))
}

fn times(number: u32) -> String {
    match number {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        _ => format!("{} times", count(number.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    #[test]
    fn of_a_good_night_there_is_nothing_to_tell() {
        assert_eq!(line(&Story::default()), None);
    }

    #[test]
    fn of_a_bad_night_all_is_told_in_one_line() {
        let story = Story {
            outages: 2,
            away: Duration::from_secs(95),
            asked_to_wait: Duration::from_secs(3),
            renewals: 3,
            lost: 31,
            repeated: 1214,
            held: Duration::from_secs(400),
            held_to: Some(212.4),
        };
        assert_snapshot!(line(&story).unwrap(), @"On the way: CoreCARD was away twice, 1 min 35 s in all; waited 3 s because it asked for that; held to what it takes for 6 min 40 s, 212 a second at the least; credentials renewed 3 times; 31 answers lost; 1,214 calls repeated");
    }

    #[test]
    fn only_what_happened_is_told() {
        let story = Story { lost: 1, repeated: 1, renewals: 1, ..Story::default() };
        assert_snapshot!(line(&story).unwrap(), @"On the way: credentials renewed once; 1 answer lost; 1 call repeated");
    }

    #[test]
    fn a_limit_that_held_next_to_nothing_is_not_told() {
        let held = Duration::from_millis(900);
        assert_eq!(line(&Story { held, held_to: Some(9.7), ..Story::default() }), None);
    }
}
