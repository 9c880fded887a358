//! The settings file: its keys are the names of the flags, with `_` for `-`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;

use super::edge::EdgeFile;
use super::kafka::KafkaFile;
use super::{Error, Flags};

/// The file that is read when no other is named.
const FILE_DEFAULT: &str = "stockledger.toml";
/// How alike a key must be to one that there is to be taken for a slip, from 0 to 1.
const LIKE: f64 = 0.75;

/// What stands in the file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) data_dir: Option<PathBuf>,
    pub(super) log: Option<String>,
    pub(super) projections: Option<String>,
    pub(super) projections_password_file: Option<PathBuf>,
    pub(super) audit_key: Option<PathBuf>,
    pub(super) profile: Option<String>,
    pub(super) listen: Option<String>,
    pub(super) roles: Option<Vec<String>>,
    pub(super) verify_every: Option<String>,
    pub(super) node: Option<String>,
    pub(super) partitions: Option<u16>,
    pub(super) insecure: Option<bool>,
    #[serde(flatten)]
    pub(super) edge: EdgeFile,
    #[serde(flatten)]
    pub(super) kafka: KafkaFile,
}

impl File {
    /// Reads the file that is named, or the usual one if it is there; says where it is.
    pub(super) fn find(named: Option<&Path>) -> Result<(Self, PathBuf), Error> {
        let path = named.unwrap_or(Path::new(FILE_DEFAULT)).to_path_buf();
        if named.is_none() && !path.exists() {
            return Ok((Self::default(), path));
        }
        let text = std::fs::read_to_string(&path)
            .map_err(|source| Error::ReadFile { path: path.clone(), source })?;
        match toml::from_str(&text) {
            Ok(file) => Ok((file, path)),
            Err(error) => {
                let detail = unknown_key(&text).unwrap_or_else(|| error.to_string());
                Err(Error::ParseFile { path, detail })
            }
        }
    }
}

/// Every key that a file may have.
fn keys() -> Vec<String> {
    let flags = Flags::augment_args(clap::Command::new("settings"));
    let names = flags.get_arguments().map(|flag| flag.get_id().to_string());
    names.filter(|name| name != "config").collect()
}

/// What is wrong with a file that has a key which is no setting.
fn unknown_key(text: &str) -> Option<String> {
    let table: toml::Table = text.parse().ok()?;
    let keys = keys();
    let unknown = table.keys().find(|key| !keys.contains(*key))?;
    let likeness = |key: &&String| strsim::jaro_winkler(key, unknown);
    let nearest = keys.iter().max_by(|one, other| likeness(one).total_cmp(&likeness(other)));
    let hint = match nearest.filter(|key| likeness(key) >= LIKE) {
        Some(key) => format!("did you mean `{key}`?"),
        None => format!("the settings are {}", keys.join(", ")),
    };
    Some(format!("unknown field `{}`; {hint}", unknown.escape_debug()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const SAMPLE: &str = include_str!("../../../docs/operations/stockledger.sample.toml");

    /// The sample with all of its settings said: they stand behind a `#` without a space.
    fn said() -> String {
        let line = |line: &'static str| match line.strip_prefix('#') {
            Some(setting) if setting.starts_with(|first: char| first.is_ascii_lowercase()) => setting,
            _ => line,
        };
        SAMPLE.lines().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_sample_has_every_setting_and_nothing_else() {
        let table: toml::Table = said().parse().unwrap();
        let shown: BTreeSet<&String> = table.keys().collect();
        let keys = keys();
        assert_eq!(shown, keys.iter().collect::<BTreeSet<_>>());
        toml::from_str::<File>(&said()).unwrap();
        toml::from_str::<File>(SAMPLE).unwrap();
        assert!(SAMPLE.parse::<toml::Table>().unwrap().is_empty(), "as it is, it changes nothing");
    }

    #[test]
    fn a_slip_is_told_what_was_meant() {
        for (text, hint) in [
            ("lisen = 1", "unknown field `lisen`; did you mean `listen`?"),
            ("data-dir = 1", "unknown field `data-dir`; did you mean `data_dir`?"),
            ("rate_limits = 1", "unknown field `rate_limits`; did you mean `rate_limit`?"),
            ("tls_certificate = 1", "unknown field `tls_certificate`; did you mean `tls_cert`?"),
            ("xyzzy = 1", "unknown field `xyzzy`; the settings are data_dir, log,"),
        ] {
            let said = unknown_key(text).unwrap();
            assert!(said.starts_with(hint), "{said}");
        }
        assert_eq!(unknown_key("listen = 1"), None);
        assert_eq!(unknown_key("listen"), None);
    }
}
