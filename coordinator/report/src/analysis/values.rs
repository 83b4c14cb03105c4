//! Hyperparameter values: their labels and their order.

use std::cmp::Ordering;

use crate::input::Value;

/// As people write it: `0.01`, `1e-5`, `256-128-64`.
pub(crate) fn value_label(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Number(x) if *x != 0.0 && !(1e-4..1e6).contains(&x.abs()) => format!("{x:e}"),
        Value::Number(x) => format!("{x}"),
        Value::Count(n) => n.to_string(),
        Value::Widths(widths) => widths.iter().map(u32::to_string).collect::<Vec<_>>().join("-"),
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

/// Whether two names mean the same axis: `depth` is the number of widths in `hidden`.
pub(crate) fn same_axis(a: &str, b: &str) -> bool {
    a == b || matches!((a, b), ("depth", "hidden") | ("hidden", "depth"))
}
