//! A form as a page: its fields with what was filled in, what is wrong beside each, and what was decided.

use std::collections::HashMap;

use askama::Template;
use serde_json::Value;
use stockledger_domain::Invalid;
use stockledger_domain::command::reason;
use stockledger_schemas::CommandKind;
use stockledger_schemas::refusal::Shortage;

use crate::http::command::Ids;
use crate::http::problem::{Code, Problem};
use crate::http::ui::fields::Fields;
use crate::http::ui::forms::done::Done;
use crate::http::ui::forms::of_order::Told;
use crate::http::ui::forms::shape::{
    Composed, Field, Kind, Lines, NOTE, OCCURRED_AT, REFERENCE, ROWS_MAX, ROWS_STEP, Shape, cell,
};
use crate::http::ui::frame::{Frame, Section, site_path, site_path_of};
use crate::http::ui::text::{Number, sentence};

/// What a form is shown with.
pub(super) enum Said<'a> {
    Nothing,
    /// More lines were asked for.
    More,
    Done(Done),
    Refused(&'a Problem, &'a Composed),
}

#[derive(Template)]
#[template(path = "form.html")]
pub(super) struct Sheet {
    frame: Frame,
    does: &'static str,
    action: String,
    key: String,
    done: Option<Done>,
    refused: Option<Refused>,
    fields: Vec<FieldView>,
    columns: Vec<&'static str>,
    rows: Vec<RowView>,
    row_count: usize,
    has_more: bool,
    more: Vec<FieldView>,
    /// Whether something is wrong in what is folded away at first.
    is_open: bool,
    button: &'static str,
}

struct Refused {
    title: &'static str,
    code: &'static str,
    detail: String,
    more: Vec<String>,
    next: &'static str,
}

struct FieldView {
    name: String,
    label: &'static str,
    value: String,
    kind: &'static str,
    max: u16,
    choices: Vec<Choice>,
    hint: &'static str,
    wrong: String,
    is_required: bool,
    is_fixed: bool,
}

struct Choice {
    value: &'static str,
    text: String,
    is_chosen: bool,
}

struct RowView {
    number: usize,
    cells: Vec<FieldView>,
    told: String,
    wrong: String,
}

impl Sheet {
    pub(super) fn new(
        shape: &Shape,
        ids: &Ids,
        told: &Told,
        fields: &Fields,
        (action, key): (&str, String),
        said: Said<'_>,
    ) -> Self {
        let wrong = match &said {
            Said::Refused(problem, composed) => wrong(problem, composed),
            _ => HashMap::new(),
        };
        let view = View { fields, wrong: &wrong };
        let step = if matches!(said, Said::More) { ROWS_STEP } else { 0 };
        let row_count = shape.lines.map_or(0, |_| (shape.rows(fields) + step).min(ROWS_MAX));
        let row = |lines: Lines| (0..row_count).map(move |row| view.row(&lines, row, told)).collect();
        let more: Vec<FieldView> =
            [OCCURRED_AT].iter().chain(&REFERENCE).map(|field| view.field(field)).collect();
        let (done, refused) = match said {
            Said::Nothing | Said::More => (None, None),
            Said::Done(done) => (Some(done), None),
            Said::Refused(problem, composed) => (None, Some(refused(problem, composed))),
        };
        let own = shape.fields.iter().map(|field| view.field(field));
        let note = if shape.command == CommandKind::RecordNote { NOTE.required() } else { NOTE };
        Self {
            frame: frame(shape, ids),
            does: shape.does,
            action: action.to_owned(),
            key,
            done,
            refused,
            fields: own.chain(view.reason(shape)).chain([view.field(&note)]).collect(),
            columns: shape
                .lines
                .map_or_else(Vec::new, |lines| lines.columns.iter().map(|one| one.label).collect()),
            rows: shape.lines.map_or_else(Vec::new, row),
            row_count,
            has_more: row_count < ROWS_MAX && !told.is_known(),
            is_open: more.iter().any(|field| !field.wrong.is_empty() || !field.value.is_empty()),
            more,
            button: shape.button,
        }
    }
}

fn frame(shape: &Shape, ids: &Ids) -> Frame {
    match (&ids.site, &ids.order_id) {
        (Some(site), Some(order_id)) => Frame::at_site(format!("{} order {order_id}", shape.title), site)
            .below(site_path(site, "orders"), "Orders")
            .below(site_path_of(site, "orders", order_id.as_str()), order_id.as_str()),
        (Some(site), None) => Frame::at_site(format!("{} at {site}", shape.title), site),
        _ if shape.command == CommandKind::RegisterItem => Frame::new(shape.title, Section::Items),
        _ => Frame::new(shape.title, Section::Sites),
    }
}

/// What is wrong, by the name of the field or row that it is beside.
fn wrong(problem: &Problem, composed: &Composed) -> HashMap<String, String> {
    let errors = problem.errors().iter().filter_map(|error| beside(error, composed));
    let short = problem.shortages().iter().flat_map(|shortage| short(shortage, composed));
    errors.chain(short).collect()
}

