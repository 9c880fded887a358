//! Clients that are slow on purpose, over real connections: each is dropped within its limit, and others are answered.

use std::net::SocketAddr;
use std::time::Duration;

use stockledger::http::{self, Limits, Patience, Serving};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::support::{PATIENCE, Service};

/// Far below what is usual, so that a test need not wait.
const SHORT: Duration = Duration::from_millis(300);
/// Beyond every test.
const LONG: Duration = Duration::from_secs(3_600);
/// How often a slow client sends a byte.
const DRIP: Duration = Duration::from_millis(20);

/// Limits that never end anything.
fn endless() -> Limits {
    Limits {
        handshake_within: LONG,
        head_within: LONG,
        idle_max: LONG,
        write_within: LONG,
        patience: Patience { body: LONG, line: LONG, pause: LONG },
        ..Limits::default()
    }
}

async fn serve(limits: Limits) -> (Service, SocketAddr) {
    let service = Service::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let connections = service.app.metrics().connections();
    let serving = Serving { limits, connections, ..Serving::default() };
    tokio::spawn(http::serve(listener, service.router.clone(), serving, CancellationToken::new()));
    (service, address)
}

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.expect("a connection")
}

/// What the server sends until it closes the connection, which it must do by itself.
async fn until_closed(connection: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let closed = timeout(PATIENCE, connection.read_to_end(&mut answer)).await;
    // A reset is a way to close.
    drop(closed.expect("the server closes the connection"));
    String::from_utf8_lossy(&answer).into_owned()
}

/// Sends a byte from time to time for as long as the server takes it; gives back what was answered.
async fn drip(connection: TcpStream, byte: &'static [u8]) -> String {
    let (mut from_server, mut to_server) = connection.into_split();
    let dripping = tokio::spawn(async move {
        let mut drops = interval(DRIP);
        while to_server.write_all(byte).await.is_ok() {
            drops.tick().await;
        }
    });
    let mut answer = Vec::new();
    let closed = timeout(PATIENCE, from_server.read_to_end(&mut answer)).await;
    drop(closed.expect("the server closes the connection"));
    dripping.abort();
    String::from_utf8_lossy(&answer).into_owned()
}

/// Asks on a connection of its own, as everybody else does meanwhile.
async fn assert_others_are_answered(address: SocketAddr) {
    let mut connection = connect(address).await;
    connection
        .write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let answer = until_closed(&mut connection).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn a_head_that_comes_drop_by_drop_is_not_waited_for() {
    let (_service, address) = serve(Limits { head_within: SHORT, ..endless() }).await;
    let mut connection = connect(address).await;
    connection.write_all(b"GET /livez HTTP/1.1\r\nx-slow: ").await.unwrap();
    let dripped = tokio::spawn(drip(connection, b"a"));
    assert_others_are_answered(address).await;
    assert_eq!(dripped.await.unwrap(), "");
    // Nor one of which nothing comes.
    assert_eq!(until_closed(&mut connect(address).await).await, "");
}

#[tokio::test]
async fn the_head_after_the_first_is_not_waited_for_either() {
    let (_service, address) = serve(Limits { head_within: SHORT, ..endless() }).await;
    let mut connection = connect(address).await;
    connection.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut begin = [0; 12];
    connection.read_exact(&mut begin).await.unwrap();
    assert_eq!(&begin, b"HTTP/1.1 200");
    // Idle it may be for long; a second head must come as quickly as the first.
    drip(connection, b"G").await;
}

#[tokio::test]
async fn a_connection_without_requests_is_closed() {
    let (_service, address) = serve(Limits { idle_max: SHORT, ..endless() }).await;
    let mut connection = connect(address).await;
    connection.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let answer = until_closed(&mut connection).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_others_are_answered(address).await;
}

#[tokio::test]
async fn a_body_that_comes_drop_by_drop_is_not_waited_for() {
    let patience = Patience { body: SHORT, ..endless().patience };
    let (_service, address) = serve(Limits { patience, ..endless() }).await;
    let mut connection = connect(address).await;
    let head = "POST /v1/sites/uk/receipts HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                idempotency-key: k\r\ncontent-length: 100000\r\n\r\n";
    connection.write_all(head.as_bytes()).await.unwrap();
    let dripped = tokio::spawn(drip(connection, b" "));
    assert_others_are_answered(address).await;
    let answer = dripped.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("\"request-timeout\""), "{answer}");
}

#[tokio::test]
async fn a_stream_of_commands_may_pause_but_not_drip() {
    for (patience, byte) in [
        (Patience { line: SHORT, ..endless().patience }, &b"1\r\n{\r\n"[..]),
        (Patience { pause: SHORT, ..endless().patience }, &b""[..]),
    ] {
        let (_service, address) = serve(Limits { patience, ..endless() }).await;
        let mut connection = connect(address).await;
        let line = "{\"command\":\"record_note\",\"site\":\"uk\",\"idempotency_key\":\"k\",\"body\":{\"note\":\"n\"}}\n";
        let head = format!(
            "POST /v1/bulk HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\n\
             transfer-encoding: chunked\r\n\r\n{:x}\r\n{line}\r\n",
            line.len()
        );
        connection.write_all(head.as_bytes()).await.unwrap();
        let dripped = tokio::spawn(drip(connection, byte));
        assert_others_are_answered(address).await;
        let answer = dripped.await.unwrap();
        assert!(answer.contains("\"status\":201"), "the whole line was done: {answer}");
        assert!(answer.contains("\"request-timeout\""), "{answer}");
    }
}

#[tokio::test]
async fn a_caller_that_never_reads_is_dropped() {
    let (_service, address) = serve(Limits { write_within: SHORT, ..endless() }).await;
    let connection = connect(address).await;
    let (mut from_server, mut to_server) = connection.into_split();
    // More answers than the buffers of both ends hold; sending stops when the server has dropped the connection.
    let asking = async {
        while to_server.write_all(b"GET /problems HTTP/1.1\r\nhost: localhost\r\n\r\n").await.is_ok() {}
    };
    timeout(PATIENCE, asking).await.expect("the server drops who does not read");
    assert_others_are_answered(address).await;
    let mut left = Vec::new();
    drop(timeout(PATIENCE, from_server.read_to_end(&mut left)).await.expect("it is closed"));
}

#[tokio::test]
async fn one_connection_too_many_is_told_so_and_has_room_again_later() {
    let (service, address) = serve(Limits { connections_max: 2, ..endless() }).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut connection = connect(address).await;
        connection.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let mut begin = [0; 12];
        connection.read_exact(&mut begin).await.unwrap();
        held.push(connection);
    }
    let mut refused = connect(address).await;
    refused.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let answer = until_closed(&mut refused).await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("retry-after: 1"), "{answer}");
    assert!(answer.contains("\"overloaded\""), "{answer}");
    let metrics = service.get("/metrics").await.expect(200).text;
    for count in ["open 2", "accepted_total 2", "refused_total{reason=\"server_full\"} 1"] {
        assert!(metrics.contains(&format!("stockledger_connections_{count}\n")), "{metrics}");
    }
    drop(held);
    let has_room = async {
        loop {
            let mut connection = connect(address).await;
            let head = b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
            if connection.write_all(head).await.is_ok()
                && until_closed(&mut connection).await.starts_with("HTTP/1.1 200")
            {
                return;
            }
        }
    };
    timeout(PATIENCE, has_room).await.expect("there is room again");
}
