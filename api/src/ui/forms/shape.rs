//! What a form asks for: the members of a command's body as fields, and the body as JSON made of what was filled in.
//!
//! The JSON goes the way of every command, so what is wrong is found there and nowhere else; a JSON pointer leads back to
//! the field. Names of fields are those of members; one of line 2 is `lines-2-sku`.

use serde_json::{Map, Value, json};
use stockledger_schemas::CommandKind;

use crate::http::ui::fields::Fields;
use crate::http::ui::query::moment;
use crate::http::ui::text::minor;

/// Lines that a form has at first, and how many more each time.
pub(super) const ROWS_STEP: usize = 5;
/// Lines that a form has at most; whoever has more sends a file.
pub(super) const ROWS_MAX: usize = 500;

/// What a field takes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Text of at most so many characters.
    Text(u16),
    Number,
    /// A price, in minor units in the body.
    Money,
    /// An instant of UTC.
    Moment,
    /// One of these: what is sent, and what is shown.
    Choice(&'static [(&'static str, &'static str)]),
}

/// A field.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) kind: Kind,
    pub(super) is_required: bool,
    pub(super) hint: &'static str,
    /// Whether it is an id that stands in the path of the JSON route, and not in its body.
    pub(super) is_target: bool,
}

impl Field {
    pub(super) const fn new(name: &'static str, label: &'static str, kind: Kind) -> Self {
        Self { name, label, kind, is_required: false, hint: "", is_target: false }
    }

    pub(super) const fn required(self) -> Self {
        Self { is_required: true, ..self }
    }

    pub(super) const fn hint(self, hint: &'static str) -> Self {
        Self { hint, ..self }
    }

    pub(super) const fn target(self) -> Self {
        Self { is_target: true, is_required: true, ..self }
    }
}

/// The lines of a form.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lines {
    pub(super) columns: &'static [Field],
    /// Whether they are those of the order that it is about; those without a quantity are left out.
    pub(super) of_order: bool,
    /// Whether no line at all means all that is open.
    pub(super) may_be_absent: bool,
}

/// A form.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) command: CommandKind,
    pub(super) title: &'static str,
    pub(super) does: &'static str,
    pub(super) button: &'static str,
    pub(super) fields: &'static [Field],
    pub(super) lines: Option<Lines>,
}

/// The members that every command takes, but for the reason, whose choices differ.
pub(super) const NOTE: Field = Field::new("note", "Note", Kind::Text(1_000));
pub(super) const OCCURRED_AT: Field =
    Field::new("occurred_at", "When it happened (UTC)", Kind::Moment).hint("Now, if left empty.");
pub(super) const REFERENCE: [Field; 2] = [
    Field::new("reference_type", "Document", Kind::Text(64)).hint("Such as po for a purchase order."),
    Field::new("reference_id", "Its number", Kind::Text(128)),
];

/// The body that was made of a form.
#[derive(Debug)]
pub(super) struct Composed {
    pub(super) body: Value,
    /// In which row of the form each line stands.
    rows: Vec<usize>,
}

pub(super) fn cell(row: usize, column: &str) -> String {
    format!("lines-{row}-{column}")
}

impl Shape {
    /// How many lines the form had.
    pub(super) fn rows(&self, fields: &Fields) -> usize {
        fields.get("rows").parse().unwrap_or(ROWS_STEP).clamp(1, ROWS_MAX)
    }

    /// The body of what was filled in.
    pub(super) fn compose(&self, fields: &Fields) -> Composed {
        let mut body = Map::new();
        let common = [NOTE, OCCURRED_AT];
        let reason = Field::new("reason", "", Kind::Text(0));
        let own = self.fields.iter().filter(|field| !field.is_target);
        for field in own.chain(&common).chain([&reason]) {
            if let Some(value) = value(field.kind, fields.get(field.name), fields) {
                body.insert(field.name.to_owned(), value);
            }
        }
        let [kind, id] = REFERENCE.map(|field| fields.get(field.name));
        if !(kind.is_empty() && id.is_empty()) {
            body.insert("reference".to_owned(), json!({ "type": kind, "id": id }));
        }
        let mut rows = Vec::new();
        if let Some(lines) = self.lines {
            let mut composed = Vec::new();
            for row in 0..self.rows(fields) {
                if let Some(line) = line(&lines, row, fields) {
                    rows.push(row);
                    composed.push(line);
                }
            }
            if !(composed.is_empty() && lines.may_be_absent) {
                body.insert("lines".to_owned(), Value::Array(composed));
            }
        }
        Composed { body: Value::Object(body), rows }
    }
}

