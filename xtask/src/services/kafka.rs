//! Kafka 4.3 with one broker or three, each also a voter of the controller quorum.
//!
//! Apache publishes every jar of a broker as a Maven artifact. Maven fetches them by a small `pom.xml`, and `java` runs
//! them: no distribution has to be downloaded and nothing is installed.

use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::process;

use anyhow::{Context as _, Result};

use super::Kind;
use super::command::Command;
use super::container::{Container, ensure_network};
use super::kind::Product;
use super::member::Member;
use super::ports::Ports;
use super::process::Process;
use super::state::{Detour, Places, Service, remove_directory};
use super::tools::{ensure_java_and_maven, succeed};
use crate::report::say;

const VERSION: &str = "4.3.0";
/// Kafka speaks to slf4j 1, hence a binding for it and not for slf4j 2.
const LOG4J_VERSION: &str = "2.24.3";
/// What makes a broker small and quick to start.
const JAVA_OPTIONS: [&str; 2] = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
const LOG4J: &str = r#"<Configuration status="WARN">
  <Appenders>
    <Console name="console" target="SYSTEM_OUT"><PatternLayout pattern="%d %p %m (%c)%n%throwable"/></Console>
  </Appenders>
  <Loggers><Root level="WARN"><AppenderRef ref="console"/></Root></Loggers>
</Configuration>
"#;
const NETWORK: &str = "stockledger-test";
/// Ports inside a container, where nobody else is.
const BROKERS_PORT: u16 = 9094;
const CONTROLLER_PORT: u16 = 9093;

/// One broker: where others find it.
struct Broker {
    id: usize,
    /// For clients, on the loopback address of this machine.
    client_port: u16,
    /// A second way for clients, where a test may stand in between.
    detour: Option<Detour>,
    /// `host:port` for the other brokers.
    brokers: String,
    /// `host:port` for the other controllers.
    controller: String,
}

/// Brokers from published jars, with new data.
pub(super) fn processes(kind: Kind, places: &Places, ports: &mut Ports) -> Result<Service> {
    let libraries = libraries(&places.packages())?;
    let directory = places.data(kind);
    fs::create_dir_all(&directory).with_context(|| format!("creating {}", directory.display()))?;
    let log4j = directory.join("log4j2.xml");
    fs::write(&log4j, LOG4J).with_context(|| format!("writing {}", log4j.display()))?;
    let java = java(kind, &libraries, &log4j);
    let brokers = brokers_on_loopback(count(kind), ports)?;
    let cluster = cluster_id();
    let mut members = vec![];
    for broker in &brokers {
        let settings = write_settings(&directory, broker, &brokers)?;
        let format = ["kafka.tools.StorageTool", "format", "--cluster-id", &cluster, "--config", &settings];
        succeed(&mut java.clone().with(format).to_process())?;
        let command = java.clone().with(["kafka.Kafka", &settings]);
        members.push(Member::Process(Process::new(command, directory.join(format!("{}.log", broker.id)))));
    }
    Ok(service(kind, &brokers, members))
}

/// Brokers in containers, on a network of their own.
pub(super) fn containers(kind: Kind, ports: &mut Ports) -> Result<Service> {
    ensure_network(NETWORK)?;
    let brokers = brokers_in_containers(count(kind), ports)?;
    let cluster = cluster_id();
    let member = |broker: &Broker| {
        let arguments = container_arguments(kind, broker, &brokers, &cluster);
        Member::Container(Container::new(container_name(broker.client_port), arguments))
    };
    Ok(service(kind, &brokers, brokers.iter().map(member).collect()))
}

fn service(kind: Kind, brokers: &[Broker], members: Vec<Member>) -> Service {
    let detours = brokers.iter().filter_map(|broker| broker.detour).collect();
    Service { detours, ..Service::new(kind, address(brokers), members) }
}

fn count(kind: Kind) -> usize {
    if kind == Kind::Kafka3 { 3 } else { 1 }
}

fn address(brokers: &[Broker]) -> String {
    let addresses = brokers.iter().map(|broker| format!("127.0.0.1:{}", broker.client_port));
    addresses.collect::<Vec<_>>().join(",")
}

