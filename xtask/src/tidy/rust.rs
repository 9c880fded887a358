//! Rules on Rust source files.

use super::Complaint;
use super::files::SourceFile;
use super::text::has_word;

/// A file should stay below this.
pub(super) const LINES_AIM: usize = 400;
const LINES_MAX: usize = 600;

/// Words that stand nowhere, and what to do instead.
const FORBIDDEN: &[(&str, &str)] = &[
    ("dbg!(", "leftover of debugging"),
    ("#[ignore", "a test runs or is deleted"),
    ("unbounded_channel", "every queue has a bound with a name"),
    ("mpsc::channel()", "every queue has a bound with a name: take `sync_channel`"),
    ("thread::sleep(", "wait for a condition with a deadline"),
    ("unsafe {", "this project has no unsafe code"),
    ("unsafe fn", "this project has no unsafe code"),
    ("unsafe impl", "this project has no unsafe code"),
];

/// The only file that may name bincode.
const CODEC: &str = "schemas/src/codec.rs";

pub(super) fn opens_with_a_description(file: &SourceFile) -> Vec<Complaint> {
    if !file.is("rs") || file.text.starts_with("//!") {
        return vec![];
    }
    vec![Complaint::file("does not open with `//!`: what it is, what it must never do, where to read next")]
}

pub(super) fn is_not_too_long(file: &SourceFile) -> Vec<Complaint> {
    if !file.is("rs") || file.lines() <= LINES_MAX {
        return vec![];
    }
    vec![Complaint::file(format!("{} lines are more than {LINES_MAX}: split it", file.lines()))]
}

/// Whether a file is longer than it should be.
pub(super) fn is_long(file: &SourceFile) -> bool {
    file.is("rs") && file.lines() > LINES_AIM
}

pub(super) fn has_no_forbidden_word(file: &SourceFile) -> Vec<Complaint> {
    let mut complaints = vec![];
    for (index, line) in checked_lines(file) {
        let found = FORBIDDEN.iter().filter(|(word, _)| line.contains(word));
        complaints
            .extend(found.map(|(word, instead)| Complaint::line(index, format!("`{word}`: {instead}"))));
    }
    complaints
}

/// A sleep makes a test slow or flaky, mostly both. On tokio's paused clock it does neither: it only moves that clock.
pub(super) fn waits_for_conditions_in_tests(file: &SourceFile) -> Vec<Complaint> {
    let mut in_tests = file.path.split('/').any(|part| part == "tests");
    let mut complaints = vec![];
    if is_on_paused_clock(file) {
        return complaints;
    }
    for (index, line) in checked_lines(file) {
        in_tests |= line.trim() == "#[cfg(test)]";
        let sleeps = line.contains("time::sleep") || line.trim_start().starts_with("sleep(");
        if in_tests && sleeps {
            complaints.push(Complaint::line(index, "a test sleeps: wait for a condition with a deadline"));
        }
    }
    complaints
}

/// Whether all asynchronous tests of a file, of which there are some, run on the paused clock.
fn is_on_paused_clock(file: &SourceFile) -> bool {
    let mut attributes = file.text.lines().filter(|line| line.trim().starts_with("#[tokio::test")).peekable();
    attributes.peek().is_some() && attributes.all(|line| line.contains("start_paused = true"))
}

/// A glob is good for the variants of an enum in one function, for a prelude that is made for it, and in a module that is
/// part of the file around it: its tests, or what a macro makes.
pub(super) fn imports_by_name(file: &SourceFile) -> Vec<Complaint> {
    let mut complaints = vec![];
    let inner_module = file.text.find("#[cfg(test)]\nmod ").or_else(|| file.text.find("macro_rules!"));
    let first_inner_line = inner_module.map_or(usize::MAX, |at| file.text[..at].lines().count());
    for (index, line) in checked_lines(file) {
        let statement = line.trim_start().trim_start_matches("pub ").trim_start_matches("pub(crate) ");
        let Some(path) = statement.strip_prefix("use ").and_then(|rest| rest.strip_suffix("::*;")) else {
            continue;
        };
        let last = path.rsplit("::").next().unwrap_or(path);
        let is_enum_inside = line.starts_with(' ') && last.starts_with(char::is_uppercase);
        let is_of_the_file = path == "super" && index > first_inner_line;
        if !is_enum_inside && !is_of_the_file && last != "prelude" {
            complaints.push(Complaint::line(index, format!("imports all of `{path}`: import by name")));
        }
    }
    complaints
}

