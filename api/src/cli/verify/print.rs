//! What a verification prints.

use serde_json::{Value, json};
use stockledger_audit::Report;
use stockledger_audit::verify::{Finding, PartitionReport};
use stockledger_chain::Halt;

use super::tables::Compared;
use crate::cli::output::{self, Format};
use crate::cli::{Exit, Failure};
use crate::text::{rounded, thousands};

/// What was found.
pub(super) struct Verification {
    pub(super) report: Report<Finding>,
    pub(super) tables: Option<Compared>,
    pub(super) seconds: f64,
}

impl Verification {
    pub(super) fn print(&self, format: Format) -> std::io::Result<()> {
        match format {
            Format::Json => output::json(&self.json()),
            Format::Table => self.lines(),
        }
    }

    fn json(&self) -> Value {
        let Self { report, tables, seconds } = self;
        json!({
            "ok": report.is_good() && tables.as_ref().is_none_or(Compared::is_equal),
            "ledger_id": report.ledger_id,
            "partitions": report.partitions,
            "total": report.total(),
            "unvouched_decisions": report.unvouched(),
            "projections": tables,
            "seconds": seconds,
        })
    }

    fn lines(&self) -> std::io::Result<()> {
        partitions_table(&self.report)?;
        self.report.partitions.iter().try_for_each(void_records)?;
        self.report.failures().try_for_each(failure)?;
        if !self.report.is_good() {
            return Ok(());
        }
        let total = self.report.total();
        output::line(format_args!(
            "\nVerified {} events in {} decisions of {} partitions: the log is whole and every decision possible ({:.1} s, {} \
             events per second).",
            thousands(total.events),
            thousands(total.decisions),
            self.report.partitions.len(),
            self.seconds,
            rounded(total.events as f64 / self.seconds.max(0.001)),
        ))?;
        vouching(&self.report)?;
        self.tables.as_ref().map_or(Ok(()), Compared::print)
    }

    /// How the command ends.
    pub(super) fn outcome(&self) -> Result<(), Failure> {
        let failed = |text: String| Err(Failure::text(Exit::VerificationFailed, text));
        let failures: Vec<String> = self.report.failures().map(ToString::to_string).collect();
        if let Some(first) = failures.first() {
            let others = match failures.len() - 1 {
                0 => String::new(),
                others => format!(" ({others} more partitions are wrong)"),
            };
            return failed(format!("{first}{others}"));
        }
        match self.tables.as_ref().and_then(Compared::complaint) {
            Some(complaint) => failed(complaint),
            None => Ok(()),
        }
    }
}

/// What there is of each partition, and where it stands.
pub(in crate::cli) fn partitions_table<F>(report: &Report<F>) -> std::io::Result<()> {
    let counts =
        ["partition", "records", "decisions", "events", "void", "terms", "first recorded", "last recorded"];
    let rows: Vec<Vec<String>> = report.partitions.iter().map(count_cells).collect();
    output::table(&counts, &rows)?;
    output::line("")?;
    let rows: Vec<Vec<String>> = report.partitions.iter().filter_map(head_cells).collect();
    output::table(&["head", "chain hash"], &rows)
}

fn count_cells<F>(partition: &PartitionReport<F>) -> Vec<String> {
    let tally = &partition.tally;
    let mut cells = vec![partition.partition.to_string()];
    let numbers = [tally.records, tally.decisions, tally.events, tally.void, tally.terms];
    cells.extend(numbers.map(thousands));
    for moment in [partition.first, partition.last] {
        cells.push(moment.map(|moment| moment.recorded_at.to_string()).unwrap_or_default());
    }
    cells
}

fn head_cells<F>(partition: &PartitionReport<F>) -> Option<Vec<String>> {
    let head = partition.head?;
    Some(vec![format!("{}.{}", partition.partition, head.seq), head.hash.to_string()])
}

fn void_records(partition: &PartitionReport<Finding>) -> std::io::Result<()> {
    for void in &partition.void_records {
        output::line(format_args!(
            "void: partition {}, offset {}: {}",
            partition.partition,
            void.offset,
            void.why.replace('_', " ")
        ))?;
    }
    let named = partition.void_records.len() as u64;
    if partition.tally.void > named {
        let more = partition.tally.void - named;
        output::line(format_args!("void: partition {}: {more} more", partition.partition))?;
    }
    Ok(())
}

fn failure(wrong: &Finding) -> std::io::Result<()> {
    output::line(format_args!(
        "\nWRONG: partition {}, offset {}, after {}: {}\n  expected  {}\n  found     {}",
        wrong.partition, wrong.offset, wrong.after, wrong.what, wrong.expected, wrong.found
    ))
}

/// Whether anything outside can vouch for the end of the log.
fn vouching(report: &Report<Finding>) -> std::io::Result<()> {
    let witnesses: Vec<&str> = report
        .partitions
        .iter()
        .filter_map(|partition| partition.vouched.as_ref().map(|vouched| vouched.by.as_str()))
        .fold(Vec::new(), |mut all, by| {
            if !all.contains(&by) {
                all.push(by);
            }
            all
        });
    match (witnesses.join(", "), report.unvouched()) {
        (witnesses, _) if witnesses.is_empty() => output::line(
            "Nothing outside the log vouches for its end: the last records could have been changed, made void or cut off \
             unseen.\nKeep these heads, or the manifest of an export, somewhere else, and verify against it with --manifest.",
        ),
        (witnesses, 0) => output::line(format_args!("Vouched for to its end by {witnesses}.")),
        (witnesses, newer) => output::line(format_args!(
            "Vouched for by {witnesses}, but for the newest {} decisions, for which nothing outside the log vouches.",
            thousands(newer)
        )),
    }
}

/// Why a partition could not be read to its end, for commands that go on with the others.
pub(in crate::cli) fn halted<'a>(halts: impl Iterator<Item = &'a Halt>) -> Result<(), Failure> {
    let texts: Vec<String> = halts.map(ToString::to_string).collect();
    if texts.is_empty() {
        return Ok(());
    }
    let text = format!("{}; everything before is written", texts.join("; "));
    Err(Failure::text(Exit::VerificationFailed, text))
}
