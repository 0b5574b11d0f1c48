//! What clients see of each fault, and what it does to their orders.

use std::time::Duration;

use super::*;

/// A scenario on which every request meets this faults.
pub(super) fn only(faults: Fault) -> Settings {
    let mut settings = Settings::default();
    *match faults {
        Fault::DropBefore => &mut settings.drop_before,
        Fault::DropAfter => &mut settings.drop_after,
        Fault::ResetBefore => &mut settings.reset_before,
        Fault::ResetAfter => &mut settings.reset_after,
        Fault::Unavailable => &mut settings.unavailable,
        Fault::ErrorBefore => &mut settings.error_before,
        Fault::ErrorAfter => &mut settings.error_after,
        Fault::Throttle => &mut settings.throttle,
        Fault::Html => &mut settings.html,
        Fault::NoStatus => &mut settings.no_status,
        Fault::Truncated => &mut settings.truncated,
        Fault::Hang => &mut settings.hang,
    } = Share::ALL;
    settings
}

/// What a client sees of this faults, and whether its order was cancelled.
async fn suffer(faults: Fault) -> (Seen, bool) {
    let simulator = start(only(faults)).await.unwrap();
    let seen = ask(&simulator, cancel(1)).await;
    let cancelled = simulator.orders()[&order(1)].cancelled;
    let tally = simulator.stop().await;
    assert_eq!(tally.faults[&faults], 1);
    assert_eq!(tally.answered.values().sum::<u64>(), 0);
    (seen, cancelled)
}

#[tokio::test]
async fn a_dropped_connection_ends_without_an_answer() {
    assert_eq!(suffer(Fault::DropBefore).await, (Seen::Closed, false));
    assert_eq!(suffer(Fault::DropAfter).await, (Seen::Closed, true));
}

#[tokio::test]
async fn a_reset_connection_fails_without_an_answer() {
    assert_eq!(suffer(Fault::ResetBefore).await, (Seen::Reset, false));
    assert_eq!(suffer(Fault::ResetAfter).await, (Seen::Reset, true));
}

#[tokio::test]
async fn an_unavailable_or_throttling_server_does_nothing_and_says_when_to_come_back() {
    for (faults, status) in [(Fault::Unavailable, 503), (Fault::Throttle, 429)] {
        let (seen, cancelled) = suffer(faults).await;
        assert_eq!((seen.status(), cancelled), (status, false));
        assert!(seen.head().contains("Retry-After: 1"), "{seen:?}");
    }
}

#[tokio::test]
async fn a_server_error_may_come_before_or_after_the_order_was_cancelled() {
    for (faults, done) in [(Fault::ErrorBefore, false), (Fault::ErrorAfter, true)] {
        let (seen, cancelled) = suffer(faults).await;
        assert!([500, 502, 504].contains(&seen.status()), "{seen:?}");
        assert_eq!(cancelled, done);
    }
}

#[tokio::test]
async fn a_login_page_is_no_answer_and_nothing_is_done() {
    let (seen, cancelled) = suffer(Fault::Html).await;
    assert!(seen.head().contains("text/html"));
    assert_eq!((seen.status(), cancelled), (200, false));
}

#[tokio::test]
async fn an_answer_may_lack_the_status_though_the_order_was_cancelled() {
    let (seen, cancelled) = suffer(Fault::NoStatus).await;
    assert_eq!((seen.status(), cancelled), (200, true));
    assert_eq!(seen.json()["ErrorCode"], "ERR01160");
    assert_eq!(seen.json().get("Status"), None);
}

#[tokio::test]
async fn an_answer_may_be_cut_short_though_the_order_was_cancelled() {
    assert_eq!(suffer(Fault::Truncated).await, (Seen::CutShort, true));
}

#[tokio::test]
async fn a_hanging_server_says_nothing_until_it_stops_though_the_order_was_cancelled() {
    let simulator = start(only(Fault::Hang)).await.unwrap();
    let mut client = Client::of(&simulator).await;
    client.send(cancel(1)).await;
    let early = tokio::time::timeout(Duration::from_millis(50), client.see()).await;
    assert!(early.is_err(), "{early:?}");
    assert!(simulator.orders()[&order(1)].cancelled);
    assert_eq!(simulator.stop().await.faults[&Fault::Hang], 1);
    assert_eq!(client.see().await, Seen::Closed);
}
