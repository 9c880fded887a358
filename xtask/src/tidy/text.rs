//! Rules on every text file.

use super::Complaint;
use super::files::SourceFile;

const MARKERS: &[&str] = &["TODO", "FIXME", "XXX"];

pub(super) fn no_trailing_white_space(file: &SourceFile) -> Vec<Complaint> {
    let lines = file.text.lines().enumerate();
    lines
        .filter(|(_, line)| line.ends_with([' ', '\t']))
        .map(|(index, _)| Complaint::line(index, "white space at the end of the line"))
        .collect()
}

/// What ships is finished, even if small.
pub(super) fn no_marker_of_unfinished_work(file: &SourceFile) -> Vec<Complaint> {
    if file.is_rulebook() || file.is("lock") {
        return vec![];
    }
    let lines = file.text.lines().enumerate();
    lines
        .filter_map(|(index, line)| {
            let marker = MARKERS.iter().find(|marker| has_word(line, marker))?;
            Some(Complaint::line(index, format!("{marker} marks unfinished work")))
        })
        .collect()
}

/// Whether `word` stands in `line` with no letter, digit or underscore beside it.
pub(super) fn has_word(line: &str, word: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    line.match_indices(word).any(|(at, _)| {
        let (before, behind) = (&line[..at], &line[at + word.len()..]);
        !before.ends_with(is_part) && !behind.starts_with(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::super::Complaint;
    use super::{SourceFile, has_word, no_marker_of_unfinished_work, no_trailing_white_space};

    #[test]
    fn finds_white_space_at_the_end_of_a_line() {
        let file = SourceFile::new("README.md", "good\nbad \nbad\t\n");
        let lines: Vec<usize> =
            no_trailing_white_space(&file).iter().map(|complaint| complaint.line).collect();
        assert_eq!(lines, [2, 3]);
    }

    #[test]
    fn finds_a_marker_of_unfinished_work() {
        let file = SourceFile::new("api/src/lib.rs", "//! Good.\n// TODO: later\n");
        assert_eq!(no_marker_of_unfinished_work(&file), [Complaint::line(1, "TODO marks unfinished work")]);
    }

    #[test]
    fn a_marker_inside_a_longer_word_is_none() {
        assert!(!has_word("TODOS and XXXL", "TODO") && !has_word("XXXL", "XXX"));
        assert!(has_word("(FIXME)", "FIXME"));
    }
}
