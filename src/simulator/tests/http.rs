//! How the simulator keeps to HTTP.

use super::*;

#[tokio::test]
async fn a_connection_serves_request_after_request_until_it_must_close() {
    let simulator = perfect().await;
    let mut client = TestClient::new(&simulator).await;
    for admin in 0..100 {
        assert_eq!(client.ask(cancel(admin)).await.status(), 200);
    }
    let last = client.ask(post("Connection: close\r\n", &body(order(100)))).await;
    assert!(last.head().contains("Connection: close"));
    assert_eq!(client.read().await, ClientView::Closed);
    assert_eq!(simulator.stop().await.orders_cancelled, 101);
}

#[tokio::test]
async fn requests_sent_ahead_are_answered_in_their_order() {
    let simulator = perfect().await;
    let mut client = TestClient::new(&simulator).await;
    let many: String = [1, 1, 2].map(cancel).concat() + "GET / HTTP/1.1\r\n\r\n" + &cancel(3);
    client.send(many.repeat(30)).await;
    let mut seen = Vec::new();
    for _ in 0..5 {
        seen.push(client.read().await);
    }
    let statuses: Vec<u16> = seen.iter().map(ClientView::status).collect();
    assert_eq!(statuses, [200, 200, 200, 404, 200]);
    assert_eq!(seen[1].json()["ErrorCode"], "SIMULATOR_ALREADY_CANCELLED");
    for _ in 5..150 {
        assert_ne!(client.read().await, ClientView::Closed);
    }
    assert_eq!(simulator.stop().await.requests, 150);
}

#[tokio::test]
async fn a_request_that_arrives_byte_by_byte_is_one_request() {
    let simulator = perfect().await;
    let mut client = TestClient::new(&simulator).await;
    client.stream.set_nodelay(true).unwrap();
    for byte in cancel(1).as_bytes() {
        client.send([*byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(client.read().await.json()["Status"], true);
    assert_eq!(simulator.stop().await.requests, 1);
}

#[tokio::test]
async fn a_client_that_waits_for_100_continue_gets_it() {
    let simulator = perfect().await;
    let mut client = TestClient::new(&simulator).await;
    let request = post("Expect: 100-continue\r\n", &body(order(1)));
    let (head, body) = request.split_at(request.find("\r\n\r\n").unwrap() + 4);
    assert_eq!(client.ask(head).await.status(), 100);
    assert_eq!(client.ask(body).await.status(), 200);
}

#[tokio::test]
async fn a_refused_body_does_not_end_the_connection() {
    let simulator = perfect().await;
    let mut client = TestClient::new(&simulator).await;
    assert_eq!(client.ask(post("", "{}")).await.status(), 400);
    assert_eq!(client.ask(cancel(1)).await.status(), 200);
}