pub(super) fn confines_bincode(file: &SourceFile) -> Vec<Complaint> {
    if file.path == CODEC {
        return vec![];
    }
    checked_lines(file)
        .filter(|(_, line)| line.contains("bincode::") && has_word(line, "bincode"))
        .map(|(index, _)| Complaint::line(index, format!("only {CODEC} may name bincode (docs/adr/0003)")))
        .collect()
}

/// The lines that the rules on words look at, with their index.
fn checked_lines(file: &SourceFile) -> impl Iterator<Item = (usize, &str)> {
    let text = if file.is("rs") && !file.is_rulebook() { file.text.as_str() } else { "" };
    text.lines().enumerate()
}

#[cfg(test)]
mod tests {
    use super::{
        SourceFile, confines_bincode, has_no_forbidden_word, imports_by_name, is_long, is_not_too_long,
        opens_with_a_description, waits_for_conditions_in_tests,
    };

    fn source(text: &str) -> SourceFile {
        SourceFile::new("api/src/lib.rs", text)
    }

    #[test]
    fn a_file_must_say_what_it_is() {
        assert_eq!(opens_with_a_description(&source("use std::fs;\n")).len(), 1);
        assert!(opens_with_a_description(&source("//! Good.\n")).is_empty());
        assert!(opens_with_a_description(&SourceFile::new("README.md", "# Title\n")).is_empty());
    }

    #[test]
    fn a_file_must_not_be_too_long() {
        assert_eq!(is_not_too_long(&source(&"\n".repeat(601))).len(), 1);
        let long = source(&"\n".repeat(600));
        assert!(is_not_too_long(&long).is_empty() && is_long(&long));
        assert!(!is_long(&source(&"\n".repeat(400))));
    }

    #[test]
    fn forbidden_words_are_found_with_their_line() {
        let bad = [
            "dbg!(value);",
            "#[ignore = \"slow\"]",
            "let (tx, rx) = unbounded_channel();",
            "let (tx, rx) = std::sync::mpsc::channel();",
            "std::thread::sleep(second);",
            "unsafe { read() }",
        ];
        for line in bad {
            let complaints = has_no_forbidden_word(&source(&format!("//! Good.\n{line}\n")));
            assert_eq!(complaints.len(), 1, "{line}");
            assert_eq!(complaints[0].line, 2);
        }
        assert!(has_no_forbidden_word(&source("let (tx, rx) = mpsc::channel(BOUND);")).is_empty());
    }

    #[test]
    fn a_test_must_not_sleep() {
        let unit = source(
            "tokio::time::sleep(pause).await;\n#[cfg(test)]\nmod tests {\n    time::sleep(pause).await;\n",
        );
        let lines: Vec<usize> =
            waits_for_conditions_in_tests(&unit).iter().map(|complaint| complaint.line).collect();
        assert_eq!(lines, [4]);
        let file = SourceFile::new("api/tests/serve.rs", "    sleep(pause).await;\n");
        assert_eq!(waits_for_conditions_in_tests(&file).len(), 1);
    }

    #[test]
    fn a_test_may_move_the_paused_clock() {
        let paused =
            "#[tokio::test(start_paused = true)]\nasync fn one() {\n    time::sleep(pause).await;\n}\n";
        let file = SourceFile::new("api/tests/serve.rs", paused);
        assert!(waits_for_conditions_in_tests(&file).is_empty());
        let mixed =
            SourceFile::new("api/tests/serve.rs", format!("{paused}#[tokio::test]\nasync fn two() {{}}\n"));
        assert_eq!(waits_for_conditions_in_tests(&mixed).len(), 1);
    }

    #[test]
    fn names_are_imported_one_by_one() {
        for bad in ["use crate::event::*;", "    use super::*;", "pub use event::*;", "use Event::*;"] {
            assert_eq!(imports_by_name(&source(bad)).len(), 1, "{bad}");
        }
        let tests = "#[cfg(test)]\nmod tests {\n    use super::*;\n}";
        for good in ["    use Event::*;", "use proptest::prelude::*;", "use std::fmt::{self, Write};", tests]
        {
            assert!(imports_by_name(&source(good)).is_empty(), "{good}");
        }
    }

    #[test]
    fn bincode_is_named_in_one_file() {
        assert_eq!(confines_bincode(&source("use bincode::Encode;")).len(), 1);
        assert!(confines_bincode(&source("use wincode::SchemaRead;")).is_empty());
        assert!(
            confines_bincode(&SourceFile::new("schemas/src/codec.rs", "use bincode::Encode;")).is_empty()
        );
    }
}
