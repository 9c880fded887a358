//! The accept loop without a network of its own: what it does when the system gives nothing.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::connection::Shared;
use super::limits::Limits;
use super::{Accept, accept};

const PATIENCE: Duration = Duration::from_secs(30);
/// What the system says when a process has as many files open as it may.
const EMFILE: i32 = 24;

/// Fails as often as it is told to, then accepts.
struct Failing {
    errors: VecDeque<std::io::Error>,
    listener: TcpListener,
}

impl Accept for Failing {
    async fn accept(&mut self) -> std::io::Result<(TcpStream, SocketAddr)> {
        match self.errors.pop_front() {
            Some(error) => Err(error),
            None => self.listener.accept().await,
        }
    }
}

#[tokio::test]
async fn accepting_goes_on_after_the_system_had_no_more_files() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let errors = [
        std::io::Error::from_raw_os_error(EMFILE),
        std::io::Error::from(std::io::ErrorKind::ConnectionAborted),
        std::io::Error::from_raw_os_error(EMFILE),
    ];
    let router = Router::new().route("/", axum::routing::get(async || "here"));
    let shutdown = CancellationToken::new();
    let shared = Shared { router, limits: Limits::default(), tls: None, shutdown: shutdown.clone() };
    let failing = Failing { errors: errors.into(), listener };
    let accepting =
        tokio::spawn(async move { accept(failing, shared, &crate::metrics::Connections::default()).await });
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, connection.read_to_string(&mut answer)).await.expect("answered").unwrap();
    assert!(answer.ends_with("here"), "{answer}");
    shutdown.cancel();
    let mut left = timeout(PATIENCE, accepting).await.expect("it stops").unwrap();
    while let Some(ended) = left.join_next().await {
        ended.unwrap();
    }
}
