//! What people and programs get to see: tables or JSON on stdout, everything else on stderr.

#![expect(clippy::print_stderr, reason = "this is the one place that writes to the terminal")]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use comfy_table::{Cell, CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::setup::Code;
use crate::text::cell_of_text;

/// How rows are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Rows {
    /// For people.
    Table,
    /// For programs; the shape is that of the HTTP interface.
    Json,
    /// A line of JSON for each row.
    Ndjson,
    /// The columns of the table, for spreadsheets.
    Csv,
}

/// How whatever is no list of rows is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
}

impl From<Rows> for Format {
    fn from(rows: Rows) -> Self {
        match rows {
            Rows::Table | Rows::Csv => Self::Table,
            Rows::Json | Rows::Ndjson => Self::Json,
        }
    }
}

/// How often progress is told where there is no terminal to draw a bar on.
const PLAIN_PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// Prints a value as JSON, indented on a terminal.
pub(super) fn json(value: &impl serde::Serialize) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    if stdout.is_terminal() {
        serde_json::to_writer_pretty(&mut stdout, value)?;
    } else {
        serde_json::to_writer(&mut stdout, value)?;
    }
    writeln!(stdout)
}

/// Prints a value as one line of JSON, one of many.
pub(super) fn json_line(value: &impl serde::Serialize) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    serde_json::to_writer(&mut stdout, value)?;
    writeln!(stdout)
}

/// Prints a line of data.
pub(super) fn line(text: impl std::fmt::Display) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// Prints text that ends with a newline of its own.
pub(super) fn text(text: impl std::fmt::Display) -> io::Result<()> {
    write!(io::stdout().lock(), "{text}")
}

/// Says something that is not data.
pub(super) fn say(text: impl std::fmt::Display) {
    eprintln!("{text}");
}

/// Says why the program did not do what it was asked to, with everything that caused it. A set-up that is refused has
/// codes, for programs as a line of JSON.
pub(super) fn complain(format: Format, exit_code: u8, codes: &[Code], error: &anyhow::Error) {
    let codes: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
    if codes.is_empty() {
        eprintln!("error: {error:#}");
    } else if format == Format::Json {
        let error = format!("{error:#}");
        eprintln!("{}", serde_json::json!({ "error": error, "codes": codes, "exit_code": exit_code }));
    } else {
        eprintln!("error[{}]: {error:#}", codes.join(","));
    }
}

/// A line below the heading and nothing else: easy on the eye, and to cut apart.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// Prints rows under a heading; columns whose cells are all numbers are aligned as numbers.
pub(super) fn table(heading: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    let mut table = Table::new();
    table.load_style(STYLE).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(heading);
    for row in rows {
        table.add_row(row.iter().map(Cell::new));
    }
    for column in 0..heading.len() {
        let is_number = |row: &Vec<String>| {
            row.get(column).is_none_or(|cell| cell.is_empty() || looks_like_a_number(cell))
        };
        if let (true, Some(column)) = (rows.iter().all(is_number), table.column_mut(column)) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    line(table.trim_fmt())
}

/// Prints rows as CSV under a heading.
pub(super) fn csv(heading: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(io::stdout().lock());
    writer.write_record(heading)?;
    for row in rows {
        // Whole numbers alone begin with a sign of ours.
        let cells = row.iter().map(|cell| match cell.parse::<i64>() {
            Ok(_) => cell.into(),
            Err(_) => cell_of_text(cell),
        });
        writer.write_record(cells.map(Cow::into_owned))?;
    }
    writer.flush()
}

fn looks_like_a_number(cell: &str) -> bool {
    cell.chars().all(|letter| letter.is_ascii_digit() || matches!(letter, '-' | '+' | ',' | '.'))
}

/// The text of a JSON value as a cell of a table: nothing for null, no quotes around text.
pub(super) fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// Progress of long work: a bar on a terminal, a line every few seconds elsewhere.
pub(super) struct Progress {
    what: &'static str,
    bar: Option<ProgressBar>,
    began: Instant,
    told: std::sync::Mutex<Instant>,
}

impl Progress {
    pub(super) fn new(what: &'static str, unit: &str) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let template = format!(
                "{{prefix}} [{{bar:32}}] {{human_pos}}/{{human_len}} {unit}  {{per_sec}}  {{eta}} left"
            );
            let style =
                ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(0).with_style(style.progress_chars("=> ")).with_prefix(what)
        });
        let now = Instant::now();
        Self { what, bar, began: now, told: std::sync::Mutex::new(now) }
    }

    pub(super) fn set(&self, done: u64, total: u64) {
        if let Some(bar) = &self.bar {
            bar.set_length(total);
            bar.set_position(done);
            return;
        }
        let mut told = self.told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if told.elapsed() < PLAIN_PROGRESS_EVERY {
            return;
        }
        *told = Instant::now();
        let rate = u128::from(done) * 1_000 / self.began.elapsed().as_millis().max(1);
        let left = u128::from(total.saturating_sub(done)).checked_div(rate).unwrap_or_default();
        say(format!("{}: {done} of {total}, {rate} per second, {left} s left", self.what));
    }

    pub(super) fn done(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Progress of work in partitions: a bar for each on a terminal, a line for all of them every few seconds elsewhere.
pub(super) struct Bars {
    what: &'static str,
    drawn: Option<MultiProgress>,
    began: Instant,
    partitions: std::sync::Mutex<(Instant, BTreeMap<u16, Partition>)>,
}

struct Partition {
    done: u64,
    total: u64,
    bar: Option<ProgressBar>,
}

impl Bars {
    pub(super) fn new(what: &'static str) -> Self {
        let drawn = io::stderr().is_terminal().then(MultiProgress::new);
        let now = Instant::now();
        Self { what, drawn, began: now, partitions: std::sync::Mutex::new((now, BTreeMap::new())) }
    }

    /// How far one partition is, in records; `speed` says how fast all of them are.
    pub(super) fn set(&self, partition: u16, done: u64, total: u64, speed: &str) {
        let mut guard = self.partitions.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (told, partitions) = &mut *guard;
        let known = partitions.entry(partition).or_insert_with(|| {
            let bar = self.drawn.as_ref().map(|drawn| drawn.add(partition_bar(partition)));
            Partition { done, total, bar }
        });
        (known.done, known.total) = (done, total);
        if let Some(bar) = &known.bar {
            bar.set_length(total);
            bar.set_position(done);
            bar.set_message(speed.to_owned());
            return;
        }
        if told.elapsed() < PLAIN_PROGRESS_EVERY {
            return;
        }
        *told = Instant::now();
        let sum = |of: fn(&Partition) -> u64| partitions.values().map(of).sum::<u64>();
        let (done, total) = (sum(|one| one.done), sum(|one| one.total));
        let rate = u128::from(done) * 1_000 / self.began.elapsed().as_millis().max(1);
        let left = u128::from(total.saturating_sub(done)).checked_div(rate).unwrap_or_default();
        let (what, begun) = (self.what, partitions.len());
        say(format!("{what}: {done} of {total} records in {begun} partitions, {speed}, {left} s left"));
    }

    pub(super) fn done(&self) {
        if let Some(drawn) = &self.drawn {
            // What cannot be cleared stays to be seen.
            let _ = drawn.clear();
        }
    }
}

fn partition_bar(partition: u16) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "partition {prefix:>4} [{bar:32}] {human_pos}/{human_len}  {eta} left  {msg}",
    );
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style.progress_chars("=> ")).with_prefix(partition.to_string())
}
