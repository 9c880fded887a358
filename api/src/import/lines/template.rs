//! The columns of each command in CSV, and an example of it.

use stockledger_schemas::CommandKind;

/// Columns that every command has; all may be empty, unless the command needs one.
pub(super) const COMMON: [&str; 7] =
    ["reason", "note", "reference_type", "reference_id", "occurred_at", "correlation_id", "idempotency_key"];

/// Columns that hold whole numbers.
pub(super) const NUMBERS: [&str; 5] =
    ["quantity", "delta", "expected_on_hand", "counted", "unit_price_minor"];

type Row = &'static [(&'static str, &'static str)];

/// How one command stands in CSV.
#[derive(Debug)]
pub struct Template {
    /// What people call it, as the command line does.
    pub name: &'static str,
    /// The command, whose name stands in the column `command`.
    pub(super) command: CommandKind,
    /// Columns of what stands in the path of its route.
    pub(super) path: &'static [&'static str],
    /// Columns of its body.
    pub(super) body: &'static [&'static str],
    /// Columns of each of its lines; none, if it has no lines.
    pub(super) lines: &'static [&'static str],
    /// Rows of an example.
    example: &'static [Row],
}

/// All of them.
pub const TEMPLATES: [Template; 12] = [
    Template {
        name: "site",
        command: CommandKind::OpenSite,
        path: &["site"],
        body: &["name"],
        lines: &[],
        example: &[&[("site", "uk"), ("name", "London")]],
    },
    Template {
        name: "item",
        command: CommandKind::RegisterItem,
        path: &["sku"],
        body: &["name", "unit"],
        lines: &[],
        example: &[&[("sku", "APPLE-1"), ("name", "apple, red"), ("unit", "kg")]],
    },
    Template {
        name: "receive",
        command: CommandKind::ReceiveStock,
        path: &["site"],
        body: &[],
        lines: &["sku", "quantity"],
        example: &[
            &[
                ("site", "uk"),
                ("sku", "APPLE-1"),
                ("quantity", "120"),
                ("reason", "purchase"),
                ("reference_type", "delivery"),
                ("reference_id", "DN-17"),
            ],
            &[
                ("site", "uk"),
                ("sku", "PEAR-2"),
                ("quantity", "40"),
                ("reason", "purchase"),
                ("reference_type", "delivery"),
                ("reference_id", "DN-17"),
            ],
        ],
    },
    Template {
        name: "adjust",
        command: CommandKind::AdjustStock,
        path: &["site"],
        body: &[],
        lines: &["sku", "delta", "expected_on_hand"],
        example: &[&[
            ("site", "uk"),
            ("sku", "APPLE-1"),
            ("delta", "-2"),
            ("reason", "damaged"),
            ("note", "two were wet"),
        ]],
    },
    Template {
        name: "count",
        command: CommandKind::CountStock,
        path: &["site"],
        body: &[],
        lines: &["sku", "counted", "at_position", "expected_on_hand"],
        example: &[&[("site", "uk"), ("sku", "APPLE-1"), ("counted", "118")]],
    },
    Template {
        name: "hold",
        command: CommandKind::HoldStock,
        path: &["site"],
        body: &["hold_id", "sku", "quantity"],
        lines: &[],
        example: &[&[
            ("site", "uk"),
            ("hold_id", "hold-7"),
            ("sku", "APPLE-1"),
            ("quantity", "5"),
            ("reason", "quality_control"),
        ]],
    },
    Template {
        name: "release",
        command: CommandKind::ReleaseHold,
        path: &["site", "hold_id"],
        body: &["quantity"],
        lines: &[],
        example: &[&[("site", "uk"), ("hold_id", "hold-7"), ("quantity", "2")]],
    },
    Template {
        name: "order",
        command: CommandKind::PlaceOrder,
        path: &["site"],
        body: &["order_id", "customer", "currency"],
        lines: &["sku", "quantity", "unit_price_minor"],
        example: &[
            &[
                ("site", "uk"),
                ("order_id", "order-1001"),
                ("customer", "customer-42"),
                ("currency", "GBP"),
                ("sku", "APPLE-1"),
                ("quantity", "3"),
                ("unit_price_minor", "250"),
            ],
            &[
                ("site", "uk"),
                ("order_id", "order-1001"),
                ("customer", "customer-42"),
                ("currency", "GBP"),
                ("sku", "PEAR-2"),
                ("quantity", "1"),
                ("unit_price_minor", "310"),
            ],
        ],
    },
    Template {
        name: "ship",
        command: CommandKind::ShipOrder,
        path: &["site", "order_id"],
        body: &[],
        lines: &["sku", "quantity"],
        example: &[&[("site", "uk"), ("order_id", "order-1001"), ("sku", "APPLE-1"), ("quantity", "3")]],
    },
    Template {
        name: "cancel",
        command: CommandKind::CancelOrder,
        path: &["site", "order_id"],
        body: &[],
        lines: &[],
        example: &[&[("site", "uk"), ("order_id", "order-1001"), ("reason", "customer_request")]],
    },
    Template {
        name: "return",
        command: CommandKind::ReturnOrder,
        path: &["site", "order_id"],
        body: &[],
        lines: &["sku", "quantity", "disposition"],
        example: &[&[
            ("site", "uk"),
            ("order_id", "order-1001"),
            ("sku", "APPLE-1"),
            ("quantity", "1"),
            ("disposition", "restock"),
        ]],
    },
    Template {
        name: "note",
        command: CommandKind::RecordNote,
        path: &["site"],
        body: &[],
        lines: &[],
        example: &[&[("site", "uk"), ("note", "the roof leaks above aisle 4")]],
    },
];

impl Template {
    /// The template of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        TEMPLATES.iter().find(|template| template.name == name)
    }

    pub(super) fn of(command: &str) -> Option<&'static Self> {
        TEMPLATES.iter().find(|template| template.command.as_str() == command)
    }

    /// All columns that it has, in the order of the header.
    pub(super) fn columns(&self) -> impl Iterator<Item = &'static str> {
        let own = self.path.iter().chain(self.body).chain(self.lines).copied();
        std::iter::once("command").chain(own).chain(COMMON)
    }

    /// The header and the example as CSV.
    ///
    /// # Errors
    /// None in practice: what is written stands in this file.
    pub fn csv(&self) -> Result<String, csv::Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(self.columns())?;
        for row in self.example {
            let cell = |column: &'static str| {
                let given = row.iter().find(|(name, _)| *name == column).map(|(_, value)| *value);
                if column == "command" { self.command.as_str() } else { given.unwrap_or_default() }
            };
            writer.write_record(self.columns().map(cell))?;
        }
        let bytes = writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Every column that a file may have.
pub(super) fn all_columns() -> Vec<&'static str> {
    let mut columns: Vec<&'static str> = Vec::new();
    for column in TEMPLATES.iter().flat_map(Template::columns) {
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    columns
}
