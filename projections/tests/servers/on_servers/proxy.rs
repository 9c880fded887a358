//! A proxy between a store and its server that can lose the reply to a COMMIT, or everything, with and without a word.
//!
//! It understands one thing of the protocol: the packet that carries a COMMIT. So it is of use without TLS only.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// The length of the packet, its number, the command "query", and the text.
const COMMIT_PACKET: &[u8] = b"\x07\x00\x00\x00\x03COMMIT";

/// What is done with the next COMMIT, once.
pub(crate) enum Cut {
    /// The server gets it and answers; the client never hears of it.
    Reply,
    /// The server does not get it and its side is closed; the client's side is closed when the receiver says so.
    Request { is_cut: oneshot::Sender<()>, go_on: oneshot::Receiver<()> },
}

/// A proxy that forwards until it is dropped or told otherwise.
pub(crate) struct Proxy {
    server: String,
    pub(crate) port: u16,
    next_cut: Arc<Mutex<Option<Cut>>>,
    /// Connections end when the sender is replaced.
    open: watch::Sender<()>,
    is_silent: watch::Sender<bool>,
    listening: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn start(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let next_cut = Arc::default();
        let open = watch::channel(()).0;
        let is_silent = watch::channel(false).0;
        let line =
            Line { server: server.to_owned(), next_cut: Arc::clone(&next_cut), is_silent: is_silent.clone() };
        let listening = tokio::spawn(listen(listener, line, open.subscribe()));
        Self { server: server.to_owned(), port, next_cut, open, is_silent, listening }
    }

    pub(crate) fn cut_next(&self, cut: Cut) {
        *self.next_cut.lock().unwrap() = Some(cut);
    }

    /// Whether no cut is left to be made.
    pub(crate) fn has_cut(&self) -> bool {
        self.next_cut.lock().unwrap().is_none()
    }

    /// Ends all connections and takes no new ones, as a server that is gone.
    pub(crate) async fn vanish(&mut self) {
        self.listening.abort();
        let _ = (&mut self.listening).await;
        self.open = watch::channel(()).0;
    }

    /// Is there again after [`Proxy::vanish`], on the same port.
    pub(crate) async fn appear(&mut self) {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], self.port))).await.unwrap();
        let line = Line {
            server: self.server.clone(),
            next_cut: Arc::clone(&self.next_cut),
            is_silent: self.is_silent.clone(),
        };
        self.listening = tokio::spawn(listen(listener, line, self.open.subscribe()));
    }

    /// Nothing passes any more and nothing is closed, as with a host that lost its power.
    pub(crate) fn fall_silent(&self) {
        self.is_silent.send_replace(true);
    }

    /// Ends [`Proxy::fall_silent`] for connections that are made from now on; those from before never hear again.
    pub(crate) fn speak_to_newcomers(&self) {
        self.is_silent.send_replace(false);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// What a connection needs to know.
#[derive(Clone)]
struct Line {
    server: String,
    next_cut: Arc<Mutex<Option<Cut>>>,
    is_silent: watch::Sender<bool>,
}

async fn listen(listener: TcpListener, line: Line, open: watch::Receiver<()>) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let (line, mut open) = (line.clone(), open.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = forward(client, line) => {}
                // The sender is gone: nothing is ever sent.
                _ = open.changed() => {}
            }
        });
    }
}

/// Forwards both ways until one side closes, or until a COMMIT is to be cut off.
async fn forward(client: TcpStream, line: Line) {
    let Line { server, next_cut, is_silent } = line;
    let mut is_silent = is_silent.subscribe();
    if *is_silent.borrow_and_update() {
        std::future::pending::<()>().await;
    }
    let Ok(upstream) = TcpStream::connect(server).await else { return };
    client.set_nodelay(true).unwrap();
    upstream.set_nodelay(true).unwrap();
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = upstream.into_split();
    let mut requests = vec![0; 64 << 10];
    let mut replies = vec![0; 64 << 10];
    loop {
        tokio::select! {
            biased;
            // Whether it fell silent or speaks to others again: this connection is not heard of any more.
            _ = is_silent.changed() => std::future::pending().await,
            read = from_client.read(&mut requests) => {
                let request = match read {
                    Ok(length) if length > 0 => &requests[..length],
                    _ => return,
                };
                let cut = if request.ends_with(COMMIT_PACKET) { next_cut.lock().unwrap().take() } else { None };
                match cut {
                    None => if to_server.write_all(request).await.is_err() { return },
                    Some(Cut::Reply) => {
                        to_server.write_all(request).await.unwrap();
                        assert!(from_server.read(&mut replies).await.unwrap() > 0);
                        return;
                    }
                    Some(Cut::Request { is_cut, go_on }) => {
                        drop((to_server, from_server));
                        is_cut.send(()).unwrap();
                        go_on.await.unwrap();
                        return;
                    }
                }
            }
            read = from_server.read(&mut replies) => {
                match read {
                    Ok(length) if length > 0 => {
                        if to_client.write_all(&replies[..length]).await.is_err() { return }
                    }
                    _ => return,
                }
            }
        }
    }
}
