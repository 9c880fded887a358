//! Free loopback ports.

use std::net::{Ipv4Addr, TcpListener};
use std::process;

use anyhow::{Context as _, Result};

/// Below the range from which operating systems take the ports of outgoing connections. A server that is killed and
/// started again at its port would otherwise find it taken by a client now and then.
const FIRST: u16 = 15_000;
const LAST: u16 = 31_999;

/// Gives out ports on which nobody listens, none of them twice.
pub(crate) struct Ports {
    next: u16,
    left: u16,
}

impl Ports {
    /// Begins at a place of its own in each process, so that two that run at the same time rarely meet.
    pub(crate) fn new() -> Self {
        let offset = u16::try_from(process::id() % 1_000).unwrap_or_default() * 16;
        Self { next: FIRST + offset, left: LAST - FIRST }
    }

    /// The next free port.
    pub(crate) fn take(&mut self) -> Result<u16> {
        while self.left > 0 {
            let port = self.next;
            self.next = if port == LAST { FIRST } else { port + 1 };
            self.left -= 1;
            if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(port);
            }
        }
        None.with_context(|| format!("no port from {FIRST} to {LAST} is free"))
    }
}

#[cfg(test)]
mod tests {
    use super::{FIRST, Ipv4Addr, LAST, Ports, TcpListener};

    #[test]
    fn passes_over_a_port_that_is_taken_and_gives_none_twice() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let first = taken.local_addr().unwrap().port();
        let mut ports = Ports { next: first, left: 100 };
        let (second, third) = (ports.take().unwrap(), ports.take().unwrap());
        assert!(second != first && third != first && second != third);
    }

    #[test]
    fn begins_again_after_the_last_and_ends_when_all_were_tried() {
        let mut ports = Ports { next: LAST, left: 2 };
        assert!(ports.take().is_ok_and(|port| port == LAST || port == FIRST));
        let mut none = Ports { next: FIRST, left: 0 };
        assert!(none.take().unwrap_err().to_string().contains("is free"));
    }
}
