//! Golden files: `NAME.bin` holds the stored bytes of a record, `NAME.json` says in words what they mean.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use stockledger_schemas::{Event, Record, Refusal, envelope};

use crate::samples;

/// A golden pair as it stands on disk.
pub(crate) struct Golden {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) twin: String,
}

/// Every golden pair, by name.
pub(crate) fn all() -> Vec<Golden> {
    let mut names: Vec<String> = fs::read_dir(directory())
        .expect("the golden directory exists")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "bin"))
        .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert!(!names.is_empty(), "no golden files in {}", directory().display());
    names.into_iter().map(|name| read(&name)).collect()
}

/// The golden pair of this name.
pub(crate) fn read(name: &str) -> Golden {
    let file = |extension: &str| directory().join(format!("{name}.{extension}"));
    let bytes = fs::read(file("bin")).unwrap_or_else(|error| panic!("{name}.bin: {error}"));
    let twin = fs::read_to_string(file("json")).unwrap_or_else(|error| panic!("{name}.json: {error}"));
    Golden { name: name.to_owned(), bytes, twin }
}

pub(crate) fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

fn twin_of(record: &Record) -> String {
    let mut twin = serde_json::to_string_pretty(record).expect("a record has a JSON form");
    twin.push('\n');
    twin
}

/// `order_placed.v1` and the like of every event and refusal that a decoded record holds.
fn versioned_names(record: &Record) -> Vec<String> {
    let Record::Decision(decision) = record else { return vec![] };
    let mut names = vec![];
    for event in &decision.events {
        names.push(samples::versioned_name(Event::TAGS, event.type_name()));
        if let Event::CommandRefused(refused) = event {
            names.push(samples::versioned_name(Refusal::TAGS, refused.refusal.type_name()));
        }
    }
    names
}

#[test]
fn every_sample_encodes_to_its_golden_file() {
    for sample in samples::all() {
        let bytes = envelope::encode(&sample.record).expect("a sample encodes");
        let twin = twin_of(&sample.record);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(directory().join(format!("{}.bin", sample.name)), &bytes).expect("writable");
            fs::write(directory().join(format!("{}.json", sample.name)), &twin).expect("writable");
        }
        let golden = read(&sample.name);
        assert_eq!(golden.bytes, bytes, "{}.bin is not what the sample encodes to", sample.name);
        assert_eq!(golden.twin, twin, "{}.json is not what the sample says", sample.name);
    }
}

#[test]
fn every_golden_file_decodes_to_its_twin() {
    for golden in all() {
        let record =
            envelope::decode(&golden.bytes).unwrap_or_else(|error| panic!("{}: {error}", golden.name));
        assert_eq!(twin_of(&record), golden.twin, "{}", golden.name);
    }
}

#[test]
fn every_golden_file_of_a_newest_version_comes_from_a_sample() {
    let sampled: BTreeSet<String> = samples::all().into_iter().map(|sample| sample.name).collect();
    let newest: BTreeMap<&str, u8> = Event::TAGS.iter().map(|(_, version, name)| (*name, *version)).collect();
    for golden in all().iter().filter(|golden| !sampled.contains(&golden.name)) {
        let (event, rest) = golden.name.split_once(".v").unwrap_or((&golden.name, ""));
        let version = rest.split('-').next().and_then(|digits| digits.parse::<u8>().ok());
        let is_older =
            version.is_some_and(|version| newest.get(event).is_some_and(|newest| version < *newest));
        assert!(
            is_older,
            "{}: neither a sample nor an older version of an event makes this file",
            golden.name
        );
    }
}

#[test]
fn every_tag_has_a_golden_file() {
    let mut seen = BTreeSet::new();
    for golden in all() {
        let record = envelope::decode(&golden.bytes).expect("decodes");
        seen.extend(versioned_names(&record));
    }
    for (_, version, name) in Event::TAGS.iter().chain(Refusal::TAGS) {
        assert!(
            seen.contains(&format!("{name}.v{version}")),
            "no golden file holds {name} version {version}"
        );
    }
}

#[test]
fn every_event_has_a_file_of_its_own_with_and_without_what_is_optional() {
    for (_, version, name) in Event::TAGS {
        for suffix in ["", "-bare"] {
            let golden = read(&format!("{name}.v{version}{suffix}"));
            let twin: serde_json::Value = serde_json::from_str(&golden.twin).expect("JSON");
            assert_eq!(twin["events"][0]["type"], *name);
            assert_eq!(twin["request"].is_null(), suffix == "-bare", "{}", golden.name);
        }
    }
}
