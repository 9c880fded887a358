//! How many connections there are, in all and of each peer.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::limits::Limits;

/// Who counts as one: an IPv4 address, or the network of 64 bits that an IPv6 address lies in, which one host may have for
/// itself.
#[must_use]
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

/// The connections that are open.
#[derive(Debug, Clone, Default)]
pub(super) struct Peers(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    /// Never more entries than there are connections.
    by_peer: HashMap<IpAddr, usize>,
}

/// Why a connection is one too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TooMany {
    InAll,
    OfThisPeer,
}

impl TooMany {
    /// The same in one word.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::InAll => "server_full",
            Self::OfThisPeer => "peer_full",
        }
    }
}

impl Peers {
    /// Lets a connection in; it counts until what is returned is dropped.
    pub(super) fn enter(&self, address: IpAddr, limits: &Limits) -> Result<Seat, TooMany> {
        // Loopback is told apart before addresses become networks.
        let peer = (!address.to_canonical().is_loopback()).then(|| network(address));
        let mut counts = self.counts();
        if counts.all >= limits.connections_max {
            return Err(TooMany::InAll);
        }
        if let Some(peer) = peer {
            let of_peer = counts.by_peer.get(&peer).copied().unwrap_or_default();
            if of_peer >= limits.connections_per_peer_max {
                return Err(TooMany::OfThisPeer);
            }
            counts.by_peer.insert(peer, of_peer + 1);
        }
        counts.all += 1;
        Ok(Seat { peers: self.clone(), peer })
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one connection.
#[derive(Debug)]
pub(super) struct Seat {
    peers: Peers,
    peer: Option<IpAddr>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.peers.counts();
        counts.all = counts.all.saturating_sub(1);
        let Some(peer) = self.peer else { return };
        if let Some(of_peer) = counts.by_peer.get_mut(&peer) {
            *of_peer -= 1;
            if *of_peer == 0 {
                counts.by_peer.remove(&peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: (usize, usize) = (5, 2);

    fn limits() -> Limits {
        let (connections_max, connections_per_peer_max) = LIMITS;
        Limits { connections_max, connections_per_peer_max, ..Limits::default() }
    }

    fn enter(peers: &Peers, address: &str) -> Result<Seat, TooMany> {
        peers.enter(address.parse().unwrap(), &limits())
    }

    #[test]
    fn one_peer_takes_only_its_share() {
        let peers = Peers::default();
        let first = enter(&peers, "192.0.2.1").unwrap();
        let _second = enter(&peers, "::ffff:192.0.2.1").unwrap();
        assert_eq!(enter(&peers, "192.0.2.1").err(), Some(TooMany::OfThisPeer));
        let _other = enter(&peers, "192.0.2.2").unwrap();
        drop(first);
        let _again = enter(&peers, "192.0.2.1").unwrap();
        assert_eq!(peers.counts().by_peer.len(), 2);
    }

    #[test]
    fn an_ipv6_network_is_one_peer() {
        let peers = Peers::default();
        let _seats = [enter(&peers, "2001:db8::1").unwrap(), enter(&peers, "2001:db8::ffff:1").unwrap()];
        assert_eq!(enter(&peers, "2001:db8::2").err(), Some(TooMany::OfThisPeer));
        assert!(enter(&peers, "2001:db8:0:1::1").is_ok());
    }

    #[test]
    fn this_machine_is_bound_by_the_whole_only() {
        let peers = Peers::default();
        let seats: Vec<Seat> = (0..5).map(|_| enter(&peers, "127.0.0.1").unwrap()).collect();
        assert_eq!(enter(&peers, "::1").err(), Some(TooMany::InAll));
        drop(seats);
        assert_eq!(peers.counts().all, 0);
        assert!(peers.counts().by_peer.is_empty());
    }
}
