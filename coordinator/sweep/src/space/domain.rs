//! A domain: the values that an axis can take. There is one for each hyperparameter and one for
//! `depth`, which names the first widths of `[model] widths`.

use toml::de::DeValue;
use trial::{Kind, Parameter, Value};

use super::text::display;
use crate::file::problem::{Problem, did_you_mean};
use crate::file::reader::{Item, integer, number, wrong_type};

pub const DEPTH: &str = "depth";

/// What a grid, an exclusion, a heatmap or a hypothesis can name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Domain {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) help: &'static str,
    pub(crate) expected: &'static str,
    allowed: Allowed,
}

#[derive(Clone, Copy, Debug)]
enum Allowed {
    By(Parameter),
    /// Depths up to this one.
    Depths(usize),
}

/// Every name in the order of the result tables, `depth` after `hidden`.
pub(crate) fn names(parameters: &[Parameter]) -> Vec<&'static str> {
    let names = parameters.iter().flat_map(|parameter| {
        let depth = matches!(parameter.kind, Kind::Widths { .. }).then_some(DEPTH);
        [Some(parameter.name), depth]
    });
    names.flatten().collect()
}

pub(crate) fn domain(parameters: &[Parameter], name: &str) -> Option<Domain> {
    let by_kind = parameters.iter().find_map(|parameter| match parameter.kind {
        Kind::Widths { max_layers, .. } if name == DEPTH => Some(max_layers),
        _ => None,
    });
    if let Some(max_layers) = by_kind {
        return Some(Domain {
            name: DEPTH,
            kind: Kind::Count,
            help: "number of hidden layers: the first of `[model] widths`",
            expected: "a whole number from 1 to the number of widths",
            allowed: Allowed::Depths(max_layers),
        });
    }
    parameters.iter().find(|parameter| parameter.name == name).map(|parameter| Domain {
        name: parameter.name,
        kind: parameter.kind,
        help: parameter.help,
        expected: parameter.expected,
        allowed: Allowed::By(*parameter),
    })
}

/// Whether a parameter or `depth` can have a smaller value than this one, or a larger one. True of
/// names and values that have no order.
pub fn has_values_beyond(
    parameters: &[Parameter],
    name: &str,
    value: &Value,
    is_smaller: bool,
) -> bool {
    match domain(parameters, name).map(|domain| domain.allowed) {
        Some(Allowed::By(parameter)) => parameter.has_values_beyond(value, is_smaller),
        Some(Allowed::Depths(most)) => {
            matches!(*value, Value::Count(n) if if is_smaller { n > 1 } else { n < most as u64 })
        }
        None => true,
    }
}

/// The domain of a name that the file uses, or the problem that there is none.
pub(crate) fn domain_at(
    parameters: &[Parameter],
    name: &str,
    span: crate::file::problem::Span,
    title: &str,
) -> Result<Domain, Problem> {
    domain(parameters, name).ok_or_else(|| {
        Problem::at(span, format!("unknown key `{name}`"), format!("not a key of {title}"))
            .help(did_you_mean(name, &names(parameters), "known keys"))
    })
}