fn brokers_on_loopback(count: usize, ports: &mut Ports) -> Result<Vec<Broker>> {
    let mut local = |_| ports.take().map(|port| format!("127.0.0.1:{port}"));
    let hosts: Vec<(String, String)> =
        (0..count).map(|id| Ok((local(id)?, local(id)?))).collect::<Result<_>>()?;
    let named = hosts.into_iter().enumerate();
    named
        .map(|(index, (brokers, controller))| {
            let (client_port, detour) = (ports.take()?, detour(count, ports)?);
            Ok(Broker { id: index + 1, client_port, detour, brokers, controller })
        })
        .collect()
}

/// Three brokers have one each, since they are there for tests of faults.
fn detour(count: usize, ports: &mut Ports) -> Result<Option<Detour>> {
    if count == 1 {
        return Ok(None);
    }
    Ok(Some(Detour { listening_port: ports.take()?, named_port: ports.take()? }))
}

fn brokers_in_containers(count: usize, ports: &mut Ports) -> Result<Vec<Broker>> {
    (1..=count)
        .map(|id| {
            let (client_port, detour) = (ports.take()?, detour(count, ports)?);
            let name = container_name(client_port);
            let (brokers, controller) =
                (format!("{name}:{BROKERS_PORT}"), format!("{name}:{CONTROLLER_PORT}"));
            Ok(Broker { id, client_port, detour, brokers, controller })
        })
        .collect()
}

fn container_name(client_port: u16) -> String {
    format!("stockledger-kafka-{client_port}")
}

/// What a cluster is called: 16 bytes as 22 letters. Hexadecimal digits are letters of that alphabet too.
fn cluster_id() -> String {
    let random = RandomState::new();
    let digits = format!("{:016x}{:016x}", random.hash_one(1), random.hash_one(2));
    format!("{}A", &digits[..21])
}

/// The settings of one broker, but for where its data lies and what it listens on.
fn settings(broker: &Broker, brokers: &[Broker]) -> Vec<(&'static str, String)> {
    let voters = brokers.iter().map(|voter| format!("{}@{}", voter.id, voter.controller));
    let replicas = brokers.len().to_string();
    let in_sync = brokers.len().div_ceil(2).to_string();
    let mut advertised = format!("CLIENTS://127.0.0.1:{},BROKERS://{}", broker.client_port, broker.brokers);
    if let Some(detour) = broker.detour {
        advertised += &format!(",DETOUR://127.0.0.1:{}", detour.named_port);
    }
    let mut settings = vec![
        ("node.id", broker.id.to_string()),
        ("controller.quorum.voters", voters.collect::<Vec<_>>().join(",")),
        ("advertised.listeners", advertised),
        ("default.replication.factor", replicas.clone()),
        ("min.insync.replicas", in_sync.clone()),
        ("offsets.topic.replication.factor", replicas.clone()),
        ("transaction.state.log.replication.factor", replicas.clone()),
        ("transaction.state.log.min.isr", in_sync.clone()),
        ("share.coordinator.state.topic.replication.factor", replicas),
        ("share.coordinator.state.topic.min.isr", in_sync),
    ];
    settings.extend(COMMON_SETTINGS.map(|(name, value)| (name, value.to_owned())));
    settings
}

/// The second part makes tests quick: groups that form at once, few partitions inside, and a dead broker soon noticed.
const COMMON_SETTINGS: [(&str, &str); 11] = [
    ("process.roles", "broker,controller"),
    ("controller.listener.names", "CONTROLLER"),
    ("inter.broker.listener.name", "BROKERS"),
    (
        "listener.security.protocol.map",
        "CLIENTS:PLAINTEXT,DETOUR:PLAINTEXT,BROKERS:PLAINTEXT,CONTROLLER:PLAINTEXT",
    ),
    ("auto.create.topics.enable", "false"),
    ("group.initial.rebalance.delay.ms", "0"),
    ("group.min.session.timeout.ms", "1000"),
    ("offsets.topic.num.partitions", "1"),
    ("transaction.state.log.num.partitions", "1"),
    ("broker.session.timeout.ms", "3000"),
    ("broker.heartbeat.interval.ms", "500"),
];

