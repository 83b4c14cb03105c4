//! Hyperparameter values on their way out: to JSON for SQL users and to the report's columns.

use std::collections::BTreeMap;

use serde_json::{Map, json};
use sweep::{Plan, display, number_text, widths_text};
use trainer::TrainConfig;
use trial::{Kind, Value};

/// A trial's canonical hyperparameters as a JSON object.
pub fn hyperparameters_json(config: &TrainConfig) -> String {
    serde_json::Value::Object(hyperparameters(config)).to_string()
}

/// A trial's canonical hyperparameters by their names.
pub fn hyperparameters(config: &TrainConfig) -> Map<String, serde_json::Value> {
    let pairs = config.values().into_iter().map(|(key, value)| {
        let value = match value {
            Value::Text(text) => json!(text),
            Value::Number(number) => json!(number),
            Value::Count(count) => json!(count),
            Value::Widths(widths) => json!(widths),
        };
        (key.to_string(), value)
    });
    pairs.collect()
}

/// The inverse: the configuration that such an object and a seed are of. The error says why there is
/// none.
pub fn config_of_json(json: &str, seed: u32) -> Result<TrainConfig, String> {
    let object: Map<String, serde_json::Value> =
        serde_json::from_str(json).map_err(|error| error.to_string())?;
    let mut values = BTreeMap::new();
    for (name, value) in object {
        let key = trainer::key(&name).ok_or_else(|| format!("{name} is not a hyperparameter"))?;
        let value = match key.kind {
            Kind::Text(_) => value.as_str().map(|text| Value::Text(text.into())),
            Kind::Number => value.as_f64().map(Value::Number),
            Kind::Count => value.as_u64().map(Value::Count),
            Kind::Widths => serde_json::from_value(value).ok().map(Value::Widths),
        };
        values.insert(name, value.ok_or_else(|| format!("expected {}", key.expected))?);
    }
    let config = TrainConfig::from_values(&values, seed).map_err(|error| error.to_string())?;
    match values.keys().find(|name| config.value(name).is_none()) {
        Some(name) => Err(format!("{name} has a value that its optimizer does not use")),
        None => Ok(config),
    }
}

/// A short name for people: `backtracking 0.05 b32 256-128`, `sgd 1e-6 b32 none`.
pub fn short_label(config: &TrainConfig) -> String {
    let hidden = widths_text(&config.hidden);
    let (optimizer, rate) = (config.optimizer.kind().name(), number_text(config.learning_rate));
    format!("{optimizer} {rate} b{} {hidden}", config.batch_size)
}

/// The short name and the value on every other axis of the sweep, so that no two points share it.
pub fn label(plan: &Plan, config: &TrainConfig) -> String {
    let mut text = short_label(config);
    let is_told = |name| matches!(name, "optimizer" | "learning_rate" | "batch_size" | "hidden");
    for axis in plan.axes.iter().filter(|axis| !is_told(axis.name) && 1 < axis.values.len()) {
        // `depth` is no key of its own: the list of layers shows it.
        if let Some(value) = config.value(axis.name) {
            text += &format!(" {} {}", axis.name, display(&value));
        }
    }
    text
}

/// The parts of such a name, each with what it is the value of: the first four stand alone, all others
/// behind their own name. Text that is not built like that is in parts all the same.
pub fn label_parts(label: &str) -> Vec<(&str, String)> {
    const ALONE: [&str; 4] = ["optimizer", "learning_rate", "batch_size", "hidden"];
    let words: Vec<&str> = label.split(' ').collect();
    let (alone, named) = words.split_at(words.len().min(ALONE.len()));
    let alone = ALONE.into_iter().zip(alone.iter().map(ToString::to_string));
    alone.chain(named.chunks(2).map(|pair| (pair[0], pair.join(" ")))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::planned;

    #[test]
    fn labels_name_what_the_sweep_varies() {
        let text = "name = \"t\"\n[dataset]\nname = \"mnist\"\ntrain = 100\nvalid = 50\n\
             [[grid]]\noptimizer = [\"sgd\", \"momentum\"]\nlearning_rate = [0.1]\n\
             batch_size = [10]\nhidden = [[4, 3]]\nmomentum = [0.5, 0.9]\ndropout = [0.0, 0.2]\n";
        let plan = planned(text);
        let labels: Vec<String> =
            (0..plan.trials.len()).map(|trial| label(&plan, &plan.config(trial))).collect();
        assert_eq!(labels[0], "momentum 0.1 b10 4-3 momentum 0.5 dropout 0");
        assert_eq!(labels.last().unwrap(), "sgd 0.1 b10 4-3 dropout 0.2");
        let parts: Vec<(&str, String)> = label_parts(&labels[0]);
        let names: Vec<&str> = parts.iter().map(|(name, _)| *name).collect();
        let expected =
            ["optimizer", "learning_rate", "batch_size", "hidden", "momentum", "dropout"];
        assert_eq!(names, expected);
        assert_eq!(
            parts.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join(" "),
            labels[0]
        );
        assert_eq!(label_parts("sgd"), [("optimizer", "sgd".to_owned())]);
    }

    #[test]
    fn labels_count_no_zeros_and_name_networks_without_layers() {
        let text = "name = \"t\"\n[dataset]\nname = \"mnist\"\ntrain = 100\nvalid = 50\n\
             [[grid]]\noptimizer = [\"adam\"]\nlearning_rate = [1e-6]\nbatch_size = [10]\n\
             hidden = [[]]\neps = [1e-10, 1e-8]\n";
        let plan = planned(text);
        assert_eq!(label(&plan, &plan.config(0)), "adam 1e-6 b10 none eps 1e-10");
    }
}
