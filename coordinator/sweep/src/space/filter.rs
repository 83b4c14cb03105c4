//! A filter: conditions on a point, `{ optimizer = "sgd", depth = [1, 2] }`, as exclusions and the
//! sides of a hypothesis state them. All conditions must hold; one of several values is enough.

use toml::de::DeValue;
use trial::{Kind, Value};

use super::domain::{Domain, domain_at};
use super::text::display;
use crate::file::problem::{Problem, Problems, Span};
use crate::file::reader::{Item, Table};

#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    /// Never empty.
    pub conditions: Vec<Condition>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// A parameter, or `depth`.
    pub name: &'static str,
    /// Never empty.
    pub values: Vec<Value>,
}

impl Filter {
    pub fn names(&self, name: &str) -> bool {
        self.conditions.iter().any(|condition| condition.name == name)
    }

    /// Reads the conditions of a table; `None` after noting its problems.
    pub(crate) fn read(table: &Table, problems: &mut Problems) -> Option<Self> {
        let entries = table.entries();
        if entries.is_empty() {
            problems.push(Problem::at(
                table.span.clone(),
                format!("{} is empty", table.title),
                "expected at least one key of a point, such as `depth = 1`",
            ));
        }
        let n_entries = entries.len();
        let conditions: Vec<Condition> = entries
            .into_iter()
            .filter_map(|(name, span, item)| condition(table, name, span, item, problems))
            .collect();
        (n_entries > 0 && conditions.len() == n_entries).then_some(Self { conditions })
    }
}

impl std::fmt::Display for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, condition) in self.conditions.iter().enumerate() {
            let values: Vec<String> = condition.values.iter().map(display).collect();
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{} = {}", condition.name, values.join(" or "))?;
        }
        Ok(())
    }
}

fn condition(
    table: &Table,
    name: &str,
    span: Span,
    item: Item,
    problems: &mut Problems,
) -> Option<Condition> {
    let domain = problems.ok(domain_at(table.interface.parameters, name, span, table.title))?;
    let items: Vec<Item> = match item.get_ref() {
        DeValue::Array(items) if is_list_of_values(domain, items) => items.iter().collect(),
        _ => vec![item],
    };
    if items.is_empty() {
        let message = format!("`{name}` has no values");
        problems.push(Problem::at(item.span(), message, "expected at least one value"));
    }
    let values: Vec<Value> =
        items.iter().filter_map(|item| problems.ok(domain.read(item))).collect();
    (!values.is_empty() && values.len() == items.len())
        .then_some(Condition { name: domain.name, values })
}

/// A value of `hidden` is itself a list, so only a list of lists is several of them.
fn is_list_of_values(domain: Domain, items: &[toml::Spanned<DeValue>]) -> bool {
    match domain.kind {
        Kind::Widths { .. } => items.first().is_some_and(|item| item.get_ref().is_array()),
        _ => true,
    }
}
