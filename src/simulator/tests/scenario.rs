//! What must hold over a whole scenario.

use super::*;

/// A scenario with everything but waiting, asked for these orders twice each.
async fn scenario(
    seed: u64,
    admins: impl Iterator<Item = i64>,
) -> (BTreeMap<Order, OrderState>, Tally) {
    let often = Share::per_mille(50);
    let settings = Settings {
        latency: Latency::default(),
        throttle: often,
        html: often,
        drop_after: often,
        reset_before: often,
        ..Settings::rough(seed)
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
async fn the_same_seed_is_the_same_night_in_whatever_order_requests_arrive() {
    let (orders, tally) = scenario(7, 0..200).await;
    let (orders_backwards, tally_backwards) = scenario(7, (0..200).rev()).await;
    assert_eq!(orders, orders_backwards);
    assert_eq!(tally.answered, tally_backwards.answered);
    assert_eq!(tally.faults, tally_backwards.faults);
    let (orders_otherwise, _) = scenario(8, 0..200).await;
    assert_ne!(orders, orders_otherwise);
    let answers = tally.answered.values().chain(tally.faults.values());
    assert_eq!(answers.sum::<u64>(), tally.requests);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clients_that_fight_over_an_order_see_it_cancelled_once() {
    let simulator = Arc::new(perfect().await);
    let mut clients = JoinSet::new();
    for _ in 0..8 {
        let simulator = Arc::clone(&simulator);
        clients.spawn(async move {
            let mut client = Client::of(&simulator).await;
            let mut cancelled = 0;
            for admin in 0..100 {
                cancelled += u64::from(client.ask(cancel(admin)).await.json()["Status"] == true);
            }
            cancelled
        });
    }
    let cancelled: u64 = clients.join_all().await.iter().sum();
    let tally = simulator.tally();
    assert_eq!((cancelled, tally.orders_cancelled, tally.orders_cancelled_again), (100, 100, 0));
    assert_eq!(tally.requests, 800);
    assert!(tally.peak_any_second >= tally.peak_clock_second && tally.peak_clock_second > 0);
}
