//! Which crate may depend on which. A new edge is argued in `docs/adr/` and added to the table here.
//!
//! ```text
//! schemas <- chain, domain        log, rules (know nothing of ours); whoever keeps a rule may name it
//! writer, audit <- domain, chain, schemas, log        projections <- chain, schemas, log, domain        api <- all
//! ```

use std::path::Path;

use anyhow::{Context as _, Result};
use cargo_metadata::{DependencyKind, MetadataCommand};

use super::Complaint;
use super::files::SourceFile;

/// Every crate of ours and those of ours that it may depend on.
const EDGES: &[(&str, &[&str])] = &[
    ("stockledger-rules", &[]),
    ("stockledger-schemas", &["stockledger-rules"]),
    ("stockledger-chain", &["stockledger-schemas", "stockledger-rules"]),
    ("stockledger-domain", &["stockledger-schemas"]),
    ("stockledger-log", &[]),
    (
        "stockledger-writer",
        &[
            "stockledger-domain",
            "stockledger-chain",
            "stockledger-schemas",
            "stockledger-log",
            "stockledger-rules",
        ],
    ),
    (
        "stockledger-audit",
        &["stockledger-domain", "stockledger-chain", "stockledger-schemas", "stockledger-log"],
    ),
    (
        "stockledger-projections",
        // The domain for its pure helpers only: a projection decides nothing.
        &[
            "stockledger-chain",
            "stockledger-schemas",
            "stockledger-log",
            "stockledger-domain",
            "stockledger-rules",
        ],
    ),
    ("stockledger", ALL),
    ("stockledger-sim", ALL),
    // The oracles of fuzzing reach into everything that reads the bytes of others.
    ("stockledger-fuzz", ALL),
    ("xtask", &[]),
];

const ALL: &[&str] = &[
    "stockledger-rules",
    "stockledger-schemas",
    "stockledger-chain",
    "stockledger-domain",
    "stockledger-log",
    "stockledger-writer",
    "stockledger-audit",
    "stockledger-projections",
    "stockledger",
];

/// Foreign crates that would spread if we let them, and the crates of ours that may use them.
const CONFINED: &[(&str, &[&str])] = &[
    ("rdkafka", &["stockledger-log"]),
    ("sqlx", &["stockledger-log", "stockledger-projections"]),
    ("axum", &["stockledger"]),
    ("bincode", &["stockledger-schemas"]),
];

/// Never, not even for tests: a test of one through the other would hide what only the log may carry between them.
const STRANGERS: [&str; 2] = ["stockledger-writer", "stockledger-projections"];

/// What is wrong with the edges of the workspace.
pub(super) fn forbidden_edges(root: &Path) -> Result<Vec<String>> {
    let metadata =
        MetadataCommand::new().current_dir(root).no_deps().exec().context("running cargo metadata")?;
    let mut complaints = vec![];
    for package in metadata.workspace_packages() {
        if !EDGES.iter().any(|(name, _)| *name == package.name.as_str()) {
            complaints
                .push(format!("{}: is not in the table of crates (xtask/src/tidy/crates.rs)", package.name));
        }
        for dependency in &package.dependencies {
            let is_for_tests = dependency.kind == DependencyKind::Development;
            complaints.extend(forbidden_edge(package.name.as_str(), &dependency.name, is_for_tests));
        }
    }
    Ok(complaints)
}

fn forbidden_edge(from: &str, to: &str, is_for_tests: bool) -> Option<String> {
    if STRANGERS.contains(&from) && STRANGERS.contains(&to) && from != to {
        return Some(format!("{from} -> {to}: writer and projections meet in the log only"));
    }
    if is_for_tests {
        return None;
    }
    let allowed = |table: &[(&str, &[&str])], key: &str, value: &str| {
        table.iter().find(|(name, _)| *name == key).is_none_or(|(_, names)| names.contains(&value))
    };
    let is_ours = EDGES.iter().any(|(name, _)| *name == to);
    if is_ours && !allowed(EDGES, from, to) {
        return Some(format!("{from} -> {to}: this edge is not allowed (xtask/src/tidy/crates.rs)"));
    }
    if !allowed(CONFINED, to, from) {
        return Some(format!("{from} -> {to}: this dependency is confined to other crates"));
    }
    None
}

/// The lints of the root `Cargo.toml` hold in every crate; among them is the ban on unsafe code.
pub(super) fn takes_the_workspace_lints(file: &SourceFile) -> Vec<Complaint> {
    if file.path == "Cargo.toml" && !file.text.contains("[workspace.lints.rust]\nunsafe_code = \"forbid\"") {
        return vec![Complaint::file("does not forbid unsafe code first of all lints")];
    }
    let is_crate = file.path.ends_with("/Cargo.toml") && file.text.contains("[package]");
    if !is_crate || file.text.contains("[lints]\nworkspace = true") {
        return vec![];
    }
    vec![Complaint::file("does not take the lints of the workspace: add `[lints] workspace = true`")]
}

#[cfg(test)]
mod tests {
    use super::{SourceFile, forbidden_edge, takes_the_workspace_lints};

    #[test]
    fn edges_against_the_grain_are_found() {
        let bad = [
            ("stockledger-schemas", "stockledger-domain"),
            ("stockledger-domain", "stockledger-log"),
            ("stockledger-log", "stockledger-schemas"),
            ("stockledger-writer", "stockledger-projections"),
            ("stockledger-projections", "stockledger"),
            ("xtask", "stockledger"),
            ("stockledger-domain", "sqlx"),
            ("stockledger", "sqlx"),
            ("stockledger-writer", "rdkafka"),
            ("stockledger-projections", "axum"),
            ("stockledger-chain", "bincode"),
        ];
        for (from, to) in bad {
            assert!(forbidden_edge(from, to, false).is_some(), "{from} -> {to}");
        }
    }

    #[test]
    fn allowed_edges_pass() {
        let good = [
            ("stockledger-writer", "stockledger-domain"),
            ("stockledger-projections", "stockledger-log"),
            ("stockledger", "stockledger-projections"),
            ("stockledger-log", "sqlx"),
            ("stockledger-domain", "serde"),
        ];
        for (from, to) in good {
            assert_eq!(forbidden_edge(from, to, false), None);
        }
    }

    #[test]
    fn tests_may_reach_wider_but_not_between_writer_and_projections() {
        assert_eq!(forbidden_edge("stockledger-chain", "stockledger-log", true), None);
        assert!(forbidden_edge("stockledger-writer", "stockledger-projections", true).is_some());
        assert!(forbidden_edge("stockledger-projections", "stockledger-writer", true).is_some());
    }

    #[test]
    fn a_crate_without_the_workspace_lints_is_found() {
        let bad = SourceFile::new("api/Cargo.toml", "[package]\nname = \"stockledger\"\n");
        assert_eq!(takes_the_workspace_lints(&bad).len(), 1);
        let good = SourceFile::new("api/Cargo.toml", "[package]\n\n[lints]\nworkspace = true\n");
        assert!(takes_the_workspace_lints(&good).is_empty());
    }

    #[test]
    fn a_workspace_that_allows_unsafe_code_is_found() {
        let root =
            |level: &str| format!("[workspace]\n\n[workspace.lints.rust]\nunsafe_code = \"{level}\"\n");
        assert_eq!(takes_the_workspace_lints(&SourceFile::new("Cargo.toml", root("deny"))).len(), 1);
        assert!(takes_the_workspace_lints(&SourceFile::new("Cargo.toml", root("forbid"))).is_empty());
    }
}
