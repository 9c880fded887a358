//! The connections of a server, counted.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::counted;
use super::labels::ReasonLabel;

/// The connections of a server. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Connections {
    open: Gauge,
    accepted: Counter,
    refused: Family<ReasonLabel, Counter>,
}

/// A connection that is open as long as this is kept.
#[derive(Debug)]
pub(crate) struct Open(Gauge);

impl Connections {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let connections = Self {
            open: counted(registry, "connections_open", "Connections that are open"),
            accepted: counted(registry, "connections_accepted", "Connections that were let in"),
            refused: counted(registry, "connections_refused", "Connections that were one too many"),
        };
        // Shown before the first, so that a rate can be told from the first on.
        for reason in ["server_full", "peer_full"] {
            drop(connections.refused.get_or_create(&ReasonLabel { reason }));
        }
        connections
    }

    /// A connection was let in.
    pub(crate) fn accept(&self) -> Open {
        self.accepted.inc();
        self.open.inc();
        Open(self.open.clone())
    }

    /// A connection was refused.
    pub(crate) fn refuse(&self, reason: &'static str) {
        self.refused.get_or_create(&ReasonLabel { reason }).inc();
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}
