//! The log as the program exports it for other programs: one line of JSON for each record.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::Value;

use super::http::Position;

/// A record, where it stands and whether it counts.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Line {
    pub(crate) partition: u16,
    pub(crate) offset: u64,
    /// Of a decision that counts.
    pub(crate) position: Option<Position>,
    pub(crate) record: Record,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Record {
    Genesis {},
    Claim {},
    Decision(Decision),
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Decision {
    pub(crate) term: u64,
    /// In UTC with microseconds, so that the order of the texts is that of the times.
    pub(crate) recorded_at: String,
    pub(crate) scope: Scope,
    pub(crate) request: Option<Request>,
    pub(crate) events: Vec<Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scope {
    Directory,
    Site(String),
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Request {
    pub(crate) key: String,
}

/// A decision that counts.
#[derive(Debug, Clone)]
pub(crate) struct Counted {
    pub(crate) position: Position,
    pub(crate) decision: Decision,
}

/// All records of all partitions, in the order of each.
pub(crate) fn read(directory: &Path) -> Result<Vec<Line>> {
    let mut lines = vec![];
    for partition in 0.. {
        let path = directory.join(format!("partition-{partition:04}.ndjson"));
        if !path.exists() {
            break;
        }
        let reading = || format!("reading {}", path.display());
        for line in BufReader::new(File::open(&path).with_context(reading)?).lines() {
            lines.push(serde_json::from_str(&line.with_context(reading)?).with_context(reading)?);
        }
    }
    Ok(lines)
}

/// The decisions that count.
pub(crate) fn counted(lines: &[Line]) -> Vec<Counted> {
    let counted = |line: &Line| match (&line.record, line.position) {
        (Record::Decision(decision), Some(position)) => {
            Some(Counted { position, decision: decision.clone() })
        }
        _ => None,
    };
    lines.iter().filter_map(counted).collect()
}