fn write_settings(directory: &Path, broker: &Broker, brokers: &[Broker]) -> Result<String> {
    let data = directory.join(broker.id.to_string());
    let mut listeners = format!(
        "CLIENTS://127.0.0.1:{},BROKERS://{},CONTROLLER://{}",
        broker.client_port, broker.brokers, broker.controller
    );
    if let Some(detour) = broker.detour {
        listeners += &format!(",DETOUR://127.0.0.1:{}", detour.listening_port);
    }
    let mut settings = settings(broker, brokers);
    settings.extend([("listeners", listeners), ("log.dirs", data.display().to_string())]);
    let text: String = settings.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    let path = directory.join(format!("{}.properties", broker.id));
    fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    Ok(path.display().to_string())
}

/// The image takes a setting as a variable: `node.id` as `KAFKA_NODE_ID`.
fn container_arguments(kind: Kind, broker: &Broker, brokers: &[Broker], cluster: &str) -> Vec<String> {
    let port = broker.client_port;
    let mut listeners =
        format!("CLIENTS://:{port},BROKERS://:{BROKERS_PORT},CONTROLLER://:{CONTROLLER_PORT}");
    let mut published = vec![port];
    if let Some(Detour { listening_port, .. }) = broker.detour {
        listeners += &format!(",DETOUR://:{listening_port}");
        published.push(listening_port);
    }
    let mut settings = settings(broker, brokers);
    settings.extend([("listeners", listeners), ("log.dirs", "/tmp/kraft-combined-logs".to_owned())]);
    let variables = settings
        .iter()
        .map(|(name, value)| format!("KAFKA_{}={value}", name.replace('.', "_").to_uppercase()))
        .chain([format!("CLUSTER_ID={cluster}"), format!("KAFKA_HEAP_OPTS={}", heap(kind))]);
    let mut arguments = vec!["--network".to_owned(), NETWORK.to_owned()];
    let publish = |port: u16| ["--publish".to_owned(), format!("127.0.0.1:{port}:{port}")];
    arguments.extend(published.into_iter().flat_map(publish));
    arguments.extend(variables.flat_map(|variable| ["--env".to_owned(), variable]));
    arguments.push(Product::Kafka.image().to_owned());
    arguments
}

fn heap(kind: Kind) -> &'static str {
    if kind == Kind::Kafka3 { "-Xmx384m" } else { "-Xmx512m" }
}

fn java(kind: Kind, libraries: &Path, log4j: &Path) -> Command {
    Command::new("java").with([heap(kind)]).with(JAVA_OPTIONS).with([
        format!("-Dlog4j2.configurationFile={}", log4j.display()),
        "-cp".to_owned(),
        format!("{}/*", libraries.display()),
    ])
}

/// The directory of all jars, which is filled the first time and moved to its place when it is complete.
fn libraries(packages: &Path) -> Result<PathBuf> {
    ensure_java_and_maven()?;
    let directory = packages.join(format!("kafka-{VERSION}"));
    let libraries = directory.join("lib");
    if libraries.is_dir() {
        return Ok(libraries);
    }
    let partial = packages.join(format!("kafka-{VERSION}.partial"));
    remove_directory(&partial)?;
    fs::create_dir_all(&partial).with_context(|| format!("creating {}", partial.display()))?;
    fs::write(partial.join("pom.xml"), pom()).context("writing the pom.xml of Kafka")?;
    say(&format!("fetching Kafka {VERSION} with Maven"));
    let copy =
        ["-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=lib"];
    succeed(process::Command::new("mvn").args(copy).current_dir(&partial))?;
    fs::rename(&partial, &directory).with_context(|| format!("creating {}", directory.display()))?;
    Ok(libraries)
}

fn pom() -> String {
    let artifacts = [
        ("org.apache.kafka", "kafka_2.13", VERSION),
        ("org.apache.kafka", "kafka-tools", VERSION),
        ("org.apache.logging.log4j", "log4j-slf4j-impl", LOG4J_VERSION),
        ("org.apache.logging.log4j", "log4j-core", LOG4J_VERSION),
    ];
    let dependencies: String = artifacts.iter().map(|artifact| dependency(*artifact)).collect();
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\">\n  <modelVersion>4.0.0</modelVersion>\n  \
         <groupId>stockledger</groupId>\n  <artifactId>services</artifactId>\n  <version>1</version>\n  \
         <packaging>pom</packaging>\n  <dependencies>\n{dependencies}  </dependencies>\n</project>\n"
    )
}

