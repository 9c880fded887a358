//! What is made to suffer: nodes of the real program, three brokers, a database, and what stands between them.
//!
//! ```text
//! clients -> a: writer          --- detour of the brokers (proxies) ---> kafka3
//! clients -> b: writer          ---------------------------------------> kafka3
//! clients -> c: projector, api  --- detour of the brokers (proxies) ---> kafka3
//!                               --- proxy -----------------------------> mysql-faulty
//! ```
//!
//! Both writers write every partition, so they take them from each other whenever they can. The data directory of `a` is
//! a small disk.

use std::path::Path;
use std::process;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::disk::SmallDisk;
use super::http::{Answer, Client};
use super::node::{Node, Supervisor};
use super::place::Place;
use super::proxy::{Mode, Proxy};
use super::random;
use crate::services::{Detour, Kind, Ports, Running, fault};
use crate::wait;

/// The servers that a run may do with as it likes.
pub(crate) const SERVERS: [Kind; 2] = [Kind::Kafka3, Kind::MysqlFaulty];
/// Where stock is; enough sites that some share a partition and some do not.
pub(crate) const SITES: [&str; 4] = ["north", "east", "south", "west"];
const PARTITIONS: usize = 3;
/// How long nodes may take until all is well again once nothing stands in their way.
const HEAL_TIME_MAX: Duration = Duration::from_secs(120);

/// Who is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cast {
    /// Two writers, proxies and a small disk.
    Full,
    /// One writer, and nothing in between.
    Plain,
}

/// A ledger with everything around it.
pub(crate) struct Rig {
    root: &'static Path,
    pub(crate) place: Place,
    /// Dropped first, so that nothing is started again while the rest goes.
    supervisor: Option<Supervisor>,
    pub(crate) writers: Vec<Arc<Node>>,
    pub(crate) projector: Arc<Node>,
    pub(crate) between: Between,
    /// Stopped when all else is gone, if this started them.
    _servers: Running<'static>,
}

/// What stands between the nodes and what they need.
#[derive(Default)]
pub(crate) struct Between {
    /// One for each broker.
    pub(crate) brokers: Vec<Proxy>,
    pub(crate) database: Option<Proxy>,
    pub(crate) disk: Option<SmallDisk>,
}

