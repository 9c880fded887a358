//! A statement that is put together from what was asked for. Values only ever travel as parameters.

use crate::value::Value;

/// The text, and the parameters in the order of their places.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) parameters: Vec<Value>,
}

impl Statement {
    pub(super) fn new(sql: &str, parameters: impl IntoIterator<Item = Value>) -> Self {
        Self { sql: String::new(), parameters: Vec::new() }.and(sql, parameters)
    }

    /// The same with more behind it.
    pub(super) fn and(mut self, sql: &str, parameters: impl IntoIterator<Item = Value>) -> Self {
        self.sql.push_str(sql);
        self.parameters.extend(parameters);
        self
    }

    /// The same with a condition of one parameter behind it, if there is one.
    pub(super) fn if_some(self, sql: &str, parameter: Option<Value>) -> Self {
        match parameter {
            Some(parameter) => self.and(sql, [parameter]),
            None => self,
        }
    }

    /// The same with another statement behind it.
    pub(super) fn then(self, other: Self) -> Self {
        self.and(&other.sql, other.parameters)
    }
}
