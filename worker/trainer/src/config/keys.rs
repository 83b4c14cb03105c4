//! The table of hyperparameters, `KEYS`: each key's kind, default, range, and the optimizers that
//! use it. A key that is not in this table does not exist anywhere.

use trial::{Kind, Value};

use super::optimizer::{OPTIMIZER_NAMES, OptimizerKind};

pub const MAX_BATCH_SIZE: u64 = 65_536;
pub const MAX_EPOCHS: u64 = 10_000;
pub const MAX_HIDDEN_LAYERS: usize = 64;
pub const MAX_WIDTH: u64 = 16_384;

/// One hyperparameter.
#[derive(Debug)]
pub struct Key {
    pub name: &'static str,
    pub kind: Kind,
    /// What it is, with its unit, for `schema` and error texts.
    pub help: &'static str,
    /// The values allowed, in words that end the sentence "expected ...".
    pub expected: &'static str,
    allowed: fn(&Value) -> bool,
    /// The value a trial gets when the file is silent; `None` where the file must speak, or where
    /// absence has a meaning of its own (`patience`).
    default: fn(OptimizerKind) -> Option<Value>,
    used_by: fn(OptimizerKind) -> bool,
}

impl Key {
    pub fn default_for(&self, optimizer: OptimizerKind) -> Option<Value> {
        (self.default)(optimizer)
    }

    pub fn is_used_by(&self, optimizer: OptimizerKind) -> bool {
        (self.used_by)(optimizer)
    }

    /// Whether a value of the right kind lies in the range.
    pub fn allows(&self, value: &Value) -> bool {
        (self.allowed)(value)
    }
}

