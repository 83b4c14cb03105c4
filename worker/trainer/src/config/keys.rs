//! The table of hyperparameters, `KEYS`: each key's kind, default, range, and the optimizers that
//! use it. A key that is not in this table does not exist anywhere.

use trial::{Kind, Parameter, Users, Value};

use super::optimizer::{OPTIMIZER_NAMES, OptimizerKind};

pub const MAX_BATCH_SIZE: u64 = 65_536;
pub const MAX_EPOCHS: u64 = 10_000;
pub const MAX_HIDDEN_LAYERS: usize = 64;
pub const MAX_WIDTH: u64 = 16_384;

/// Every hyperparameter, in the order of the result tables' columns. `seed` is not one of them.
pub static KEYS: &[Parameter] = &[
    Parameter {
        name: "optimizer",
        kind: Kind::Text(OPTIMIZER_NAMES),
        help: "the rule that turns a gradient into an update",
        expected: "the name of an optimizer",
        allowed: |value| matches!(value, Value::Text(name) if OptimizerKind::from_name(name).is_some()),
        used_by: Users::All(|| None),
    },
    Parameter {
        name: "learning_rate",
        kind: Kind::Number,
        help: "step size; for a line search the step it starts from",
        expected: "a finite number above 0",
        allowed: |value| number(value, |x| 0.0 < x),
        used_by: Users::All(|| None),
    },
    Parameter {
        name: "batch_size",
        kind: Kind::Count,
        help: "samples per step",
        expected: "a whole number from 1 to 65536",
        allowed: |value| count(value, 1, MAX_BATCH_SIZE),
        used_by: Users::All(|| None),
    },
    Parameter {
        name: "hidden",
        kind: Kind::Widths { max_layers: MAX_HIDDEN_LAYERS, max_width: MAX_WIDTH },
        help: "sizes of the hidden layers, input side first",
        expected: "a list of up to 64 widths, each from 1 to 16384",
        allowed: |value| match value {
            Value::Widths(widths) => {
                widths.len() <= MAX_HIDDEN_LAYERS
                    && widths.iter().all(|&w| 1 <= w && u64::from(w) <= MAX_WIDTH)
            }
            _ => false,
        },
        used_by: Users::All(|| None),
    },
    Parameter {
        name: "activation",
        kind: Kind::Text(&["relu"]),
        help: "the hidden layers' activation",
        expected: "\"relu\"",
        allowed: |value| matches!(value, Value::Text(name) if name == "relu"),
        used_by: Users::All(|| Some(Value::Text("relu".into()))),
    },
    Parameter {
        name: "epochs",
        kind: Kind::Count,
        help: "passes over the training set",
        expected: "a whole number from 1 to 10000",
        allowed: |value| count(value, 1, MAX_EPOCHS),
        used_by: Users::All(|| Some(Value::Count(10))),
    },
    Parameter {
        name: "momentum",
        kind: Kind::Number,
        help: "share of the velocity kept per step",
        expected: "a number from 0 to below 1",
        allowed: |value| number(value, |x| (0.0..1.0).contains(&x)),
        used_by: Users::By(of_own),
    },
    Parameter {
        name: "beta1",
        kind: Kind::Number,
        help: "decay of the first moment",
        expected: "a number from 0 to below 1",
        allowed: |value| number(value, |x| (0.0..1.0).contains(&x)),
        used_by: Users::By(of_own),
    },
    Parameter {
        name: "beta2",
        kind: Kind::Number,
        help: "decay of the second moment (lion: of the momentum)",
        expected: "a number from 0 to below 1",
        allowed: |value| number(value, |x| (0.0..1.0).contains(&x)),
        used_by: Users::By(of_own),
    },
    Parameter {
        name: "eps",
        kind: Kind::Number,
        help: "added to the root of the second moment",
        expected: "a finite number above 0",
        allowed: |value| number(value, |x| 0.0 < x),
        used_by: Users::By(of_own),
    },
    Parameter {
        name: "alpha",
        kind: Kind::Number,
        help: "decay of rmsprop's second moment",
        expected: "a number from 0 to below 1",
        allowed: |value| number(value, |x| (0.0..1.0).contains(&x)),
        used_by: Users::By(of_own),
    },
    Parameter {
        name: "armijo_c",
        kind: Kind::Number,
        help: "share of the linear decrease that a step must reach",
        expected: "a number above 0 and below 1",
        allowed: |value| number(value, |x| 0.0 < x && x < 1.0),
        used_by: Users::By(of_own),
    },
    Parameter {
        name: "shrink",
        kind: Kind::Number,
        help: "factor on the step after a probe that was refused",
        expected: "a number above 0 and below 1",
        allowed: |value| number(value, |x| 0.0 < x && x < 1.0),
        used_by: Users::By(of_own),
    },
    Parameter {
        name: "max_probes",
        kind: Kind::Count,
        help: "probes per step at most",
        expected: "a whole number from 1 to 1000",
        allowed: |value| count(value, 1, 1000),
        used_by: Users::By(of_own),
    },
    Parameter {
        name: "max_step",
        kind: Kind::Number,
        help: "cap on the step that sls grows",
        expected: "a finite number above 0",
        allowed: |value| number(value, |x| 0.0 < x),
        used_by: Users::By(of_own),
    },
    Parameter {
        name: "weight_decay",
        kind: Kind::Number,
        help: "L2 decay added to the gradient of weights; decoupled for adamw and lion",
        expected: "a number from 0 to below 1",
        allowed: |value| number(value, |x| (0.0..1.0).contains(&x)),
        used_by: Users::All(|| Some(Value::Number(0.0))),
    },
    Parameter {
        name: "decoupled_decay",
        kind: Kind::Number,
        help: "decay of the weights themselves, times the learning rate",
        expected: "a number from 0 to below 1",
        allowed: |value| number(value, |x| (0.0..1.0).contains(&x)),
        used_by: Users::By(of_coupled),
    },
    Parameter {
        name: "dropout",
        kind: Kind::Number,
        help: "share of the hidden units dropped while training",
        expected: "a number from 0 to below 1",
        allowed: |value| number(value, |x| (0.0..1.0).contains(&x)),
        used_by: Users::All(|| Some(Value::Number(0.0))),
    },
    Parameter {
        name: "label_smoothing",
        kind: Kind::Number,
        help: "share of the target spread over all classes",
        expected: "a number from 0 to below 1",
        allowed: |value| number(value, |x| (0.0..1.0).contains(&x)),
        used_by: Users::All(|| Some(Value::Number(0.0))),
    },
    Parameter {
        name: "schedule",
        kind: Kind::Text(&["constant"]),
        help: "how the learning rate changes over the steps",
        expected: "\"constant\"",
        allowed: |value| matches!(value, Value::Text(name) if name == "constant"),
        used_by: Users::All(|| Some(Value::Text("constant".into()))),
    },
    Parameter {
        name: "patience",
        kind: Kind::Count,
        help: "epochs without a better validation accuracy before a trial stops early; absent: never",
        expected: "a whole number from 1 to 10000",
        allowed: |value| count(value, 1, MAX_EPOCHS),
        used_by: Users::All(|| None),
    },
];

