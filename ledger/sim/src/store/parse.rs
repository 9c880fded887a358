//! Reading statements: one table, an optional condition, an order by columns. Whatever is beyond that is not understood.
//!
//! ```text
//! SELECT item, ..        FROM table [WHERE condition] [ORDER BY column, ..]
//! UPDATE table SET column = value, .. [WHERE condition]
//! ```

use stockledger_projections::table::Table;
use stockledger_projections::value::Value;

use super::sql::{Expression, Filter, Operator, Query, What};
use super::tables::Name;

const COMPARISONS: [(&str, Operator); 6] = [
    ("=", Operator::Equal),
    ("<>", Operator::Unequal),
    ("<", Operator::Less),
    ("<=", Operator::LessOrEqual),
    (">", Operator::Greater),
    (">=", Operator::GreaterOrEqual),
];
/// Symbols, longer ones before those that they begin with.
const SYMBOLS: [&str; 13] = ["{now}", "<>", "<=", ">=", "<", ">", "=", "+", "-", "?", "(", ")", ","];

/// The statement; nothing if it is not understood.
pub(super) fn query(sql: &str) -> Option<Query> {
    let tokens = tokens(sql)?;
    let name_after = match tokens.first()? {
        Token::Word("SELECT") => tokens.iter().position(|token| *token == Token::Word("FROM"))?,
        Token::Word("UPDATE") => 0,
        _ => return None,
    };
    let Token::Word(name) = tokens.get(name_after + 1)? else { return None };
    let name = Name::of(name)?;
    let mut parser = Parser { tokens, at: 1, table: name.table(), parameters: 0 };
    let mut what = if name_after == 0 { parser.update()? } else { parser.items()? };
    let condition = if parser.takes("WHERE") { Some(parser.expression()?) } else { None };
    if let What::Select { order, .. } = &mut what
        && parser.takes("ORDER")
    {
        parser.expect("BY")?;
        *order = parser.list(Parser::column)?;
    }
    let path = condition.as_ref().map(|condition| path(name.table(), condition)).unwrap_or_default();
    let is_whole = parser.at == parser.tokens.len();
    let filter = Filter { condition, path };
    is_whole.then_some(Query { name, what, filter, parameters: parser.parameters })
}

/// A piece of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token<'a> {
    /// A name, a keyword or a symbol.
    Word(&'a str),
    Number(i64),
    Text(&'a str),
}

fn tokens(sql: &str) -> Option<Vec<Token<'_>>> {
    let mut tokens = Vec::new();
    let mut rest = sql.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if let Some(text) = rest.strip_prefix('\'') {
            let end = text.find('\'')?;
            tokens.push(Token::Text(&text[..end]));
            end + 2
        } else if first.is_ascii_digit() {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            tokens.push(Token::Number(rest[..end].parse().ok()?));
            end
        } else {
            let is_end = |c: char| !c.is_ascii_alphanumeric() && c != '_';
            let symbol = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol));
            let end = symbol.map_or_else(|| rest.find(is_end).unwrap_or(rest.len()), str::len);
            if end == 0 {
                return None;
            }
            tokens.push(Token::Word(&rest[..end]));
            end
        };
        rest = &rest[length..];
        // A quote that is written twice within a text is one that belongs to it.
        if rest.starts_with('\'') && matches!(tokens.last(), Some(Token::Text(_))) {
            return None;
        }
        rest = rest.trim_start();
    }
    Some(tokens)
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
    table: &'static Table,
    /// Places for parameters so far.
    parameters: usize,
}

impl<'a> Parser<'a> {
    fn items(&mut self) -> Option<What> {
        let items = self.list(|parser| parser.expression())?;
        self.expect("FROM")?;
        self.at += 1;
        Some(What::Select { items, order: Vec::new() })
    }

    /// Some databases see what a statement has set already, others do not, so no value may depend on it; and no row may
    /// move to another key.
    fn update(&mut self) -> Option<What> {
        self.at += 1;
        self.expect("SET")?;
        let set = self.list(|parser| {
            let column = parser.column()?;
            parser.expect("=")?;
            Some((column, parser.expression()?))
        })?;
        let is_known = |(number, (column, _)): (usize, &(usize, Expression))| {
            let later = &set[number + 1..];
            *column >= self.table.key_columns && !later.iter().any(|(_, value)| mentions(value, *column))
        };
        set.iter().enumerate().all(is_known).then_some(What::Update { set })
    }

    fn expression(&mut self) -> Option<Expression> {
        self.chain(&[("OR", Operator::Or)], |parser| {
            parser.chain(&[("AND", Operator::And)], Self::comparison)
        })
    }

    /// Databases read a comparison of a comparison differently, so there is one at most.
    fn comparison(&mut self) -> Option<Expression> {
        let one = Box::new(self.sum()?);
        if let Some(operator) = self.takes_one_of(&COMPARISONS) {
            return Some(Expression::Binary(operator, one, Box::new(self.sum()?)));
        }
        if self.takes("IN") {
            return Some(Expression::In(one, self.in_brackets()?));
        }
        if !self.takes("IS") {
            return Some(*one);
        }
        let is_not = self.takes("NOT");
        self.expect("NULL")?;
        Some(if is_not { Expression::IsNotNull(one) } else { Expression::IsNull(one) })
    }