impl Domain {
    /// "a number", "a string" and so on: one value.
    pub(crate) fn one(&self) -> &'static str {
        match self.kind {
            Kind::Text(_) => "a string",
            Kind::Number => "a number",
            Kind::Count => "a whole number",
            Kind::Widths { .. } => "a list of widths",
        }
    }

    /// "a list of numbers" and so on: an axis.
    pub(crate) fn many(&self) -> &'static str {
        match self.kind {
            Kind::Text(_) => "a list of strings",
            Kind::Number => "a list of numbers",
            Kind::Count => "a list of whole numbers",
            Kind::Widths { .. } => "a list of lists of widths",
        }
    }

    /// Reads one value: its type first, then its range.
    pub(crate) fn read(&self, item: Item) -> Result<Value, Problem> {
        let value = match self.kind {
            Kind::Text(words) => self.read_word(item, words)?,
            Kind::Number => number(item).map(Value::Number),
            Kind::Count => match item.get_ref() {
                // Out of u64 is out of range, which `check` says better than "wrong type".
                DeValue::Integer(_) => {
                    let n = integer(item).and_then(|n| u64::try_from(n).ok());
                    Some(Value::Count(n.unwrap_or(u64::MAX)))
                }
                _ => None,
            },
            Kind::Widths { .. } => read_widths(item),
        };
        let value = value.ok_or_else(|| wrong_type(self.name, self.one(), item))?;
        self.check(&value, item)?;
        Ok(value)
    }

    /// Whether the domain holds a value, as a problem at `item` if not.
    pub(crate) fn check(&self, value: &Value, item: Item) -> Result<(), Problem> {
        let is_allowed = match self.allowed {
            Allowed::By(parameter) => parameter.allows(value),
            Allowed::Depths(most) => {
                matches!(*value, Value::Count(n) if 1 <= n && n <= most as u64)
            }
        };
        if is_allowed {
            return Ok(());
        }
        let shown = match item.get_ref() {
            DeValue::Integer(digits) => digits.to_string(),
            DeValue::Float(digits) => digits.to_string(),
            _ => toml_text(value),
        };
        Err(Problem::at(
            item.span(),
            format!("`{}` cannot be {shown}", self.name),
            format!("expected {}", self.expected),
        ))
    }

    fn read_word(&self, item: Item, words: &[&str]) -> Result<Option<Value>, Problem> {
        let Some(word) = item.get_ref().as_str() else { return Ok(None) };
        if words.contains(&word) {
            return Ok(Some(Value::Text(word.to_string())));
        }
        let known = words.join(", ");
        let help = match crate::file::problem::suggest(word, words.iter().copied()) {
            Some(candidate) => format!("did you mean \"{candidate}\"? Known: {known}"),
            None => format!("known: {known}"),
        };
        Err(Problem::at(
            item.span(),
            format!("unknown {} \"{word}\"", self.name),
            format!("expected {}", self.expected),
        )
        .help(help))
    }
}

/// A list of whole numbers; a width beyond u32 becomes one that no domain allows.
pub(crate) fn read_widths(item: Item) -> Option<Value> {
    let widths = item.get_ref().as_array()?.iter().map(|item| {
        item.get_ref()
            .is_integer()
            .then(|| integer(item).and_then(|n| u32::try_from(n).ok()).unwrap_or(u32::MAX))
    });
    widths.collect::<Option<Vec<u32>>>().map(Value::Widths)
}

/// A value as a sweep file says it: `"sgd"`, `0.05`, `32`, `[256, 128, 64]`.
pub(crate) fn toml_text(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("\"{text}\""),
        Value::Widths(widths) => format!("{widths:?}"),
        Value::Number(_) | Value::Count(_) => display(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_end_where_the_table_of_keys_ends_them() {
        let number = Value::Number;
        let (smaller, larger) = (true, false);
        let parameters = trainer::interface().parameters;
        for (name, value, end, expected) in [
            ("momentum", number(0.0), smaller, false),
            ("momentum", number(0.9), larger, true),
            ("dropout", number(0.1), smaller, true),
            ("label_smoothing", number(1.0_f64.next_down()), larger, false),
            ("learning_rate", number(1e-3), smaller, true),
            ("batch_size", Value::Count(1), smaller, false),
            ("batch_size", Value::Count(65_536), larger, false),
            ("epochs", Value::Count(2), smaller, true),
            ("max_probes", Value::Count(1_000), larger, false),
            ("depth", Value::Count(0), smaller, false),
            ("depth", Value::Count(1), smaller, false),
            ("depth", Value::Count(64), larger, false),
            ("optimizer", Value::Text("sgd".into()), larger, true),
        ] {
            assert_eq!(
                has_values_beyond(parameters, name, &value, end),
                expected,
                "{name} {value:?}"
            );
        }
    }
}
