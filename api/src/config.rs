//! Settings: flags before environment before file before defaults, each with where it came from.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::ArgMatches;
use clap::parser::ValueSource;
use stockledger_log::kafka::security::Protocol;
use stockledger_schemas::Name;
use stockledger_schemas::limits::{PARTITIONS_DEFAULT, PARTITIONS_MAX};

pub use self::address::{LogAddress, ProjectionsAddress};
pub use self::edge::{Edge, EdgeFlags};
use self::file::File;
use self::kafka::secret_file;
pub use self::kafka::{Kafka, KafkaFlags};
pub(crate) use self::kafka::{PASSWORD_FILE_VARIABLE, PASSWORD_VARIABLE as KAFKA_PASSWORD_VARIABLE};
use crate::verifications::Every;
pub use stockledger_log::kafka::Profile;

mod address;
mod edge;
mod file;
mod kafka;

const LOG_FILE: &str = "log.sqlite";
const PROJECTIONS_FILE: &str = "projections.sqlite";
const AUDIT_KEY_FILE: &str = "audit.key";
const PROJECTIONS_VARIABLE: &str = "STOCKLEDGER_PROJECTIONS";
/// Not a flag: what stands on a command line can be seen by everybody on the machine.
const PASSWORD_VARIABLE: &str = "STOCKLEDGER_PROJECTIONS_PASSWORD";

/// What can be set by a flag or by the environment. The same names, without dashes, are the keys of the file.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Settings")]
pub struct Flags {
    /// Settings file [default: ./stockledger.toml, if it is there]
    #[arg(long, global = true, value_name = "FILE", env = "STOCKLEDGER_CONFIG", hide_env_values = true)]
    pub config: Option<PathBuf>,
    /// Where the data lives: SQLite files, snapshots [default: ./stockledger-data]
    #[arg(long, global = true, value_name = "DIR", env = "STOCKLEDGER_DATA_DIR", hide_env_values = true)]
    pub data_dir: Option<PathBuf>,
    /// The log: sqlite:PATH or kafka://HOST:PORT,../TOPIC [default: a file in the data directory]
    #[arg(long, global = true, value_name = "ADDRESS", env = "STOCKLEDGER_LOG", hide_env_values = true)]
    pub log: Option<String>,
    /// The read tables: sqlite:PATH or mysql://USER@HOST:PORT/DATABASE [default: a file in the data directory]
    #[arg(long, global = true, value_name = "ADDRESS", env = PROJECTIONS_VARIABLE, hide_env_values = true)]
    pub projections: Option<Option<String>>,
    /// File with the password of the read tables' database; STOCKLEDGER_PROJECTIONS_PASSWORD may hold it instead
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "STOCKLEDGER_PROJECTIONS_PASSWORD_FILE",
        hide_env_values = true
    )]
    pub projections_password_file: Option<PathBuf>,
    /// The key that signs checkpoints, made by `init` [default: audit.key in the data directory]
    #[arg(long, global = true, value_name = "FILE", env = "STOCKLEDGER_AUDIT_KEY", hide_env_values = true)]
    pub audit_key: Option<PathBuf>,
    /// How safe a Kafka topic must be: production, or dev for a single broker [default: production]
    #[arg(long, global = true, value_name = "PROFILE", env = "STOCKLEDGER_PROFILE", hide_env_values = true)]
    pub profile: Option<String>,
    /// Where to answer HTTP [default: 127.0.0.1:7070]
    #[arg(long, global = true, value_name = "HOST:PORT", env = "STOCKLEDGER_LISTEN", hide_env_values = true)]
    pub listen: Option<String>,
    /// What this process does: writer, projector, api [default: all three]
    #[arg(long, global = true, value_name = "ROLE,..", env = "STOCKLEDGER_ROLES", hide_env_values = true)]
    pub roles: Option<String>,
    /// How often a node that writes verifies the log by itself, such as 24h or 7d, or off [default: 24h]
    #[arg(
        long,
        global = true,
        value_name = "TIME",
        env = "STOCKLEDGER_VERIFY_EVERY",
        hide_env_values = true
    )]
    pub verify_every: Option<String>,
    /// What this node is called in the log [default: stockledger]
    #[arg(long, global = true, value_name = "NAME", env = "STOCKLEDGER_NODE", hide_env_values = true)]
    pub node: Option<String>,
    /// Partitions of a ledger that is made new; one that exists keeps its own [default: 8]
    #[arg(long, global = true, value_name = "N", env = "STOCKLEDGER_PARTITIONS", hide_env_values = true)]
    pub partitions: Option<u16>,
    /// Listen where others can reach it although there are no API keys or no TLS
    #[arg(
        long,
        global = true,
        num_args = 0,
        default_missing_value = "true",
        env = "STOCKLEDGER_INSECURE",
        hide_env_values = true
    )]
    pub insecure: Option<bool>,
    /// The HTTP edge.
    #[command(flatten)]
    pub edge: EdgeFlags,
    /// Connections to Kafka.
    #[command(flatten)]
    pub kafka: KafkaFlags,
}

