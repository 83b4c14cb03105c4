//! Hyperparameter values on their way out: to JSON for SQL users and to the report's columns.

use serde_json::{Map, json};
use trainer::{Kind, TrainConfig, Value};

/// A trial's canonical hyperparameters as a JSON object.
pub fn hyperparameters_json(config: &TrainConfig) -> String {
    let pairs = config.values().into_iter().map(|(key, value)| {
        let value = match value {
            Value::Text(text) => json!(text),
            Value::Number(number) => json!(number),
            Value::Count(count) => json!(count),
            Value::Widths(widths) => json!(widths),
        };
        (key.to_string(), value)
    });
    serde_json::Value::Object(pairs.collect::<Map<_, _>>()).to_string()
}

pub fn to_report(value: &Value) -> report::input::Value {
    match value {
        Value::Text(text) => report::input::Value::Text(text.clone()),
        Value::Number(number) => report::input::Value::Number(*number),
        Value::Count(count) => report::input::Value::Count(*count),
        Value::Widths(widths) => report::input::Value::Widths(widths.clone()),
    }
}

pub fn column_kind(kind: Kind) -> report::input::ColumnKind {
    match kind {
        Kind::Text(_) => report::input::ColumnKind::Text,
        Kind::Number => report::input::ColumnKind::Number,
        Kind::Count => report::input::ColumnKind::Count,
        Kind::Widths => report::input::ColumnKind::Widths,
    }
}

/// A short name for people: `backtracking 0.05 b32 [256,128]`.
pub fn label(config: &TrainConfig) -> String {
    let hidden: Vec<String> = config.hidden.iter().map(ToString::to_string).collect();
    format!(
        "{} {} b{} [{}]",
        config.optimizer.kind().name(),
        config.learning_rate,
        config.batch_size,
        hidden.join(",")
    )
}
