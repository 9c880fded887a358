//! What statements mean: expressions over one row, and which rows of a table a statement is about.
//!
//! Nothing compared with anything is nothing, and a row for which a condition is nothing is not hit, as in every database.
//! Where databases give different answers (a number compared with a text, a sum that is too large) there is none: the
//! simulation stops.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use stockledger_projections::table::Column;
use stockledger_projections::value::{Cell, Value};
use stockledger_projections::{Select, Statement};

use super::parse;
use super::tables::{Name, Part, Row, Rows, State, fits};

/// Statements that a thread remembers. Their texts are constant but for versions and counts of keys.
const STATEMENTS_MAX: usize = 4_096;

/// A statement that was understood.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) name: Name,
    pub(super) what: What,
    pub(super) filter: Filter,
    /// How many parameters it takes.
    pub(super) parameters: usize,
}

/// What is done with the rows that are hit.
#[derive(Debug)]
pub(super) enum What {
    Select { items: Vec<Expression>, order: Vec<usize> },
    Update { set: Vec<(usize, Expression)> },
}

/// Which rows are hit.
#[derive(Debug)]
pub(super) struct Filter {
    pub(super) condition: Option<Expression>,
    /// For the first columns of the key, as many as the condition says it of, the only values that they can have.
    pub(super) path: Vec<Vec<Expression>>,
}

/// A value that is worked out for a row.
#[derive(Debug, Clone)]
pub(super) enum Expression {
    Column(usize),
    Parameter(usize),
    Literal(Value),
    Now,
    Binary(Operator, Box<Self>, Box<Self>),
    IsNull(Box<Self>),
    IsNotNull(Box<Self>),
    In(Box<Self>, Vec<Self>),
    Coalesce(Vec<Self>),
    Case { arms: Vec<(Self, Self)>, otherwise: Box<Self> },
}

/// What stands between two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Or,
    And,
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Plus,
    Minus,
}

/// The answer of a query; nothing if its table is not there.
pub(super) fn select(select: &Select, state: &State, now: i64) -> Option<Vec<Vec<Value>>> {
    let query = parsed(&select.sql);
    let What::Select { items, order } = &query.what else { panic!("not a query: {}", select.sql) };
    let run = Run::of(&query, &select.sql, &select.parameters, now);
    let mut hit = run.hit(state.rows(query.name)?);
    if !order.is_empty() {
        let key = |row: &Row| order.iter().map(|column| Part(row[*column].clone())).collect::<Vec<_>>();
        hit.sort_by_cached_key(|row| key(row));
    }
    let answer = |row: &&Row| items.iter().map(|item| run.value(item, row)).collect();
    Some(hit.iter().map(answer).collect())
}

/// A statement that changes rows.
pub(super) struct Update(Rc<Query>);

/// Understands a statement that changes rows.
pub(super) fn update(statement: &Statement) -> Update {
    Update(parsed(statement.sql))
}

impl Update {
    pub(super) fn name(&self) -> Name {
        self.0.name
    }

    /// Changes the rows that are hit and says how many they are.
    pub(super) fn run(&self, state: &mut State, statement: &Statement, now: i64) -> usize {
        let What::Update { set } = &self.0.what else { panic!("not a change: {}", statement.sql) };
        let run = Run::of(&self.0, statement.sql, &statement.parameters, now);
        let change = |row: &Row| {
            let mut values = row.to_vec();
            for (column, expression) in set {
                values[*column] = run.value(expression, row);
            }
            values.into()
        };
        let Some(rows) = state.rows_mut(self.0.name) else { return 0 };
        let changed: Vec<Row> = run.hit(rows).into_iter().map(change).collect();
        let count = changed.len();
        changed.into_iter().for_each(|row| rows.set(row));
        count
    }
}

/// The statement of this text.
fn parsed(sql: &str) -> Rc<Query> {
    thread_local! {
        static PARSED: RefCell<BTreeMap<String, Rc<Query>>> = const { RefCell::new(BTreeMap::new()) };
    }
    PARSED.with_borrow_mut(|parsed| {
        if let Some(query) = parsed.get(sql) {
            return Rc::clone(query);
        }
        let understood = parse::query(sql);
        let query = Rc::new(understood.unwrap_or_else(|| panic!("the simulated store does not know: {sql}")));
        if parsed.len() >= STATEMENTS_MAX {
            parsed.clear();
        }
        parsed.insert(sql.to_owned(), Rc::clone(&query));
        query
    })
}

/// A statement with its parameters.
struct Run<'a> {
    query: &'a Query,
    sql: &'a str,
    parameters: &'a [Value],
    now: i64,
}

impl<'a> Run<'a> {
    fn of(query: &'a Query, sql: &'a str, parameters: &'a [Value], now: i64) -> Self {
        assert_eq!(parameters.len(), query.parameters, "one parameter for each place: {sql}");
        Self { query, sql, parameters, now }
    }

