//! What an import came to.

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::text::thousands;

/// What an import came to. A second run of the same import gives the same numbers, but for `new_events` and `seconds`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// All invoices of the file.
    pub documents: u64,
    /// All lines of the file below its header.
    pub lines: u64,
    /// Lines that are not about goods.
    pub skipped_lines: u64,
    /// Different SKUs.
    pub items: u64,
    /// Units received before the first document.
    pub opening_units: i64,
    /// Orders that were accepted and shipped.
    pub orders_shipped: u64,
    /// Orders that were refused because goods were short.
    pub orders_refused: u64,
    /// Lines of all orders, as the file has them, refused or not.
    pub order_lines: u64,
    /// Units of the shipped orders.
    pub units_shipped: i64,
    /// Goods that customers sent back, in documents.
    pub returns: u64,
    /// Adjustments, the refused ones and those that come to nothing included.
    pub adjustments: u64,
    /// Adjustments that were refused because goods were short.
    pub adjustments_refused: u64,
    /// Units on hand at the site when all was done, by the projections.
    pub units_on_hand: i64,
    /// Events that this import stands for in the log: two that open the site, and one for each command.
    pub events: u64,
    /// How many of them this run has added.
    pub new_events: u64,
    /// From the first byte read until the projections were level.
    pub seconds: f64,
    /// Whether an earlier run of this import had begun.
    #[serde(skip)]
    pub was_begun_before: bool,
    /// Commands that were left out because another file had used their keys; possible only with force.
    #[serde(skip)]
    pub already_imported: u64,
}

impl Report {
    /// Whether everything was there before.
    #[must_use]
    pub const fn is_replay(&self) -> bool {
        self.new_events == 0
    }

    /// What happened, in one sentence.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut summary = if self.is_replay() {
            "This import was done before; nothing has changed.".to_owned()
        } else if self.was_begun_before {
            let before = self.events - self.new_events;
            format!(
                "The import was continued: {before} events were there before, {} are new.",
                self.new_events
            )
        } else {
            format!("The import is done: {} events.", thousands(self.events))
        };
        if self.already_imported > 0 {
            let left_out = self.already_imported;
            summary.push_str(&format!(
                " Left as they are: {left_out} parts of invoices that came with another file."
            ));
        }
        summary
    }

    /// The report for people.
    #[must_use]
    pub fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        for (what, number) in self.rows() {
            table.add_row([what, number.as_str()]);
        }
        if let Some(numbers) = table.column_mut(1) {
            numbers.set_cell_alignment(CellAlignment::Right);
        }
        table
    }

    fn rows(&self) -> [(&'static str, String); 16] {
        [
            ("documents", thousands(self.documents)),
            ("lines", thousands(self.lines)),
            ("skipped lines", thousands(self.skipped_lines)),
            ("items", thousands(self.items)),
            ("opening units", thousands(self.opening_units)),
            ("orders shipped", thousands(self.orders_shipped)),
            ("orders refused", thousands(self.orders_refused)),
            ("order lines", thousands(self.order_lines)),
            ("units shipped", thousands(self.units_shipped)),
            ("returns", thousands(self.returns)),
            ("adjustments", thousands(self.adjustments)),
            ("adjustments refused", thousands(self.adjustments_refused)),
            ("units on hand", thousands(self.units_on_hand)),
            ("events", thousands(self.events)),
            ("new events", thousands(self.new_events)),
            ("seconds", format!("{:.2}", self.seconds)),
        ]
    }
}