    fn sum(&mut self) -> Option<Expression> {
        self.chain(&[("+", Operator::Plus), ("-", Operator::Minus)], Self::primary)
    }

    /// What binds from the left.
    fn chain(
        &mut self,
        operators: &[(&str, Operator)],
        next: fn(&mut Self) -> Option<Expression>,
    ) -> Option<Expression> {
        let mut one = next(self)?;
        while let Some(operator) = self.takes_one_of(operators) {
            one = Expression::Binary(operator, Box::new(one), Box::new(next(self)?));
        }
        Some(one)
    }

    fn primary(&mut self) -> Option<Expression> {
        let token = self.tokens.get(self.at)?.clone();
        self.at += 1;
        match token {
            Token::Number(number) => Some(Expression::Literal(Value::Int(number))),
            Token::Text(text) => Some(Expression::Literal(Value::from(&text))),
            Token::Word("NULL") => Some(Expression::Literal(Value::Null)),
            Token::Word("{now}") => Some(Expression::Now),
            Token::Word("?") => {
                self.parameters += 1;
                Some(Expression::Parameter(self.parameters - 1))
            }
            Token::Word("(") => {
                let within = self.expression()?;
                self.expect(")")?;
                Some(within)
            }
            Token::Word("COALESCE") => self.in_brackets().map(Expression::Coalesce),
            Token::Word("CASE") => self.case(),
            Token::Word(_) => {
                self.at -= 1;
                self.column().map(Expression::Column)
            }
        }
    }

    fn case(&mut self) -> Option<Expression> {
        let mut arms = Vec::new();
        while self.takes("WHEN") {
            let when = self.expression()?;
            self.expect("THEN")?;
            arms.push((when, self.expression()?));
        }
        let otherwise =
            if self.takes("ELSE") { self.expression()? } else { Expression::Literal(Value::Null) };
        self.expect("END")?;
        (!arms.is_empty()).then_some(Expression::Case { arms, otherwise: Box::new(otherwise) })
    }

    fn in_brackets(&mut self) -> Option<Vec<Expression>> {
        self.expect("(")?;
        let all = self.list(|parser| parser.expression())?;
        self.expect(")")?;
        Some(all)
    }

    fn list<T>(&mut self, mut one: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut all = vec![one(self)?];
        while self.takes(",") {
            all.push(one(self)?);
        }
        Some(all)
    }

    fn column(&mut self) -> Option<usize> {
        let Token::Word(name) = self.tokens.get(self.at)? else { return None };
        self.at += 1;
        self.table.columns.iter().position(|column| column.name == *name)
    }

    fn is_at(&self, word: &str) -> bool {
        self.tokens.get(self.at).is_some_and(|token| matches!(token, Token::Word(found) if *found == word))
    }

    fn takes(&mut self, word: &str) -> bool {
        let takes = self.is_at(word);
        self.at += usize::from(takes);
        takes
    }

    fn takes_one_of(&mut self, operators: &[(&str, Operator)]) -> Option<Operator> {
        operators.iter().find(|(word, _)| self.takes(word)).map(|(_, operator)| *operator)
    }

    fn expect(&mut self, word: &str) -> Option<()> {
        self.takes(word).then_some(())
    }
}

/// Whether a value depends on a column.
fn mentions(expression: &Expression, column: usize) -> bool {
    let any = |all: &[Expression]| all.iter().any(|one| mentions(one, column));
    match expression {
        Expression::Column(of) => *of == column,
        Expression::Parameter(_) | Expression::Literal(_) | Expression::Now => false,
        Expression::Binary(_, one, other) => mentions(one, column) || mentions(other, column),
        Expression::IsNull(of) | Expression::IsNotNull(of) => mentions(of, column),
        Expression::In(one, others) => mentions(one, column) || any(others),
        Expression::Coalesce(all) => any(all),
        Expression::Case { arms, otherwise } => {
            arms.iter().any(|(when, then)| mentions(when, column) || mentions(then, column))
                || mentions(otherwise, column)
        }
    }
}

/// The values that the first columns of a key can only have, as far as a condition says so.
fn path(table: &Table, condition: &Expression) -> Vec<Vec<Expression>> {
    let mut parts = Vec::new();
    conjuncts(condition, &mut parts);
    let of = |column| parts.iter().find_map(|part| values_of(column, part));
    (0..table.key_columns).map_while(of).collect()
}

/// What must all be true.
fn conjuncts<'a>(condition: &'a Expression, parts: &mut Vec<&'a Expression>) {
    match condition {
        Expression::Binary(Operator::And, one, other) => {
            conjuncts(one, parts);
            conjuncts(other, parts);
        }
        other => parts.push(other),
    }
}

/// The values that a condition leaves to a column.
fn values_of(column: usize, condition: &Expression) -> Option<Vec<Expression>> {
    let is_it = |one: &Expression| matches!(one, Expression::Column(of) if *of == column);
    let is_fixed = |one: &Expression| matches!(one, Expression::Parameter(_) | Expression::Literal(_));
    match condition {
        Expression::Binary(Operator::Equal, one, other) if is_it(one) && is_fixed(other) => {
            Some(vec![Expression::clone(other)])
        }
        Expression::In(one, others) if is_it(one) && others.iter().all(is_fixed) => Some(others.clone()),
        _ => None,
    }
}
