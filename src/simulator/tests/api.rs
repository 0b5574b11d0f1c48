//! What the simulator makes of requests, as the API has it.

use std::time::{Duration, Instant};

use super::*;

#[tokio::test]
async fn an_order_is_cancelled_as_in_the_documents_sample() {
    let simulator = perfect().await;
    let seen = ask(&simulator, cancel(129_409)).await;
    let ClientView::Answer { status: 200, head, body } = seen else { panic!("{seen:?}") };
    assert!(head.contains("Content-Type: application/json"), "{head}");
    let sample = r#"{"Message":"Order Canceled Successfully","Status":true,"ErrorCode":"ERR01160","ResponseData":null}"#;
    assert_eq!(body, sample);
    let state = simulator.orders()[&order(129_409)];
    assert_eq!((state.requests, state.cancelled), (1, true));
}

#[tokio::test]
async fn an_order_is_cancelled_once_and_rejected_after() {
    let simulator = perfect().await;
    let mut client = TestClient::new(&simulator).await;
    assert_eq!(client.ask(cancel(1)).await.json()["Status"], true);
    let again = client.ask(cancel(1)).await.json();
    assert_eq!(again["Status"], false);
    assert_eq!(again["ErrorCode"], "SIMULATOR_ALREADY_CANCELLED");
    let stats = simulator.stop().await;
    assert_eq!(
        (stats.orders_asked, stats.orders_cancelled, stats.orders_cancelled_again),
        (1, 1, 0)
    );
}

#[tokio::test]
async fn orders_that_cannot_be_cancelled_are_rejected_with_made_up_codes() {
    let all = Share::ALL;
    for (settings, code) in [
        (SimulatorSettings { printed: all, ..SimulatorSettings::default() }, "SIMULATOR_PRINTED"),
        (SimulatorSettings { unknown: all, ..SimulatorSettings::default() }, "SIMULATOR_UNKNOWN"),
        (
            SimulatorSettings { cancelled_before: all, ..SimulatorSettings::default() },
            "SIMULATOR_ALREADY_CANCELLED",
        ),
    ] {
        let simulator = start(settings).await.unwrap();
        let seen = ask(&simulator, cancel(1)).await;
        assert_eq!((seen.status(), &seen.json()["Status"]), (200, &false.into()));
        assert_eq!(seen.json()["ErrorCode"], code);
        assert!(!simulator.orders()[&order(1)].cancelled);
    }
}

#[tokio::test]
async fn what_the_api_does_not_take_is_refused_and_nothing_is_done() {
    let simulator = perfect().await;
    let good = body(order(1));
    for (request, status) in [
        (post("", "cancel it, please"), 400),
        (post("", ""), 400),
        (post("", &good.replace("Source", "Sauce")), 400),
        (post("", &good.replace("Web", &"W".repeat(51))), 400),
        (cancel(1).replace(PATH, "/"), 404),
        (cancel(1).replace("POST", "PUT"), 405),
        (
            format!(
                "POST {PATH} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{{\r\n0\r\n\r\n"
            ),
            411,
        ),
        (post("", &" ".repeat(64 * 1024 + 1)), 413),
        (post(&format!("X: {}\r\n", "x".repeat(16 * 1024)), &good), 431),
        ("\u{0}\u{1}garbage\r\n\r\n".to_owned(), 400),
        ("GET /\r\n\r\n".to_owned(), 400),
    ] {
        let seen = ask(&simulator, &request).await;
        assert_eq!(seen.status(), status, "{request:.60}");
        assert_eq!(seen.json()["Status"], false);
        assert!(seen.json()["Message"].as_str().is_some_and(|message| !message.is_empty()));
        assert_eq!(seen.head().contains("Allow: POST"), status == 405);
    }
    assert_eq!(ask(&simulator, cancel(2)).await.json()["Status"], true);
    let stats = simulator.stop().await;
    assert_eq!((stats.requests, stats.orders_asked), (12, 1));
    assert_eq!(stats.answered[&Answer::BadRequest], 6);
}