fn dependency((group, artifact, version): (&str, &str, &str)) -> String {
    format!(
        "    <dependency>\n      <groupId>{group}</groupId>\n      <artifactId>{artifact}</artifactId>\n      \
         <version>{version}</version>\n    </dependency>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::{
        Broker, Kind, Ports, Product, brokers_in_containers, brokers_on_loopback, cluster_id,
        container_arguments, settings,
    };

    fn value(broker: &Broker, brokers: &[Broker], name: &str) -> String {
        let settings = settings(broker, brokers);
        let mut found = settings.iter().filter(|(known, _)| *known == name);
        let value = found.next().unwrap().1.clone();
        assert!(found.next().is_none(), "{name} is set twice");
        value
    }

    #[test]
    fn three_brokers_replicate_to_all_and_need_two() {
        let brokers = brokers_on_loopback(3, &mut Ports::new()).unwrap();
        for (index, broker) in brokers.iter().enumerate() {
            assert_eq!(value(broker, &brokers, "node.id"), (index + 1).to_string());
            assert_eq!(value(broker, &brokers, "default.replication.factor"), "3");
            assert_eq!(value(broker, &brokers, "min.insync.replicas"), "2");
            let voters = value(broker, &brokers, "controller.quorum.voters");
            assert_eq!(voters, value(&brokers[0], &brokers, "controller.quorum.voters"));
            assert!(voters.contains(&format!("{}@{}", broker.id, broker.controller)), "{voters}");
        }
    }

    #[test]
    fn a_detour_leads_past_a_port_where_no_broker_listens() {
        let brokers = brokers_on_loopback(3, &mut Ports::new()).unwrap();
        for broker in &brokers {
            let detour = broker.detour.unwrap();
            assert_ne!(detour.listening_port, detour.named_port);
            let named = format!("DETOUR://127.0.0.1:{}", detour.named_port);
            assert!(value(broker, &brokers, "advertised.listeners").ends_with(&named));
        }
        assert!(brokers_on_loopback(1, &mut Ports::new()).unwrap()[0].detour.is_none());
    }

    #[test]
    fn one_broker_is_enough_for_itself() {
        let brokers = brokers_on_loopback(1, &mut Ports::new()).unwrap();
        for name in ["default.replication.factor", "min.insync.replicas", "transaction.state.log.min.isr"] {
            assert_eq!(value(&brokers[0], &brokers, name), "1");
        }
    }

    #[test]
    fn a_container_is_reached_where_it_says() {
        let brokers = brokers_in_containers(3, &mut Ports::new()).unwrap();
        let (port, detour) = (brokers[1].client_port, brokers[1].detour.unwrap());
        let arguments = container_arguments(Kind::Kafka3, &brokers[1], &brokers, "cluster");
        assert!(arguments.contains(&format!("127.0.0.1:{port}:{port}")));
        assert!(arguments.contains(&"KAFKA_NODE_ID=2".to_owned()));
        let advertised = format!(
            "KAFKA_ADVERTISED_LISTENERS=CLIENTS://127.0.0.1:{port},BROKERS://stockledger-kafka-{port}:9094,\
             DETOUR://127.0.0.1:{}",
            detour.named_port
        );
        let listening = detour.listening_port;
        assert!(arguments.contains(&format!("127.0.0.1:{listening}:{listening}")));
        assert!(arguments.contains(&advertised), "{arguments:?}");
        assert_eq!(arguments.last().unwrap(), Product::Kafka.image());
    }

    #[test]
    fn a_cluster_id_has_the_form_that_kafka_wants_and_is_new_each_time() {
        let id = cluster_id();
        assert_eq!(id.len(), 22);
        assert!(id.bytes().all(|letter| letter.is_ascii_alphanumeric()));
        assert_ne!(id, cluster_id());
    }
}