/// The field that an error is about, and the error in words; nothing where it is about none.
fn beside(error: &Invalid, composed: &Composed) -> Option<(String, String)> {
    let Invalid { pointer, detail } = error;
    let missing = detail.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
    if let Some(member) = missing {
        return Some((composed.name(&format!("{pointer}/{member}"))?, "fill this in".to_owned()));
    }
    let no_number = detail.strip_prefix("invalid type: string \"").and_then(|rest| rest.split('"').next());
    let words = no_number.map_or_else(|| detail.clone(), |text| format!("{text} is not a whole number"));
    Some((composed.name(pointer)?, words))
}

/// The fields that ask for more than there is.
fn short(shortage: &Shortage, composed: &Composed) -> Vec<(String, String)> {
    let Shortage { sku, available, .. } = shortage;
    let lines = composed.body.get("lines").and_then(Value::as_array).into_iter().flatten().enumerate();
    let of_sku = lines.filter(|(_, line)| line.get("sku").is_some_and(|found| found == sku.as_str()));
    let in_lines = of_sku.map(|(line, _)| format!("/lines/{line}/quantity"));
    let alone = composed.body.get("quantity").map(|_| "/quantity".to_owned());
    let names = in_lines.chain(alone).filter_map(|pointer| composed.name(&pointer));
    names.map(|name| (name, format!("only {} available", Number(available.get())))).collect()
}

fn refused(problem: &Problem, composed: &Composed) -> Refused {
    let document = problem.document("", "");
    let (detail, more) = match problem.code() {
        Code::ValidationFailed if !problem.errors().is_empty() => {
            // What stands beside a field need not be said twice.
            let elsewhere = problem.errors().iter().filter(|error| beside(error, composed).is_none());
            let elsewhere = elsewhere.map(|error| error.detail.clone()).collect();
            ("Nothing was recorded. Mend what is marked and send the form again.".to_owned(), elsewhere)
        }
        // The same of what is short.
        _ if problem.shortages().iter().all(|one| !short(one, composed).is_empty()) => {
            (document.detail().to_owned(), Vec::new())
        }
        _ => (document.detail().to_owned(), document.more()),
    };
    let code = problem.code();
    let next = match code {
        Code::InsufficientStock => "Ask for less, or receive goods first, then send the form again.",
        Code::IdempotencyKeyReused => {
            "This form was sent before, with something else in it. What stands here now was not: send it if you mean it."
        }
        code if code.is_retryable() => "Send the form again: however often that is, it is done once.",
        _ => "",
    };
    Refused { title: code.title(), code: code.as_str(), detail, more, next }
}

#[derive(Clone, Copy)]
struct View<'a> {
    fields: &'a Fields,
    wrong: &'a HashMap<String, String>,
}

impl View<'_> {
    fn field(self, field: &Field) -> FieldView {
        self.named(field, field.name.to_owned())
    }

    fn named(self, field: &Field, name: String) -> FieldView {
        let value = self.fields.get(&name).to_owned();
        let (kind, max, choices) = match field.kind {
            Kind::Text(max) => ("text", max, Vec::new()),
            Kind::Number => ("number", 20, Vec::new()),
            Kind::Money => ("money", 20, Vec::new()),
            Kind::Moment => ("moment", 0, Vec::new()),
            Kind::Choice(choices) => {
                let choice = |(sent, shown): &(&'static str, &'static str)| Choice {
                    value: sent,
                    text: (*shown).to_owned(),
                    is_chosen: value == *sent,
                };
                ("choice", 0, choices.iter().map(choice).collect())
            }
        };
        FieldView {
            wrong: self.wrong.get(&name).cloned().unwrap_or_default(),
            label: field.label,
            hint: field.hint,
            is_required: field.is_required,
            is_fixed: false,
            name,
            value,
            kind,
            max,
            choices,
        }
    }

    /// The reasons that the command takes; nothing where there is none to choose.
    fn reason(self, shape: &Shape) -> Option<FieldView> {
        let allowed = reason::allowed(shape.command);
        if allowed.len() < 2 {
            return None;
        }
        let is_required = reason::is_required(shape.command);
        let mut view = self.named(&Field::new("reason", "Reason", Kind::Choice(&[])), "reason".to_owned());
        let first = if is_required { "Choose one" } else { "None given" };
        let none = Choice { value: "", text: first.to_owned(), is_chosen: view.value.is_empty() };
        let of = |reason: &stockledger_schemas::Reason| Choice {
            value: reason.as_str(),
            text: sentence(reason.as_str()),
            is_chosen: view.value == reason.as_str(),
        };
        view.choices = std::iter::once(none).chain(allowed.iter().map(of)).collect();
        view.is_required = is_required;
        Some(view)
    }

    fn row(self, lines: &Lines, row: usize, told: &Told) -> RowView {
        let is_known = lines.of_order && told.is_known();
        let cells = lines.columns.iter().map(|column| {
            let mut view = self.named(column, cell(row, column.name));
            // Rows may stay empty; what a filled one lacks is said when it is sent.
            view.is_required = row == 0 && column.is_required && !lines.of_order;
            view.is_fixed = is_known && column.name == "sku";
            view.hint = "";
            view
        });
        RowView {
            number: row + 1,
            cells: cells.collect(),
            told: told.of(self.fields.get(&cell(row, "sku"))).to_owned(),
            wrong: self.wrong.get(&format!("lines-{row}")).cloned().unwrap_or_default(),
        }
    }
}
