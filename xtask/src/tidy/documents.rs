//! Rules on Markdown: decisions have their parts, links lead somewhere.

use std::path::Path;

use super::Complaint;
use super::files::SourceFile;

const DECISION_PARTS: &[&str] = &["## Context", "## Decision", "## Consequences"];

/// A decision in `docs/adr/` says why, what, and what follows.
pub(super) fn decision_has_its_parts(file: &SourceFile) -> Vec<Complaint> {
    if !file.path.starts_with("docs/adr/") || !file.is("md") {
        return vec![];
    }
    let missing = DECISION_PARTS.iter().filter(|part| !file.text.lines().any(|line| line == **part));
    missing.map(|part| Complaint::file(format!("a decision has a part `{part}`"))).collect()
}

/// A link to a file of the project leads to one.
pub(super) fn links_resolve(root: &Path, file: &SourceFile) -> Vec<Complaint> {
    if !file.is("md") {
        return vec![];
    }
    let directory = root.join(&file.path).parent().map(Path::to_path_buf).unwrap_or_default();
    let mut complaints = vec![];
    for (index, target) in relative_links(&file.text) {
        let path = target.split('#').next().unwrap_or_default();
        if !path.is_empty() && !directory.join(path).exists() {
            complaints.push(Complaint::line(index, format!("the link to `{target}` leads nowhere")));
        }
    }
    complaints
}

/// Documents that say which test proves what.
const PROVED: &[&str] = &["docs/checklist.md", "docs/reliability.md"];

/// A test that a document names exists. The name of a test is a sentence, by which it is told from other words.
pub(super) fn named_tests_exist(files: &[SourceFile]) -> Vec<(String, Complaint)> {
    let sources: Vec<&SourceFile> = files.iter().filter(|file| file.is("rs")).collect();
    let is_there = |name: &str| {
        let declared = format!("fn {name}(");
        sources.iter().any(|file| file.text.contains(&declared))
    };
    let mut complaints = vec![];
    for file in files.iter().filter(|file| PROVED.contains(&file.path.as_str())) {
        for (index, line) in file.text.lines().enumerate() {
            let named = line.split('`').skip(1).step_by(2).filter(|word| is_sentence(word));
            let missing = named.filter(|name| !is_there(name));
            complaints.extend(missing.map(|name| {
                (file.path.clone(), Complaint::line(index, format!("there is no test `{name}`")))
            }));
        }
    }
    complaints
}

fn is_sentence(word: &str) -> bool {
    let is_name = word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    is_name && word.matches('_').count() >= 3
}

/// The targets of inline links outside code, with the index of their line.
fn relative_links(markdown: &str) -> Vec<(usize, String)> {
    let mut links = vec![];
    let mut in_block = false;
    for (index, line) in markdown.lines().enumerate() {
        in_block ^= line.trim_start().starts_with("```");
        if in_block {
            continue;
        }
        let prose: String = line.split('`').step_by(2).collect();
        let targets = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let relative = targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:"));
        links.extend(relative.map(|target| (index, target.to_owned())));
    }
    links
}

#[cfg(test)]
mod tests {
    use super::{SourceFile, decision_has_its_parts, links_resolve, named_tests_exist, relative_links};

    #[test]
    fn a_test_that_is_gone_is_found() {
        let files = [
            SourceFile::new(
                "docs/checklist.md",
                "| 1 | x | `what_is_there_is_found`, `what_is_not_is_named` |",
            ),
            SourceFile::new("api/tests/a.rs", "fn what_is_there_is_found() {}"),
        ];
        let complaints = named_tests_exist(&files);
        assert_eq!(complaints.len(), 1);
        assert!(complaints[0].1.what.contains("what_is_not_is_named"));
    }

    #[test]
    fn a_decision_without_consequences_is_found() {
        let bad = SourceFile::new("docs/adr/0009-x.md", "# X\n\n## Context\n\n## Decision\n");
        let complaints = decision_has_its_parts(&bad);
        assert_eq!(complaints.len(), 1);
        assert!(complaints[0].what.contains("Consequences"));
    }

    #[test]
    fn a_dead_link_is_found_with_its_line() {
        let text = "See [this](Cargo.toml) and\n[that](no/such/file.md#part).\n";
        let complaints = links_resolve(crate::root(), &SourceFile::new("README.md", text));
        assert_eq!(complaints.len(), 1);
        assert_eq!(complaints[0].line, 2);
    }

    #[test]
    fn code_and_foreign_links_are_not_followed() {
        let text = "`[a](b)` [c](https://example.com/) [d](#part)\n```\n[e](f)\n```\n";
        assert_eq!(relative_links(text), [(0, "#part".to_owned())]);
    }
}