/// Every hyperparameter, in the order of the result tables' columns. `seed` is not one of them.
pub const KEYS: &[Key] = &[
    Key {
        name: "optimizer",
        kind: Kind::Text(OPTIMIZER_NAMES),
        help: "the rule that turns a gradient into an update",
        expected: "the name of an optimizer",
        allowed: |value| matches!(value, Value::Text(name) if OptimizerKind::from_name(name).is_some()),
        default: |_| None,
        used_by: |_| true,
    },
    Key {
        name: "learning_rate",
        kind: Kind::Number,
        help: "step size; for a line search the step it starts from",
        expected: "a finite number above 0",
        allowed: |value| number(value, |x| 0.0 < x),
        default: |_| None,
        used_by: |_| true,
    },
    Key {
        name: "batch_size",
        kind: Kind::Count,
        help: "samples per step",
        expected: "a whole number from 1 to 65536",
        allowed: |value| count(value, 1, MAX_BATCH_SIZE),
        default: |_| None,
        used_by: |_| true,
    },
    Key {
        name: "hidden",
        kind: Kind::Widths,
        help: "sizes of the hidden layers, input side first",
        expected: "a list of up to 64 widths, each from 1 to 16384",
        allowed: |value| match value {
            Value::Widths(widths) => {
                widths.len() <= MAX_HIDDEN_LAYERS
                    && widths.iter().all(|&w| 1 <= w && u64::from(w) <= MAX_WIDTH)
            }
            _ => false,
        },
        default: |_| None,
        used_by: |_| true,
    },
    Key {
        name: "activation",
        kind: Kind::Text(&["relu"]),
        help: "the hidden layers' activation",
        expected: "\"relu\"",
        allowed: |value| matches!(value, Value::Text(name) if name == "relu"),
        default: |_| Some(Value::Text("relu".into())),
        used_by: |_| true,
    },
    Key {
        name: "epochs",
        kind: Kind::Count,
        help: "passes over the training set",
        expected: "a whole number from 1 to 10000",
        allowed: |value| count(value, 1, MAX_EPOCHS),
        default: |_| Some(Value::Count(10)),
        used_by: |_| true,
    },
    Key {
        name: "momentum",
        kind: Kind::Number,
        help: "share of the velocity kept per step",
        expected: "a number from 0 to below 1",
        allowed: |value| number(value, |x| (0.0..1.0).contains(&x)),
        default: |_| Some(Value::Number(0.9)),
        used_by: |o| matches!(o, OptimizerKind::Momentum | OptimizerKind::Nesterov),
    },
    Key {
        name: "beta1",
        kind: Kind::Number,
        help: "decay of the first moment",
        expected: "a number from 0 to below 1",
        allowed: |value| number(value, |x| (0.0..1.0).contains(&x)),
        default: |_| Some(Value::Number(0.9)),
        used_by: |o| matches!(o, OptimizerKind::Adam | OptimizerKind::AdamW | OptimizerKind::Lion),
    },
    Key {
        name: "beta2",
        kind: Kind::Number,
        help: "decay of the second moment (lion: of the momentum)",
        expected: "a number from 0 to below 1",
        allowed: |value| number(value, |x| (0.0..1.0).contains(&x)),
        default: |o| Some(Value::Number(if o == OptimizerKind::Lion { 0.99 } else { 0.999 })),
        used_by: |o| matches!(o, OptimizerKind::Adam | OptimizerKind::AdamW | OptimizerKind::Lion),
    },
    Key {
        name: "eps",
        kind: Kind::Number,
        help: "added to the root of the second moment",
        expected: "a finite number above 0",
        allowed: |value| number(value, |x| 0.0 < x),
        default: |_| Some(Value::Number(1e-8)),
        used_by: |o| {
            matches!(o, OptimizerKind::Adam | OptimizerKind::AdamW | OptimizerKind::RmsProp)
        },
    },
    Key {
        name: "alpha",
        kind: Kind::Number,
        help: "decay of rmsprop's second moment",
        expected: "a number from 0 to below 1",
        allowed: |value| number(value, |x| (0.0..1.0).contains(&x)),
        default: |_| Some(Value::Number(0.99)),
        used_by: |o| o == OptimizerKind::RmsProp,
    },
    Key {
        name: "armijo_c",
        kind: Kind::Number,
        help: "share of the linear decrease that a step must reach",
        expected: "a number above 0 and below 1",
        allowed: |value| number(value, |x| 0.0 < x && x < 1.0),
        default: |o| Some(Value::Number(if o == OptimizerKind::Sls { 0.1 } else { 1e-4 })),
        used_by: OptimizerKind::is_line_search,
    },
    Key {
        name: "shrink",
        kind: Kind::Number,
        help: "factor on the step after a probe that was refused",
        expected: "a number above 0 and below 1",
        allowed: |value| number(value, |x| 0.0 < x && x < 1.0),
        default: |o| Some(Value::Number(if o == OptimizerKind::Sls { 0.9 } else { 0.5 })),
        used_by: OptimizerKind::is_line_search,
    },
    Key {
        name: "max_probes",
        kind: Kind::Count,
        help: "probes per step at most",
        expected: "a whole number from 1 to 1000",
        allowed: |value| count(value, 1, 1000),
        default: |o| Some(Value::Count(if o == OptimizerKind::Sls { 100 } else { 30 })),
        used_by: OptimizerKind::is_line_search,
    },
    Key {
        name: "max_step",
        kind: Kind::Number,
        help: "cap on the step that sls grows",
        expected: "a finite number above 0",
        allowed: |value| number(value, |x| 0.0 < x),
        default: |_| Some(Value::Number(10.0)),
        used_by: |o| o == OptimizerKind::Sls,
    },
    Key {
        name: "weight_decay",
        kind: Kind::Number,
        help: "L2 decay added to the gradient of weights; decoupled for adamw and lion",
        expected: "a number from 0 to below 1",
        allowed: |value| number(value, |x| (0.0..1.0).contains(&x)),
        default: |_| Some(Value::Number(0.0)),
        used_by: |_| true,
    },
    Key {
        name: "decoupled_decay",
        kind: Kind::Number,
        help: "decay of the weights themselves, times the learning rate",
        expected: "a number from 0 to below 1",
        allowed: |value| number(value, |x| (0.0..1.0).contains(&x)),
        default: |_| Some(Value::Number(0.0)),
        used_by: |o| !o.decays_decoupled(),
    },
    Key {
        name: "dropout",
        kind: Kind::Number,
        help: "share of the hidden units dropped while training",
        expected: "a number from 0 to below 1",
        allowed: |value| number(value, |x| (0.0..1.0).contains(&x)),
        default: |_| Some(Value::Number(0.0)),
        used_by: |_| true,
    },
    Key {
        name: "label_smoothing",
        kind: Kind::Number,
        help: "share of the target spread over all classes",
        expected: "a number from 0 to below 1",
        allowed: |value| number(value, |x| (0.0..1.0).contains(&x)),
        default: |_| Some(Value::Number(0.0)),
        used_by: |_| true,
    },
    Key {
        name: "schedule",
        kind: Kind::Text(&["constant"]),
        help: "how the learning rate changes over the steps",
        expected: "\"constant\"",
        allowed: |value| matches!(value, Value::Text(name) if name == "constant"),
        default: |_| Some(Value::Text("constant".into())),
        used_by: |_| true,
    },
    Key {
        name: "patience",
        kind: Kind::Count,
        help: "epochs without a better validation accuracy before a trial stops early; absent: never",
        expected: "a whole number from 1 to 10000",
        allowed: |value| count(value, 1, MAX_EPOCHS),
        default: |_| None,
        used_by: |_| true,
    },
];

pub fn key(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

fn number(value: &Value, inside: fn(f64) -> bool) -> bool {
    matches!(*value, Value::Number(x) if x.is_finite() && inside(x))
}

fn count(value: &Value, low: u64, high: u64) -> bool {
    matches!(*value, Value::Count(n) if low <= n && n <= high)
}
