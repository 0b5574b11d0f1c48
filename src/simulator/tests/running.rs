//! Starting, stopping, recording.

use std::time::Duration;

use super::faults::only;
use super::*;

const HEADER: &str = "received_at_ns,ended_at_ns,admin_number,sequence_number,nth,did,answer";

/// When a request arrived, and the other fields of its line, except when it ended.
fn received_and_rest(line: &str) -> (u64, &str) {
    let (received, rest) = line.split_once(',').unwrap();
    let (ended, rest) = rest.split_once(',').unwrap();
    let (received, ended): (u64, u64) = (received.parse().unwrap(), ended.parse().unwrap());
    assert!(received <= ended, "{line}");
    (received, rest)
}

/// How long each request took, once the record has this many.
async fn lengths(record: &std::path::Path, requests: usize) -> Vec<Duration> {
    let written = async {
        loop {
            let text = std::fs::read_to_string(record).unwrap();
            if text.ends_with('\n') && text.lines().count() > requests {
                return text;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let text = tokio::time::timeout(Duration::from_secs(10), written).await.unwrap();
    let times = text.lines().skip(1).map(|line| {
        let times: Vec<u64> = line.split(',').take(2).map(|time| time.parse().unwrap()).collect();
        Duration::from_nanos(times[1] - times[0])
    });
    times.collect()
}

#[tokio::test]
async fn the_record_shows_when_a_request_was_answered_or_its_client_had_gone() {
    const LATENCY: Duration = Duration::from_millis(600);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("record.csv");
    let latency = Latency::fixed(LATENCY);
    let settings =
        SimulatorSettings { record: Some(path.clone()), latency, ..SimulatorSettings::default() };
    let simulator = start(settings).await.unwrap();
    ask(&simulator, cancel(1)).await;
    let mut impatient = TestClient::new(&simulator).await;
    impatient.send(cancel(2)).await;
    while simulator.stats().requests < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    drop(impatient);
    let [answered, given_up] = lengths(&path, 2).await[..] else { panic!("one line a request") };
    assert!(answered >= LATENCY, "{answered:?}");
    assert!(given_up < LATENCY, "{given_up:?}");
}

#[tokio::test]
async fn a_request_that_is_never_answered_ends_when_its_client_goes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("record.csv");
    let settings = SimulatorSettings { record: Some(path.clone()), ..only(Fault::Hang) };
    let simulator = start(settings).await.unwrap();
    let mut client = TestClient::new(&simulator).await;
    client.send(cancel(1)).await;
    while simulator.stats().requests < 1 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(lengths(&path, 0).await.is_empty());
    drop(client);
    assert_eq!(lengths(&path, 1).await.len(), 1);
}

#[tokio::test]
async fn the_record_has_a_line_for_each_request() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("record.csv");
    let settings = SimulatorSettings { record: Some(path.clone()), ..only(Fault::DropAfter) };
    let simulator = start(settings).await.unwrap();
    ask(&simulator, cancel(5)).await;
    ask(&simulator, cancel(5)).await;
    ask(&simulator, "GET / HTTP/1.1\r\n\r\n").await;
    let stats = simulator.stop().await;
    assert_eq!(stats.record_error, None);
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some(HEADER));
    let (times, rest): (Vec<u64>, Vec<&str>) = lines.map(received_and_rest).unzip();
    assert_eq!(
        rest,
        ["5,1,1,cancelled,drop_after", "5,1,2,already_cancelled,drop_after", ",,,nothing,404"]
    );
    assert_eq!(
        (times.first(), times.last()),
        (stats.first_arrival_ns.as_ref(), stats.last_arrival_ns.as_ref())
    );
}

#[tokio::test]
async fn the_record_is_written_while_the_simulator_runs() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("record.csv");
    let settings = SimulatorSettings { record: Some(path.clone()), ..SimulatorSettings::default() };
    let simulator = start(settings).await.unwrap();
    ask(&simulator, cancel(1)).await;
    let written = async {
        while std::fs::read_to_string(&path).unwrap().lines().count() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(10), written).await;
    assert!(in_time.is_ok(), "nothing was written before the stop");
    simulator.stop().await;
}

#[tokio::test]
async fn stopping_frees_the_port_and_closes_connections() {
    let simulator = perfect().await;
    let mut client = TestClient::new(&simulator).await;
    assert_eq!(client.ask(cancel(1)).await.status(), 200);
    let port = simulator.address.port();
    assert_eq!(simulator.url(), format!("http://127.0.0.1:{port}"));
    simulator.stop().await;
    assert_eq!(client.read().await, ClientView::Closed);
    let again = start(SimulatorSettings { port, ..SimulatorSettings::default() }).await.unwrap();
    assert_eq!(ask(&again, cancel(1)).await.json()["Status"], true, "a new scenario");
}

#[tokio::test]
async fn a_simulator_that_cannot_start_says_why() {
    let running = perfect().await;
    let port = running.address.port();
    let taken =
        start(SimulatorSettings { port, ..SimulatorSettings::default() }).await.unwrap_err();
    assert!(taken.to_string().contains(&port.to_string()), "{taken}");
    let nowhere = Some(PathBuf::from("/nowhere/record.csv"));
    let lost = start(SimulatorSettings { record: nowhere, ..SimulatorSettings::default() })
        .await
        .unwrap_err();
    assert!(lost.to_string().contains("/nowhere/record.csv"), "{lost}");
    let greedy =
        SimulatorSettings { hang: Share::ALL, html: Share::ALL, ..SimulatorSettings::default() };
    assert!(matches!(start(greedy).await, Err(StartError::Settings(_))));
}

#[tokio::test]
async fn a_tally_can_be_read_by_machines() {
    let simulator = perfect().await;
    ask(&simulator, cancel(1)).await;
    let stats = serde_json::to_value(simulator.stop().await).unwrap();
    assert_eq!(stats["requests"], 1);
    assert_eq!(stats["answered"]["ok"], 1);
    assert_eq!(stats["faults"]["drop_before"], 0);
}
