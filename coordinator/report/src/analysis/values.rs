//! Hyperparameter values: their labels and their order.

use std::cmp::Ordering;

use sweep::{number_text, widths_text};

use trial::Value;

/// As people write it: `0.01`, `1e-5`, `256-128-64`, `none`.
pub(crate) fn value_label(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Number(x) => number_text(*x),
        Value::Count(n) => n.to_string(),
        Value::Widths(widths) => widths_text(widths),
    }
}

/// Numbers by value, text by bytes, widths layer by layer; kinds never mix within a column.
pub(crate) fn value_order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.total_cmp(b),
        (Value::Count(a), Value::Count(b)) => a.cmp(b),
        (Value::Widths(a), Value::Widths(b)) => a.cmp(b),
        _ => value_label(a).cmp(&value_label(b)),
    }
}

/// The place of a value among ascending ones.
pub(crate) fn place_of(value: &Value, ascending: &[Value]) -> Option<usize> {
    ascending.binary_search_by(|other| value_order(other, value)).ok()
}

/// Whether two names mean the same axis: `depth` is the number of widths in `hidden`.
pub(crate) fn same_axis(a: &str, b: &str) -> bool {
    a == b || matches!((a, b), ("depth", "hidden") | ("hidden", "depth"))
}