/// Where a setting came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The command line.
    Flag,
    /// An environment variable.
    Environment,
    /// The settings file.
    File(PathBuf),
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => formatter.write_str("flag"),
            Self::Environment => formatter.write_str("environment"),
            Self::File(path) => write!(formatter, "file {}", path.display()),
            Self::Default => formatter.write_str("default"),
        }
    }
}

/// A value and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub source: Source,
}

/// Everything that can be set, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where the data lives.
    pub data_dir: Setting<PathBuf>,
    /// The log.
    pub log: Setting<LogAddress>,
    /// The read tables, with the password if one was given.
    pub projections: Setting<ProjectionsAddress>,
    /// The file with the key that signs checkpoints.
    pub audit_key: Setting<PathBuf>,
    /// How safe a Kafka topic must be.
    pub profile: Setting<Profile>,
    /// Where to answer HTTP.
    pub listen: Setting<SocketAddr>,
    /// What this process does.
    pub roles: Setting<Roles>,
    /// How often it verifies the log by itself.
    pub verify_every: Setting<Every>,
    /// What this node is called in the log.
    pub node: Setting<Name>,
    /// Partitions of a ledger that is made new.
    pub partitions: Setting<u16>,
    /// Whether an address that others can reach may be answered without API keys or without TLS.
    pub insecure: Setting<bool>,
    /// The HTTP edge.
    pub edge: Edge,
    /// Connections to Kafka.
    pub kafka: Kafka,
}

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles {
    /// Decides commands and appends them to the log.
    pub writer: bool,
    /// Keeps the read tables level with the log.
    pub projector: bool,
    /// Answers queries from the read tables.
    pub api: bool,
}

impl Roles {
    /// Everything in one process.
    pub const ALL: Self = Self { writer: true, projector: true, api: true };
    const NONE: Self = Self { writer: false, projector: false, api: false };

    /// The names of the roles that are played.
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        let named = [("writer", self.writer), ("projector", self.projector), ("api", self.api)];
        named.into_iter().filter_map(|(name, played)| played.then_some(name)).collect()
    }
}

impl FromStr for Roles {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut roles = Self::NONE;
        for role in text.split(',').map(str::trim).filter(|role| !role.is_empty()) {
            match role {
                "writer" => roles.writer = true,
                "projector" => roles.projector = true,
                "api" => roles.api = true,
                other => {
                    return Err(format!("unknown role {other:?}; the roles are writer, projector and api"));
                }
            }
        }
        if roles == Self::NONE {
            Err("must name at least one of writer, projector, api".to_owned())
        } else {
            Ok(roles)
        }
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.names().join(","))
    }
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("reading the file {path}")]
    ReadFile {
        /// Which file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("settings file {path}: {detail}")]
    ParseFile {
        /// Which file.
        path: PathBuf,
        /// What is wrong, and where.
        detail: String,
    },
    /// A value is not one of its setting.
    #[error("setting {name} from {origin} {detail}")]
    Value {
        /// Which setting.
        name: &'static str,
        /// Where the value came from.
        origin: Source,
        /// What is wrong with it.
        detail: String,
    },
    /// It is not clear which password is meant.
    #[error(
        "more than one password is given for the read tables: let one of the address, {PASSWORD_VARIABLE} and \
         projections_password_file have it"
    )]
    TwoPasswords,
    /// Protected connections to Kafka take a program that can make them.
    #[error(
        "kafka_security is {0}, and this program was built without TLS and logins for Kafka; build one with \
         `cargo build --release --features kafka-tls`, which needs the development files of OpenSSL (libssl-dev)"
    )]
    NoKafkaTls(Protocol),
    /// Everybody could write to the ledger, or listen to what others write.
    #[error(
        "refusing to listen on {listen}, which others can reach: {}. Listen on 127.0.0.1 instead, or say --insecure if \
         that is as it should be, as behind a proxy that does both",
        lacks(*.has_keys, *.has_tls)
    )]
    Insecure {
        /// Where.
        listen: SocketAddr,
        /// Whether callers are told apart there.
        has_keys: bool,
        /// Whether what is said there is kept from others.
        has_tls: bool,
    },
}