pub fn key(name: &str) -> Option<&'static Parameter> {
    KEYS.iter().find(|key| key.name == name)
}

/// 0 for the optimizers whose `weight_decay` acts on the gradient.
fn of_coupled(_: &str, optimizer: &str) -> Option<Value> {
    let kind = OptimizerKind::from_name(optimizer)?;
    (!kind.decays_decoupled()).then_some(Value::Number(0.0))
}

/// The default of an optimizer whose definition has the key.
fn of_own(name: &str, optimizer: &str) -> Option<Value> {
    let definition = OptimizerKind::from_name(optimizer)?.definition();
    let (_, default) = definition.keys.iter().find(|(key, _)| *key == name)?;
    Some(value_of(key(name)?, *default))
}

/// A number of an optimizer's own as the value of its key.
pub(crate) fn value_of(key: &Parameter, number: f64) -> Value {
    match key.kind {
        Kind::Count => Value::Count(number as u64),
        _ => Value::Number(number),
    }
}

fn number(value: &Value, inside: fn(f64) -> bool) -> bool {
    matches!(*value, Value::Number(x) if x.is_finite() && inside(x))
}

fn count(value: &Value, low: u64, high: u64) -> bool {
    matches!(*value, Value::Count(n) if low <= n && n <= high)
}