impl Rig {
    /// Starts everything and waits until it works.
    pub(crate) fn start(root: &'static Path, cast: Cast) -> Result<Self> {
        // A run that was killed may have left servers that stand still.
        for kind in SERVERS {
            let _ = fault::resume(root, kind, None);
        }
        let servers = Running::start(root, &SERVERS)?;
        // One run of tests has several rigs.
        let name = format!("chaos_{}_{}", process::id(), random::new_seed());
        let database = servers.address(Kind::MysqlFaulty)?.rsplit_once('/').context("a database URL")?.0;
        let log = format!("kafka://{}/{name}", servers.address(Kind::Kafka3)?);
        let place = Place::new(root, log, format!("{database}/{name}"))?;
        for node in ["a", "b", "c"] {
            let _ = std::fs::remove_file(place.directory.join(node).with_extension("log"));
            let _ = std::fs::remove_dir_all(place.directory.join(node));
        }
        let (between, log, tables) = match cast {
            Cast::Full => Between::start(root, &place, &name)?,
            Cast::Plain => (Between::default(), place.log.clone(), place.tables.clone()),
        };
        let mut ports = Ports::new();
        let mut node = |name: &'static str, roles: &str, log: &str| -> Result<Arc<Node>> {
            let said = place.directory.join(name).with_extension("log");
            let mut settings = place.settings(name, log, &tables);
            settings.extend(["--roles", roles].map(ToOwned::to_owned));
            Ok(Arc::new(Node::new(name, ports.take()?, &place.program, said).with(settings)))
        };
        let mut writers = vec![node("a", "writer", &log)?];
        if cast == Cast::Full {
            writers.push(node("b", "writer", &place.log)?);
        }
        let projector = node("c", "projector,api", &log)?;
        let mut rig = Self { root, place, supervisor: None, writers, projector, between, _servers: servers };
        rig.begin()?;
        Ok(rig)
    }

    fn begin(&mut self) -> Result<()> {
        self.place.run(&["init", "--partitions", &PARTITIONS.to_string()])?;
        let nodes = self.nodes();
        nodes.iter().try_for_each(|node| node.start())?;
        self.supervisor = Some(Supervisor::start(nodes));
        self.until_ready(&self.projector)?;
        for site in SITES {
            let is_open = || self.put_anywhere(&format!("/v1/sites/{site}"), &json!({ "name": site }));
            ensure!(wait::until(HEAL_TIME_MAX, is_open), "site {site} cannot be opened");
        }
        Ok(())
    }

    fn put_anywhere(&self, path: &str, body: &Value) -> bool {
        let client = Client::new(Duration::from_secs(15));
        let put = |node: &Arc<Node>| client.put(&format!("{}{path}", node.url), body);
        self.writers.iter().any(|node| put(node).is_ok_and(|answer| answer.status < 300))
    }

    pub(crate) fn nodes(&self) -> Vec<Arc<Node>> {
        self.writers.iter().chain([&self.projector]).cloned().collect()
    }

    pub(crate) fn node(&self, name: &str) -> Result<Arc<Node>> {
        self.nodes().into_iter().find(|node| node.name == name).with_context(|| format!("no node {name}"))
    }

    /// Kills a broker, counted from 1, or all of them, or the database.
    pub(crate) fn kill(&self, kind: Kind, number: Option<usize>) -> Result<()> {
        fault::kill(self.root, kind, number)
    }

    /// Returns when it answers again.
    pub(crate) fn restart(&self, kind: Kind, number: Option<usize>) -> Result<()> {
        fault::start(self.root, kind, number)
    }

    pub(crate) fn pause(&self, kind: Kind, number: Option<usize>) -> Result<()> {
        fault::pause(self.root, kind, number)
    }

    pub(crate) fn resume(&self, kind: Kind, number: Option<usize>) -> Result<()> {
        fault::resume(self.root, kind, number)
    }

    /// Ends every fault that there may be, and waits until every node can do all that it is there for. Of several writers
    /// only the first goes on: as long as there are two, one of them is not ready.
    pub(crate) fn heal(&self) -> Result<()> {
        for kind in SERVERS {
            self.resume(kind, None)?;
            self.restart(kind, None)?;
        }
        self.between.brokers.iter().chain(&self.between.database).for_each(|proxy| proxy.set(Mode::Open));
        self.between.disk.iter().try_for_each(SmallDisk::free)?;
        for node in self.nodes() {
            node.resume();
            node.set_skew(0);
        }
        for other in self.writers.iter().skip(1) {
            other.terminate()?;
        }
        // A partition that stopped, because a clock was wrong, is led again after a start.
        if let Some(first) = self.writers.first() {
            first.terminate()?;
        }
        let (first, projector) = (self.first_writer()?, &self.projector);
        first.start()?;
        projector.start()?;
        self.until_ready(first)?;
        self.until_ready(projector)
    }

    pub(crate) fn first_writer(&self) -> Result<&Arc<Node>> {
        self.writers.first().context("there is always a writer")
    }

    /// Waits until a node says that it is ready; how long it took.
    pub(crate) fn until_ready(&self, node: &Node) -> Result<()> {
        let mut last = None;
        let is_ready = wait::until(HEAL_TIME_MAX, || {
            last = readiness(node);
            last.as_ref().is_some_and(|answer| answer.status == 200)
        });
        let said = last.map_or_else(|| "nothing".to_owned(), |answer| answer.body.to_string());
        ensure!(
            is_ready,
            "{} is not ready {HEAL_TIME_MAX:?} after all was mended, and says {said}",
            node.name
        );
        Ok(())
    }

    /// Ends all nodes in order.
    pub(crate) fn stop(&self) -> Result<()> {
        self.nodes().iter().try_for_each(|node| node.terminate())
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        // Nothing is started again from here on.
        self.supervisor = None;
        for node in self.nodes() {
            let _ = node.kill();
        }
        for kind in SERVERS {
            let _ = self.resume(kind, None);
        }
    }
}

impl Between {
    /// With the log and the tables as they are reached this way.
    fn start(root: &Path, place: &Place, topic: &str) -> Result<(Self, String, String)> {
        let detours = fault::detours(root, Kind::Kafka3)?;
        let proxy = |detour: &Detour| Proxy::start(detour.named_port, detour.listening_port);
        let brokers: Vec<Proxy> = detours.iter().map(proxy).collect::<Result<_>>()?;
        let port = port_of(&place.tables)?;
        let database = Proxy::start(0, port)?;
        let named = brokers.iter().map(|proxy| format!("127.0.0.1:{}", proxy.port()));
        let log = format!("kafka://{}/{topic}", named.collect::<Vec<_>>().join(","));
        let tables = place.tables.replace(&format!(":{port}/"), &format!(":{}/", database.port()));
        let disk = SmallDisk::mount(&place.directory.join("a"))?;
        Ok((Self { brokers, database: Some(database), disk }, log, tables))
    }
}

/// What a node says of itself.
pub(crate) fn readiness(node: &Node) -> Option<Answer> {
    Client::new(Duration::from_secs(5)).get(&format!("{}/readyz", node.url), &[]).ok()
}

fn port_of(address: &str) -> Result<u16> {
    let behind = address.rsplit_once(':').map(|(_, behind)| behind);
    let port = behind.and_then(|behind| behind.split('/').next()).context("an address has a port")?;
    port.parse().with_context(|| format!("{port:?} is no port"))
}

#[cfg(test)]
mod tests {
    use super::port_of;

    #[test]
    fn the_port_of_a_database_is_found() {
        assert_eq!(port_of("mysql://stockledger:stockledger@127.0.0.1:24977/chaos").unwrap(), 24_977);
        assert!(port_of("mysql://nobody").is_err());
    }
}