impl Settings {
    /// Puts the settings together. `matches` tells flags and environment apart.
    ///
    /// # Errors
    /// [`Error`], but not [`Error::Insecure`]: see [`Settings::check_listen`].
    pub fn resolve(flags: &Flags, matches: &ArgMatches) -> Result<Self, Error> {
        let (file, path) = File::find(flags.config.as_deref())?;
        let layers = Layers { matches, path };
        let data_dir =
            layers.pick("data_dir", flags.data_dir.clone(), file.data_dir, || "./stockledger-data".into());
        let in_data_dir = |name: &str| format!("sqlite:{}", data_dir.value.join(name).display());
        let log = layers.pick("log", flags.log.clone(), file.log, || in_data_dir(LOG_FILE));
        let in_place = || in_data_dir(PROJECTIONS_FILE);
        let projections = match flags.projections.clone() {
            // Asked for without saying where: where they would be without the flag.
            Some(None) => {
                let elsewhere = std::env::var(PROJECTIONS_VARIABLE).ok().or(file.projections);
                Setting { value: elsewhere.unwrap_or_else(in_place), source: Source::Flag }
            }
            flag => layers.pick("projections", flag.flatten(), file.projections, in_place),
        };
        let audit_key = layers.pick("audit_key", flags.audit_key.clone(), file.audit_key, || {
            data_dir.value.join(AUDIT_KEY_FILE)
        });
        let profile =
            layers.pick("profile", flags.profile.clone(), file.profile, || Profile::Production.to_string());
        let password_file = flags.projections_password_file.clone().or(file.projections_password_file);
        let listen = layers.pick("listen", flags.listen.clone(), file.listen, || "127.0.0.1:7070".to_owned());
        let file_roles = file.roles.map(|roles| roles.join(","));
        let roles = layers.pick("roles", flags.roles.clone(), file_roles, || Roles::ALL.to_string());
        let verify_every = layers.pick("verify_every", flags.verify_every.clone(), file.verify_every, || {
            Every::default().to_string()
        });
        let node = layers.pick("node", flags.node.clone(), file.node, || "stockledger".to_owned());
        let partitions = layers.pick("partitions", flags.partitions, file.partitions, || PARTITIONS_DEFAULT);
        let insecure = layers.pick("insecure", flags.insecure, file.insecure, || false);
        let edge = Edge::resolve(&flags.edge, file.edge, &layers)?;
        let kafka = Kafka::resolve(&flags.kafka, file.kafka, &layers)?;
        if !(1..=PARTITIONS_MAX).contains(&partitions.value) {
            let detail = format!("must be from 1 to {PARTITIONS_MAX}");
            return Err(Error::Value { name: "partitions", origin: partitions.source, detail });
        }
        Ok(Self {
            log: with_security(parse("log", log)?, &kafka)?,
            projections: with_password(parse("projections", projections)?, password_file.as_deref())?,
            profile: parse("profile", profile)?,
            listen: parse("listen", listen)?,
            roles: parse("roles", roles)?,
            verify_every: parse("verify_every", verify_every)?,
            node: parse("node", node)?,
            data_dir,
            audit_key,
            partitions,
            insecure,
            edge,
            kafka,
        })
    }

    /// Whether HTTP is served encrypted.
    #[must_use]
    pub const fn has_tls(&self) -> bool {
        self.edge.has_tls()
    }

    /// Whether others can reach the address, and nobody said that they may do as they like.
    #[must_use]
    pub const fn must_be_secure(&self) -> bool {
        !(self.listen.value.ip().is_loopback() || self.insecure.value)
    }

    /// Refuses an address that others can reach, unless the ledger has API keys and the connection TLS, or it is said that
    /// they may do as they like.
    ///
    /// # Errors
    /// [`Error::Insecure`].
    pub const fn check_listen(&self, has_keys: bool, has_tls: bool) -> Result<(), Error> {
        if self.must_be_secure() && !(has_keys && has_tls) {
            return Err(Error::Insecure { listen: self.listen.value, has_keys, has_tls });
        }
        Ok(())
    }

    /// These settings with all data in another directory, whatever was said about log and read tables.
    #[must_use]
    pub fn moved_to(&self, directory: &Path) -> Self {
        fn moved<T>(value: T) -> Setting<T> {
            Setting { value, source: Source::Default }
        }
        Self {
            data_dir: Setting { value: directory.to_path_buf(), source: self.data_dir.source.clone() },
            log: moved(LogAddress::Sqlite(directory.join(LOG_FILE))),
            projections: moved(ProjectionsAddress::Sqlite(directory.join(PROJECTIONS_FILE))),
            audit_key: moved(directory.join(AUDIT_KEY_FILE)),
            ..self.clone()
        }
    }

    /// The directories that a process writes in: that of the data, and those of log and read tables where they are files.
    #[must_use]
    pub fn directories(&self) -> Vec<&Path> {
        let files = [self.log.value.directory(), self.projections.value.directory()].into_iter().flatten();
        let named = |directory: &&Path| !directory.as_os_str().is_empty();
        std::iter::once(self.data_dir.value.as_path()).chain(files.filter(named)).collect()
    }