fn line(lines: &Lines, row: usize, fields: &Fields) -> Option<Value> {
    let text = |field: &Field| fields.get(&cell(row, field.name)).to_owned();
    let says = |field: &&Field| match field.kind {
        Kind::Choice(_) => false,
        // The items of an order stand there anyway.
        _ => !(lines.of_order && field.name == "sku"),
    };
    if !lines.columns.iter().filter(says).any(|field| !text(field).is_empty()) {
        return None;
    }
    let members = lines.columns.iter().filter_map(|field| {
        value(field.kind, &text(field), fields).map(|value| (field.name.to_owned(), value))
    });
    Some(Value::Object(members.collect()))
}

impl Composed {
    /// The name of the field that a pointer into the body leads to; that of the row, where it leads to a whole line.
    pub(super) fn name(&self, pointer: &str) -> Option<String> {
        let mut parts = pointer.strip_prefix('/')?.split('/');
        let (first, rest) = (parts.next()?, (parts.next(), parts.next()));
        match (first, rest) {
            ("lines", (Some(line), column)) => {
                let row = self.rows.get(line.parse::<usize>().ok()?)?;
                Some(column.map_or_else(|| format!("lines-{row}"), |column| cell(*row, column)))
            }
            ("reference", (Some(member), _)) => Some(format!("reference_{member}")),
            (name, (None, None)) => Some(name.to_owned()),
            _ => None,
        }
    }
}

/// What a text stands for in JSON; nothing where nothing was filled in. What is not what the field takes is sent as it is,
/// for the reader of the JSON to say so.
fn value(kind: Kind, text: &str, fields: &Fields) -> Option<Value> {
    if text.is_empty() {
        return None;
    }
    Some(match kind {
        Kind::Text(_) | Kind::Choice(_) => json!(text),
        Kind::Number => text.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number)),
        Kind::Money => {
            minor(text, fields.get("currency")).map_or_else(|| json!(text), |number| json!(number))
        }
        Kind::Moment => json!(moment(text)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::ui::forms::orders::{PLACE, SHIP};
    use crate::http::ui::forms::stock::RECEIVE;

    fn filled(pairs: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        for (name, value) in pairs {
            fields.fill(name, *value);
        }
        fields
    }

    #[test]
    fn a_form_becomes_the_body_of_its_command_and_pointers_lead_back() {
        let fields = filled(&[
            ("lines-0-sku", "A"),
            ("lines-0-quantity", "12"),
            ("lines-2-sku", "B"),
            ("lines-2-quantity", "a dozen"),
            ("reason", "purchase"),
            ("occurred_at", "2026-01-02T03:04"),
            ("reference_type", "po"),
            ("note", " "),
        ]);
        let composed = RECEIVE.compose(&fields);
        let body = json!({
            "lines": [{ "sku": "A", "quantity": 12 }, { "sku": "B", "quantity": "a dozen" }],
            "reason": "purchase", "occurred_at": "2026-01-02T03:04:00Z", "reference": { "type": "po", "id": "" },
        });
        assert_eq!(composed.body, body);
        for (pointer, name) in [
            ("/lines/1/quantity", Some("lines-2-quantity")),
            ("/lines/0", Some("lines-0")),
            ("/reference/id", Some("reference_id")),
            ("/note", Some("note")),
            ("/lines/7/sku", None),
            ("", None),
        ] {
            assert_eq!(composed.name(pointer).as_deref(), name, "{pointer}");
        }
    }

    #[test]
    fn prices_are_sent_in_minor_units_and_what_is_left_empty_is_not_sent() {
        let price = [("order_id", "o"), ("currency", "GBP"), ("lines-0-sku", "A"), ("lines-0-quantity", "2")];
        let fields = filled(&[&price[..], &[("lines-0-unit_price_minor", "2.5")]].concat());
        let body = json!({
            "order_id": "o", "currency": "GBP", "lines": [{ "sku": "A", "quantity": 2, "unit_price_minor": 250 }],
        });
        assert_eq!(PLACE.compose(&fields).body, body);
        let all = filled(&[("rows", "2"), ("lines-0-sku", "A"), ("lines-1-sku", "B")]);
        assert_eq!(SHIP.compose(&all).body, json!({}));
        let one =
            filled(&[("rows", "2"), ("lines-0-sku", "A"), ("lines-1-sku", "B"), ("lines-1-quantity", "3")]);
        assert_eq!(SHIP.compose(&one).body, json!({ "lines": [{ "sku": "B", "quantity": 3 }] }));
    }
}