#[tokio::test]
async fn a_request_over_capacity_is_answered_with_retry_after_and_nothing_is_done() {
    let simulator = start(SimulatorSettings { capacity: Some(1), ..SimulatorSettings::default() })
        .await
        .unwrap();
    let mut client = TestClient::new(&simulator).await;
    // One packet, so both arrive at the same time.
    client.send([cancel(1), cancel(2)].concat()).await;
    assert_eq!(client.read().await.status(), 200);
    let refused = client.read().await;
    assert_eq!(refused.status(), 429);
    assert!(refused.head().contains("Retry-After: 1"));
    let state = simulator.orders()[&order(2)];
    assert_eq!((state.requests, state.over_capacity, state.cancelled), (1, 1, false));
    let stats = simulator.stop().await;
    assert_eq!(stats.answered[&Answer::OverCapacity], 1);
    assert_eq!((stats.requests, stats.peak_any_second), (2, 2));
}

#[tokio::test]
async fn an_answer_takes_as_long_as_is_configured() {
    let delay = Duration::from_millis(30);
    let settings =
        SimulatorSettings { latency: Latency::fixed(delay), ..SimulatorSettings::default() };
    let simulator = start(settings).await.unwrap();
    let asked = Instant::now();
    assert_eq!(ask(&simulator, cancel(1)).await.status(), 200);
    assert!(asked.elapsed() >= delay);
}

/// A login with the password, or with this refresh token.
fn log_in(refresh_token: Option<&str>) -> String {
    let (kind, password) = match refresh_token {
        Some(_) => ("RefreshToken", None),
        None => ("AccessToken", Some("s3cret")),
    };
    let body = serde_json::json!({
        "Source": "WEB", "ExternalIP": "10.0.0.1", "APIVersion": "2.0", "UserID": "me",
        "Password": password, "GrantType": kind, "RefreshToken": refresh_token
    })
    .to_string();
    let length = body.len();
    format!("POST {LOGIN_PATH} HTTP/1.1\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// The status of a call that carries the token of this number.
async fn status_with_token(simulator: &Simulator, number: &str) -> u16 {
    let header = format!("Authorization: Bearer simulator-token-{number}\r\n");
    ask(simulator, post(&header, &body(order(1)))).await.status()
}

#[tokio::test]
async fn a_login_gives_a_token_that_holds_until_it_expires() {
    let settings = SimulatorSettings {
        require_login: true,
        token_lifetime: Some(1),
        ..SimulatorSettings::default()
    };
    let simulator = start(settings).await.unwrap();
    assert_eq!(ask(&simulator, cancel(1)).await.status(), 401);
    assert_eq!(status_with_token(&simulator, "0").await, 401);
    let answer = ask(&simulator, log_in(None)).await.json();
    assert_eq!(answer["ResponseData"]["AccessToken"], "simulator-token-0");
    assert_eq!(answer["ResponseData"]["ExpiresIn"], 1);
    assert_eq!(status_with_token(&simulator, "0").await, 200);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(status_with_token(&simulator, "0").await, 401);
    let again = ask(&simulator, log_in(Some("simulator-refresh-0"))).await.json();
    assert_eq!(again["ResponseData"]["AccessToken"], "simulator-token-1");
    assert_eq!(status_with_token(&simulator, "1").await, 200);
    assert_eq!(ask(&simulator, log_in(Some("another"))).await.json()["Status"], false);
    let stats = simulator.stop().await;
    assert_eq!((stats.logins, stats.requests, stats.orders_cancelled), (3, 5, 1));
}

#[tokio::test]
async fn a_login_can_be_refused_in_every_way() {
    for (login, status, accepted) in [
        (LoginBehavior::WrongPassword, 401, false),
        (LoginBehavior::StatusFalse, 200, false),
        (LoginBehavior::ExpiredToken, 200, true),
        (LoginBehavior::RefuseRefresh, 200, true),
    ] {
        let simulator =
            start(SimulatorSettings { login, ..SimulatorSettings::default() }).await.unwrap();
        let seen = ask(&simulator, log_in(None)).await;
        assert_eq!((seen.status(), &seen.json()["Status"]), (status, &accepted.into()));
        if accepted {
            let holds = login == LoginBehavior::RefuseRefresh;
            assert_eq!(status_with_token(&simulator, "0").await == 200, holds);
            let refresh = ask(&simulator, log_in(Some("simulator-refresh-0"))).await.json();
            assert_eq!(refresh["Status"], !holds);
        }
    }
    let simulator = perfect().await;
    for wrong in ["UserID", "Password", "GrantType", "ExternalIP"] {
        let request = log_in(None).replace(wrong, &"X".repeat(wrong.len()));
        assert_eq!(ask(&simulator, request).await.status(), 400, "{wrong}");
    }
}
