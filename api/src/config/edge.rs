//! Settings of the HTTP edge: TLS, and how much of whom is borne.

use std::path::PathBuf;

use serde::Deserialize;

use super::{Error, Layers, Setting};
use crate::http::{CONNECTIONS_MAX, CONNECTIONS_PER_PEER_MAX, Limits, RATE_BURST, RATE_PER_SECOND};
use crate::tls::{self, ServerTls, Trust};

/// What can be set by a flag or by the environment.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct EdgeFlags {
    /// File with the certificate that HTTP is served with, in PEM form, followed by what signed it
    #[arg(long, global = true, value_name = "FILE", env = "STOCKLEDGER_TLS_CERT", hide_env_values = true)]
    pub tls_cert: Option<PathBuf>,
    /// File with the key of that certificate, in PEM form, which not everybody may read
    #[arg(long, global = true, value_name = "FILE", env = "STOCKLEDGER_TLS_KEY", hide_env_values = true)]
    pub tls_key: Option<PathBuf>,
    /// File with the authorities to believe when a command asks a server over https [default: those of the system]
    #[arg(long, global = true, value_name = "FILE", env = "STOCKLEDGER_CA_FILE", hide_env_values = true)]
    pub ca_file: Option<PathBuf>,
    /// Requests that one client may send per second in the long run, 0 for any number [default: 1000]
    #[arg(long, global = true, value_name = "N", env = "STOCKLEDGER_RATE_LIMIT", hide_env_values = true)]
    pub rate_limit: Option<u32>,
    /// Requests that one client may send at once [default: 2000]
    #[arg(long, global = true, value_name = "N", env = "STOCKLEDGER_RATE_BURST", hide_env_values = true)]
    pub rate_burst: Option<u32>,
    /// Connections that are open at once [default: 1024]
    #[arg(
        long,
        global = true,
        value_name = "N",
        env = "STOCKLEDGER_CONNECTIONS_MAX",
        hide_env_values = true
    )]
    pub connections_max: Option<usize>,
    /// Connections of one address; those of this machine are not counted [default: 64]
    #[arg(
        long,
        global = true,
        value_name = "N",
        env = "STOCKLEDGER_CONNECTIONS_PER_PEER_MAX",
        hide_env_values = true
    )]
    pub connections_per_peer_max: Option<usize>,
}

/// The same in the settings file.
#[derive(Debug, Default, Deserialize)]
pub(super) struct EdgeFile {
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    rate_limit: Option<u32>,
    rate_burst: Option<u32>,
    connections_max: Option<usize>,
    connections_per_peer_max: Option<usize>,
}

/// The settings of the HTTP edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// The certificate.
    pub tls_cert: Setting<Option<PathBuf>>,
    /// Its key.
    pub tls_key: Setting<Option<PathBuf>>,
    /// Whom to believe as a client.
    pub ca_file: Setting<Option<PathBuf>>,
    /// Requests of one client per second; 0 for any number.
    pub rate_limit: Setting<u32>,
    /// Requests of one client at once.
    pub rate_burst: Setting<u32>,
    /// Connections in all.
    pub connections_max: Setting<usize>,
    /// Connections of one peer.
    pub connections_per_peer_max: Setting<usize>,
}

impl Edge {
    pub(super) fn resolve(flags: &EdgeFlags, file: EdgeFile, layers: &Layers<'_>) -> Result<Self, Error> {
        let path = |name, flag: &Option<PathBuf>, file: Option<PathBuf>| {
            layers.pick(name, flag.clone().map(Some), file.map(Some), || None)
        };
        let edge = Self {
            tls_cert: path("tls_cert", &flags.tls_cert, file.tls_cert),
            tls_key: path("tls_key", &flags.tls_key, file.tls_key),
            ca_file: path("ca_file", &flags.ca_file, file.ca_file),
            rate_limit: layers.pick("rate_limit", flags.rate_limit, file.rate_limit, || RATE_PER_SECOND),
            rate_burst: layers.pick("rate_burst", flags.rate_burst, file.rate_burst, || RATE_BURST),
            connections_max: layers.pick(
                "connections_max",
                flags.connections_max,
                file.connections_max,
                || CONNECTIONS_MAX,
            ),
            connections_per_peer_max: layers.pick(
                "connections_per_peer_max",
                flags.connections_per_peer_max,
                file.connections_per_peer_max,
                || CONNECTIONS_PER_PEER_MAX,
            ),
        };
        at_least_one("rate_burst", &edge.rate_burst, edge.rate_burst.value == 0)?;
        at_least_one("connections_max", &edge.connections_max, edge.connections_max.value == 0)?;
        let per_peer = &edge.connections_per_peer_max;
        at_least_one("connections_per_peer_max", per_peer, per_peer.value == 0)?;
        Ok(edge)
    }

    /// Whether HTTP is served encrypted.
    #[must_use]
    pub const fn has_tls(&self) -> bool {
        self.tls_cert.value.is_some()
    }

    /// The certificate and its key, read from their files.
    ///
    /// # Errors
    /// [`tls::Error`].
    pub fn server_tls(&self) -> Result<Option<ServerTls>, tls::Error> {
        let half = |given, missing| Err(tls::Error::Half { given, missing });
        match (&self.tls_cert.value, &self.tls_key.value) {
            (Some(certificate), Some(key)) => ServerTls::load(certificate, key).map(Some),
            (None, None) => Ok(None),
            (Some(_), None) => half("tls_cert", "tls_key"),
            (None, Some(_)) => half("tls_key", "tls_cert"),
        }
    }

    /// Whom a command believes that asks a server.
    #[must_use]
    pub fn trust(&self) -> Trust {
        self.ca_file.value.clone().map_or(Trust::System, Trust::Authorities)
    }

    /// What the server bears.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            connections_max: self.connections_max.value,
            connections_per_peer_max: self.connections_per_peer_max.value,
            ..Limits::default()
        }
    }

    pub(super) fn rows(&self) -> Vec<(&'static str, String, String)> {
        fn row(
            name: &'static str,
            value: String,
            setting: &Setting<impl Sized>,
        ) -> (&'static str, String, String) {
            (name, value, setting.source.to_string())
        }
        fn path(name: &'static str, setting: &Setting<Option<PathBuf>>) -> (&'static str, String, String) {
            let shown = setting.value.as_ref().map(|path| path.display().to_string());
            row(name, shown.unwrap_or_default(), setting)
        }
        vec![
            path("tls_cert", &self.tls_cert),
            path("tls_key", &self.tls_key),
            path("ca_file", &self.ca_file),
            row("rate_limit", self.rate_limit.value.to_string(), &self.rate_limit),
            row("rate_burst", self.rate_burst.value.to_string(), &self.rate_burst),
            row("connections_max", self.connections_max.value.to_string(), &self.connections_max),
            row(
                "connections_per_peer_max",
                self.connections_per_peer_max.value.to_string(),
                &self.connections_per_peer_max,
            ),
        ]
    }
}

fn at_least_one(name: &'static str, setting: &Setting<impl Sized>, is_zero: bool) -> Result<(), Error> {
    if is_zero {
        let detail = "must be at least 1".to_owned();
        return Err(Error::Value { name, origin: setting.source.clone(), detail });
    }
    Ok(())
}
