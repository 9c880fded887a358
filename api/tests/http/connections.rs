//! The service over real connections: streaming both ways, callers that go away, and stopping.

use std::time::Duration;

use stockledger::http;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::support::{PATIENCE, Service};

struct Served {
    service: Service,
    address: std::net::SocketAddr,
    shutdown: CancellationToken,
    server: JoinHandle<()>,
}

async fn serve() -> Served {
    let service = Service::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let shutdown = CancellationToken::new();
    let server = tokio::spawn(http::serve(
        listener,
        service.router.clone(),
        http::Serving::default(),
        shutdown.clone(),
    ));
    Served { service, address, shutdown, server }
}

fn note_line(number: usize) -> String {
    format!(
        "{{\"command\":\"record_note\",\"site\":\"uk\",\"idempotency_key\":\"n-{number}\",\"body\":{{\"note\":\"n\"}}}}\n"
    )
}

async fn begin_bulk(address: std::net::SocketAddr) -> BufReader<TcpStream> {
    let mut connection = BufReader::new(TcpStream::connect(address).await.expect("a connection"));
    let head = "POST /v1/bulk HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\n\
                transfer-encoding: chunked\r\n\r\n";
    connection.write_all(head.as_bytes()).await.expect("the connection takes it");
    connection
}

async fn send_line(connection: &mut BufReader<TcpStream>, line: &str) {
    connection
        .write_all(format!("{:x}\r\n{line}\r\n", line.len()).as_bytes())
        .await
        .expect("the connection takes it");
}

/// Reads until a line of the answer holds this text.
async fn read_until(connection: &mut BufReader<TcpStream>, text: &str) -> String {
    loop {
        let mut line = String::new();
        let read = timeout(PATIENCE, connection.read_line(&mut line))
            .await
            .expect("a line in time")
            .expect("the connection gives it");
        assert!(read > 0, "the connection ended before {text}");
        if line.contains(text) {
            return line;
        }
    }
}

#[tokio::test]
async fn a_line_is_answered_while_the_request_is_still_being_sent() {
    let served = serve().await;
    let mut connection = begin_bulk(served.address).await;
    for number in 1..=3 {
        send_line(&mut connection, &note_line(number)).await;
        let answer = read_until(&mut connection, &format!("\"line\":{number}")).await;
        assert!(answer.contains("\"status\":201"), "{answer}");
    }
    connection.write_all(b"0\r\n\r\n").await.unwrap();
    read_until(&mut connection, "0\r\n").await;
}

#[tokio::test]
async fn what_was_sent_before_the_caller_went_away_is_done_once() {
    let served = serve().await;
    let mut connection = begin_bulk(served.address).await;
    send_line(&mut connection, &note_line(1)).await;
    read_until(&mut connection, "\"line\":1").await;
    drop(connection);
    let again = served.service.bulk(note_line(1)).await;
    assert_eq!(again[0]["replayed"], true);
}

#[tokio::test]
async fn stopping_lets_a_begun_request_end_and_takes_no_new_one() {
    let served = serve().await;
    let mut connection = begin_bulk(served.address).await;
    send_line(&mut connection, &note_line(1)).await;
    read_until(&mut connection, "\"line\":1").await;
    served.shutdown.cancel();
    send_line(&mut connection, &note_line(2)).await;
    read_until(&mut connection, "\"line\":2").await;
    connection.write_all(b"0\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    timeout(PATIENCE, connection.read_to_end(&mut rest)).await.expect("closed in time").unwrap();
    let ended = timeout(Duration::from_secs(10), served.server).await.expect("stops well before the bound");
    ended.unwrap();
    assert!(TcpStream::connect(served.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_stream_of_events_is_ended_when_the_server_stops() {
    let Served { service, address, shutdown, server } = serve().await;
    let mut connection = BufReader::new(TcpStream::connect(address).await.expect("a connection"));
    let head = "GET /v1/events/stream HTTP/1.1\r\nhost: localhost\r\n\r\n";
    connection.write_all(head.as_bytes()).await.expect("the connection takes it");
    read_until(&mut connection, "site_opened").await;
    let noted = service.post("/v1/sites/uk/notes", r#"{"note":"n"}"#).await.expect(201);
    read_until(&mut connection, &format!("\"position\":\"{}\"", noted.header("ledger-position"))).await;
    shutdown.cancel();
    // The last chunk: the answer was ended and not cut off.
    let mut last = String::new();
    timeout(PATIENCE, connection.read_to_string(&mut last)).await.expect("in time").expect("an end");
    assert!(last.ends_with("0\r\n\r\n"), "{last}");
    timeout(PATIENCE, server).await.expect("in time").expect("a server that ends well");
}
