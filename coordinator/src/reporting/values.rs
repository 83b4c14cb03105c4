//! Hyperparameter values on their way out: to JSON for SQL users and to the report's columns.

use serde_json::{Map, json};
use sweep::{Plan, display};
use trial::{Hyperparameters, Interface, Kind, Value};

/// A trial's canonical hyperparameters as a JSON object.
pub fn hyperparameters_json(given: &Hyperparameters) -> String {
    serde_json::Value::Object(hyperparameters(given)).to_string()
}

/// A trial's canonical hyperparameters by their names.
pub fn hyperparameters(given: &Hyperparameters) -> Map<String, serde_json::Value> {
    let pairs = given.values().iter().map(|(name, value)| {
        let value = match value {
            Value::Text(text) => json!(text),
            Value::Number(number) => json!(number),
            Value::Count(count) => json!(count),
            Value::Widths(widths) => json!(widths),
        };
        ((*name).to_string(), value)
    });
    pairs.collect()
}

/// The inverse: the hyperparameters that such an object and a seed are of. The error says why they are
/// not those of a trial.
pub fn hyperparameters_of_json(
    interface: &Interface,
    json: &str,
    seed: u32,
) -> Result<Hyperparameters, String> {
    let mut object: Map<String, serde_json::Value> =
        serde_json::from_str(json).map_err(|error| error.to_string())?;
    let mut values = Vec::new();
    for parameter in interface.parameters {
        let Some(value) = object.remove(parameter.name) else { continue };
        let value = match parameter.kind {
            Kind::Text(_) => value.as_str().map(|text| Value::Text(text.into())),
            Kind::Number => value.as_f64().map(Value::Number),
            Kind::Count => value.as_u64().map(Value::Count),
            Kind::Widths { .. } => serde_json::from_value(value).ok().map(Value::Widths),
        };
        let value = value.filter(|value| parameter.allows(value));
        values.push((
            parameter.name,
            value.ok_or_else(|| format!("{}: expected {}", parameter.name, parameter.expected))?,
        ));
    }
    if let Some(name) = object.keys().next() {
        return Err(format!("{name} is not a hyperparameter"));
    }
    let given = Hyperparameters::new(values, seed);
    whole(interface, &given)?;
    Ok(given)
}

/// `Err` unless these are all that a trial of their variant has, and nothing else, and fit together.
pub fn whole(interface: &Interface, given: &Hyperparameters) -> Result<(), String> {
    let variant = match given.value(interface.selector()) {
        Some(Value::Text(name)) => name,
        _ => return Err(format!("{} is missing", interface.selector())),
    };
    for parameter in interface.parameters {
        let (name, is_given) = (parameter.name, given.value(parameter.name).is_some());
        if is_given && !parameter.is_used_by(variant) {
            let selector = interface.selector();
            return Err(format!("{name} has a value that its {selector} does not use"));
        }
        // The program would fill it in, the id would lack it. What has no default the program misses.
        if !is_given && parameter.default_for(variant).is_some() {
            return Err(format!("{name} is missing"));
        }
    }
    (interface.check)(given, None)
        .map_err(|misfit| format!("{}: {}", misfit.parameter, misfit.label))
}

/// What a short name tells without its name.
const ALONE: [&str; 4] = ["optimizer", "learning_rate", "batch_size", "hidden"];

/// A short name for people: `backtracking 0.05 b32 256-128`, `sgd 1e-6 b32 none`.
pub fn short_label(given: &Hyperparameters) -> String {
    let text = |name| given.value(name).map(display).unwrap_or_default();
    let [optimizer, rate, batch, hidden] = ALONE.map(text);
    format!("{optimizer} {rate} b{batch} {hidden}")
}

/// The short name and the value on every other axis of the sweep, so that no two points share it.
pub fn label(plan: &Plan, given: &Hyperparameters) -> String {
    let mut text = short_label(given);
    let is_told = |name| ALONE.contains(&name);
    for axis in plan.axes.iter().filter(|axis| !is_told(axis.name) && 1 < axis.values.len()) {
        // `depth` is no key of its own: the list of layers shows it.
        if let Some(value) = given.value(axis.name) {
            text += &format!(" {} {}", axis.name, display(value));
        }
    }
    text
}

/// The parts of such a name, each with what it is the value of: the first four stand alone, all others
/// behind their own name. Text that is not built like that is in parts all the same.
pub fn label_parts(label: &str) -> Vec<(&str, String)> {
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
        let labels: Vec<String> = (0..plan.trials.len())
            .map(|trial| label(&plan, &plan.hyperparameters(trial)))
            .collect();
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
    fn hyperparameters_come_back_and_others_do_not() {
        let text = "name = \"t\"\n[dataset]\nname = \"mnist\"\ntrain = 100\nvalid = 50\n\
             [[grid]]\noptimizer = [\"sgd\"]\nlearning_rate = [0.1]\n\
             batch_size = [10]\nhidden = [[4, 3]]\n";
        let plan = planned(text);
        let interface = trainer::interface();
        let given = plan.hyperparameters(0);
        let json = hyperparameters_json(&given);
        assert_eq!(hyperparameters_of_json(interface, &json, given.seed), Ok(given));
        let changed = |change: fn(&mut Map<String, serde_json::Value>)| {
            let mut object = serde_json::from_str(&json).unwrap();
            change(&mut object);
            let text = serde_json::Value::Object(object).to_string();
            hyperparameters_of_json(interface, &text, 1).unwrap_err()
        };
        let error = changed(|it| drop(it.remove("dropout")));
        assert_eq!(error, "dropout is missing");
        let error = changed(|it| drop(it.remove("learning_rate")));
        assert_eq!(error, "learning_rate: is missing");
        let error = changed(|it| drop(it.insert("alpha".into(), json!(0.5))));
        assert_eq!(error, "alpha has a value that its optimizer does not use");
        let error = changed(|it| drop(it.insert("rate".into(), json!(0.5))));
        assert_eq!(error, "rate is not a hyperparameter");
        let error = changed(|it| drop(it.insert("dropout".into(), json!(1.0))));
        assert_eq!(error, "dropout: expected a number from 0 to below 1");
    }

    #[test]
    fn labels_count_no_zeros_and_name_networks_without_layers() {
        let text = "name = \"t\"\n[dataset]\nname = \"mnist\"\ntrain = 100\nvalid = 50\n\
             [[grid]]\noptimizer = [\"adam\"]\nlearning_rate = [1e-6]\nbatch_size = [10]\n\
             hidden = [[]]\neps = [1e-10, 1e-8]\n";
        let plan = planned(text);
        assert_eq!(label(&plan, &plan.hyperparameters(0)), "adam 1e-6 b10 none eps 1e-10");
    }
}