    /// The rows that are hit, in the order of their keys.
    fn hit<'r>(&self, rows: &'r Rows) -> Vec<&'r Row> {
        let mut hit = Vec::new();
        for prefix in self.prefixes() {
            hit.extend(rows.under(&prefix).filter(|row| self.is_hit(row)));
        }
        hit
    }

    fn is_hit(&self, row: &Row) -> bool {
        let Some(condition) = &self.query.filter.condition else { return true };
        self.truth(self.eval(condition, row)) == Some(true)
    }

    /// What the keys of the rows that are hit can begin with, in order, each once.
    fn prefixes(&self) -> BTreeSet<Vec<Part>> {
        let mut prefixes = BTreeSet::from([Vec::new()]);
        let columns = self.query.name.table().key();
        for (column, candidates) in columns.iter().zip(&self.query.filter.path) {
            // No column is needed to work them out.
            let values = candidates.iter().map(|one| self.value(one, &[]));
            let parts: Vec<Part> = values.map(|value| self.part(column, value)).collect();
            let longer = |prefix: &Vec<Part>| {
                let with = |part: &Part| prefix.iter().chain([part]).cloned().collect();
                parts.iter().map(with).collect::<Vec<_>>()
            };
            prefixes = prefixes.iter().flat_map(longer).collect();
        }
        prefixes
    }

    fn part(&self, column: &Column, value: Value) -> Part {
        let is_comparable = value == Value::Null || fits(column, &value);
        assert!(is_comparable, "databases compare {} with {value} differently: {}", column.name, self.sql);
        Part(value)
    }

    fn value(&self, expression: &Expression, row: &[Value]) -> Value {
        match self.eval(expression, row) {
            Cell::Null => Value::Null,
            Cell::Int(number) => Value::Int(number),
            Cell::Text(text) => Value::Text(text.to_owned()),
        }
    }

    fn eval<'v>(&'v self, expression: &'v Expression, row: &'v [Value]) -> Cell<'v> {
        match expression {
            Expression::Column(column) => cell(&row[*column]),
            Expression::Parameter(number) => cell(&self.parameters[*number]),
            Expression::Literal(value) => cell(value),
            Expression::Now => Cell::Int(self.now),
            Expression::Binary(operator, one, other) => self.binary(*operator, one, other, row),
            Expression::IsNull(of) => truth_value(Some(self.eval(of, row) == Cell::Null)),
            Expression::IsNotNull(of) => truth_value(Some(self.eval(of, row) != Cell::Null)),
            Expression::In(one, others) => truth_value(self.is_in(self.eval(one, row), others, row)),
            Expression::Coalesce(all) => {
                let mut cells = all.iter().map(|one| self.eval(one, row));
                cells.find(|cell| *cell != Cell::Null).unwrap_or(Cell::Null)
            }
            Expression::Case { arms, otherwise } => {
                let arm = arms.iter().find(|(when, _)| self.truth(self.eval(when, row)) == Some(true));
                self.eval(arm.map_or(otherwise, |(_, then)| then), row)
            }
        }
    }

    fn binary<'v>(
        &'v self,
        operator: Operator,
        one: &'v Expression,
        other: &'v Expression,
        row: &'v [Value],
    ) -> Cell<'v> {
        let (one, other) = (self.eval(one, row), self.eval(other, row));
        let compared = |holds: fn(Ordering) -> bool| truth_value(self.order(one, other).map(holds));
        match operator {
            Operator::Or => truth_value(either(true, self.truth(one), self.truth(other))),
            Operator::And => truth_value(either(false, self.truth(one), self.truth(other))),
            Operator::Equal => compared(Ordering::is_eq),
            Operator::Unequal => compared(Ordering::is_ne),
            Operator::Less => compared(Ordering::is_lt),
            Operator::LessOrEqual => compared(Ordering::is_le),
            Operator::Greater => compared(Ordering::is_gt),
            Operator::GreaterOrEqual => compared(Ordering::is_ge),
            Operator::Plus => self.sum(one, other, i64::checked_add),
            Operator::Minus => self.sum(one, other, i64::checked_sub),
        }
    }

    fn is_in(&self, one: Cell<'_>, others: &[Expression], row: &[Value]) -> Option<bool> {
        let is_equal = |other| self.order(one, self.eval(other, row)).map(Ordering::is_eq);
        let mut found = Some(false);
        for other in others {
            found = either(true, found, is_equal(other));
        }
        found
    }

    fn order(&self, one: Cell<'_>, other: Cell<'_>) -> Option<Ordering> {
        match (one, other) {
            (Cell::Null, _) | (_, Cell::Null) => None,
            (Cell::Int(one), Cell::Int(other)) => Some(one.cmp(&other)),
            (Cell::Text(one), Cell::Text(other)) => Some(one.cmp(other)),
            _ => panic!("databases compare {one:?} with {other:?} differently: {}", self.sql),
        }
    }

    fn sum<'v>(&self, one: Cell<'_>, other: Cell<'_>, checked: fn(i64, i64) -> Option<i64>) -> Cell<'v> {
        match (one, other) {
            (Cell::Text(_), _) | (_, Cell::Text(_)) => panic!("a text is no number: {}", self.sql),
            (Cell::Null, _) | (_, Cell::Null) => Cell::Null,
            (Cell::Int(one), Cell::Int(other)) => match checked(one, other) {
                Some(sum) => Cell::Int(sum),
                None => panic!("{one} and {other} are too large: {}", self.sql),
            },
        }
    }

    fn truth(&self, cell: Cell<'_>) -> Option<bool> {
        match cell {
            Cell::Null => None,
            Cell::Int(number) => Some(number != 0),
            Cell::Text(_) => panic!("a text is no condition: {}", self.sql),
        }
    }
}

fn cell(value: &Value) -> Cell<'_> {
    match value {
        Value::Null => Cell::Null,
        Value::Int(number) => Cell::Int(*number),
        Value::Text(text) => Cell::Text(text),
    }
}

fn truth_value<'a>(truth: Option<bool>) -> Cell<'a> {
    truth.map_or(Cell::Null, |truth| Cell::Int(i64::from(truth)))
}

/// `OR` where `decides` is true, `AND` where it is false: if either is that, so is the whole.
fn either(decides: bool, one: Option<bool>, other: Option<bool>) -> Option<bool> {
    match (one, other) {
        (Some(one), _) if one == decides => Some(decides),
        (_, Some(other)) if other == decides => Some(decides),
        (Some(_), Some(_)) => Some(!decides),
        _ => None,
    }
}
