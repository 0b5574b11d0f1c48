//! What clients see of each fault, and what it does to their orders.

use std::time::Duration;

use super::*;

/// A scenario on which every request meets this fault.
pub(super) fn only(fault: Fault) -> SimulatorSettings {
    let mut settings = SimulatorSettings::default();
    *match fault {
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

/// What a client sees of this fault, and whether its order was cancelled.
async fn observe(fault: Fault) -> (ClientView, bool) {
    let simulator = start(only(fault)).await.unwrap();
    let seen = ask(&simulator, cancel(1)).await;
    let cancelled = simulator.orders()[&order(1)].cancelled;
    let stats = simulator.stop().await;
    assert_eq!(stats.faults[&fault], 1);
    assert_eq!(stats.answered.values().sum::<u64>(), 0);
    (seen, cancelled)
}

#[tokio::test]
async fn a_dropped_connection_ends_without_an_answer() {
    assert_eq!(observe(Fault::DropBefore).await, (ClientView::Closed, false));
    assert_eq!(observe(Fault::DropAfter).await, (ClientView::Closed, true));
}

#[tokio::test]
async fn a_reset_connection_fails_without_an_answer() {
    assert_eq!(observe(Fault::ResetBefore).await, (ClientView::Reset, false));
    assert_eq!(observe(Fault::ResetAfter).await, (ClientView::Reset, true));
}

#[tokio::test]
async fn an_unavailable_or_throttling_server_does_nothing_and_says_when_to_come_back() {
    for (fault, status) in [(Fault::Unavailable, 503), (Fault::Throttle, 429)] {
        let (seen, cancelled) = observe(fault).await;
        assert_eq!((seen.status(), cancelled), (status, false));
        assert!(seen.head().contains("Retry-After: 1"), "{seen:?}");
    }
}

#[tokio::test]
async fn a_server_error_may_come_before_or_after_the_order_was_cancelled() {
    for (fault, done) in [(Fault::ErrorBefore, false), (Fault::ErrorAfter, true)] {
        let (seen, cancelled) = observe(fault).await;
        assert!([500, 502, 504].contains(&seen.status()), "{seen:?}");
        assert_eq!(cancelled, done);
    }
}

#[tokio::test]
async fn a_login_page_is_no_answer_and_nothing_is_done() {
    let (seen, cancelled) = observe(Fault::Html).await;
    assert!(seen.head().contains("text/html"));
    assert_eq!((seen.status(), cancelled), (200, false));
}

#[tokio::test]
async fn an_answer_may_lack_the_status_though_the_order_was_cancelled() {
    let (seen, cancelled) = observe(Fault::NoStatus).await;
    assert_eq!((seen.status(), cancelled), (200, true));
    assert_eq!(seen.json()["ErrorCode"], "ERR01160");
    assert_eq!(seen.json().get("Status"), None);
}

#[tokio::test]
async fn an_answer_may_be_cut_short_though_the_order_was_cancelled() {
    assert_eq!(observe(Fault::Truncated).await, (ClientView::CutShort, true));
}

#[tokio::test]
async fn a_hanging_server_says_nothing_until_it_stops_though_the_order_was_cancelled() {
    let simulator = start(only(Fault::Hang)).await.unwrap();
    let mut client = TestClient::new(&simulator).await;
    client.send(cancel(1)).await;
    let early = tokio::time::timeout(Duration::from_millis(50), client.read()).await;
    assert!(early.is_err(), "{early:?}");
    assert!(simulator.orders()[&order(1)].cancelled);
    assert_eq!(simulator.stop().await.faults[&Fault::Hang], 1);
    assert_eq!(client.read().await, ClientView::Closed);
}
