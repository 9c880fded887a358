//! A proxy between a client and a server that cuts connections off, holds them, or loses what the server replies.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// How soon a connection learns that things have changed.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const BUFFER_BYTES: usize = 64 << 10;

/// What becomes of what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It arrives.
    Open,
    /// Connections end, and none can be made.
    Cut,
    /// Nothing arrives and nothing ends, until it is open again: as behind a switch that is overloaded.
    Held,
    /// What the client sends arrives; what the server replies is lost, and so is the connection in the end.
    Mute,
}

impl Mode {
    const ALL: [Self; 4] = [Self::Open, Self::Cut, Self::Held, Self::Mute];
}

#[derive(Clone)]
struct Switch(Arc<AtomicU8>);

impl Switch {
    fn get(&self) -> Mode {
        Mode::ALL[usize::from(self.0.load(Ordering::Acquire)) % Mode::ALL.len()]
    }
}

/// A proxy that works as long as this process does.
pub(crate) struct Proxy {
    port: u16,
    switch: Switch,
}

impl Proxy {
    /// Forwards from one port of this machine to another, or from a free one if it is 0.
    pub(crate) fn start(port: u16, to: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        let listener = listener.with_context(|| format!("listening on port {port} for a proxy"))?;
        let port = listener.local_addr().context("looking for the port of a proxy")?.port();
        let switch = Switch(Arc::default());
        let shared = switch.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let switch = shared.clone();
                thread::spawn(move || connect(&client, to, &switch));
            }
        });
        Ok(Self { port, switch })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.switch.0.store(mode as u8, Ordering::Release);
    }
}

fn connect(client: &TcpStream, to: u16, switch: &Switch) {
    if until_not_held(switch) == Mode::Cut {
        return;
    }
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, to)) else { return };
    let halves = || -> std::io::Result<_> {
        for stream in [client, &server] {
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(LOOK_EVERY))?;
        }
        Ok((client.try_clone()?, server.try_clone()?))
    };
    let Ok((other_client, other_server)) = halves() else { return };
    let other_switch = switch.clone();
    let replies = thread::spawn(move || forward(&other_server, &other_client, &other_switch, true));
    forward(client, &server, switch, false);
    let _ = replies.join();
}

fn until_not_held(switch: &Switch) -> Mode {
    loop {
        match switch.get() {
            Mode::Held => thread::park_timeout(LOOK_EVERY),
            mode => return mode,
        }
    }
}

/// Forwards one way until one side closes or is cut off.
fn forward(mut from: &TcpStream, mut to: &TcpStream, switch: &Switch, are_replies: bool) {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut has_lost = false;
    loop {
        match until_not_held(switch) {
            Mode::Cut => break,
            // What comes now would not fit to what was lost.
            Mode::Open if has_lost => break,
            _ => {}
        }
        let length = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
            Err(_) => break,
        };
        let mode = until_not_held(switch);
        if are_replies && mode == Mode::Mute {
            has_lost = true;
        } else if mode == Mode::Cut || has_lost || to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

#[cfg(test)]
mod tests {
    use super::{Duration, ErrorKind, Mode, Proxy, TcpListener, TcpStream, thread};
    use std::io::{Read as _, Write as _};

    /// A server that says everything back.
    fn echo() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                thread::spawn(move || std::io::copy(&mut &stream, &mut &stream));
            }
        });
        port
    }

    fn connected(proxy: &Proxy) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    }

    fn exchange(mut stream: &TcpStream) -> std::io::Result<u8> {
        let mut byte = [0];
        stream.write_all(b"x")?;
        stream.read_exact(&mut byte)?;
        Ok(byte[0])
    }

    #[test]
    fn forwards_cuts_off_and_forwards_again() {
        let proxy = Proxy::start(0, echo()).unwrap();
        let stream = connected(&proxy);
        assert_eq!(exchange(&stream).unwrap(), b'x');
        proxy.set(Mode::Cut);
        assert!(exchange(&stream).is_err());
        assert!(exchange(&connected(&proxy)).is_err());
        proxy.set(Mode::Open);
        assert_eq!(exchange(&connected(&proxy)).unwrap(), b'x');
    }

    #[test]
    fn what_is_held_arrives_later() {
        let proxy = Proxy::start(0, echo()).unwrap();
        let stream = connected(&proxy);
        assert_eq!(exchange(&stream).unwrap(), b'x');
        proxy.set(Mode::Held);
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let error = exchange(&stream).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        proxy.set(Mode::Open);
        let mut byte = [0];
        (&stream).read_exact(&mut byte).unwrap();
        assert_eq!(byte, *b"x");
    }

    #[test]
    fn a_reply_that_was_lost_is_never_followed_by_another() {
        let proxy = Proxy::start(0, echo()).unwrap();
        let stream = connected(&proxy);
        assert_eq!(exchange(&stream).unwrap(), b'x');
        proxy.set(Mode::Mute);
        stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        assert!(exchange(&stream).is_err());
        proxy.set(Mode::Open);
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        assert!(exchange(&stream).is_err());
    }
}