    /// Where snapshots are kept.
    #[must_use]
    pub fn snapshots(&self) -> PathBuf {
        self.data_dir.value.join("snapshots")
    }

    /// Where trees and checkpoints are kept.
    #[must_use]
    pub fn audit(&self) -> PathBuf {
        self.data_dir.value.join("audit")
    }

    /// Every setting as name, value and source, for people.
    #[must_use]
    pub fn rows(&self) -> Vec<(&'static str, String, String)> {
        fn row<T: fmt::Display>(name: &'static str, setting: &Setting<T>) -> (&'static str, String, String) {
            (name, setting.value.to_string(), setting.source.to_string())
        }
        let mut rows = vec![
            ("data_dir", self.data_dir.value.display().to_string(), self.data_dir.source.to_string()),
            row("log", &self.log),
            row("projections", &self.projections),
            ("audit_key", self.audit_key.value.display().to_string(), self.audit_key.source.to_string()),
            row("profile", &self.profile),
            row("listen", &self.listen),
            row("roles", &self.roles),
            row("verify_every", &self.verify_every),
            row("node", &self.node),
            row("partitions", &self.partitions),
            row("insecure", &self.insecure),
        ];
        rows.extend(self.edge.rows());
        rows.extend(self.kafka.rows());
        rows
    }
}

/// What an address that others can reach needs and has not.
const fn lacks(has_keys: bool, has_tls: bool) -> &'static str {
    match (has_keys, has_tls) {
        (false, false) => {
            "the ledger has no API keys to tell them apart (`stockledger keys create` makes one), and without TLS others \
             could read the keys on the way"
        }
        (false, true) => {
            "the ledger has no API keys to tell them apart (`stockledger keys create --name NAME --scope admin` makes \
             the first one)"
        }
        (true, _) => "without TLS others could read the API keys on the way",
    }
}

/// The layers under the flags.
struct Layers<'a> {
    matches: &'a ArgMatches,
    path: PathBuf,
}

impl Layers<'_> {
    fn pick<T>(
        &self,
        name: &str,
        flag: Option<T>,
        file: Option<T>,
        default: impl FnOnce() -> T,
    ) -> Setting<T> {
        if let Some(value) = flag {
            let from_environment = self.matches.value_source(name) == Some(ValueSource::EnvVariable);
            let source = if from_environment { Source::Environment } else { Source::Flag };
            return Setting { value, source };
        }
        match file {
            Some(value) => Setting { value, source: Source::File(self.path.clone()) },
            None => Setting { value: default(), source: Source::Default },
        }
    }
}

fn parse<T: FromStr<Err: fmt::Display>>(
    name: &'static str,
    setting: Setting<String>,
) -> Result<Setting<T>, Error> {
    match setting.value.parse() {
        Ok(value) => Ok(Setting { value, source: setting.source }),
        Err(error) => {
            // What does not parse may still hold a password, and only then an @.
            let value = setting.value.rsplit_once('@').map_or(setting.value.as_str(), |(_, behind)| behind);
            let hidden = if value.len() < setting.value.len() { "...@" } else { "" };
            let detail = format!("is \"{hidden}{}\": {error}", value.escape_debug());
            Err(Error::Value { name, origin: setting.source, detail })
        }
    }
}

/// Adds how the brokers are talked with, where the log is theirs.
fn with_security(log: Setting<LogAddress>, kafka: &Kafka) -> Result<Setting<LogAddress>, Error> {
    let value = match log.value {
        LogAddress::Kafka(address) => LogAddress::Kafka(address.with_security(kafka.security()?)),
        file @ LogAddress::Sqlite(_) => file,
    };
    Ok(Setting { value, source: log.source })
}

/// Adds the password from the environment or from the file that was named. There may be one only: which of two is meant,
/// nobody can tell.
fn with_password(
    projections: Setting<ProjectionsAddress>,
    file: Option<&Path>,
) -> Result<Setting<ProjectionsAddress>, Error> {
    let variable = std::env::var_os(PASSWORD_VARIABLE);
    let given = [projections.value.password().is_some(), variable.is_some(), file.is_some()];
    if given.into_iter().filter(|is_given| *is_given).count() > 1 {
        return Err(Error::TwoPasswords);
    }
    let password = if let Some(variable) = variable {
        variable.into_string().map_err(|_| Error::Value {
            name: "projections_password",
            origin: Source::Environment,
            detail: format!("is not UTF-8: {PASSWORD_VARIABLE}"),
        })?
    } else if let Some(path) = file {
        secret_file(path)?
    } else {
        return Ok(projections);
    };
    Ok(Setting { value: projections.value.with_password(password), source: projections.source })
}
