//! What was generated, for people and for programs.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use serde_json::{Value, json};
use stockledger_chain::State;
use stockledger_schemas::Hash;

use super::history::Tally;
use super::{Args, Generated};
use crate::cli::output::{self, Format};
use crate::text::{rounded, thousands};

pub(super) struct Summary {
    args: Args,
    generated: Generated,
    took: Duration,
    all: Tally,
}

impl Summary {
    pub(super) fn new(args: Args, generated: Generated, took: Duration) -> Self {
        let mut all = Tally::default();
        for (tally, _) in generated.values() {
            all.add(tally);
        }
        Self { args, generated, took, all }
    }

    pub(super) fn print(&self, format: Format) -> io::Result<()> {
        match format {
            Format::Json => output::json(&self.to_json()),
            Format::Table => {
                output::table(&["generated", "stored"], &self.types())?;
                output::line(self.sentence())
            }
        }
    }

    /// One digest over the heads of all partitions: equal for equal histories.
    fn digest(&self) -> Hash {
        let heads: Vec<&[u8]> = self.generated.values().map(|(_, chain)| chain.hash.0.as_slice()).collect();
        Hash::of(&heads)
    }

    fn per_second(&self) -> f64 {
        self.all.events as f64 / self.took.as_secs_f64().max(0.001)
    }

    fn sorted_types(&self) -> BTreeMap<&'static str, u64> {
        self.all.types.iter().map(|(kind, count)| (*kind, *count)).collect()
    }

    fn types(&self) -> Vec<Vec<String>> {
        let row = |(kind, count): (&str, u64)| vec![kind.to_owned(), thousands(count)];
        self.sorted_types().into_iter().map(row).collect()
    }

    fn sentence(&self) -> String {
        format!(
            "Generated {} events in {} decisions of {} sites, {} MB in {} partitions, in {:.1} s ({} per second).\n\
             Seed {}, history {}.",
            thousands(self.all.events),
            thousands(self.all.decisions),
            self.args.sites,
            thousands(self.all.bytes / 1_000_000),
            self.generated.len(),
            self.took.as_secs_f64(),
            rounded(self.per_second()),
            self.args.seed,
            self.digest(),
        )
    }

    fn to_json(&self) -> Value {
        let partition = |(tally, chain): &(Tally, State)| {
            json!({
                "partition": chain.partition,
                "decisions": tally.decisions,
                "events": tally.events,
                "records": tally.records,
                "bytes": tally.bytes,
                "head": chain.hash,
            })
        };
        let partitions: Vec<Value> = self.generated.values().map(partition).collect();
        json!({
            "ledger_id": self.generated.values().next().map(|(_, chain)| chain.ledger_id),
            "seed": self.args.seed,
            "sites": self.args.sites,
            "skus": self.args.skus,
            "lines": self.args.lines,
            "decisions": self.all.decisions,
            "events": self.all.events,
            "records": self.all.records,
            "bytes": self.all.bytes,
            "stored_events": self.sorted_types(),
            "partitions": partitions,
            "history": self.digest(),
            "seconds": self.took.as_secs_f64(),
            "events_per_second": self.per_second().round(),
        })
    }
}
