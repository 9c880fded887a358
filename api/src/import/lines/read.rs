//! The commands of a file, one after the other, each as a line of bulk with a key.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;
use stockledger_schemas::Hash;
use tempfile::NamedTempFile;

use super::csv::Rows;
use super::{Error, Form};
use crate::http::BULK_LINE_BYTES_MAX as LINE_BYTES_MAX;
use crate::import::source::Source;

/// What messages call the standard input, which the name `-` stands for.
const STANDARD_INPUT: &str = "the standard input";

/// One command of a file.
#[derive(Debug)]
pub(super) struct Command {
    /// The line where it begins, from 1.
    pub(super) line: u64,
    /// The command as bulk takes it.
    pub(super) json: Vec<u8>,
}

/// What stands in a file.
#[derive(Debug)]
pub(super) enum Item {
    /// A command.
    Command(Command),
    /// Something that can be no command, and why.
    Bad { line: u64, detail: String },
    /// The file cannot be read on.
    Broken(io::Error),
}

/// A file of commands. It is read more than once, so what comes through a pipe is kept in a file that goes away with this.
#[derive(Debug)]
pub struct Input {
    source: Source,
    name: String,
    form: Form,
    _kept: Option<NamedTempFile>,
}

impl Input {
    /// The file at `path`, or the standard input for `-`, plain or packed with gzip. It blocks.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn open(path: &Path, form: Form) -> Result<Self, Error> {
        if path != Path::new("-") {
            let name = path.display().to_string();
            return Ok(Self { source: Source::File(PathBuf::from(path)), name, form, _kept: None });
        }
        let name = STANDARD_INPUT.to_owned();
        let kept =
            keep(&mut io::stdin().lock()).map_err(|source| Error::Read { name: name.clone(), source })?;
        Ok(Self { source: Source::File(kept.path().to_owned()), name, form, _kept: Some(kept) })
    }

    /// What messages call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The SHA-256 of what is in it, unpacked. It blocks.
    pub(super) fn hash(&self) -> Result<Hash, Error> {
        let mut content = self.source.open().map_err(|source| self.unreadable(source))?;
        io::copy(&mut content, &mut io::sink()).map_err(|source| self.unreadable(source))?;
        Ok(content.finish())
    }

    /// Its commands. Those that have no key get one that `hash` and their line make. It blocks.
    pub(super) fn items(&self, hash: &Hash) -> Result<Box<dyn Iterator<Item = Item>>, Error> {
        let content = BufReader::new(self.source.open().map_err(|source| self.unreadable(source))?);
        let prefix = key_prefix(hash);
        let items: Box<dyn Iterator<Item = Item>> = match self.form {
            Form::Ndjson => Box::new(Lines { content, number: 0 }),
            Form::Csv => Box::new(Rows::new(content).map_err(|error| self.unreadable(error.into()))?),
        };
        Ok(Box::new(items.map(move |item| match item {
            Item::Command(Command { line, json }) => {
                Item::Command(Command { line, json: keyed(json, &format!("{prefix}{line}")) })
            }
            other => other,
        })))
    }

    pub(super) fn unreadable(&self, source: io::Error) -> Error {
        Error::Read { name: self.name.clone(), source }
    }
}

/// How the keys begin that are made for a file.
fn key_prefix(hash: &Hash) -> String {
    let mut digits = hash.to_string();
    digits.truncate(16);
    format!("import:{digits}:")
}

fn keep(from: &mut impl Read) -> io::Result<NamedTempFile> {
    let mut kept = NamedTempFile::new()?;
    io::copy(from, kept.as_file_mut())?;
    Ok(kept)
}

/// What must be known of a line to give it a key.
#[derive(Deserialize)]
struct Head {
    idempotency_key: Option<IgnoredAny>,
    #[serde(rename = "command")]
    _command: IgnoredAny,
}

/// The line with this key, unless it has one. What is no command stays as it is; it is found to be none when it is checked.
fn keyed(json: Vec<u8>, key: &str) -> Vec<u8> {
    let needs_one = serde_json::from_slice::<Head>(&json).is_ok_and(|head| head.idempotency_key.is_none());
    let begin = json.iter().position(|byte| *byte == b'{').filter(|_| needs_one);
    let Some(begin) = begin else { return json };
    let mut keyed = format!("{{\"idempotency_key\":\"{key}\",").into_bytes();
    keyed.extend_from_slice(&json[begin + 1..]);
    keyed
}

/// The lines of NDJSON that are not blank.
struct Lines<R> {
    content: BufReader<R>,
    number: u64,
}

impl<R: Read> Lines<R> {
    fn read(&mut self) -> io::Result<Option<Item>> {
        loop {
            let mut line = Vec::new();
            let bytes_max = u64::try_from(LINE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
            if self.content.by_ref().take(bytes_max).read_until(b'\n', &mut line)? == 0 {
                return Ok(None);
            }
            self.number += 1;
            if line.len() > LINE_BYTES_MAX && !line.ends_with(b"\n") {
                self.content.skip_until(b'\n')?;
                let detail = format!("a line has at most {LINE_BYTES_MAX} bytes; split it");
                return Ok(Some(Item::Bad { line: self.number, detail }));
            }
            let mark = if self.number == 1 { "\u{feff}".as_bytes() } else { b"" };
            let text = line.strip_prefix(mark).unwrap_or(&line).trim_ascii();
            if !text.is_empty() {
                return Ok(Some(Item::Command(Command { line: self.number, json: text.to_vec() })));
            }
        }
    }
}

impl<R: Read> Iterator for Lines<R> {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        self.read().unwrap_or_else(|error| Some(Item::Broken(error)))
    }
}

/// A file for what is said of each line.
///
/// # Errors
/// [`Error::Report`].
pub(super) fn create(path: &Path) -> Result<File, Error> {
    File::create(path).map_err(Error::Report)
}
