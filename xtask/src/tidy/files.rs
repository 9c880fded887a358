//! The text files of the project.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

/// Directories that hold nothing of ours, and the bytes that fuzzing begins with.
const SKIPPED: &[&str] = &[".git", "target", "stockledger-data", "node_modules", "corpus"];
/// Larger files are data.
const BYTES_MAX: u64 = 1 << 20;

/// A text file.
pub(super) struct SourceFile {
    /// From the root of the workspace, with `/`.
    pub(super) path: String,
    pub(super) text: String,
}

impl SourceFile {
    pub(super) fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    pub(super) fn is(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|found| found == extension)
    }

    pub(super) fn lines(&self) -> usize {
        self.text.lines().count()
    }

    /// Whether the rules themselves stand here, whose bad examples break them.
    pub(super) fn is_rulebook(&self) -> bool {
        self.path.starts_with("xtask/src/tidy/")
    }
}

/// Every text file below `root`, by path.
pub(super) fn all(root: &Path) -> Result<Vec<SourceFile>> {
    let mut files = vec![];
    collect(root, "", &mut files)?;
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

fn collect(directory: &Path, prefix: &str, files: &mut Vec<SourceFile>) -> Result<()> {
    let reading = || format!("reading {}", directory.display());
    for entry in fs::read_dir(directory).with_context(reading)? {
        let entry = entry.with_context(reading)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        let about = entry.metadata().with_context(reading)?;
        if about.is_dir() && !SKIPPED.contains(&name.as_str()) {
            collect(&entry.path(), &format!("{path}/"), files)?;
        } else if about.is_file() && about.len() <= BYTES_MAX {
            let bytes = fs::read(entry.path()).with_context(|| format!("reading {path}"))?;
            files.extend(
                String::from_utf8(bytes)
                    .ok()
                    .filter(|text| !text.contains('\0'))
                    .map(|text| SourceFile::new(path, text)),
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::all;

    #[test]
    fn finds_itself_and_nothing_that_was_built() {
        let paths: Vec<String> = all(crate::root()).unwrap().into_iter().map(|file| file.path).collect();
        assert!(paths.contains(&"xtask/src/tidy/files.rs".to_owned()));
        assert!(paths.contains(&".ci/run".to_owned()));
        assert!(!paths.iter().any(|path| path.starts_with("target/") || path.starts_with(".git/")));
    }
}
