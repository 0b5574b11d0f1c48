//! What must hold over a whole scenario.

use super::*;

/// A scenario with everything but waiting, asked for these orders twice each.
async fn scenario(
    seed: u64,
    admins: impl Iterator<Item = i64>,
) -> (BTreeMap<Order, OrderState>, Stats) {
    let often = Share::per_mille(50);
    let settings = SimulatorSettings {
        latency: Latency::default(),
        throttle: often,
        html: often,
        drop_after: often,
        reset_before: often,
        ..SimulatorSettings::default_faults(seed)
    };
    let simulator = start(settings).await.unwrap();
    for admin in admins {
        for _ in 0..2 {
            ask(&simulator, cancel(admin)).await;
        }
    }
    (simulator.orders(), simulator.stop().await)
}

#[tokio::test]
async fn the_same_seed_is_the_same_scenario_in_whatever_order_requests_arrive() {
    let (orders, stats) = scenario(7, 0..200).await;
    let (orders_backwards, stats_backwards) = scenario(7, (0..200).rev()).await;
    assert_eq!(orders, orders_backwards);
    assert_eq!(stats.answered, stats_backwards.answered);
    assert_eq!(stats.faults, stats_backwards.faults);
    let (orders_otherwise, _) = scenario(8, 0..200).await;
    assert_ne!(orders, orders_otherwise);
    let answers = stats.answered.values().chain(stats.faults.values());
    assert_eq!(answers.sum::<u64>(), stats.requests);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clients_that_fight_over_an_order_see_it_cancelled_once() {
    let simulator = Arc::new(perfect().await);
    let mut clients = JoinSet::new();
    for _ in 0..8 {
        let simulator = Arc::clone(&simulator);
        clients.spawn(async move {
            let mut client = TestClient::new(&simulator).await;
            let mut cancelled = 0;
            for admin in 0..100 {
                cancelled += u64::from(client.ask(cancel(admin)).await.json()["Status"] == true);
            }
            cancelled
        });
    }
    let cancelled: u64 = clients.join_all().await.iter().sum();
    let stats = simulator.stats();
    assert_eq!((cancelled, stats.orders_cancelled, stats.orders_cancelled_again), (100, 100, 0));
    assert_eq!(stats.requests, 800);
    assert!(stats.peak_any_second >= stats.peak_clock_second && stats.peak_clock_second > 0);
}
