//! The house rules that no compiler knows, as code. Each rule is a small function with a bad example as its test.
//!
//! `files` collects what is checked, `rust`, `text` and `documents` hold the rules on files, `crates` those on the edges
//! between crates. What compiler or clippy can check stands in the lints of the root `Cargo.toml`, not here.

mod crates;
mod documents;
mod files;
mod rust;
mod text;

use std::path::Path;

use anyhow::{Result, ensure};

use crate::report::say;
use files::SourceFile;

/// Something that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
struct Complaint {
    /// The line, from 1; 0 if it is about the whole file.
    line: usize,
    what: String,
}

impl Complaint {
    fn file(what: impl Into<String>) -> Self {
        Self { line: 0, what: what.into() }
    }

    fn line(index: usize, what: impl Into<String>) -> Self {
        Self { line: index + 1, what: what.into() }
    }
}

type Rule = fn(&SourceFile) -> Vec<Complaint>;

const RULES: &[Rule] = &[
    text::no_trailing_white_space,
    text::no_marker_of_unfinished_work,
    rust::opens_with_a_description,
    rust::is_not_too_long,
    rust::has_no_forbidden_word,
    rust::waits_for_conditions_in_tests,
    rust::imports_by_name,
    rust::confines_bincode,
    crates::takes_the_workspace_lints,
    documents::decision_has_its_parts,
];

/// Checks every rule on every file and fails with all complaints at once.
pub(crate) fn run(root: &Path) -> Result<()> {
    let files = files::all(root)?;
    for file in files.iter().filter(|file| rust::is_long(file)) {
        say(&format!("warning: {}: {} lines, aim below {}", file.path, file.lines(), rust::LINES_AIM));
    }
    let mut complaints: Vec<String> = vec![];
    for file in &files {
        let found = RULES.iter().flat_map(|rule| rule(file)).chain(documents::links_resolve(root, file));
        complaints
            .extend(found.map(|complaint| format!("{}:{}: {}", file.path, complaint.line, complaint.what)));
    }
    let unproved = documents::named_tests_exist(&files);
    complaints.extend(
        unproved
            .into_iter()
            .map(|(path, complaint)| format!("{path}:{}: {}", complaint.line, complaint.what)),
    );
    complaints.extend(crates::forbidden_edges(root)?);
    for complaint in &complaints {
        say(complaint);
    }
    ensure!(complaints.is_empty(), "{} house rules are broken, see above", complaints.len());
    Ok(())
}
